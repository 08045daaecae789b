//! `text`: sends a message to the caller's number and says only what is true about it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Exit, Leave, Next, Turn,
    destinations::{self, Destination, Destinations},
    template::fill,
};
use crate::{
    call::{
        Facts, Input, OfferResponse, Output, Record, TextOutcome, TextRequest,
        desk::{Asked, Context, Playback},
    },
    flow::model::{ConfirmNumber, Go, PromptItem, PromptList, Text},
};

/// The service keeps the budget itself; this much later it is taken for dead.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// A text on its way, then what the caller is told about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Sending {
    /// Until it is known whether somebody is there where it leads.
    Checking { asked: Asked, offer: u32, prompt: Option<Playback>, until: Duration },
    /// Until the outcome is known and "one moment" is over.
    Waiting {
        prompt: Option<Playback>,
        outcome: Option<TextOutcome>,
        queued: bool,
        until: Duration,
    },
    /// Until the caller has heard it.
    Telling { prompt: Playback, verdict: Verdict },
}

/// What became of the text, as the caller must hear it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    Sent { note: Option<String> },
    Unsure { note: String },
    Failed { note: String },
    OptedOut,
    Limited { rule: String },
}

/// No text without a caller who asked for it by key (EX-29): leaves, without a sound.
pub(crate) fn refuse(text: &Text, context: &Context<'_>) -> Option<Leave> {
    let unasked = context.progress.asked.is_none();
    unasked.then(|| Leave::failed(text.if_fails, "not_asked_for"))
}

impl Sending {
    pub fn begin(step: &str, text: &Text, context: &mut Context<'_>) -> Result<Self, Leave> {
        let Some(asked) = context.progress.asked.take() else {
            return Err(Leave::failed(text.if_fails, "not_asked_for"));
        };
        let offer = asked.offer.unwrap_or_else(|| imply_offer(step, &asked, context));
        if let Some(verdict) = unwanted(text, context.facts) {
            return Self::tell(verdict, text, context);
        }
        match destinations::find(step, text, context, true) {
            Destinations::By(until) => {
                let prompt = text.wait_prompt.as_ref().and_then(|list| context.play(list, false));
                Ok(Self::Checking { asked, offer, prompt, until })
            }
            Destinations::Nowhere(why) => {
                Self::tell(Verdict::Failed { note: why.into() }, text, context)
            }
            Destinations::Known(links) => {
                let request = match request(step, text, asked, offer, links, context) {
                    Ok(request) => request,
                    Err(verdict) => return Self::tell(verdict, text, context),
                };
                context.desk.push(Output::SendText(request));
                let prompt = text.wait_prompt.as_ref().and_then(|list| context.play(list, false));
                Ok(Self::waiting(text, prompt, None, context))
            }
        }
    }

    fn waiting(
        text: &Text,
        prompt: Option<Playback>,
        outcome: Option<TextOutcome>,
        context: &Context<'_>,
    ) -> Self {
        let until = context.now + ms(text.accept_within_ms) + GRACE;
        Self::Waiting { prompt, outcome, queued: false, until }
    }

    /// Those who were asked have answered, or it is too late.
    fn checked(&mut self, step: &str, text: &Text, context: &mut Context<'_>) -> Turn {
        let Self::Checking { asked, offer, prompt, until } = self else { return Turn::Stay };
        let failed = |why: &str| Some(TextOutcome::Failed { class: why.to_owned() });
        let outcome = match destinations::find(step, text, context, false) {
            Destinations::By(later) => {
                *until = later;
                return Turn::Stay;
            }
            Destinations::Nowhere(why) => failed(why),
            Destinations::Known(links) => {
                match request(step, text, asked.clone(), *offer, links, context) {
                    Ok(request) => {
                        context.desk.push(Output::SendText(request));
                        None
                    }
                    Err(Verdict::Failed { note }) => failed(&note),
                    Err(_) => failed("link_missing"),
                }
            }
        };
        *self = Self::waiting(text, prompt.take(), outcome, context);
        self.tell_when_known(text, context)
    }

    pub fn handle_input(
        &mut self,
        step: &str,
        text: &Text,
        context: &mut Context<'_>,
        input: &Input,
    ) -> Turn {
        if let Input::Key(key) = input {
            context.keys.push(*key);
        }
        match self {
            Self::Telling { prompt, verdict } => match prompt.input(input) {
                // Whether it was heard or not: what follows is right for the verdict.
                Some(_) => Turn::Leave(verdict.leave(text)),
                None => Turn::Stay,
            },
            Self::Checking { prompt, .. } => {
                if prompt.as_ref().is_some_and(|prompt| prompt.input(input).is_some()) {
                    *prompt = None;
                }
                match input {
                    Input::Fetched { .. } => self.checked(step, text, context),
                    _ => Turn::Stay,
                }
            }
            Self::Waiting { prompt, outcome, queued, .. } => {
                if prompt.as_ref().is_some_and(|prompt| prompt.input(input).is_some()) {
                    *prompt = None;
                }
                match input {
                    Input::Text(TextOutcome::Queued) if !text.sent_when_queued => *queued = true,
                    Input::Text(came) if outcome.is_none() => *outcome = Some(came.clone()),
                    _ => {}
                }
                self.tell_when_known(text, context)
            }
        }
    }

    pub fn handle_timeout(&mut self, step: &str, text: &Text, context: &mut Context<'_>) -> Turn {
        let now = context.now;
        match self {
            Self::Telling { prompt, verdict } => match prompt.timeout(now) {
                Some(_) => Turn::Leave(verdict.leave(text)),
                None => Turn::Stay,
            },
            Self::Checking { until, .. } if *until <= now => self.checked(step, text, context),
            Self::Checking { .. } => Turn::Stay,
            Self::Waiting { prompt, outcome, until, .. } => {
                if prompt.as_ref().is_some_and(|prompt| prompt.timeout(now).is_some()) {
                    *prompt = None;
                }
                // Nobody knows: written or not, it may still arrive.
                if *until <= now && outcome.is_none() {
                    *outcome = Some(TextOutcome::Ambiguous);
                }
                self.tell_when_known(text, context)
            }
        }
    }

    pub fn poll_timeout(&self) -> Duration {
        match self {
            Self::Checking { until, .. } => *until,
            Self::Telling { prompt, .. } => prompt.poll_timeout(),
            Self::Waiting { prompt: Some(prompt), outcome: Some(_), .. } => prompt.poll_timeout(),
            Self::Waiting { prompt: Some(prompt), outcome: None, until, .. } => {
                prompt.poll_timeout().min(*until)
            }
            Self::Waiting { prompt: None, until, .. } => *until,
        }
    }

    fn tell_when_known(&mut self, text: &Text, context: &mut Context<'_>) -> Turn {
        let Self::Waiting { prompt: None, outcome: Some(outcome), queued, .. } = self else {
            return Turn::Stay;
        };
        let verdict = Verdict::of(outcome, *queued);
        if matches!(verdict, Verdict::Sent { .. }) {
            context.progress.text_sent = true;
        }
        if verdict == Verdict::OptedOut {
            context.facts.opted_out = true;
        }
        match Self::tell(verdict, text, context) {
            Ok(telling) => {
                *self = telling;
                Turn::Stay
            }
            Err(leave) => Turn::Leave(leave),
        }
    }

    /// Plays what fits the verdict; leaves at once where the flow says it itself.
    fn tell(verdict: Verdict, text: &Text, context: &mut Context<'_>) -> Result<Self, Leave> {
        let built_in;
        let prompts: Option<&PromptList> = match &verdict {
            Verdict::Sent { .. } => text.sent_prompt.as_ref(),
            Verdict::Unsure { .. } => Some(&text.unsure_prompt),
            Verdict::Failed { .. } | Verdict::Limited { .. } => text.failed_prompt.as_ref(),
            // the caller hears why; from the step named, else from us.
            Verdict::OptedOut if matches!(text.if_opted_out, Some(Go::Step(_))) => None,
            Verdict::OptedOut => {
                built_in = vec![PromptItem::Sound("you-opted-out".into())];
                Some(&built_in)
            }
        };
        match prompts.and_then(|prompts| context.play(prompts, false)) {
            Some(prompt) => Ok(Self::Telling { prompt, verdict }),
            None => Err(verdict.leave(text)),
        }
    }
}

impl Verdict {
    fn of(outcome: &TextOutcome, queued: bool) -> Self {
        match outcome {
            TextOutcome::Accepted { sender } => {
                Self::Sent { note: Some(format!("accepted:{sender}")) }
            }
            TextOutcome::Queued => Self::Sent { note: Some("queued".into()) },
            TextOutcome::Duplicate => Self::Sent { note: Some("duplicate".into()) },
            TextOutcome::Ambiguous if queued => Self::Unsure { note: "queued".into() },
            TextOutcome::Ambiguous => Self::Unsure { note: "ambiguous".into() },
            TextOutcome::Failed { class } => Self::Failed { note: format!("failed:{class}") },
            TextOutcome::NotTextable { reason } => {
                Self::Failed { note: format!("not_textable:{reason}") }
            }
            TextOutcome::OptedOut => Self::OptedOut,
            TextOutcome::Limited { rule } => Self::Limited { rule: rule.clone() },
        }
    }

    fn leave(&self, text: &Text) -> Leave {
        match self {
            Self::Sent { note } => {
                Leave { note: note.clone(), ..Leave::by(Exit::Next, Next::Go(text.then)) }
            }
            Self::Unsure { note } => Leave::failed(text.if_ambiguous.or(text.if_fails), note),
            Self::Failed { note } => Leave::failed(text.if_fails, note),
            Self::OptedOut => Leave::failed(text.if_opted_out.or(text.if_fails), "opted_out"),
            Self::Limited { rule } => {
                Leave::failed(text.if_limited.or(text.if_fails), format!("limited:{rule}"))
            }
        }
    }
}

/// A menu's key that leads to a text is an offer made and accepted (decisions §3).
fn imply_offer(step: &str, asked: &Asked, context: &mut Context<'_>) -> u32 {
    let n = context.desk.next_offer();
    let offered_ms = context.at_ms();
    context.desk.record(Record::Offer {
        n,
        step: step.into(),
        stage: "menu".into(),
        intent: context.facts.intent.clone(),
        offered_ms,
        response: OfferResponse::Accepted,
        pressed: Some(asked.key),
        reason: None,
    });
    n
}

/// Why there can be no text, whatever it says.
fn unwanted(text: &Text, facts: &Facts) -> Option<Verdict> {
    let failed = |note: &str| Some(Verdict::Failed { note: note.into() });
    if facts.wants_no_texts() {
        return Some(Verdict::OptedOut);
    }
    if facts.caller.is_none() || facts.withheld {
        return failed("withheld");
    }
    if facts.can_receive_text == Some(false) {
        return failed("not_textable");
    }
    if text.confirm_number == ConfirmNumber::Always {
        return failed("number_not_confirmed");
    }
    None
}

/// The text to send, or why there can be none.
fn request(
    step: &str,
    text: &Text,
    asked: Asked,
    offer: u32,
    links: Vec<Destination>,
    context: &mut Context<'_>,
) -> Result<TextRequest, Verdict> {
    let failed = |note: &str| Err(Verdict::Failed { note: note.into() });
    let (links, not_after_ms) = destinations::resolved(links, context);
    let (flow, facts) = (context.flow, &*context.facts);
    let template = text.message.get(&facts.language).or_else(|| text.message.get(""));
    let Some(message) = template.and_then(|template| {
        fill(template, |name| facts.field(name), |value| Some(value.to_owned()))
    }) else {
        return failed("message_missing");
    };
    let via = if text.via.is_empty() { &flow.senders } else { &text.via };
    Ok(TextRequest {
        step: step.into(),
        offer,
        via: via.clone(),
        links,
        not_after_ms,
        path: destinations::names(flow, &context.progress.path),
        message,
        language: facts.language.clone(),
        purpose: text.purpose.clone(),
        pressed: Some(asked.key),
        asked_in: asked.step,
        prompt: asked.prompt,
        accept_within_ms: text.accept_within_ms,
        attempt_ms: text.attempt_ms,
        allow_one_duplicate: text.allow_one_duplicate,
        sent_when_queued: text.sent_when_queued,
        valid_minutes: text.valid_minutes,
        repeat_after_minutes: text.repeat_after_minutes,
    })
}

fn ms(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}
