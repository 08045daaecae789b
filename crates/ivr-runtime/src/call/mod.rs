//! The call machine: one call through one flow, without I/O.
//!
//! Feed it with [`Call::handle_input`] and, when [`Call::poll_timeout`] has passed, with
//! [`Call::handle_timeout`]; after each, drain [`Call::poll_output`]. The state is plain data:
//! [`Call::state`] can be written away at any moment and [`Call::resume`]d with the same flow.

mod facts;
mod io;
mod records;

pub use facts::{Bypass, Facts, History};
pub use io::{Input, Output, ResolvedLink, TargetOutcome, TextOutcome, TextRequest};
pub use records::{EndReason, Handled, OfferResponse, Record};
