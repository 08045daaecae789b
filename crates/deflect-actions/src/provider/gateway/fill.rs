//! Fields of a request's URL, headers and body.

use std::{borrow::Cow, fmt::Write as _};

use base64::{Engine, engine::general_purpose::STANDARD};
use message_text::E164;

use crate::provider::OutboundMessage;

/// The names of the fields of a message.
pub const FIELDS: [&str; 9] =
    ["to", "to_digits", "from", "text", "reference", "valid_seconds", "secret", "account", "basic"];

/// How a value is written where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// In the text of a JSON document.
    Json,
    /// In a URL or a form.
    Url,
}

impl Style {
    /// That of a body: a JSON document begins as one, anything else is a form.
    #[must_use]
    pub fn of(body: &str) -> Self {
        if body.trim_start().starts_with(['{', '[']) { Self::Json } else { Self::Url }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Plain | Self::Url => "application/x-www-form-urlencoded",
        }
    }

    fn write(self, value: &str) -> String {
        match self {
            Self::Plain => value.to_owned(),
            Self::Json => {
                let quoted = serde_json::Value::from(value).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
            Self::Url => value.bytes().fold(String::new(), |mut url, byte| {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    url.push(char::from(byte));
                } else {
                    let _ = write!(url, "%{byte:02X}");
                }
                url
            }),
        }
    }
}

/// Those of them that a look-up of a number has.
pub const FIELDS_OF_A_NUMBER: [&str; 5] = ["to", "to_digits", "secret", "account", "basic"];
/// Those that a question about nobody has.
pub const FIELDS_OF_AN_ACCOUNT: [&str; 3] = ["secret", "account", "basic"];

/// What the fields stand for.
pub(super) struct Filled<'a>(Vec<(&'static str, Cow<'a, str>)>);

impl<'a> Filled<'a> {
    pub fn of(message: &OutboundMessage<'a>, secret: &'a str, account: &'a str) -> Self {
        let mut filled = Self::of_number(message.to, secret, account);
        filled.0.extend([
            ("from", message.from.into()),
            ("text", message.text.into()),
            ("reference", message.reference.to_string().into()),
            ("valid_seconds", message.valid_for.as_secs().to_string().into()),
        ]);
        filled
    }

    /// Where there is a number, and no message to it.
    pub fn of_number(to: &'a E164, secret: &'a str, account: &'a str) -> Self {
        let mut filled = Self::of_account(secret, account);
        filled.0.extend([
            ("to", to.as_str().into()),
            ("to_digits", to.as_str().trim_start_matches('+').into()),
        ]);
        filled
    }

    /// Where there is no number.
    pub fn of_account(secret: &'a str, account: &'a str) -> Self {
        Self(vec![
            ("secret", secret.into()),
            ("account", account.into()),
            ("basic", STANDARD.encode(format!("{account}:{secret}")).into()),
        ])
    }

    /// The template with its fields filled in; braces of anything else stay.
    pub fn fill(&self, template: &str, style: Style) -> String {
        let (mut filled, mut rest) = (String::with_capacity(template.len()), template);
        while let Some(open) = rest.find('{') {
            let (before, after) = rest.split_at(open);
            filled.push_str(before);
            let field = after[1..].split_once('}');
            let known = field.and_then(|(name, tail)| {
                let (_, value) = self.0.iter().find(|(field, _)| *field == name)?;
                Some((value, tail))
            });
            match known {
                Some((value, tail)) => {
                    filled.push_str(&style.write(value));
                    rest = tail;
                }
                None => {
                    filled.push('{');
                    rest = &after[1..];
                }
            }
        }
        filled + rest
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::provider::{Channel, Fill, Reference};

    #[test]
    fn values_are_written_as_the_place_wants_them() {
        let to = "+447700900123".parse().unwrap();
        let message = OutboundMessage {
            reference: Reference { message_id: "id", attempt: 2 },
            channel: Channel::Sms,
            from: "Us",
            to: &to,
            text: "say \"é\"&{to}",
            language: "en-GB",
            template: None,
            fill: Fill::default(),
            valid_for: Duration::from_secs(90),
        };
        let filled = Filled::of(&message, "s3cret", "me");
        let json = r#"{"a":{"to":"{to}","t":"{text}"},"r":"{reference}"}"#;
        let expected = r#"{"a":{"to":"+447700900123","t":"say \"é\"&{to}"},"r":"id.2"}"#;
        assert_eq!(filled.fill(json, Style::of(json)), expected);
        let form = "to={to_digits}&text={text}&v={valid_seconds}";
        let expected = "to=447700900123&text=say%20%22%C3%A9%22%26%7Bto%7D&v=90";
        assert_eq!(filled.fill(form, Style::of(form)), expected);
        assert_eq!(
            filled.fill("Bearer {secret}/{account} {x}", Style::Plain),
            "Bearer s3cret/me {x}"
        );
        // `printf me:s3cret | base64`
        assert_eq!(filled.fill("Basic {basic}", Style::Plain), "Basic bWU6czNjcmV0");
    }
}
