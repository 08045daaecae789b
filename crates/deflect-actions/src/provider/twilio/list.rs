//! Twilio's list of messages, asked whether it has one that was never answered.
//!
//! The list does not show the status-callback address that carries our id, so a message is
//! known by number, sender, text and time.

use jiff::{Timestamp, fmt::rfc2822};
use serde::Deserialize;

use super::{codes, is_service};
use crate::provider::{Class, Cost, Found, OutboundMessage, Receipt, State, answer::micros};

/// Clocks may differ by this much, ms.
const SKEW_MS: i64 = 60_000;
/// A message is created at most this long after its request was written, ms.
const WITHIN_MS: i64 = 5 * 60_000;

#[derive(Deserialize)]
struct Page {
    messages: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    sid: String,
    status: Option<String>,
    to: Option<String>,
    from: Option<String>,
    body: Option<String>,
    date_created: Option<String>,
    error_code: Option<i64>,
    num_segments: Option<String>,
    price: Option<String>,
    price_unit: Option<String>,
}

/// The parameters of the question.
pub(super) fn query(message: OutboundMessage<'_>, written_ms: i64) -> Vec<(&'static str, String)> {
    let from = Timestamp::from_millisecond(written_ms - SKEW_MS).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut query = vec![
        ("To", message.to.as_str().to_owned()),
        ("DateSent>", from.strftime("%Y-%m-%d").to_string()),
        ("PageSize", "100".to_owned()),
    ];
    // A service picked some number of its own.
    if !is_service(message.from) {
        query.push(("From", message.from.to_owned()));
    }
    query
}

/// What a page says about the message.
pub(super) fn find(page: &[u8], message: OutboundMessage<'_>, written_ms: i64) -> Found {
    let Ok(page) = serde_json::from_slice::<Page>(page) else { return Found::Unknown };
    let found: Vec<_> = page
        .messages
        .into_iter()
        .filter(|entry| entry.is(message, written_ms))
        .map(Entry::receipt)
        .collect();
    if found.is_empty() { Found::HasNone } else { Found::Has(found) }
}

/// What a message cost, where it is told by now.
pub(super) fn cost(message: &[u8]) -> Option<Cost> {
    let entry: Entry = serde_json::from_slice(message).ok()?;
    Some(Cost {
        segments: entry.num_segments.and_then(|n| n.parse().ok()),
        price_micros: micros(&entry.price?)?,
        currency: entry.price_unit.map(|unit| unit.to_uppercase()),
    })
}

impl Entry {
    fn is(&self, message: OutboundMessage<'_>, written_ms: i64) -> bool {
        let created = self.date_created.as_deref().and_then(|text| rfc2822::parse(text).ok());
        // Its moments have whole seconds.
        let in_time = created.is_some_and(|at| {
            let at = at.timestamp().as_millisecond();
            (written_ms - SKEW_MS..=written_ms + WITHIN_MS).contains(&at)
        });
        in_time
            && self.to.as_deref() == Some(message.to.as_str())
            && (is_service(message.from)
                || self.from.as_deref().is_none_or(|from| from == message.from))
            && self.body.as_deref() == Some(message.text)
    }

    fn receipt(self) -> Receipt {
        let state = self.status.as_deref().and_then(codes::state).unwrap_or(State::Accepted);
        let class: Option<Class> = self.error_code.map(|code| codes::class(0, Some(code)));
        Receipt {
            class,
            code: self.error_code.map(|code| code.to_string()),
            segments: self.num_segments.and_then(|n| n.parse().ok()),
            price_micros: self.price.as_deref().and_then(micros),
            currency: self.price_unit.map(|unit| unit.to_uppercase()),
            ..Receipt::of(self.sid, state)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Channel, Fill, Reference};

    #[test]
    fn only_the_same_text_to_the_same_number_in_time_is_found() {
        let to = "+447700900123".parse().unwrap();
        let message = OutboundMessage {
            reference: Reference { message_id: "m", attempt: 1 },
            channel: Channel::Sms,
            from: "+447700900999",
            to: &to,
            text: "hello",
            language: "en-GB",
            template: None,
            fill: Fill::default(),
            valid_for: std::time::Duration::from_secs(900),
        };
        let page = |body: &str, date: &str| {
            format!(
                r#"{{"messages":[{{"sid":"SM1","status":"delivered","to":"+447700900123",
                "from":"+447700900999","body":"{body}","date_created":"{date}","error_code":null}}]}}"#
            )
        };
        // 2026-11-24 12:00:00 UTC
        let written = 1_795_521_600_000;
        let ask = |page: String| find(page.as_bytes(), message, written);
        let found = ask(page("hello", "Tue, 24 Nov 2026 12:00:02 +0000"));
        assert!(
            matches!(&found, Found::Has(list) if list[0].state == State::Delivered),
            "{found:?}"
        );
        assert_eq!(ask(page("other", "Tue, 24 Nov 2026 12:00:02 +0000")), Found::HasNone);
        assert_eq!(ask(page("hello", "Tue, 24 Nov 2026 11:00:00 +0000")), Found::HasNone);
        assert_eq!(ask(page("hello", "yesterday")), Found::HasNone);
        assert_eq!(ask("<html>".to_owned()), Found::Unknown);
        assert_eq!(ask(r#"{"messages":[]}"#.to_owned()), Found::HasNone);
        assert_eq!(query(message, written)[1].1, "2026-11-24");
        // A service writes by a number of its own.
        let service = "MG0123456789abcdef0123456789abcdef";
        let message = OutboundMessage { from: service, ..message };
        assert!(query(message, written).iter().all(|(name, _)| *name != "From"));
        let page = page("hello", "Tue, 24 Nov 2026 12:00:02 +0000");
        assert!(matches!(find(page.as_bytes(), message, written), Found::Has(_)));
    }
}
