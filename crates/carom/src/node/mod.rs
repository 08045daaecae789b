//! A running node: its parts put together, asked things, drained, stopped.

mod by_hand;
mod callbacks;
mod certificates;
pub mod clock;
mod desk;
mod hours;
mod keys;
mod links;
pub mod log;
mod mailbox;
mod metric_names;
pub mod on_paper;
pub mod opt_outs;
mod outbox;
mod parts;
pub mod rating;
mod run;
mod serve;
mod sources;
mod upkeep;
mod views;
mod voicemails;

pub use hours::{HoursView, OneOffView, clock as clock_in};
pub use links::LinkHealth;
pub use mailbox::{Mailbox, NotKept};
pub use run::Node;
#[cfg(test)]
pub(crate) use run::services;
pub use sources::Sources;
