//! A person who talks with the caller has a link sent (EX-30): by the feature code of the target, or
//! by the API. It is asked for aloud, and not by a key of the caller's; every other rule of texts
//! holds.

use std::{sync::Arc, time::Duration};

use super::{
    Call, OfferResponse, Output, Phase, Record, TextRequest,
    desk::Context,
    facts::NO_TEXTS,
    targets::{Forwarding, Stage},
};
use crate::{
    flow::model::{Does, Flow, StepId, Text},
    step::{destinations, text},
};

/// What consent and record name in place of a prompt and its key.
pub const AGENT_INITIATED: &str = "agent_initiated";
/// Stage of its offer.
const STAGE: &str = "agent";

impl Call {
    /// A link is to be sent now; what comes of it is recorded. `confirmed`: the caller has told the
    /// person that the number is right.
    pub(super) fn send_link(&mut self, now: Duration, confirmed: bool) {
        let flow = Arc::clone(&self.flow);
        let why_not = match self.agents_text(&flow) {
            Ok((step, text)) => {
                let name = &flow.steps[usize::from(step.0)].name;
                let asked = request(name, text, confirmed, &mut self.context(now));
                asked.map(|request| self.state.desk.push(Output::SendText(request))).err()
            }
            Err(why) => Some(why),
        };
        let (why_not, at_ms) = (why_not.map(str::to_owned), self.state.desk.at_ms(now));
        self.record(Record::SendLink { why_not, at_ms });
    }

    /// The text of the target that the caller is bridged to.
    fn agents_text<'f>(&self, flow: &'f Flow) -> Result<(StepId, &'f Text), &'static str> {
        let Phase::Forwarding(Forwarding {
            target,
            stage: Stage::Queued | Stage::Unheard | Stage::Talking,
        }) = &self.state.phase
        else {
            return Err("not_bridged");
        };
        let target = flow.targets.get(usize::from(target.0)).ok_or("no_link")?;
        let step = target.send_link.ok_or("no_link")?;
        match flow.steps.get(usize::from(step.0)).map(|step| &step.does) {
            Some(Does::Text(text)) => Ok((step, text)),
            _ => Err("no_link"),
        }
    }
}

/// The text, or what speaks against it. Nobody can be asked now: neither the caller for a number
/// nor a destination whether somebody is there.
fn request(
    step: &str,
    text: &Text,
    confirmed: bool,
    context: &mut Context<'_>,
) -> Result<TextRequest, &'static str> {
    let (facts, typed) = (&*context.facts, context.progress.typed.clone());
    if facts.is_protected() {
        return Err("protected");
    }
    // The node could not take the call through its flow, and has no more room for this.
    if facts.bypass.is_some() {
        return Err("bypassed");
    }
    if facts.no_texts {
        return Err(NO_TEXTS);
    }
    if facts.wants_no_texts() && typed.is_none() {
        return Err("opted_out");
    }
    if typed.is_none() {
        match (&facts.caller, facts.withheld, facts.can_receive_text) {
            (None, _, _) | (_, true, _) => return Err("withheld"),
            (Some(_), false, Some(false)) => return Err("not_textable"),
            (Some(_), false, Some(true) | None) => {}
        }
        // Nothing is played over a conversation, and no key of it is heard (decisions §3): it is sent
        // where the caller has said that the number is right, to the flow as with follow-ups, or to
        // the person who talks with them.
        if facts.to_confirm && !confirmed && !context.progress.text_sent {
            return Err("number_not_confirmed");
        }
    }
    let (links, not_after_ms) = destinations::unasked(&text.links, context)?;
    let message = text::said(context, &text.message)?;
    let (flow, facts) = (context.flow, &*context.facts);
    let (language, intent) = (facts.language.clone(), facts.intent.clone());
    let via = flow.carriers(&text.via, facts.intent.as_deref());
    if via.is_empty() && flow.needs_media(facts.intent.as_deref()) {
        return Err("no_media");
    }
    let path = destinations::names(flow, &context.progress.path);
    let (offer, offered_ms) = (context.desk.next_offer(), context.at_ms());
    context.desk.record(Record::Offer {
        n: offer,
        step: step.to_owned(),
        stage: STAGE.to_owned(),
        intent,
        offered_ms,
        response: OfferResponse::Accepted,
        pressed: None,
        reason: Some(AGENT_INITIATED.to_owned()),
    });
    Ok(TextRequest {
        step: step.to_owned(),
        to: typed,
        offer,
        via,
        links,
        not_after_ms,
        path,
        message,
        language,
        purpose: text.purpose.clone(),
        pressed: None,
        asked_in: AGENT_INITIATED.to_owned(),
        prompt: AGENT_INITIATED.to_owned(),
        accept_within_ms: text.accept_within_ms,
        attempt_ms: text.attempt_ms,
        allow_one_duplicate: text.allow_one_duplicate,
        sent_when_queued: text.sent_when_queued,
        valid_minutes: text.valid_minutes,
        repeat_after_minutes: text.repeat_after_minutes,
        max_segments: text.max_segments,
    })
}
