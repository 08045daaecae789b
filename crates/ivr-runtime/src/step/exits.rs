//! All the ways in which a step can be left, for who counts which of them were taken.

use crate::{
    flow::model::{ConfirmNumber, Does, Flow, Go, Menu, PromptList, RuleId, Step, Text},
    key::Key,
};

/// A key that leads nowhere of its own.
const ANOTHER_KEY: &str = "another key";
/// Why a step is over that the call was taken out of.
const TAKEN_OUT: [&str; 5] =
    ["max_minutes", "max_steps", "drain", "emergency_number", "answer_failed"];
/// … because a person, or nobody who tells, is there in the line that the caller kept.
const IN_LINE: [&str; 3] = ["person_answered", "signal_lost", "handed_over"];
/// A wait that is left for its offer, as it is noted.
const OFFER: &str = "offer";

/// Every way in which a step of `flow` can be left by what it is and by what the caller does there,
/// each once: a key, `another key`, `timeout`, `wrong`, `error`, `next`; `if RULE` and `otherwise`
/// of a `decide`; a failure by its own name where the step has a way of its own for it; `hangup` of
/// a `voicemail`, where it ends the message. That a caller may hang up anywhere, and that a call
/// is put through when its time is over, are no exits of a step.
#[must_use]
pub fn exits(flow: &Flow, step: &Step) -> Vec<String> {
    let operator = || flow.operator_keys.iter().map(Key::to_string);
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let mut exits = match &step.does {
        Does::Say { play, .. } => [words(&["next"]), fails_if(plays(play))].concat(),
        Does::Menu(menu) => of_menu(flow, menu, false),
        Does::Answer { menu, needs, .. } => of_menu(flow, menu, !needs.is_empty()),
        Does::Offer(offer) => [of_menu(flow, &offer.menu, false), words(&["next"])].concat(),
        Does::Decide { case, .. } => {
            let rule = |(id, _): &(_, Go)| rule_name(flow, *id).map(|rule| format!("if {rule}"));
            case.iter().filter_map(rule).chain(["otherwise".to_owned()]).collect()
        }
        Does::Set { .. } => words(&["next"]),
        Does::Text(text) => {
            let asks = text.ask.is_some() && text.confirm_number != ConfirmNumber::Never;
            let operator = operator().filter(|_| asks);
            let own = of_text(text).into_iter().map(str::to_owned);
            words(&["next", "error"]).into_iter().chain(own).chain(operator).collect()
        }
        Does::Collect(collect) => {
            // While digits are typed, an operator's key is one of them.
            let keys = operator().filter(|_| collect.confirm.is_some()).collect();
            [words(&["next", "timeout", "wrong"]), fails_if(plays(&collect.play)), keys].concat()
        }
        Does::Lookup(_) => words(&["next", "error"]),
        Does::Action(action) if action.confirm.is_some() => {
            [words(&["next", "error", "timeout", ANOTHER_KEY]), operator().collect()].concat()
        }
        Does::Action(_) => words(&["next", "error"]),
        Does::Wait(wait) => {
            let offer = wait.offer.map(|_| OFFER.to_owned());
            words(&["next", "timeout", "error"]).into_iter().chain(offer).collect()
        }
        Does::Agent(agent) => {
            let busy = agent.if_busy.map(|_| "busy".to_owned());
            let silent = agent.if_no_answer.map(|_| "no-answer".to_owned());
            words(&["next", "timeout", "error"]).into_iter().chain(busy).chain(silent).collect()
        }
        Does::Callback(_) => {
            [words(&["next", "error", "timeout", ANOTHER_KEY]), operator().collect()].concat()
        }
        Does::Voicemail(_) => words(&["next", "#", "timeout", "hangup", "error"]),
        Does::OptOut { confirm, .. } => {
            [vec![confirm.to_string()], words(&[ANOTHER_KEY, "timeout", "error"])].concat()
        }
    };
    exits.sort_unstable();
    exits.dedup();
    exits
}

/// Which of [`exits`] a step was left by, from its [`Record::StepLeft`](crate::call::Record);
/// `None`: the caller hung up, or the call was taken out of it.
#[must_use]
pub fn taken(flow: &Flow, step: &Step, exit: &str, note: Option<&str>) -> Option<String> {
    let note = note.unwrap_or_default();
    let in_line = IN_LINE.contains(&note) && !matches!(step.does, Does::Wait(_));
    // While a message is taken, hanging up ends it.
    let ends_message = matches!(step.does, Does::Voicemail(_)) && !note.is_empty();
    let hung_up = exit == "hangup" && !ends_message;
    if hung_up || in_line || TAKEN_OUT.contains(&note) {
        return None;
    }
    let known = exits(flow, step);
    let reason = note.split([':', ' ']).next().unwrap_or_default();
    let named = match &step.does {
        Does::Decide { .. } if reason == "otherwise" => reason.to_owned(),
        Does::Decide { .. } => format!("if {reason}"),
        // What is queued may still arrive as well.
        Does::Text(_) if exit == "error" && reason == "queued" => "ambiguous".to_owned(),
        Does::Text(_) | Does::Agent(_) if exit == "error" => reason.to_owned(),
        Does::Wait(_) if note == OFFER => note.to_owned(),
        _ => exit.to_owned(),
    };
    let is_key = exit.parse::<Key>().is_ok();
    let others = [named.as_str(), exit, if is_key { ANOTHER_KEY } else { exit }];
    let found = others.into_iter().find(|exit| known.iter().any(|known| known == exit));
    Some(found.unwrap_or(exit).to_owned())
}

fn of_menu(flow: &Flow, menu: &Menu, needs: bool) -> Vec<String> {
    let keys = menu.press.keys().chain(&flow.operator_keys).map(Key::to_string);
    let rest = ["timeout", "wrong"].map(str::to_owned);
    keys.chain(rest).chain(fails_if(needs || plays(&menu.play))).collect()
}

/// Failures for which the step has a way of its own.
fn of_text(text: &Text) -> Vec<&'static str> {
    let own = [
        ("ambiguous", text.if_ambiguous),
        ("opted_out", text.if_opted_out),
        ("limited", text.if_limited),
    ];
    own.into_iter().filter_map(|(name, go)| go.map(|_| name)).collect()
}

fn fails_if(can_fail: bool) -> Vec<String> {
    can_fail.then(|| "error".to_owned()).into_iter().collect()
}

/// Something is played there, and may not be playable.
fn plays(list: &PromptList) -> bool {
    !list.is_empty()
}

fn rule_name(flow: &Flow, id: RuleId) -> Option<&str> {
    flow.rules.get(usize::from(id.0)).map(|rule| rule.name.as_str())
}
