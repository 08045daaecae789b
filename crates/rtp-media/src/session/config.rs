//! What signalling tells a session, and what a session tells signalling.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dtmf_detector::Digit;
use serde::{Deserialize, Serialize};

use crate::codec::Codec;
use crate::srtp::Protection;

/// Names a session; the worker that owns it follows from the number.
///
/// Handed out by [`MediaPool::allocate`](crate::worker::MediaPool::allocate).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionId(pub u64);

/// What offer/answer agreed for one leg, translated from the SDP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamConfig {
    /// Where the far end wants RTP; `None` when it named no usable address.
    pub remote_rtp: Option<SocketAddr>,
    /// Where the far end wants RTCP; `None` means the port above RTP's (RFC 3550 §11).
    pub remote_rtcp: Option<SocketAddr>,
    /// The codec of both directions.
    pub codec: Codec,
    /// Payload type of the audio that we send.
    pub send_pt: u8,
    /// Payload type of the audio that we receive.
    pub recv_pt: u8,
    /// The telephone-event formats, when agreed (RFC 4733).
    pub events: Option<EventFormats>,
    /// Our side may send (direction `sendrecv` or `sendonly`).
    pub may_send: bool,
    /// Media is expected from the far end; the time-out runs only then.
    pub expect: bool,
    /// Networks that media may come from besides the signalled address; empty means any.
    pub media_nets: Vec<(IpAddr, u8)>,
    /// Neither RTP nor RTCP for this long is a [`MediaEvent::Timeout`].
    pub timeout: Duration,
    /// Listen for keys as tones in the audio.
    pub inband: bool,
    /// How RTP and RTCP are protected; `None`: they go as they are.
    pub srtp: Option<Protection>,
}

impl StreamConfig {
    /// A two-way stream with static payload types and no telephone-event, to `remote`.
    pub fn new(remote: SocketAddr, codec: impl Into<Codec>) -> Self {
        let codec = codec.into();
        Self {
            remote_rtp: Some(remote),
            remote_rtcp: None,
            codec,
            send_pt: codec.payload_type(),
            recv_pt: codec.payload_type(),
            events: None,
            may_send: true,
            expect: true,
            media_nets: Vec::new(),
            timeout: Duration::from_secs(60),
            inband: false,
            srtp: None,
        }
    }

    /// The same with telephone-event at `pt` both ways, at the audio's clock.
    #[must_use]
    pub fn with_events(mut self, pt: u8) -> Self {
        let recv_pts = vec![(pt, crate::codec::CLOCK_HZ)];
        self.events = Some(EventFormats { send_pt: Some(pt), recv_pts });
        self
    }
}

/// Payload types of telephone-event, which may differ by direction and clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFormats {
    /// The type to send, at the audio's clock; `None` when the far end takes none.
    pub send_pt: Option<u8>,
    /// The types to receive, each with its clock in hertz.
    pub recv_pts: Vec<(u8, u32)>,
}

/// How a bridged leg takes the keys that are pressed on the other leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyRelay {
    /// As events of our own making in its RTP stream.
    Rfc4733,
    /// Not in RTP: reported as [`MediaEvent::RelayKey`], to be sent as SIP INFO on this leg.
    Info,
    /// Not at all; tones in the audio pass as audio.
    Off,
}

/// A fact that a session reports.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaEvent {
    /// A key went down. A prompt with barge-in has stopped already.
    KeyDown {
        /// The leg that it was pressed on.
        session: SessionId,
        /// The key.
        digit: Digit,
        /// When, since the pool's epoch.
        at: Duration,
    },
    /// The key counts now: it was released, or its end is overdue.
    KeyUp {
        /// The leg that it was pressed on.
        session: SessionId,
        /// The key.
        digit: Digit,
        /// How long it was held, in milliseconds.
        duration_ms: u32,
        /// When, since the pool's epoch.
        at: Duration,
    },
    /// What [`Play`](crate::worker::Command::Play) or `Tone` started is over: its last frame
    /// is sent, or it was stopped, replaced or barged into.
    PlayDone {
        /// The leg.
        session: SessionId,
        /// The number given to `Play`.
        id: u32,
        /// Audio sent, in milliseconds.
        played_ms: u32,
        /// All of it was sent.
        completed: bool,
    },
    /// Media is accepted from this source from now on, and sent to it.
    Latched {
        /// The leg.
        session: SessionId,
        /// The source.
        from: SocketAddr,
        /// Whether it is the address of the SDP.
        signalled: bool,
    },
    /// The first RTP packet of the leg was accepted.
    FirstPacket {
        /// The leg.
        session: SessionId,
    },
    /// Neither RTP nor RTCP came although media is expected; told once, again after media came.
    Timeout {
        /// The leg.
        session: SessionId,
    },
    /// A key of the other leg that this leg wants as SIP INFO.
    RelayKey {
        /// The leg to send the INFO on.
        session: SessionId,
        /// The key.
        digit: Digit,
        /// How long it was held, in milliseconds.
        duration_ms: u32,
    },
    /// A key that we were told to send went out whole.
    KeySent {
        /// The leg.
        session: SessionId,
        /// The key.
        digit: Digit,
    },
    /// A recording is over: stopped, full, or the session closed.
    Recorded {
        /// The leg.
        session: SessionId,
        /// What was heard, 16-bit linear at 8 kHz; gaps are silence.
        samples: Vec<i16>,
    },
    /// The session is gone, its ports are free.
    Closed {
        /// The leg.
        session: SessionId,
        /// What it did.
        stats: SessionStats,
    },
}

/// Counts of one session, from open to close.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStats {
    /// Our SSRC.
    pub ssrc: u32,
    /// RTP packets sent.
    pub sent_packets: u64,
    /// Payload bytes sent.
    pub sent_bytes: u64,
    /// RTP packets accepted.
    pub received_packets: u64,
    /// Payload bytes accepted.
    pub received_bytes: u64,
    /// Packets of the far end that never came (RFC 3550 §6.4.1), all its SSRCs together.
    pub lost: u64,
    /// Datagrams refused: not RTP, wrong payload type, wrong source, not protected by the peer.
    pub refused_packets: u64,
    /// Interarrival jitter at the end, in microseconds (RFC 3550 §6.4.1).
    pub jitter_us: u32,
    /// Packets that we sent more than 5 ms after their due time.
    pub late_packets: u64,
    /// The largest lateness of a packet that we sent, in microseconds.
    pub max_late_us: u32,
    /// Sends that the kernel refused.
    pub send_errors: u64,
    /// Keys heard.
    pub keys: u32,
    /// SSRCs heard, one after the other.
    pub sources: u32,
    /// Share of our packets lost on the way, as last reported by the far end, in 1/256.
    pub peer_loss: u8,
    /// Round trip to the far end in microseconds, when its reports allowed to measure it.
    pub round_trip_us: Option<u32>,
}
