//! A self-hosted call-deflection engine: the parts of the one binary.

pub mod cli;
pub mod config;
pub mod control;
pub mod demo;
pub mod http;
pub mod node;
pub mod phone;
pub mod rehearse;
pub mod revisions;
pub mod schema;
pub mod switchboard;
pub mod templates;
