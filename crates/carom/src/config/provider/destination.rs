//! Providers that links lead to: `liveperson` and `khoros`. They carry no texts.

use deflect_actions::destination::Keys;
use ivr_runtime::diagnose::Code;

use super::ProviderKind;
use crate::config::{read::Table, secret::Secret};

/// An API key by OAuth 1.0a, as LivePerson gives it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthKeys {
    /// Who asks.
    pub consumer_key: Secret,
    /// Proves it.
    pub consumer_secret: Secret,
    /// For whom.
    pub token: Secret,
    /// Proves that.
    pub token_secret: Secret,
}

impl OauthKeys {
    /// As the client of LivePerson, and who checks such clients, use them.
    #[must_use]
    pub fn keys(&self) -> Keys {
        Keys {
            consumer_key: self.consumer_key.reveal().to_owned(),
            consumer_secret: self.consumer_secret.reveal().to_owned(),
            token: self.token.reveal().to_owned(),
            token_secret: self.token_secret.reveal().to_owned(),
        }
    }
}

pub(super) fn liveperson(table: &Table<'_>) -> Option<ProviderKind> {
    let account = table.required("account", |t| t.secret_or_text("account"));
    let keys = table.required("secret", |t| oauth_keys(t, "secret"));
    let url = table.web_address("url");
    Some(ProviderKind::Liveperson { account: account?, keys: keys?, url })
}

pub(super) fn khoros(table: &Table<'_>) -> Option<ProviderKind> {
    let account = table.secret_or_text("account");
    let secret = super::secret(table, "secret");
    let url = table.web_address("url");
    Some(ProviderKind::Khoros { account, secret: secret?, url })
}

/// The secret is a TOML file of four texts.
pub(in crate::config) fn oauth_keys<'a>(table: &Table<'a>, name: &'a str) -> Option<OauthKeys> {
    let file = table.secret_value(name)?;
    let keys: Option<toml::Table> = file.reveal().parse().ok();
    let key = |name: &str| {
        let value = keys.as_ref()?.get(name)?.as_str()?;
        Some(Secret::from(value.to_owned())).filter(|value| !value.reveal().is_empty())
    };
    let read = || {
        Some(OauthKeys {
            consumer_key: key("consumer_key")?,
            consumer_secret: key("consumer_secret")?,
            token: key("token")?,
            token_secret: key("token_secret")?,
        })
    };
    let read = read();
    if read.is_none() {
        let message = format!("`{name}` does not hold a key of OAuth 1.0a");
        let help = "four lines: `consumer_key`, `consumer_secret`, `token`, `token_secret`, each \
                    with `= \"…\"`";
        table.note(Code::E13, name, message, help);
    }
    read
}
