//! What Vonage tells us: a receipt or a text, as a flat list of parameters.

use serde_json::Value;

use super::codes;
use crate::provider::{
    Class, Event, Inbound, Malformed, Receipt, State, answer::micros, form::field, hook,
};

/// The parameters of a JSON body; numbers are written as they stand.
pub(super) fn parameters(body: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let object: serde_json::Map<String, Value> = hook::json(body)?;
    let written = |(name, value): (String, Value)| match value {
        Value::String(text) => Ok((name, text)),
        Value::Number(number) => Ok((name, number.to_string())),
        _ => Err(Malformed("a parameter is neither text nor number")),
    };
    object.into_iter().map(written).collect()
}

pub(super) fn event(parameters: &[(String, String)]) -> Result<Event, Malformed> {
    let of = |name| field(parameters, name).filter(|value| !value.is_empty());
    let id = of("messageId").ok_or(Malformed("no messageId"))?;
    let Some(status) = of("status") else {
        return Ok(Event::Inbound(Inbound {
            id: Some(id.to_owned()),
            from: format!("+{}", of("msisdn").ok_or(Malformed("no msisdn"))?),
            to: of("to").unwrap_or_default().to_owned(),
            service: None,
            text: of("text").unwrap_or_default().to_owned(),
            at_ms: None,
        }));
    };
    let code = of("err-code").filter(|code| *code != "0");
    let class = code.and_then(|code| codes::receipt_class(code.parse().ok()?));
    // A word of the future says at least that it is there.
    let state = codes::state(status).unwrap_or(State::Accepted);
    let expired = status == "expired" && class.is_none();
    Ok(Event::Receipt(Receipt {
        reference: of("client-ref").map(str::to_owned),
        class: if expired { Some(Class::Expired) } else { class },
        code: code.map(str::to_owned),
        price_micros: of("price").and_then(micros),
        currency: Some(super::CURRENCY.to_owned()),
        ..Receipt::of(id, state)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_and_a_text_are_read_and_told_apart() {
        let receipt =
            br#"{"msisdn":"447700900000","to":"AcmeInc","messageId":"0A01","price":"0.03330000",
            "status":"failed","err-code":"9","client-ref":"0199-a","timestamp":1461605396}"#;
        let Event::Receipt(receipt) = event(&parameters(receipt).unwrap()).unwrap() else {
            panic!("no receipt");
        };
        assert_eq!((receipt.state, receipt.class), (State::Undelivered, Some(Class::OptedOut)));
        assert_eq!(receipt.reference.as_deref(), Some("0199-a"));
        assert_eq!(receipt.price_micros, Some(33_300));
        let text = br#"{"msisdn":"447700900001","to":"447700900000","messageId":"0B","text":"STOP",
            "type":"text","keyword":"STOP"}"#;
        let Event::Inbound(text) = event(&parameters(text).unwrap()).unwrap() else {
            panic!("no text");
        };
        assert_eq!((text.from.as_str(), text.text.as_str()), ("+447700900001", "STOP"));
        assert!(event(&[]).is_err());
        assert!(parameters(br#"{"a":{}}"#).is_err());
    }
}
