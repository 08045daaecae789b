//! `[provider.X]`: whose service carries messages.

mod destination;
mod entrance;
mod gateway;
mod smpp;

use deflect_actions::provider::{
    bandwidth::Account, gateway::Description, smpp::Settings, telnyx::PublicKey,
    vonage::SignatureMethod,
};
use ivr_runtime::diagnose::Code;

pub(super) use self::destination::oauth_keys;
pub use self::{destination::OauthKeys, entrance::Entrance};
use super::{read::Table, secret::Secret};

/// A message provider with its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// `X`, as senders name it.
    pub name: String,
    /// Which service, with what it needs.
    pub kind: ProviderKind,
    /// Where its webhooks are let in.
    pub entrance: Entrance,
}

/// Kinds of providers that can be used now. Each `url` is the service's address where it is not
/// the usual one.
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
        /// Address.
        url: Option<String>,
    },
    /// Telnyx's Messaging API.
    Telnyx {
        /// API key.
        secret: Secret,
        /// Proves its webhooks.
        public_key: PublicKey,
        /// The messaging profile that senders which are names belong to.
        profile: Option<String>,
        /// Address.
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
        /// Address, with the version.
        url: Option<String>,
    },
    /// Bandwidth's Messaging API.
    Bandwidth {
        /// Who we are there.
        account: Account,
        /// Address.
        url: Option<String>,
    },
    /// Vonage's SMS API.
    Vonage {
        /// API key.
        account: Secret,
        /// API secret.
        secret: Secret,
        /// Proves its webhooks.
        app_secret: Secret,
        /// How they are signed.
        signature: SignatureMethod,
        /// Address.
        url: Option<String>,
    },
    /// A message centre.
    Smpp(Settings),
    /// Another gateway.
    Http(Box<Description>),
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

impl ProviderKind {
    /// Whether it carries SMS, and whether WhatsApp.
    pub(super) fn carries(&self) -> (bool, bool) {
        match self {
            Self::Sandbox | Self::Twilio { .. } => (true, true),
            Self::WhatsApp { .. } => (false, true),
            Self::Liveperson { .. } | Self::Khoros { .. } => (false, false),
            Self::Telnyx { .. }
            | Self::Bandwidth { .. }
            | Self::Vonage { .. }
            | Self::Smpp(_)
            | Self::Http(_) => (true, false),
        }
    }

    /// Whether links lead to it; it carries no texts.
    pub fn is_for_links(&self) -> bool {
        self.carries() == (false, false)
    }
}

type Read = fn(&Table<'_>) -> Option<ProviderKind>;

/// How each is read, and whether it tells by webhooks what became of texts.
const KINDS: [(&str, (Read, bool)); 10] = [
    ("sandbox", (|_| Some(ProviderKind::Sandbox), false)),
    ("twilio", (twilio, true)),
    ("telnyx", (telnyx, true)),
    ("whatsapp-cloud", (whatsapp, true)),
    ("bandwidth", (bandwidth, true)),
    ("vonage", (vonage, true)),
    ("smpp", (smpp::read, false)),
    ("http", (gateway::read, true)),
    ("liveperson", (destination::liveperson, false)),
    ("khoros", (destination::khoros, false)),
];

const NOT_YET: [&str; 4] = ["infobip", "sinch", "aws-eum", "messenger"];

pub(super) fn read(name: String, table: &Table<'_>) -> Option<Provider> {
    let kind = table.required("kind", |t| t.choice("kind", &KINDS, &NOT_YET));
    let Some((read, has_webhooks)) = kind else {
        // What its other keys mean depends on the kind; nothing is said of them.
        for key in table.keys() {
            table.value(key);
        }
        return None;
    };
    let entrance = entrance::read(table, has_webhooks);
    Some(Provider { name, kind: read(table)?, entrance })
}

fn twilio(table: &Table<'_>) -> Option<ProviderKind> {
    let account = table.required("account", |t| t.secret_or_text("account"));
    let secret = secret(table, "secret");
    let url = table.web_address("url");
    Some(ProviderKind::Twilio { account: account?, secret: secret?, url })
}

fn telnyx(table: &Table<'_>) -> Option<ProviderKind> {
    let secret = secret(table, "secret");
    let public_key = table.required("public_key", |t| public_key(t, "public_key"));
    let profile = table.text("messaging_profile_id").map(|profile| profile.value);
    let url = table.web_address("url");
    Some(ProviderKind::Telnyx { secret: secret?, public_key: public_key?, profile, url })
}

fn whatsapp(table: &Table<'_>) -> Option<ProviderKind> {
    let token = secret(table, "secret");
    let app_secret = secret(table, "app_secret");
    let verify_token = secret(table, "verify_token");
    let url = table.web_address("url");
    Some(ProviderKind::WhatsApp {
        secret: token?,
        app_secret: app_secret?,
        verify_token: verify_token?,
        url,
    })
}

fn bandwidth(table: &Table<'_>) -> Option<ProviderKind> {
    let open = |key| table.required(key, |t| t.secret_or_text(key));
    let [id, username, application] = ["account", "username", "application"].map(open);
    let [password, webhooks] = ["secret", "verify_token"].map(|key| secret(table, key));
    let url = table.web_address("url");
    if webhooks.as_ref().is_some_and(|webhooks| !webhooks.reveal().contains(':')) {
        let message = "`verify_token` is no name and password";
        let help = "put `name:password` there, as the application's callbacks bear them";
        table.note(Code::E00, "verify_token", message, help);
    }
    let text = |secret: Option<Secret>| secret.map(|secret| secret.reveal().to_owned());
    let account = Account {
        id: text(id)?,
        username: text(username)?,
        password: text(password)?,
        application: text(application)?,
        webhooks: text(webhooks)?,
    };
    Some(ProviderKind::Bandwidth { account, url })
}

fn vonage(table: &Table<'_>) -> Option<ProviderKind> {
    let methods = [
        ("md5hash", SignatureMethod::Md5Hash),
        ("md5", SignatureMethod::Md5),
        ("sha1", SignatureMethod::Sha1),
        ("sha256", SignatureMethod::Sha256),
        ("sha512", SignatureMethod::Sha512),
    ];
    let account = table.required("account", |t| t.secret_or_text("account"));
    let api_secret = secret(table, "secret");
    let app_secret = secret(table, "app_secret");
    let signature = table.choice("signature", &methods, &[]).unwrap_or(SignatureMethod::Sha256);
    let url = table.web_address("url");
    Some(ProviderKind::Vonage {
        account: account?,
        secret: api_secret?,
        app_secret: app_secret?,
        signature,
        url,
    })
}

fn secret<'a>(table: &Table<'a>, key: &'a str) -> Option<Secret> {
    table.required(key, |t| t.secret_value(key))
}

fn public_key<'a>(table: &Table<'a>, key: &'a str) -> Option<PublicKey> {
    let text = table.secret_or_text(key)?;
    let read = PublicKey::parse(text.reveal());
    read.map_err(|why| table.note(Code::E00, key, format!("`{key}`: {why}"), "")).ok()
}
