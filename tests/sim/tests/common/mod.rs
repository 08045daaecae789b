//! Scenes that the tests start from.

#![allow(dead_code, unused_imports, reason = "each test uses its part")]

mod incoming;
mod outgoing;

pub use self::{
    incoming::Incoming,
    outgoing::{Outgoing, invite_to},
};
