//! `/v1`: what other systems order, ask and tell.
//!
//! JSON both ways. An error is a status and `{"error": "word", "message": "why"}`.

mod call_back;
mod callbacks;
mod calls;
mod compat;
mod counts;
mod deflect;
mod engagement;
mod events;
mod messages;
mod once;
mod openapi;
mod opt_outs;
mod outcomes;
mod routes;
mod turns;
mod voicemails;

use axum::{
    Json,
    extract::{FromRequest, Request, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use deflect_actions::store::StoreError;
use message_text::E164;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use super::Site;

pub use self::turns::Turns;
pub(super) use self::{
    call_back::call_back, compat::C2mError, engagement::Refused, openapi::document,
    routes::operations,
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

    pub fn of(status: StatusCode, error: &'static str, message: impl Into<String>) -> Self {
        Self { status, error, message: message.into() }
    }

    pub fn unknown(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, error: "not_found", message: message.into() }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if let StoreError::ListLost(_) = error {
            return Self::of(StatusCode::SERVICE_UNAVAILABLE, "opt_out_list", error.to_string());
        }
        tracing::warn!(%error, "API: the store fails");
        let message = "the store does not answer; try again later".to_owned();
        Self { status: StatusCode::SERVICE_UNAVAILABLE, error: "store", message }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let told = Told { error: self.error, message: self.message };
        (self.status, Json(told)).into_response()
    }
}

/// Why a request was not done.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Told {
    /// One word, for programs.
    error: &'static str,
    /// For people.
    message: String,
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

/// The name of a business that is there; left out: the only one.
pub(super) fn business(site: &Site, named: Option<&str>) -> Result<String, Problem> {
    let snapshot = site.snapshot.load();
    let all = &snapshot.config.businesses;
    if named.is_none() && all.len() > 1 {
        let keys: Vec<String> = all.iter().map(|one| format!("`{}`", one.key)).collect();
        let message = format!("`business` is missing; there are {}", keys.join(", "));
        return Err(Problem::bad("no_business", message));
    }
    match (snapshot.config.business(named), named) {
        (Some(business), _) => Ok(business.key.clone()),
        (None, Some(named)) => {
            Err(Problem::bad("no_business", format!("there is no `[business.{named}]`")))
        }
        (None, None) => Err(Problem::bad("no_business", "there is no `[business.X]`")),
    }
}
