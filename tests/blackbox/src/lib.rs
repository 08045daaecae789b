//! Black-box tests: the binary, real sockets, programs of others.
//!
//! The tests themselves are in `crates/carom/tests`, where Cargo builds the binary for them. Each
//! has a [`Place`] of its own (a folder, and addresses of 127.0.0.0/8 that no other test uses), so
//! that all may use the usual ports and run side by side.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod asterisk;
mod baresip;
mod cluster;
mod database;
mod ear;
mod engine;
mod freeswitch;
pub mod judges;
mod pbx;
mod pbx_api;
mod place;
mod presses;
mod recorder;
mod sipp;
pub mod sound;
mod stream;
mod tls;
pub mod twilio;
pub mod web;
mod wire;

pub use asterisk::Asterisk;
pub use baresip::{Baresip, Softphone};
pub use cluster::Cluster;
pub use database::{Database, Locked};
pub use ear::{EVENTS, Ear, PCMA, PCMU, Packet, media_of};
pub use engine::{Answer, CONFIG, Engine, FLOW, FORWARD, KEYS, call, fill, get};
pub use freeswitch::Freeswitch;
pub use pbx::{MUSIC_HZ, Pbx, PbxSetup};
pub use place::{Place, eventually, eventually_within, go_on_for};
pub use presses::{Press, millis};
pub use recorder::Recorder;
pub use sipp::{Run, Scenario};
pub use stream::Stream;
pub use tls::{Authority, TLS_LISTENER, TlsClient, TlsServer, certificate_of, certify};
pub use wire::{Ask, Wire, header, respond};
