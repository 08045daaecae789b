//! What a session can be told.

use std::sync::Arc;

use dtmf_detector::Digit;

use crate::ports::MediaPorts;
use crate::prompt::Prompt;
use crate::session::{KeyRelay, SessionId, StreamConfig};
use crate::tone::Country;

/// A command to one session. Commands to one session take effect in the order sent.
#[derive(Debug)]
pub enum Command {
    /// Creates the session. The three numbers start its one RTP stream (RFC 3550 §5.1) and come
    /// from the caller's seeded generator.
    Open {
        /// The sockets.
        ports: MediaPorts,
        /// Synchronisation source.
        ssrc: u32,
        /// First sequence number.
        seq: u16,
        /// First timestamp.
        timestamp: u32,
    },
    /// What offer/answer agreed; may come again. Nothing is sent or accepted before the first.
    Configure(Box<StreamConfig>),
    /// Plays prompts one after the other without a gap, replacing what plays.
    Play {
        /// Comes back in [`PlayDone`](crate::session::MediaEvent::PlayDone).
        id: u32,
        /// What to play; nothing ends at once.
        items: Vec<Arc<Prompt>>,
        /// A key stops it.
        barge_in: bool,
        /// From the start again until stopped.
        repeat: bool,
    },
    /// Local ringback, until stopped or replaced.
    Tone {
        /// Comes back in [`PlayDone`](crate::session::MediaEvent::PlayDone).
        id: u32,
        /// Whose ringback.
        country: Country,
    },
    /// Ends what plays; silence follows.
    Stop,
    /// Couples two sessions of one worker: both ways, one command is enough.
    Bridge {
        /// The other leg.
        peer: SessionId,
        /// How this leg takes keys of the peer. For the peer's own wish send it a `Bridge` too;
        /// until then it is `Rfc4733` when it has telephone-event, else `Off`.
        keys: KeyRelay,
    },
    /// Uncouples the session from its peer, and the peer from it.
    Unbridge,
    /// A key that came as SIP INFO on this leg.
    InfoKey {
        /// The key.
        digit: Digit,
        /// As the INFO said, in milliseconds.
        duration_ms: u32,
    },
    /// Sends a key as RFC 4733 events; queued behind those under way.
    SendKey {
        /// The key.
        digit: Digit,
        /// How long, in milliseconds; at least 40 are sent.
        duration_ms: u32,
    },
    /// Report keys of this leg (on from the start). On a bridge, keys are relayed to the peer
    /// while this is off, and reported instead while it is on.
    ListenKeys(bool),
    /// Records what is heard on this leg, from now.
    Record {
        /// Ends by itself after this long, in milliseconds.
        max_ms: u32,
        /// And after so long without speech, which is left out at the end, in milliseconds.
        silence_ms: Option<u32>,
    },
    /// Ends the recording; it comes as [`Recorded`](crate::session::MediaEvent::Recorded).
    StopRecord,
    /// Says goodbye (RTCP BYE), reports the counts and frees the ports.
    Close,
}
