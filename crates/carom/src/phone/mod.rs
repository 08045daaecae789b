//! A small telephone of our own: `carom call` and the demo's callers, and the demo's legacy PBX.
//!
//! It drives the same SIP endpoint and media worker as the node, from the other side.

mod core;
mod pbx;
mod plan;
mod ua;

pub use pbx::{Pbx, Script};
pub use plan::{Ending, KeysBy, Plan, Press, Report, duration};
pub use ua::{Phone, PhoneError, dialable, local_towards};
