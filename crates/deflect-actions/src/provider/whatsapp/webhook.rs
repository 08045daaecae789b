//! What Meta posts to us: any number of statuses and messages in one body.

use serde::Deserialize;

use super::codes::{self, GraphError};
use crate::provider::{Event, Inbound, Malformed, Receipt, hook};

#[derive(Deserialize)]
struct Body {
    entry: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    changes: Vec<Change>,
}

#[derive(Deserialize)]
struct Change {
    value: Value,
}

#[derive(Deserialize)]
struct Value {
    metadata: Option<Metadata>,
    #[serde(default)]
    statuses: Vec<Status>,
    #[serde(default)]
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Metadata {
    phone_number_id: String,
}

#[derive(Deserialize)]
struct Status {
    id: String,
    status: String,
    #[serde(default)]
    errors: Vec<GraphError>,
    biz_opaque_callback_data: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    id: Option<String>,
    from: String,
    timestamp: Option<String>,
    text: Option<Text>,
    button: Option<Button>,
}

#[derive(Deserialize)]
struct Text {
    body: String,
}

#[derive(Deserialize)]
struct Button {
    text: String,
}

pub(super) fn events(body: &[u8]) -> Result<Vec<Event>, Malformed> {
    let body: Body = hook::json(body)?;
    let values = body.entry.into_iter().flat_map(|entry| entry.changes).map(|c| c.value);
    let mut events = Vec::new();
    for value in values {
        let to = value.metadata.map(|metadata| metadata.phone_number_id).unwrap_or_default();
        // Words of the future, and of what became of a message later ("deleted"), move nothing.
        events.extend(value.statuses.into_iter().filter_map(receipt).map(Event::Receipt));
        events.extend(value.messages.into_iter().map(|m| Event::Inbound(inbound(m, &to))));
    }
    Ok(events)
}

fn receipt(status: Status) -> Option<Receipt> {
    let code = status.errors.first().map(|error| error.code);
    Some(Receipt {
        reference: status.biz_opaque_callback_data,
        class: code.map(|code| codes::class(0, Some(code))),
        code: code.map(|code| code.to_string()),
        ..Receipt::of(status.id, codes::state(&status.status)?)
    })
}

fn inbound(message: Message, to: &str) -> Inbound {
    let text = message.text.map(|text| text.body).or(message.button.map(|button| button.text));
    let at_s = message.timestamp.and_then(|at| at.parse::<i64>().ok());
    Inbound {
        id: message.id,
        from: format!("+{}", message.from.trim_start_matches('+')),
        to: to.to_owned(),
        service: None,
        text: text.unwrap_or_default(),
        at_ms: at_s.and_then(|at| at.checked_mul(1_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Class, State};

    #[test]
    fn statuses_and_texts_of_one_body_are_all_read() {
        let body = br#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[
            {"field":"messages","value":{"messaging_product":"whatsapp",
             "metadata":{"display_phone_number":"4420","phone_number_id":"106540352242922"},
             "statuses":[
              {"id":"wamid.1","status":"read","timestamp":"1795953600","recipient_id":"447700900123",
               "biz_opaque_callback_data":"0199-a"},
              {"id":"wamid.2","status":"failed","timestamp":"1795953600",
               "errors":[{"code":131026,"title":"Message undeliverable"}]},
              {"id":"wamid.3","status":"deleted"}]}},
            {"field":"messages","value":{"metadata":{"phone_number_id":"106540352242922"},
             "messages":[{"from":"447700900123","id":"wamid.9","timestamp":"1795953600",
              "type":"text","text":{"body":"STOP"}}]}}]}]}"#;
        let read =
            Receipt { reference: Some("0199-a".to_owned()), ..Receipt::of("wamid.1", State::Read) };
        let failed = Receipt {
            class: Some(Class::NotTextable),
            code: Some("131026".to_owned()),
            ..Receipt::of("wamid.2", State::Failed)
        };
        let text = Inbound {
            id: Some("wamid.9".to_owned()),
            from: "+447700900123".to_owned(),
            to: "106540352242922".to_owned(),
            service: None,
            text: "STOP".to_owned(),
            at_ms: Some(1_795_953_600_000),
        };
        let expected = [Event::Receipt(read), Event::Receipt(failed), Event::Inbound(text)];
        assert_eq!(events(body).unwrap(), expected);
        assert!(events(b"{}").is_err());
    }
}
