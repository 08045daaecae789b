//! Texts and addresses with `{fields}`.

/// `template` with its fields filled in; `{link}` and `{brand}` are left for the sender.
/// `None` where a field is not known.
pub(crate) fn fill<'v>(
    template: &str,
    value: impl Fn(&str) -> Option<&'v str>,
    write: impl Fn(&str) -> String,
) -> Option<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        match name {
            "link" | "brand" => filled.extend(["{", name, "}"]),
            _ => filled.push_str(&write(value(name)?)),
        }
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

/// The names of the fields in it.
pub(crate) fn fields(template: &str) -> impl Iterator<Item = &str> {
    let names = template.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0));
    names.filter(|name| !matches!(*name, "link" | "brand"))
}

/// Everything but RFC 3986's unreserved characters.
pub(crate) fn percent_encode(value: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    value.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_in_and_encoded_and_unknown_ones_are_missing() {
        let value = |name: &str| (name == "order").then_some("7/é &");
        let url = fill("https://x.example/{order}?b={brand}", value, percent_encode);
        assert_eq!(url.as_deref(), Some("https://x.example/7%2F%C3%A9%20%26?b={brand}"));
        assert_eq!(fill("{link} {nobody}", value, str::to_owned), None);
        assert_eq!(fill("a { b", value, str::to_owned).as_deref(), Some("a { b"));
        assert_eq!(fields("{link} {a}{b} {").collect::<Vec<_>>(), ["a", "b"]);
    }
}
