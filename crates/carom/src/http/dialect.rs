//! Whose API a route is like: how its clients say who they are, and how they are told that they
//! may not.

use axum::{
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    MAX_BODY,
    api::{C2mError, Problem, Refused},
};

/// Whose API a route is like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Pages for people and programs of the operator; errors are a line of text.
    #[default]
    Plain,
    /// `/v1`.
    Ours,
    /// LivePerson's Connect To Messaging.
    C2m,
    /// LivePerson's IVR Engagement.
    Engagement,
    /// Khoros Flow.
    Flow,
}

impl Dialect {
    /// Whether a key stands in `Authorization` without a word before it.
    pub fn takes_bare_keys(self) -> bool {
        self == Self::Flow
    }

    /// Whether requests may be signed by OAuth 1.0a.
    pub fn takes_oauth(self) -> bool {
        matches!(self, Self::C2m | Self::Engagement)
    }

    /// What somebody without a token, or with too many requests, is told.
    pub fn refuses(self, status: StatusCode, error: &'static str, message: &str) -> Response {
        let mut response = match self {
            Self::Plain => (status, format!("{message}\n")).into_response(),
            Self::Ours | Self::Flow => Problem::of(status, error, message).into_response(),
            Self::C2m => C2mError::of(status, message).into_response(),
            Self::Engagement => Refused::of(status, message).into_response(),
        };
        if status == StatusCode::UNAUTHORIZED {
            let challenge = match self {
                Self::C2m | Self::Engagement => "OAuth realm=\"carom\", Bearer",
                Self::Plain | Self::Ours | Self::Flow => "Bearer",
            };
            let challenge = HeaderValue::from_static(challenge);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Tells in the words of the API what its framework refused: another method, a path or a query that
/// can't be read.
pub(super) async fn as_documented(
    State(dialect): State<Dialect>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_told = kind.is_some_and(|kind| kind == "application/json");
    if is_told || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let text = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let message = match text.trim() {
        "" => status.canonical_reason().unwrap_or("it is not done"),
        text => text,
    };
    let word = match status {
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        _ => "invalid_request",
    };
    let mut told = dialect.refuses(status, word, message);
    if let Some(allowed) = parts.headers.get(header::ALLOW) {
        told.headers_mut().insert(header::ALLOW, allowed.clone());
    }
    told
}
