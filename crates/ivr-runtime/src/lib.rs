//! The flow language, its linter, rules, hours, the call machine and the simulator.
