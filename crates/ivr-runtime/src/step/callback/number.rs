//! The number to call back: read back, and typed again where it is wrong.

use std::time::Duration;

use message_text::E164;

use super::{
    ANSWER, Asking, Booking, Stage, TRIES, not_wanted,
    prompts::{read_back, typing, wrong},
};
use crate::{
    call::{
        desk::Context,
        keys::{Gather, Gathered, Wanted},
    },
    flow::model::{Callback, PromptList},
    key::Key,
    step::{Exit, Turn},
};

/// From digit to digit of a number that is typed.
const GAP: Duration = Duration::from_secs(4);
/// Digits of the shortest and the longest number.
const DIGITS: (u8, u8) = (4, 16);
/// The number while it is read back.
pub(super) const NUMBER: &str = "callback_number";

impl Booking {
    pub(super) fn confirmed(
        &mut self,
        step: &str,
        callback: &Callback,
        context: &mut Context<'_>,
        key: Key,
    ) -> Turn {
        match key.label() {
            '1' => self.book(step, callback, context),
            '2' => self.ask_to_type(context, &typing()),
            _ => self.other_key(callback, context, key),
        }
    }

    pub(super) fn read_back(&mut self, context: &mut Context<'_>, number: &str) -> Turn {
        context.facts.learn(NUMBER, number, false);
        self.stage = Stage::Confirming(Asking::begin(&read_back(), context));
        Turn::Stay
    }

    fn ask_to_type(&mut self, context: &mut Context<'_>, play: &PromptList) -> Turn {
        context.keys.flush();
        let mut gather = Gather::new(Wanted {
            min: DIGITS.0,
            max: DIGITS.1,
            end_key: Some(Key::HASH),
            first: ANSWER,
            gap: GAP,
            total: GAP * (u32::from(DIGITS.1) * 2),
        });
        let prompt = context.play(play, true);
        if prompt.is_none() {
            gather.listen(context.now);
        }
        self.stage = Stage::Typing { prompt, gather };
        Turn::Stay
    }

    pub(super) fn digit(
        &mut self,
        callback: &Callback,
        context: &mut Context<'_>,
        key: Key,
    ) -> Turn {
        let Stage::Typing { gather, .. } = &mut self.stage else { return Turn::Stay };
        if !key.is_digit() && (key != Key::HASH || gather.is_empty()) {
            return Turn::Stay;
        }
        match gather.key(context.now, key) {
            Some(gathered) => self.typed(callback, context, gathered),
            None => Turn::Stay,
        }
    }

    pub(super) fn typed(
        &mut self,
        callback: &Callback,
        context: &mut Context<'_>,
        gathered: Gathered,
    ) -> Turn {
        let keys = match gathered {
            Gathered::Keys(keys) => keys,
            Gathered::Silence | Gathered::TooFew(_) => {
                return self.again(callback, context, Exit::Timeout);
            }
        };
        let digits: String = keys.into_iter().map(Key::label).collect();
        match E164::parse(&digits, &context.facts.country) {
            Ok(number) if own_number(context).is_ok_and(|own| own == number.as_str()) => {
                self.read_back(context, number.as_str())
            }
            Ok(_) | Err(_) => self.again(callback, context, Exit::Wrong),
        }
    }

    /// Another number, where there are tries left.
    fn again(&mut self, callback: &Callback, context: &mut Context<'_>, why: Exit) -> Turn {
        if self.tries < TRIES {
            self.tries += 1;
            return self.ask_to_type(context, &wrong());
        }
        Turn::Leave(not_wanted(callback, context, why))
    }
}

/// The caller's own, as the call came from it; `Err`: why it is not known. Whether it may be called
/// is said when it is booked.
pub(super) fn own_number(context: &Context<'_>) -> Result<String, &'static str> {
    let facts = &context.facts;
    if facts.attestation.as_deref() == Some("failed") {
        // The carrier says that it is somebody else's.
        return Err("number_in_doubt");
    }
    facts.caller.clone().filter(|_| !facts.withheld).ok_or("no_number")
}
