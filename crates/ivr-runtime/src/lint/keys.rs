//! E15: no key has two meanings, no menu too many, and `accept` names keys of `press`.

use super::{Lint, graph};
use crate::{
    diagnose::Code,
    flow::model::{Action, Collect, Does, Menu, Offer, Step},
};

/// More are hard to remember, and there are no more digits.
const MAX_OPTIONS: usize = 9;

pub(super) fn check(lint: &Lint<'_>) {
    for (_, step) in graph::steps(lint.flow) {
        if let Some(menu) = step.does.menu() {
            of_menu(lint, step, menu);
        }
        match &step.does {
            Does::Offer(offer) => of_offer(lint, step, offer),
            Does::OptOut { confirm, .. } if lint.flow.operator_keys.contains(confirm) => {
                let message = format!("`{confirm}` confirms, and is an operator key");
                lint.note(Code::E15, lint.step_place(step, "confirm"), message, "take another key");
            }
            Does::Callback(_)
                if lint.flow.operator_keys.iter().any(|key| "12".contains(key.label())) =>
            {
                let message = "`1` and `2` are keys of a callback, and one is an operator key";
                let help = "take another operator key";
                lint.note(Code::E15, lint.step_place(step, "do"), message, help);
            }
            Does::Action(Action { confirm: Some(_), .. })
            | Does::Collect(Collect { confirm: Some(_), .. })
                if lint.flow.operator_keys.iter().any(|key| key.label() == '1') =>
            {
                let message = "`1` confirms, and is an operator key";
                let help = "take another operator key";
                lint.note(Code::E15, lint.step_place(step, "confirm"), message, help);
            }
            _ => {}
        }
    }
}

fn of_menu(lint: &Lint<'_>, step: &Step, menu: &Menu) {
    let operator = &lint.flow.operator_keys;
    let options = menu.press.keys().filter(|key| !operator.contains(key)).count();
    if options > MAX_OPTIONS {
        let message = format!("{options} options; a menu has {MAX_OPTIONS} at most");
        let help = "move some to a second menu";
        lint.note(Code::E15, lint.step_place(step, "press"), message, help);
    }
    let Some(repeat) = menu.repeat_key else { return };
    if menu.press.contains_key(&repeat) {
        let message = format!("`{repeat}` repeats the prompt, and stands in `press`");
        lint.note(Code::E15, lint.step_place(step, "repeat_key"), message, "take another key");
    }
    if operator.contains(&repeat) {
        let message = format!("`{repeat}` repeats the prompt, and is an operator key");
        let help = "write another `repeat_key`";
        lint.note(Code::E15, lint.step_place(step, "repeat_key"), message, help);
    }
}

fn of_offer(lint: &Lint<'_>, step: &Step, offer: &Offer) {
    let place = || lint.step_place(step, "accept");
    if offer.accept.is_empty() && lint.value("step", &step.name, "accept").is_some() {
        lint.note(Code::E15, place(), "no key accepts the offer", "name a key of `press`");
    }
    for key in &offer.accept {
        if !offer.menu.press.contains_key(key) {
            let message = format!("`{key}` accepts, but is no key of `press`");
            lint.note(Code::E15, place(), message, "add it to `press`, or leave it out");
        }
        if lint.flow.operator_keys.contains(key) {
            let message = format!("`{key}` accepts, and is an operator key");
            lint.note(Code::E15, place(), message, "take another key");
        }
    }
}
