//! `[provider.X]`: whose service carries messages.

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
}

#[derive(Clone, Copy)]
enum Kind {
    Sandbox,
    Twilio,
}

const NOT_YET: [&str; 13] = [
    "telnyx",
    "bandwidth",
    "whatsapp-cloud",
    "smpp",
    "vonage",
    "http",
    "liveperson",
    "khoros",
    "infobip",
    "sinch",
    "plivo",
    "aws-eum",
    "messenger",
];

pub(super) fn read(name: String, table: &Table<'_>) -> Option<Provider> {
    let kinds = [("sandbox", Kind::Sandbox), ("twilio", Kind::Twilio)];
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
    };
    Some(Provider { name, kind })
}
