//! Message providers, the outbox, receipts, opt-outs, limits and the store.
//!
//! [`store`] keeps what happened in one SQLite file or in PostgreSQL; [`text`] sends a caller
//! the text that was asked for, at most once, and knows afterwards whether it was sent;
//! [`provider`] speaks to those who carry it; [`web`] asks systems of the business; [`queue`] asks the queues
//! of a PBX; [`link`] leads from texts to pages and from there to a
//! [`destination`]; [`keys`] keeps numbers from being numbers.

mod clock;
pub mod destination;
pub mod hooks;
mod http;
pub mod keys;
pub mod link;
pub mod provider;
pub mod queue;
pub mod store;
pub mod text;
pub mod tls;
pub mod web;

pub use clock::Clock;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
