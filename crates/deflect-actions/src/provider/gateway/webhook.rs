//! How a gateway tells of messages: where in its JSON what stands.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Price, Signing, answer::parts, signing::Algorithm};
use crate::provider::{Class, Event, Inbound, Malformed, Posted, Receipt, State, form, hook};

/// How a gateway tells of messages. Places are JSON pointers into an event.
#[derive(Clone, PartialEq, Eq)]
pub struct Hooks {
    /// How it is proven.
    pub signing: Signing,
    /// The list of events, where it is inside an object; `None`: the body is the event, or the list.
    pub events_at: Option<String>,
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
    /// Parts on the bill.
    pub parts_at: Option<String>,
    /// What it cost.
    pub price: Price,
    /// Of a text to us: whom it is from.
    pub from_at: Option<String>,
    /// To which sender.
    pub to_at: Option<String>,
    /// What it says.
    pub text_at: Option<String>,
}

impl Hooks {
    /// The events of a webhook: one, or a list of them; a form is one.
    pub(super) fn events(&self, posted: &Posted<'_>) -> Result<Vec<Event>, Malformed> {
        if posted.is_form() {
            return Ok(vec![self.event(&self.fields(posted)?)?]);
        }
        let told: Value = hook::json(posted.body)?;
        let events = match &self.events_at {
            Some(place) => {
                told.pointer(place).ok_or(Malformed("no events stand at `events_at`"))?
            }
            None => &told,
        };
        match events {
            Value::Array(list) => list.iter().map(|event| self.event(event)).collect(),
            one => Ok(vec![self.event(one)?]),
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
            let (price_micros, currency) = self.price.of(event);
            return Ok(Event::Receipt(Receipt {
                reference,
                segments: parts(event, self.parts_at.as_deref()),
                price_micros,
                currency,
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
