//! `collect`: takes digits into a field. Digits typed ahead count; `*` begins anew.

use std::time::Duration;

use jiff::civil::Date;
use message_text::E164;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Exit, Leave, Next, Turn};
use crate::{
    call::{
        Facts, Input, Output,
        desk::{Context, Playback, Played},
        emergency,
        keys::{Gather, Gathered, Wanted},
    },
    flow::{
        model::{Check, Collect},
        whole,
    },
    key::Key,
    speech::YEARS,
};

/// From the end of what is read back to "no answer".
const CONFIRM: Duration = Duration::from_secs(8);
/// However slowly somebody types: so long for each digit wanted, and twice that.
const PATIENCE: u32 = 2;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Collecting {
    tries: u8,
    prompt: Option<Playback>,
    gather: Gather,
    confirming: Option<Confirming>,
}

/// The value was read back: is it right?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Confirming {
    /// It was read back twice.
    again: bool,
    /// Until a key is missed; `None` while it is read.
    until: Option<Duration>,
}

impl Collecting {
    pub fn begin(collect: &Collect, context: &mut Context<'_>) -> Result<Self, Leave> {
        let mut collecting =
            Self { tries: 1, prompt: None, gather: gather(collect), confirming: None };
        let mut typed = false;
        while let Some(key) = context.keys.take() {
            typed |= key.is_digit();
            if let Turn::Leave(leave) = collecting.key(collect, context, key) {
                return Err(leave);
            }
        }
        // What was typed ahead and found wrong plays the prompt already.
        if !typed {
            collecting.ask(collect, context);
        } else if collecting.prompt.is_none() {
            collecting.gather.listen(context.now);
        }
        Ok(collecting)
    }

    pub fn handle_input(
        &mut self,
        collect: &Collect,
        context: &mut Context<'_>,
        input: &Input,
    ) -> Turn {
        if self.confirming.is_some() {
            return self.confirm_input(collect, context, input);
        }
        match input {
            // Only digits stop the question: any other key says nothing yet.
            Input::KeyDown(key) => {
                if key.is_digit() {
                    self.barge_in(context);
                }
                Turn::Stay
            }
            Input::Key(key) => {
                if key.is_digit() {
                    self.barge_in(context);
                }
                self.key(collect, context, *key)
            }
            _ => match self.prompt.as_ref().and_then(|prompt| prompt.input(input)) {
                Some(Played::ToTheEnd | Played::Stopped) => {
                    self.prompt = None;
                    self.gather.listen(context.now);
                    Turn::Stay
                }
                Some(Played::Failed) => prompt_failed(),
                None => Turn::Stay,
            },
        }
    }

    pub fn handle_timeout(&mut self, collect: &Collect, context: &mut Context<'_>) -> Turn {
        if self.prompt.as_ref().is_some_and(|prompt| prompt.timeout(context.now).is_some()) {
            return prompt_failed();
        }
        if let Some(Confirming { until, again }) = &self.confirming {
            if until.is_none_or(|until| until > context.now) {
                return Turn::Stay;
            }
            return match *again {
                false => self.read_back(collect, context, true),
                true => self.not_right(collect, context, Exit::Timeout),
            };
        }
        match self.gather.handle_timeout(context.now) {
            Some(gathered) => self.gathered(collect, context, gathered),
            None => Turn::Stay,
        }
    }

    pub fn poll_timeout(&self) -> Duration {
        let playing = self.prompt.as_ref().map(Playback::poll_timeout);
        let confirming = self.confirming.as_ref().and_then(|confirming| confirming.until);
        let gather = self.gather.poll_timeout().filter(|_| self.confirming.is_none());
        // One of them is always there.
        [playing, confirming, gather].into_iter().flatten().min().unwrap_or(Duration::MAX)
    }

    pub fn tries(&self) -> u8 {
        self.tries
    }

    fn ask(&mut self, collect: &Collect, context: &mut Context<'_>) {
        self.gather = gather(collect);
        self.prompt = context.play(collect.prompt(self.tries), true);
        if self.prompt.is_none() {
            self.gather.listen(context.now);
        }
    }

    fn barge_in(&mut self, context: &mut Context<'_>) {
        if self.prompt.take().is_some() {
            context.desk.push(Output::StopPlay);
            self.gather.listen(context.now);
        }
    }

    fn key(&mut self, collect: &Collect, context: &mut Context<'_>, key: Key) -> Turn {
        if key == Key::STAR && collect.end_key != Some(key) {
            self.ask(collect, context);
            return Turn::Stay;
        }
        let ends = collect.end_key == Some(key);
        if (!key.is_digit() && !ends) || (ends && self.gather.is_empty()) {
            return Turn::Stay;
        }
        let Some(gathered) = self.gather.key(context.now, key) else { return Turn::Stay };
        if let Some(end_key) = collect.end_key.filter(|_| !ends) {
            context.keys.expect_end(end_key, context.now + gap(collect));
        }
        self.gathered(collect, context, gathered)
    }

    fn gathered(
        &mut self,
        collect: &Collect,
        context: &mut Context<'_>,
        gathered: Gathered,
    ) -> Turn {
        let (keys, enough) = match gathered {
            Gathered::Keys(keys) => (Zeroizing::new(keys), true),
            Gathered::TooFew(keys) => (Zeroizing::new(keys), false),
            Gathered::Silence => return self.missed(collect, context, Exit::Timeout),
        };
        if let ([key], true) = (keys.as_slice(), collect.operator && enough)
            && context.flow.operator_keys.contains(key)
        {
            return Turn::Leave(Leave::by(Exit::Key(*key), Next::Human));
        }
        let digits: Zeroizing<String> =
            Zeroizing::new(keys.iter().copied().map(Key::label).collect());
        if emergency::is_emergency(&context.facts.country, &digits) {
            context.progress.emergency = Some(digits.to_string());
            return Turn::Stay;
        }
        if !enough {
            return self.missed(collect, context, Exit::Wrong);
        }
        let value = checked(&collect.check, &digits, context.facts).map(Zeroizing::new);
        let Some(value) = value else {
            return self.missed(collect, context, Exit::Wrong);
        };
        context.facts.learn(&collect.save, &value, collect.secret);
        if collect.confirm.is_some() {
            return self.read_back(collect, context, false);
        }
        Turn::Leave(Leave::next(collect.then))
    }

    fn read_back(&mut self, collect: &Collect, context: &mut Context<'_>, again: bool) -> Turn {
        context.keys.flush();
        self.prompt = collect.confirm.as_ref().and_then(|list| context.play(list, true));
        let until = self.prompt.is_none().then(|| context.now + CONFIRM);
        self.confirming = Some(Confirming { again, until });
        Turn::Stay
    }

    fn confirm_input(
        &mut self,
        collect: &Collect,
        context: &mut Context<'_>,
        input: &Input,
    ) -> Turn {
        let key = match input {
            Input::KeyDown(_) => {
                self.hush(context);
                return Turn::Stay;
            }
            Input::Key(key) => *key,
            _ => {
                return match self.prompt.as_ref().and_then(|prompt| prompt.input(input)) {
                    Some(Played::ToTheEnd | Played::Stopped) => {
                        self.hush(context);
                        Turn::Stay
                    }
                    Some(Played::Failed) => prompt_failed(),
                    None => Turn::Stay,
                };
            }
        };
        self.hush(context);
        match key.label() {
            _ if context.flow.operator_keys.contains(&key) => {
                context.facts.learn(&collect.save, "", false);
                Turn::Leave(Leave::by(Exit::Key(key), Next::Human))
            }
            '1' => Turn::Leave(Leave::next(collect.then)),
            '2' => self.not_right(collect, context, Exit::Wrong),
            _ => match self.confirming.as_ref().is_some_and(|confirming| confirming.again) {
                false => self.read_back(collect, context, true),
                true => self.not_right(collect, context, Exit::Wrong),
            },
        }
    }

    /// Nothing is read any more; the time for the answer runs.
    fn hush(&mut self, context: &mut Context<'_>) {
        if self.prompt.take().is_some() {
            context.desk.push(Output::StopPlay);
        }
        if let Some(confirming) = &mut self.confirming {
            confirming.until.get_or_insert(context.now + CONFIRM);
        }
    }

    fn not_right(&mut self, collect: &Collect, context: &mut Context<'_>, why: Exit) -> Turn {
        context.facts.learn(&collect.save, "", false);
        self.confirming = None;
        self.missed(collect, context, why)
    }

    /// Silence or wrong digits: once more, or on.
    fn missed(&mut self, collect: &Collect, context: &mut Context<'_>, why: Exit) -> Turn {
        context.keys.flush();
        if self.tries < collect.tries {
            self.tries += 1;
            self.ask(collect, context);
            return Turn::Stay;
        }
        let go = if why == Exit::Wrong { collect.wrong } else { collect.no_input };
        Turn::Leave(Leave::by(why, Next::Go(go)))
    }
}

fn gather(collect: &Collect) -> Gather {
    let ms = |ms: u32| Duration::from_millis(u64::from(ms));
    Gather::new(Wanted {
        min: collect.min,
        max: collect.max,
        end_key: collect.end_key,
        first: ms(collect.timeout_ms),
        gap: ms(collect.gap_ms),
        total: ms(collect.gap_ms) * (u32::from(collect.max) * PATIENCE),
    })
}

fn gap(collect: &Collect) -> Duration {
    Duration::from_millis(u64::from(collect.gap_ms))
}

fn prompt_failed() -> Turn {
    Turn::Leave(Leave::failed(None, "prompt_failed"))
}

/// The digits as they are kept, if they are what is asked for.
fn checked(check: &Check, digits: &str, facts: &Facts) -> Option<String> {
    match check {
        Check::Digits => Some(digits.to_owned()),
        Check::Phone => Some(E164::parse(digits, &facts.country).ok()?.as_str().to_owned()),
        Check::Mobile => {
            let number = E164::parse(digits, &facts.country).ok()?;
            number.textable().then(|| number.as_str().to_owned())
        }
        Check::Luhn => luhn(digits).then(|| digits.to_owned()),
        Check::Date => {
            let number = |at: std::ops::Range<usize>| digits.get(at)?.parse::<i8>().ok();
            let (first, second) = (number(0..2)?, number(2..4)?);
            let american = facts.language == "en-US";
            let (day, month) = if american { (second, first) } else { (first, second) };
            let year = digits.get(4..8)?.parse().ok()?;
            YEARS.contains(&year).then_some(())?;
            Some(Date::new(year, month, day).ok()?.to_string())
        }
        Check::Pattern(pattern) => whole(pattern).ok()?.is_match(digits).then(|| digits.to_owned()),
    }
}

/// ISO/IEC 7812-1, annex B.
fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .zip([1, 2].into_iter().cycle())
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    digits.len() > 1 && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_kept_as_what_they_are() {
        let british = Facts { country: "GB".into(), language: "en-GB".into(), ..Facts::default() };
        let american = Facts { country: "US".into(), language: "en-US".into(), ..Facts::default() };
        let pattern = Check::Pattern("[0-9]{3}7".into());
        for (check, digits, facts, kept) in [
            (&Check::Digits, "0042", &british, Some("0042")),
            (&Check::Phone, "02079460018", &british, Some("+442079460018")),
            (&Check::Phone, "4155550123", &american, Some("+14155550123")),
            (&Check::Phone, "123", &british, None),
            (&Check::Mobile, "07700900123", &british, Some("+447700900123")),
            (&Check::Mobile, "02079460018", &british, None),
            // The example of ISO/IEC 7812-1, and one digit off.
            (&Check::Luhn, "79927398713", &british, Some("79927398713")),
            (&Check::Luhn, "79927398710", &british, None),
            (&Check::Luhn, "0", &british, None),
            (&Check::Date, "29022024", &british, Some("2024-02-29")),
            (&Check::Date, "29022023", &british, None),
            (&Check::Date, "01010198", &british, None),
            (&Check::Date, "02292024", &american, Some("2024-02-29")),
            (&Check::Date, "13132024", &british, None),
            (&pattern, "1237", &british, Some("1237")),
            (&pattern, "12370", &british, None),
            (&pattern, "1238", &british, None),
        ] {
            assert_eq!(checked(check, digits, facts).as_deref(), kept, "{check:?} {digits}");
        }
    }
}
