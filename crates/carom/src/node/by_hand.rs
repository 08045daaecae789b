//! A text that the operator sends to a phone of their own: a test call without a call.

use deflect_actions::{
    store::CallStarted,
    text::{TextOrder, TextOutcome},
};
use message_text::{E164, MAX_SEGMENTS, NumberProblem};

use super::{desk::Desk, on_paper};
use crate::control::{Reply, TextOrdered};

impl Desk {
    /// Sends the text, with a consent row that says who wanted it.
    pub(super) async fn text_by_hand(&self, wanted: TextOrdered, who: &str) -> Reply {
        let snapshot = self.snapshot.load_full();
        let to = match wanted.to.parse::<E164>() {
            Ok(to) => to,
            Err(NumberProblem::Withheld | NumberProblem::Short | NumberProblem::Invalid) => {
                let why = format!("`{}` is no number such as +447700900123", wanted.to);
                return Reply::Error(why);
            }
        };
        let known = |name: &String| snapshot.texts.senders.iter().any(|s| s.name == *name);
        if let Some(name) = wanted.via.iter().find(|name| !known(name)) {
            return Reply::Error(format!("there is no `[sender.{name}]`"));
        }
        // Whose the first of the named senders is.
        let first = wanted.via.first();
        let mut senders = snapshot.texts.senders.iter();
        let of = senders.find(|sender| Some(&sender.name) == first);
        let of = of.and_then(|sender| sender.business.as_deref());
        let Some(business) = snapshot.config.business(of) else {
            return Reply::Error("there is no `[business.X]`".into());
        };
        if let Err(error) = self.services.store.audit(who, "text", &to.masked()).await {
            return Reply::Error(format!("not sent: the store does not answer: {error}"));
        }
        let keys = self.services.caller_keys(&business.key, &to);
        let call = on_paper::started("trunk", None, &business.key, &to, &snapshot, keys);
        let ended = on_paper::ended(&call, "test_call");
        let order = order(call, to, wanted, &business.brand);
        let outcome = self.services.texts.send(order).await;
        self.services.store(ended);
        told(&outcome)
    }
}

fn order(call: CallStarted, to: E164, wanted: TextOrdered, brand: &str) -> TextOrder {
    TextOrder {
        // Each is a text of its own, however often it is sent.
        step: format!("by-hand-{}", call.call_id),
        offer: None,
        to: Ok(to),
        via: wanted.via,
        text: wanted.text,
        brand: brand.to_owned(),
        link: None,
        link_token: None,
        page: None,
        ordered: None,
        not_after_ms: None,
        language: String::new(),
        asked_in: "carom text".to_owned(),
        purpose: "by-hand".to_owned(),
        links: Vec::new(),
        topic: String::new(),
        pressed: None,
        prompt_id: "carom text".to_owned(),
        prompt_hash: String::new(),
        accept_within_ms: 8_000,
        attempt_ms: 2_500,
        allow_one_duplicate: false,
        valid_minutes: 15,
        repeat_after_minutes: 0,
        max_segments: MAX_SEGMENTS,
        call,
    }
}

fn told(outcome: &TextOutcome) -> Reply {
    match outcome {
        TextOutcome::Accepted { sender } => Reply::Done(format!("accepted, by {sender}")),
        TextOutcome::Queued => Reply::Done("queued: no provider has it yet".into()),
        TextOutcome::Ambiguous => Reply::Done("written and not answered: it may arrive".into()),
        TextOutcome::Failed { class } => Reply::Error(format!("not sent: {class}")),
        TextOutcome::OptedOut => Reply::Error("not sent: the number wants no texts".into()),
        TextOutcome::Limited { rule } => Reply::Error(format!("not sent: the limit {rule}")),
        TextOutcome::NotTextable { reason } => Reply::Error(format!("not sent: {reason}")),
        TextOutcome::Duplicate => Reply::Error("not sent: it was sent a moment ago".into()),
    }
}
