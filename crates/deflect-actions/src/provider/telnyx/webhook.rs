//! What Telnyx posts to us: one event a body.

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    Cost, To,
    codes::{self, TelnyxError},
};
use crate::provider::{Class, Event, Inbound, Malformed, Receipt, State, hook};

#[derive(Deserialize)]
struct Body {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    event_type: String,
    occurred_at: Option<String>,
    payload: Payload,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    id: String,
    #[serde(default)]
    to: Vec<To>,
    from: Option<From>,
    #[serde(default)]
    text: String,
    #[serde(default)]
    errors: Vec<TelnyxError>,
    parts: Option<i64>,
    cost: Option<Cost>,
    webhook_url: Option<String>,
}

#[derive(Deserialize)]
struct From {
    phone_number: String,
}

pub(super) fn events(body: &[u8]) -> Result<Vec<Event>, Malformed> {
    let data = hook::json::<Body>(body)?.data;
    Ok(match data.event_type.as_str() {
        "message.sent" | "message.finalized" => vec![Event::Receipt(receipt(data.payload)?)],
        "message.received" => vec![Event::Inbound(inbound(data)?)],
        // Of no concern to messages.
        _ => Vec::new(),
    })
}

fn receipt(payload: Payload) -> Result<Receipt, Malformed> {
    let to = payload.to.first().ok_or(Malformed("it is about nobody"))?;
    if payload.id.is_empty() {
        return Err(Malformed("no id"));
    }
    // A word of the future says at least that it is there.
    let state = codes::state(&to.status).unwrap_or(State::Accepted);
    let code = payload.errors.first().and_then(TelnyxError::code);
    let failed = matches!(state, State::Failed | State::Undelivered);
    let landline = to.line_type.as_deref().is_some_and(|t| t.eq_ignore_ascii_case("landline"));
    let class = match code {
        Some(code) => Some(codes::class(0, Some(code))),
        None if to.status == "expired" => Some(Class::Expired),
        None => None,
    };
    // Of the address that we gave with the message, which is signed like the rest.
    let query = payload.webhook_url.as_deref().and_then(|url| Some(url.split_once('?')?.1));
    let reference = query.and_then(|q| q.split('&').find_map(|p| p.strip_prefix("message=")));
    let (price_micros, currency) = super::price(payload.cost);
    Ok(Receipt {
        reference: reference.map(str::to_owned),
        class: if failed && landline { Some(Class::NotTextable) } else { class },
        code: code.map(|code| code.to_string()),
        segments: payload.parts,
        price_micros,
        currency,
        ..Receipt::of(payload.id, state)
    })
}

fn inbound(data: Data) -> Result<Inbound, Malformed> {
    let payload = data.payload;
    let at = data.occurred_at.and_then(|at| at.parse::<Timestamp>().ok());
    Ok(Inbound {
        id: Some(payload.id).filter(|id| !id.is_empty()),
        from: payload.from.ok_or(Malformed("it is from nobody"))?.phone_number,
        to: payload.to.into_iter().next().map(|to| to.phone_number).unwrap_or_default(),
        service: None,
        text: payload.text,
        at_ms: at.map(Timestamp::as_millisecond),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(kind: &str, payload: &str) -> Vec<u8> {
        format!(
            r#"{{"data":{{"event_type":"{kind}","id":"e1","occurred_at":"2026-11-29T12:00:00.5Z",
            "payload":{payload},"record_type":"event"}},"meta":{{"attempt":1}}}}"#
        )
        .into_bytes()
    }

    #[test]
    fn a_final_receipt_is_read_with_cost_parts_and_the_attempt_it_is_about() {
        let payload = r#"{"id":"m1","to":[{"phone_number":"+14155550100","status":"delivered",
            "line_type":"Wireless","carrier":"X"}],"parts":2,"errors":[],
            "cost":{"amount":"0.0051","currency":"USD"},
            "webhook_url":"https://c.example/webhooks/telnyx/t?message=0199-a.2"}"#;
        let events = events(&body("message.finalized", payload)).unwrap();
        let receipt = Receipt {
            reference: Some("0199-a.2".to_owned()),
            segments: Some(2),
            price_micros: Some(5_100),
            currency: Some("USD".to_owned()),
            ..Receipt::of("m1", State::Delivered)
        };
        assert_eq!(events, [Event::Receipt(receipt)]);
    }

    #[test]
    fn a_landline_that_got_nothing_is_not_textable_whatever_the_code() {
        let payload = r#"{"id":"m1","to":[{"phone_number":"+1","status":"delivery_failed",
            "line_type":"Landline"}],"errors":[{"code":"40008","title":"Undeliverable"}]}"#;
        let events = events(&body("message.finalized", payload)).unwrap();
        assert!(matches!(
            &events[..],
            [Event::Receipt(Receipt { class: Some(Class::NotTextable), .. })]
        ));
    }

    #[test]
    fn a_text_is_read_and_what_is_neither_is_left_alone() {
        let payload = r#"{"id":"i1","from":{"phone_number":"+14155550100"},"text":"STOP",
            "to":[{"phone_number":"+14155550123","status":"webhook_delivered"}]}"#;
        let heard = events(&body("message.received", payload)).unwrap();
        let text = Inbound {
            id: Some("i1".to_owned()),
            from: "+14155550100".to_owned(),
            to: "+14155550123".to_owned(),
            service: None,
            text: "STOP".to_owned(),
            at_ms: Some(1_795_953_600_500),
        };
        assert_eq!(heard, [Event::Inbound(text)]);
        assert_eq!(events(&body("10dlc.campaign.update", "{}")), Ok(Vec::new()));
        assert!(events(&body("message.sent", r#"{"id":"m1","to":[]}"#)).is_err());
        assert!(events(b"[]").is_err());
    }
}
