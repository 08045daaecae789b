//! W10: links, rules, hours and targets that nothing uses.

use std::collections::BTreeSet;

use super::{
    Lint,
    graph::{self, Places},
};
use crate::{
    diagnose::Code,
    flow::model::{Does, Fact, Go, HoursId, LinkId, RuleId},
};

#[derive(Default)]
struct Used {
    links: BTreeSet<LinkId>,
    rules: BTreeSet<RuleId>,
    hours: BTreeSet<HoursId>,
    places: Places,
}

pub(super) fn check(lint: &Lint<'_>) {
    let used = used(lint);
    let flow = lint.flow;
    for (id, link) in (0..).map(LinkId).zip(&flow.links) {
        note(lint, "link", &link.name, used.links.contains(&id));
    }
    for (id, rule) in (0..).map(RuleId).zip(&flow.rules) {
        note(lint, "rule", &rule.name, used.rules.contains(&id));
    }
    for (id, hours) in (0..).map(HoursId).zip(&flow.hours) {
        let is_used = used.hours.contains(&id) || is_of_a_number(lint, &hours.name);
        note(lint, "hours", &hours.name, is_used);
    }
    for (at, target) in graph::targets(flow) {
        note(lint, "target", &target.name, used.places.contains(at));
    }
}

fn note(lint: &Lint<'_>, kind: &str, name: &str, is_used: bool) {
    if !is_used && lint.is_own(kind, name) {
        let message = format!("nothing uses `[{kind}.{name}]`");
        lint.note(Code::W10, lint.header(kind, name), message, "leave it out");
    }
}

/// Other hours are made of them, by called number.
fn is_of_a_number(lint: &Lint<'_>, name: &str) -> bool {
    let tables = lint.tree.get("hours").and_then(|tables| tables.get_ref().as_table());
    let mut by_number = tables.into_iter().flatten().filter_map(|(_, table)| {
        table.get_ref().as_table()?.get("by_called_number")?.get_ref().as_table()
    });
    by_number.any(|numbers| numbers.values().any(|hours| hours.get_ref().as_str() == Some(name)))
}

fn used(lint: &Lint<'_>) -> Used {
    let flow = lint.flow;
    let start = [Go::Step(flow.start), Go::Target(flow.human)];
    let mut used = Used { places: graph::reachable(flow, start, |_, _| true), ..Used::default() };
    for step in &flow.steps {
        match &step.does {
            Does::Offer(offer) => {
                used.links.insert(offer.link);
                used.rules.extend(offer.only_if.iter().chain(&offer.never_if));
            }
            Does::Text(text) => used.links.extend(&text.links),
            Does::Agent(agent) => {
                used.places.insert(Go::Target(agent.target));
            }
            Does::Decide { case, .. } => used.rules.extend(case.iter().map(|(rule, _)| rule)),
            Does::Say { .. }
            | Does::Menu(_)
            | Does::Answer { .. }
            | Does::Set { .. }
            | Does::Collect(_)
            | Does::Lookup(_)
            | Does::Action(_)
            | Does::Wait(_)
            | Does::Voicemail(_)
            | Does::Callback(_)
            | Does::OptOut { .. } => {}
        }
    }
    for after in &flow.after_call {
        used.links.extend(&after.links);
        used.rules.extend(after.only_if.iter().chain(&after.never_if));
    }
    used.links.extend(flow.links.iter().filter_map(|link| link.if_missing));
    used.hours.extend(flow.targets.iter().filter_map(|target| target.hours));
    for rule in &flow.rules {
        match &rule.fact {
            Fact::AnyOf(rules) => used.rules.extend(rules),
            Fact::Not(rule) => {
                used.rules.insert(*rule);
            }
            Fact::TargetUp(id) => {
                used.places.insert(Go::Target(*id));
            }
            Fact::OutsideHours(id) => {
                used.hours.insert(*id);
            }
            _ => {}
        }
    }
    used
}
