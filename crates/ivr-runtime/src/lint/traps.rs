//! E03 once more, by proof: no state of a call from which no person can be reached.

use super::Lint;
use crate::{diagnose::Code, proof};

/// Searches all states, where the other checks found no mistake of the ways: what they find can be
/// told in fewer words.
pub(super) fn check(lint: &Lint<'_>) {
    if lint.notes.has_any(&[Code::E02, Code::E03, Code::E04, Code::E05]) {
        return;
    }
    match proof::prove(lint.flow, lint.prompts) {
        Ok(proof) => {
            // KH-22: it was acknowledged that callers of the line reach none.
            for trap in proof.traps.into_iter().filter(|_| !lint.flow.digital_only) {
                let Some(step) = lint.flow.steps.get(usize::from(trap.step.0)) else { continue };
                let message = format!("a caller of `{}` reaches nobody: {}", step.name, trap.path);
                let help = "let a key, `no_input` or the exit of the failure lead to a target";
                lint.note(Code::E03, lint.header("step", &step.name), message, help);
            }
        }
        Err(why) => {
            let help = "leave out targets that follow one another, or split the flow";
            lint.note(Code::E05, lint.flow_place(""), format!("no proof of no trap: {why}"), help);
        }
    }
}
