//! Message providers, the outbox, receipts, opt-outs, limits and the store.
//!
//! [`store`] keeps what happened in one SQLite file or in PostgreSQL; [`keys`] keeps numbers from
//! being numbers.

mod clock;
pub mod keys;
pub mod provider;
pub mod store;

pub use clock::Clock;
