//! What goes into the endpoint and comes out of it.

use std::{fmt, net::SocketAddr, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::path::{ConnectionId, HostPort, Path, Transport};
pub use crate::auth::Credentials;
use crate::{
    message::{HeaderName, Method, Request, Response},
    transaction::ClientKey,
};

/// What an endpoint holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Legs that are not over for the network.
    pub legs: usize,
    /// Client transactions.
    pub clients: usize,
    /// Server transactions.
    pub servers: usize,
    /// Requests outside a dialog whose merged copies would be known.
    pub origins: usize,
    /// Deadlines.
    pub timers: usize,
}

/// A header of ours that counts how often a call came through here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoopGuard {
    /// Our own mark; the same for all nodes that would pass the call on in the same way.
    pub mark: String,
    /// How often a call may come by before it is refused with 482.
    pub passes: usize,
}

impl LoopGuard {
    /// Whether a call has come by too often.
    pub(crate) fn refuses(&self, request: &Request) -> bool {
        let marks = request.headers().all(HeaderName::from(Self::HEADER));
        marks.filter(|mark| mark.trim() == self.mark).count() > self.passes
    }

    /// The header that carries the marks.
    pub const HEADER: &'static str = "X-Carom-Loop";
}

/// What does not change while an endpoint lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointConfig {
    /// User-Agent and Server.
    pub user_agent: String,
    /// For each listener: how, where it is bound, and what Via and Contact say of it.
    pub advertised: Vec<(Transport, SocketAddr, HostPort)>,
    /// Where Call-IDs, tags and branches come from.
    pub seed: u64,
    /// Refuses calls that go round.
    pub loop_guard: Option<LoopGuard>,
    /// Seconds of the Retry-After that a draining endpoint answers OPTIONS and INVITE with.
    pub drain_retry_after_s: u32,
}

impl EndpointConfig {
    /// Starts without listeners; [`advertise`](Self::advertise) adds them.
    pub fn new(user_agent: impl Into<String>, seed: u64) -> Self {
        Self {
            user_agent: user_agent.into(),
            advertised: Vec::new(),
            seed,
            loop_guard: None,
            drain_retry_after_s: 60,
        }
    }

    /// Adds a listener.
    pub fn advertise(mut self, transport: Transport, bind: SocketAddr, shown: HostPort) -> Self {
        self.advertised.push((transport, bind, shown));
        self
    }

    /// Returns what Via and Contact say of a listener.
    pub(crate) fn shown(&self, transport: Transport, local: SocketAddr) -> HostPort {
        let ours =
            |entry: &&(Transport, SocketAddr, HostPort)| entry.0 == transport && entry.1 == local;
        self.advertised
            .iter()
            .find(ours)
            .map_or_else(|| HostPort::from(local), |(_, _, shown)| shown.clone())
    }

    /// Returns the listener of another transport nearest to `local`.
    pub(crate) fn listener(&self, transport: Transport, local: SocketAddr) -> Option<SocketAddr> {
        let of = |same_ip: bool| {
            self.advertised
                .iter()
                .find(move |(t, bind, _)| *t == transport && (!same_ip || bind.ip() == local.ip()))
        };
        of(true).or_else(|| of(false)).map(|(_, bind, _)| *bind)
    }
}

/// One leg of a call: our side of one INVITE and what comes of it.
///
/// It is the number in our tag, so it is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LegId(pub u64);

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One OPTIONS that went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PingId(pub u64);

/// An INVITE to send.
#[derive(Debug, Clone)]
pub struct OutgoingInvite {
    /// The Request-URI.
    pub request_uri: String,
    /// The To header, without a tag.
    pub to: String,
    /// The From header, without a tag.
    pub from: String,
    /// Where it goes, resolved.
    pub path: Path,
    /// Where it goes when `path` is refused, unreachable or silent for 3 s.
    pub fallback_path: Option<Path>,
    /// Further headers.
    pub headers: Vec<(HeaderName, String)>,
    /// Our offer; `None` asks the peer for its.
    pub sdp: Option<Bytes>,
    /// Max-Forwards.
    pub max_forwards: u8,
    /// The target may hand the call back by REFER (RFC 3515), which ends the leg as its BYE would:
    /// the address in it is nobody's business here.
    pub takes_refer: bool,
    /// What to answer a 401 or 407 with.
    pub auth: Option<Credentials>,
}

/// A request of more bytes than this should not go as a datagram (RFC 3261 §18.1.1).
pub const LARGE_REQUEST: usize = 1_300;

/// A request that has a path to fall back to falls back when the first has not answered for this
/// long.
pub const FALLBACK_AFTER: Duration = Duration::from_secs(3);

/// How a new offer within a dialog is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReofferMethod {
    /// A re-INVITE.
    Invite,
    /// An UPDATE (RFC 3311).
    Update,
}

impl ReofferMethod {
    /// Returns the method.
    pub fn method(self) -> Method {
        match self {
            Self::Invite => Method::Invite,
            Self::Update => Method::Update,
        }
    }
}

/// A new offer cannot be made: another one is under way, or there is no dialog to make it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an offer is pending")]
pub struct OfferPending;

/// Why a target leg came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The peer said so.
    Response,
    /// Not a sound for 64·T1 (Timer B), or a target that is alive no longer.
    Timeout,
    /// No provisional response in the time a caller of this crate allowed.
    NoReply,
    /// Refused, unreachable or closed.
    Transport,
}

/// Who ended a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndedBy {
    /// The peer's BYE, or its REFER where one is taken.
    Peer,
    /// A command.
    Us,
    /// No ACK for our 2xx.
    NoAck,
    /// The dialog is broken: a request in it got 408, 481 or no answer.
    Failure,
}

/// What becomes of a REFER of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Referral {
    /// The peer has taken it, and calls. One of the others follows.
    Accepted,
    /// Who was called by the peer has answered: it is to have our BYE.
    Reached,
    /// It came to nothing; the dialog is as it was.
    Failed {
        /// The final status of the REFER, or of the peer's call; `None`: not a word in time.
        status: Option<u16>,
    },
}

/// A message in a line, for a time line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireSummary {
    /// The method, of a response the one in its CSeq.
    pub method: Method,
    /// The status of a response.
    pub status: Option<u16>,
    /// The CSeq number.
    pub cseq: u32,
    /// The Call-ID.
    pub call_id: std::sync::Arc<str>,
}

/// What the endpoint wants done.
#[derive(Debug)]
pub enum Output {
    /// Send these bytes.
    Transmit {
        /// The way.
        path: Path,
        /// One message.
        bytes: Bytes,
        /// Whose request it is: the driver says [by which connection](super::Endpoint::handle_sent)
        /// it went, if by any.
        txn: Option<ClientKey>,
    },
    /// Who is at the end of this path, by which a message will go, must prove to be `host`.
    Expect {
        /// The way, by TLS.
        path: Path,
        /// A name or an address.
        host: String,
    },
    /// Something the user should know.
    Event(Event),
}

/// What happened.
///
/// A leg ends with exactly one of [`Cancelled`](Self::Cancelled), [`Failed`](Self::Failed) and
/// [`Ended`](Self::Ended), and nothing but [`Wire`](Self::Wire) comes from it after that.
#[derive(Debug)]
pub enum Event {
    /// A call. A 100 is on its way already.
    Incoming {
        /// The caller leg.
        leg: LegId,
        /// The INVITE.
        request: Request,
        /// Where it came from.
        path: Path,
    },
    /// The caller gave up before an answer: by CANCEL, or by a BYE. A 487 is on its way.
    Cancelled {
        /// The caller leg.
        leg: LegId,
        /// The Reason header.
        reason: Option<String>,
    },
    /// The caller has acknowledged our answer.
    Established {
        /// The caller leg.
        leg: LegId,
        /// The caller's answer, where our 200 carried the offer.
        sdp: Option<Bytes>,
    },
    /// A provisional response from the target, 100 included.
    Progress {
        /// The target leg.
        leg: LegId,
        /// 1xx.
        status: u16,
        /// Its reason phrase.
        reason: String,
        /// Early media.
        sdp: Option<Bytes>,
        /// All of it.
        response: Response,
    },
    /// The target answered. The ACK is on its way, unless the 2xx carried the offer: then
    /// [`acknowledge`](super::Endpoint::acknowledge) is awaited.
    Answered {
        /// The target leg.
        leg: LegId,
        /// Its answer, or its offer when ours was left out.
        sdp: Option<Bytes>,
        /// All of it.
        response: Response,
    },
    /// The target leg came to nothing.
    Failed {
        /// The target leg.
        leg: LegId,
        /// 3xx to 6xx; 408 for silence, 503 for a broken path.
        status: u16,
        /// The response, if there was one.
        response: Option<Response>,
        /// Why.
        cause: Cause,
    },
    /// The peer wants to change the session, or asks for an offer (`sdp` is `None`): answer with
    /// [`accept_offer`](super::Endpoint::accept_offer) or
    /// [`refuse_offer`](super::Endpoint::refuse_offer).
    Offer {
        /// The leg.
        leg: LegId,
        /// INVITE or UPDATE.
        method: Method,
        /// The offer.
        sdp: Option<Bytes>,
        /// All of it.
        request: Request,
    },
    /// The peer's word on our offer: to a `reoffer`, or in the ACK to an offer that it asked for.
    /// Without an offer of ours in the re-INVITE, `sdp` is its offer and
    /// [`acknowledge`](super::Endpoint::acknowledge) is awaited. 491: it met the peer's offer,
    /// which follows, and is not tried again.
    OfferAnswered {
        /// The leg.
        leg: LegId,
        /// The final status.
        status: u16,
        /// Its SDP.
        sdp: Option<Bytes>,
    },
    /// An INFO; its 200 is on its way.
    Info {
        /// The leg.
        leg: LegId,
        /// It, with what it carries.
        request: Request,
    },
    /// What the peer makes of [`refer`](super::Endpoint::refer).
    Referred {
        /// The leg.
        leg: LegId,
        /// What it is.
        outcome: Referral,
    },
    /// The leg is over.
    Ended {
        /// The leg.
        leg: LegId,
        /// Who ended it.
        by: EndedBy,
        /// The peer's Reason header.
        reason: Option<String>,
        /// The peer's BYE or REFER.
        request: Option<Request>,
    },
    /// The outcome of an OPTIONS.
    Pong {
        /// Which.
        ping: PingId,
        /// The final status; `None`: no answer.
        status: Option<u16>,
    },
    /// The connection of a leg is gone, and the peer is to be found at a name: tell
    /// [where that is](super::Endpoint::found).
    HopLost {
        /// The leg.
        leg: LegId,
        /// The name.
        host: String,
    },
    /// A request by a connection has had no answer. If nothing else came by it either, it may lead
    /// nowhere.
    Unheard {
        /// Its path.
        path: Path,
        /// Which.
        connection: ConnectionId,
        /// When the request went out.
        since: Duration,
        /// It was an OPTIONS, which some never answer.
        ping: bool,
    },
    /// A new call was refused because of [`shed`](super::Endpoint::shed).
    Shed {
        /// Where it came from.
        path: Path,
    },
    /// A message was dropped without an answer.
    Dropped {
        /// Where it came from.
        path: Path,
        /// Why.
        reason: Dropped,
    },
    /// A message came or went.
    Wire {
        /// The leg it belongs to.
        leg: Option<LegId>,
        /// Whether we sent it.
        sent: bool,
        /// What it was.
        summary: WireSummary,
    },
}

/// Why a message was dropped without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Dropped {
    /// From an address that is not ours, and part of nothing that we know.
    Stranger,
    /// No SIP message, or one that cannot be answered.
    Malformed,
    /// A response to nothing that we asked.
    StrayResponse,
    /// An ACK for nothing that we answered.
    StrayAck,
}

impl Dropped {
    /// Returns the word for it in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::Malformed => "malformed",
            Self::StrayResponse => "stray_response",
            Self::StrayAck => "stray_ack",
        }
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `INVITE` or `200 INVITE`.
impl fmt::Display for WireSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "{status} {}", self.method),
            None => write!(f, "{}", self.method),
        }
    }
}
