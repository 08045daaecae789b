//! Message templates: text with `{fields}`.

/// A text with fields in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template<'a>(&'a str);

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateProblem {
    /// `{` without `}`.
    #[error("`{{` at character {0} is never closed")]
    Open(usize),
    /// What stands in braces is no field name.
    #[error("`{{{0}}}` is no field: letters, digits and _ only")]
    BadName(String),
}

impl<'a> Template<'a> {
    /// Reads a template.
    ///
    /// # Errors
    /// A brace that is never closed, or a name that is none.
    pub fn parse(text: &'a str) -> Result<Self, TemplateProblem> {
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let at = text.len() - rest.len() + open;
            let Some(close) = rest[open..].find('}') else {
                return Err(TemplateProblem::Open(text[..at].chars().count() + 1));
            };
            let name = &rest[open + 1..open + close];
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(plain) {
                return Err(TemplateProblem::BadName(name.to_owned()));
            }
            rest = &rest[open + close + 1..];
        }
        Ok(Self(text))
    }

    /// The names of its fields, in order, each time they stand there.
    pub fn fields(self) -> impl Iterator<Item = &'a str> {
        self.0.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name))
    }

    /// Fills the fields in. `Err` names the first that `value` does not know.
    ///
    /// # Errors
    /// The name of the missing field.
    pub fn render<V: AsRef<str>>(
        self,
        mut value: impl FnMut(&str) -> Option<V>,
    ) -> Result<String, &'a str> {
        let mut parts = self.0.split('{');
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap_or((part, ""));
            text.push_str(value(name).ok_or(name)?.as_ref());
            text.push_str(rest);
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_and_filled() {
        let template = Template::parse("Example: {link} for {order_ref}").expect("a template");
        assert_eq!(template.fields().collect::<Vec<_>>(), ["link", "order_ref"]);
        let text = template.render(|name| (name == "link").then_some("https://a.example/x"));
        assert_eq!(text, Err("order_ref"));
        let text = template.render(|name| Some(name.to_uppercase()));
        assert_eq!(text, Ok("Example: LINK for ORDER_REF".to_owned()));
    }

    #[test]
    fn a_broken_template_says_where() {
        assert_eq!(Template::parse("Hi {link"), Err(TemplateProblem::Open(4)));
        assert_eq!(Template::parse("{a b}"), Err(TemplateProblem::BadName("a b".into())));
        assert_eq!(Template::parse("{}"), Err(TemplateProblem::BadName(String::new())));
    }
}
