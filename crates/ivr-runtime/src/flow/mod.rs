//! Flow files: read, checked, resolved.

pub mod model;
pub mod rules;
mod select;
mod shared;
pub mod tables;
pub mod way_out;

pub use select::select;
pub use shared::{AnyPrompt, Business, PromptFacts, PromptIndex, Sender, Shared};
