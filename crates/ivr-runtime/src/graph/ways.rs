//! The ways that a flow writes, with what makes a call take them.

use crate::flow::model::{Does, Flow, Go, Menu, Step, StepId, TargetId};

/// One way as it is written.
pub(super) struct Way {
    pub from: Go,
    pub to: Go,
    pub label: String,
    pub is_failure: bool,
}

/// In file order, targets last.
pub(super) fn ways(flow: &Flow) -> Vec<Way> {
    let mut ways = Vec::new();
    for (id, step) in (0..).map(StepId).zip(&flow.steps) {
        for (label, to, is_failure) in of_step(flow, step) {
            ways.push(Way { from: Go::Step(id), to, label, is_failure });
        }
    }
    for (id, target) in (0..).map(TargetId).zip(&flow.targets) {
        let exits = [
            ("closed", target.when_closed),
            ("busy", target.if_busy),
            ("no answer", target.if_no_answer),
            ("fails", target.if_fails),
        ];
        for (label, to) in exits {
            if let Some(to) = to {
                let label = label.to_owned();
                ways.push(Way { from: Go::Target(id), to, label, is_failure: true });
            }
        }
    }
    ways
}

/// Where a step may lead as its flow writes it.
pub(crate) fn exits(flow: &Flow, step: &Step) -> impl Iterator<Item = Go> {
    of_step(flow, step).into_iter().map(|(_, to, _)| to)
}

type Labelled = (String, Go, bool);

fn of_step(flow: &Flow, step: &Step) -> Vec<Labelled> {
    let way = |label: &str, to: Go| vec![(label.to_owned(), to, false)];
    let fails = |label: &str, to: Option<Go>| -> Vec<Labelled> {
        to.map(|to| (label.to_owned(), to, true)).into_iter().collect()
    };
    match &step.does {
        Does::Say { then, .. } | Does::Set { then, .. } => way("", *then),
        Does::Menu(menu) => of_menu(flow, menu),
        Does::Answer { menu, if_missing, .. } => {
            [of_menu(flow, menu), fails("missing", *if_missing)].concat()
        }
        Does::Offer(offer) => {
            [of_menu(flow, &offer.menu), way("not offered", offer.if_not_offered)].concat()
        }
        Does::Decide { case, otherwise } => {
            let name = |id: usize| flow.rules.get(id).map_or("?", |rule| rule.name.as_str());
            let cases =
                case.iter().flat_map(|(rule, to)| way(name(usize::from(rule.0)), *to)).collect();
            [cases, way("otherwise", *otherwise)].concat()
        }
        Does::Text(text) => [
            way("sent", text.then),
            fails("fails", text.if_fails),
            fails("unsure", text.if_ambiguous),
            fails("opted out", text.if_opted_out),
            fails("over a limit", text.if_limited),
        ]
        .concat(),
        Does::Collect(collect) => [
            way("digits", collect.then),
            way("silence", collect.no_input),
            if collect.wrong == collect.no_input {
                Vec::new()
            } else {
                way("wrong", collect.wrong)
            },
        ]
        .concat(),
        Does::Wait(wait) => {
            let offer = wait.offer.map(|id| way("offer", Go::Step(id))).unwrap_or_default();
            let then = wait.then.unwrap_or(Go::Target(flow.human));
            let line = way("in line", Go::Target(wait.target));
            [line, offer, way("gives up", then), fails("fails", wait.if_fails)].concat()
        }
        Does::Agent(agent) => [
            way("bot", Go::Target(agent.target)),
            way("handed back", agent.then),
            fails("busy", agent.if_busy),
            fails("no answer", agent.if_no_answer),
            fails("too long", agent.if_timeout),
            fails("fails", agent.if_fails),
        ]
        .concat(),
        Does::Callback(callback) => {
            let no = callback.no_input.map(|to| way("no", to)).unwrap_or_default();
            [way("booked", callback.then), no, fails("fails", callback.if_fails)].concat()
        }
        Does::Voicemail(voicemail) => {
            [way("message", voicemail.then), fails("fails", voicemail.if_fails)].concat()
        }
        Does::Lookup(lookup) => [way("", lookup.then), fails("fails", lookup.if_fails)].concat(),
        Does::Action(action) => {
            let no = action.no_input.map(|to| way("no", to)).unwrap_or_default();
            [way("done", action.then), no, fails("fails", action.if_fails)].concat()
        }
        Does::OptOut { confirm, then, no_input, if_fails, .. } => {
            [way(&confirm.to_string(), *then), way("other", *no_input), fails("fails", *if_fails)]
                .concat()
        }
    }
}

fn of_menu(flow: &Flow, menu: &Menu) -> Vec<Labelled> {
    let mut ways: Vec<Labelled> =
        menu.press.iter().map(|(key, to)| (key.to_string(), *to, false)).collect();
    let unlisted = flow.operator_keys.iter().filter(|key| !menu.press.contains_key(key));
    ways.extend(unlisted.map(|key| (key.to_string(), Go::Target(flow.human), false)));
    ways.push(("silence".to_owned(), menu.no_input, false));
    if menu.wrong != menu.no_input {
        ways.push(("wrong".to_owned(), menu.wrong, false));
    }
    ways
}
