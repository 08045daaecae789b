//! The Graph API's codes and words in ours. Meta wants `code` to be acted on, not titles.

use serde::Deserialize;

use crate::provider::{Class, State, request};

/// An error of an answer or a status.
#[derive(Deserialize)]
pub(super) struct GraphError {
    #[serde(default)]
    pub code: i64,
}

/// The class of an error answer, or of an error of a status (`status` 0 then).
pub(super) fn class(status: u16, code: Option<i64>) -> Class {
    match code {
        Some(100 | 131_009 | 131_021) => Class::Invalid,
        // Not on WhatsApp.
        Some(131_026) => Class::NotTextable,
        Some(131_050) => Class::OptedOut,
        Some(4 | 80_007 | 130_429 | 131_048 | 131_056 | 133_016) => Class::RateLimited,
        // Not delivered by Meta's own choice.
        Some(131_049 | 130_472 | 368) => Class::Blocked,
        Some(0 | 3 | 10 | 190 | 200..=299) => Class::Auth,
        Some(131_042 | 131_031) => Class::Funds,
        // Of the template; no template outside the window; the number is not registered.
        Some(132_000..=132_999 | 131_047 | 131_051 | 131_037 | 133_010 | 33) => Class::Config,
        Some(1 | 2 | 131_000 | 131_016 | 131_057) => Class::ProviderDown,
        _ => request::class(status),
    }
}

/// Meta's word for a message's state.
pub(super) fn state(word: &str) -> Option<State> {
    Some(match word {
        "accepted" => State::Accepted,
        "sent" => State::Sent,
        "delivered" => State::Delivered,
        "read" | "played" => State::Read,
        "failed" => State::Failed,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart_by_code_and_then_by_status() {
        for (status, code, expected) in [
            (400, Some(100), Class::Invalid),
            (400, Some(131_009), Class::Invalid),
            (0, Some(131_026), Class::NotTextable),
            (0, Some(131_050), Class::OptedOut),
            (400, Some(130_429), Class::RateLimited),
            (400, Some(131_056), Class::RateLimited),
            (0, Some(131_048), Class::RateLimited),
            (0, Some(131_049), Class::Blocked),
            (401, Some(190), Class::Auth),
            (400, Some(131_031), Class::Funds),
            (0, Some(131_042), Class::Funds),
            (400, Some(132_000), Class::Config),
            (404, Some(132_001), Class::Config),
            (400, Some(132_015), Class::Config),
            (500, Some(131_000), Class::ProviderDown),
            (500, None, Class::ProviderDown),
            (429, None, Class::RateLimited),
            (400, Some(99), Class::Unknown),
        ] {
            assert_eq!(class(status, code), expected, "{status} {code:?}");
        }
    }
}
