//! Bandwidth's codes in ours. The first digit says who is to blame: 4 the request, 5 the service,
//! 9 nobody knows; it is the classifier for what is not listed.

use crate::provider::{Class, State, request};

/// The class of an error answer, by its status, its type and the field it is about.
pub(super) fn refusal(status: u16, kind: &str, field: Option<&str>) -> Class {
    match (status, kind) {
        (400, "request-validation") => match field {
            Some(field) if field.starts_with("to") => Class::Invalid,
            Some("text") => Class::TooLong,
            _ => Class::Config,
        },
        (403, _) => Class::Funds,
        (415, _) => Class::Config,
        _ => request::class(status),
    }
}

/// What an event about a failure means.
pub(super) fn failed(code: Option<u16>) -> (State, Option<Class>) {
    let Some(code) = code else { return (State::Failed, None) };
    let class = match code {
        4303 | 4720 | 4406 => Class::Invalid,
        4700 | 4701 | 4404 => Class::NotTextable,
        4775 | 4482 => Class::OptedOut,
        4403 | 4452 | 4773 | 4795 => Class::Config,
        4470 | 4770 | 4771 => Class::Blocked,
        4702 => Class::Unreachable,
        5000..=5999 => Class::ProviderDown,
        // Among them 9902: the carrier gives no receipt, which is not a failure.
        9000..=9999 => return (State::Unknown, None),
        _ => Class::Unknown,
    };
    (State::Undelivered, Some(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_is_told_by_the_first_digit() {
        for (code, expected) in [
            (4303, (State::Undelivered, Some(Class::Invalid))),
            (4701, (State::Undelivered, Some(Class::NotTextable))),
            (4775, (State::Undelivered, Some(Class::OptedOut))),
            (4773, (State::Undelivered, Some(Class::Config))),
            (4771, (State::Undelivered, Some(Class::Blocked))),
            (4702, (State::Undelivered, Some(Class::Unreachable))),
            (5106, (State::Undelivered, Some(Class::ProviderDown))),
            (5620, (State::Undelivered, Some(Class::ProviderDown))),
            (4999, (State::Undelivered, Some(Class::Unknown))),
            (9902, (State::Unknown, None)),
            (9999, (State::Unknown, None)),
        ] {
            assert_eq!(failed(Some(code)), expected, "{code}");
        }
    }

    #[test]
    fn an_error_answer_is_told_by_its_field() {
        for (status, kind, field, expected) in [
            (400, "request-validation", Some("to[0]"), Class::Invalid),
            (400, "request-validation", Some("from"), Class::Config),
            (400, "request-validation", Some("text"), Class::TooLong),
            (429, "max-message-queue-size-exceeded", None, Class::RateLimited),
            (403, "forbidden", None, Class::Funds),
            (401, "", None, Class::Auth),
            (500, "", None, Class::ProviderDown),
        ] {
            assert_eq!(refusal(status, kind, field), expected, "{status} {kind} {field:?}");
        }
    }
}
