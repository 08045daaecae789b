//! What is known about a call when its flow begins.

use std::{collections::BTreeMap, time::Duration};

use deflect_actions::store;
use ivr_runtime::{
    call::{Bypass, Facts, Few, History, Told},
    flow::model::{Fact, Flow, RoundWait},
    hours::OneOff,
};
use message_text::E164;
use sha2::{Digest, Sha256};
use sip_stack::message::{HeaderName, Request};

use super::{
    Switchboard,
    health::Health,
    live::{CallNo, Live},
    numbers::Parties,
    tasks::{Done, Marks},
};
use crate::{
    config::SourceKind,
    node::{Sources, clock::wall_ms},
};

/// The caller's history is waited for this long; then it is unknown.
const HISTORY: Duration = Duration::from_millis(300);
/// The longest window a rule may ask for, in ms.
pub(super) const WINDOW_MS: i64 = 90 * 86_400_000;
/// Bytes of a header that a rule is told.
const HEADER_LEN: usize = 200;

impl Switchboard {
    /// Gathers the call's facts and begins its flow with them.
    pub(super) fn look_up_facts(&mut self, no: CallNo, who: &Parties, bypass: Option<Bypass>) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return };
        let marks = self.services.marks();
        // Without the store nothing is known and nothing could be promised.
        let bypass = bypass.or_else(|| marks.is_none().then_some(Bypass::StoreDown));
        let sources = queues(&self.services.sources, &self.health, call);
        let first = call.snapshot.source_of(&call.flow);
        let first = first.and_then(|source| sources.get(&source.name));
        let facts = Facts {
            call_id: call.call_id.clone(),
            trunk: call.trunk.name.clone(),
            called: who.called.clone(),
            caller: who.caller.as_ref().map(E164::to_string),
            withheld: who.withheld || who.caller.is_none(),
            to_confirm: who.to_confirm,
            caller_seed: seed(who.caller.as_ref().map_or(&*call.call_id, E164::as_str)),
            can_receive_text: Some(who.caller.as_ref().is_some_and(|caller| {
                let (texts, business) = (&call.snapshot.texts, &call.ledger.business);
                !who.withheld && texts.against(caller, business, &who.called, &[]).is_none()
            })),
            no_texts: self.services.store.is_opt_out_list_lost(&call.ledger.business),
            call_is: who.call_is.clone(),
            country: who.called_country.clone(),
            attestation: Some(who.attestation.to_owned()),
            headers: asked_headers(&call.flow, &call.caller.invite),
            targets_up: self.health.targets_up(&call.flow),
            links_down: self.services.links.down(&call.flow),
            fields: known_fields(
                call.ledger.caller_key(),
                first,
                call.flow.round_wait,
                call.ledger.started_ms,
            ),
            sources: sources.into_iter().collect(),
            bypass,
            one_offs: marks.as_ref().map_or_else(Vec::new, |marks| one_offs_of(marks, &call.flow)),
            flags: marks.map(|marks| marks.flags.clone()),
            start_ms: call.ledger.started_ms,
            ..Facts::default()
        };
        let Some(caller) = who.caller.clone().filter(|_| bypass.is_none()) else {
            return self.start_machine(no, facts);
        };
        // A dead task must not hold the call: it begins without a history then.
        call.facts_due = Some(now + 2 * HISTORY);
        call.facts = Some(facts.clone());
        let (store, done) = (self.services.store.clone(), self.done.clone());
        let business = call.ledger.business.clone();
        tokio::spawn(async move {
            let since = wall_ms() - WINDOW_MS;
            let history = store.history(&business, &caller, &facts.call_id, since, HISTORY).await;
            let untextable = history.as_ref().is_some_and(|history| history.untextable);
            let can_receive_text = facts.can_receive_text.map(|can| can && !untextable);
            let mut facts = facts;
            facts.fields.extend(visits(history.as_ref()));
            let facts = Facts { history: history.map(told), can_receive_text, ..facts };
            let _ = done.send(Done::Facts(no, Box::new(facts)));
        });
    }
}

/// What the sources tell now; that of OPTIONS is what we see of the target ourselves.
fn queues(sources: &Sources, health: &Health, call: &Live) -> BTreeMap<String, Told> {
    let mut queues = sources.told();
    let targets_up = health.targets_up(&call.flow);
    for source in &call.snapshot.config.sources {
        let SourceKind::Options { target } = &source.kind else { continue };
        let Some(queue) = queues.get_mut(&source.name) else { continue };
        if let Some(up) = targets_up.get(target) {
            queue.until_ms = i64::MAX;
            queue.agents_available = (!up).then_some(0);
        }
    }
    queues
}

/// What operators have closed or opened for once; `None`: it is not known.
pub fn one_offs(marks: Option<&Marks>) -> Vec<OneOff> {
    marks.map_or_else(Vec::new, |marks| marks.one_offs.iter().map(one_off).collect())
}

/// Closures and openings that the flow's hours know of.
fn one_offs_of(marks: &Marks, flow: &Flow) -> Vec<OneOff> {
    let known = |one_off: &&store::OneOff| flow.hours.iter().any(|own| own.name == one_off.hours);
    marks.one_offs.iter().filter(known).map(one_off).collect()
}

/// As the rules know it.
pub fn one_off(stored: &store::OneOff) -> OneOff {
    OneOff {
        hours: stored.hours.clone(),
        open: stored.change.open,
        from_ms: stored.change.from_ms,
        until_ms: stored.change.until_ms,
        because: stored.change.because.clone(),
    }
}

/// The headers that the flow's rules ask for.
fn asked_headers(flow: &Flow, invite: &Request) -> Few<String> {
    let asked = flow.rules.iter().filter_map(|rule| match &rule.fact {
        Fact::Header { name, .. } => Some(name),
        _ => None,
    });
    let found = asked.filter_map(|name| {
        let value = invite.headers().first(HeaderName::from_token(name))?.trim();
        let value: String = value.chars().take(HEADER_LEN).collect();
        Some((name.to_ascii_lowercase(), value))
    });
    found.collect()
}

/// The fields that are known from the start: the caller's hash, and what the first source told.
pub fn known_fields(
    caller_key: Option<&str>,
    source: Option<&Told>,
    round: RoundWait,
    now_ms: i64,
) -> Few<String> {
    let wait = source.and_then(|told| told.wait_at(now_ms));
    let known = [
        ("caller_key", caller_key.map(str::to_owned)),
        (
            "callers_waiting",
            source.and_then(|told| told.callers_at(now_ms)).map(|callers| callers.to_string()),
        ),
        (
            "agents_available",
            source.and_then(|told| told.agents_at(now_ms)).map(|agents| agents.to_string()),
        ),
    ];
    let known = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    known.chain(wait.into_iter().flat_map(|seconds| round.fields(seconds))).collect()
}

/// How often the caller was on the pages of the business within the last hour (EX-17).
pub(super) fn visits(history: Option<&store::History>) -> Option<(String, String)> {
    history.map(|history| ("site_visits".to_owned(), history.site_visits.to_string()))
}

pub(super) fn told(history: store::History) -> History {
    History {
        calls_ms: history.calls_ms,
        deflected_ms: history.deflected_ms,
        failed_promise: history.failed_promise,
        declined_ms: history.declined_ms,
        offered_ms: history.offered_ms,
        opted_out: history.opted_out,
    }
}

/// Stable over restarts and versions: it keeps callers in their arm.
pub(super) fn seed(of: &str) -> u64 {
    let digest = Sha256::digest(of.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A caller stays in the arm and in the share that an earlier version put them in: these are
    /// the first eight bytes of `printf %s TEXT | sha256sum`.
    #[test]
    fn the_seed_of_a_caller_never_changes() {
        for (of, is) in [
            ("", 0xe3b0_c442_98fc_1c14),
            ("+447700900001", 0xa763_b9ae_0356_c0a7),
            ("+14155550100", 0x40d3_f4e0_2db2_7d66),
        ] {
            assert_eq!(seed(of), is, "{of}");
        }
    }
}
