//! Flow files: read, checked, resolved.

pub mod model;
pub mod rules;
mod select;
pub mod way_out;

pub use select::select;
