//! `[http]`: metrics, health, webhooks.

use std::net::{Ipv4Addr, SocketAddr};

use super::read::Table;

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How providers reach it from outside, without a slash at the end; `None`: no webhooks.
    pub public_url: Option<String>,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: (Ipv4Addr::LOCALHOST, 8080).into(), public_url: None }
    }
}

pub(super) fn read(table: &Table<'_>) -> Http {
    let listen = table.parsed("listen").unwrap_or(Http::default().listen);
    let public_url = table.web_address("public_url");
    table.not_yet("tokens", "the HTTP API");
    table.not_yet("webhooks", "event webhooks");
    Http { listen, public_url }
}
