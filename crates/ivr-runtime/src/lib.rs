//! The flow language, its linter, the proof that it traps nobody, rules, hours, spoken values, the
//! call machine and the simulator.
//!
//! Pure: no socket, file, clock or thread. What a flow file and the shared tables of
//! `carom.toml` say is passed in as text; what a call meets is passed in as inputs.

pub mod call;
pub mod diagnose;
pub mod flow;
pub mod graph;
pub mod hours;
pub mod key;
mod lint;
pub mod proof;
pub mod replay;
pub mod sim;
pub mod speech;

pub(crate) mod step;

pub use flow::rules;
pub use key::Key;
