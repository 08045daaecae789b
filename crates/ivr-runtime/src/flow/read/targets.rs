//! Targets and hours of the flow and of the configuration.

use super::Reader;
use crate::{
    diagnose::{Code, Table, Text},
    flow::{
        Shared,
        model::{Go, Target},
        tables::{self, TargetDraft},
    },
    hours::Hours,
};

/// The flow's own hours, then the shared ones.
pub(super) fn hours(root: &Table<'_>, shared: &Shared) -> Vec<Hours> {
    let file = |name: &str| shared.holiday_files.get(name).cloned();
    let mut drafts = Vec::new();
    for (name, table) in root.tables("hours") {
        if shared.hours.iter().any(|hours| hours.name == name.value) {
            redefined(root, "hours", &name);
        }
        drafts.push(tables::hours(name, table, &file));
    }
    let own = tables::resolve_hours(drafts, &shared.hours, root.notes());
    own.into_iter().chain(shared.hours.iter().cloned()).collect()
}

/// The flow's own targets, then the shared ones.
pub(super) fn drafts(root: &Table<'_>, shared: &Shared) -> Vec<TargetDraft> {
    let mut drafts = Vec::new();
    for (name, table) in root.tables("target") {
        if shared.targets.iter().any(|target| target.name.value == name.value) {
            redefined(root, "target", &name);
            continue;
        }
        let place = table.place("sip");
        // One that can't be used keeps its name, so that nobody is told that it is not there.
        let draft = tables::target(name.clone(), table)
            .unwrap_or_else(|| TargetDraft { name, ..TargetDraft::default() });
        tables::refuse_numbers(&draft, &place, &shared.countries, root.notes());
        tables::refuse_unreached(&draft, &place, &shared.sockets, root.notes());
        drafts.push(draft);
    }
    drafts.into_iter().chain(shared.targets.iter().cloned()).collect()
}

fn redefined(root: &Table<'_>, kind: &str, name: &Text) {
    let message = format!("`[{kind}.{}]` stands in carom.toml already", name.value);
    root.notes().note(
        Code::E01,
        name.span.clone(),
        message,
        "give it another name, or leave it out",
    );
}

/// Looks up a target's names. Those of a shared target that lead nowhere in this flow are left
/// out (they may lead to a step of another): its way out then goes on with `human` and
/// `[fallback]`.
pub(super) fn resolve(draft: &TargetDraft, reader: &Reader<'_>) -> Target {
    let shared = reader.shared.targets.iter().any(|target| target.name == draft.name);
    let go = |name: &Option<Text>| -> Option<Go> {
        let name = name.as_ref()?;
        if shared { reader.names.go(&name.value) } else { Some(reader.go_to(name)) }
    };
    Target {
        name: draft.name.value.clone(),
        addresses: draft.addresses.clone(),
        no_reply_ms: draft.no_reply_ms,
        ring_seconds: draft.ring_seconds,
        ping_seconds: draft.ping_seconds,
        mode: draft.mode,
        transport: draft.transport.clone(),
        hours: draft.hours.as_ref().and_then(|name| {
            if shared { reader.names.hours(&name.value) } else { reader.hours_to(name) }
        }),
        when_closed: go(&draft.when_closed),
        answered_means: draft.answered_means,
        human_signal: draft.human_signal.clone(),
        headers: draft.headers.clone(),
        feature_code: draft.feature_code.clone(),
        send_link: draft.send_link.as_ref().and_then(|name| {
            if shared { reader.names.step(&name.value) } else { reader.step_to(name) }
        }),
        if_busy: go(&draft.if_busy),
        if_no_answer: go(&draft.if_no_answer),
        if_fails: go(&draft.if_fails),
        fallback: draft.fallback,
    }
}
