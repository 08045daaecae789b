//! What a provider does with a message.

use std::time::Duration;

use crate::Magic;

/// What a provider does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// Takes it and says so.
    Accept,
    /// Takes it and answers after this time.
    Slow(Duration),
    /// Takes it and never answers.
    Hang,
    /// Closes the connection without taking it.
    Reset,
    /// Takes it and closes the connection without an answer.
    TakeAndReset,
    /// Refuses it with this status, its own code and a `Retry-After` in seconds. By SMPP only the code
    /// counts: the command's status.
    Refuse(u16, i64, Option<u64>),
    /// Refuses it for this reason in its own words; a reason that it tells later is told by a receipt.
    Fail(Magic),
    /// Answers 200 with something else, without taking it, as a hotel's network does; by SMPP with a
    /// `generic_nack`.
    Garbage,
    /// Says goodbye instead (`unbind`); by HTTP it only closes the connection.
    Unbind,
}
