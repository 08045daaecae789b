//! A lossy link and a scripted phone for tests, in virtual time.
//!
//! [`Net`] joins SIP endpoints and raw peers by a [`Link`] that delays, loses, repeats and
//! reorders datagrams as its seed says. [`Phone`] writes a raw peer's messages by hand, so that
//! what the endpoint sends and takes is judged by something that is not the stack itself.

mod link;
mod net;
pub mod text;

pub use self::{
    link::Link,
    net::{Heard, Net, Sent, Station},
    text::Phone,
};
