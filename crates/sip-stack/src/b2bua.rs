//! What the target leg of a back-to-back user agent takes over from the caller leg.

use crate::{
    endpoint::LoopGuard,
    message::{HeaderName, NameAddr, Request},
};

/// Hops of a call whose INVITE does not say (RFC 3261 §8.1.1.6).
const HOPS: u8 = 70;

/// Headers that travel on as they are, in the order they came.
const PASSED: [HeaderName; 9] = [
    HeaderName::Diversion,
    HeaderName::HistoryInfo,
    HeaderName::Privacy,
    HeaderName::Priority,
    HeaderName::ResourcePriority,
    HeaderName::Subject,
    HeaderName::UserToUser,
    HeaderName::CallInfo,
    HeaderName::AlertInfo,
];

/// Returns the headers of the caller's INVITE that the target is told too.
///
/// Who diverted the call and how it came (RFC 5806, RFC 7044) stay; the asserted identity
/// (RFC 3325) only from a trunk that is trusted. A mark for the loop guard is added.
pub fn passed_on(
    invite: &Request,
    trusted: bool,
    guard: Option<&LoopGuard>,
) -> Vec<(HeaderName, String)> {
    let mut headers = Vec::new();
    let mut pass = |name: HeaderName| {
        for value in invite.headers().all(name.clone()) {
            headers.push((name.clone(), value.to_owned()));
        }
    };
    PASSED.into_iter().for_each(&mut pass);
    if trusted {
        pass(HeaderName::PAssertedIdentity);
        pass(HeaderName::RemotePartyId);
    }
    pass(HeaderName::from(LoopGuard::HEADER));
    if let Some(guard) = guard {
        headers.push((HeaderName::from(LoopGuard::HEADER), guard.mark.clone()));
    }
    headers
}

/// Returns the From of the target leg, without a tag: the caller as the trunk showed it.
pub fn caller_identity(invite: &Request) -> String {
    let from = invite.headers().first(HeaderName::From).unwrap_or_default();
    match NameAddr::parse(from) {
        Ok(from) => match from.display_plain().filter(|name| !name.is_empty()) {
            Some(name) => format!("{} <{}>", crate::message::scan::quote(&name), from.uri_text),
            None => format!("<{}>", from.uri_text),
        },
        Err(_) => "<sip:anonymous@anonymous.invalid>".to_owned(),
    }
}

/// Returns the Max-Forwards of the target leg: one hop less, never less than zero.
pub fn max_forwards(invite: &Request) -> u8 {
    let hops = invite.headers().first(HeaderName::MaxForwards);
    hops.and_then(|hops| hops.trim().parse::<u8>().ok()).unwrap_or(HOPS).saturating_sub(1)
}

/// Returns the final code that the caller leg gets for that of the target leg.
///
/// A challenge is between the target and us, and a redirection is not followed: without their
/// headers both would be malformed for the caller (RFC 3261 §21.4.2, §21.3).
pub fn passed_back(status: u16) -> u16 {
    match status {
        300..=399 => 480,
        401 | 407 => 403,
        _ => status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Method;

    fn invite(headers: &[(HeaderName, &str)]) -> Request {
        let mut invite = Request::new(Method::Invite, "sip:100@carom");
        for (name, value) in headers {
            invite.headers_mut().push(name.clone(), value);
        }
        invite
    }

    #[test]
    fn diversion_and_history_travel_on_and_a_mark_is_added() {
        let invite = invite(&[
            (HeaderName::Diversion, "<sip:+441@a>;reason=unconditional"),
            (HeaderName::HistoryInfo, "<sip:+442@a>;index=1, <sip:+443@a>;index=1.1"),
            (HeaderName::PAssertedIdentity, "<sip:+444@a>"),
        ]);
        let guard = LoopGuard { mark: "m".into(), passes: 1 };
        let names = |trusted| -> Vec<String> {
            let passed = passed_on(&invite, trusted, Some(&guard));
            passed.into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
        };
        assert_eq!(
            names(true),
            [
                "Diversion: <sip:+441@a>;reason=unconditional",
                "History-Info: <sip:+442@a>;index=1, <sip:+443@a>;index=1.1",
                "P-Asserted-Identity: <sip:+444@a>",
                "X-Carom-Loop: m",
            ]
        );
        assert!(!names(false).iter().any(|line| line.starts_with("P-Asserted")));
    }

    #[test]
    fn the_caller_is_shown_without_the_tag_and_hops_go_down() {
        let invite = invite(&[
            (HeaderName::From, "\"Ann O\" <sip:+4477@carrier>;tag=1"),
            (HeaderName::MaxForwards, "1"),
        ]);
        assert_eq!(caller_identity(&invite), "\"Ann O\" <sip:+4477@carrier>");
        assert_eq!(max_forwards(&invite), 0);
        assert_eq!(max_forwards(&Request::new(Method::Invite, "sip:a@b")), 69);
    }
}
