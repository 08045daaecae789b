//! `[http]`: metrics, health, webhooks.

use std::net::{Ipv4Addr, SocketAddr};

use super::{read::Table, secret::Secret};

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How providers reach it from outside, without a slash at the end; `None`: no webhooks.
    pub public_url: Option<String>,
    /// Who may read calls and metrics; empty: this machine only.
    pub tokens: Vec<Token>,
}

/// A bearer token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// For the log and the operator.
    pub name: String,
    /// Its value.
    pub secret: Secret,
    /// What it is good for.
    pub scope: Scope,
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Seeing calls, texts and metrics.
    Read,
    /// Telling us of queues.
    Sources,
}

impl Http {
    /// Where the context of a call is read.
    #[must_use]
    pub fn context_url(&self, call_id: &str) -> String {
        let base = self.public_url.clone().unwrap_or_else(|| format!("http://{}", self.listen));
        format!("{base}/v1/context/{call_id}")
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: (Ipv4Addr::LOCALHOST, 8080).into(), public_url: None, tokens: Vec::new() }
    }
}

pub(super) fn read(table: &Table<'_>) -> Http {
    let listen = table.parsed("listen").unwrap_or(Http::default().listen);
    let public_url = table.web_address("public_url");
    let tokens = table.array_of_tables("tokens").into_iter().filter_map(token).collect();
    table.not_yet("webhooks", "event webhooks");
    Http { listen, public_url, tokens }
}

fn token(table: Table<'_>) -> Option<Token> {
    let name = table.required("name", |t| t.text("name")).map(|name| name.value);
    let secret = table.required("secret", |t| t.secret_value("secret"));
    let scopes = [("read", Scope::Read), ("sources", Scope::Sources)];
    let scope = table.required("scope", |t| t.choice("scope", &scopes, &["deflect"]));
    table.finish();
    Some(Token { name: name?, secret: secret?, scope: scope? })
}
