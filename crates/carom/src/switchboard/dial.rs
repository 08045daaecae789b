//! Callbacks that are due: the target is rung first, and when a person is there, that person hears
//! whom it is about while the caller is rung.
//!
//! Such a call is one like others, the other way round: the target's leg is the caller leg of a
//! flow of two steps whose one target is the caller, behind a trunk.

use std::{sync::Arc, time::Duration};

use deflect_actions::store::CallbackDue;
use ivr_runtime::{
    call::{Facts, Input, TargetOutcome},
    flow::model::{
        AnsweredMeans, Does, Flow, Go, HumanSignal, PromptItem, Step, StepId, Target, TargetId,
    },
};
use message_text::E164;
use sip_stack::{
    auth::Credentials,
    endpoint::LegId,
    message::{Message, Request},
};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    Switchboard, arrive,
    live::{CallNo, CallerLeg, CallerState, Live, Side},
    numbers::Parties,
    record::Ledger,
    timeline::TimeLine,
};
use crate::{
    config::{Outbound, Snapshot, Trunk, TrunkTransport},
    node::clock::wall_ms,
};

/// A person is waited for this long in the queue of the target.
const QUEUE: Duration = Duration::from_secs(600);
/// No leg of the endpoint has this number.
const NO_LEG: LegId = LegId(u64::MAX);

/// A callback to be made now.
#[derive(Debug)]
pub struct DialOrder {
    /// What is due.
    pub due: CallbackDue,
    /// Told once: as soon as the caller answers, or when that has failed.
    pub reply: oneshot::Sender<Dialled>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialled {
    /// The caller has answered.
    Reached,
    /// The target, or the caller, did not.
    NotReached,
    /// This node takes on nothing more now.
    Later,
}

/// A call that we make.
#[derive(Debug)]
pub struct Dial {
    /// The callback's id.
    pub callback_id: String,
    /// The INVITE whose caller the called is shown: ourselves.
    invite: Request,
    /// What the flow begins with, once a person is there.
    facts: Facts,
    /// Until a person is there, in a queue.
    pub until: Option<Duration>,
    /// For the trunk.
    pub login: Option<Credentials>,
    reply: Option<oneshot::Sender<Dialled>>,
}

impl Dial {
    fn tell(&mut self, dialled: Dialled) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(dialled);
        }
    }
}

impl Switchboard {
    /// Rings the target of a callback.
    pub(super) fn dial(&mut self, order: DialOrder) {
        let snapshot = Arc::clone(&self.snapshot);
        let DialOrder { due, reply } = order;
        let limits = arrive::limits(&snapshot);
        if self.draining || self.calls.len() >= usize::try_from(limits.calls).unwrap_or(usize::MAX)
        {
            let _ = reply.send(Dialled::Later);
            return;
        }
        match self.prepare_dial(&snapshot, &due) {
            Ok(no) => {
                if let Some(dial) = self.calls.get_mut(&no).and_then(|call| call.dial.as_mut()) {
                    dial.reply = Some(reply);
                }
                self.forward(no, TargetId(0), true);
            }
            Err(why) => {
                if why == Dialled::NotReached {
                    tracing::error!(callback = due.callback_id, "no way to make this callback");
                }
                let _ = reply.send(why);
            }
        }
    }

    fn prepare_dial(
        &mut self,
        snapshot: &Arc<Snapshot>,
        due: &CallbackDue,
    ) -> Result<CallNo, Dialled> {
        let none = Dialled::NotReached;
        let flow = snapshot.flows.iter().find(|flow| flow.name == due.flow).ok_or(none)?;
        let agent = flow.targets.iter().find(|target| target.name == due.target).ok_or(none)?;
        if !is_person(agent) && self.services.sources.misses(&agent.human_signal) {
            return Err(Dialled::Later); // nobody would tell us that a person is there
        }
        let (trunk, outbound) = trunk_for(snapshot, due).ok_or(none)?;
        let called = with_user(&outbound.address, due.number.as_str());
        let shown = |number: &str| invite(&with_user(&outbound.address, number), &called);
        let flow = Arc::new(flow_of(flow, agent, trunk, &called, due.language.as_deref()));
        let who = Parties {
            called: outbound.callback_from.clone(),
            called_country: trunk.country.clone(),
            caller: Some(due.number.clone()),
            withheld: false,
            to_confirm: false,
            call_is: Vec::new(),
            emergency: false,
            attestation: "none",
        };
        let to_agent = shown(due.number.as_str()).ok_or(none)?;
        let to_caller = shown(&outbound.callback_from).ok_or(none)?;
        let no = CallNo(self.next_call);
        self.next_call += 1;
        let media = self.reserve(no, Side::Caller, None).ok_or(Dialled::Later)?;
        let mut ledger = Ledger::open(trunk, &flow, &who, &to_agent, snapshot, &self.services);
        ledger.origin = "callback";
        let mut line = TimeLine::default();
        line.note(ledger.started_ms, "call", format!("callback for {}", due.number.masked()));
        self.services.store(ledger.started());
        let login = outbound.login.as_ref().map(|(username, password)| Credentials {
            username: username.reveal().to_owned(),
            password: password.reveal().to_owned(),
        });
        let dial = Dial {
            callback_id: due.callback_id.clone(),
            invite: to_caller,
            facts: facts(&ledger, &due.number, trunk),
            until: None,
            login,
            reply: None,
        };
        let call = Live {
            call_id: ledger.call_id.clone(),
            flow,
            trunk: trunk.clone(),
            machine: None,
            facts: None,
            facts_due: None,
            withheld: false,
            // Nobody yet: the target's leg takes this place when a person is there.
            caller: CallerLeg { leg: NO_LEG, invite: to_agent, media, state: CallerState::Gone },
            spare_media: None,
            target: None,
            referring: None,
            link_order: None,
            taking: None,
            bookings: Vec::new(),
            dial: Some(dial),
            lookups: 0,
            line,
            ledger,
            deadline: None,
            goodbye: None,
            over: false,
            closing: false,
            closed_by: None,
            replaced_by: None,
            snapshot: Arc::clone(snapshot),
        };
        self.calls.insert(no, call);
        Ok(no)
    }

    /// News of the target that is rung first; nothing else is told to a call without a machine.
    pub(super) fn on_dialling(&mut self, no: CallNo, input: &Input) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return };
        let (Some(dial), Input::Target(outcome)) = (call.dial.as_mut(), input) else { return };
        let is_person = call.flow.targets.first().is_some_and(is_person);
        match outcome {
            &TargetOutcome::Answered { human } if human || is_person => self.agent_is_there(no),
            TargetOutcome::Answered { .. } => {
                dial.until = Some(now + QUEUE);
                self.reschedule(no);
            }
            TargetOutcome::HumanAnswered => self.agent_is_there(no),
            // Where its signal is lost a person would hear nothing, and nobody would know.
            TargetOutcome::Busy { .. }
            | TargetOutcome::NoAnswer { .. }
            | TargetOutcome::Failed { .. }
            | TargetOutcome::HandedOver { .. }
            | TargetOutcome::Ended { .. }
            | TargetOutcome::SignalLost => self.dial_failed(no),
            TargetOutcome::Ringing => {}
        }
    }

    /// A person is there: the target's leg becomes the caller leg of the flow.
    fn agent_is_there(&mut self, no: CallNo) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        let (Some(target), Some(dial)) = (call.target.take(), call.dial.as_mut()) else { return };
        let Some(leg) = target.leg else { return };
        dial.until = None;
        let (invite, facts) = (dial.invite.clone(), dial.facts.clone());
        let state = CallerState::Confirmed;
        let caller = CallerLeg { leg, invite, media: target.media, state };
        let nobody = std::mem::replace(&mut call.caller, caller);
        let (agent, spare) = (call.caller.media.session, nobody.media.session);
        call.spare_media = Some(nobody.media);
        call.line.note(wall_ms(), "forward", "a person answered");
        self.legs.insert(leg, (no, Side::Caller));
        self.sessions.insert(agent, no, Side::Caller);
        self.sessions.insert(spare, no, Side::Target);
        self.start_machine(no, facts);
        // Until then it was the target's, and the trunk's networks were not its own.
        if self.calls.get(&no).is_some_and(|call| !call.closing) {
            self.configure(no, Side::Caller);
        }
        self.reschedule(no);
    }

    /// Nobody is there; the call is over before it began.
    pub(super) fn dial_failed(&mut self, no: CallNo) {
        if self.calls.get(&no).is_none_or(|call| call.over) {
            return;
        }
        self.stop_forward(no);
        let Some(call) = self.calls.get_mut(&no) else { return };
        if let Some(dial) = &mut call.dial {
            dial.until = None;
            dial.tell(Dialled::NotReached);
        }
        call.ledger.end = Some(("no_route".to_owned(), "no_human".to_owned()));
        call.ledger.ended_ms = Some(wall_ms());
        call.line.note(wall_ms(), "end", "no_route, no_human");
        call.over = true;
        if let Some(ended) = call.ledger.ended() {
            self.services.store(ended);
        }
        self.close_if_over(no);
    }

    /// The caller has answered, or the call is over.
    pub(super) fn tell_dialler(&mut self, no: CallNo, dialled: Dialled) {
        let dial = self.calls.get_mut(&no).and_then(|call| call.dial.as_mut());
        if let Some(dial) = dial {
            dial.tell(dialled);
        }
    }

    /// This node may not go on with a callback: another may have it by now.
    pub(super) fn stop_dial(&mut self, callback_id: &str) {
        let is_it = |call: &Live| {
            call.dial.as_ref().is_some_and(|d| d.callback_id == callback_id && d.reply.is_some())
        };
        let Some(no) = self.calls.iter().find(|(_, call)| is_it(call)).map(|(no, _)| *no) else {
            return;
        };
        match self.calls.get(&no).is_some_and(|call| call.machine.is_none()) {
            true => self.dial_failed(no),
            false => self.end_caller(no, "SIP;cause=503;text=\"Taken over\""),
        }
    }
}

/// Whether somebody is there as soon as it answers.
fn is_person(target: &Target) -> bool {
    target.answered_means == AnsweredMeans::Human || target.human_signal == HumanSignal::Answer
}

/// The trunk that the caller came by, if it carries callbacks; else one of the number's country,
/// else the first that does.
fn trunk_for<'a>(snapshot: &'a Snapshot, due: &CallbackDue) -> Option<(&'a Trunk, &'a Outbound)> {
    let able = || {
        let trunks = snapshot.config.trunks.iter();
        trunks.filter_map(|trunk| Some((trunk, trunk.outbound.as_ref()?)))
    };
    able()
        .find(|(trunk, _)| Some(&trunk.name) == due.trunk.as_ref())
        .or_else(|| able().find(|(trunk, _)| trunk.country == due.number.region()))
        .or_else(|| able().next())
}

/// `sip:USER@HOST` of an address without a user.
fn with_user(address: &str, user: &str) -> String {
    match address.split_once(':') {
        Some((scheme, host)) => format!("{scheme}:{user}@{host}"),
        None => address.to_owned(),
    }
}

/// An INVITE as if `from` had called `to`: what the legs of this call are made from.
fn invite(from: &str, to: &str) -> Option<Request> {
    let id = Uuid::now_v7();
    let text = format!(
        "INVITE {to} SIP/2.0\r\n\
         Via: SIP/2.0/UDP callback.invalid;branch=z9hG4bK{id}\r\n\
         Max-Forwards: 70\r\n\
         From: <{from}>;tag={id}\r\n\
         To: <{to}>\r\n\
         Call-ID: {id}\r\n\
         CSeq: 1 INVITE\r\n\
         Contact: <{from}>\r\n\
         P-Asserted-Identity: <{from}>\r\n\
         Content-Length: 0\r\n\r\n"
    );
    match Message::parse(text.as_bytes()) {
        Ok(Message::Request(request)) => Some(request),
        _ => None,
    }
}

/// "A caller asked to be called back", then the caller; if nobody answers there, that is said.
fn flow_of(
    flow: &Flow,
    agent: &Target,
    trunk: &Trunk,
    called: &str,
    language: Option<&str>,
) -> Flow {
    let say = |name: &str, prompt: &str, then: Go| Step {
        name: name.to_owned(),
        fallback: false,
        does: Does::Say { play: vec![PromptItem::Sound(prompt.to_owned())], then },
    };
    let caller = Target {
        name: "caller".to_owned(),
        addresses: vec![called.to_owned()],
        ping_seconds: 0,
        transport: match trunk.transport {
            TrunkTransport::Udp => "udp",
            TrunkTransport::Tcp => "tcp",
            TrunkTransport::Tls => "tls",
            TrunkTransport::Auto => "auto",
        }
        .to_owned(),
        hours: None,
        when_closed: None,
        answered_means: AnsweredMeans::Human,
        human_signal: HumanSignal::Answer,
        headers: Default::default(),
        // The keys of who is called back are nobody's code.
        feature_code: Vec::new(),
        send_link: None,
        if_busy: None,
        if_no_answer: None,
        if_fails: Some(Go::Step(StepId(1))),
        fallback: false,
        ..agent.clone()
    };
    let mut languages = flow.languages.clone();
    if let Some(language) = language {
        languages.sort_by_key(|one| one != language);
    }
    Flow {
        languages,
        start: StepId(0),
        human: TargetId(1),
        fallback: None,
        holdout_percent: 0,
        // Whoever is called back calls nobody, and the person rung first least of all.
        emergency_notice: false,
        steps: vec![
            say("callback", "callback-agent", Go::Target(TargetId(1))),
            say("nobody", "callback-nobody", Go::HangUp),
        ],
        targets: vec![agent.clone(), caller],
        ..flow.clone()
    }
}

fn facts(ledger: &Ledger, number: &E164, trunk: &Trunk) -> Facts {
    Facts {
        call_id: ledger.call_id.clone(),
        trunk: trunk.name.clone(),
        called: ledger.called.clone(),
        caller: Some(number.as_str().to_owned()),
        country: trunk.country.clone(),
        language: ledger.language.clone(),
        start_ms: ledger.started_ms,
        ..Facts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invite_is_made_of_an_address_and_two_numbers() {
        let to = with_user("sip:trunk.example.net:5080;transport=tcp", "+447700900123");
        assert_eq!(to, "sip:+447700900123@trunk.example.net:5080;transport=tcp");
        let request = invite("sip:+442079460018@trunk.example.net", &to).unwrap();
        assert_eq!(request.uri(), to);
        let from = sip_stack::b2bua::caller_identity(&request);
        assert_eq!(from, "<sip:+442079460018@trunk.example.net>");
    }
}
