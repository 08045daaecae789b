//! Flow tests as files: a call is described, played in virtual time against the flow as it stands,
//! and compared with what is expected of it.

mod cover;
mod file;
mod junit;
mod play;
mod turns;

pub use cover::Coverage;
pub use file::{SUFFIX, Test, read};
pub use junit::junit;
pub use play::{Played, play};
