//! E12: `by_called_number` has hours for every number that the flow takes. (Zones, spans and holidays
//! are checked where they are read.)

use super::Lint;
use crate::{
    diagnose::{Code, Span},
    flow::model::{Fact, HoursId},
    hours::Schedule,
};

pub(super) fn check(lint: &Lint<'_>) {
    for rule in &lint.flow.rules {
        if let Fact::OutsideHours(id) = rule.fact {
            covers(lint, id, || lint.place("rule", &rule.name, "outside_hours"));
        }
    }
    for target in &lint.flow.targets {
        if let Some(id) = target.hours {
            covers(lint, id, || lint.target_place(target, "hours"));
        }
    }
}

fn covers(lint: &Lint<'_>, id: HoursId, used_at: impl Fn() -> Span) {
    let Some(hours) = lint.flow.hours.get(usize::from(id.0)) else { return };
    let Schedule::ByCalledNumber(numbers) = &hours.schedule else { return };
    if numbers.is_empty() {
        return; // told of where it is read
    }
    for number in lint.flow.numbers.iter().chain(&lint.flow.extensions) {
        if !numbers.contains_key(number) {
            let message = format!("`[hours.{}]` has no hours for `{number}`", hours.name);
            lint.note(Code::E12, used_at(), message, "add the number to `by_called_number`");
        }
    }
    let others = [("`prefixes`", !lint.flow.prefixes.is_empty()), ("`default`", lint.flow.default)];
    let others: Vec<&str> = others.into_iter().filter_map(|(key, is)| is.then_some(key)).collect();
    if !others.is_empty() {
        let message = format!(
            "`[hours.{}]` has hours for single numbers, and by {} the flow takes others",
            hours.name,
            others.join(" and ")
        );
        lint.note(Code::E12, used_at(), message, "name hours with a `zone` here");
    }
}
