//! What providers post to us; authenticated over the raw bytes before it is read.

use std::collections::HashMap;

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use deflect_actions::{
    provider::Posted,
    text::{WebhookAnswer, WebhookError},
};

use super::Site;

/// `/webhooks/{kind}/{provider}` and `/webhooks/{kind}/{provider}/{what}`: receipts, texts to our
/// senders, and the questions by which a provider sees that the address is ours.
pub(super) async fn take(
    State(site): State<Site>,
    Path(named): Path<HashMap<String, String>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let of = |name| named.get(name).map_or("", String::as_str);
    let posted = Posted {
        asks: method != Method::POST,
        what: of("what"),
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

fn refused(error: &WebhookError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = (status, format!("{error}\n")).into_response();
    if status == StatusCode::UNAUTHORIZED {
        let challenge = header::HeaderValue::from_static("Basic realm=\"webhooks\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
