//! What providers post to us; authenticated over the raw bytes before it is read.

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use deflect_actions::text::WebhookError;

use super::Site;

/// `POST /webhooks/twilio/{provider}/status`: a receipt.
pub(super) async fn twilio_status(
    State(site): State<Site>,
    Path(provider): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    match site.texts.twilio_status(&provider, path, signature(&headers), &body).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(&error),
    }
}

/// `POST /webhooks/twilio/{provider}/inbound`: a text to one of our senders.
pub(super) async fn twilio_inbound(
    State(site): State<Site>,
    Path(provider): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    match site.texts.twilio_inbound(&provider, path, signature(&headers), &body).await {
        Ok(twiml) => ([(header::CONTENT_TYPE, "text/xml")], twiml).into_response(),
        Err(error) => refused(&error),
    }
}

fn signature(headers: &HeaderMap) -> Option<&str> {
    headers.get("X-Twilio-Signature")?.to_str().ok()
}

fn refused(error: &WebhookError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    (status, format!("{error}\n")).into_response()
}
