//! What the store tells about calls and messages, for the CLI.

use std::{cmp::Reverse, collections::HashSet, time::Duration};

use deflect_actions::store::{CallRow, CallTimeLine, MessageView, StoreError};
use serde_json::{Value, json};

use super::desk::{Desk, data};
use crate::{
    config::ProviderKind,
    control::Reply,
    switchboard::{Ask, CallSummary, Entry, TimeLine},
};

/// Calls named where a beginning fits more than one.
const MATCHES: u32 = 5;
/// What a time line waits for the store.
const PATIENCE: Duration = Duration::from_millis(500);

impl Desk {
    pub(super) async fn messages(&self, limit: u32) -> Reply {
        match self.services.store.messages(limit).await {
            Ok(messages) => {
                let views: Vec<Value> = messages.iter().map(|m| self.message(m)).collect();
                data(&views)
            }
            Err(error) => Reply::Error(format!("the store does not tell: {error}")),
        }
    }

    /// The text itself only where it never left the machine.
    pub(super) fn message(&self, message: &MessageView) -> Value {
        let snapshot = self.snapshot.load();
        let is_sandbox = message.provider.as_deref().is_some_and(|name| {
            let provider = snapshot.config.provider(name);
            provider.is_some_and(|provider| provider.kind == ProviderKind::Sandbox)
        });
        let text = if is_sandbox { message.text.clone() } else { None };
        json!({
            "message_id": message.message_id,
            "call_id": message.call_id,
            "state": message.state,
            "sender": message.sender,
            "provider": message.provider,
            "to": message.to_masked,
            "segments": message.segments,
            "error_class": message.error_class,
            "error_code": message.error_code,
            "created_ms": message.created_ms,
            "accepted_ms": message.accepted_ms,
            "body": text,
        })
    }

    /// Adds what became of the call's messages to its time line.
    pub(crate) async fn add_messages(&self, call: &str, line: &mut TimeLine) {
        let asked = self.services.store.messages_of(call);
        // A database that is down must not hold up the node, nor who looks at a call.
        let Ok(Ok(messages)) = tokio::time::timeout(PATIENCE, asked).await else { return };
        line.entries.extend(messages.iter().flat_map(message_entries));
        line.entries.sort_by_key(|entry| entry.at_ms);
    }

    /// Adds calls that only the store has, of earlier starts and of other nodes, up to `limit`.
    pub(super) async fn add_calls_of_before(&self, calls: &mut Vec<CallSummary>, limit: usize) {
        let asked = self.services.store.calls(u32::try_from(limit).unwrap_or(u32::MAX));
        let Ok(Ok(stored)) = tokio::time::timeout(PATIENCE, asked).await else { return };
        let known: HashSet<String> = calls.iter().map(|call| call.call.clone()).collect();
        calls.extend(stored.into_iter().filter(|c| !known.contains(&c.call_id)).map(summary));
        calls.sort_by_key(|call| Reverse(call.started_ms));
        calls.truncate(limit);
    }

    /// Ids of calls that begin with `like`, a few at most; one that is `like` itself is the only
    /// one. The store knows SIP Call-IDs, too.
    pub(super) async fn call_like(&self, like: &str) -> Vec<String> {
        let here = self.ask(|reply| Ask::Calls(usize::MAX, reply)).await.unwrap_or_default();
        let here = here.into_iter().map(|call| call.call);
        let mut ids: Vec<String> = here.filter(|id| id.starts_with(like)).collect();
        let asked = self.services.store.calls_like(like, MATCHES);
        if let Ok(Ok(stored)) = tokio::time::timeout(PATIENCE, asked).await {
            ids.extend(stored);
        }
        if ids.iter().any(|id| id == like) {
            return vec![like.to_owned()];
        }
        ids.sort_by(|a, b| b.cmp(a));
        ids.dedup();
        ids.truncate(usize::try_from(MATCHES).unwrap_or(usize::MAX));
        ids
    }

    /// A call of the past, from the store alone.
    pub(super) async fn stored_call(
        &self,
        id: &str,
    ) -> Result<Option<(CallSummary, TimeLine)>, StoreError> {
        Ok(self.services.store.call_time_line(id).await?.map(from_store))
    }
}

fn from_store(stored: CallTimeLine) -> (CallSummary, TimeLine) {
    let CallTimeLine { call, steps, offers, messages } = stored;
    let mut line = TimeLine::default();
    for step in steps {
        line.note(step.entered_ms, "step", format!("{} ({})", step.step, step.kind));
        let exit = step.exit.unwrap_or_default();
        let note = step.note.map_or(String::new(), |note| format!(", {note}"));
        line.note(
            step.left_ms.unwrap_or(step.entered_ms),
            "step",
            format!("  left by {exit}{note}"),
        );
    }
    for offer in offers {
        let why = offer.reason.map_or(String::new(), |reason| format!(" ({reason})"));
        let text = format!("{} at {}: {}{why}", offer.step, offer.stage, offer.response);
        line.note(offer.offered_ms, "offer", text);
    }
    line.entries.extend(messages.iter().flat_map(message_entries));
    line.entries.sort_by_key(|entry| entry.at_ms);
    if let Some(at) = call.ended_ms {
        let handled = call.handled.as_deref().unwrap_or_default();
        let end = call.end_reason.as_deref().unwrap_or_default();
        line.note(at, "end", format!("{end}, {handled}"));
    }
    (summary(call), line)
}

fn summary(call: CallRow) -> CallSummary {
    CallSummary {
        call: call.call_id,
        started_ms: call.started_ms,
        ended_ms: call.ended_ms,
        trunk: call.trunk.unwrap_or_default(),
        called: call.did.unwrap_or_default(),
        caller: call.caller_region.unwrap_or_else(|| "withheld".into()),
        flow: call.flow.unwrap_or_default(),
        flow_rev: call.flow_rev.unwrap_or_default(),
        step: call.last_step.unwrap_or_default(),
        end: call.end_reason.unwrap_or_else(|| "running".into()),
    }
}

fn message_entries(message: &MessageView) -> Vec<Entry> {
    let entry = |at_ms, text: String| Entry { at_ms, kind: "message".into(), text: text.into() };
    let sender = message.sender.as_deref().unwrap_or("no sender");
    let mut entries = vec![entry(
        message.created_ms,
        format!("committed, {} segment(s)", message.segments.unwrap_or(1)),
    )];
    if let Some(at) = message.accepted_ms {
        entries.push(entry(at, format!("accepted by {sender}")));
    }
    if let Some(at) = message.delivered_ms {
        entries.push(entry(at, "delivered".into()));
    }
    if let Some(class) = &message.error_class {
        let code = message.error_code.as_deref().unwrap_or("-");
        let text = format!("{}: {class} ({code})", message.state);
        entries.push(entry(message.accepted_ms.unwrap_or(message.created_ms), text));
    }
    entries
}
