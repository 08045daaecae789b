//! A judge of flows that knows nothing of the linter, written from requirements §6 and decisions
//! §3 over the TOML itself: it plays every call there can be, the caller against all the rest.
//!
//! A caller is trapped where
//! * a step asks for a key, and no choice of keys makes sure that the call rings at an open
//!   target that people answer, or is in line at one, whatever the others do (an end after a failure is good where everybody of the way
//!   out was tried, or `fallback = false` is written);
//! * something failed or was closed, and the call ends without ringing, or rings at a bot, without
//!   that leave and without the caller having been asked;
//! * the call goes round without the caller.

mod persons;
mod search;
mod sub;
mod wait;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use toml::{Table, Value};
use wait::Place;

/// What became of a target or step that a flow names and that is not there.
const NOWHERE: &str = "(nowhere)";

/// A call somewhere in its flow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Call {
    at: At,
    /// A key asked for a text: by an accepted offer, by a menu, or not.
    wants_text: Wants,
    /// Something failed or was closed since the caller last chose.
    trouble: bool,
    /// … and since the caller was last asked.
    unasked: bool,
    /// The human target failed since the caller last chose.
    human_failed: bool,
    /// A message was left or a callback booked, and no target was asked for since.
    served: bool,
    /// It was closed: what follows is its `when_closed` route, which falls back to `[fallback]`.
    human_closed: bool,
    /// The caller's place in line, kept until the call goes to a target.
    line: Option<Place>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum At {
    /// A step or a target, or `hangup`.
    Named(String),
    /// The step has played and waits for the caller.
    Asking(String),
    /// The step does what the caller keyed in.
    Doing(String),
    Rings(String),
    /// In line at the target of the `wait` step.
    Waits(String),
    /// Everybody was tried.
    Apology,
    /// Over, by leave or not.
    Over {
        by_leave: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Wants {
    No,
    ByMenu,
    ByOffer,
}

/// The flow, and what it takes from the configuration.
struct Judge<'a> {
    flow: &'a Table,
    /// The one target of the configuration.
    shared: &'a str,
    /// Whether it is that of `[fallback]`.
    has_fallback: bool,
}

/// Why callers are trapped; empty where none is. `shared` is a target of the configuration, and
/// that of `[fallback]` where there is one; `files` are those of sub-flows.
pub fn traps(
    text: &str,
    shared: &str,
    has_fallback: bool,
    files: &BTreeMap<String, String>,
) -> BTreeSet<String> {
    let flow = sub::written_out(&text.parse().expect("TOML"), files);
    Judge { flow: &flow, shared, has_fallback }.traps()
}

impl Call {
    fn is_past_human(&self) -> bool {
        self.human_failed || self.human_closed
    }
}

impl Judge<'_> {
    fn traps(&self) -> BTreeSet<String> {
        let mut calls = Vec::new();
        let mut numbers = HashMap::new();
        let mut next: Vec<Vec<usize>> = Vec::new();
        let mut number = |call: Call, calls: &mut Vec<Call>| {
            *numbers.entry(call.clone()).or_insert_with(|| {
                calls.push(call);
                calls.len() - 1
            })
        };
        // Beside the start: a call whose time is used up is put through to the human target.
        // Who waited for that one meanwhile goes on to `[fallback]`.
        let start = self.word("flow", None, "start").unwrap_or(NOWHERE);
        let fallback = self.has_fallback.then_some((self.shared, true));
        let starts = [Some((start, false)), Some((self.human(), false)), fallback];
        for (start, human_failed) in starts.into_iter().flatten() {
            let call = Call {
                at: At::Named(start.to_owned()),
                wants_text: Wants::No,
                trouble: false,
                unasked: false,
                human_failed,
                served: false,
                human_closed: false,
                line: None,
            };
            number(call, &mut calls);
        }
        while next.len() < calls.len() {
            let follow = self.after(&calls[next.len()].clone());
            next.push(follow.into_iter().map(|call| number(call, &mut calls)).collect());
        }
        let safe = search::safe(&calls, &next, |target| self.is_person(target));
        let mut found = BTreeSet::new();
        for (at, call) in calls.iter().enumerate() {
            match &call.at {
                At::Asking(step) if !safe.contains(&at) => {
                    found.insert(format!("`{step}` asks, and nobody can be reached"));
                }
                At::Rings(target) if call.unasked && self.is_bot(target) => {
                    found.insert("a failure leads to a bot".to_owned());
                }
                At::Over { by_leave: false } if call.unasked => {
                    found.insert("a failure ends the call".to_owned());
                }
                At::Named(name) if name == NOWHERE => {
                    found.insert("a way leads nowhere".to_owned());
                }
                _ => {}
            }
        }
        if search::goes_round(&calls, &next) {
            found.insert("the call goes round without the caller".to_owned());
        }
        found
    }

    /// Everything that can come next.
    fn after(&self, call: &Call) -> Vec<Call> {
        match &call.at {
            At::Over { .. } | At::Apology => Vec::new(),
            At::Rings(target) => ["if_busy", "if_no_answer", "if_fails"]
                .map(|exit| self.target_fails(call, target, exit))
                .into(),
            At::Waits(name) => {
                self.table("step", name).map_or(Vec::new(), |step| self.wait(call, step))
            }
            At::Named(name) if self.is_target(name) => {
                let call = &Call { line: None, ..call.clone() };
                let mut after = vec![Call { at: At::Rings(name.clone()), ..call.clone() }];
                if self.word("target", Some(name), "hours").is_some() {
                    after.push(self.target_fails(call, name, "when_closed"));
                }
                after
            }
            At::Named(name) => match self.table("step", name) {
                Some(step) => self.enter(call, name, step),
                None => Vec::new(),
            },
            At::Asking(name) => self.table("step", name).map_or(Vec::new(), |step| {
                let mut after = self.choices(call, name, step);
                after.dedup();
                after
            }),
            At::Doing(name) => self.table("step", name).map_or(Vec::new(), |step| {
                let refused = if kind(step) == "collect" && word(step, "check").is_some() {
                    // Until the tries are used up it asks again.
                    vec![
                        self.go(call, step, word(step, "wrong").or(word(step, "no_input"))),
                        Call { at: At::Asking(name.clone()), ..call.clone() },
                    ]
                } else if kind(step) == "collect" {
                    Vec::new()
                } else if kind(step) == "callback" {
                    // It is booked, or it fails, if only after another number was asked for.
                    let served = Call { served: true, ..call.clone() };
                    return vec![
                        self.go(&served, step, word(step, "then")),
                        self.fails(call, step, "if_fails"),
                    ];
                } else if kind(step) == "voicemail" {
                    // The message is kept, or it is not.
                    let served = Call { served: true, ..call.clone() };
                    let then = word(step, "then").or(Some("hangup"));
                    return vec![self.go(&served, step, then), self.fails(call, step, "if_fails")];
                } else {
                    vec![self.fails(call, step, "if_fails")]
                };
                [vec![self.go(call, step, word(step, "then"))], refused].concat()
            }),
        }
    }

    fn enter(&self, call: &Call, name: &str, step: &Table) -> Vec<Call> {
        let prompt_fails = || self.fails(call, step, "(none)");
        let asks = || Call { at: At::Asking(name.to_owned()), unasked: false, ..call.clone() };
        match kind(step) {
            "say" => vec![self.go(call, step, word(step, "then")), prompt_fails()],
            "set" => vec![self.go(call, step, word(step, "then"))],
            "decide" => {
                let cases = step.get("case").and_then(Value::as_array).into_iter().flatten();
                let gos = cases.map(|case| case.get("go").and_then(Value::as_str));
                let gos = gos.chain([word(step, "otherwise")]);
                gos.map(|to| self.go(call, step, to)).collect()
            }
            "offer" => {
                let not_offered = self.go(call, step, word(step, "if_not_offered"));
                let mut after = vec![asks(), prompt_fails(), not_offered];
                // A promise was broken: a person, unless the caller comes from there.
                if !call.is_past_human() {
                    after.push(self.go(call, step, Some(self.human())));
                }
                after
            }
            "answer" => {
                let mut after = vec![asks(), prompt_fails()];
                if step.contains_key("needs") {
                    after.push(match word(step, "if_missing") {
                        Some(to) => {
                            let after = self.go(call, step, Some(to));
                            Call { trouble: true, unasked: true, ..after }
                        }
                        None => prompt_fails(),
                    });
                }
                after.into_iter().map(|after| self.excused(after, step)).collect()
            }
            "menu" | "collect" => vec![asks(), prompt_fails()],
            "opt-out" | "voicemail" | "callback" => {
                vec![asks(), self.fails(call, step, "if_fails")]
            }
            "action" if step.contains_key("confirm") => {
                vec![asks(), self.fails(call, step, "if_fails")]
            }
            "action" | "lookup" => {
                vec![self.go(call, step, word(step, "then")), self.fails(call, step, "if_fails")]
            }
            "agent" => {
                let mut after = vec![self.go(call, step, word(step, "then"))];
                let bot = word(step, "target").unwrap_or(NOWHERE);
                let closed = self.word("target", Some(bot), "hours").map(|_| "when_closed");
                let exits = ["if_busy", "if_no_answer", "if_timeout", "if_fails"];
                for exit in exits.into_iter().chain(closed) {
                    after.push(self.bot_fails(call, step, bot, exit));
                }
                after
            }
            "text" if call.wants_text == Wants::No => vec![self.fails(call, step, "if_fails")],
            "text" => {
                let sent = Call { wants_text: Wants::No, ..call.clone() };
                let mut after = vec![self.go(&sent, step, word(step, "then"))];
                for exit in ["if_fails", "if_ambiguous", "if_opted_out", "if_limited"] {
                    let exit = if step.contains_key(exit) { exit } else { "if_fails" };
                    after.push(self.fails(&sent, step, exit));
                }
                // Asked for a mobile number, the caller may ask for a person instead.
                if word(step, "confirm_number") != Some("never") {
                    after.push(self.go(&sent, step, Some(self.human())));
                }
                after
            }
            "wait" => self.enter_line(call, name, step),
            kind => panic!("the judge knows no step `{kind}`"),
        }
    }

    /// What a caller who is asked can do.
    fn choices(&self, call: &Call, name: &str, step: &Table) -> Vec<Call> {
        let chosen = |wants_text, to: Option<&str>| {
            let fresh = Call { trouble: false, human_failed: false, ..call.clone() };
            Call { wants_text, ..self.go(&fresh, step, to) }
        };
        let wrong = word(step, "wrong").or(word(step, "no_input"));
        let silent = |to: Option<&str>| {
            let wants_text = match call.wants_text {
                Wants::ByOffer => Wants::ByOffer,
                Wants::No | Wants::ByMenu => Wants::No,
            };
            self.go(&Call { wants_text, ..call.clone() }, step, to)
        };
        let doing = || Call { at: At::Doing(name.to_owned()), trouble: false, ..call.clone() };
        match kind(step) {
            "collect" => vec![doing(), silent(word(step, "no_input")), silent(wrong)],
            "opt-out" => {
                vec![doing(), silent(word(step, "no_input").or(word(step, "then")))]
            }
            "callback" => {
                let no = match word(step, "no_input") {
                    Some(to) => silent(Some(to)),
                    None => self.fails(call, step, "if_fails"),
                };
                let mut after = vec![doing(), no];
                if !self.operator_keys().is_empty() {
                    after.push(chosen(call.wants_text, Some(self.human())));
                }
                after
            }
            // Speaks, or says nothing.
            "voicemail" => vec![doing(), silent(word(step, "then").or(Some("hangup")))],
            "action" => {
                let no = match word(step, "no_input") {
                    Some(to) => silent(Some(to)),
                    None => self.fails(call, step, "if_fails"),
                };
                let mut after = vec![doing(), no];
                if !self.operator_keys().is_empty() {
                    after.push(chosen(call.wants_text, Some(self.human())));
                }
                after
            }
            kind => {
                let listed: BTreeMap<&str, Option<&str>> = step
                    .get("press")
                    .and_then(Value::as_table)
                    .into_iter()
                    .flatten()
                    .map(|(key, to)| (key.as_str(), to.as_str()))
                    .collect();
                let accepts = |key: &str| {
                    let keys = step.get("accept").and_then(Value::as_array);
                    keys.is_some_and(|keys| keys.iter().any(|known| known.as_str() == Some(key)))
                };
                let mut after = vec![silent(word(step, "no_input")), silent(wrong)];
                for (key, to) in &listed {
                    let wants_text = match (kind, call.wants_text) {
                        ("offer", _) if accepts(key) => Wants::ByOffer,
                        ("offer", _) => Wants::No,
                        (_, Wants::ByOffer) => Wants::ByOffer,
                        _ => Wants::ByMenu,
                    };
                    after.push(chosen(wants_text, *to));
                }
                if self.operator_keys().iter().any(|key| !listed.contains_key(key.as_str())) {
                    after.push(chosen(Wants::No, Some(self.human())));
                }
                after
            }
        }
    }

    /// As the flow says.
    fn go(&self, call: &Call, step: &Table, to: Option<&str>) -> Call {
        let at = self.place(to);
        let served = call.served && !matches!(&at, At::Named(name) if self.is_target(name));
        let call = Call { at, served, ..call.clone() };
        self.excused(call, step)
    }

    /// An end in trouble is good where the step says so, and any end for whom something was done.
    fn excused(&self, mut call: Call, step: &Table) -> Call {
        if let At::Over { by_leave } = &mut call.at {
            let leave = step.get("fallback") == Some(&Value::Boolean(false));
            *by_leave = call.served || (call.trouble && leave);
        }
        call
    }

    fn place(&self, to: Option<&str>) -> At {
        match to {
            Some("hangup") => At::Over { by_leave: false },
            Some(name) if self.is_there(name) => At::Named(name.to_owned()),
            _ => At::Named(NOWHERE.to_owned()),
        }
    }

    fn is_there(&self, name: &str) -> bool {
        self.table("step", name).is_some() || self.is_target(name)
    }

    fn is_target(&self, name: &str) -> bool {
        self.table("target", name).is_some() || name == self.shared
    }

    /// A step's own exit, then the human target, then the fallback, then the apology; nobody is
    /// sent back to the human target that failed since the caller last chose.
    fn fails(&self, call: &Call, step: &Table, exit: &str) -> Call {
        let mut call = Call { trouble: true, unasked: true, ..call.clone() };
        let may_end = step.get("fallback") == Some(&Value::Boolean(false));
        call.at = match word(step, exit) {
            Some("hangup") if may_end => At::Over { by_leave: true },
            Some(name) if !self.is_no_exit(&call, name) => self.place(Some(name)),
            _ if call.is_past_human() => self.last_resort(None),
            _ => self.place(Some(self.human())),
        };
        call
    }

    /// As [`Self::fails`]; the bot's target says what the step does not.
    fn bot_fails(&self, call: &Call, step: &Table, bot: &str, exit: &str) -> Call {
        let mut step = step.clone();
        let own = |key: &str| step.get(key).or(step.get("if_fails")).cloned();
        let of_target = |key: &str| {
            let target = self.table("target", bot)?;
            target.get(key).or(target.get("if_fails")).cloned()
        };
        let to = match exit {
            "if_timeout" => own(exit),
            "when_closed" => step.get("if_fails").cloned().or_else(|| of_target(exit)),
            _ => own(exit).or_else(|| of_target(exit)),
        };
        match to {
            Some(to) => drop(step.insert("chosen".to_owned(), to)),
            None => drop(step.remove("chosen")),
        }
        self.fails(call, &step, "chosen")
    }

    fn target_fails(&self, call: &Call, name: &str, exit: &str) -> Call {
        let table = self.table("target", name);
        let mut call = Call { trouble: true, unasked: true, ..call.clone() };
        call.human_failed |= name == self.human();
        call.human_closed |= name == self.human() && exit == "when_closed";
        let own = table.and_then(|table| word(table, exit).or(word(table, "if_fails")));
        let may_end =
            table.is_some_and(|table| table.get("fallback") == Some(&Value::Boolean(false)));
        call.at = match own {
            Some("hangup") if may_end => At::Over { by_leave: true },
            Some(own) if !self.is_no_exit(&call, own) => self.place(Some(own)),
            _ if call.is_past_human() || (self.has_fallback && name == self.shared) => {
                self.last_resort(Some(name))
            }
            _ => self.place(Some(self.human())),
        };
        call
    }

    fn is_no_exit(&self, call: &Call, own: &str) -> bool {
        own == "hangup" || (own == self.human() && call.human_failed)
    }

    fn last_resort(&self, failed: Option<&str>) -> At {
        match self.has_fallback && failed != Some(self.shared) {
            true => At::Named(self.shared.to_owned()),
            false => At::Apology,
        }
    }

    fn human(&self) -> &str {
        self.word("flow", None, "human").unwrap_or(NOWHERE)
    }

    fn operator_keys(&self) -> Vec<String> {
        let keys = self.flow.get("flow").and_then(|flow| flow.get("operator_keys"));
        let Some(keys) = keys.and_then(Value::as_array) else { return vec!["0".to_owned()] };
        keys.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn table(&self, kind: &str, name: &str) -> Option<&Table> {
        self.flow.get(kind)?.get(name)?.as_table()
    }

    fn word(&self, kind: &str, name: Option<&str>, key: &str) -> Option<&str> {
        let table = self.flow.get(kind)?;
        match name {
            Some(name) => table.get(name)?.get(key)?.as_str(),
            None => table.get(key)?.as_str(),
        }
    }
}

fn kind(step: &Table) -> &str {
    word(step, "do").unwrap_or("")
}

fn word<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    table.get(key)?.as_str()
}
