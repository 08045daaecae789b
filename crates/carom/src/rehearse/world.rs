//! What is around the call of a test.

use std::collections::BTreeMap;

use ivr_runtime::{
    call::{CallbackOutcome, FetchOutcome, FreeSlot, TargetOutcome, TextOutcome, VoiceOutcome},
    sim::{AgentIs, LinkIs, Obedient},
};

use super::{
    file::{
        AgentDoes, AgentSays, CallbackIs, LinkSays, OptOutIs, TargetIs, Test, TextIs, VoicemailIs,
    },
    turns::{OneOrMore, TextsAre},
};

fn sent(is: TextIs) -> Option<TextOutcome> {
    match is {
        TextIs::Accepted => Some(TextOutcome::Accepted { sender: "rehearsed".into() }),
        TextIs::Queued => Some(TextOutcome::Queued),
        TextIs::Failed => Some(TextOutcome::Failed { class: "provider_down".into() }),
        TextIs::Ambiguous => Some(TextOutcome::Ambiguous),
        TextIs::Limited => Some(TextOutcome::Limited { rule: "texts_per_caller".into() }),
        TextIs::NotTextable => Some(TextOutcome::NotTextable { reason: "landline".into() }),
        TextIs::Duplicate => Some(TextOutcome::Duplicate),
        TextIs::Lost => None,
    }
}

/// What becomes of what the call asks for.
pub fn world(test: &Test) -> Obedient {
    let texts = |turns: &[TextIs]| turns.iter().copied().map(sent).collect::<Vec<_>>();
    let (mut texts_first, by_step) = match &test.text {
        TextsAre::All(all) => (texts(all.turns()), BTreeMap::new()),
        TextsAre::BySteps(steps) => {
            let steps = steps.iter().map(|(step, turns)| (step.clone(), texts(turns.turns())));
            (texts(&[TextIs::Accepted]), steps.collect())
        }
    };
    let text = texts_first.pop().flatten();
    let callback = match test.callback {
        CallbackIs::Booked | CallbackIs::Next => {
            Some(CallbackOutcome::Booked { day: None, time: Some("15:30".into()) })
        }
        CallbackIs::Full => Some(CallbackOutcome::Full),
        CallbackIs::NotCallable => Some(CallbackOutcome::NotCallable { why: "country".into() }),
        CallbackIs::Failed => Some(CallbackOutcome::Failed { why: "store".into() }),
        CallbackIs::Lost => None,
    };
    let next = (test.callback == CallbackIs::Next).then(|| (None, "15:30".to_owned()));
    let slot = Some(match test.callback {
        CallbackIs::Full => CallbackOutcome::Full,
        _ => CallbackOutcome::Free(FreeSlot { from_ms: 0, until_ms: i64::MAX, next }),
    });
    let voice = match test.voicemail {
        VoicemailIs::Kept => Some(VoiceOutcome::Kept { length_ms: 12_000 }),
        VoicemailIs::Nothing => Some(VoiceOutcome::Nothing),
        VoicemailIs::Failed => Some(VoiceOutcome::Failed { why: "disk".into() }),
        VoicemailIs::Lost => None,
    };
    let outcome = |is: &TargetIs| match is {
        TargetIs::Person => Some(TargetOutcome::Answered { human: true }),
        TargetIs::Queue => Some(TargetOutcome::Answered { human: false }),
        TargetIs::Busy => Some(TargetOutcome::Busy { status: 486 }),
        TargetIs::NoAnswer => Some(TargetOutcome::NoAnswer { status: Some(480) }),
        TargetIs::Failed => Some(TargetOutcome::Failed { status: Some(503) }),
        TargetIs::Dead => None,
    };
    let link = |says: &LinkSays| match says {
        LinkSays::Available | LinkSays::Failing => LinkIs::Available,
        LinkSays::NotAvailable => LinkIs::NotAvailable,
        LinkSays::Down => LinkIs::Down,
    };
    let opt_out = match test.opt_out {
        OptOutIs::Recorded => Some(true),
        OptOutIs::Failed => Some(false),
        OptOutIs::Lost => None,
    };
    let missing = test.missing_prompts.iter();
    let missing = missing.map(|name| name.strip_suffix(".wav").unwrap_or(name).to_owned());
    let agent = |says: &AgentSays| match says {
        AgentSays::Fields(values) => AgentIs::HandsBack(values.clone()),
        AgentSays::Does(AgentDoes::Stays) => AgentIs::Stays,
        AgentSays::Does(AgentDoes::BreaksOff) => AgentIs::BreaksOff,
    };
    let fetched = test.answers.iter();
    // One of a list is spent by each call, up to the last.
    let before_last = |is: &OneOrMore<TargetIs>| {
        let turns = is.turns();
        turns.iter().take(turns.len().saturating_sub(1)).map(&outcome).collect()
    };
    let last = |is: &OneOrMore<TargetIs>| is.turns().last().and_then(&outcome);
    Obedient {
        text,
        texts: by_step,
        texts_first: texts_first.into(),
        senders: test.senders.iter().map(|(name, is)| (name.clone(), sent(*is))).collect(),
        targets_first: test
            .targets
            .iter()
            .map(|(name, is)| (name.clone(), before_last(is)))
            .collect(),
        links: test.links.iter().map(|(name, says)| (name.clone(), link(says))).collect(),
        agents: test.agents.iter().map(|(step, says)| (step.clone(), agent(says))).collect(),
        voice,
        opt_out,
        missing_prompts: missing.collect(),
        slot,
        callback,
        targets: test.targets.iter().map(|(name, is)| (name.clone(), last(is))).collect(),
        fetched: fetched
            .map(|(step, values)| (step.clone(), FetchOutcome::Values(values.clone())))
            .collect(),
        ..Obedient::default()
    }
}
