//! How a gateway tells of messages: where in its JSON what stands, and how it is signed.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::Hmac;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::plivo;
use crate::provider::{
    Class, Event, Inbound, Malformed, Posted, Receipt, Refused, State, form, hook, mac::hmac,
};

/// What a webhook is proven by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// The secret itself.
    Token,
    /// HMAC-SHA1 over the body, in hex or base64.
    HmacSha1,
    /// HMAC-SHA256.
    HmacSha256,
    /// HMAC-SHA512.
    HmacSha512,
    /// Plivo's, over the address.
    Plivo(plivo::Version),
}

/// How webhooks are signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Signing {
    /// What stands in the header.
    pub algorithm: Algorithm,
    /// Header of the signature.
    pub header: String,
    /// Header of the moment, in seconds since 1970, that is signed before a point and the body.
    pub timestamp_header: Option<String>,
    /// The secret.
    pub secret: String,
}

/// How a gateway tells of messages. Places are JSON pointers into an event.
#[derive(Clone, PartialEq, Eq)]
pub struct Hooks {
    /// How it is proven.
    pub signing: Signing,
    /// The gateway's id of the message.
    pub id_at: Option<String>,
    /// Our reference.
    pub reference_at: Option<String>,
    /// What became of it.
    pub state_at: Option<String>,
    /// Its words for that.
    pub states: BTreeMap<String, State>,
    /// Why it failed.
    pub code_at: Option<String>,
    /// Its codes for that.
    pub codes: BTreeMap<String, Class>,
    /// Of a text to us: whom it is from.
    pub from_at: Option<String>,
    /// To which sender.
    pub to_at: Option<String>,
    /// What it says.
    pub text_at: Option<String>,
}

impl Signing {
    /// Whether the webhook is the gateway's.
    ///
    /// # Errors
    /// When it is not.
    pub(super) fn verify(&self, posted: &Posted<'_>) -> Result<(), Refused> {
        let claimed = posted.header(&self.header).ok_or(Refused::Untrusted)?;
        if let Algorithm::Plivo(version) = self.algorithm {
            return self.verify_plivo(version, posted, claimed);
        }
        let mut signed = Vec::new();
        if let Some(header) = &self.timestamp_header {
            let at = posted.header(header).ok_or(Refused::Untrusted)?;
            let at_ms = at.parse::<i64>().ok().and_then(|at| at.checked_mul(1_000));
            if !at_ms.is_some_and(|at_ms| posted.is_fresh(at_ms)) {
                return Err(Refused::Untrusted);
            }
            signed.extend_from_slice(at.as_bytes());
            signed.push(b'.');
        }
        signed.extend_from_slice(posted.body);
        if self.proves(claimed, &signed) { Ok(()) } else { Err(Refused::Untrusted) }
    }

    fn verify_plivo(
        &self,
        version: plivo::Version,
        posted: &Posted<'_>,
        claimed: &str,
    ) -> Result<(), Refused> {
        let nonce = posted.header(version.nonce_header()).ok_or(Refused::Untrusted)?;
        let base = posted.public_url.ok_or(Refused::Untrusted)?;
        // What is no form cannot have been signed as one.
        let form = form(posted.body).map_err(|_| Refused::Untrusted)?;
        let url = format!("{base}{}", posted.path);
        let genuine = version.is_genuine(&self.secret, &url, &form, nonce, claimed);
        if genuine { Ok(()) } else { Err(Refused::Untrusted) }
    }

    fn proves(&self, claimed: &str, signed: &[u8]) -> bool {
        let tag = match self.algorithm {
            Algorithm::Token => {
                let claimed = claimed.strip_prefix("Bearer ").unwrap_or(claimed);
                return claimed.as_bytes().ct_eq(self.secret.as_bytes()).into();
            }
            Algorithm::HmacSha1 => hmac::<Hmac<Sha1>>(&self.secret, signed),
            Algorithm::HmacSha256 => hmac::<Hmac<Sha256>>(&self.secret, signed),
            Algorithm::HmacSha512 => hmac::<Hmac<Sha512>>(&self.secret, signed),
            // It is not over the body.
            Algorithm::Plivo(_) => return false,
        };
        // Some name the algorithm first, as in `sha256=…`.
        let bare =
            claimed.split_once('=').filter(|(name, rest)| name.len() < 8 && !rest.is_empty());
        let spellings = [claimed, bare.map_or(claimed, |(_, rest)| rest)];
        let read = |text: &str| hex::decode(text).or_else(|_| STANDARD.decode(text)).ok();
        spellings.into_iter().filter_map(read).any(|claimed| tag.ct_eq(&claimed).into())
    }
}

impl Hooks {
    /// The events of a webhook: one, or a list of them; a form is one.
    pub(super) fn events(&self, posted: &Posted<'_>) -> Result<Vec<Event>, Malformed> {
        if posted.is_form() {
            return Ok(vec![self.event(&self.fields(posted)?)?]);
        }
        match hook::json::<Value>(posted.body)? {
            Value::Array(list) => list.iter().map(|event| self.event(event)).collect(),
            one => Ok(vec![self.event(&one)?]),
        }
    }

    /// A form as a document, and beside it what stands in the address where that is proven as well
    /// as the form.
    fn fields(&self, posted: &Posted<'_>) -> Result<Value, Malformed> {
        let mut fields = form(posted.body)?;
        if matches!(self.signing.algorithm, Algorithm::Plivo(_)) {
            let mut queried = form(posted.query().as_bytes())?;
            queried.append(&mut fields);
            fields = queried;
        }
        Ok(Value::Object(fields.into_iter().map(|(name, value)| (name, value.into())).collect()))
    }

    fn event(&self, event: &Value) -> Result<Event, Malformed> {
        let at = |place: &Option<String>| text_at(event, place.as_deref()?);
        if let Some(word) = at(&self.state_at) {
            let (id, reference) = (at(&self.id_at), at(&self.reference_at));
            if id.is_none() && reference.is_none() {
                return Err(Malformed("it names no message"));
            }
            // A word that is not listed says at least that it is there.
            let state = self.states.get(&word).copied().unwrap_or(State::Accepted);
            let failed = matches!(state, State::Failed | State::Undelivered);
            let id = id.or_else(|| reference.clone()).unwrap_or_default();
            let code = at(&self.code_at);
            let class = code.as_ref().and_then(|code| self.codes.get(code)).copied();
            return Ok(Event::Receipt(Receipt {
                reference,
                class: failed.then_some(class.unwrap_or(Class::Unknown)),
                code: failed.then(|| code.unwrap_or(word)),
                ..Receipt::of(id, state)
            }));
        }
        Ok(Event::Inbound(Inbound {
            id: at(&self.id_at),
            from: at(&self.from_at)
                .map(international)
                .ok_or(Malformed("it is neither a receipt nor a text"))?,
            to: at(&self.to_at).unwrap_or_default(),
            service: None,
            text: at(&self.text_at).unwrap_or_default(),
            at_ms: None,
        }))
    }
}

/// A number as some write it, without the `+` before its country code.
fn international(number: String) -> String {
    let bare = !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
    if bare { format!("+{number}") } else { number }
}

/// A text or a number at a place of a document, as text.
pub(super) fn text_at(document: &Value, pointer: &str) -> Option<String> {
    match document.pointer(pointer)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
