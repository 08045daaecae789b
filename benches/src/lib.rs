//! The system benchmark and its load generator.
//!
//! The generator plays the carrier and the PBX of one engine on loopback, with real SIP over UDP
//! and real RTP, from one thread that wakes up once a millisecond. It shares no code with what it
//! measures but the G.711 table and the RTP header.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

pub mod cores;
pub mod engine;
pub mod figure;
pub mod generator;
mod http;
pub mod provider;
