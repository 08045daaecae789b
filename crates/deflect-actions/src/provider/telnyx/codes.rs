//! Telnyx's codes and words in ours.

use serde::Deserialize;

use crate::provider::{Class, State, request};

/// One of the errors of an answer or a receipt.
#[derive(Deserialize)]
pub(super) struct TelnyxError {
    code: serde_json::Value,
}

impl TelnyxError {
    /// Its code; a text in the API, but for safety a number too.
    pub fn code(&self) -> Option<i64> {
        self.code.as_i64().or_else(|| self.code.as_str()?.parse().ok())
    }
}

/// The class of an error answer, or of an error of a receipt (`status` 0 then).
pub(super) fn class(status: u16, code: Option<i64>) -> Class {
    match code {
        Some(10002 | 10016 | 40012) => Class::Invalid,
        Some(40001) => Class::NotTextable,
        Some(40300) => Class::OptedOut,
        Some(40002 | 40003 | 40009 | 40016) => Class::Blocked,
        Some(40006) => Class::Unreachable,
        Some(10011 | 40011 | 40014 | 40018) => Class::RateLimited,
        Some(10009) => Class::Auth,
        Some(20100 | 20013) => Class::Funds,
        // The first: a parameter is missing.
        Some(10004 | 40305 | 40013 | 40010 | 40310 | 40311 | 40312 | 40329) => Class::Config,
        Some(40302) => Class::TooLong,
        Some(40005) => Class::Expired,
        _ => request::class(status),
    }
}

/// Telnyx's word for a message's state.
pub(super) fn state(word: &str) -> Option<State> {
    Some(match word {
        "queued" | "sending" => State::Accepted,
        "sent" => State::Sent,
        "delivered" => State::Delivered,
        "read" => State::Read,
        "delivery_failed" | "expired" => State::Undelivered,
        "sending_failed" | "gw_timeout" | "dlr_timeout" => State::Failed,
        // The carrier tells no more: not a failure.
        "delivery_unconfirmed" => State::Unknown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart_by_code_and_then_by_status() {
        for (status, code, expected) in [
            (400, Some(10002), Class::Invalid),
            (400, Some(10016), Class::Invalid),
            (400, Some(40012), Class::Invalid),
            (0, Some(40001), Class::NotTextable),
            (409, Some(40300), Class::OptedOut),
            (429, Some(10011), Class::RateLimited),
            (0, Some(40011), Class::RateLimited),
            (0, Some(40002), Class::Blocked),
            (0, Some(40003), Class::Blocked),
            (0, Some(40006), Class::Unreachable),
            (401, Some(10009), Class::Auth),
            (402, None, Class::Funds),
            (400, Some(40305), Class::Config),
            (400, Some(10004), Class::Config),
            (503, None, Class::ProviderDown),
            (422, None, Class::Unknown),
        ] {
            assert_eq!(class(status, code), expected, "{status} {code:?}");
        }
    }
}
