//! W08: a link is offered to callers with an intent that it does not declare.

use std::collections::BTreeSet;

use super::{Lint, graph};
use crate::{
    diagnose::{Code, Span},
    flow::model::{Does, Flow, Go, LinkId, Step},
};

pub(super) fn check(lint: &Lint<'_>) {
    let reached = with_intents(lint.flow);
    for (at, step) in graph::steps(lint.flow) {
        let links: Vec<LinkId> = match &step.does {
            Does::Offer(offer) => vec![offer.link],
            Does::Text(text) => text.links.clone(),
            _ => continue,
        };
        let intents: BTreeSet<&str> = reached
            .iter()
            .filter(|(place, _)| *place == at)
            .filter_map(|(_, intent)| sets(step).or(*intent))
            .collect();
        let key = if links.len() > 1 { "links" } else { "link" };
        note(lint, &links, &intents, &lint.step_place(step, key));
    }
    let at_the_end: BTreeSet<&str> = reached.iter().filter_map(|(_, intent)| *intent).collect();
    for after in &lint.flow.after_call {
        let named: BTreeSet<&str> = after.when_intent.iter().map(String::as_str).collect();
        let intents = if named.is_empty() { &at_the_end } else { &named };
        note(lint, &after.links, intents, &lint.place("after_call", &after.name, "link"));
    }
}

fn note(lint: &Lint<'_>, links: &[LinkId], intents: &BTreeSet<&str>, place: &Span) {
    for link in links.iter().filter_map(|id| lint.flow.links.get(usize::from(id.0))) {
        let serves = |intent: &str| link.intents.iter().any(|i| i == "any" || i == intent);
        for intent in intents.iter().filter(|intent| !serves(intent)) {
            let message =
                format!("the link `{}` does not declare the intent `{intent}`", link.name);
            let help = format!("add `\"{intent}\"` to its `intents`, or `\"any\"`");
            lint.note(Code::W08, place.clone(), message, help);
        }
    }
}

/// Each place with each intent that a call can have when it comes there.
fn with_intents(flow: &Flow) -> Vec<(Go, Option<&str>)> {
    let mut reached = vec![(Go::Step(flow.start), None)];
    let mut next = 0;
    while let Some((at, intent)) = reached.get(next).copied() {
        next += 1;
        let own = match at {
            Go::Step(id) => flow.steps.get(usize::from(id.0)).and_then(sets),
            Go::Target(_) | Go::HangUp => None,
        };
        for way in graph::ways(flow, at) {
            let after = (way.to, own.or(intent));
            if !reached.contains(&after) {
                reached.push(after);
            }
        }
    }
    reached
}

/// The intent that a step gives the call.
pub(super) fn sets(step: &Step) -> Option<&str> {
    match &step.does {
        Does::Set { intent, .. } => intent.as_deref(),
        does => does.menu()?.intent.as_deref(),
    }
}
