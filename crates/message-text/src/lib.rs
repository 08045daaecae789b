//! E.164 numbers, GSM-7 and UCS-2 segments, message templates. Pure: no I/O, no clock.
//!
//! Serves the linter, which must know at load time whether a text fits, and the senders, which
//! must know whom they may text.

pub mod gsm7;
mod number;
mod segments;
mod template;

pub use number::{E164, LineType, NumberProblem, is_region};
pub use segments::{Alphabet, Encoding, MAX_SEGMENTS, Segments, segments, segments_in};
pub use template::{Template, TemplateProblem};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
