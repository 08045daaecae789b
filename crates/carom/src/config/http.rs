//! `[http]`: metrics, health, webhooks.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
};

use deflect_actions::{
    hooks::{self, Hook},
    link::SigningKey,
};
use ivr_runtime::{
    diagnose::Code,
    flow::{INSTEAD, shortener_in},
};

use sip_stack::transport::Identity;

use super::{
    listener::{self, Shown},
    net::Net,
    provider::{OauthKeys, oauth_keys},
    read::Table,
    secret::Secret,
};

/// Requests of a token in a minute, unless it says otherwise.
const PER_MINUTE: u32 = 600;
const SCOPES: [(&str, Scope); 9] = [
    ("read", Scope::Read),
    ("context", Scope::Context),
    ("sources", Scope::Sources),
    ("deflect", Scope::Deflect),
    ("report", Scope::Report),
    ("optouts", Scope::OptOuts),
    ("agents", Scope::Agents),
    ("callbacks", Scope::Callbacks),
    ("messages", Scope::Messages),
];

/// Kinds of events that webhooks may ask for.
pub const EVENTS: [&str; 7] = [
    "call.forwarded",
    "call.answered",
    "call.ended",
    "callback.booked",
    "voicemail.left",
    "message.state",
    "message.received",
];

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What it shows over TLS; `None`: it speaks plain HTTP.
    pub identity: Option<Identity>,
    /// How providers reach it from outside, without a slash at the end; `None`: no webhooks.
    pub public_url: Option<String>,
    /// Who may read calls and metrics; empty: this machine only.
    pub tokens: Vec<Token>,
    /// Who is told of events.
    pub webhooks: Vec<Hook>,
    /// Keys that statements of links are signed with, PEM: the first signs; empty: the store's.
    pub link_keys: Vec<Secret>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub proxies: Vec<Net>,
    /// Lines of the accounts that clients of other systems name: account → called number.
    pub accounts: BTreeMap<String, String>,
}

/// Who may ask for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// For the log and the operator.
    pub name: String,
    /// How they prove it.
    pub proof: Proof,
    /// What it is good for.
    pub scope: Scope,
    /// Requests that it is good for in a minute.
    pub per_minute: u32,
}

/// How somebody proves who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// By a bearer token.
    Bearer(Secret),
    /// By signing each request as LivePerson's clients do.
    Oauth(OauthKeys),
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Seeing calls, texts and metrics.
    Read,
    /// Asking, once, who comes by a link.
    Context,
    /// Telling us of queues.
    Sources,
    /// Having texts sent, and asking about them.
    Deflect,
    /// Telling us what became of people afterwards.
    Report,
    /// Recording who wants no texts.
    OptOuts,
    /// Telling us of running calls that persons take, and having links sent in them.
    Agents,
    /// Having people called back.
    Callbacks,
    /// Having texts of the business's own sent: nobody has this unless a token says so.
    Messages,
}

impl Scope {
    /// As the configuration writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        SCOPES.iter().find(|(_, scope)| *scope == self).map_or("", |(name, _)| name)
    }
}

impl Http {
    /// Where the context of a call is read.
    #[must_use]
    pub fn context_url(&self, call_id: &str) -> String {
        let scheme = if self.identity.is_some() { "https" } else { "http" };
        let own = || format!("{scheme}://{}", self.listen);
        let base = self.public_url.clone().unwrap_or_else(own);
        format!("{base}/v1/context/{call_id}")
    }

    /// What stands before the path of our pages as browsers know them, where a proxy takes it away.
    #[must_use]
    pub fn base_path(&self) -> &str {
        let after = self.public_url.as_deref().and_then(|url| url.split_once("://"));
        after.and_then(|(_, rest)| Some(&rest[rest.find('/')?..])).unwrap_or_default()
    }

    /// Its certificate.
    #[must_use]
    pub fn certificate(&self) -> Option<Shown<'_>> {
        Some(Shown { at: self.listen, identity: self.identity.as_ref()? })
    }

    /// Whether `other` needs no restart: a renewed certificate is shown at once.
    #[must_use]
    pub fn goes_on_as(&self, other: &Self) -> bool {
        let bare = |one: &Self| Self { identity: None, ..one.clone() };
        bare(self) == bare(other)
    }
}

impl Default for Http {
    fn default() -> Self {
        let listen = (Ipv4Addr::LOCALHOST, 8080).into();
        Self {
            listen,
            identity: None,
            public_url: None,
            tokens: Vec::new(),
            webhooks: Vec::new(),
            link_keys: Vec::new(),
            proxies: this_machine(),
            accounts: BTreeMap::new(),
        }
    }
}

pub(super) fn read(table: &Table<'_>) -> Http {
    let listen = table.parsed("listen").unwrap_or(Http::default().listen);
    let identity = listener::of_http(table, listen);
    let public_url = table.web_address("public_url").filter(|url| {
        let is_plain = !url.contains(['?', '#', '@']);
        if !is_plain {
            let help = "paths are put behind it: `\"https://HOST\"`, or with a path that a proxy takes away";
            table.note(Code::E13, "public_url", "`public_url` is more than an address", help);
        }
        is_plain
    });
    // Texts hold it with a path.
    let page = public_url.as_ref().map(|url| format!("{url}/l/"));
    if let Some(host) = page.as_deref().and_then(shortener_in) {
        let message = format!("the links of texts would be of the public shortener `{host}`");
        table.note(Code::W18, "public_url", message, INSTEAD);
    }
    let tokens = table.array_of_tables("tokens").into_iter().filter_map(token).collect();
    let webhooks = table.array_of_tables("webhooks").into_iter().filter_map(webhook).collect();
    let proxies = table.parsed_list("proxies").unwrap_or_else(this_machine);
    let accounts = accounts(table);
    let link_keys = link_keys(table);
    Http { listen, identity, public_url, tokens, webhooks, link_keys, proxies, accounts }
}

fn this_machine() -> Vec<Net> {
    ["127.0.0.0/8", "::1"].into_iter().filter_map(|net| net.parse().ok()).collect()
}

fn link_keys(table: &Table<'_>) -> Vec<Secret> {
    let keys = table.secrets("link_keys").into_iter();
    let good = keys.filter(|(key, place)| {
        let read = SigningKey::from_pem(key.reveal().as_bytes());
        if let Err(why) = &read {
            let help = "`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`, or \
                        `-algorithm ed25519`, makes one";
            table.problem(Code::E13, place, format!("`link_keys`: {why}"), help);
        }
        read.is_ok()
    });
    good.map(|(key, _)| key).collect()
}

fn accounts(table: &Table<'_>) -> BTreeMap<String, String> {
    let Some(all) = table.table("accounts") else { return BTreeMap::new() };
    let mut lines = BTreeMap::new();
    for account in all.keys() {
        let Some(line) = all.text(account) else { continue };
        let digits = line.value.strip_prefix('+').unwrap_or(&line.value);
        let is_number =
            (1..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
        if !is_number {
            let message = format!("`{}` is no number that is called", line.value);
            let help = "write the line's number as `+442079460018`, or its extension";
            all.notes().note(Code::E08, line.span, message, help);
        }
        lines.insert(account.to_owned(), line.value);
    }
    lines
}

fn webhook(table: Table<'_>) -> Option<Hook> {
    let url = table.required("url", |t| t.web_address("url"));
    let secret = table.required("secret", |t| t.secret_value("secret"));
    let kinds = table.required("events", |t| t.texts("events")).unwrap_or_default();
    for kind in &kinds {
        if kind.value != "*" && !EVENTS.contains(&kind.value.as_str()) {
            let message = format!("no event is called `{}`", kind.value);
            let help = format!("events are {}, or `*` for all", EVENTS.join(", "));
            table.problem(Code::E00, &kind.span, message, &help);
        }
    }
    let key = secret.and_then(|secret| signing_key(&table, &secret));
    table.finish();
    let kinds = kinds.into_iter().map(|kind| kind.value).collect();
    Some(Hook { url: url?, secret: key?, kinds })
}

/// What events are signed with; a secret that begins with `whsec_` is base64.
pub(super) fn signing_key(table: &Table<'_>, secret: &Secret) -> Option<Vec<u8>> {
    hooks::key(secret.reveal())
        .map_err(|_| table.secret_problem("secret", "what follows `whsec_` is no base64"))
        .ok()
}

fn token(table: Table<'_>) -> Option<Token> {
    let name = table.required("name", |t| t.text("name")).map(|name| name.value);
    let secret = table.secret_value("secret").map(Proof::Bearer);
    let oauth = oauth_keys(&table, "oauth").map(Proof::Oauth);
    match (table.has("secret"), table.has("oauth")) {
        (true, true) => {
            let help = "leave one of them out";
            table.note(Code::E00, "oauth", "a token has `secret` or `oauth`, not both", help);
        }
        (false, false) => {
            let help = "add it, or `oauth` for a client of LivePerson";
            table.notes().note(Code::E00, table.span(), "the token has no `secret`", help);
        }
        (true, false) | (false, true) => {}
    }
    let scope = table.required("scope", |t| t.choice("scope", &SCOPES, &[]));
    if table.has("oauth") && scope.is_some_and(|scope| scope != Scope::Deflect) {
        let message = "`oauth` is for the routes of LivePerson, which are of scope `deflect`";
        table.note(Code::E00, "oauth", message, "give the token a `secret` in its place");
    }
    let per_minute = table.number("per_minute", 1..=1_000_000).unwrap_or(PER_MINUTE);
    table.finish();
    Some(Token { name: name?, proof: secret.or(oauth)?, scope: scope?, per_minute })
}
