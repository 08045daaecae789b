//! `[source.X]`: who tells how long callers wait and how many agents are free.

use std::time::Duration;

use deflect_actions::{
    queue::{self, Settings},
    tls::Trust,
};
use ivr_runtime::{diagnose::Code, flow::model::HumanSignal};

use super::{read::Table, secret::Secret};

/// A source of waiting times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `X`, as rules name it.
    pub name: String,
    /// Where it is asked.
    pub kind: SourceKind,
    /// From one question to the next.
    pub every: Duration,
    /// An answer must be there by then.
    pub timeout: Duration,
    /// What it told is unknown when it is older.
    pub stale: Duration,
    /// What holds while it is down, seconds; `None`: unknown.
    pub default_wait: Option<u32>,
    /// What holds while it is down; `None`: unknown.
    pub default_agents: Option<u32>,
    /// The flow that brings it for itself; `None`: it is there for all.
    pub flow: Option<String>,
}

/// Kinds of sources that can be used now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// A web address that answers with JSON.
    Http {
        /// https, or loopback.
        url: String,
        /// Bearer token.
        token: Option<Secret>,
        /// Where the wait in seconds stands in the answer (RFC 6901).
        wait_at: Option<String>,
        /// Where the number of free agents stands.
        agents_at: Option<String>,
    },
    /// Whether a target answers OPTIONS: no agent is free while it does not.
    Options {
        /// Its name.
        target: String,
    },
    /// A queue of Asterisk (`ami`) or FreeSWITCH (`esl`).
    Queue(Settings),
    /// Told to us: `POST /v1/sources/X`.
    Api,
}

impl SourceKind {
    /// The signal that a person answers, where it can give one.
    #[must_use]
    pub fn signal(&self) -> Option<HumanSignal> {
        match self {
            Self::Queue(settings) => Some(match settings.kind {
                queue::Kind::Ami => HumanSignal::Ami,
                queue::Kind::Esl => HumanSignal::Esl,
            }),
            Self::Http { .. } | Self::Options { .. } | Self::Api => None,
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Http,
    Options,
    Ami,
    Esl,
    Api,
}

pub(super) fn read(name: String, table: &Table<'_>, targets: &[&str]) -> Option<Source> {
    let kinds = [
        ("http", Kind::Http),
        ("options", Kind::Options),
        ("ami", Kind::Ami),
        ("esl", Kind::Esl),
        ("api", Kind::Api),
    ];
    let kind = table.required("kind", |t| t.choice("kind", &kinds, &[]));
    let seconds = |key, usual| table.duration(key, 1, 1..=3_600).unwrap_or(usual);
    let every = seconds("every_seconds", Duration::from_secs(10));
    let stale = seconds("stale_seconds", Duration::from_secs(60));
    let timeout = table.number("timeout_ms", 50..=10_000).unwrap_or(800);
    let timeout = Duration::from_millis(u64::from(timeout));
    let (mut default_wait, mut default_agents) = (None, None);
    if let Some(default) = table.table("default") {
        default_wait = default.number("wait_seconds", 0..=86_400);
        default_agents = default.number("agents_available", 0..=100_000);
        default.finish();
    }
    let pointer = |key: &'static str| {
        let text = table.text(key)?;
        if !text.value.starts_with('/') {
            let message = format!("`{key}` is no JSON pointer");
            table.note(Code::E00, key, message, "such as `/queue/wait`");
        }
        Some(text.value)
    };
    let kind = match kind {
        Some(Kind::Http) => {
            let url = table.required("url", |t| t.web_address("url"));
            let token = table.secret_value("token");
            let (wait_at, agents_at) = (pointer("wait_seconds"), pointer("agents_available"));
            if wait_at.is_none() && agents_at.is_none() {
                let help = "add `wait_seconds = \"/…\"` or `agents_available = \"/…\"`";
                let message = "nothing is read out of its answers";
                table.note(Code::E00, "url", message, help);
            }
            url.map(|url| SourceKind::Http { url, token, wait_at, agents_at })
        }
        Some(Kind::Options) => {
            let target = table.required("target", |t| t.reference("target", "target", targets));
            target.map(|target| SourceKind::Options { target: target.value })
        }
        Some(Kind::Ami) => settings(table, queue::Kind::Ami, every, timeout).map(SourceKind::Queue),
        Some(Kind::Esl) => settings(table, queue::Kind::Esl, every, timeout).map(SourceKind::Queue),
        Some(Kind::Api) => Some(SourceKind::Api),
        None => {
            // What its other keys mean depends on the kind; nothing is said of them.
            for key in table.keys() {
                table.value(key);
            }
            None
        }
    };
    let kind = kind?;
    Some(Source { name, kind, every, timeout, stale, default_wait, default_agents, flow: None })
}

/// A queue of a PBX: `url = "ami://HOST"` or `"esl://HOST"`, with a port where it is another.
fn settings(
    table: &Table<'_>,
    kind: queue::Kind,
    every: Duration,
    within: Duration,
) -> Option<Settings> {
    let (scheme, usual) = match kind {
        queue::Kind::Ami => ("ami", 5038),
        queue::Kind::Esl => ("esl", 8021),
    };
    let url = table.required("url", |t| t.text("url"));
    let by_tls = kind == queue::Kind::Ami
        && url.as_ref().is_some_and(|url| url.value.starts_with("amis://"));
    let (scheme, usual) = if by_tls { ("amis", 5039) } else { (scheme, usual) };
    let at = url.as_ref().and_then(|url| host_and_port(&url.value, scheme, usual));
    let trust = if kind == queue::Kind::Ami { trust(table, by_tls) } else { None };
    if let (Some(url), None) = (&url, &at) {
        let message = format!("`{}` is no address of that kind", url.value);
        let help = format!("write `\"{scheme}://HOST\"` or `\"{scheme}://HOST:{usual}\"`");
        table.problem(Code::E00, &url.span, message, &help);
    }
    let secret = table.required("token", |t| t.secret_value("token"));
    let username = match kind {
        queue::Kind::Ami => table.required("username", |t| t.secret_or_text("username")),
        queue::Kind::Esl => None,
    };
    let name = table.required("queue", |t| t.text("queue"))?;
    if name.value.is_empty() || name.value.contains(|c: char| c.is_control() || c == ' ') {
        let message = format!("{:?} is no name of a queue", name.value);
        table.problem(Code::E00, &name.span, message, "one word, as the PBX has it");
        return None;
    }
    if kind == queue::Kind::Ami && username.is_none() {
        return None;
    }
    let (host, port) = at?;
    Some(Settings {
        kind,
        host,
        port,
        tls: by_tls.then_some(trust.unwrap_or(Trust::Machine)),
        username: username.map(|name| name.reveal().to_owned()).unwrap_or_default(),
        secret: secret?.reveal().to_owned(),
        queue: name.value,
        every,
        within,
        // Known once the flows are.
        signals: false,
    })
}

/// `ca`: whose certificates are believed.
fn trust(table: &Table<'_>, by_tls: bool) -> Option<Trust> {
    let pem = table.pem("ca")?;
    if !by_tls {
        let help = "write `url = \"amis://HOST\"`";
        table.note(Code::E00, "ca", "`ca` is for a connection by TLS", help);
    }
    match Trust::only(pem) {
        Ok(trust) => Some(trust),
        Err(why) => {
            table.note(Code::E00, "ca", format!("`ca`: {why}"), "");
            None
        }
    }
}

fn host_and_port(url: &str, scheme: &str, usual: u16) -> Option<(String, u16)> {
    let at = url.strip_prefix(scheme)?.strip_prefix("://")?.trim_end_matches('/');
    let (host, port) = match at.rsplit_once(':') {
        // An IPv6 address in brackets has colons of its own.
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (at, usual),
    };
    let host = host.trim_matches(['[', ']']);
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:_".contains(c);
    (!host.is_empty() && host.chars().all(plain) && port != 0).then(|| (host.to_owned(), port))
}
