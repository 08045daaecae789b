//! Flow files: read, checked, resolved.

mod account;
pub(crate) mod carry;
mod load;
pub mod model;
pub(crate) mod numbers;
pub(crate) mod persons;
pub(crate) mod play;
mod read;
pub mod rules;
mod select;
mod shared;
mod subs;
pub mod tables;
mod unique;
pub mod way;
pub mod way_out;
pub mod words;

pub use load::{Checked, asked, load};
pub use play::tts_name;
pub use read::fields::may_be_told;
pub(crate) use read::{fields::TOLD, whole};
pub use select::select;
pub use shared::{AnyPrompt, Business, PromptFacts, PromptIndex, Sender, Shared, System};
pub use unique::check_unique;

pub use crate::lint::shorteners::{INSTEAD, shortener_in};
