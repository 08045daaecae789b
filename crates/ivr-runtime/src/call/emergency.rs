//! Calls about an emergency that this line can do nothing about: the sentence at the start of a
//! line in health, supply or safety, and callers who type an emergency number (requirements §7.6).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Aloud, Call, Phase, Way,
    desk::Playback,
    typed_ahead::{self, Takes},
};
use crate::{
    flow::model::{Does, Go, PromptItem, Spoken},
    key::Key,
    speech::Way as Speech,
};

/// Emergency numbers as people dial them, by country; the first is the one that is said.
const NUMBERS: [(&str, &[&str]); 12] = [
    ("AU", &["000", "112"]),
    ("BR", &["190", "192", "193", "112", "911"]),
    ("CA", &["911", "112"]),
    ("CN", &["110", "119", "120"]),
    ("DE", &["112", "110"]),
    ("GB", &["999", "112"]),
    ("IE", &["999", "112"]),
    ("IN", &["112", "100", "101", "102", "108"]),
    ("JP", &["119", "110", "118"]),
    ("NZ", &["111", "112"]),
    ("US", &["911", "112"]),
    ("ZA", &["112", "10111", "10177"]),
];
const ELSEWHERE: &[&str] = &["112"];
/// Keys further apart are not one number.
const APART: Duration = Duration::from_secs(2);
/// No emergency number is longer …
const LONGEST: usize = 5;
/// … and none shorter.
const SHORTEST: usize = 3;
/// In place of the digits of a longer one.
const LONGER: &str = "-";

/// What is said, and what comes then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saying {
    playback: Playback,
    then: Then,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Then {
    Begin(Aloud),
    Person,
}

/// The digits pressed since the last pause.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Dialled {
    digits: String,
    last: Duration,
}

impl Dialled {
    fn press(&mut self, now: Duration, key: Key) {
        if now > self.last + APART || !key.is_digit() {
            self.digits.clear();
        }
        if self.digits.len() == LONGEST {
            self.digits = LONGER.to_owned();
        } else if key.is_digit() && self.digits != LONGER {
            self.digits.push(key.label());
        }
        self.last = now;
    }

    /// The emergency number that they are.
    fn number(&self, country: &str) -> Option<&str> {
        let is = self.digits.len() >= SHORTEST && is_emergency(country, &self.digits);
        is.then_some(&self.digits)
    }
}

impl Saying {
    pub fn poll_timeout(&self) -> Duration {
        self.playback.poll_timeout()
    }

    pub fn is_over(&self, now: Duration) -> bool {
        self.playback.timeout(now).is_some()
    }

    pub fn input(&self, input: &super::Input) -> bool {
        self.playback.input(input).is_some()
    }
}

/// What a line in health, supply or safety says first.
pub(crate) fn notice(country: &str) -> [PromptItem; 2] {
    [sound("emergency-notice"), digits(numbers(country)[0])]
}

/// The emergency numbers of a country.
fn numbers(country: &str) -> &'static [&'static str] {
    NUMBERS.iter().find(|(of, _)| *of == country).map_or(ELSEWHERE, |(_, numbers)| numbers)
}

/// Whether these digits are one of them.
pub(crate) fn is_emergency(country: &str, digits: &str) -> bool {
    numbers(country).contains(&digits)
}

impl Call {
    /// Before the first prompt of a flow that wants it, the sentence; true while it is said.
    pub(super) fn emergency_notice(&mut self, now: Duration, then: &Aloud) -> bool {
        if !self.flow.emergency_notice || *then == Aloud::Apology {
            return false;
        }
        let said = notice(&self.state.facts.country);
        let Some(playback) = self.context(now).play(&said, false) else { return false };
        let then = Then::Begin(then.clone());
        self.state.phase = Phase::Saying(Saying { playback, then });
        true
    }

    /// A key may be the last of an emergency number; true where it was.
    pub(super) fn dials_emergency(&mut self, now: Duration, key: Key) -> bool {
        if self.collects() {
            // The field judges it.
            self.state.dialled = Dialled::default();
            return false;
        }
        self.state.dialled.press(now, key);
        let Some(number) = self.dialled() else { return false };
        let Phase::InStep { visit, running } = &self.state.phase else { return false };
        // Digits of a field that comes next may begin like one.
        if !running.awaits_key() && typed_ahead::is_for_field(&self.flow, visit.step) {
            return false;
        }
        self.emergency_typed(now, &number);
        true
    }

    /// When an emergency number that was typed ahead is one, unless more digits follow.
    pub(super) fn dialled_alone_at(&self) -> Option<Duration> {
        let Phase::InStep { running, .. } = &self.state.phase else { return None };
        let dialled = &self.state.dialled;
        let is = dialled.number(&self.state.facts.country).is_some() && !running.awaits_key();
        is.then(|| dialled.last + APART)
    }

    /// No more digits have followed it.
    pub(super) fn dialled_alone(&self, now: Duration) -> Option<String> {
        self.dialled().filter(|_| self.dialled_alone_at().is_some_and(|at| at <= now))
    }

    /// What was typed ahead of a step that hears keys: a field judges it itself.
    pub(super) fn dialled_before(&mut self, now: Duration, does: &Does) -> Option<String> {
        match typed_ahead::takes(does) {
            Takes::Digits => self.state.dialled = Dialled::default(),
            Takes::Choice => {
                return self.dialled().filter(|_| now <= self.state.dialled.last + APART);
            }
            Takes::Nothing => {}
        }
        None
    }

    fn dialled(&self) -> Option<String> {
        self.state.dialled.number(&self.state.facts.country).map(str::to_owned)
    }

    /// "Hang up and dial", then a person.
    pub(super) fn emergency_typed(&mut self, now: Duration, number: &str) {
        self.close_step(
            now,
            crate::step::Exit::Wrong,
            super::OfferResponse::Declined,
            Some("emergency_number"),
        );
        self.record(super::Record::Bypassed { why: "emergency_number".into() });
        self.state.keys.flush();
        self.state.dialled = Dialled::default();
        let said = [sound("emergency-typed"), digits(number), sound("emergency-stay")];
        match self.context(now).play(&said, false) {
            Some(playback) => {
                self.state.phase = Phase::Saying(Saying { playback, then: Then::Person });
            }
            None => self.put_through(now),
        }
    }

    /// It was said, or can't be.
    pub(super) fn said(&mut self, now: Duration) {
        let Phase::Saying(Saying { then, .. }) =
            std::mem::replace(&mut self.state.phase, Phase::Over)
        else {
            return;
        };
        match then {
            Then::Begin(aloud) => self.begin_answered(now, aloud),
            Then::Person => self.put_through(now),
        }
    }

    fn put_through(&mut self, now: Duration) {
        self.state.route.forgive();
        self.advance(now, Way::Go(Go::Target(self.flow.human)));
    }
}

fn sound(name: &str) -> PromptItem {
    PromptItem::Sound(name.into())
}

fn digits(number: &str) -> PromptItem {
    PromptItem::Say { way: Speech::Digits, value: Spoken::Text(number.into()) }
}
