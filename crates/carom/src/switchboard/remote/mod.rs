//! Callers of another IVR: it asks whether they may be offered a text, and has it sent. What a
//! flow says of its own callers holds for them, too: their calls go through the same call machine,
//! without a phone (KH-13).
//!
//! The call of an offer waits in the node that was asked; what was asked waits in the store, so that
//! any node, and the next start of this one, can take the offer up: it asks the flow again, and it is
//! the same call.

mod call;
mod invite;
mod offers;
mod overrides;
mod way;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use deflect_actions::provider::Channel;
use ivr_runtime::{
    call::{Call, Facts, TextOutcome},
    flow::model::{Flow, StepId},
};
use message_text::E164;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub use self::overrides::Overrides;
use self::{
    call::{RemoteCall, Stop, Texts},
    offers::{Offers, Waiting},
    way::ways,
};
use super::{
    facts,
    record::{Ledger, Remote},
    tasks::Services,
};
use crate::{config::Snapshot, node::clock::wall_ms};

/// An offer is good for so long.
const GOOD_FOR: Duration = Duration::from_secs(300);
/// Flows kept that begin with what they offer.
const FLOWS: usize = 256;
/// What is known of the caller is waited for this long.
const HISTORY: Duration = Duration::from_millis(300);

/// Who asks about whom.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Question {
    /// The person.
    pub number: E164,
    /// The number they called: it chooses the flow.
    pub called: String,
    /// What they call about.
    pub intent: Option<String>,
    /// Their language; one of the flow's.
    pub language: Option<String>,
    /// How long they would wait, seconds.
    pub wait_seconds: Option<u32>,
    /// What else the other IVR knows, as fields.
    pub fields: Vec<(String, String)>,
    /// Name of the token that asks.
    pub client: String,
}

/// Whether a person may be offered a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eligibility {
    /// Of the call that this counts as.
    pub call_id: String,
    /// Names the offer for [`RemoteCalls::invite`]; `None`: none may be made.
    pub offer_id: Option<String>,
    /// Why none may be made, as in `offer.reason`.
    pub reason: Option<String>,
    /// Channels to choose from, the recommended first.
    pub channels: Vec<Channel>,
    /// So long the offer is good.
    pub valid_for: Duration,
    /// How long callers wait, as our own source tells it, seconds; `None`: it does not know.
    pub expected_wait_seconds: Option<u32>,
}

/// What came of an invite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invited {
    /// The call that this counts as.
    pub call_id: String,
    /// What became of the text.
    pub outcome: TextOutcome,
    /// The message that a provider accepted.
    pub message_id: Option<String>,
}

/// Why an offer is not taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoOffer {
    /// It is unknown, used, or too old.
    Gone,
    /// The same invite is under way, and nothing is known of its text yet.
    UnderWay,
    /// The store fails: nothing can be promised.
    Store,
    /// Its flow has no text by that channel.
    OtherChannel,
    /// The flow would not offer a text about that; why.
    OtherIntent(String),
    /// The words that are wanted may not be sent; why.
    OtherText(String),
}

/// Flows that begin with what they offer, by revision and step.
type Flows = HashMap<(String, StepId), Arc<Flow>>;

/// Calls of other IVRs; clones share the offers that wait.
#[derive(Debug, Clone)]
pub struct RemoteCalls {
    services: Services,
    offers: Offers,
    /// Calls share them.
    flows: Arc<Mutex<Flows>>,
}

/// A link that another IVR texts itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedLink {
    /// What it texts.
    pub url: String,
    /// It is of no use any more then, ms UTC; `None`: nobody knows.
    pub until_ms: Option<i64>,
}

impl RemoteCalls {
    /// Over the parts of a node.
    #[must_use]
    pub fn new(services: Services) -> Self {
        Self { services, offers: Offers::default(), flows: Arc::default() }
    }

    /// Asks the flow of the called number whether it would offer this person a text. The offer
    /// waits here; [`publish`](Self::publish) tells the other nodes of it.
    pub async fn ask(&self, snapshot: &Arc<Snapshot>, question: Question) -> Eligibility {
        let sources = self.services.sources.told();
        let first = snapshot.source_of(snapshot.flow_for(&question.called));
        let first = first.and_then(|first| sources.get(&first.name));
        let expected_wait_seconds = first.and_then(|told| told.wait_at(wall_ms()));
        let (call_id, came) = self.begin(snapshot, question, None).await;
        let told = |offer_id, reason, channels, valid_for| Eligibility {
            call_id: call_id.clone(),
            offer_id,
            reason,
            channels,
            valid_for,
            expected_wait_seconds,
        };
        match came {
            Ok(waiting) => {
                let channels = waiting.ways.iter().map(|way| way.channel).collect();
                self.offers.keep(&call_id, waiting, &self.services);
                told(Some(call_id.clone()), None, channels, GOOD_FOR)
            }
            Err(reason) => told(None, Some(reason), Vec::new(), Duration::ZERO),
        }
    }

    /// Begins a call, or the same `again`, and lets it go on to its offer; `Err`: why there is none.
    async fn begin(
        &self,
        snapshot: &Arc<Snapshot>,
        question: Question,
        again: Option<&str>,
    ) -> (String, Result<Waiting, String>) {
        let flow = snapshot.flow_for(&question.called);
        let region = question.number.region().to_owned();
        let mut ways = ways(flow, question.intent.as_deref(), &snapshot.texts, &region);
        let facts = self.facts(snapshot, flow, &question, again).await;
        let start = ways.first().map_or(flow.start, |way| way.at);
        let flow = self.beginning_with(flow, start);
        let remote = Remote {
            call_id: again.map(str::to_owned),
            called: question.called.clone(),
            caller: question.number.clone(),
            client: question.client.clone(),
            language: facts.language.clone(),
            intent: question.intent.clone(),
        };
        let ledger = Ledger::remote(&remote, &flow, snapshot, &self.services);
        let call_id = ledger.call_id.clone();
        let facts = Facts { call_id: call_id.clone(), ..facts };
        let mut call = RemoteCall {
            machine: Call::new(Duration::ZERO, flow, facts),
            ledger,
            snapshot: Arc::clone(snapshot),
            now: Duration::ZERO,
            suppressed: None,
            words: None,
        };
        self.services.store(call.ledger.started());
        let stop = match ways.is_empty() {
            true => Stop::Over,
            false => call.go_on(&self.services, Texts::AreOurs).await,
        };
        let suppressed = call.suppressed.clone();
        if !matches!(stop, Stop::AtPrompt) || suppressed.is_some() {
            call.hang_up(&self.services);
            let none = if ways.is_empty() { "no_offer" } else { "not_offered" };
            return (call_id, Err(suppressed.unwrap_or_else(|| none.to_owned())));
        }
        let first = ways.first().map(|way| way.at);
        ways.retain(|way| Some(way.at) == first);
        let until = Instant::now() + GOOD_FOR;
        (call_id, Ok(Waiting { question, call, ways, until }))
    }

    /// The flow as if it began with `start`.
    fn beginning_with(&self, flow: &Flow, start: StepId) -> Arc<Flow> {
        let mut flows = self.flows.lock().unwrap_or_else(PoisonError::into_inner);
        // Of revisions that are served no more only what runs is kept.
        if flows.len() >= FLOWS {
            flows.clear();
        }
        let known = flows.entry((flow.rev.clone(), start));
        Arc::clone(known.or_insert_with(|| Arc::new(Flow { start, ..flow.clone() })))
    }

    async fn facts(
        &self,
        snapshot: &Snapshot,
        flow: &Flow,
        question: &Question,
        again: Option<&str>,
    ) -> Facts {
        let business = snapshot.config.business(flow.business.as_deref());
        let business = business.map_or("", |business| business.key.as_str());
        let marks = self.services.marks();
        let (now, number) = (wall_ms(), &question.number);
        let keys = self.services.caller_keys(business, number);
        let since = now - facts::WINDOW_MS;
        let history = self
            .services
            .store
            .history(business, number, again.unwrap_or_default(), since, HISTORY)
            .await;
        let untextable = history.as_ref().is_some_and(|history| history.untextable);
        let visits = facts::visits(history.as_ref());
        let textable = snapshot.texts.against(number, business, &question.called, &[]).is_none();
        let first = flow.languages.first().cloned().unwrap_or_default();
        let language = question.language.clone().filter(|it| flow.languages.contains(it));
        let wait = question.wait_seconds;
        let mut sources = self.services.sources.told();
        let first_source = snapshot.source_of(flow).and_then(|it| sources.get(&it.name));
        let mut fields = facts::known_fields(Some(&keys.0), first_source, flow.round_wait, now);
        let told = wait.into_iter().flat_map(|seconds| flow.round_wait.fields(seconds));
        fields.extend(visits.into_iter().chain(told).chain(question.fields.iter().cloned()));
        if let (Some(seconds), Some(first)) = (wait, snapshot.source_of(flow)) {
            // The other IVR knows its queue better than we do.
            let told = sources.entry(first.name.clone()).or_default();
            (told.wait_seconds, told.until_ms) = (Some(seconds), i64::MAX);
        }
        Facts {
            trunk: question.client.clone(),
            called: question.called.clone(),
            caller: Some(number.to_string()),
            caller_seed: facts::seed(number.as_str()),
            can_receive_text: Some(textable && !untextable),
            no_texts: self.services.store.is_opt_out_list_lost(business),
            country: number.region().to_owned(),
            attestation: Some("none".to_owned()),
            links_down: self.services.links.down(flow),
            fields,
            sources: sources.into_iter().collect(),
            one_offs: facts::one_offs(marks.as_deref()),
            flags: marks.map(|marks| marks.flags.clone()),
            start_ms: now,
            history: history.map(facts::told),
            intent: question.intent.clone(),
            language: language.unwrap_or(first),
            ..Facts::default()
        }
    }
}
