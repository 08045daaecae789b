//! What Twilio posts to us: receipts and texts.

use serde_json::Value;

use super::{WHATSAPP, codes, is_service};
use crate::provider::{Event, Inbound, Malformed, Receipt, State, form::field, hook::json};

/// What a form says that was posted to `what`; `query` is that of its address, which carries the
/// reference of a status callback.
pub(super) fn event(
    what: &str,
    query: &str,
    form: &[(String, String)],
) -> Result<Event, Malformed> {
    if what == "inbound" {
        return Ok(Event::Inbound(inbound(form)?));
    }
    let reference = query.split('&').find_map(|pair| pair.strip_prefix("message="));
    Ok(Event::Receipt(receipt(form, reference)?))
}

/// The fields of a JSON body, which have the names that those of a form have.
pub(super) fn fields(body: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let told: serde_json::Map<String, Value> = json(body)?;
    let field = |(name, value)| match value {
        Value::String(text) => Some((name, text)),
        Value::Number(number) => Some((name, number.to_string())),
        Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    Ok(told.into_iter().filter_map(field).collect())
}

fn receipt(form: &[(String, String)], reference: Option<&str>) -> Result<Receipt, Malformed> {
    let provider_id = field(form, "MessageSid").or_else(|| field(form, "SmsSid"));
    let provider_id = provider_id.ok_or(Malformed("no MessageSid"))?;
    let word = field(form, "MessageStatus").or_else(|| field(form, "SmsStatus"));
    let word = word.ok_or(Malformed("no MessageStatus"))?;
    let code = field(form, "ErrorCode").filter(|code| !code.is_empty() && *code != "0");
    Ok(Receipt {
        reference: reference.map(str::to_owned),
        class: code.map(|code| codes::class(0, code.parse().ok())),
        code: code.map(str::to_owned),
        // A word of the future says at least that it is there.
        ..Receipt::of(provider_id, codes::state(word).unwrap_or(State::Accepted))
    })
}

fn inbound(form: &[(String, String)]) -> Result<Inbound, Malformed> {
    // On WhatsApp numbers say so.
    let number = |name| field(form, name).map(|n| n.strip_prefix(WHATSAPP).unwrap_or(n).to_owned());
    Ok(Inbound {
        id: field(form, "MessageSid").map(str::to_owned),
        from: number("From").ok_or(Malformed("no From"))?,
        to: number("To").ok_or(Malformed("no To"))?,
        service: field(form, "MessagingServiceSid").filter(|id| is_service(id)).map(str::to_owned),
        text: field(form, "Body").unwrap_or_default().to_owned(),
        at_ms: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Class, form};

    #[test]
    fn a_status_callback_is_read() {
        let form =
            form(b"MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30006&To=%2B44").unwrap();
        let Event::Receipt(receipt) = event("status", "message=m1", &form).unwrap() else {
            panic!("no receipt");
        };
        assert_eq!(receipt.state, State::Undelivered);
        assert_eq!(receipt.class, Some(Class::NotTextable));
        assert_eq!(
            (receipt.provider_id.as_str(), receipt.reference.as_deref()),
            ("SM1", Some("m1"))
        );
        assert_eq!(event("status", "", &[]), Err(Malformed("no MessageSid")));
    }
}
