//! What is sent after a call: decided when it ends, for callers who said yes to it by key.

use std::time::Duration;

use super::{
    Call, Output, Record, TextRequest,
    desk::{Asked, Context},
    facts::Facts,
    offers::judge,
};
use crate::{
    flow::{
        model::{AfterCall, Flow, RuleId},
        rules::Truth,
    },
    hours::Waking,
    step::{destinations, text},
};

/// Purpose of the message and of its consent; never `link`, which is what a caller asked for.
const PURPOSE: &str = "follow_up";
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The same follow-up goes to the same number once in so many minutes.
const ONCE_IN_MINUTES: u32 = 24 * 60;

impl Call {
    /// Asks for every message that is to follow, and says why one that was agreed to does not.
    pub(super) fn follow_up(&mut self, now: Duration) {
        let flow = std::sync::Arc::clone(&self.flow);
        let agreed = std::mem::take(&mut self.state.progress.agreed);
        let mut asked_how = false;
        for after in &flow.after_call {
            let given = agreed.iter().find(|(name, _)| *name == after.needs_consent);
            let Some((_, asked)) = given else { continue };
            let name = after.name.clone();
            let due = match asked_how && after.asks_rating {
                true => Err("asked_already".to_owned()),
                false => due(after, asked, &mut self.context(now)),
            };
            let record = match due {
                Ok((text, Waking { from_ms, until_ms })) => {
                    asked_how |= after.asks_rating;
                    self.state.desk.push(Output::FollowUp { text, due_ms: from_ms, until_ms });
                    let due_ms = Some(from_ms).filter(|_| !after.asks_rating);
                    Record::FollowUp { name, due_ms, why_not: None }
                }
                Err(why) => Record::FollowUp { name, due_ms: None, why_not: Some(why) },
            };
            self.record(record);
        }
    }
}

/// The message with its time, or why there is none.
fn due(
    after: &AfterCall,
    asked: &Asked,
    context: &mut Context<'_>,
) -> Result<(TextRequest, Waking), String> {
    let at_ms = context.at_ms();
    let country = wanted(context.flow, after, context, at_ms)?;
    let (links, not_after_ms) = match after.links.as_slice() {
        [] => (Vec::new(), None),
        links => destinations::unasked(links, context)?,
    };
    let message = text::said(context, &after.message)?;
    let (flow, facts) = (context.flow, &*context.facts);
    let waking = match after.asks_rating {
        false => after.waking(at_ms, &country).ok_or("no_hour")?,
        // Nobody knows when a link is opened: until then it waits for longer than one may be.
        true => {
            after.waking(at_ms, &country).ok_or("no_hour")?;
            let opened_ms = i64::from(longest_link_hours(flow)) * HOUR_MS;
            let at_ms = at_ms + opened_ms + i64::from(after.delay_minutes) * 60_000 + 2 * DAY_MS;
            Waking { from_ms: at_ms, until_ms: at_ms + 1 }
        }
    };
    let until_ms = not_after_ms.map_or(waking.until_ms, |end| end.min(waking.until_ms));
    if until_ms <= waking.from_ms {
        return Err("link_ends_before".into());
    }
    let via = flow.carriers(&after.via, facts.intent.as_deref());
    if via.is_empty() && flow.needs_media(facts.intent.as_deref()) {
        return Err("no_media".into());
    }
    let request = TextRequest {
        step: format!("after_call.{}", after.name),
        to: context.progress.typed.clone(),
        offer: 0,
        via,
        links,
        not_after_ms,
        path: destinations::names(flow, &context.progress.path),
        message,
        language: facts.language.clone(),
        purpose: if after.asks_rating { TextRequest::RATING } else { PURPOSE }.into(),
        pressed: Some(asked.key),
        asked_in: asked.step.clone(),
        prompt: asked.prompt.clone(),
        accept_within_ms: 8_000,
        attempt_ms: 2_500,
        allow_one_duplicate: false,
        sent_when_queued: true,
        valid_minutes: u32::try_from((until_ms - at_ms) / 60_000).unwrap_or(1),
        repeat_after_minutes: ONCE_IN_MINUTES,
        max_segments: after.max_segments,
    };
    Ok((request, Waking { until_ms, ..waking }))
}

/// Links of the flow can be opened for so many hours at most.
fn longest_link_hours(flow: &Flow) -> u32 {
    flow.links.iter().map(|link| link.expires_hours).max().unwrap_or(0)
}

/// The country of the number it goes to, or what speaks against it.
fn wanted(
    flow: &Flow,
    after: &AfterCall,
    context: &Context<'_>,
    at_ms: i64,
) -> Result<String, String> {
    let (facts, typed) = (&*context.facts, context.progress.typed.as_ref());
    let intent = facts.intent.as_ref();
    if !after.when_intent.is_empty() && intent.is_none_or(|own| !after.when_intent.contains(own)) {
        return Err("intent".into());
    }
    if facts.wants_no_texts() && typed.is_none() {
        return Err("opted_out".into());
    }
    if facts.is_protected() {
        return Err("protected".into());
    }
    let own = facts.caller.as_deref().filter(|_| !facts.withheld);
    let to = typed.map(|number| number.0.as_str()).or(own).ok_or("withheld")?;
    // The text of the call goes to a number that the caller said is right.
    if facts.to_confirm && typed.is_none() && !context.progress.text_sent {
        return Err("number_not_confirmed".into());
    }
    against_rules(flow, facts, at_ms, &after.only_if, Truth::True, "only_if")?;
    against_rules(flow, facts, at_ms, &after.never_if, Truth::False, "never_if")?;
    let number = message_text::E164::parse(to, &facts.country);
    Ok(number.map_or_else(|_| String::new(), |number| number.region().to_owned()))
}

/// The first rule that is not as wanted.
fn against_rules(
    flow: &Flow,
    facts: &Facts,
    at_ms: i64,
    rules: &[RuleId],
    wanted: Truth,
    key: &str,
) -> Result<(), String> {
    let against = rules.iter().map(|rule| judge(flow, facts, at_ms, *rule));
    match against.into_iter().find(|(truth, _)| *truth != wanted) {
        Some((Truth::Unknown, rule)) => Err(format!("unknown:{rule}")),
        Some((_, rule)) => Err(format!("{key}:{rule}")),
        None => Ok(()),
    }
}
