//! A running node: its parts put together, asked things, drained, stopped.

pub mod clock;
pub mod log;
mod metric_names;
mod parts;
mod run;
mod serve;
mod sources;
mod upkeep;
mod views;

pub use run::Node;
pub use sources::Sources;
