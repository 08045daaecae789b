//! The linter: one check a file.

pub(crate) mod addresses;
