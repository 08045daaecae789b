//! `[provider.X]`: whose service carries messages.

use deflect_actions::provider::telnyx::PublicKey;
use ivr_runtime::diagnose::Code;

use super::{read::Table, secret::Secret};

/// A message provider with its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// `X`, as senders name it.
    pub name: String,
    /// Which service, with what it needs.
    pub kind: ProviderKind,
}

/// Kinds of providers that can be used now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderKind {
    /// A local inbox: nothing leaves the machine.
    Sandbox,
    /// Twilio's Programmable Messaging.
    Twilio {
        /// Account SID.
        account: Secret,
        /// Auth token.
        secret: Secret,
        /// Base URL; `None`: Twilio's own.
        url: Option<String>,
    },
    /// Telnyx's Messaging API.
    Telnyx {
        /// API key.
        secret: Secret,
        /// Proves its webhooks.
        public_key: PublicKey,
        /// Base URL; `None`: Telnyx's own.
        url: Option<String>,
    },
    /// WhatsApp's Cloud API.
    WhatsApp {
        /// Token of a system user.
        secret: Secret,
        /// Proves its webhooks.
        app_secret: Secret,
        /// Proves that Meta asks whether the webhook is ours.
        verify_token: Secret,
        /// Base URL with the version; `None`: Meta's own.
        url: Option<String>,
    },
    /// LivePerson, for links.
    Liveperson {
        /// Account number.
        account: Secret,
        /// The file of its API key.
        keys: OauthKeys,
        /// Base URL of both APIs; `None`: LivePerson tells by the account.
        url: Option<String>,
    },
    /// Khoros Flow, for links.
    Khoros {
        /// Channel and external id, as `whatsapp:+442079460018`.
        account: Option<Secret>,
        /// Key of its messaging API.
        secret: Secret,
        /// Base URL; `None`: Khoros' own.
        url: Option<String>,
    },
}

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

#[derive(Clone, Copy)]
enum Kind {
    Sandbox,
    Twilio,
    Telnyx,
    WhatsApp,
    Liveperson,
    Khoros,
}

const NOT_YET: [&str; 9] =
    ["bandwidth", "smpp", "vonage", "http", "infobip", "sinch", "plivo", "aws-eum", "messenger"];

pub(super) fn read(name: String, table: &Table<'_>) -> Option<Provider> {
    let kinds = [
        ("sandbox", Kind::Sandbox),
        ("twilio", Kind::Twilio),
        ("liveperson", Kind::Liveperson),
        ("khoros", Kind::Khoros),
        ("telnyx", Kind::Telnyx),
        ("whatsapp-cloud", Kind::WhatsApp),
    ];
    let kind = table.required("kind", |t| t.choice("kind", &kinds, &NOT_YET));
    let Some(kind) = kind else {
        // What its other keys mean depends on the kind; nothing is said of them.
        for key in table.keys() {
            table.value(key);
        }
        return None;
    };
    let kind = match kind {
        Kind::Sandbox => ProviderKind::Sandbox,
        Kind::Twilio => {
            let account = table.required("account", |t| t.secret_or_text("account"));
            let secret = table.required("secret", |t| t.secret_value("secret"));
            let url = table.web_address("url");
            ProviderKind::Twilio { account: account?, secret: secret?, url }
        }
        Kind::Telnyx => {
            let secret = table.required("secret", |t| t.secret_value("secret"));
            let public_key = table.required("public_key", |t| public_key(t, "public_key"));
            let url = table.web_address("url");
            ProviderKind::Telnyx { secret: secret?, public_key: public_key?, url }
        }
        Kind::WhatsApp => {
            let secret = table.required("secret", |t| t.secret_value("secret"));
            let app_secret = table.required("app_secret", |t| t.secret_value("app_secret"));
            let verify_token = table.required("verify_token", |t| t.secret_value("verify_token"));
            let url = table.web_address("url");
            ProviderKind::WhatsApp {
                secret: secret?,
                app_secret: app_secret?,
                verify_token: verify_token?,
                url,
            }
        }
        Kind::Liveperson => {
            let account = table.required("account", |t| t.secret_or_text("account"));
            let keys = table.required("secret", oauth_keys);
            let url = table.web_address("url");
            ProviderKind::Liveperson { account: account?, keys: keys?, url }
        }
        Kind::Khoros => {
            let account = table.secret_or_text("account");
            let secret = table.required("secret", |t| t.secret_value("secret"));
            let url = table.web_address("url");
            ProviderKind::Khoros { account, secret: secret?, url }
        }
    };
    Some(Provider { name, kind })
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

fn public_key<'a>(table: &Table<'a>, key: &'a str) -> Option<PublicKey> {
    let text = table.secret_or_text(key)?;
    let read = PublicKey::parse(text.reveal());
    read.map_err(|why| table.note(Code::E00, key, format!("`{key}`: {why}"), "")).ok()
}
