//! What Twilio posts to us: receipts and texts.

use super::codes;
use crate::provider::{Receipt, State};

/// Fields of a form, at most.
const MAX_FIELDS: usize = 200;

/// A body that is not what it should be; answered with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// A text that somebody sent to one of our senders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// Who.
    pub from: String,
    /// To which of our numbers.
    pub to: String,
    /// What.
    pub text: String,
}

/// Reads `application/x-www-form-urlencoded`.
///
/// # Errors
/// When it is no such form.
pub fn form(body: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed("the form is not UTF-8"))?;
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let fields: Option<Vec<_>> = pairs
        .take(MAX_FIELDS + 1)
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(name)?, decoded(value)?))
        })
        .collect();
    match fields {
        Some(fields) if fields.len() <= MAX_FIELDS => Ok(fields),
        Some(_) => Err(Malformed("the form has too many fields")),
        None => Err(Malformed("the form is not well encoded")),
    }
}

/// Reads a status callback; `message_id` is the one of its address.
///
/// # Errors
/// When it names no message or no state.
pub fn receipt(form: &[(String, String)], message_id: Option<&str>) -> Result<Receipt, Malformed> {
    let provider_id = field(form, "MessageSid").or_else(|| field(form, "SmsSid"));
    let provider_id = provider_id.ok_or(Malformed("no MessageSid"))?;
    let word = field(form, "MessageStatus").or_else(|| field(form, "SmsStatus"));
    let word = word.ok_or(Malformed("no MessageStatus"))?;
    let code = field(form, "ErrorCode").filter(|code| !code.is_empty() && *code != "0");
    let class = code.map(|code| codes::class(0, code.parse().ok()));
    Ok(Receipt {
        provider_id: provider_id.to_owned(),
        message_id: message_id.map(str::to_owned),
        // A word of the future says at least that it is there.
        state: codes::state(word).unwrap_or(State::Accepted),
        class,
        code: code.map(str::to_owned),
    })
}

/// Reads an inbound text.
///
/// # Errors
/// When it is from nobody.
pub fn inbound(form: &[(String, String)]) -> Result<Inbound, Malformed> {
    let of = |name| field(form, name).map(str::to_owned);
    Ok(Inbound {
        from: of("From").ok_or(Malformed("no From"))?,
        to: of("To").ok_or(Malformed("no To"))?,
        text: of("Body").unwrap_or_default(),
    })
}

fn field<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    form.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_callback_is_read() {
        let form =
            form(b"MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30006&To=%2B44").unwrap();
        let receipt = receipt(&form, Some("m1")).unwrap();
        assert_eq!(receipt.state, State::Undelivered);
        assert_eq!(receipt.class, Some(crate::provider::Class::NotTextable));
        assert_eq!(
            (receipt.provider_id.as_str(), receipt.message_id.as_deref()),
            ("SM1", Some("m1"))
        );
    }

    #[test]
    fn a_form_is_decoded_or_refused() {
        let fields = form(b"a=1+2&b=%2B%C3%A9&c&").unwrap();
        let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(fields, [("a", "1 2"), ("b", "+é"), ("c", "")]);
        for broken in [&b"a=%"[..], b"a=%4", b"a=%zz", b"a=%ff", b"\xff=1"] {
            assert!(form(broken).is_err(), "{broken:?}");
        }
        assert!(form("a=1&".repeat(500).as_bytes()).is_err());
        assert_eq!(receipt(&[], None), Err(Malformed("no MessageSid")));
    }
}
