//! `[source.X]`: who tells how long callers wait and how many agents are free.

use std::time::Duration;

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
    /// Told to us: `POST /v1/sources/X`.
    Api,
}

#[derive(Clone, Copy)]
enum Kind {
    Http,
    Options,
    Api,
}

pub(super) fn read(name: String, table: &Table<'_>, targets: &[&str]) -> Option<Source> {
    let kinds = [("http", Kind::Http), ("options", Kind::Options), ("api", Kind::Api)];
    let kind = table.required("kind", |t| t.choice("kind", &kinds, &["ami", "esl"]));
    let seconds = |key, usual| table.duration(key, 1, 1..=3_600).unwrap_or(usual);
    let every = seconds("every_seconds", Duration::from_secs(10));
    let stale = seconds("stale_seconds", Duration::from_secs(60));
    let timeout = table.number("timeout_ms", 50..=10_000).unwrap_or(800);
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
            table.note(ivr_runtime::diagnose::Code::E00, key, message, "such as `/queue/wait`");
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
                table.note(ivr_runtime::diagnose::Code::E00, "url", message, help);
            }
            url.map(|url| SourceKind::Http { url, token, wait_at, agents_at })
        }
        Some(Kind::Options) => {
            let target = table.required("target", |t| t.reference("target", "target", targets));
            target.map(|target| SourceKind::Options { target: target.value })
        }
        Some(Kind::Api) => Some(SourceKind::Api),
        None => {
            // What its other keys mean depends on the kind; nothing is said of them.
            for key in table.keys() {
                table.value(key);
            }
            None
        }
    };
    Some(Source {
        name,
        kind: kind?,
        every,
        timeout: Duration::from_millis(u64::from(timeout)),
        stale,
        default_wait,
        default_agents,
    })
}
