//! What the reports should say, computed the slow way from the definitions, call by call.

pub mod past;

use std::collections::BTreeMap;

use deflect_actions::store::Cell;

/// A call as the reports see it.
#[derive(Debug, Clone)]
pub struct Past {
    pub id: String,
    pub started: i64,
    pub answered: Option<i64>,
    pub ended: Option<i64>,
    pub dow: i16,
    pub hour: i16,
    pub quarter: i16,
    pub date: String,
    /// Who called, and in which epoch of the secret.
    pub caller: Option<(u64, u64)>,
    pub holdout: bool,
    pub handled: &'static str,
    pub end: &'static str,
    pub forwarded: Option<i64>,
    pub human: Option<i64>,
    /// Step, kind, entered, left, exit.
    pub steps: Vec<(&'static str, &'static str, i64, i64, &'static str)>,
    pub offers: Vec<&'static str>,
    pub message: Option<Sent>,
    pub clicked: bool,
    pub outcomes: Vec<&'static str>,
}

/// A message of a call.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    pub state: &'static str,
    pub accepted: bool,
    pub delivered: bool,
    pub micros: i64,
}

/// Days and window of a report.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    pub from: i64,
    pub to: i64,
    pub cut: i64,
    pub window: i64,
}

/// The hash of a caller in an epoch.
pub fn key(caller: u64, epoch: u64) -> String {
    format!("caller{caller}in{epoch}")
}

impl Past {
    fn eligible(&self) -> bool {
        let (Some(answered), Some(ended)) = (self.answered, self.ended) else { return false };
        let short = self.end == "caller_hangup" && ended - answered < 5_000;
        !short && !["rejected", "emergency_bypass", "test_call"].contains(&self.end)
    }

    fn offered(&self) -> bool {
        self.offers.iter().any(|response| *response != "suppressed")
    }

    fn accepted(&self) -> bool {
        self.offers.contains(&"accepted")
    }

    fn sent(&self) -> bool {
        self.message.is_some_and(|message| message.accepted)
    }

    fn deflected(&self) -> bool {
        self.eligible()
            && self.handled == "no_human"
            && !["callback_booked", "voicemail"].contains(&self.end)
            && ((self.accepted() && self.sent()) || self.outcomes.contains(&"answered_in_ivr"))
    }

    fn escalated(&self) -> bool {
        self.outcomes.iter().any(|kind| ["escalated", "callback_requested"].contains(kind))
    }

    /// Whether the same caller called again within the window; known over one change of the key.
    fn recalled(&self, all: &[Self], window: i64) -> bool {
        let (Some((caller, epoch)), Some(ended)) = (self.caller, self.ended) else { return false };
        all.iter().any(|next| {
            next.caller.is_some_and(|(c, e)| c == caller && (e == epoch || e == epoch + 1))
                && next.id != self.id
                && next.started > ended
                && next.started <= ended + window
                && (next.ended.is_none() || !["rejected", "test_call"].contains(&next.end))
        })
    }

    fn within(&self, range: Range) -> bool {
        (range.from..range.to).contains(&self.started)
    }

    fn mature(&self, range: Range) -> bool {
        self.within(range)
            && self.ended.is_some_and(|ended| ended <= range.cut)
            && self.caller.is_some()
    }
}

pub fn funnel(all: &[Past], range: Range) -> Vec<Vec<Cell>> {
    let calls: Vec<_> =
        all.iter().filter(|c| c.within(range) && c.eligible() && !c.holdout).collect();
    let count = |is: &dyn Fn(&Past) -> bool| number(calls.iter().filter(|c| is(c)).count());
    vec![vec![
        number(calls.len()),
        count(&Past::offered),
        count(&Past::accepted),
        count(&Past::sent),
        count(&|c| c.message.is_some_and(|m| m.delivered)),
        count(&|c| c.clicked),
        count(&|c| c.handled == "unknown"),
    ]]
}

pub fn deflection_rate(all: &[Past], range: Range) -> Vec<Vec<Cell>> {
    let eligible = all.iter().filter(|c| c.within(range) && c.eligible()).count();
    let deflected = all.iter().filter(|c| c.within(range) && c.deflected()).count();
    vec![vec![number(eligible), number(deflected), share(deflected, eligible)]]
}

pub fn containment(all: &[Past], range: Range) -> Vec<Vec<Cell>> {
    let mature: Vec<_> = all.iter().filter(|c| c.mature(range) && c.deflected()).collect();
    let bounced = mature.iter().filter(|c| c.recalled(all, range.window)).count();
    let kept = |c: &&&Past| !c.escalated() && !c.recalled(all, range.window);
    let contained = mature.iter().filter(kept).count();
    let n = mature.len();
    vec![vec![number(n), number(bounced), number(contained), share(contained, n)]]
}

/// `rates`: kind, valid from, micros.
pub fn net_savings(all: &[Past], range: Range, rates: &[(&str, i64, i64)]) -> Vec<Vec<Cell>> {
    let rate = |kind: &str, at: i64| {
        let valid = rates.iter().filter(|(of, from, _)| *of == kind && *from <= at);
        valid.max_by_key(|(_, from, _)| *from).map_or(0, |(_, _, micros)| *micros)
    };
    let avoided = all.iter().filter(|c| c.mature(range) && c.deflected());
    let avoided = avoided.filter(|c| !c.escalated() && !c.recalled(all, range.window));
    let old = |c: &&Past| c.within(range) && c.ended.is_some_and(|ended| ended <= range.cut);
    let clicked = all.iter().filter(old).filter(|c| c.eligible() && c.clicked);
    let messages = all.iter().filter(old).filter_map(|c| c.message);
    vec![vec![
        Cell::Number(avoided.map(|c| rate("call", c.started)).sum()),
        Cell::Number(clicked.map(|c| rate("digital", c.started)).sum()),
        Cell::Number(messages.map(|m| m.micros).sum()),
    ]]
}

pub fn recall_by_arm(all: &[Past], range: Range) -> Vec<Vec<Cell>> {
    let arm = |holdout: bool| {
        let calls: Vec<_> = all
            .iter()
            .filter(|c| c.mature(range) && c.eligible() && c.holdout == holdout)
            .collect();
        let again = calls.iter().filter(|c| c.recalled(all, range.window)).count();
        let name = if holdout { "holdout" } else { "on" };
        vec![Cell::Text(name.to_owned()), number(calls.len()), share(again, calls.len())]
    };
    vec![arm(true), arm(false)]
}

pub fn menu_use(all: &[Past], range: Range) -> Vec<Vec<Cell>> {
    let mut exits: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut visits: BTreeMap<&str, usize> = BTreeMap::new();
    for (step, kind, .., exit) in all.iter().filter(|c| c.within(range)).flat_map(|c| &c.steps) {
        if ["menu", "offer", "answer"].contains(kind) {
            *exits.entry((step, exit)).or_default() += 1;
            *visits.entry(step).or_default() += 1;
        }
    }
    let text = |text: &str| Cell::Text(text.to_owned());
    let row = |((step, exit), n): ((&str, &str), usize)| {
        vec![text(step), text(exit), number(n), share(n, visits[step])]
    };
    exits.into_iter().map(row).collect()
}

pub fn presses_to_answer(all: &[Past], range: Range) -> Vec<Vec<Cell>> {
    let mut answers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for call in all.iter().filter(|call| call.within(range)) {
        let mut presses = 0;
        for (step, kind, _, _, exit) in &call.steps {
            if *kind == "answer" {
                answers.entry(step).or_default().push(presses);
            }
            presses += usize::from(exit.chars().count() == 1);
        }
    }
    let row = |(step, presses): (&str, Vec<usize>)| {
        let (all, most) = (presses.iter().sum::<usize>(), presses.iter().max().copied());
        let mean = Cell::Share(all as f64 / presses.len() as f64);
        vec![Cell::Text(step.to_owned()), number(presses.len()), mean, number(most.unwrap_or(0))]
    };
    answers.into_iter().map(row).collect()
}

pub fn drop_off(all: &[Past], range: Range) -> Vec<Vec<Cell>> {
    let mut steps: BTreeMap<&str, (usize, Vec<i64>)> = BTreeMap::new();
    for (step, _, entered, left, exit) in
        all.iter().filter(|c| c.within(range)).flat_map(|c| &c.steps)
    {
        let (visits, heard) = steps.entry(step).or_default();
        *visits += 1;
        if *exit == "hangup" {
            heard.push(left - entered);
        }
    }
    let mut rows: Vec<_> = steps.into_iter().collect();
    // Of those that hung up everywhere alike the names decide.
    rows.sort_by_key(|(_, (visits, heard))| std::cmp::Reverse(heard.len() * 1_000_000 / visits));
    rows.into_iter()
        .map(|(step, (visits, mut heard))| {
            heard.sort_unstable();
            let median = heard.get(heard.len().saturating_sub(1) / 2);
            vec![
                Cell::Text(step.to_owned()),
                number(visits),
                number(heard.len()),
                share(heard.len(), visits),
                median.map_or(Cell::Null, |ms| Cell::Number(*ms)),
            ]
        })
        .collect()
}

pub fn heat_map(all: &[Past], range: Range) -> Vec<Vec<Cell>> {
    let mut cells: BTreeMap<(i16, i16), [usize; 3]> = BTreeMap::new();
    for call in all.iter().filter(|c| c.within(range) && c.eligible()) {
        let [calls, offered, accepted] = cells.entry((call.dow, call.hour)).or_default();
        *calls += 1;
        *offered += usize::from(call.offered());
        *accepted += usize::from(call.accepted());
    }
    let row = |((dow, hour), counts): ((i16, i16), [usize; 3])| {
        let at = [dow, hour].map(|n| Cell::Number(n.into()));
        at.into_iter().chain(counts.map(number)).collect()
    };
    cells.into_iter().map(row).collect()
}

pub fn intervals(all: &[Past], range: Range) -> Vec<Vec<Cell>> {
    let mut quarters: BTreeMap<(&str, i16), usize> = BTreeMap::new();
    for call in all.iter().filter(|c| c.within(range)) {
        *quarters.entry((&call.date, call.quarter)).or_default() += 1;
    }
    let row = |((date, quarter), n): ((&str, i16), usize)| {
        vec![Cell::Text(date.to_owned()), Cell::Number(quarter.into()), number(n)]
    };
    quarters.into_iter().map(row).collect()
}

pub fn asa(all: &[Past], range: Range) -> Vec<Vec<Cell>> {
    let calls = all.iter().filter(|c| c.within(range) && c.eligible() && c.forwarded.is_some());
    let calls: Vec<_> = calls.collect();
    let count = |is: &str| calls.iter().filter(|c| c.handled == is).count();
    let human = calls.iter().filter(|c| c.handled == "human");
    let waited: i64 = human.map(|c| c.human.unwrap() - c.forwarded.unwrap()).sum();
    let mean = Cell::Share(waited as f64 / count("human") as f64);
    vec![vec![mean, number(count("human")), number(count("no_human")), number(count("unknown"))]]
}

fn number(n: usize) -> Cell {
    Cell::Number(i64::try_from(n).unwrap())
}

fn share(n: usize, of: usize) -> Cell {
    if of == 0 { Cell::Null } else { Cell::Share(100.0 * n as f64 / of as f64) }
}
