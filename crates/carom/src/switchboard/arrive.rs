//! An INVITE arrives: who sends it, may it come in, which flow takes it.

use std::{net::IpAddr, sync::Arc};

use ivr_runtime::{
    call::{Bypass, Call, Facts},
    key::Key,
};
use message_text::E164;
use rtp_media::{session::SessionId, worker::Command};
use sip_stack::{
    endpoint::{LegId, Path, Transport},
    message::{HeaderName, Request},
};

use super::{
    Switchboard,
    admission::{Limits, Verdict},
    live::{CallNo, CallerLeg, CallerState, Live, Media, Side},
    numbers::parties,
    record::Ledger,
    timeline::TimeLine,
};
use crate::{
    config::{Snapshot, Trunk, TrunkTransport},
    node::clock::wall_ms,
};

/// Seconds after which a carrier may try a draining node again.
const RETRY_AFTER: &str = "30";

/// The limits of a configuration.
pub fn limits(snapshot: &Snapshot) -> Limits {
    let limits = &snapshot.config.limits;
    Limits { calls: limits.calls, per_second: limits.new_calls_per_second }
}

/// The trunk that may call us from `addr`.
pub fn trunk_of(snapshot: &Snapshot, addr: IpAddr) -> Option<&Trunk> {
    snapshot.config.trunk_at(addr)
}

impl Switchboard {
    pub(super) fn on_incoming(&mut self, leg: LegId, invite: Request, path: &Path) {
        let now = self.now();
        let snapshot = Arc::clone(&self.snapshot);
        let Some(trunk) = trunk_of(&snapshot, path.remote.ip()) else {
            // The endpoint lets only trunks in; a reload may have taken this one away since.
            return self.endpoint.reject(now, leg, 403, None, Vec::new());
        };
        if self.draining {
            let retry = vec![(HeaderName::RetryAfter, RETRY_AFTER.to_owned())];
            return self.endpoint.reject(now, leg, 503, None, retry);
        }
        let verdict = self.admission.judge(now, limits(&snapshot), self.calls.len());
        if verdict == Verdict::Refuse {
            metrics::counter!("carom_calls_refused_total", "reason" => "overload").increment(1);
            return self.endpoint.reject(now, leg, trunk.overload_code, None, Vec::new());
        }
        let who = parties(&invite, trunk);
        let no = CallNo(self.next_call);
        self.next_call += 1;
        let Some(mut media) = self.reserve(no, Side::Caller, None) else {
            metrics::counter!("carom_calls_refused_total", "reason" => "no_media_port")
                .increment(1);
            return self.endpoint.reject(now, leg, trunk.overload_code, None, Vec::new());
        };
        let Some(spare) = self.reserve(no, Side::Target, Some(media.session)) else {
            self.sessions.remove(media.session);
            metrics::counter!("carom_calls_refused_total", "reason" => "no_media_port")
                .increment(1);
            return self.endpoint.reject(now, leg, trunk.overload_code, None, Vec::new());
        };
        media.offer_keys(path.transport == Transport::Tls);
        let flow = Arc::clone(snapshot.flow_for(&who.called));
        if !invite.body().is_empty() {
            match media.take_offer(invite.body()) {
                Ok(answer) => media.answer = Some(answer),
                Err(status) => {
                    self.sessions.remove(media.session);
                    self.sessions.remove(spare.session);
                    let ledger =
                        Ledger::open(trunk, &flow, &who, &invite, &snapshot, &self.services);
                    return self.turn_away(leg, ledger, status);
                }
            }
        }
        let ledger = Ledger::open(trunk, &flow, &who, &invite, &snapshot, &self.services);
        let started_ms = ledger.started_ms;
        let mut line = TimeLine::default();
        line.note(
            started_ms,
            "call",
            format!("from {} to {}", masked(who.caller.as_ref()), who.called),
        );
        line.note(started_ms, "sip", "caller → us  INVITE");
        line.note(started_ms, "sip", "us → caller  100 INVITE");
        self.services.store(ledger.started());
        let call = Live {
            call_id: ledger.call_id.clone(),
            flow,
            trunk: trunk.clone(),
            machine: None,
            facts: None,
            facts_due: None,
            withheld: who.withheld,
            caller: CallerLeg { leg, invite, media, state: CallerState::Trying },
            spare_media: Some(spare),
            target: None,
            referring: None,
            link_order: None,
            taking: None,
            bookings: Vec::new(),
            dial: None,
            lookups: 0,
            line,
            ledger,
            deadline: None,
            goodbye: None,
            over: false,
            closing: false,
            closed_by: None,
            replaced_by: None,
            snapshot: Arc::clone(&snapshot),
        };
        match trunk.transport {
            TrunkTransport::Udp => {}
            TrunkTransport::Tcp => self.endpoint.prefer(leg, Transport::Tcp),
            TrunkTransport::Tls => self.endpoint.prefer(leg, Transport::Tls),
            TrunkTransport::Auto => self.endpoint.prefer_by_size(leg),
        }
        if let Some(host) = &trunk.host {
            self.endpoint.prove(leg, host);
        }
        self.legs.insert(leg, (no, Side::Caller));
        self.calls.insert(no, call);
        metrics::counter!("carom_calls_total", "trunk" => trunk.name.clone()).increment(1);
        let bypass = (verdict == Verdict::SkipFlow).then_some(Bypass::Overload);
        self.look_up_facts(no, &who, bypass);
    }

    /// A call that nobody could have heard: its offer has nothing that we can speak.
    fn turn_away(&mut self, leg: LegId, mut ledger: Ledger, status: u16) {
        metrics::counter!("carom_calls_refused_total", "reason" => "no_common_media").increment(1);
        ledger.end = Some(("rejected".to_owned(), "no_human".to_owned()));
        ledger.ended_ms = Some(ledger.started_ms);
        ledger.sip_final = Some(status);
        self.services.store(ledger.started());
        if let Some(ended) = ledger.ended() {
            self.services.store(ended);
        }
        ledger.log();
        let mut line = TimeLine::default();
        line.note(ledger.started_ms, "sip", "caller → us  INVITE");
        line.note(ledger.started_ms, "sip", format!("us → caller  {status} INVITE"));
        self.ended.keep(&ledger.summary(), &line);
        self.endpoint.reject(self.now(), leg, status, None, Vec::new());
    }

    /// The facts are in: the flow begins.
    pub(super) fn start_machine(&mut self, no: CallNo, facts: Facts) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return };
        if call.machine.is_some() || call.over {
            return;
        }
        if let Some(row) = call.ledger.arrived(wall_ms(), &call.flow, &facts) {
            self.services.store(row);
        }
        call.machine = Some(Call::new(now, Arc::clone(&call.flow), facts));
        self.drain_machine(no);
    }

    /// Takes a port pair and a session for one leg.
    pub(super) fn reserve(
        &mut self,
        no: CallNo,
        side: Side,
        near: Option<SessionId>,
    ) -> Option<Media> {
        let ports = self.ports.reserve().inspect_err(|error| tracing::warn!(%error)).ok()?;
        let session = self.media.allocate(near);
        self.sessions.insert(session, no, side);
        let origin = self.services.number() >> 2; // a 62-bit number every parser takes
        // What was offered of a call that runs is what its later legs have.
        let snapshot = self.calls.get(&no).map_or(&self.snapshot, |call| &call.snapshot);
        match Media::new(ports, session, &snapshot.config, origin) {
            Ok(media) => Some(media),
            Err(error) => {
                tracing::error!(%error, "no keys for SRTP");
                self.sessions.remove(session);
                None
            }
        }
    }

    /// A key that came as SIP INFO.
    pub(super) fn on_info(&mut self, no: CallNo, side: Side, info: &Request) {
        let content_type = info.headers().first(HeaderName::ContentType).unwrap_or("");
        let Some(key) = dtmf_detector::info::parse(content_type, info.body()) else { return };
        let Some(call) = self.calls.get(&no) else { return };
        let session = match (side, &call.target) {
            (Side::Caller, _) => call.caller.media.session,
            (Side::Target, Some(target)) => target.media.session,
            (Side::Target, None) => return,
        };
        let command = Command::InfoKey { digit: key.digit, duration_ms: key.duration_ms };
        self.media_to(session, command);
    }
}

/// Country and last two digits, never the number.
pub fn masked(caller: Option<&E164>) -> String {
    caller.map_or_else(|| "withheld".to_owned(), E164::masked)
}

/// A digit of the detector as the flow's key.
pub fn key_of(digit: dtmf_detector::Digit) -> Option<Key> {
    Key::try_from(char::from(digit)).ok()
}
