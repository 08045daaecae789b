//! W04: a menu has more options than callers remember.

use super::{Lint, graph};
use crate::diagnose::Code;

const REMEMBERED: usize = 5;

pub(super) fn check(lint: &Lint<'_>) {
    for (_, step) in graph::steps(lint.flow) {
        let options = step.does.menu().map_or(0, |menu| menu.press.len());
        if options > REMEMBERED {
            let message = format!("{options} options; callers remember {REMEMBERED}");
            let help = "move some to a second menu";
            lint.note(Code::W04, lint.step_place(step, "press"), message, help);
        }
    }
}
