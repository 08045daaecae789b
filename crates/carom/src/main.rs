//! A self-hosted call-deflection engine.

fn main() {}
