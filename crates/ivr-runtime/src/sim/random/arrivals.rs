//! What is known of a random caller at arrival, drawn from what the rules of the flow tell apart.

use super::{DAY_MS, FIRST_DAY_MS, Random};
use crate::{
    call::{Bypass, Facts, History, Told},
    flow::model::{Fact, FieldTest, Flow},
    hours::{Hours, OneOff},
};

/// A caller who rings all the time has had so many calls.
const MANY_CALLS: u64 = 150;
/// Moments tried for one at which a line is open.
const TRIES: u8 = 3;

impl Random {
    /// What is known about a random call to `flow`.
    pub fn facts(&mut self, flow: &Flow, index: u64) -> Facts {
        let called: Vec<&String> = flow.numbers.iter().chain(&flow.extensions).collect();
        let withheld = self.rng.percent(5);
        let mut facts = Facts {
            call_id: format!("sim-{index}"),
            trunk: "sim".into(),
            called: self.one_of(&called).cloned().unwrap_or_default(),
            caller: (!withheld).then(|| format!("+4477009{:05}", index % 100_000)),
            withheld,
            caller_seed: self.rng.bits(),
            start_ms: self.moment(),
            ..Facts::default()
        };
        self.hours(flow, &mut facts);
        if self.knows() {
            facts.can_receive_text = Some(!withheld && !self.rng.percent(10));
        }
        if self.knows() {
            facts.flags = Some(Vec::new());
        }
        if !withheld {
            facts.fields.insert("caller_key".into(), "sim".into());
        }
        if self.knows() && !withheld {
            facts.history = Some(self.history(facts.start_ms));
        }
        for rule in &flow.rules {
            self.of_rule(flow, &rule.fact, &mut facts);
        }
        self.one_offs(flow, &mut facts);
        let links = flow.links.iter().map(|link| link.name.clone());
        facts.links_down = links.filter(|_| self.rng.percent(5)).collect();
        if self.rng.percent(3) {
            facts.call_is.push(self.rng.pick("priority", &["psap-callback", "withheld"]).into());
        }
        if self.rng.percent(self.faults.store / 10) {
            facts.bypass = Some(self.rng.pick(Bypass::StoreDown, &[Bypass::Overload]));
        }
        facts
    }

    fn moment(&mut self) -> i64 {
        let seconds = self.rng.within(0..2 * 365 * 86_400);
        FIRST_DAY_MS + i64::try_from(seconds).unwrap_or(0) * 1_000
    }

    /// Most hours of a year are closed: every other caller rings while some of the flow's are open.
    fn hours(&mut self, flow: &Flow, facts: &mut Facts) {
        if self.rng.percent(50) {
            return;
        }
        for _ in 0..TRIES {
            let open = |hours: &Hours| hours.is_open(facts.start_ms, &facts.called, &[]);
            if flow.hours.iter().any(|hours| open(hours) == Some(true)) || flow.hours.is_empty() {
                return;
            }
            facts.start_ms = self.moment();
        }
    }

    fn knows(&mut self) -> bool {
        !self.rng.percent(self.faults.facts)
    }

    /// Now what the rule asks for, now something else.
    fn of_rule(&mut self, flow: &Flow, fact: &Fact, facts: &mut Facts) {
        match fact {
            Fact::WaitOver { source, .. } | Fact::AgentsAvailable { source, .. }
                if self.knows() =>
            {
                let told = Told {
                    wait_seconds: Some(self.rng.pick(0, &[30, 120, 121, 900])),
                    agents_available: Some(self.rng.pick(0, &[0, 1, 5])),
                    until_ms: facts.start_ms + 60_000,
                    ..Told::default()
                };
                facts.sources.insert(source.clone(), told);
            }
            Fact::Flag(name) if self.rng.percent(10) => {
                facts.flags.iter_mut().for_each(|flags| flags.push(name.clone()));
            }
            Fact::Header { name, equals } if self.rng.percent(30) => {
                let asked: Vec<&str> = equals.iter().flatten().map(String::as_str).collect();
                let value = self.rng.pick("other", &asked).to_owned();
                facts.headers.insert(name.to_ascii_lowercase(), value);
            }
            Fact::Attestation(_) if self.knows() => {
                facts.attestation = Some(self.rng.pick("none", &["A", "B", "C", "failed"]).into());
            }
            Fact::TargetUp(id) if self.knows() => {
                if let Some(target) = flow.targets.get(usize::from(id.0)) {
                    facts.targets_up.insert(target.name.clone(), self.rng.percent(70));
                }
            }
            Fact::CallerPrefix(list) if !facts.withheld && self.rng.percent(20) => {
                let prefixes: Vec<&String> = list.iter().collect();
                if let Some(prefix) = self.one_of(&prefixes) {
                    facts.caller = Some(format!("{prefix:0<13}"));
                }
            }
            // Told at arrival; what lookups tell is drawn when they answer.
            Fact::Field { field, test } if field == "site_visits" && self.knows() => {
                let bound = match test {
                    FieldTest::AtMost(n) | FieldTest::AtLeast(n) => n.to_string(),
                    FieldTest::Equals(list) => list.first().cloned().unwrap_or_default(),
                };
                let value = self.rng.pick("0".to_owned(), &["1".to_owned(), "9".to_owned(), bound]);
                facts.fields.insert(field.clone(), value);
            }
            _ => {}
        }
    }

    /// Now and then hours are closed or open for once.
    fn one_offs(&mut self, flow: &Flow, facts: &mut Facts) {
        for hours in &flow.hours {
            if self.rng.percent(5) {
                facts.one_offs.push(OneOff {
                    hours: hours.name.clone(),
                    open: self.rng.percent(50),
                    from_ms: facts.start_ms - 3_600_000,
                    until_ms: facts.start_ms + 3_600_000,
                    because: "for once".into(),
                });
            }
        }
    }

    fn history(&mut self, start_ms: i64) -> History {
        let calls = if self.rng.percent(3) { MANY_CALLS } else { self.rng.within(0..4) };
        let is_many = calls == MANY_CALLS;
        let mut ago =
            || start_ms - i64::try_from(self.rng.within(1..30 * 86_400_000)).unwrap_or(DAY_MS);
        let calls_ms: Vec<_> = (0..calls).map(|_| ago()).collect();
        let last = calls_ms.iter().copied().take(1).filter(|at| at % 3 == 0);
        History {
            deflected_ms: if is_many { calls_ms.clone() } else { last.collect() },
            offered_ms: calls_ms.last().copied().filter(|at| at % 4 == 0),
            declined_ms: calls_ms.first().copied().filter(|at| at % 5 == 0),
            calls_ms,
            failed_promise: self.rng.percent(3),
            opted_out: self.rng.percent(3),
        }
    }
}
