//! What Bandwidth posts to us: a list of events.

use jiff::Timestamp;
use serde::Deserialize;

use super::codes;
use crate::provider::{Event, Inbound, Malformed, Receipt, State, hook};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    #[serde(rename = "type")]
    kind: String,
    time: Option<String>,
    error_code: Option<u16>,
    message: Message,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    #[serde(default)]
    id: String,
    tag: Option<String>,
    segment_count: Option<i64>,
    from: Option<String>,
    #[serde(default)]
    to: Vec<String>,
    owner: Option<String>,
    #[serde(default)]
    text: String,
}

pub(super) fn events(body: &[u8]) -> Result<Vec<Event>, Malformed> {
    let told: Vec<Told> = hook::json(body)?;
    told.into_iter().filter_map(|told| event(told).transpose()).collect()
}

fn event(told: Told) -> Result<Option<Event>, Malformed> {
    let (state, class) = match told.kind.as_str() {
        "message-received" => return inbound(told).map(|text| Some(Event::Inbound(text))),
        "message-sending" => (State::Sent, None),
        "message-delivered" => (State::Delivered, None),
        "message-read" => (State::Read, None),
        "message-failed" => codes::failed(told.error_code),
        // Of no concern to messages.
        _ => return Ok(None),
    };
    if told.message.id.is_empty() {
        return Err(Malformed("no message id"));
    }
    Ok(Some(Event::Receipt(Receipt {
        reference: told.message.tag,
        class,
        code: told.error_code.map(|code| code.to_string()),
        segments: told.message.segment_count,
        ..Receipt::of(told.message.id, state)
    })))
}

fn inbound(told: Told) -> Result<Inbound, Malformed> {
    let at = told.time.and_then(|at| at.parse::<Timestamp>().ok());
    let to = told.message.owner.or_else(|| told.message.to.into_iter().next());
    Ok(Inbound {
        id: Some(told.message.id).filter(|id| !id.is_empty()),
        from: told.message.from.ok_or(Malformed("it is from nobody"))?,
        to: to.unwrap_or_default(),
        service: None,
        text: told.message.text,
        at_ms: at.map(Timestamp::as_millisecond),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Class;

    #[test]
    fn each_event_of_a_list_is_read() {
        let body = br#"[
          {"time":"2026-11-29T12:00:00Z","type":"message-delivered","to":"+14155550100",
           "description":"ok","message":{"id":"1","tag":"0199-a","segmentCount":2,
           "owner":"+14155550123","direction":"out","to":["+14155550100"],"from":"+14155550123"}},
          {"time":"2026-11-29T12:00:00Z","type":"message-failed","errorCode":4700,
           "description":"no","message":{"id":"2"}},
          {"time":"2026-11-29T12:00:00Z","type":"message-received","description":"in",
           "message":{"id":"3","owner":"+14155550123","from":"+14155550100","text":"Stop",
           "to":["+14155550123"],"direction":"in"}},
          {"type":"toll-free-verified","message":{}}]"#;
        let delivered = Receipt {
            reference: Some("0199-a".to_owned()),
            segments: Some(2),
            ..Receipt::of("1", State::Delivered)
        };
        let failed = Receipt {
            class: Some(Class::NotTextable),
            code: Some("4700".to_owned()),
            ..Receipt::of("2", State::Undelivered)
        };
        let text = Inbound {
            id: Some("3".to_owned()),
            from: "+14155550100".to_owned(),
            to: "+14155550123".to_owned(),
            service: None,
            text: "Stop".to_owned(),
            at_ms: Some(1_795_953_600_000),
        };
        let expected = [Event::Receipt(delivered), Event::Receipt(failed), Event::Inbound(text)];
        assert_eq!(events(body).unwrap(), expected);
        assert!(events(b"{}").is_err());
        assert!(events(br#"[{"type":"message-failed","message":{}}]"#).is_err());
    }
}
