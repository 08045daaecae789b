//! One leg's media as a plain state machine: packets and moments in, packets and facts out.
//!
//! [`Session`] only routes between parts that each have one concern and are tested alone:
//! `sender` the outgoing stream, `latch` the source, `receiver` its counts, `play`
//! prompts, `relay` the peer's audio, `keys` heard, `key_out` sent, `record`, `report`
//! RTCP, `watch` the time-out.

mod config;
mod hear;
mod key_out;
mod keys;
pub mod latch;
mod leg;
mod play;
mod protect;
pub mod receiver;
mod record;
mod relay;
mod report;
pub mod sender;
mod speak;
mod watch;

pub use config::{EventFormats, KeyRelay, MediaEvent, SessionId, SessionStats, StreamConfig};
pub use leg::{KeyEdge, Session};
pub use play::Player;
pub use relay::Audio;
pub use speak::PACKET;
