//! The linter: one check a file.
