//! A message as a provider gets it.

use std::{collections::BTreeMap, fmt, time::Duration};

use message_text::E164;

/// How a message reaches its person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Channel {
    /// A short message.
    #[default]
    Sms,
    /// A WhatsApp message.
    WhatsApp,
}

impl Channel {
    /// The word of the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::WhatsApp => "whatsapp",
        }
    }
}

/// Names one attempt at a message. Providers give it back in their receipts, so that what they
/// say late of one attempt is not taken for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference<'a> {
    /// Our id of the message.
    pub message_id: &'a str,
    /// Number of the attempt; the first is 1.
    pub attempt: i64,
}

impl<'a> Reference<'a> {
    /// Reads what [`Display`](fmt::Display) wrote: the id, and after a point the number of any
    /// attempt but the first.
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        let numbered = text.rsplit_once('.').and_then(|(id, n)| Some((id, n.parse().ok()?)));
        let (message_id, attempt) = numbered.unwrap_or((text, 1));
        Self { message_id, attempt }
    }
}

impl fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message_id)?;
        if self.attempt > 1 { write!(f, ".{}", self.attempt) } else { Ok(()) }
    }
}

/// A template that the channel's owner has approved: the only thing that may begin a talk there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its name, or its id.
    pub name: String,
    /// The owner's code for each of our languages; empty: ours with an underscore.
    pub languages: BTreeMap<String, String>,
    /// Its variables in order, with `{link}`, `{link_token}` and `{brand}` in them.
    pub variables: Vec<String>,
}

/// The variable that stands at the end of a button's address.
pub const LINK_TOKEN: &str = "{link_token}";
/// What variables may hold.
pub const VARIABLES: [&str; 3] = [LINK_TOKEN, "{link}", "{brand}"];

impl Template {
    /// The owner's code for `language`; a language it lacks gets the first that it has.
    #[must_use]
    pub fn language(&self, language: &str) -> String {
        let known = self.languages.get(language).or_else(|| self.languages.values().next());
        known.cloned().unwrap_or_else(|| language.replace('-', "_"))
    }
}

/// What the variables of a template are filled with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fill<'a> {
    /// Address of the link.
    pub link: Option<&'a str>,
    /// The token of that address; `None`: its last segment.
    pub link_token: Option<&'a str>,
    /// Who it is from.
    pub brand: &'a str,
}

impl Fill<'_> {
    /// A variable of a template, filled.
    #[must_use]
    pub fn variable(&self, variable: &str) -> String {
        let link = self.link.unwrap_or_default();
        let last = link.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let token = self.link_token.or_else(|| last.rsplit('/').next()).unwrap_or_default();
        variable.replace(LINK_TOKEN, token).replace("{link}", link).replace("{brand}", self.brand)
    }
}

/// A message as a provider gets it.
#[derive(Debug, Clone, Copy)]
pub struct OutboundMessage<'a> {
    /// Ours; the provider reports with it.
    pub reference: Reference<'a>,
    /// By which channel.
    pub channel: Channel,
    /// The sender's number or id.
    pub from: &'a str,
    /// Where it goes.
    pub to: &'a E164,
    /// The text.
    pub text: &'a str,
    /// Its language.
    pub language: &'a str,
    /// Sent in place of the text where the channel wants one.
    pub template: Option<&'a Template>,
    /// What the template is filled with.
    pub fill: Fill<'a>,
    /// After this much time it is worth nothing.
    pub valid_for: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_the_message_and_the_attempt() {
        for (attempt, text) in [(1, "0199-a"), (2, "0199-a.2"), (12, "0199-a.12")] {
            let reference = Reference { message_id: "0199-a", attempt };
            assert_eq!(reference.to_string(), text);
            assert_eq!(Reference::parse(text), reference);
        }
        assert_eq!(Reference::parse("a.b"), Reference { message_id: "a.b", attempt: 1 });
    }

    #[test]
    fn variables_are_filled_and_the_token_is_the_end_of_the_address_unless_told() {
        let fill =
            Fill { link: Some("https://c.example/l/AbC?x=1"), link_token: None, brand: "Ex" };
        assert_eq!(fill.variable("{link_token}"), "AbC");
        assert_eq!(fill.variable("{brand}: {link}"), "Ex: https://c.example/l/AbC?x=1");
        let told = Fill { link_token: Some("T0k"), ..fill };
        assert_eq!(told.variable("{link_token}"), "T0k");
        assert_eq!(Fill::default().variable("{link_token}"), "");
    }

    #[test]
    fn a_language_that_a_template_lacks_gets_its_first() {
        let languages = [("en-GB", "en_GB"), ("es-ES", "es")];
        let languages = languages.map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned()));
        let mut template = Template {
            name: "t".to_owned(),
            languages: languages.into_iter().collect(),
            variables: Vec::new(),
        };
        assert_eq!(template.language("es-ES"), "es");
        assert_eq!(template.language("fr-FR"), "en_GB");
        template.languages.clear();
        assert_eq!(template.language("fr-FR"), "fr_FR");
    }
}
