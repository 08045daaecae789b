//! DTMF keys from tones, RFC 4733 events and SIP INFO, merged into one stream.
//!
//! Three sources tell of a key: [`InbandDetector`] hears it in the audio, [`TelephoneEvents`] reads
//! it from RTP, [`info`] from a SIP body. [`KeyMerge`] makes one stream of them, so that a key sent
//! two ways counts once. Nothing here does I/O, reads a clock or allocates per packet.

mod background;
mod digit;
mod inband;
pub mod info;
mod merge;
pub mod telephone_event;
mod tones;

pub use digit::{Digit, NotADigit};
pub use inband::{InbandDetector, ToneEvent};
pub use merge::{KeyEvent, KeyMerge, Source};
pub use telephone_event::{EventEdge, EventHeader, TelephoneEvents, event_payload};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
