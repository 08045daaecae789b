//! `/v1`: what other systems order, ask and tell.
//!
//! JSON both ways. An error is a status and `{"error": "word", "message": "why"}`.

mod call_back;
mod calls;
mod compat;
mod counts;
mod deflect;
mod invites;
mod messages;
mod opt_outs;
mod outcomes;

use axum::{
    Json,
    extract::{FromRequest, Request, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use deflect_actions::store::StoreError;
use message_text::E164;
use serde::de::DeserializeOwned;
use serde_json::json;

pub use self::invites::Invites;
pub(super) use self::{
    calls::{human, send_link},
    compat::{broadcast, c2m_eligibility, c2m_invite},
    counts::counts,
    deflect::{eligibility, invite},
    messages::message,
    opt_outs::{add as opt_out, remove as opt_in},
    outcomes::outcome,
};

/// Why a request is not done.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    error: &'static str,
    message: String,
}

impl Problem {
    pub fn bad(error: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, message: message.into() }
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, error: "refused", message: message.into() }
    }

    pub fn unknown(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, error: "not_found", message: message.into() }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "API: the store fails");
        let message = "the store does not answer; try again later".to_owned();
        Self { status: StatusCode::SERVICE_UNAVAILABLE, error: "store", message }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "message": self.message });
        (self.status, Json(body)).into_response()
    }
}

/// A JSON body; what is wrong with it is told like every other error.
pub(crate) struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(why) => {
                let status = match &why {
                    JsonRejection::BytesRejection(_) | JsonRejection::MissingJsonContentType(_) => {
                        why.status()
                    }
                    _ => StatusCode::BAD_REQUEST,
                };
                Err(Problem { status, error: "invalid_request", message: why.body_text() })
            }
        }
    }
}

/// A phone number with its country code.
pub(super) fn number(text: &str) -> Result<E164, Problem> {
    text.parse()
        .map_err(|_| Problem::bad("invalid_number", "a number begins with + and its country code"))
}
