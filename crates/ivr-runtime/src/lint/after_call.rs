//! E11: a follow-up needs a consent that some step sets, a question a page that is opened. W11: its quiet hours are not written
//! down, or are none.

use super::Lint;
use crate::{
    diagnose::{Code, nearest},
    flow::model::{AfterCall, Does, Link, LinkId, Step},
};

pub(super) fn check(lint: &Lint<'_>) {
    let given: Vec<&str> = lint
        .flow
        .steps
        .iter()
        .filter_map(|step| match &step.does {
            Does::Set { consent, .. } => consent.as_deref(),
            _ => None,
        })
        .collect();
    for after in &lint.flow.after_call {
        consent(lint, after, &given);
        quiet(lint, after);
        page(lint, after);
    }
}

fn consent(lint: &Lint<'_>, after: &AfterCall, given: &[&str]) {
    let needed = &after.needs_consent;
    if needed.is_empty() || given.contains(&needed.as_str()) {
        return;
    }
    let help = match nearest(needed, given.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            format!("ask for it, and let the yes lead to a `set` with `consent = \"{needed}\"`")
        }
    };
    let message = format!("no step sets the consent `{needed}`: nobody is ever sent this");
    lint.note(Code::E11, lint.place("after_call", &after.name, "needs_consent"), message, help);
}

/// A question waits for the opening of a page of ours.
fn page(lint: &Lint<'_>, after: &AfterCall) {
    let flow = lint.flow;
    let has_page = |links: &[LinkId]| {
        let mut known = links.iter().filter_map(|id| flow.links.get(usize::from(id.0)));
        links.len() > 1 || known.any(Link::has_page)
    };
    let opens = |step: &Step| matches!(&step.does, Does::Text(text) if has_page(&text.links));
    if after.asks_rating && !flow.steps.iter().any(opens) {
        let message = "no text of this flow leads to a page of ours: nobody is ever asked this";
        let help = "give a link that is texted `tracked = true`, or a kind other than `static`";
        lint.note(Code::E11, lint.place("after_call", &after.name, "asks"), message, help);
    }
}

fn quiet(lint: &Lint<'_>, after: &AfterCall) {
    let place = lint.place("after_call", &after.name, "quiet_hours");
    if lint.value("after_call", &after.name, "quiet_hours").is_none() {
        let message = "nothing says at which hours it is not sent";
        let help = "20:00 to 09:00 where the caller is holds; write it, or others";
        lint.note(Code::W11, place, message, help);
    } else if after.quiet_hours.from_minute == after.quiet_hours.to_minute {
        let message = "`quiet_hours` begin when they end: it is sent at night, too";
        let help = "write `{ from = \"20:00\", to = \"09:00\", zone = \"caller\" }`";
        lint.note(Code::W11, place, message, help);
    }
}
