//! E05: loops are bounded: none goes round without the caller or a wait, none is of rules or
//! of links. (`tries`, `max_steps` and `max_minutes` are checked where they are read.)

use std::collections::BTreeSet;

use super::{
    Lint,
    graph::{self, Cause, Places, Way},
};
use crate::{
    diagnose::Code,
    flow::{
        model::{Fact, Go},
        rules::MAX_DEPTH,
    },
};

pub(super) fn check(lint: &Lint<'_>) {
    of_steps(lint);
    of_rules(lint);
    of_links(lint);
}

fn of_steps(lint: &Lint<'_>) {
    let by_itself = |_: Go, way: &Way| way.cause == Cause::Itself;
    let mut told = Places::default();
    for (at, step) in graph::steps(lint.flow) {
        if told.contains(at) {
            continue;
        }
        if let Some(circle) = graph::circle(lint.flow, at, by_itself) {
            let spelt = graph::spell(lint.flow, &circle);
            let message = format!("a loop without a key or a wait in it: {spelt}");
            let help = "let a step of it take a key, or lead out of it";
            lint.note(Code::E05, lint.header("step", &step.name), message, help);
            circle.into_iter().for_each(|place| {
                told.insert(place);
            });
        }
    }
}

fn of_rules(lint: &Lint<'_>) {
    let names = |at: usize| -> Vec<usize> {
        match lint.flow.rules.get(at).map(|rule| &rule.fact) {
            Some(Fact::AnyOf(rules)) => rules.iter().map(|rule| usize::from(rule.0)).collect(),
            Some(Fact::Not(rule)) => vec![usize::from(rule.0)],
            _ => Vec::new(),
        }
    };
    let count = lint.flow.rules.len();
    // Rules left over when those whose parts are all settled are taken out lie on a loop.
    let mut depth: Vec<Option<usize>> = vec![None; count];
    for _ in 0..=MAX_DEPTH {
        for at in 0..count {
            let parts = names(at);
            let deepest = parts.iter().map(|part| depth.get(*part).copied().flatten());
            let deepest: Option<Vec<usize>> = deepest.collect();
            depth[at] = deepest.map(|parts| parts.into_iter().max().unwrap_or(0) + 1);
        }
    }
    for (rule, depth) in lint.flow.rules.iter().zip(depth) {
        if depth.is_none_or(|depth| depth > MAX_DEPTH) {
            let message =
                format!("the rule leads back to itself, or through over {MAX_DEPTH} others");
            let help = "name rules that test something themselves";
            lint.note(Code::E05, lint.header("rule", &rule.name), message, help);
        }
    }
}

fn of_links(lint: &Lint<'_>) {
    for (start, link) in lint.flow.links.iter().enumerate() {
        let mut seen = BTreeSet::from([start]);
        let mut at = link.if_missing;
        while let Some(next) = at.map(|id| usize::from(id.0)) {
            if !seen.insert(next) {
                if next == start {
                    let help = "let the last of them be one that needs no field";
                    let place = lint.place("link", &link.name, "if_missing");
                    lint.note(Code::E05, place, "`if_missing` leads back to this link", help);
                }
                break;
            }
            at = lint.flow.links.get(next).and_then(|link| link.if_missing);
        }
    }
}
