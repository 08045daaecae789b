//! Flow tests as files: a call is described, played in virtual time against the flow as it stands,
//! and compared with what is expected of it.

mod cover;
mod facts;
mod file;
mod junit;
mod names;
mod places;
mod play;
mod turns;
mod world;

pub use cover::{Coverage, Covered};
pub use file::{SUFFIX, Test, read};
pub use junit::junit;
pub use play::{Played, play};
