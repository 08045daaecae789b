//! The text that a step asks for: whom it goes to, what it says, and what is known of it when it was accepted.

use std::collections::BTreeMap;

use message_text::{E164, Encoding, gsm7, segments};

use super::{Order, Verdict};
use crate::{
    call::{ResolvedLink, TextOutcome, TextRequest, desk::Context},
    flow::{
        Sender,
        model::{Flow, Level, Link, Text},
    },
    step::{
        check,
        destinations::{self, Destination},
        template::fill,
    },
};

/// The number that a text came from, where it is one.
pub(crate) const FROM: &str = "text_from";
/// Known where a text bears a name instead of a number.
pub(crate) const NAMED: &str = "text_by_name";
/// How long its link is good: minutes where that is less than a day, known where it is one day, whole
/// days. None is known of one that is good as long as its page is.
pub(crate) const MINUTES: &str = "text_valid_minutes";
pub(crate) const ONE_DAY: &str = "text_valid_a_day";
pub(crate) const DAYS: &str = "text_valid_days";
/// What is known of a text that was accepted.
pub(crate) const KNOWN: [&str; 5] = [FROM, NAMED, MINUTES, ONE_DAY, DAYS];
const DAY: i64 = 24 * 60;
/// Characters of a name that texts come from (3GPP TS 23.040 §9.1.2.5).
const LONGEST_NAME: usize = 11;

/// The text to send, or why there can be none.
pub(super) fn request(
    step: &str,
    text: &Text,
    order: &Order,
    links: Vec<Destination>,
    context: &mut Context<'_>,
) -> Result<TextRequest, Verdict> {
    let Order { asked, offer } = order;
    let (links, not_after_ms) = destinations::resolved(links, context);
    let minutes = good_for(context.flow, &links, not_after_ms.map(|at| at - context.at_ms()));
    let valid = |says: bool, n: i64| if says { n.to_string() } else { String::new() };
    let minutes = minutes.unwrap_or_default();
    let days = minutes / DAY;
    context.facts.learn(MINUTES, &valid(minutes > 0 && days == 0, minutes), false);
    context.facts.learn(ONE_DAY, &valid(days == 1, days), false);
    context.facts.learn(DAYS, &valid(days > 1, days), false);
    let message = said(context, &text.message).map_err(Verdict::failed)?;
    let (flow, facts) = (context.flow, &*context.facts);
    let via = flow.carriers(&text.via, facts.intent.as_deref());
    if via.is_empty() && flow.needs_media(facts.intent.as_deref()) {
        return Err(Verdict::failed("no_media"));
    }
    Ok(TextRequest {
        step: step.into(),
        to: context.recipient().cloned(),
        offer: *offer,
        via,
        links,
        not_after_ms,
        path: destinations::names(flow, &context.progress.path),
        message,
        language: facts.language.clone(),
        purpose: text.purpose.clone(),
        pressed: Some(asked.key),
        asked_in: asked.step.clone(),
        prompt: asked.prompt.clone(),
        accept_within_ms: text.accept_within_ms,
        attempt_ms: text.attempt_ms,
        allow_one_duplicate: text.allow_one_duplicate,
        sent_when_queued: text.sent_when_queued,
        valid_minutes: text.valid_minutes,
        repeat_after_minutes: text.repeat_after_minutes,
        max_segments: text.max_segments,
    })
}

/// How long what a text leads to is there, minutes; `None`: as long as the page itself, or too short
/// to be told.
fn good_for(flow: &Flow, links: &[ResolvedLink], left_ms: Option<i64>) -> Option<i64> {
    let known = |link: &ResolvedLink| flow.links.iter().find(|known| known.name == link.name);
    let ours = links.len() > 1 || links.iter().filter_map(known).any(Link::has_page);
    let page = links.iter().filter_map(known).map(|link| i64::from(link.expires_hours) * 60).min();
    let left = left_ms.map(|ms| ms / 60_000);
    [page.filter(|_| ours), left].into_iter().flatten().min().filter(|minutes| *minutes > 0)
}

/// Whom the text shows as its sender, and how long its link is good: of one that was accepted now.
/// One that went out a moment ago, or goes out later, may be another's, and its link older.
pub(super) fn learn_sender(outcome: &TextOutcome, context: &mut Context<'_>) {
    let sender = match outcome {
        TextOutcome::Accepted { sender } => {
            context.flow.senders.iter().find(|known| known.name == *sender)
        }
        _ => {
            for field in [MINUTES, ONE_DAY, DAYS] {
                context.facts.learn(field, "", false);
            }
            None
        }
    };
    let number =
        sender.filter(|sender| sender.channel == "sms" && E164::parse(&sender.from, "").is_ok());
    // A short code is neither, nor the id of a service that picks one of many numbers.
    let is_name = |from: &str| from.len() <= LONGEST_NAME && from.chars().any(char::is_alphabetic);
    let is_named = |sender: &&Sender| sender.channel != "sms" || is_name(&sender.from);
    let named = sender.filter(is_named).map_or("", |_| "yes");
    let number = number.map_or("", |sender| sender.from.as_str());
    context.facts.learn(FROM, number, false);
    context.facts.learn(NAMED, named, false);
}

/// A message in the language of the call, its fields filled in; `Err`: why there is none. Account
/// data is for those who proved who they are. What a field holds makes no text UCS-2 whose own words
/// are not, and so none longer than the linter counted (E09).
pub(crate) fn said(
    context: &Context<'_>,
    message: &BTreeMap<String, String>,
) -> Result<String, &'static str> {
    const MISSING: &str = "message_missing";
    let (flow, facts) = (context.flow, &*context.facts);
    let template = message.get(&facts.language).or_else(|| message.get("")).ok_or(MISSING)?;
    if context.level() < Level::L2 && check::holds_account_data(flow, template) {
        return Err(check::NOT_PROVED);
    }
    let write = match segments(template).encoding {
        Encoding::Gsm7 => gsm7::fit,
        Encoding::Latin1 | Encoding::Ucs2 => str::to_owned,
    };
    fill(template, |name| facts.field(name), |value| Some(write(value))).ok_or(MISSING)
}
