//! Vonage's codes and words in ours.

use crate::provider::{Class, State};

/// The class of the status of a part.
pub(super) fn class(status: u16) -> Class {
    match status {
        1 | 10 => Class::RateLimited,
        3 | 6 => Class::Invalid,
        33 => Class::NotTextable,
        4 | 11 | 14 => Class::Auth,
        5 => Class::ProviderDown,
        7 => Class::Blocked,
        8 | 9 => Class::Funds,
        12 => Class::TooLong,
        2 | 13 | 15 | 22 | 23 | 29 => Class::Config,
        _ => Class::Unknown,
    }
}

/// The class of the `err-code` of a receipt.
pub(super) fn receipt_class(code: u16) -> Option<Class> {
    Some(match code {
        0 => return None,
        3 | 11 => Class::Invalid,
        9 => Class::OptedOut,
        6 | 14 => Class::Blocked,
        2 | 4 | 7 | 12 | 13 | 15 | 16 => Class::Unreachable,
        8 => Class::ProviderDown,
        10 => Class::Config,
        _ => Class::Unknown,
    })
}

/// Vonage's word for a message's state.
pub(super) fn state(word: &str) -> Option<State> {
    Some(match word {
        "accepted" | "buffered" | "submitted" => State::Sent,
        "delivered" => State::Delivered,
        "failed" | "expired" => State::Undelivered,
        "rejected" => State::Failed,
        "unknown" => State::Unknown,
        _ => return None,
    })
}
