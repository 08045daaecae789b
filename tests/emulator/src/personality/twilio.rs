//! Twilio: its resource of a message, its list, what it objects to, its webhooks.

use deflect_actions::provider::twilio::signature;
use jiff::{Timestamp, fmt::rfc2822, tz::TimeZone};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::{Draft, Event, Refusal, Says, Twilio, hook};
use crate::{ACCOUNT, Message, OURS, Request, TOKEN};

/// A message as its API shows it.
pub(crate) fn resource(message: &Message) -> Value {
    let at = Timestamp::from_nanosecond(i128::from(message.at_ns)).unwrap();
    let at = rfc2822::to_string(&at.to_zoned(TimeZone::UTC)).unwrap();
    let service = message.from.starts_with("MG").then_some(message.from.as_str());
    let from = (service.is_none() && !message.from.is_empty()).then_some(message.from.as_str());
    let (status, error) = match message.says {
        None => ("queued", None),
        Some(Says::Failed(why)) => ("undelivered", Some(Twilio.told(why))),
        Some(says) => (word(says), None),
    };
    // It is known when the carrier has it.
    let price = message.says.map(|_| -(message.price_micros() as f64) / 1e6);
    let uri = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages/{}", message.id);
    json!({
        "account_sid": ACCOUNT, "api_version": "2010-04-01", "sid": message.id,
        "body": message.text, "to": message.posted["To"], "from": from,
        "messaging_service_sid": service, "direction": "outbound-api",
        "num_media": "0", "num_segments": message.segments.to_string(),
        "status": status, "error_code": error, "error_message": error.map(|_| "not delivered"),
        "price": price.map(|price| format!("{price:.5}")), "price_unit": "USD",
        "date_created": at, "date_updated": at, "date_sent": message.says.map(|_| &at),
        "uri": format!("{uri}.json"),
        "subresource_uris": { "media": format!("{uri}/Media.json") },
    })
}

/// A page of its list: the newest first.
pub(crate) fn list(asked: &Request, taken: &[Message]) -> Value {
    let number = |name: &str, default: usize| {
        asked.asks(name).and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let (size, page) = (number("PageSize", 50).clamp(1, 1_000), number("Page", 0));
    let (to, from) = (asked.asks("To"), asked.asks("From"));
    let is_meant = |message: &&Message| {
        let of = |wanted: &Option<String>, name: &str| {
            wanted.as_deref().is_none_or(|wanted| message.posted[name] == wanted)
        };
        of(&to, "To") && of(&from, "From")
    };
    let found: Vec<_> = taken.iter().rev().filter(is_meant).map(resource).collect();
    let (start, end) = ((page * size).min(found.len()), ((page + 1) * size).min(found.len()));
    let base = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json?PageSize={size}");
    let filter = [("To", &to), ("From", &from)].map(|(name, value)| {
        let value = value.as_deref().map(|value| value.replace('+', "%2B"));
        value.map_or(String::new(), |value| format!("&{name}={value}"))
    });
    let uri = |page: usize| format!("{base}{}&Page={page}", filter.concat());
    let next = (end < found.len()).then(|| format!("{}&PageToken=PA{page}", uri(page + 1)));
    json!({
        "messages": found[start..end], "page": page, "page_size": size,
        "start": start, "end": end.saturating_sub(1), "uri": uri(page),
        "first_page_uri": uri(0), "next_page_uri": next,
        "previous_page_uri": page.checked_sub(1).map(uri),
    })
}

pub(super) fn objects_to(draft: &Draft, body: &Value, is_number: bool) -> Option<Refusal> {
    let refuses = |code, words: &str| Some(Refusal::of(400, code, words));
    let callback = draft.callback.as_deref();
    match draft.from.as_str() {
        "" => return refuses(21_603, "A 'From' phone number is required."),
        "+15005550001" => return refuses(21_212, "The 'From' number is not a valid phone number."),
        "+15005550007" => {
            return refuses(
                21_606,
                "The 'From' phone number is not a valid message-capable number.",
            );
        }
        "+15005550008" => return refuses(21_611, "The 'From' number has exceeded its queue."),
        _ => {}
    }
    if draft.to.is_empty() {
        refuses(21_604, "A 'To' phone number is required.")
    } else if !is_number {
        refuses(21_211, "The 'To' number is not a valid phone number.")
    } else if body["Body"].is_null() && body["ContentSid"].is_null() {
        refuses(21_602, "Message body is required.")
    } else if body["Body"].as_str().is_some_and(|text| text.chars().count() > 1_600) {
        refuses(21_617, "The concatenated message body exceeds the 1600 character limit.")
    } else if callback.is_some_and(|url| !url.starts_with("http")) {
        refuses(21_609, "The 'StatusCallback' URL is not a valid URL.")
    } else {
        None
    }
}

fn word(says: Says<'_>) -> &'static str {
    match says {
        Says::Sent => "sent",
        Says::Delivered => "delivered",
        Says::Read => "read",
        Says::Failed(_) => "undelivered",
        Says::Text(_) => "received",
    }
}

/// The form of an event.
pub(super) fn form(event: &Event<'_>) -> Vec<u8> {
    let code;
    let mut form = vec![("AccountSid", ACCOUNT), ("MessageSid", event.id), ("SmsSid", event.id)];
    if let Says::Text(text) = event.says {
        form.extend([("From", event.number), ("To", OURS), ("Body", text), ("NumMedia", "0")]);
        form.push(("NumSegments", "1"));
    } else {
        let word = word(event.says);
        form.extend([("From", OURS), ("To", event.number), ("MessageStatus", word)]);
        form.push(("SmsStatus", word));
        if let Says::Failed(why) = event.says {
            code = Twilio.told(why).to_string();
            form.push(("ErrorCode", &code));
        }
    }
    hook::form(&form)
}

pub(super) fn headers(url: &str, body: &[u8]) -> HeaderMap {
    let form = deflect_actions::provider::form(body).unwrap_or_default();
    hook::headers(&[
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("X-Twilio-Signature", &signature(TOKEN, url, &form)),
    ])
}
