//! The linter: one check a file, each named by what it finds.
//!
//! Checks of one table run always; those of the ways between them only where every name leads
//! somewhere, so that one misspelt name is told once and not as ten unreachable steps.

pub(crate) mod addresses;
mod after_call;
mod agents;
mod bounds;
mod digital_only;
mod fields;
mod graph;
mod hours;
mod intents;
mod keys;
mod languages;
mod links;
mod loops;
mod menus;
mod messages;
mod modes;
mod numbers;
mod offers;
mod person;
mod prompts;
mod reach;
mod said_keys;
pub(crate) mod shorteners;
mod spoken;
mod transitions;
mod traps;
mod unused;
pub(crate) mod urls;
mod waits;
mod way_out;

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use crate::{
    diagnose::{Code, Notes, Span},
    flow::{
        PromptIndex, Shared,
        model::{Does, Flow, Step, Target},
    },
};

/// A flow that was read, with the file it was read from.
struct Lint<'a> {
    flow: &'a Flow,
    tree: &'a DeTable<'a>,
    shared: &'a Shared,
    prompts: &'a dyn PromptIndex,
    notes: &'a Notes,
}

/// Checks a flow that was read from `tree`.
pub(crate) fn check(
    flow: &Flow,
    tree: &DeTable<'_>,
    shared: &Shared,
    prompts: &dyn PromptIndex,
    notes: &Notes,
) {
    let names_resolve = !notes.has_errors();
    let lint = Lint { flow, tree, shared, prompts, notes };
    let each_table: [fn(&Lint<'_>); 12] = [
        waits::check,
        prompts::check,
        keys::check,
        languages::check,
        messages::check,
        links::check,
        shorteners::check,
        menus::check,
        said_keys::check,
        offers::check,
        after_call::check,
        numbers::check,
    ];
    let between_tables: [fn(&Lint<'_>); 14] = [
        hours::check,
        agents::check,
        loops::check,
        reach::check,
        digital_only::check,
        person::check,
        way_out::check,
        fields::check,
        unused::check,
        modes::check,
        transitions::check,
        intents::check,
        menus::levels,
        links::levels,
    ];
    each_table.iter().for_each(|check| check(&lint));
    if names_resolve {
        between_tables.iter().for_each(|check| check(&lint));
        traps::check(&lint);
    }
}

impl Lint<'_> {
    fn note(&self, code: Code, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.notes.note(code, span, message, help);
    }

    fn value(&self, kind: &str, name: &str, key: &str) -> Option<&toml::Spanned<DeValue<'_>>> {
        self.table(kind, name)?.get(key)
    }

    fn table(&self, kind: &str, name: &str) -> Option<&DeTable<'_>> {
        self.tree.get(kind)?.get_ref().as_table()?.get(name)?.get_ref().as_table()
    }

    /// The messages of steps and of what follows calls: kind and name of the table, and the texts.
    fn messages(&self) -> impl Iterator<Item = (&'static str, &str, &BTreeMap<String, String>)> {
        let of_steps = self.flow.steps.iter().filter_map(|step| match &step.does {
            Does::Text(text) => Some(("step", step.name.as_str(), &text.message)),
            _ => None,
        });
        let after = self.flow.after_call.iter();
        of_steps.chain(after.map(|after| ("after_call", after.name.as_str(), &after.message)))
    }

    /// Place of `key` in `[kind.name]`, else of the table, else of `[flow]`.
    fn place(&self, kind: &str, name: &str, key: &str) -> Span {
        self.value(kind, name, key).map_or_else(|| self.header(kind, name), toml::Spanned::span)
    }

    /// Place of a table's header; of `[flow]` where the table is in carom.toml.
    fn header(&self, kind: &str, name: &str) -> Span {
        let tables = self.tree.get(kind).and_then(|tables| tables.get_ref().as_table());
        let found = tables.and_then(|tables| tables.get_key_value(name));
        found.map_or_else(|| self.flow_place(""), |(key, _)| key.span())
    }

    /// Place of a key of `[flow]`, else of its header.
    fn flow_place(&self, key: &str) -> Span {
        let Some((header, flow)) = self.tree.get_key_value("flow") else { return 0..0 };
        let value = flow.get_ref().as_table().and_then(|flow| flow.get(key));
        value.map_or_else(|| header.span(), toml::Spanned::span)
    }

    fn step_place(&self, step: &Step, key: &str) -> Span {
        self.place("step", &step.name, key)
    }

    fn target_place(&self, target: &Target, key: &str) -> Span {
        self.place("target", &target.name, key)
    }

    /// Whether the flow file itself has the table.
    fn is_own(&self, kind: &str, name: &str) -> bool {
        self.table(kind, name).is_some()
    }
}
