//! A running node: its parts put together.

pub mod clock;
pub mod log;
