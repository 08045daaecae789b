//! Twilio's codes and words in ours.

use crate::provider::{Class, State, request};

/// The class of an error answer, or of the `ErrorCode` of a receipt (`status` 0 then).
pub(super) fn class(status: u16, code: Option<i64>) -> Class {
    match code {
        Some(21211 | 21612) => Class::Invalid,
        // The last two: not on WhatsApp.
        Some(21614 | 21635 | 30006 | 63003 | 63024) => Class::NotTextable,
        Some(21610 | 63014) => Class::OptedOut,
        Some(20429) => Class::RateLimited,
        // The last two: the template is not approved; no template, and the window is closed.
        Some(21606 | 21408 | 63013 | 63016) => Class::Config,
        Some(21617) => Class::TooLong,
        Some(30007 | 30110 | 30111) => Class::Blocked,
        Some(30003) => Class::Unreachable,
        Some(30002) => Class::Funds,
        Some(20003) => Class::Auth,
        _ => request::class(status),
    }
}

/// Twilio's word for a message's state.
pub(super) fn state(word: &str) -> Option<State> {
    Some(match word {
        "accepted" | "scheduled" | "queued" | "sending" => State::Accepted,
        "sent" => State::Sent,
        "delivered" => State::Delivered,
        "read" => State::Read,
        "undelivered" => State::Undelivered,
        "failed" => State::Failed,
        "canceled" => State::Canceled,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart_by_code_and_then_by_status() {
        for (status, code, expected) in [
            (400, Some(21211), Class::Invalid),
            (400, Some(21612), Class::Invalid),
            (400, Some(21614), Class::NotTextable),
            (400, Some(21635), Class::NotTextable),
            (0, Some(30006), Class::NotTextable),
            (400, Some(21610), Class::OptedOut),
            (429, None, Class::RateLimited),
            (429, Some(20429), Class::RateLimited),
            (400, Some(21606), Class::Config),
            (400, Some(21408), Class::Config),
            (0, Some(30007), Class::Blocked),
            (0, Some(30110), Class::Blocked),
            (0, Some(30003), Class::Unreachable),
            (0, Some(30002), Class::Funds),
            (401, Some(20003), Class::Auth),
            (500, None, Class::ProviderDown),
            (503, None, Class::ProviderDown),
            (400, None, Class::Unknown),
            (400, Some(99999), Class::Unknown),
        ] {
            assert_eq!(class(status, code), expected, "{status} {code:?}");
        }
    }
}
