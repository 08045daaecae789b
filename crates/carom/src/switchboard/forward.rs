//! Setting up the target leg: the hunt's acts become INVITEs, and their fate goes back to it.

use std::{net::SocketAddr, time::Duration};

use ivr_runtime::{
    call::{AgentRequest, Input, TargetOutcome},
    flow::{model::TargetId, way::Way},
};
use rtp_media::{session::KeyRelay, tone::Country, worker::Command};
use sip_stack::{
    Uri, b2bua,
    endpoint::{Cause, FALLBACK_AFTER, LARGE_REQUEST, LegId, OutgoingInvite, Path, Transport},
    message::{HeaderName, Headers, Response},
    offer_answer::AnswerKind,
    transport::Transports,
};

use super::{
    Switchboard,
    dial::Dialled,
    feature::Pressed,
    hunt::{Act, Ending, Hunt},
    live::{CallNo, CallerState, Live, Media, Side, TargetLeg, TargetState},
};
use crate::node::clock::wall_ms;

/// The play id of local ringback, which no machine waits for.
pub const RINGBACK: u32 = u32::MAX;

impl Switchboard {
    /// The machine wants the call at `target`; `quiet`: the caller goes on hearing what plays, and
    /// is bridged when the machine says so.
    pub(super) fn forward(&mut self, no: CallNo, target: TargetId, quiet: bool) {
        self.call_target(no, target, quiet, None);
    }

    /// The machine wants the caller with a voice bot.
    pub(super) fn call_agent(&mut self, no: CallNo, agent: AgentRequest) {
        self.call_target(no, agent.target, false, Some(agent));
    }

    fn call_target(
        &mut self,
        no: CallNo,
        target: TargetId,
        quiet: bool,
        agent: Option<AgentRequest>,
    ) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(facts) = call.flow.targets.get(usize::from(target.0)) else {
            return self.tell(no, Input::Target(TargetOutcome::Failed { status: None }));
        };
        if self.health.passes_over(call, target) {
            let note = format!("{}: answers no OPTIONS, passed over", facts.name);
            call.line.note(wall_ms(), "forward", note);
            return self.tell(no, Input::Target(TargetOutcome::Failed { status: None }));
        }
        let stays = quiet || agent.is_some();
        if stays || !self.hand_over(no, target) {
            self.call_by_ourselves(no, target, quiet, agent);
        }
    }

    /// Calls a target to bridge it.
    pub(super) fn call_by_ourselves(
        &mut self,
        no: CallNo,
        target: TargetId,
        quiet: bool,
        agent: Option<AgentRequest>,
    ) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(facts) = call.flow.targets.get(usize::from(target.0)).cloned() else { return };
        let near = call.caller.media.session;
        let media = match call.spare_media.take() {
            Some(media) => media,
            None => match self.reserve(no, Side::Target, Some(near)) {
                Some(media) => media,
                None => {
                    // Of a callback that was no try: nobody was rung.
                    self.tell_dialler(no, Dialled::Later);
                    return self.tell(no, Input::Target(TargetOutcome::Failed { status: None }));
                }
            },
        };
        if !quiet {
            self.ringback(no);
        }
        let Some(call) = self.calls.get_mut(&no) else { return };
        let (hunt, act) = Hunt::start(
            now,
            self.health.in_order(&facts.addresses),
            Duration::from_millis(facts.no_reply_ms.into()),
            Duration::from_secs(facts.ring_seconds.into()),
        );
        call.goodbye = None;
        call.target = Some(TargetLeg {
            id: target,
            hunt,
            attempt: 0,
            leg: None,
            media,
            quiet,
            agent,
            person: false,
            unheard: false,
            knows_replaces: false,
            pressed: Pressed::default(),
            state: TargetState::Calling,
        });
        self.act_on_hunt(no, vec![act]);
    }

    /// A caller whom we have answered hears it ring at once, until the target is heard.
    pub(super) fn ringback(&mut self, no: CallNo) {
        let Some(call) = self.calls.get(&no) else { return };
        if call.caller.media.open {
            let country = Country::from_code(&call.trunk.country);
            let session = call.caller.media.session;
            self.media_to(session, Command::Tone { id: RINGBACK, country });
        }
    }

    /// The machine wants the target leg given up.
    pub(super) fn stop_forward(&mut self, no: CallNo) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        call.referring = None;
        let Some(mut target) = call.target.take() else { return };
        let leg = target.leg.take();
        let heard = !target.quiet;
        self.retire(no, target.media);
        self.drop_leg(leg, None);
        if heard {
            self.unbridge(no);
        }
    }

    pub(super) fn act_on_hunt(&mut self, no: CallNo, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Resolve(uri) => {
                    self.forget_early_media(no);
                    self.resolve(no, &uri);
                }
                Act::Invite => {
                    self.forget_early_media(no);
                    self.invite(no);
                }
                Act::Cancel => self.cancel_attempt(no),
                Act::Over(ending) => self.hunt_over(no, ending),
            }
        }
        self.reschedule(no);
    }

    /// An address that was heard before it failed is heard no more: until the next one is, the caller
    /// hears it ring, by way of our 183 where the call is not answered.
    fn forget_early_media(&mut self, no: CallNo) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        let near = call.caller.media.session;
        let Some(target) = call.target.as_mut() else { return };
        if target.state != TargetState::EarlyMedia {
            return;
        }
        target.state = TargetState::Calling;
        let is_heard = !target.quiet;
        // What the old peer still sends, or no longer sends, is nobody's.
        let fresh = self.reserve(no, Side::Target, Some(near));
        let target = self.calls.get_mut(&no).and_then(|call| call.target.as_mut());
        if let (Some(target), Some(fresh)) = (target, fresh) {
            let old = std::mem::replace(&mut target.media, fresh);
            self.media_to(old.session, Command::Close);
        }
        if is_heard {
            self.media_to(near, Command::Unbridge);
            self.ringback(no);
        }
    }

    fn cancel_attempt(&mut self, no: CallNo) {
        let Some(target) = self.calls.get_mut(&no).and_then(|call| call.target.as_mut()) else {
            return;
        };
        let leg = target.leg.take();
        self.drop_leg(leg, None);
    }

    /// Hangs a target leg up and forgets it; the endpoint sees it to its end.
    pub(super) fn drop_leg(&mut self, leg: Option<LegId>, reason: Option<&str>) {
        let Some(leg) = leg else { return };
        self.legs.remove(&leg);
        let now = self.now();
        self.endpoint.hang_up(now, leg, reason.map(str::to_owned));
    }

    /// Keeps the ports of a target leg for the next target. A session that was open is closed,
    /// so that the old peer hears nothing more and its silence is nobody's time-out.
    pub(super) fn retire(&mut self, no: CallNo, media: Media) {
        let Some(call) = self.calls.get(&no) else { return };
        let near = call.caller.media.session;
        let media = if media.open {
            self.media_to(media.session, Command::Close);
            self.reserve(no, Side::Target, Some(near))
        } else {
            Some(media)
        };
        if let Some(call) = self.calls.get_mut(&no) {
            call.spare_media = media;
        }
    }

    fn hunt_over(&mut self, no: CallNo, ending: Ending) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        if let Some(target) = call.target.take() {
            let heard = !target.quiet;
            self.retire(no, target.media);
            if heard {
                self.unbridge(no);
            }
        }
        let outcome = match ending {
            Ending::Busy(status) => TargetOutcome::Busy { status },
            Ending::NoAnswer(status) => TargetOutcome::NoAnswer { status: Some(status) },
            Ending::Failed(status) => TargetOutcome::Failed { status },
        };
        self.tell(no, Input::Target(outcome));
    }

    /// The address look-up of attempt `attempt` is back.
    pub(super) fn on_resolved(&mut self, no: CallNo, attempt: u32, found: Vec<SocketAddr>) {
        let now = self.now();
        let Some(call) = self.calls.get(&no) else { return };
        if call.target.as_ref().is_none_or(|target| target.attempt != attempt) {
            return;
        }
        for &at in &found {
            self.learn_target(at);
        }
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(target) = call.target.as_mut() else { return };
        let acts = target.hunt.resolved(now, found);
        self.act_on_hunt(no, acts);
    }

    fn invite(&mut self, no: CallNo) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(target) = call.target.as_mut() else { return };
        let Some(remote) = target.hunt.remote() else { return };
        let Some(facts) = call.flow.targets.get(usize::from(target.id.0)) else { return };
        let by_tls = Way::to(target.hunt.address(), &facts.transport) == Way::Tls;
        if let Err(error) = target.media.restart(&call.caller.media, by_tls) {
            tracing::error!(%error, "no keys for SRTP");
            let acts = target.hunt.failed(now, None);
            return self.act_on_hunt(no, acts);
        }
        let Some(sdp) = target.media.offer() else { return };
        let mut headers =
            b2bua::passed_on(&call.caller.invite, call.trunk.trusted, self.loop_guard.as_ref());
        let told = target.agent.iter().flat_map(|agent| &agent.headers);
        let told: Vec<(&String, &String)> = told.map(|(name, value)| (name, &value.0)).collect();
        let is_told = |name: &str| told.iter().any(|(told, _)| told.eq_ignore_ascii_case(name));
        for (name, template) in facts.headers.iter().filter(|(name, _)| !is_told(name)) {
            let context = call.snapshot.config.http.context_url(&call.call_id);
            let value =
                template.replace("{call_id}", &call.call_id).replace("{context_url}", &context);
            headers.push((HeaderName::from(name.as_str()), value));
        }
        for (name, value) in &told {
            headers.push((HeaderName::from(name.as_str()), (*value).clone()));
        }
        let mut named = facts.headers.keys().chain(told.iter().map(|(name, _)| *name));
        if !named.any(|name| name.eq_ignore_ascii_case("X-Carom-Call")) {
            headers.push((HeaderName::from("X-Carom-Call"), call.call_id.clone()));
        }
        // What the caller's side says itself stands.
        let intent = call.ledger.intent.as_ref();
        if intent.is_some_and(|intent| call.flow.priority_intents.contains(intent))
            && !headers.iter().any(|(name, _)| *name == HeaderName::Priority)
        {
            headers.push((HeaderName::Priority, "urgent".to_owned()));
        }
        let size = estimate(&headers, sdp.len());
        let large = size > LARGE_REQUEST;
        let (path, fallback_path) =
            ways(&self.wires, target.hunt.address(), &facts.transport, large, remote);
        let Some(path) = path else {
            let acts = target.hunt.failed(now, None);
            return self.act_on_hunt(no, acts);
        };
        if fallback_path.is_some() {
            target.hunt.allow(FALLBACK_AFTER);
        }
        let uri = target.hunt.address().to_owned();
        let invite = OutgoingInvite {
            to: format!("<{uri}>"),
            from: b2bua::caller_identity(&call.caller.invite),
            request_uri: uri,
            path,
            fallback_path,
            headers,
            sdp: Some(sdp),
            max_forwards: b2bua::max_forwards(&call.caller.invite),
            takes_refer: target.agent.is_some(),
            // The caller's trunk may want to know us; the target that is rung first may not.
            auth: call
                .dial
                .as_ref()
                .filter(|_| call.machine.is_some())
                .and_then(|d| d.login.clone()),
        };
        let host = Uri::parse(&invite.request_uri).map(|uri| uri.host.to_owned());
        let leg = self.endpoint.invite(now, invite);
        if let Ok(host) = host {
            self.endpoint.prove(leg, &host);
        }
        let Some(target) = self.calls.get_mut(&no).and_then(|call| call.target.as_mut()) else {
            return;
        };
        target.leg = Some(leg);
        target.person = false; // whoever was told of took no call of this leg
        self.legs.insert(leg, (no, Side::Target));
    }

    pub(super) fn on_progress(&mut self, no: CallNo, status: u16, sdp: Option<&[u8]>) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(target) = call.target.as_mut() else { return };
        target.hunt.provisional(now, status);
        if status == 100 {
            return;
        }
        let early = sdp.is_some_and(|sdp| target.media.conclude(sdp, AnswerKind::Preview));
        let unanswered = matches!(call.caller.state, CallerState::Trying | CallerState::Early);
        if early {
            target.state = TargetState::EarlyMedia;
            if unanswered {
                self.early_media_to_caller(no, status);
            }
            self.configure(no, Side::Target);
            if self.calls.get(&no).is_some_and(Live::hears_target) {
                self.bridge(no);
            }
        } else if unanswered && target.state == TargetState::Calling {
            // The carrier makes the ringback of a call that is not answered.
            let leg = call.caller.leg;
            call.caller.state = CallerState::Early;
            self.endpoint.ring(now, leg, status, None, Vec::new());
        }
        self.tell(no, Input::Target(TargetOutcome::Ringing));
    }

    fn early_media_to_caller(&mut self, no: CallNo, status: u16) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(answer) = call.caller.media.answer.clone() else {
            // An offerless INVITE: no media before its ACK.
            let leg = call.caller.leg;
            return self.endpoint.ring(now, leg, 180, None, Vec::new());
        };
        call.caller.state = CallerState::Early;
        let leg = call.caller.leg;
        self.endpoint.ring(now, leg, status.max(183), Some(answer), Vec::new());
        self.configure(no, Side::Caller);
    }

    pub(super) fn on_target_answered(&mut self, no: CallNo, sdp: Option<&[u8]>, headers: &Headers) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(target) = call.target.as_mut() else { return };
        target.hunt.answered();
        target.knows_replaces = headers.lists(HeaderName::Supported, "replaces");
        let agreed = match sdp {
            Some(sdp) => target.media.conclude(sdp, AnswerKind::Final),
            None => target.media.talk.current().is_some(), // the 183 carried the answer
        };
        if !agreed {
            let leg = target.leg.take();
            self.drop_leg(leg, Some("SIP;cause=488;text=\"Not Acceptable Here\""));
            return self.hunt_over(no, Ending::Failed(Some(488)));
        }
        target.state = TargetState::Answered;
        target.media.went_to = target.media.signalled();
        let human = call.hears_human(headers, false);
        let unanswered = matches!(call.caller.state, CallerState::Trying | CallerState::Early);
        if unanswered {
            self.answer_caller(no);
        }
        self.configure(no, Side::Target);
        if self.calls.get(&no).is_some_and(Live::hears_target) {
            self.bridge(no);
        }
        self.agent_said(no, headers);
        self.tell(no, Input::Target(TargetOutcome::Answered { human }));
        self.if_unheard(no);
    }

    pub(super) fn on_target_failed(
        &mut self,
        no: CallNo,
        leg: LegId,
        status: u16,
        response: Option<&Response>,
        cause: Cause,
    ) {
        let now = self.now();
        self.legs.remove(&leg);
        let Some(target) = self.calls.get_mut(&no).and_then(|call| call.target.as_mut()) else {
            return;
        };
        if target.leg != Some(leg) {
            return; // an attempt that was given up
        }
        target.leg = None;
        let told = (cause == Cause::Response && response.is_some()).then_some(status);
        let acts = target.hunt.failed(now, told);
        self.act_on_hunt(no, acts);
    }

    /// Couples the two legs in the media worker.
    pub(super) fn bridge(&mut self, no: CallNo) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(target) = call.target.as_mut() else { return };
        target.quiet = false;
        let (a, b) = (call.caller.media.session, target.media.session);
        let wish = |leg: &super::live::Media| match leg.talk.current() {
            Some(agreed) if agreed.telephone_event.is_some() => KeyRelay::Rfc4733,
            _ => KeyRelay::Info,
        };
        let (a_keys, b_keys) = (wish(&call.caller.media), wish(&target.media));
        // Whatever plays (ringback, a prompt cut short) would cover the target's voice.
        self.media_to(a, Command::Stop);
        self.media_to(a, Command::ListenKeys(false));
        self.media_to(b, Command::ListenKeys(false));
        self.media_to(a, Command::Bridge { peer: b, keys: a_keys });
        self.media_to(b, Command::Bridge { peer: a, keys: b_keys });
        self.listen_for_code(no);
    }

    /// Uncouples them; the caller leg hears silence and its keys are ours again.
    pub(super) fn unbridge(&mut self, no: CallNo) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        if let Some(target) = call.target.as_mut() {
            target.quiet = true;
        }
        let a = call.caller.media.session;
        if call.caller.media.open {
            self.media_to(a, Command::Unbridge);
            self.media_to(a, Command::Stop);
            self.media_to(a, Command::ListenKeys(true));
        }
    }
}

/// The way to a target, and the way to fall back to: what its URI asks for (RFC 3261 §19.1.1),
/// else what its `transport` says. By TLS the target must prove to be the host of the URI.
pub(super) fn ways(
    wires: &Transports,
    uri: &str,
    transport: &str,
    large: bool,
    remote: SocketAddr,
) -> (Option<Path>, Option<Path>) {
    let by = |transport| wires.path(transport, remote);
    let (udp, tcp) = (by(Transport::Udp), by(Transport::Tcp));
    match Way::to(uri, transport) {
        Way::Tls => {
            let tls = by(Transport::Tls);
            if let (Some(path), Ok(uri)) = (&tls, Uri::parse(uri)) {
                wires.expect(path, uri.host);
            }
            (tls, None)
        }
        Way::Udp => (udp, None),
        Way::Tcp => (tcp, None),
        Way::BySize if large && tcp.is_some() => (tcp, udp),
        Way::BySize => (udp.or(tcp), None),
    }
}

/// A rough size of the INVITE: what varies plus the fixed headers.
fn estimate(headers: &[(HeaderName, String)], sdp_len: usize) -> usize {
    let varying: usize = headers.iter().map(|(_, value)| value.len() + 24).sum();
    600 + varying + sdp_len
}
