//! Calls that nobody made: every text and every callback belongs to one.

use deflect_actions::store::{CallEnded, CallStarted, Row};
use message_text::E164;
use uuid::Uuid;

use super::clock::wall_ms;
use crate::{config::Snapshot, switchboard::local_time};

/// A call of `origin`, by the token `client` where a system of the business orders it; `keys`
/// are the person's hashes.
pub fn started(
    origin: &'static str,
    client: Option<&str>,
    business: &str,
    person: &E164,
    snapshot: &Snapshot,
    keys: (String, String),
) -> CallStarted {
    let now = wall_ms();
    let hours: Vec<_> = snapshot.config.hours.iter().collect();
    CallStarted {
        origin,
        call_id: Uuid::now_v7().to_string(),
        trunk: client.map(str::to_owned),
        did: None,
        business: business.to_owned(),
        flow: None,
        flow_rev: None,
        sip_call_id_a: None,
        started_ms: now,
        local: local_time(now, &hours, "", person.region()),
        caller_key: Some(keys.0),
        caller_key_prev: Some(keys.1),
        caller_region: Some(person.region().to_owned()),
        caller_line_type: Some(person.line_type().as_str().to_owned()),
        language: None,
    }
}

/// It is over as it begins. No report counts a `test_call`, none a call of origin `api` among the
/// line's own.
pub fn ended(call: &CallStarted, reason: &str) -> Row {
    Row::CallEnded(CallEnded {
        call_id: call.call_id.clone(),
        sip_call_id_b: None,
        answered_ms: None,
        ended_ms: call.started_ms,
        language: None,
        intent: None,
        holdout: false,
        last_step: None,
        forward_target: None,
        forward_started_ms: None,
        human_answered_ms: None,
        human_ended_ms: None,
        handled: "no_human".to_owned(),
        end_reason: reason.to_owned(),
        sip_final: None,
    })
}
