//! Names of a flow, and what they lead to.

use std::collections::BTreeMap;

use super::Tables;
use crate::{
    diagnose::{Code, Fix, Notes, Table, Text, nearest, surely},
    flow::{
        model::{Go, HoursId, LinkId, RuleId, StepId, TargetId},
        tables::TargetDraft,
    },
    hours::Hours,
};

/// More tables of one kind are refused; [`StepId`] and the others hold this many with ease.
const MAX_TABLES: usize = 2_000;

/// Names of a flow, and what they lead to.
#[derive(Debug, Default)]
pub(in crate::flow) struct Names {
    steps: BTreeMap<String, StepId>,
    targets: BTreeMap<String, TargetId>,
    links: BTreeMap<String, LinkId>,
    rules: BTreeMap<String, RuleId>,
    hours: BTreeMap<String, HoursId>,
}

impl Names {
    /// Numbers everything in file order. `None`: there is too much of it.
    pub fn collect(
        tables: &Tables<'_>,
        targets: &[TargetDraft],
        hours: &[Hours],
        notes: &Notes,
    ) -> Option<Self> {
        let counts = [tables.links.len(), tables.rules.len(), tables.steps.len(), targets.len()];
        let counts = counts.into_iter().chain([hours.len(), tables.after_call.len()]);
        if counts.into_iter().any(|count| count > MAX_TABLES) {
            let message = format!("more than {MAX_TABLES} tables of one kind");
            notes.note(Code::E05, 0..0, message, "split the flow");
            return None;
        }
        let names = Self {
            steps: number(tables.steps.iter().map(|(name, _)| &name.value), StepId),
            targets: number(targets.iter().map(|target| &target.name.value), TargetId),
            links: number(tables.links.iter().map(|(name, _)| &name.value), LinkId),
            rules: number(tables.rules.iter().map(|(name, _)| &name.value), RuleId),
            hours: number(hours.iter().map(|hours| &hours.name), HoursId),
        };
        for (name, _) in &tables.steps {
            if name.value == "hangup" {
                let message = "no step can be called `hangup`: that is the end of a call";
                notes.note(Code::E01, name.span.clone(), message, "give it another name");
            }
            if names.targets.contains_key(&name.value) {
                let message = format!("`{}` is a step and a target", name.value);
                notes.note(Code::E01, name.span.clone(), message, "give one of them another name");
            }
        }
        Some(names)
    }

    /// A step, a target or `hangup`; without a note.
    pub fn go(&self, name: &str) -> Option<Go> {
        if name == "hangup" {
            return Some(Go::HangUp);
        }
        let step = self.steps.get(name).copied().map(Go::Step);
        step.or_else(|| self.targets.get(name).copied().map(Go::Target))
    }

    /// A target; without a note.
    pub fn target(&self, name: &str) -> Option<TargetId> {
        self.targets.get(name).copied()
    }

    /// Opening hours; without a note.
    pub fn hours(&self, name: &str) -> Option<HoursId> {
        self.hours.get(name).copied()
    }

    /// A step; without a note.
    pub fn step(&self, name: &str) -> Option<StepId> {
        self.steps.get(name).copied()
    }
}

fn number<'n, Id>(
    names: impl Iterator<Item = &'n String>,
    id: impl Fn(u16) -> Id,
) -> BTreeMap<String, Id> {
    names.cloned().zip((0..).map(id)).collect()
}

impl super::Reader<'_> {
    /// Where to, under a key that may be missing.
    pub fn go<'a>(&self, table: &Table<'a>, key: &'a str) -> Option<Go> {
        table.text(key).map(|name| self.go_to(&name))
    }

    /// Where to, under a key that must be there; `code` where it is not.
    pub fn required_go<'a>(&self, table: &Table<'a>, key: &'a str, code: Code) -> Go {
        table.require(key, code);
        self.go(table, key).unwrap_or(Go::HangUp)
    }

    /// Where a name leads.
    pub fn go_to(&self, name: &Text) -> Go {
        self.names.go(&name.value).unwrap_or_else(|| {
            let steps = self.names.steps.keys().chain(self.names.targets.keys());
            self.unknown("step or target", name, steps.map(String::as_str).chain(["hangup"]));
            Go::HangUp
        })
    }

    /// A target, which must be there.
    pub fn target_to(&self, name: &Text) -> Option<TargetId> {
        let found = self.names.target(&name.value);
        if found.is_none() {
            self.unknown("target", name, self.names.targets.keys().map(String::as_str));
        }
        found
    }

    /// A step, which must be there.
    pub fn step_to(&self, name: &Text) -> Option<StepId> {
        let found = self.names.step(&name.value);
        if found.is_none() {
            self.unknown("step", name, self.names.steps.keys().map(String::as_str));
        }
        found
    }

    /// A link, which must be there.
    pub fn link_to(&self, name: &Text) -> Option<LinkId> {
        let found = self.names.links.get(&name.value).copied();
        if found.is_none() {
            self.unknown("link", name, self.names.links.keys().map(String::as_str));
        }
        found
    }

    /// A rule, which must be there.
    pub fn rule_to(&self, name: &Text) -> Option<RuleId> {
        let found = self.names.rules.get(&name.value).copied();
        if found.is_none() {
            self.unknown("rule", name, self.names.rules.keys().map(String::as_str));
        }
        found
    }

    /// Rules, which must be there.
    pub fn rules_to(&self, names: &[Text]) -> Vec<RuleId> {
        names.iter().filter_map(|name| self.rule_to(name)).collect()
    }

    /// Opening hours, which must be there.
    pub fn hours_to(&self, name: &Text) -> Option<HoursId> {
        let found = self.names.hours(&name.value);
        if found.is_none() {
            self.unknown("hours", name, self.names.hours.keys().map(String::as_str));
        }
        found
    }

    /// Notes a name that leads nowhere.
    pub fn unknown<'n>(&self, what: &str, name: &Text, known: impl Iterator<Item = &'n str>) {
        let is_misspelt = self.misspelt.iter().any(|kind| what.contains(kind));
        if is_misspelt
            || matches!(what, "sender" | "source") && self.shared.broken.contains(&name.value)
        {
            return;
        }
        let known: Vec<&str> = known.collect();
        let help = match nearest(&name.value, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("there is no {what} at all"),
            None if known.len() > 12 => String::new(),
            None => format!("there are: {}", known.join(", ")),
        };
        let message = format!("there is no {what} `{}`", name.value);
        let sure = surely(&name.value, known.iter().copied());
        let fix = sure.map(|near| Fix { span: name.span.clone(), text: format!("\"{near}\"") });
        self.notes.note_with_fix(Code::E01, name.span.clone(), message, help, fix);
    }
}
