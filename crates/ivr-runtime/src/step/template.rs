//! Texts and addresses with `{fields}`.

use zeroize::Zeroizing;

/// Of a byte in an address, `%20`.
const LONGEST_CODE: usize = 3;

/// `template` with its fields filled in; `{link}` and `{brand}` are left for the sender.
/// `None` where a field is not known.
pub(crate) fn fill<'v>(
    template: &str,
    value: impl Fn(&str) -> Option<&'v str>,
    write: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    // Room for all of it: what grows leaves copies behind.
    let values = fields(template).filter_map(&value).map(|value| LONGEST_CODE * value.len());
    let mut filled = String::with_capacity(template.len() + values.sum::<usize>());
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
            _ => filled.push_str(&Zeroizing::new(write(value(name)?)?)),
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

/// A value as part of an address: everything but RFC 3986's unreserved characters is encoded.
/// `None` for what would lead to another folder.
pub(crate) fn path_part(value: &str) -> Option<String> {
    if matches!(value, "." | "..") {
        return None;
    }
    let mut part = String::with_capacity(LONGEST_CODE * value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                part.push(char::from(byte));
            }
            _ => part.push_str(&format!("%{byte:02X}")),
        }
    }
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_in_and_encoded_and_unknown_ones_are_missing() {
        let value = |name: &str| (name == "order").then_some("7/é &");
        let url = fill("https://x.example/{order}?b={brand}", value, path_part);
        assert_eq!(url.as_deref(), Some("https://x.example/7%2F%C3%A9%20%26?b={brand}"));
        let plain = |value: &str| Some(value.to_owned());
        assert_eq!(fill("{link} {nobody}", value, plain), None);
        assert_eq!(fill("a { b", value, plain).as_deref(), Some("a { b"));
        let up = |_: &str| Some("..");
        assert_eq!(fill("https://x.example/a/{order}/b", up, path_part), None);
        assert_eq!(fields("{link} {a}{b} {").collect::<Vec<_>>(), ["a", "b"]);
    }
}
