//! Reads the tables of a flow file and looks up the names in them.
//!
//! All names are collected first, so that tables may stand in any order. A name that leads
//! nowhere is noted and replaced by a hang-up; a flow with such a place is never served.

mod after_call;
mod agent;
mod ask;
pub(crate) mod fields;
mod head;
mod links;
mod message;
mod names;
mod prompts;
mod rules;
mod share;
mod steps;
mod targets;

pub(crate) use ask::whole;

use self::{head::head, names::Names};
use super::{Sender, Shared, model::Flow};
use crate::diagnose::{Code, Notes, Table, Text, nearest};

/// Kinds of table that are read by who knows providers and networks; they are in [`Shared`].
const READ_BEFORE: [&str; 2] = ["sender", "source"];

/// What is at hand while tables are read.
struct Reader<'a> {
    names: Names,
    shared: &'a Shared,
    notes: &'a Notes,
    /// Those that texts of this flow may come from.
    senders: Vec<Sender>,
    /// Kinds of table whose names are not looked up: a table's is misspelt, which is told.
    misspelt: Vec<&'static str>,
}

/// Kinds of table whose names lead somewhere.
const KINDS: [&str; 7] = ["step", "target", "link", "rule", "hours", "sender", "source"];
/// All other tables of a flow file.
const OTHERS: [&str; 3] = ["flow", "version", "after_call"];

/// Kinds that keys of the file that are none are near to.
fn misspelt(root: &Table<'_>) -> Vec<&'static str> {
    let is_known = |key: &&str| KINDS.contains(key) || OTHERS.contains(key);
    let unknown = root.keys_in_order().into_iter().filter(|key| !is_known(key));
    let near = unknown.filter_map(|key| nearest(key, KINDS.into_iter().chain(OTHERS)));
    near.filter_map(|near| KINDS.into_iter().find(|kind| *kind == near)).collect()
}

/// Reads the file; `None` where there is no `[flow]` to begin with.
pub(super) fn flow(root: &Table<'_>, shared: &Shared, rev: String) -> Option<Flow> {
    let notes = root.notes();
    root.require("version", Code::E00);
    root.number("version", 1..=1);
    root.require("flow", Code::E00);
    let hours = targets::hours(root, shared);
    let drafts = targets::drafts(root, shared);
    let tables = Tables {
        links: root.tables("link"),
        rules: root.tables("rule"),
        steps: root.tables("step"),
        after_call: root.tables("after_call"),
    };
    for kind in READ_BEFORE {
        root.value(kind);
    }
    let names = Names::collect(&tables, &drafts, &hours, notes)?;
    let misspelt = misspelt(root);
    let mut reader = Reader { names, shared, notes, senders: Vec::new(), misspelt };
    let table = root.table("flow", "`[flow]`")?;
    let mut flow = head(table, &reader, rev);
    reader.senders.clone_from(&flow.senders);
    flow.hours = hours;
    flow.targets = drafts.iter().map(|draft| targets::resolve(draft, &reader)).collect();
    let Tables { links, rules, steps, after_call } = tables;
    flow.links =
        links.into_iter().map(|(name, table)| links::link(name, &table, &reader)).collect();
    flow.rules =
        rules.into_iter().map(|(name, table)| rules::rule(name, &table, &reader)).collect();
    flow.steps =
        steps.into_iter().map(|(name, table)| steps::step(name, &table, &reader)).collect();
    let after_call = after_call.into_iter();
    flow.after_call =
        after_call.map(|(name, table)| after_call::after_call(name, &table, &reader)).collect();
    Some(flow)
}

/// The named tables of the file.
pub(super) struct Tables<'a> {
    /// `[link.X]`.
    pub links: Vec<(Text, Table<'a>)>,
    /// `[rule.X]`.
    pub rules: Vec<(Text, Table<'a>)>,
    /// `[step.X]`.
    pub steps: Vec<(Text, Table<'a>)>,
    /// `[after_call.X]`.
    pub after_call: Vec<(Text, Table<'a>)>,
}
