//! What all of us ask others over HTTP with.

use std::{sync::OnceLock, time::Duration};

use reqwest::{Client, ClientBuilder, Response, redirect::Policy};

/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 256 * 1024;
/// Not reached within this time, the other side is taken for unreachable.
const CONNECT: Duration = Duration::from_millis(1_500);

/// One client for all; `None` when the system has no certificates to trust.
pub(crate) fn client() -> Option<&'static Client> {
    static CLIENT: OnceLock<Option<Client>> = OnceLock::new();
    CLIENT
        .get_or_init(|| {
            builder()
                .build()
                .inspect_err(|error| tracing::error!(%error, "HTTP client cannot be built"))
                .ok()
        })
        .as_ref()
}

/// What all our clients have in common.
pub(crate) fn builder() -> ClientBuilder {
    // Another provider may be there already; either will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(Policy::none())
        .connect_timeout(CONNECT)
        .retry(reqwest::retry::never())
        .no_proxy()
}

/// The body of an answer, where it comes whole and is not too long.
pub(crate) async fn body(mut response: Response) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return None;
        }
        bytes.extend_from_slice(&chunk);
    }
    Some(bytes)
}
