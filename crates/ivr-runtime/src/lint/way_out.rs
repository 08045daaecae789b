//! E04: every failure has a way out that does not come back, and that ends in a hang-up only
//! where `fallback = false` says so. (A missing `no_input` is noted where menus are read.)

use super::{
    Lint,
    graph::{self, Cause, Way},
};
use crate::{
    diagnose::{Code, Span},
    flow::model::{Action, Callback, Does, Go, Lookup, Voicemail, Wait},
};

pub(super) fn check(lint: &Lint<'_>) {
    for (at, step) in graph::steps(lint.flow) {
        for (key, to) in exits_of_step(&step.does) {
            let what = format!("`{key}`");
            exit(lint, at, &what, to, step.fallback, || lint.step_place(step, key));
        }
    }
    for (at, target) in graph::targets(lint.flow) {
        let exits = [
            ("when_closed", target.when_closed),
            ("if_busy", target.if_busy),
            ("if_no_answer", target.if_no_answer),
            ("if_fails", target.if_fails),
        ];
        for (key, to) in exits {
            let what = match lint.is_own("target", &target.name) {
                true => format!("`{key}`"),
                false => format!("`{key}` of `{}` in carom.toml", target.name),
            };
            if let Some(to) = to {
                exit(lint, at, &what, to, target.fallback, || lint.target_place(target, key));
            }
        }
    }
}

fn exits_of_step(does: &Does) -> Vec<(&'static str, Go)> {
    let exits = match does {
        Does::Answer { if_missing, .. } => vec![("if_missing", *if_missing)],
        Does::Text(text) => vec![
            ("if_fails", text.if_fails),
            ("if_ambiguous", text.if_ambiguous),
            ("if_opted_out", text.if_opted_out),
            ("if_limited", text.if_limited),
        ],
        Does::Agent(agent) => vec![
            ("if_busy", agent.if_busy),
            ("if_no_answer", agent.if_no_answer),
            ("if_timeout", agent.if_timeout),
            ("if_fails", agent.if_fails),
        ],
        // Who waited in vain has not asked to go.
        Does::Wait(Wait { then, if_fails, .. }) => vec![("then", *then), ("if_fails", *if_fails)],
        Does::OptOut { if_fails, .. }
        | Does::Lookup(Lookup { if_fails, .. })
        | Does::Voicemail(Voicemail { if_fails, .. })
        | Does::Callback(Callback { if_fails, .. })
        | Does::Action(Action { if_fails, .. }) => vec![("if_fails", *if_fails)],
        Does::Say { .. }
        | Does::Menu(_)
        | Does::Offer(_)
        | Does::Decide { .. }
        | Does::Collect(_)
        | Does::Set { .. } => Vec::new(),
    };
    exits.into_iter().filter_map(|(key, to)| Some((key, to?))).collect()
}

fn exit(
    lint: &Lint<'_>,
    from: Go,
    what: &str,
    to: Go,
    tries_fallback: bool,
    place: impl Fn() -> Span,
) {
    if let Some(circle) = comes_back(lint, from, to) {
        let message = format!("{what} comes back to where it failed: {circle}");
        lint.note(Code::E04, place(), message, "lead it to somebody else");
    } else if tries_fallback && let Some(end) = hang_up(lint, to) {
        let message = match end {
            Go::HangUp => format!("{what} ends the call without a person"),
            end => format!("{what} ends the call at `{}`", graph::name(lint.flow, end)),
        };
        let help = "lead it to a target, or write `fallback = false` there to say that it is meant";
        lint.note(Code::E04, place(), message, help);
    }
}

/// The failure goes on by itself, from failure to failure, until it is where it began.
fn comes_back(lint: &Lint<'_>, from: Go, to: Go) -> Option<String> {
    let goes_on = |at: Go, way: &Way| {
        if at == from {
            return way.to == to && way.cause != Cause::Key && way.cause != Cause::Silence;
        }
        match way.cause {
            Cause::Failure => true,
            // A text that was sent is no failure.
            Cause::Itself => !is_text(lint, at),
            Cause::Key | Cause::Silence => false,
        }
    };
    let circle = graph::circle(lint.flow, from, goes_on)?;
    Some(graph::spell(lint.flow, &circle))
}

/// The place where a failure that goes on by itself hangs up without leave.
fn hang_up(lint: &Lint<'_>, to: Go) -> Option<Go> {
    if to == Go::HangUp {
        return Some(to);
    }
    let flow = lint.flow;
    let reached = graph::reachable(flow, [to], |at, way| {
        way.cause == Cause::Itself && !is_text(lint, at) && matches!(at, Go::Step(_))
    });
    let ends = graph::steps(flow).find(|(at, step)| {
        reached.contains(*at) && step.fallback && !is_text(lint, *at) && goes_to_hang_up(lint, *at)
    });
    ends.map(|(at, _)| at)
}

fn goes_to_hang_up(lint: &Lint<'_>, at: Go) -> bool {
    let ways = graph::ways(lint.flow, at);
    ways.iter().any(|way| way.cause == Cause::Itself && way.to == Go::HangUp)
}

fn is_text(lint: &Lint<'_>, at: Go) -> bool {
    match at {
        Go::Step(id) => {
            let step = lint.flow.steps.get(usize::from(id.0));
            step.is_some_and(|step| matches!(step.does, Does::Text(_)))
        }
        Go::Target(_) | Go::HangUp => false,
    }
}
