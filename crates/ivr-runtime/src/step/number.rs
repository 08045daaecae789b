//! Asks a caller which number a text goes to: their own read back, or one they type.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Exit, Leave, Next, Turn, collect::Collecting};
use crate::{
    call::{
        Facts, Hidden, Input, Output,
        desk::{Context, Playback, Played},
    },
    flow::model::{AskNumber, Check, Collect, ConfirmNumber, Go, PromptItem, PromptList, Text},
    key::Key,
};

/// The field of the number while it is read back; no flow can name it.
pub(crate) const FIELD: &str = "number to text";
/// How often it is asked for.
pub(crate) const TRIES: u8 = 3;
/// From the end of the question to the first digit, ms.
pub(crate) const TIMEOUT_MS: u32 = 8_000;
/// From the end of what is read back to "no answer".
pub(crate) const CONFIRM: Duration = Duration::from_secs(8);
/// So many numbers may be typed in one call.
const TYPED: u8 = 3;

/// The caller did not say that the number is right.
pub(crate) const NOT_CONFIRMED: &str = "number_not_confirmed";

/// Where a text can go as things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// To the number that is known.
    Known,
    /// There too, if the caller says that it is right.
    Confirmed,
    /// To one that the caller types.
    Typed,
    /// Nowhere, and why.
    None(&'static str),
}

/// Until there is a number, or there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Asking {
    /// Whether the known number is right.
    Own { prompt: Option<Playback>, until: Option<Duration>, again: bool },
    /// Whether another is to have the text that this one has already.
    Elsewhere { prompt: Option<Playback>, until: Option<Duration> },
    /// Which other one; `copy`: for this text alone.
    Other { collecting: Collecting, copy: bool },
}

/// What came of it.
pub(crate) enum Answer {
    /// Still asking.
    Asking,
    /// The number is known now.
    Number,
    /// The number that has the text already is enough.
    Content,
    /// The step is left: to a person, or because there is no number.
    Leave(Leave),
}

/// Which number a text goes to, or what is to be asked about it.
pub(crate) fn wanted(text: &Text, facts: &Facts, typed: Option<&Hidden>) -> Wanted {
    let asks = text.ask.is_some() && text.confirm_number != ConfirmNumber::Never;
    let unfit = match (&facts.caller, facts.withheld, facts.can_receive_text) {
        _ if typed.is_some() => None,
        (None, _, _) | (_, true, _) => Some("withheld"),
        (Some(_), false, Some(false)) => Some("not_textable"),
        (Some(_), false, Some(true) | None) => None,
    };
    let confirms =
        text.confirm_number == ConfirmNumber::Always || (facts.to_confirm && typed.is_none());
    match (unfit, asks) {
        (Some(_), true) => Wanted::Typed,
        (Some(why), false) => Wanted::None(why),
        (None, true) if confirms => Wanted::Confirmed,
        (None, false) if confirms => Wanted::None(NOT_CONFIRMED),
        (None, _) => Wanted::Known,
    }
}

impl Asking {
    /// Reads the known number back.
    pub fn own(ask: &AskNumber, context: &mut Context<'_>) -> Self {
        context.keys.flush();
        let typed = context.progress.typed.as_ref().map(|number| number.0.clone());
        let known = typed.or_else(|| context.facts.caller.clone()).unwrap_or_default();
        context.facts.learn(FIELD, &known, false);
        let mut asking = Self::Own { prompt: None, until: None, again: false };
        asking.read(ask, context);
        asking
    }

    /// Asks for another; `refused`: the one before takes no texts; `copy`: the caller's own has the
    /// text already. `None`: enough were typed.
    pub fn other(
        ask: &AskNumber,
        refused: bool,
        copy: bool,
        context: &mut Context<'_>,
    ) -> Option<Self> {
        if context.progress.numbers_typed >= TYPED {
            return None;
        }
        context.keys.flush();
        let question = question(ask, refused);
        let collecting = Collecting::begin(&question, context).ok()?;
        Some(Self::Other { collecting, copy })
    }

    /// Says that the text was sent and asks whether another number is to have it too. `None`: nobody
    /// can be asked, or enough numbers were typed.
    pub fn elsewhere(text: &Text, ask: &AskNumber, context: &mut Context<'_>) -> Option<Self> {
        if context.progress.numbers_typed >= TYPED || ask.elsewhere.is_empty() {
            return None;
        }
        let told = text.sent_prompt.iter().flatten().chain(&ask.elsewhere).cloned();
        let prompt = context.play(&told.collect::<PromptList>(), true)?;
        Some(Self::Elsewhere { prompt: Some(prompt), until: None })
    }

    pub fn handle_input(
        &mut self,
        text: &Text,
        ask: &AskNumber,
        context: &mut Context<'_>,
        input: &Input,
    ) -> Answer {
        match self {
            Self::Elsewhere { prompt, until } => match input {
                Input::KeyDown(_) => {
                    hush(prompt, until, context);
                    Answer::Asking
                }
                Input::Key(key) => {
                    hush(prompt, until, context);
                    self.wanted_elsewhere(*key, ask, context)
                }
                _ => match prompt.as_ref().and_then(|prompt| prompt.input(input)) {
                    // Whether it was heard or not: the text is there.
                    Some(Played::Failed) => Answer::Content,
                    Some(Played::ToTheEnd | Played::Stopped) => {
                        hush(prompt, until, context);
                        Answer::Asking
                    }
                    None => Answer::Asking,
                },
            },
            Self::Other { collecting, copy } => {
                let turn = collecting.handle_input(&question(ask, false), context, input);
                typed(turn, *copy, text, context)
            }
            Self::Own { prompt, until, .. } => match input {
                Input::KeyDown(_) => {
                    hush(prompt, until, context);
                    Answer::Asking
                }
                Input::Key(key) => {
                    hush(prompt, until, context);
                    self.answered(*key, text, ask, context)
                }
                _ => match prompt.as_ref().and_then(|prompt| prompt.input(input)) {
                    Some(Played::ToTheEnd | Played::Stopped) => {
                        hush(prompt, until, context);
                        Answer::Asking
                    }
                    Some(Played::Failed) => none(text, "prompt_failed", context),
                    None => Answer::Asking,
                },
            },
        }
    }

    pub fn handle_timeout(
        &mut self,
        text: &Text,
        ask: &AskNumber,
        context: &mut Context<'_>,
    ) -> Answer {
        match self {
            Self::Other { collecting, copy } => {
                let turn = collecting.handle_timeout(&question(ask, false), context);
                typed(turn, *copy, text, context)
            }
            Self::Own { prompt: Some(prompt), .. } => match prompt.timeout(context.now) {
                Some(_) => none(text, "prompt_failed", context),
                None => Answer::Asking,
            },
            Self::Elsewhere { prompt: Some(prompt), .. } => match prompt.timeout(context.now) {
                Some(_) => Answer::Content,
                None => Answer::Asking,
            },
            Self::Elsewhere { until: Some(until), .. } if *until <= context.now => Answer::Content,
            Self::Elsewhere { .. } => Answer::Asking,
            Self::Own { until: Some(until), again, .. } if *until <= context.now => {
                if *again {
                    return none(text, NOT_CONFIRMED, context);
                }
                self.read_again(ask, context)
            }
            Self::Own { .. } => Answer::Asking,
        }
    }

    pub fn poll_timeout(&self) -> Duration {
        match self {
            Self::Other { collecting, .. } => collecting.poll_timeout(),
            Self::Own { prompt: Some(prompt), .. }
            | Self::Elsewhere { prompt: Some(prompt), .. } => prompt.poll_timeout(),
            // One of them is always there.
            Self::Own { until, .. } | Self::Elsewhere { until, .. } => {
                until.unwrap_or(Duration::MAX)
            }
        }
    }

    /// 1 asks for the other number; a key that says nothing here is for the step that follows.
    fn wanted_elsewhere(&mut self, key: Key, ask: &AskNumber, context: &mut Context<'_>) -> Answer {
        if context.flow.operator_keys.contains(&key) {
            return Answer::Leave(Leave::by(Exit::Key(key), Next::Human));
        }
        if key.label() == '1'
            && let Some(other) = Self::other(ask, false, true, context)
        {
            *self = other;
            return Answer::Asking;
        }
        context.keys.push(key);
        Answer::Content
    }

    fn read(&mut self, ask: &AskNumber, context: &mut Context<'_>) {
        let Self::Own { prompt, until, .. } = self else { return };
        *prompt = context.play(&ask.own, true);
        *until = prompt.is_none().then(|| context.now + CONFIRM);
    }

    fn read_again(&mut self, ask: &AskNumber, context: &mut Context<'_>) -> Answer {
        if let Self::Own { again, .. } = self {
            *again = true;
        }
        self.read(ask, context);
        Answer::Asking
    }

    /// 1 takes the number that was read back, 2 asks for another.
    fn answered(
        &mut self,
        key: Key,
        text: &Text,
        ask: &AskNumber,
        context: &mut Context<'_>,
    ) -> Answer {
        match key.label() {
            _ if context.flow.operator_keys.contains(&key) => {
                forget(context);
                Answer::Leave(Leave::by(Exit::Key(key), Next::Human))
            }
            '1' => {
                forget(context);
                Answer::Number
            }
            '2' => match Self::other(ask, false, false, context) {
                Some(other) => {
                    *self = other;
                    Answer::Asking
                }
                None => none(text, "no_number", context),
            },
            _ if matches!(self, Self::Own { again: true, .. }) => {
                none(text, NOT_CONFIRMED, context)
            }
            _ => self.read_again(ask, context),
        }
    }
}

/// What the digits that were typed come to.
fn typed(turn: Turn, copy: bool, text: &Text, context: &mut Context<'_>) -> Answer {
    let Turn::Leave(leave) = turn else { return Answer::Asking };
    match leave.exit {
        Exit::Next => {
            let number = context.facts.field(FIELD).map(|number| Hidden(number.to_owned()));
            forget(context);
            let to = match copy {
                true => &mut context.progress.copy_to,
                false => &mut context.progress.typed,
            };
            *to = number;
            context.progress.numbers_typed += 1;
            Answer::Number
        }
        Exit::Timeout | Exit::Wrong => none(text, "no_number", context),
        Exit::Error => none(text, "prompt_failed", context),
        Exit::Key(_) | Exit::Hangup => {
            forget(context);
            Answer::Leave(leave)
        }
    }
}

fn none(text: &Text, note: &str, context: &mut Context<'_>) -> Answer {
    forget(context);
    Answer::Leave(Leave::failed(text.if_fails, note))
}

fn forget(context: &mut Context<'_>) {
    context.facts.learn(FIELD, "", false);
}

fn hush(prompt: &mut Option<Playback>, until: &mut Option<Duration>, context: &mut Context<'_>) {
    if prompt.take().is_some() {
        context.desk.push(Output::StopPlay);
    }
    until.get_or_insert(context.now + CONFIRM);
}

/// The digits of a mobile number, read back before they count. An operator's key alone is no
/// number and leads to a person. Where it leads is for [`typed`] to say.
fn question(ask: &AskNumber, refused: bool) -> Collect {
    let first: &[PromptItem] = if refused { &ask.refused } else { &[] };
    Collect {
        save: FIELD.to_owned(),
        play: first.iter().chain(&ask.other).cloned().collect::<PromptList>(),
        play_again: Vec::new(),
        min: 1,
        max: 16,
        end_key: Some(Key::HASH),
        timeout_ms: TIMEOUT_MS,
        gap_ms: 4_000,
        tries: TRIES,
        check: Check::Mobile,
        confirm: Some(ask.read_back.clone()),
        secret: false,
        operator: true,
        then: Go::HangUp,
        no_input: Go::HangUp,
        wrong: Go::HangUp,
    }
}
