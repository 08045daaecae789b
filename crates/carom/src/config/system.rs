//! `[system.X]`: systems of the business that want to know who asks.

use deflect_actions::web::{BadCredentials, Credentials, Oauth, System};
use ivr_runtime::diagnose::Code;

use super::read::Table;

/// A system that lookups and actions name.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedSystem {
    /// `X`.
    pub name: String,
    /// What the addresses of its requests begin with: credentials go nowhere else.
    pub url: String,
    /// It, ready to be asked.
    pub system: System,
}

/// Keys that go together.
const TOGETHER: [&[&str]; 2] =
    [&["client_cert", "client_key"], &["token_url", "client_id", "client_secret"]];

pub(super) fn read(name: String, table: &Table<'_>) -> Option<NamedSystem> {
    let url = table.required("url", |t| t.web_address("url"));
    let cert = table.pem("client_cert");
    let key = table.secret_value("client_key");
    let ca = table.pem("ca");
    let token_url = table.web_address("token_url");
    let client_id = table.secret_or_text("client_id");
    let client_secret = table.secret_value("client_secret");
    let scope = table.text("scope").map(|scope| scope.value);
    let hmac = table.secret_value("hmac_secret");
    for keys in TOGETHER {
        let (there, missing): (Vec<&str>, Vec<&str>) =
            keys.iter().copied().partition(|key| table.has(key));
        if let (Some(key), Some(missing)) = (there.first(), missing.first()) {
            let message = format!("`{key}` without `{missing}`");
            let help = format!("write {}, or none of them", listed(keys));
            table.note(Code::E00, key, message, help);
        }
    }
    if table.has("scope") && !table.has("token_url") {
        table.note(Code::E00, "scope", "`scope` without `token_url`", "it is asked for there");
    }
    if !["client_cert", "token_url", "hmac_secret", "ca"].iter().any(|key| table.has(key)) {
        let help = "add `client_cert`, `token_url` or `hmac_secret`; a step needs no system to ask";
        table.notes().note(Code::E00, table.span(), "nothing tells the system who asks", help);
    }
    let identity =
        cert.zip(key).map(|(cert, key)| [cert.as_slice(), key.reveal().as_bytes()].join(&b'\n'));
    let oauth =
        token_url.zip(client_id).zip(client_secret).map(|((token_url, id), secret)| Oauth {
            token_url,
            client_id: id.reveal().to_owned(),
            client_secret: secret.reveal().to_owned(),
            scope,
        });
    let hmac_key = hmac.map(|secret| secret.reveal().as_bytes().to_vec());
    match System::new(Credentials { identity, ca, oauth, hmac_key }) {
        Ok(system) => Some(NamedSystem { name, url: url?, system }),
        Err(why) => {
            let key = match why {
                BadCredentials::Ca => "ca",
                BadCredentials::Identity | BadCredentials::Client => "client_cert",
            };
            table.note(Code::E00, key, format!("`{key}`: {why}"), "");
            None
        }
    }
}

fn listed(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}
