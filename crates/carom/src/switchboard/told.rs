//! What the systems of the business are told of a call while it goes on: whoever takes it sees who
//! comes, and why, before the call is over (DP-17).

use deflect_actions::store::{Event, Row};
use ivr_runtime::call::Record;
use serde_json::json;

use super::record::Ledger;
use crate::config::Http;

/// The event of a record; `None`: nobody is told of it.
pub(super) fn event(ledger: &Ledger, record: &Record, http: &Http) -> Option<Row> {
    let call_id = &ledger.call_id;
    let (kind, subject, target, at_ms) = match record {
        Record::ForwardStarted { target, at_ms } => {
            let subject = format!("{call_id}|{target}|{at_ms}");
            ("call.forwarded", subject, Some(target), *at_ms)
        }
        Record::HumanAnswered { at_ms } => {
            ("call.answered", call_id.clone(), ledger.forward_target.as_ref(), *at_ms)
        }
        _ => return None,
    };
    let data = [
        ("call_id", json!(call_id)),
        ("context_url", json!(http.context_url(call_id))),
        ("did", json!(ledger.called)),
        ("business", json!(ledger.business)),
        ("flow", json!(ledger.flow)),
        ("flow_rev", json!(ledger.flow_rev)),
        ("trunk", json!(ledger.trunk)),
        ("caller_region", json!(ledger.caller.as_ref().map(|caller| caller.region()))),
        ("language", json!(ledger.language)),
        ("intent", json!(ledger.intent)),
        ("last_step", json!(ledger.last_step)),
        ("forward_target", json!(target)),
    ];
    let data = data.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    Some(Row::Event(Event { kind, subject, at_ms, data, text: None, from_key: None }))
}
