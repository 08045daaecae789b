//! The call's ledger: what the machine records becomes rows of the store.

use std::collections::HashMap;

use deflect_actions::store::{
    CallEnded, CallInput, CallProgress, CallStarted, ConsentRow, LocalTime, OfferRow, OutcomeRow,
    Row, StepRow,
};
use ivr_runtime::{
    call::{Facts, Input, OfferResponse, Record},
    flow::model::Flow,
    replay::{Entry, Veil},
};
use sha2::{Digest as _, Sha256};
use sip_stack::message::Request;
use uuid::Uuid;

use super::{
    arrive::masked,
    local_time::{hours_of, local_time},
    numbers::Parties,
    tasks::Services,
    timeline::CallSummary,
};
use crate::{
    config::{Prompts, Snapshot, Trunk},
    node::clock::wall_ms,
};

/// What is known of a call so far, in the words of the store.
#[derive(Debug)]
pub struct Ledger {
    pub call_id: String,
    /// `trunk`, or `callback` where we called.
    pub origin: &'static str,
    pub business: String,
    pub brand: String,
    pub trunk: String,
    pub called: String,
    pub caller: Option<message_text::E164>,
    pub flow: String,
    pub flow_rev: String,
    pub started_ms: i64,
    pub answered_ms: Option<i64>,
    pub ended_ms: Option<i64>,
    pub language: String,
    pub intent: Option<String>,
    pub holdout: bool,
    pub last_step: String,
    pub forward_target: Option<String>,
    pub forward_started_ms: Option<i64>,
    pub human_answered_ms: Option<i64>,
    pub human_ended_ms: Option<i64>,
    pub end: Option<(String, String)>,
    pub sip_final: Option<u16>,
    pub sip_call_id_a: String,
    pub sip_call_id_b: Option<String>,
    local: LocalTime,
    steps: HashMap<u32, (String, String, i64)>,
    offers: HashMap<u32, OfferRow>,
    inputs: u32,
    /// The caller's hash, now and under the previous secret.
    caller_keys: Option<(String, String)>,
}

/// Somebody who calls another IVR.
#[derive(Debug, Clone)]
pub struct Remote {
    /// The call's, where another node or start has begun it.
    pub call_id: Option<String>,
    /// The number called.
    pub called: String,
    pub caller: message_text::E164,
    /// Name of the token by which the other IVR asks.
    pub client: String,
    pub language: String,
    pub intent: Option<String>,
}

/// What every ledger begins with.
struct Begun<'a> {
    called: &'a str,
    /// ISO code of the called number's country.
    country: &'a str,
    caller: Option<message_text::E164>,
    /// Trunk or token.
    from: &'a str,
}

impl Ledger {
    /// Opens the ledger of a call that just arrived.
    pub fn open(
        trunk: &Trunk,
        flow: &Flow,
        who: &Parties,
        invite: &Request,
        snapshot: &Snapshot,
        services: &Services,
    ) -> Self {
        let begun = Begun {
            called: &who.called,
            country: &who.called_country,
            caller: who.caller.clone(),
            from: &trunk.name,
        };
        let sip_call_id_a = invite.call_id().to_owned();
        Self { sip_call_id_a, ..Self::begin("trunk", begun, flow, snapshot, services) }
    }

    /// Opens the ledger of somebody who calls another IVR.
    pub fn remote(remote: &Remote, flow: &Flow, snapshot: &Snapshot, services: &Services) -> Self {
        let begun = Begun {
            called: &remote.called,
            country: remote.caller.region(),
            caller: Some(remote.caller.clone()),
            from: &remote.client,
        };
        let ledger = Self::begin("api", begun, flow, snapshot, services);
        Self {
            call_id: remote.call_id.clone().unwrap_or_else(|| ledger.call_id.clone()),
            language: remote.language.clone(),
            intent: remote.intent.clone(),
            ..ledger
        }
    }

    fn begin(
        origin: &'static str,
        begun: Begun<'_>,
        flow: &Flow,
        snapshot: &Snapshot,
        services: &Services,
    ) -> Self {
        let started_ms = wall_ms();
        let business = snapshot.config.business(flow.business.as_deref());
        let business_key = business.map_or("", |business| &business.key);
        let caller_keys = begun.caller.as_ref().map(|c| services.caller_keys(business_key, c));
        Self {
            call_id: Uuid::now_v7().to_string(),
            origin,
            business: business.map_or_else(String::new, |business| business.key.clone()),
            brand: business.map_or_else(String::new, |business| business.brand.clone()),
            trunk: begun.from.to_owned(),
            called: begun.called.to_owned(),
            caller: begun.caller,
            flow: flow.name.clone(),
            flow_rev: flow.rev.clone(),
            started_ms,
            answered_ms: None,
            ended_ms: None,
            language: flow.languages.first().cloned().unwrap_or_default(),
            intent: None,
            holdout: false,
            last_step: String::new(),
            forward_target: None,
            forward_started_ms: None,
            human_answered_ms: None,
            human_ended_ms: None,
            end: None,
            sip_final: None,
            sip_call_id_a: String::new(),
            sip_call_id_b: None,
            local: local_time(started_ms, &hours_of(flow), begun.called, begun.country),
            steps: HashMap::new(),
            offers: HashMap::new(),
            inputs: 0,
            caller_keys,
        }
    }

    /// The call in one line of a list.
    pub fn summary(&self) -> CallSummary {
        CallSummary {
            call: self.call_id.clone(),
            started_ms: self.started_ms,
            ended_ms: self.ended_ms,
            trunk: self.trunk.clone(),
            called: self.called.clone(),
            caller: masked(self.caller.as_ref()),
            flow: self.flow.clone(),
            flow_rev: self.flow_rev.clone(),
            step: self.last_step.clone(),
            end: self.end.as_ref().map_or("running", |(end, _)| end).to_owned(),
        }
    }

    /// The row written at arrival.
    pub fn started(&self) -> Row {
        Row::CallStarted(self.started_row())
    }

    /// The same, for the message that may be committed before it.
    pub fn started_row(&self) -> CallStarted {
        let (caller_key, caller_key_prev) = self.caller_keys.clone().unzip();
        CallStarted {
            origin: self.origin,
            call_id: self.call_id.clone(),
            trunk: Some(self.trunk.clone()),
            did: Some(self.called.clone()),
            business: self.business.clone(),
            flow: Some(self.flow.clone()),
            flow_rev: Some(self.flow_rev.clone()),
            sip_call_id_a: Some(self.sip_call_id_a.clone()).filter(|id| !id.is_empty()),
            started_ms: self.started_ms,
            local: self.local.clone(),
            caller_key,
            caller_key_prev,
            caller_region: self.caller.as_ref().map(|caller| caller.region().to_owned()),
            caller_line_type: self.caller.as_ref().map(|c| c.line_type().as_str().to_owned()),
            language: Some(self.language.clone()),
        }
    }

    /// The row written at the end.
    pub fn ended(&self) -> Option<Row> {
        let (reason, handled) = self.end.clone()?;
        Some(Row::CallEnded(CallEnded {
            call_id: self.call_id.clone(),
            sip_call_id_b: self.sip_call_id_b.clone(),
            answered_ms: self.answered_ms,
            ended_ms: self.ended_ms.unwrap_or(self.started_ms),
            language: Some(self.language.clone()),
            intent: self.intent.clone(),
            holdout: self.holdout,
            last_step: Some(self.last_step.clone()).filter(|step| !step.is_empty()),
            forward_target: self.forward_target.clone(),
            forward_started_ms: self.forward_started_ms,
            human_answered_ms: self.human_answered_ms,
            human_ended_ms: self.human_ended_ms,
            handled,
            end_reason: reason,
            sip_final: self.sip_final,
        }))
    }

    /// The step that the caller is in, as labels of an IVR.
    pub fn path(&self) -> Vec<String> {
        Some(self.last_step.clone()).filter(|step| !step.is_empty()).into_iter().collect()
    }

    /// Offer `n`, for the message that fulfils it.
    pub fn offer(&self, n: u32) -> Option<OfferRow> {
        self.offers.get(&n).cloned()
    }

    /// Takes one record in; the rows to write now come out.
    pub fn take(&mut self, record: &Record, prompts: &Prompts) -> Vec<Row> {
        match record {
            Record::Arm { holdout } => {
                self.holdout = *holdout;
                if self.holdout {
                    return vec![self.progress()];
                }
            }
            Record::StepEntered { seq, step, kind, at_ms } => {
                self.last_step.clone_from(step);
                self.steps.insert(*seq, (step.clone(), kind.clone(), *at_ms));
            }
            Record::StepLeft { seq, exit, first_key_ms, note, tries, at_ms } => {
                let Some((step, kind, entered_ms)) = self.steps.remove(seq) else {
                    return Vec::new();
                };
                return vec![Row::Step(StepRow {
                    call_id: self.call_id.clone(),
                    seq: *seq,
                    step,
                    kind,
                    entered_ms,
                    left_ms: Some(*at_ms),
                    first_key_ms: *first_key_ms,
                    exit: Some(exit.clone()),
                    note: note.clone(),
                    tries: *tries,
                })];
            }
            Record::Offer { n, step, stage, intent, offered_ms, response, pressed, reason } => {
                let offer = OfferRow {
                    offer_id: self.offer_id(*n),
                    call_id: self.call_id.clone(),
                    step: step.clone(),
                    stage: stage.clone(),
                    intent: intent.clone(),
                    offered_ms: *offered_ms,
                    response: response.as_str().to_owned(),
                    pressed: pressed.map(|key| key.to_string()),
                    reason: reason.clone(),
                    channel: None,
                };
                self.offers.insert(*n, offer.clone());
                return vec![Row::Offer(offer)];
            }
            Record::OfferResponse { n, response, pressed, reason, .. } => {
                let Some(offer) = self.offers.get_mut(n) else { return Vec::new() };
                offer.response = response.as_str().to_owned();
                offer.pressed = pressed.map(|key| key.to_string());
                if *response == OfferResponse::Suppressed {
                    offer.reason.clone_from(reason);
                }
                return vec![Row::Offer(offer.clone())];
            }
            Record::Outcome { kind, at_ms } => {
                return vec![Row::Outcome(OutcomeRow {
                    outcome_id: Uuid::now_v7().to_string(),
                    call_id: self.call_id.clone(),
                    kind: kind.clone(),
                    csat: None,
                    at_ms: *at_ms,
                    source: "call".to_owned(),
                })];
            }
            Record::Intent { intent } => self.intent = Some(intent.clone()),
            Record::Language { language } => self.language.clone_from(language),
            Record::Answered { at_ms } => {
                self.answered_ms = Some(*at_ms);
                return vec![self.progress()];
            }
            Record::ForwardStarted { target, at_ms } => {
                self.forward_target = Some(target.clone());
                self.forward_started_ms.get_or_insert(*at_ms);
                return vec![self.progress()];
            }
            Record::HumanAnswered { at_ms } => {
                self.human_answered_ms = Some(*at_ms);
                return vec![self.progress()];
            }
            Record::HumanEnded { at_ms } => self.human_ended_ms = Some(*at_ms),
            Record::End { reason, handled, at_ms } => {
                self.ended_ms = Some(*at_ms);
                self.end = Some((reason.as_str().to_owned(), handled.as_str().to_owned()));
                return self.ended().into_iter().collect();
            }
            Record::Consent { name, step, prompt, pressed, at_ms } => {
                let given = (name.as_str(), step.as_str(), prompt.as_str());
                let pressed = pressed.map(|key| key.to_string());
                return self.consent(given, pressed, prompts, *at_ms).into_iter().collect();
            }
            // A flag that a flow sets holds for its call only.
            Record::Flag { .. }
            | Record::FollowUp { .. }
            | Record::SendLink { .. }
            | Record::ForwardAnswered { .. }
            | Record::AgentAnswered { .. }
            | Record::ForwardFailed { .. }
            | Record::Bypassed { .. } => {}
        }
        Vec::new()
    }

    /// Of a call that another node may go on with its offers have the same ids there.
    fn offer_id(&self, n: u32) -> String {
        if self.origin != "api" {
            return Uuid::now_v7().to_string();
        }
        let mut bytes = [0; 16];
        let digest = Sha256::digest(format!("offer|{}|{n}", self.call_id));
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
    }

    fn progress(&self) -> Row {
        Row::CallProgress(CallProgress {
            call_id: self.call_id.clone(),
            answered_ms: self.answered_ms,
            forward_target: self.forward_target.clone(),
            forward_started_ms: self.forward_started_ms,
            human_answered_ms: self.human_answered_ms,
            holdout: self.holdout,
        })
    }

    /// Consent is the caller's: without a number there is nobody to have given it.
    fn consent(
        &self,
        (purpose, step, prompt): (&str, &str, &str),
        pressed: Option<String>,
        prompts: &Prompts,
        at_ms: i64,
    ) -> Option<Row> {
        let (dest_key, dest_key_prev) = self.caller_keys.clone()?;
        Some(Row::Consent(ConsentRow {
            consent_id: Uuid::now_v7().to_string(),
            call_id: self.call_id.clone(),
            step: step.to_owned(),
            prompt_id: prompt.to_owned(),
            prompt_hash: prompts.hash(&self.language, prompt),
            language: self.language.clone(),
            pressed,
            purpose: purpose.to_owned(),
            dest_key,
            dest_key_prev: Some(dest_key_prev),
            at_ms,
        }))
    }

    /// What was known when the flow began, for a replay.
    pub fn arrived(&mut self, at_ms: i64, flow: &Flow, facts: &Facts) -> Option<Row> {
        let arrived = Box::new(Veil::of(flow).facts(facts));
        self.entry(at_ms, &Entry::Arrived { arrived })
    }

    /// What the machine was told, for a replay.
    pub fn input(&mut self, at_ms: i64, flow: &Flow, input: &Input, hidden: bool) -> Option<Row> {
        let told = Veil::of(flow).input(input, hidden)?;
        self.entry(at_ms, &Entry::Told(told))
    }

    fn entry(&mut self, at_ms: i64, entry: &Entry) -> Option<Row> {
        let input = serde_json::to_string(entry).ok()?;
        let seq = self.inputs;
        self.inputs += 1;
        Some(Row::CallInput(CallInput { call_id: self.call_id.clone(), seq, at_ms, input }))
    }

    /// The caller's hash under the present secret.
    pub fn caller_key(&self) -> Option<&str> {
        self.caller_keys.as_ref().map(|(key, _)| key.as_str())
    }

    /// From the INVITE to the end.
    pub fn length_ms(&self) -> i64 {
        self.ended_ms.unwrap_or(self.started_ms) - self.started_ms
    }

    /// One line for the log, by fields.
    pub fn log(&self) {
        let (end, handled) = self.end.clone().unwrap_or_default();
        tracing::info!(
            call = self.call_id,
            trunk = self.trunk,
            caller = masked(self.caller.as_ref()),
            called = self.called,
            flow = self.flow,
            last_step = self.last_step,
            end,
            handled,
            ms = self.length_ms(),
            "call ended"
        );
    }
}
