//! Revisions of flows: what was served, how it differs from what lies in the files, and the way
//! back to it. The files are the source of truth; the store only remembers.

mod diff;
mod lying;
mod put_back;

pub use diff::{Counts, counts, unified};
pub use lying::{Lying, lying};
pub use put_back::{Copies, NotPutBack, put_back};
