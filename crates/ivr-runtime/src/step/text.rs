//! `text`: sends a message to the caller's number and says only what is true about it.

mod order;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use self::order::{DAYS, FROM, KNOWN, MINUTES, NAMED, ONE_DAY, said};
use self::order::{learn_sender, request};
use super::{
    Exit, Leave, Next, Turn,
    destinations::{self, Destinations},
    number::{self, Answer, Asking, Wanted},
};
use crate::{
    call::{
        Input, NO_TEXTS, OfferResponse, Output, Record, TextOutcome,
        desk::{Asked, Context, Playback},
    },
    flow::model::{ConfirmNumber, Go, PromptItem, PromptList, Text},
};

/// The service keeps the budget itself; this much later it is taken for dead.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// A text on its way, then what the caller is told about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Sending {
    /// Until it is known which number it goes to.
    Asking { asking: Asking, order: Order },
    /// Until it is known whether somebody is there where it leads.
    Checking { order: Order, prompt: Option<Playback>, until: Duration },
    /// Until the outcome is known and "one moment" is over.
    Waiting {
        prompt: Option<Playback>,
        outcome: Option<TextOutcome>,
        until: Duration,
        order: Order,
    },
    /// Until the caller has heard it.
    Telling { prompt: Playback, verdict: Verdict },
}

/// The key that asked for the text, and the offer it fulfils.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    asked: Asked,
    offer: u32,
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
        let order = Order { asked, offer };
        if context.facts.wants_no_texts() {
            return Self::tell(Verdict::OptedOut, text, context);
        }
        if context.facts.no_texts {
            return Self::tell(Verdict::failed(NO_TEXTS), text, context);
        }
        let wanted = number::wanted(text, context.facts, context.progress.typed.as_ref());
        match (wanted, &text.ask) {
            (Wanted::Known, _) => Self::check(step, text, order, context),
            (Wanted::Confirmed, Some(ask)) => {
                Ok(Self::Asking { asking: Asking::own(ask, context), order })
            }
            (Wanted::Typed, Some(ask)) => {
                // A number that is withheld is none; another one takes no texts.
                let refused = context.facts.caller.is_some() && !context.facts.withheld;
                match Asking::other(ask, refused, false, context) {
                    Some(asking) => Ok(Self::Asking { asking, order }),
                    None => Self::tell(Verdict::failed("no_number"), text, context),
                }
            }
            (Wanted::None(why), _) => Self::tell(Verdict::failed(why), text, context),
            (Wanted::Confirmed | Wanted::Typed, None) => {
                Self::tell(Verdict::failed("no_number"), text, context)
            }
        }
    }

    /// The number is known: sends it, or finds out first whether somebody is there where it leads.
    fn check(
        step: &str,
        text: &Text,
        order: Order,
        context: &mut Context<'_>,
    ) -> Result<Self, Leave> {
        match destinations::find(step, text, context, true) {
            Destinations::By(until) => {
                let prompt = text.wait_prompt.as_ref().and_then(|list| context.play(list, false));
                Ok(Self::Checking { order, prompt, until })
            }
            Destinations::Nowhere(why) => Self::tell(Verdict::failed(why), text, context),
            Destinations::Known(links) => {
                let request = match request(step, text, &order, links, context) {
                    Ok(request) => request,
                    Err(verdict) => return Self::tell(verdict, text, context),
                };
                context.desk.push(Output::SendText(request));
                let prompt = text.wait_prompt.as_ref().and_then(|list| context.play(list, false));
                Ok(Self::waiting(text, order, prompt, None, context))
            }
        }
    }

    /// The caller is asked for a number now.
    pub fn asks(&self) -> bool {
        matches!(self, Self::Asking { .. })
    }

    /// What becomes of it is not known yet.
    pub fn waits(&self) -> bool {
        matches!(self, Self::Checking { .. } | Self::Waiting { .. })
    }

    fn waiting(
        text: &Text,
        order: Order,
        prompt: Option<Playback>,
        outcome: Option<TextOutcome>,
        context: &Context<'_>,
    ) -> Self {
        let until = context.now + ms(text.accept_within_ms) + GRACE;
        Self::Waiting { prompt, outcome, until, order }
    }

    /// Those who were asked have answered, or it is too late.
    fn checked(&mut self, step: &str, text: &Text, context: &mut Context<'_>) -> Turn {
        let Self::Checking { order, prompt, until } = self else { return Turn::Stay };
        let failed = |why: &str| Some(TextOutcome::Failed { class: why.to_owned() });
        let outcome = match destinations::find(step, text, context, false) {
            Destinations::By(later) => {
                *until = later;
                return Turn::Stay;
            }
            Destinations::Nowhere(why) => failed(why),
            Destinations::Known(links) => match request(step, text, order, links, context) {
                Ok(request) => {
                    context.desk.push(Output::SendText(request));
                    None
                }
                Err(Verdict::Failed { note }) => failed(&note),
                Err(_) => failed("link_missing"),
            },
        };
        *self = Self::waiting(text, order.clone(), prompt.take(), outcome, context);
        self.tell_when_known(text, context)
    }

    pub fn handle_input(
        &mut self,
        step: &str,
        text: &Text,
        context: &mut Context<'_>,
        input: &Input,
    ) -> Turn {
        let turn = self.heard(step, text, context, input);
        over(turn, context)
    }

    fn heard(&mut self, step: &str, text: &Text, context: &mut Context<'_>, input: &Input) -> Turn {
        if let (Self::Asking { asking, .. }, Some(ask)) = (&mut *self, &text.ask) {
            let answer = asking.handle_input(text, ask, context, input);
            return self.answered(answer, step, text, context);
        }
        if let Input::Key(key) = input {
            context.keys.push(*key);
        }
        match self {
            Self::Asking { .. } => Turn::Stay,
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
            Self::Waiting { prompt, outcome, order, .. } => {
                if prompt.as_ref().is_some_and(|prompt| prompt.input(input).is_some()) {
                    *prompt = None;
                }
                // What became of a text before comes late.
                if let (Input::Text(told), None) = (input, &outcome)
                    && told.is_of(order.offer)
                {
                    *outcome = Some(told.outcome.clone());
                }
                self.tell_when_known(text, context)
            }
        }
    }

    pub fn handle_timeout(&mut self, step: &str, text: &Text, context: &mut Context<'_>) -> Turn {
        let turn = self.timed_out(step, text, context);
        over(turn, context)
    }

    fn timed_out(&mut self, step: &str, text: &Text, context: &mut Context<'_>) -> Turn {
        if let (Self::Asking { asking, .. }, Some(ask)) = (&mut *self, &text.ask) {
            let answer = asking.handle_timeout(text, ask, context);
            return self.answered(answer, step, text, context);
        }
        let now = context.now;
        match self {
            // Of another revision of its flow; `Call::resume` refuses those.
            Self::Asking { .. } => Turn::Leave(Leave::failed(text.if_fails, "no_number")),
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
            Self::Asking { asking, .. } => asking.poll_timeout(),
            Self::Checking { until, .. } => *until,
            Self::Telling { prompt, .. } => prompt.poll_timeout(),
            Self::Waiting { prompt: Some(prompt), outcome: Some(_), .. } => prompt.poll_timeout(),
            Self::Waiting { prompt: Some(prompt), outcome: None, until, .. } => {
                prompt.poll_timeout().min(*until)
            }
            Self::Waiting { prompt: None, until, .. } => *until,
        }
    }

    /// What the question for the number came to.
    fn answered(
        &mut self,
        answer: Answer,
        step: &str,
        text: &Text,
        context: &mut Context<'_>,
    ) -> Turn {
        let Self::Asking { order, .. } = self else { return Turn::Stay };
        match answer {
            Answer::Asking => Turn::Stay,
            Answer::Leave(leave) => Turn::Leave(leave),
            Answer::Content => {
                Turn::Leave(Verdict::of(&TextOutcome::Duplicate, text.sent_when_queued).leave(text))
            }
            Answer::Number => match Self::check(step, text, order.clone(), context) {
                Ok(next) => {
                    *self = next;
                    Turn::Stay
                }
                Err(leave) => Turn::Leave(leave),
            },
        }
    }

    fn tell_when_known(&mut self, text: &Text, context: &mut Context<'_>) -> Turn {
        let Self::Waiting { prompt: None, outcome: Some(outcome), order, .. } = self else {
            return Turn::Stay;
        };
        // no text reaches that number. Another may do.
        let copy = context.progress.copy_to.is_some();
        if matches!(outcome, TextOutcome::NotTextable { .. })
            && text.confirm_number != ConfirmNumber::Never
            && let Some(asking) =
                text.ask.as_ref().and_then(|ask| Asking::other(ask, true, copy, context))
        {
            *self = Self::Asking { asking, order: order.clone() };
            return Turn::Stay;
        }
        let verdict = Verdict::of(outcome, text.sent_when_queued);
        if matches!(verdict, Verdict::Sent { .. }) {
            context.progress.text_sent = true;
        }
        learn_sender(outcome, context);
        // §4.8: that number has it; another may be wanted.
        if *outcome == TextOutcome::Duplicate
            && text.confirm_number != ConfirmNumber::Never
            && let Some(asking) =
                text.ask.as_ref().and_then(|ask| Asking::elsewhere(text, ask, context))
        {
            *self = Self::Asking { asking, order: order.clone() };
            return Turn::Stay;
        }
        if verdict == Verdict::OptedOut && context.recipient().is_none() {
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
    fn failed(note: &str) -> Self {
        Self::Failed { note: note.into() }
    }

    fn of(outcome: &TextOutcome, sent_when_queued: bool) -> Self {
        match outcome {
            TextOutcome::Accepted { sender } => {
                Self::Sent { note: Some(format!("accepted:{sender}")) }
            }
            TextOutcome::Queued if sent_when_queued => Self::Sent { note: Some("queued".into()) },
            // It is tried again when the caller is gone; nothing more is told of it before.
            TextOutcome::Queued => Self::Unsure { note: "queued".into() },
            TextOutcome::Duplicate => Self::Sent { note: Some("duplicate".into()) },
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

/// A second copy is of its step alone: what else the call sends goes to the caller.
fn over(turn: Turn, context: &mut Context<'_>) -> Turn {
    if matches!(turn, Turn::Leave(_)) {
        context.progress.copy_to = None;
    }
    turn
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

fn ms(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}
