//! Links that lead through a page of ours: a token that nobody can guess, what stands on the page,
//! and the statement by which a destination is told who comes.

mod signing_key;
mod statement;

use std::{collections::BTreeMap, fmt, io};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use signing_key::{NoSigningKey, SigningKey};
pub use statement::{Signer, Statement};

/// Octets of a token.
const TOKEN: usize = 16;

/// What stands in the address of a page: 128 bits in base64url, 22 characters. The database holds
/// only its hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// One that was never there before.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; TOKEN];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// One that came in an address; `None`: it can't be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == TOKEN).then(|| Self(text.to_owned()))
    }

    /// As it stands in an address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the database knows it by.
    #[must_use]
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What stands on a page, and what it leads to. It is stored encrypted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Name of the flow, for the link's present definition.
    pub flow: String,
    /// Whose page it is.
    pub brand: String,
    /// Language of the call.
    pub language: String,
    /// What the call was about.
    pub topic: Option<String>,
    /// The steps that the caller came by.
    pub path: Vec<String>,
    /// The number that was called, where it is one that others can call.
    pub phone: Option<String>,
    /// Where it leads.
    pub buttons: Vec<Button>,
}

/// One way on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// Name of the link.
    pub link: String,
    /// Where it leads; the token follows in the address of a channel.
    pub url: String,
    /// What happens when it is pressed.
    pub does: Does,
    /// The app that serves the same.
    pub app_url: Option<String>,
    /// What the provider calls the matter.
    pub reference: Option<String>,
    /// What is known of who the caller is.
    pub level: String,
    /// What is handed over beside topic and language.
    pub context: BTreeMap<String, String>,
}

/// What happens when a button is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Does {
    /// The browser is sent there.
    Go,
    /// There, with a statement of who comes.
    HandOver,
    /// To a channel, with the token.
    Telegram,
    /// To a channel, with the token.
    Messenger,
    /// To a channel, with the token.
    Whatsapp,
    /// To a channel, with the token.
    Apple,
    /// The provider writes to the caller.
    Invite,
}

/// A page in the making: committed with the message whose text leads there.
#[derive(Debug, Clone)]
pub struct NewPage {
    /// Stands in the text.
    pub token: Token,
    /// What it is.
    pub page: Page,
    /// It is there until then, ms UTC.
    pub expires_ms: i64,
}

impl Page {
    /// Names of the links, for the reports.
    #[must_use]
    pub fn destination(&self) -> String {
        let names: Vec<&str> = self.buttons.iter().map(|button| button.link.as_str()).collect();
        names.join("+")
    }

    /// The highest level that one of its links hands something over at.
    #[must_use]
    pub fn level(&self) -> &str {
        self.buttons.iter().map(|button| button.level.as_str()).max().unwrap_or("L0")
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("links", &self.destination()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Button {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Button").field("link", &self.link).finish_non_exhaustive()
    }
}

impl Button {
    /// Where the browser is sent.
    #[must_use]
    pub fn address(&self, token: &Token) -> String {
        match self.does {
            Does::Go | Does::HandOver | Does::Invite => self.url.clone(),
            Does::Telegram | Does::Messenger | Does::Whatsapp | Does::Apple => {
                format!("{}{}", self.url, token.as_str())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_22_characters_that_nobody_guesses_and_only_its_hash_is_kept() {
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), 22);
        assert_eq!(Token::parse(one.as_str()), Some(one.clone()));
        assert_eq!(one.hash().len(), 64);
        assert!(!one.hash().contains(one.as_str()));
        assert_eq!(format!("{one:?}"), "Token(…)");
        // 22 characters whose last bits are not those of 16 octets, and other lengths.
        for text in ["", "AAAAAAAAAAAAAAAAAAAAAB", "AAAA", "../../../../../etc/pa", &"A".repeat(43)]
        {
            assert_eq!(Token::parse(text), None, "{text}");
        }
    }
}
