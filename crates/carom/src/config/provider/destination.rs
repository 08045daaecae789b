//! Providers that links lead to: `liveperson` and `khoros`. They carry no texts.

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

pub(super) fn liveperson(table: &Table<'_>) -> Option<ProviderKind> {
    let account = table.required("account", |t| t.secret_or_text("account"));
    let keys = table.required("secret", oauth_keys);
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
fn oauth_keys(table: &Table<'_>) -> Option<OauthKeys> {
    let file = table.secret_value("secret")?;
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
        let message = "`secret` does not hold a key of OAuth 1.0a";
        let help = "four lines: `consumer_key`, `consumer_secret`, `token`, `token_secret`, each \
                    with `= \"…\"`";
        table.note(Code::E13, "secret", message, help);
    }
    read
}
