//! What providers post to us; authenticated over the raw bytes before it is read.

use std::collections::HashMap;

use axum::{
    body::Bytes,
    extract::{ConnectInfo, Path, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use deflect_actions::{
    provider::{Posted, Refused},
    text::{WebhookAnswer, WebhookError},
};

use super::{Site, origin::origin, patience::Peer};

/// `/webhooks/{kind}/{provider}` and what follows: the secret segment of the provider where it has
/// one, and what the provider tells there. These are receipts, texts to our senders, and the
/// questions by which a provider sees that the address is ours.
pub(super) async fn take(
    State(site): State<Site>,
    Path(named): Path<HashMap<String, String>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let of = |name| named.get(name).map_or("", String::as_str);
    let tail = {
        let snapshot = site.snapshot.load();
        let from = origin(peer.ip(), &headers, &snapshot.config.http.proxies);
        let provider = snapshot.config.providers.iter().find(|one| one.name == of("provider"));
        match provider.map(|provider| &provider.entrance) {
            Some(entrance) if !entrance.admits(from) => {
                return strange(StatusCode::FORBIDDEN, &Refused::Untrusted);
            }
            Some(entrance) => entrance.behind(of("tail")),
            // Whom the service does not know either.
            None => Some(of("tail")),
        }
    };
    let Some(what) = tail else { return strange(StatusCode::NOT_FOUND, &Refused::Nowhere) };
    let posted = Posted {
        asks: method != Method::POST,
        what,
        path: uri.path_and_query().map_or("", |path| path.as_str()),
        headers: &headers,
        body: &body,
        // The service knows both.
        public_url: None,
        now_ms: 0,
    };
    match site.texts.webhook(of("kind"), of("provider"), posted).await {
        Ok(WebhookAnswer::Taken) => StatusCode::NO_CONTENT.into_response(),
        Ok(WebhookAnswer::Text(text)) => text.into_response(),
        Ok(WebhookAnswer::Twiml(text)) => {
            ([(header::CONTENT_TYPE, "text/xml")], text).into_response()
        }
        Err(error) => refused(&error),
    }
}

/// Refuses what is not even let in.
fn strange(status: StatusCode, why: &Refused) -> Response {
    metrics::counter!("carom_webhooks_untrusted_total").increment(1);
    (status, format!("{why}\n")).into_response()
}

fn refused(error: &WebhookError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = (status, format!("{error}\n")).into_response();
    if status == StatusCode::UNAUTHORIZED {
        let challenge = header::HeaderValue::from_static("Basic realm=\"webhooks\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
