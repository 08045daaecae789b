//! Rules: named facts with three values.

use serde::{Deserialize, Serialize};

use crate::{
    call::Facts,
    flow::model::{Fact, FieldTest, Flow, InLast, RuleId},
    hours,
};

/// What is known of a fact. Unknown where it can't be told: no history, no number, no zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It can't be told.
    Unknown,
}

impl Truth {
    /// Kleene's not.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }

    /// Kleene's or.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::False, Self::False) => Self::False,
            (Self::Unknown, Self::Unknown | Self::False) | (Self::False, Self::Unknown) => {
                Self::Unknown
            }
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

impl From<Option<bool>> for Truth {
    fn from(holds: Option<bool>) -> Self {
        holds.map_or(Self::Unknown, Self::from)
    }
}

/// Rules may name rules so many levels deep; the linter refuses more.
pub const MAX_DEPTH: usize = 16;

/// Evaluates a rule at `now_ms` (wall clock, UTC). A rule that is not there, leads back to
/// itself or lies too deep is unknown; the linter refuses all three.
pub fn evaluate(flow: &Flow, facts: &Facts, now_ms: i64, rule: RuleId) -> Truth {
    let known = vec![None; flow.rules.len()];
    Evaluation { flow, facts, now_ms, known }.truth(rule, MAX_DEPTH)
}

struct Evaluation<'a> {
    flow: &'a Flow,
    facts: &'a Facts,
    now_ms: i64,
    /// Each rule is evaluated once, however many name it.
    known: Vec<Option<Truth>>,
}

impl Evaluation<'_> {
    fn truth(&mut self, id: RuleId, depth: usize) -> Truth {
        let at = usize::from(id.0);
        let Some(rule) = self.flow.rules.get(at).filter(|_| depth > 0) else {
            return Truth::Unknown;
        };
        if let Some(truth) = self.known[at] {
            return truth;
        }
        // What a rule that leads back here is told.
        self.known[at] = Some(Truth::Unknown);
        let truth = match &rule.fact {
            Fact::AnyOf(rules) => {
                rules.iter().fold(Truth::False, |any, rule| any.or(self.truth(*rule, depth - 1)))
            }
            Fact::Not(rule) => self.truth(*rule, depth - 1).negate(),
            fact => simple(self.flow, self.facts, self.now_ms, fact),
        };
        self.known[at] = Some(truth);
        truth
    }
}

fn simple(flow: &Flow, facts: &Facts, now_ms: i64, fact: &Fact) -> Truth {
    let history = facts.history.as_ref();
    match fact {
        Fact::CalledNumber(numbers) => numbers.contains(&facts.called).into(),
        Fact::OutsideHours(id) => {
            let hours = flow.hours.get(usize::from(id.0));
            let open =
                hours.and_then(|hours| hours.is_open(now_ms, &facts.called, &facts.one_offs));
            open.map(|open| !open).into()
        }
        Fact::CallsInLast(window) => history.map(|h| within(*window, &h.calls_ms, now_ms)).into(),
        Fact::DeflectedInLast(window) => {
            history.map(|h| within(*window, &h.deflected_ms, now_ms)).into()
        }
        Fact::Flag(name) if facts.set_flags.contains(name) => Truth::True,
        Fact::Flag(name) => facts.flags.as_ref().map(|flags| flags.contains(name)).into(),
        // A withheld number is known to the network, but not ours to text.
        Fact::CanReceiveText(_) if facts.withheld => Truth::Unknown,
        Fact::CanReceiveText(wanted) if facts.no_texts => (!*wanted).into(),
        Fact::CanReceiveText(wanted) => facts.can_receive_text.map(|can| can == *wanted).into(),
        Fact::FailedPromise(wanted) => history.map(|h| h.failed_promise == *wanted).into(),
        Fact::Intent(list) => facts.intent.as_ref().map(|intent| list.contains(intent)).into(),
        Fact::Language(list) => {
            let spoken = Some(&facts.language).filter(|language| !language.is_empty());
            spoken.or(flow.languages.first()).map(|language| list.contains(language)).into()
        }
        Fact::CallIs(list) => {
            let is = |what: &String| {
                facts.call_is.contains(what) || (what == "withheld" && facts.withheld)
            };
            list.iter().any(is).into()
        }
        Fact::Known(field) => facts.field(field).is_some().into(),
        Fact::Field { field, test } => {
            facts.field(field).and_then(|value| holds(test, value)).into()
        }
        Fact::Attestation(list) => {
            facts.attestation.as_ref().map(|level| list.contains(level)).into()
        }
        Fact::TimeOfDay { spans, zone } => {
            hours::minute_now(zone, now_ms).map(|minute| in_one(spans, minute)).into()
        }
        // As with a text: what was withheld is not ours to act on.
        Fact::CallerPrefix(_) if facts.withheld => Truth::Unknown,
        Fact::CallerPrefix(list) => {
            let begins = |caller: &String| list.iter().any(|prefix| caller.starts_with(prefix));
            facts.caller.as_ref().map(begins).into()
        }
        Fact::Header { name, equals } => {
            let value = facts.headers.get(&name.to_ascii_lowercase());
            match equals {
                None => value.is_some(),
                Some(list) => value.is_some_and(|value| list.contains(value)),
            }
            .into()
        }
        Fact::TargetUp(id) => {
            let target = flow.targets.get(usize::from(id.0));
            target.and_then(|target| facts.targets_up.get(&target.name).copied()).into()
        }
        Fact::WaitOver { source, seconds } => {
            let wait = facts.sources.get(source).and_then(|told| told.wait_at(now_ms));
            wait.map(|wait| wait > *seconds).into()
        }
        Fact::AgentsAvailable { source, bound } => {
            let agents = facts.sources.get(source).and_then(|told| told.agents_at(now_ms));
            agents.map(|agents| bound.holds(agents)).into()
        }
        Fact::NotOfferedFor(window_ms) => {
            let since_ms = now_ms.saturating_sub(*window_ms);
            history.map(|h| h.offered_ms.is_none_or(|at_ms| at_ms < since_ms)).into()
        }
        // Dealt with by the caller, which has the other rules at hand.
        Fact::AnyOf(_) | Fact::Not(_) => Truth::Unknown,
    }
}

/// `None`: a number is asked for, and the value is none.
fn holds(test: &FieldTest, value: &str) -> Option<bool> {
    let number = || value.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    Some(match test {
        FieldTest::Equals(list) => list.iter().any(|wanted| wanted == value),
        FieldTest::AtMost(most) => number()? <= *most,
        FieldTest::AtLeast(least) => number()? >= *least,
    })
}

fn in_one(spans: &[(u16, u16)], minute: u16) -> bool {
    spans.iter().any(|&(from, to)| {
        if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to }
    })
}

/// Counts the moments that lie at most a window back.
fn within(rule: InLast, moments_ms: &[i64], now_ms: i64) -> bool {
    let since_ms = now_ms.saturating_sub(rule.window_ms);
    let count = moments_ms.iter().filter(|at_ms| **at_ms >= since_ms).count();
    rule.bound.holds(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
