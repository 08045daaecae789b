//! W04: a menu has more options than callers remember, or stands behind more menus than they
//! have patience for.

use std::collections::VecDeque;

use super::{Lint, graph};
use crate::{
    diagnose::Code,
    flow::model::{Does, Flow, Go},
};

const REMEMBERED: usize = 5;
const LEVELS: usize = 3;

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

pub(super) fn levels(lint: &Lint<'_>) {
    let levels = levels_of(lint.flow);
    for ((_, step), level) in graph::steps(lint.flow).zip(levels) {
        if let (Does::Menu(_), Some(level)) = (&step.does, level)
            && level > LEVELS
        {
            let message =
                format!("a menu behind {} others; callers go through {LEVELS}", level - 1);
            let help = "lead to it from a menu nearer to the start, or to a person or an answer";
            lint.note(Code::W04, lint.header("step", &step.name), message, help);
        }
    }
}

/// The least number of menus, itself among them, on the way to each step.
fn levels_of(flow: &Flow) -> Vec<Option<usize>> {
    let mut levels: Vec<Option<usize>> = vec![None; flow.steps.len()];
    let mut open = VecDeque::from([(Go::Step(flow.start), 0)]);
    while let Some((at, before)) = open.pop_front() {
        if let Go::Step(id) = at {
            let at = usize::from(id.0);
            let (Some(step), Some(known)) = (flow.steps.get(at), levels.get_mut(at)) else {
                continue;
            };
            let level = before + usize::from(matches!(step.does, Does::Menu(_)));
            if known.is_some_and(|known| known <= level) {
                continue;
            }
            *known = Some(level);
            open.extend(graph::ways(flow, Go::Step(id)).into_iter().map(|way| (way.to, level)));
        }
    }
    levels
}
