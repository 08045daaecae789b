//! Ways through the shipped line, each walked by a call: what is pressed, and all that must come
//! of it. Most are walked by phones that nobody here wrote.

use std::collections::BTreeSet;

use carom_blackbox::Run;

use crate::{
    full_closed, full_failures,
    full_line::Line,
    full_people,
    full_phones::{Caller, Phone, caller},
    full_texts,
};

/// A call through the line.
#[derive(Debug, Clone, Copy)]
pub struct Walk {
    pub caller: Caller,
    /// The steps before the caller hears anything, each with its exit.
    pub arrives: &'static str,
    /// The steps after those.
    pub then: &'static str,
    /// Its offers: where, the answer, why not.
    pub offers: &'static [&'static str],
    /// How it ends, by whom it was handled, where it was forwarded to.
    pub end: &'static str,
    /// Whom the PBX or the old IVR was asked for, in order.
    pub asks_for: &'static [&'static str],
    /// How the texts begin that the caller gets.
    pub texts: &'static [&'static str],
    /// Prompts that are heard; British unless they name their language.
    pub heard: &'static [&'static str],
    /// Prompts that are not.
    pub unheard: &'static [&'static str],
}

/// Of a caller whom nothing is known of.
pub const WALK: Walk = Walk {
    caller: caller("", ""),
    arrives: "greet next, who next, sort next",
    then: "",
    offers: &[],
    end: DEFLECTED,
    asks_for: &[],
    texts: &[],
    heard: &[],
    unheard: &[],
};

pub const DEFLECTED: &str = "deflected no_human -";
pub const FORWARDED: &str = "forwarded no_human agents";
pub const CHAT: &str = "Example: here is the chat link you asked for http";

/// All of them.
const ALL: &[&[Walk]] = &[
    full_texts::SERVED,
    full_texts::COME_FIRST,
    full_texts::COME_AGAIN,
    full_texts::FAIL,
    full_people::PEOPLE,
    full_people::OUTAGE,
    full_people::IN_LINE,
    full_closed::NOBODY,
    full_failures::CRM,
    full_failures::PROVIDERS,
    full_failures::DEAD_PBX,
    full_failures::NOT_YET,
    full_failures::LOCKED,
    full_failures::FULL_DISK,
];

impl Walk {
    /// Its steps, each with its exit.
    pub fn path(&self) -> Vec<&'static str> {
        let steps = self.arrives.split(", ").chain(self.then.split(", "));
        steps.filter(|step| !step.is_empty()).collect()
    }

    /// Whether somebody took the call, so that the line did not speak to its end.
    fn is_put_through(&self) -> bool {
        ["forwarded ", "emergency_bypass "].iter().any(|end| self.end.starts_with(end))
    }

    /// What came otherwise.
    fn otherwise(&self, line: &Line) -> Vec<String> {
        let from = self.caller.from;
        let mut all = vec![
            differs("path", &line.path(from), &self.path()),
            differs("offers", &line.offers(from), self.offers),
            differs("end", &[line.end(from)], &[self.end]),
        ];
        // Whoever was hung up on, and not put through, was spoken to until then.
        if self.caller.leaves.is_none() && !self.is_put_through() && self.is_recorded() {
            let heard = line.heard(from);
            let last = &heard[heard.len().saturating_sub(24_000)..];
            let loud = last.iter().any(|sample| sample.unsigned_abs() > 300);
            all.push((!loud).then(|| "silence at the end".to_owned()));
        }
        all.into_iter().flatten().collect()
    }

    /// What came otherwise, as far as it is seen without the store.
    fn served_otherwise(&self, line: &Line, pbxs: &[Run]) -> Vec<String> {
        let from = self.caller.from;
        let invites: Vec<_> = pbxs.iter().flat_map(|pbx| line.invites(pbx, from)).collect();
        let users: Vec<_> = invites.iter().map(|invite| user(invite).to_owned()).collect();
        let texts = line.texts(from);
        let as_told = texts.iter().zip(self.texts).all(|(text, begin)| text.starts_with(begin));
        let wrong = texts.len() != self.texts.len() || !as_told;
        let mut all = vec![
            differs("who is asked for", &users, self.asks_for),
            wrong.then(|| format!("texts: {texts:?}")),
        ];
        assert!(self.is_recorded() || self.heard.is_empty() && self.unheard.is_empty(), "{from}");
        for (prompts, is_heard) in [(self.heard, true), (self.unheard, false)] {
            all.extend(prompts.iter().map(|prompt| {
                let (language, name) = prompt.split_once('/').unwrap_or(("en-GB", prompt));
                let wrong = line.heard_prompt(from, language, name) != is_heard;
                wrong.then(|| format!("{prompt} should be heard: {is_heard}"))
            }));
        }
        all.into_iter().flatten().collect()
    }

    fn is_recorded(&self) -> bool {
        self.caller.phone != Phone::Tones
    }
}

/// Looks whether all of it came so. A PBX that is not there is not asked.
pub fn came_so(walks: &[Walk], line: &Line, pbxs: &[Run]) {
    nothing_else(walks, line, |walk| {
        [walk.otherwise(line), walk.served_otherwise(line, pbxs)].concat()
    });
}

/// Looks whether it came so as far as it is seen without the store.
pub fn were_served_so(walks: &[Walk], line: &Line, pbxs: &[Run]) {
    nothing_else(walks, line, |walk| walk.served_otherwise(line, pbxs));
}

fn nothing_else(walks: &[Walk], line: &Line, otherwise: impl Fn(&Walk) -> Vec<String>) {
    let told = walks.iter().filter_map(|walk| {
        let (from, otherwise) = (walk.caller.from, otherwise(walk).join("\n"));
        let time_line = || line.engine.cli(&["calls", &line.id(from)]).out;
        (!otherwise.is_empty()).then(|| format!("{from}:\n{otherwise}\n{}", time_line()))
    });
    let told: Vec<_> = told.collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

fn differs(what: &str, came: &[String], meant: &[&str]) -> Option<String> {
    (came != meant).then(|| format!("{what}: {came:?}, not {meant:?}"))
}

/// The user part of a request line.
fn user(invite: &str) -> &str {
    invite.split(['@', ':']).nth(1).unwrap()
}

#[test]
fn phones_of_others_walk_the_line_on_forty_ways() {
    let others = || ALL.iter().copied().flatten().filter(|walk| walk.caller.phone != Phone::Ours);
    let ways: BTreeSet<_> = others().map(|walk| (walk.path(), walk.end)).collect();
    assert!(ways.len() >= 40, "{}: {ways:#?}", ways.len());
    for (phone, least) in [(Phone::Events, 15), (Phone::Tones, 5), (Phone::Baresip, 5)] {
        let walked = others().filter(|walk| walk.caller.phone == phone).count();
        assert!(walked >= least, "{phone:?}: {walked}");
    }
}
