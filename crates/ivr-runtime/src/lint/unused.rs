//! W10: links, rules, hours, targets, senders and sources that nothing uses.

use std::collections::BTreeSet;

use super::{
    Lint, fields,
    graph::{self, Places},
};
use crate::{
    diagnose::Code,
    flow::{
        TOLD,
        model::{Does, Fact, Go, HoursId, LinkId, RuleId},
    },
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
    let sources: Vec<&str> =
        sources(lint).into_iter().filter(|name| !is_idle(lint, name)).collect();
    for (at, target) in graph::targets(flow) {
        let is_asked =
            || sources.iter().any(|source| word(lint, source, "target") == Some(&target.name));
        note(lint, "target", &target.name, used.places.contains(at) || is_asked());
    }
    let senders = flow.steps.iter().filter_map(|step| match &step.does {
        Does::Text(text) => Some(&text.via),
        _ => None,
    });
    let senders: Vec<&String> =
        senders.chain(flow.after_call.iter().map(|after| &after.via)).flatten().collect();
    for sender in &flow.senders {
        note(lint, "sender", &sender.name, senders.contains(&&sender.name));
    }
    for name in self::sources(lint) {
        note(lint, "source", name, sources.contains(&name));
    }
}

/// The sources that the flow file brings.
fn sources<'a>(lint: &'a Lint<'_>) -> Vec<&'a str> {
    let tables = lint.tree.get("source").and_then(|tables| tables.get_ref().as_table());
    tables.into_iter().flatten().map(|(name, _)| name.get_ref().as_ref()).collect()
}

/// Whether nothing asks a source: no rule, no word of a prompt or a text where it is the first, and
/// no target that wants to hear from it when a person answers.
fn is_idle(lint: &Lint<'_>, name: &str) -> bool {
    let of_rule = lint.flow.rules.iter().any(|rule| match &rule.fact {
        Fact::WaitOver { source, .. } | Fact::AgentsAvailable { source, .. } => source == name,
        _ => false,
    });
    let is_first = lint.shared.sources.first().is_some_and(|first| first == name);
    let told = || fields::taken(lint).iter().any(|field| TOLD.contains(&field.as_str()));
    let kind = word(lint, name, "kind");
    let signals =
        || lint.flow.targets.iter().any(|target| kind == Some(target.human_signal.word()));
    // Queues tell who answered; the others have no such word.
    let is_queue = matches!(kind, Some("ami" | "esl"));
    !(of_rule || (is_first && told()) || (is_queue && signals()))
}

/// A text of a source's table.
fn word<'a>(lint: &'a Lint<'_>, source: &str, key: &str) -> Option<&'a str> {
    lint.value("source", source, key)?.get_ref().as_str()
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
