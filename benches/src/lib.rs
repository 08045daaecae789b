//! The system benchmark and its load generator.
