//! What all of us ask others over HTTP with.

use std::{sync::OnceLock, time::Duration};

use reqwest::{Client, ClientBuilder, Response, redirect::Policy};

/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 256 * 1024;
/// Not reached within the first of these times, ms, the other side is taken for unreachable; within
/// one of the others where there is less time for the whole request.
const CONNECT_MS: [u64; 13] =
    [1_500, 1_200, 1_000, 800, 650, 500, 400, 320, 260, 200, 150, 100, 50];
/// The whole request may take this much longer at least, ms.
const SPARE_MS: u64 = 30;

/// One client for all; `None` when the system has no certificates to trust.
pub(crate) fn client() -> Option<&'static Client> {
    client_within(Duration::MAX)
}

/// One for requests that take no longer than `limit`: its time to connect is over before, and so it
/// is known of a request that nothing of it was written.
pub(crate) fn client_within(limit: Duration) -> Option<&'static Client> {
    static CLIENTS: [OnceLock<Option<Client>>; CONNECT_MS.len()] =
        [const { OnceLock::new() }; CONNECT_MS.len()];
    let fits = |connect: &u64| Duration::from_millis(connect + SPARE_MS) <= limit;
    let at = CONNECT_MS.iter().position(fits).unwrap_or(CONNECT_MS.len() - 1);
    CLIENTS[at]
        .get_or_init(|| {
            builder()
                .connect_timeout(Duration::from_millis(CONNECT_MS[at]))
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
        .connect_timeout(Duration::from_millis(CONNECT_MS[0]))
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
