//! Offer and answer (RFC 3264): one audio stream of G.711 or G.722 and telephone-events, plain or by SRTP.
//!
//! [`answer`], [`offer`] and [`conclude`] settle one exchange; [`Negotiation`] keeps the state of
//! a dialog: who owes an answer, the version of our description, and the m-lines that every later
//! offer must repeat.

mod answer;
mod crypto;
mod negotiation;
mod peer;
mod write;

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

pub use self::{
    answer::{answer, conclude, offer},
    crypto::{CryptoKey, CryptoSuite, KEY_BYTES, LocalCrypto, NegotiatedCrypto},
    negotiation::{AnswerKind, Negotiation, OfferPending},
};
pub use crate::sdp::Direction;

/// A codec this stack negotiates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pcmu, Self::Pcma, Self::G722];

    /// The clock rate of all; G.722 has it by an old mistake (RFC 3551 §4.5.2).
    pub const CLOCK_HZ: u32 = 8_000;

    /// Returns the encoding name (RFC 3551 §6).
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
        }
    }

    /// Returns the payload type assigned to it (RFC 3551 §6).
    pub fn static_payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
        }
    }
}

/// What we bring to a negotiation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalMedia {
    /// The address at which we receive, as the peer reaches it.
    pub addr: IpAddr,
    /// The RTP port; RTCP is the one above.
    pub port: u16,
    /// The codecs allowed, the best first.
    pub codecs: Vec<Codec>,
    /// How much audio we send in a packet and ask for, in milliseconds.
    pub ptime_ms: u8,
    /// Whether keys may travel as telephone-events (RFC 4733).
    pub telephone_event: bool,
    /// Which way we want media to flow.
    pub direction: Direction,
    /// The session id of our origin line, constant in a dialog.
    pub session_id: u64,
    /// The version of our origin line; a [`Negotiation`] counts it itself.
    pub version: u64,
    /// Keys of SRTP; `None`: media goes as it is.
    pub crypto: Option<LocalCrypto>,
}

/// Telephone-events of a session (RFC 4733).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelephoneEvent {
    /// The payload type to send with.
    pub send_pt: u8,
    /// The payload types that may come, with their clock rates in hertz. Peers are known to use
    /// any of those that they offered.
    pub recv_pts: Vec<(u8, u32)>,
}

/// What both sides agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiated {
    /// Where to send RTP; `None` when the peer gave no usable address.
    pub remote_rtp: Option<SocketAddr>,
    /// Where to send RTCP.
    pub remote_rtcp: Option<SocketAddr>,
    /// The codec, the same both ways.
    pub codec: Codec,
    /// The payload type to send with: the peer's number.
    pub send_pt: u8,
    /// The payload type that comes: our number.
    pub recv_pt: u8,
    /// How keys travel; `None` without telephone-events.
    pub telephone_event: Option<TelephoneEvent>,
    /// Which way media flows, seen from us.
    pub direction: Direction,
    /// How much audio to send in a packet, in milliseconds.
    pub ptime_ms: u8,
    /// Which way the peer wants media to flow, seen from it.
    pub theirs: Direction,
    /// Whether the peer put us on hold: it takes no media from us.
    pub hold: bool,
    /// How media is protected; `None`: it is not.
    pub crypto: Option<NegotiatedCrypto>,
}

/// Why there is no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Rejected {
    /// The body is no session description; answered with 400.
    #[error("the body is no session description")]
    Malformed,
    /// No audio that is not switched off.
    #[error("no audio stream")]
    NoAudio,
    /// Audio over a transport that we do not have, by SRTP without a key that we can use, or
    /// without SRTP where that is required.
    #[error("the audio stream's transport is not supported")]
    Transport,
    /// No codec in common.
    #[error("no codec in common")]
    NoCommonCodec,
    /// The address is of the other family, or not of one host.
    #[error("the media address cannot be reached")]
    Address,
    /// The answer does not fit our offer.
    #[error("the answer does not fit the offer")]
    Mismatch,
    /// There is no offer to answer, or none of ours is open.
    #[error("no offer is open")]
    NoOffer,
}

impl Rejected {
    /// Returns the status owed to a request whose offer is refused (RFC 3261 §21.4.26).
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::NoOffer => 500,
            Self::NoAudio
            | Self::Transport
            | Self::NoCommonCodec
            | Self::Address
            | Self::Mismatch => 488,
        }
    }

    /// Returns code and text of a Warning header that says why (RFC 3261 §20.43).
    pub fn warning(self) -> (u16, &'static str) {
        match self {
            Self::NoAudio => (304, "Media type not available"),
            Self::Transport => (302, "Incompatible transport protocol"),
            Self::NoCommonCodec => (305, "Incompatible media format"),
            Self::Address => (300, "Incompatible network protocol"),
            Self::Malformed | Self::Mismatch | Self::NoOffer => {
                (399, "Session description refused")
            }
        }
    }
}
