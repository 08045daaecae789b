//! One running call: its two legs, its machine, and what is written down about it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use ivr_runtime::{
    call::{AgentRequest, Call, Facts},
    flow::model::{Flow, HumanSignal, TargetId},
};
use rtp_media::{ports::MediaPorts, session::SessionId};
use sip_stack::{
    endpoint::LegId,
    message::{Headers, Request},
    offer_answer::{AnswerKind, LocalMedia, Negotiation, OfferPending, Rejected},
    sdp::Direction,
};

use super::{
    callback::Booking,
    dial::Dial,
    feature::{LinkOrder, Pressed},
    hand_over::Referring,
    hunt::Hunt,
    media::StreamRules,
    record::Ledger,
    timeline::TimeLine,
    voice::Taking,
};
use crate::config::{Config, Snapshot, Srtp, Trunk};

/// Names a running call inside this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallNo(pub u64);

/// Which of the two legs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The caller leg: we are UAS.
    Caller,
    /// The target leg: we are UAC.
    Target,
}

impl Side {
    /// The one across the bridge.
    pub fn other(self) -> Self {
        match self {
            Self::Caller => Self::Target,
            Self::Target => Self::Caller,
        }
    }
}

/// A call from its INVITE to its end.
pub struct Live {
    /// UUIDv7; names the call in the store, the logs and `X-Carom-Call`.
    pub call_id: String,
    /// The configuration the call began with.
    pub snapshot: Arc<Snapshot>,
    pub flow: Arc<Flow>,
    pub trunk: Trunk,
    /// `None` until the facts are in.
    pub machine: Option<Call>,
    /// What the flow begins with if nothing more is learned.
    pub facts: Option<Facts>,
    /// The caller asked for privacy: the number routes, but is not texted.
    pub withheld: bool,
    /// When the flow begins without facts that are still being looked up.
    pub facts_due: Option<Duration>,
    pub caller: CallerLeg,
    pub target: Option<TargetLeg>,
    /// The carrier has been asked to take the call on without us.
    pub referring: Option<Referring>,
    /// Ports reserved for a forward before the call is answered, and kept between forwards.
    pub spare_media: Option<Media>,
    /// A callback that we make: the caller leg is the target's, the target leg the caller's.
    pub dial: Option<Dial>,
    /// Counts the address look-ups of all its forwards.
    pub lookups: u32,
    /// What became of the link that was ordered last.
    pub link_order: Option<LinkOrder>,
    /// What the caller says is being recorded.
    pub taking: Option<Taking>,
    /// Callbacks that this call has asked for.
    pub bookings: Vec<Booking>,
    pub line: TimeLine,
    pub ledger: Ledger,
    /// The deadline that stands in the switchboard's queue for this call.
    pub deadline: Option<Duration>,
    /// The Reason of the target's BYE, passed on to the caller.
    pub goodbye: Option<String>,
    /// The machine has ended; only goodbyes are left.
    pub over: bool,
    /// The goodbyes are said; the media sessions have yet to tell their counts.
    pub closing: bool,
    /// When they are no longer waited for.
    pub closed_by: Option<Duration>,
    /// When nobody is waited for any more who would take our place at the target.
    pub replaced_by: Option<Duration>,
}

/// The leg towards the trunk.
pub struct CallerLeg {
    pub leg: LegId,
    pub invite: Request,
    pub media: Media,
    /// How far the answer got.
    pub state: CallerState,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Caller => "caller",
            Self::Target => "target",
        })
    }
}

/// How far the caller leg got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerState {
    /// 100 went out.
    Trying,
    /// 180 or 183 went out.
    Early,
    /// 200 went out.
    Answered,
    /// Its ACK came.
    Confirmed,
    /// The leg is gone.
    Gone,
}

/// The leg towards a target.
pub struct TargetLeg {
    pub id: TargetId,
    pub hunt: Hunt,
    /// The last look-up of this forward, of all of the call, so that late news of an earlier one is
    /// known as such.
    pub attempt: u32,
    pub leg: Option<LegId>,
    pub media: Media,
    /// The caller hears something else: music in line, an offer.
    pub quiet: bool,
    /// A voice bot, which hands the caller back.
    pub agent: Option<AgentRequest>,
    /// It was told from elsewhere, or before the 200, that a person took the call.
    pub person: bool,
    /// A person may have taken the call unheard of.
    pub unheard: bool,
    /// Another call may take the place of ours with it.
    pub knows_replaces: bool,
    /// Keys that may begin its feature code.
    pub pressed: Pressed,
    pub state: TargetState,
}

/// How far the target leg got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetState {
    /// Being tried.
    Calling,
    /// 18x with media: the caller hears the target.
    EarlyMedia,
    /// 200 came; bridged.
    Answered,
}

/// The media side of a leg.
pub struct Media {
    /// Reserved, not opened yet.
    pub ports: Option<MediaPorts>,
    pub session: SessionId,
    /// Opened in the worker.
    pub open: bool,
    /// Who offered what, and what is agreed.
    pub talk: Negotiation,
    /// Our answer to the offer of the INVITE, sent in the 183 or 200.
    pub answer: Option<Bytes>,
    /// Which way the peer wants media to flow, seen from it: `sendonly` holds the other leg.
    pub wish: Direction,
    /// The address that media went to before it was held.
    pub(super) went_to: Option<SocketAddr>,
    /// The open offer of ours is one that the peer asked for.
    pub asked: bool,
    /// When to offer anew what the leg could not take.
    pub reoffer_at: Option<Duration>,
    srtp: Srtp,
}

impl Media {
    /// Media at `ports`, with nothing offered yet.
    ///
    /// # Errors
    /// No keys can be made.
    pub fn new(
        ports: MediaPorts,
        session: SessionId,
        config: &Config,
        origin: u64,
    ) -> Result<Self, getrandom::Error> {
        let srtp = config.media.srtp;
        let codecs = config.media.codecs.iter().copied();
        let local = LocalMedia {
            addr: config.media.advertise.unwrap_or(config.media_bind()),
            port: ports.rtp_port(),
            codecs: codecs.filter_map(super::media::codec).collect(),
            ptime_ms: 20,
            telephone_event: true,
            direction: Direction::SendRecv,
            session_id: origin,
            version: origin,
            crypto: super::media::local_crypto(srtp, false)?,
        };
        let talk = Negotiation::new(local);
        Ok(Self {
            ports: Some(ports),
            session,
            open: false,
            talk,
            answer: None,
            wish: Direction::SendRecv,
            went_to: None,
            asked: false,
            reoffer_at: None,
            srtp,
        })
    }

    /// Whether our offers have keys: where signalling is not read by others, unless they must be
    /// there anyhow.
    pub fn offer_keys(&mut self, by_tls: bool) {
        if let Some(crypto) = &mut self.talk.local_mut().crypto {
            crypto.offered = by_tls;
        }
    }

    /// Answers an offer of the peer; else the status owed.
    pub fn take_offer(&mut self, offer: &[u8]) -> Result<Bytes, u16> {
        self.talk.handle_offer(offer).map_err(OfferPending::status)?;
        if self.is_from_another_endpoint() {
            // Without random numbers the keys stay, and who is new may hear nothing.
            if let Ok(Some(fresh)) = super::media::local_crypto(self.srtp, false)
                && let Some(ours) = &mut self.talk.local_mut().crypto
            {
                ours.keys = fresh.keys;
            }
        }
        let (answer, agreed) = self.talk.answer().map_err(Rejected::status)?;
        self.wish = agreed.theirs;
        Ok(answer)
    }

    /// Whether the open offer has another key and another address than its peer had: then it is
    /// another endpoint's, as after a transfer, which has not counted our packets' wraps
    /// (RFC 3711 §3.3.1) and has to be sent to by a key that nothing was sent by yet.
    fn is_from_another_endpoint(&self) -> bool {
        let Some(before) = self.talk.current() else { return false };
        let Some(old) = &before.crypto else { return false };
        let Ok((_, after)) = self.talk.clone().answer() else { return false };
        let new_key = after.crypto.is_some_and(|new| new.receive != old.receive);
        new_key && after.remote_rtp != before.remote_rtp
    }

    /// Makes the offer that the peer asked for.
    pub fn make_offer(&mut self) -> Option<Bytes> {
        let offer = self.talk.offer().ok();
        self.asked = offer.is_some();
        offer
    }

    /// Our offer, again where it is out already.
    pub fn offer(&mut self) -> Option<Bytes> {
        self.talk.offer().ok().or_else(|| self.talk.sent().cloned())
    }

    /// Takes the peer's answer to our offer; `false` when nothing was agreed.
    pub fn conclude(&mut self, sdp: &[u8], kind: AnswerKind) -> bool {
        if !self.talk.awaits_answer() {
            // A 200 repeats the answer that a reliable 183 has settled.
            return self.talk.current().is_some();
        }
        let offered = self.talk.local().direction;
        let agreed = self.talk.handle_answer(sdp, kind);
        // An answer cannot ask for more than was offered: to a hold it tells nothing of a wish.
        if let Ok(agreed) = &agreed
            && offered == Direction::SendRecv
        {
            self.wish = agreed.theirs;
        }
        agreed.is_ok()
    }

    /// Starts over for an address of a target, to offer it what the caller leg has, and keys of
    /// its own.
    ///
    /// # Errors
    /// No keys can be made.
    pub fn restart(&mut self, caller: &Self, by_tls: bool) -> Result<(), getrandom::Error> {
        let prefer = caller.talk.current().map(|agreed| agreed.codec);
        let mut local = self.talk.local().clone();
        local.session_id = local.session_id.wrapping_add(1);
        local.version = local.session_id;
        // The caller's codec first: the same on both legs means no conversion.
        local.codecs.sort_by_key(|codec| Some(*codec) != prefer);
        local.direction = caller.wish;
        local.crypto = super::media::local_crypto(self.srtp, by_tls)?;
        self.talk = Negotiation::new(local);
        (self.wish, self.asked, self.reoffer_at) = (Direction::SendRecv, false, None);
        self.went_to = None;
        Ok(())
    }

    /// Whether media goes to another address than when this was asked last and nobody was held:
    /// hold and what resumes it move nothing.
    pub fn moved(&mut self) -> bool {
        let agreed = self.talk.current().filter(|agreed| agreed.theirs == Direction::SendRecv);
        let Some(to) = agreed.and_then(|agreed| agreed.remote_rtp) else { return false };
        self.went_to.replace(to).is_some_and(|before| before != to)
    }

    /// The address SDP named last.
    pub fn signalled(&self) -> Option<SocketAddr> {
        self.talk.current().and_then(|agreed| agreed.remote_rtp)
    }
}

impl Live {
    /// When something is due for this call by itself.
    pub fn next_deadline(&self) -> Option<Duration> {
        let machine = self.machine.as_ref().and_then(Call::poll_timeout);
        let hunt = self.target.as_ref().and_then(|target| target.hunt.poll_timeout());
        let waiting = self.dial.as_ref().filter(|_| !self.over).and_then(|dial| dial.until);
        let facts = self.facts_due.or(waiting).filter(|_| self.machine.is_none());
        let keys = self.target.as_ref().and_then(|target| target.pressed.poll_timeout());
        let target = self.target.as_ref().and_then(|target| target.media.reoffer_at);
        let offers = [self.caller.media.reoffer_at, target];
        [machine, hunt, facts, keys, self.closed_by, self.replaced_by]
            .into_iter()
            .chain(offers)
            .flatten()
            .min()
    }

    /// Whether the caller hears the target as soon as it is there to be heard.
    pub fn hears_target(&self) -> bool {
        self.target.as_ref().is_some_and(|target| !target.quiet)
    }

    /// The media of one side.
    pub fn media_mut(&mut self, side: Side) -> Option<&mut Media> {
        match side {
            Side::Caller => Some(&mut self.caller.media),
            Side::Target => self.target.as_mut().map(|target| &mut target.media),
        }
    }

    /// What the configuration says of this leg's media.
    pub fn stream_rules(&self, side: Side) -> StreamRules {
        let media = &self.snapshot.config.media;
        // Of a callback the target is rung first; the caller, by the trunk, once a person is there.
        let by_trunk = match side {
            Side::Caller => self.dial.is_none(),
            Side::Target => self.dial.is_some() && self.machine.is_some(),
        };
        let nets = self.trunk.media_nets.iter().filter(|_| by_trunk);
        let nets = nets.map(|net| (net.addr(), net.prefix())).collect();
        // Before the 200 nobody has to send us anything.
        let expects = side == Side::Target
            || matches!(self.caller.state, CallerState::Answered | CallerState::Confirmed);
        StreamRules {
            media_nets: nets,
            timeout: media.timeout,
            in_band: media.in_band_dtmf,
            expects,
        }
    }

    /// Whether what the target sent says that a person is there now. `moved`: it changed where
    /// the caller's media goes, and not merely to hold or to refresh the session.
    pub fn hears_human(&self, headers: &Headers, moved: bool) -> bool {
        let target = self.target.as_ref();
        let facts = target.and_then(|target| self.flow.targets.get(usize::from(target.id.0)));
        match facts.map(|facts| &facts.human_signal) {
            Some(HumanSignal::Reinvite) => moved,
            Some(HumanSignal::Header(name)) if headers.first(name.as_str().into()).is_some() => {
                true
            }
            Some(
                HumanSignal::Header(_) | HumanSignal::Ami | HumanSignal::Esl | HumanSignal::Api,
            ) => target.is_some_and(|target| target.person),
            Some(HumanSignal::Answer | HumanSignal::None) | None => false,
        }
    }
}
