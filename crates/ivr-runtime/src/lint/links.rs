//! Links: W02 one that leads to a home page (EX-02), W03 one that nobody is said to stand behind
//! (LP-04), E01 an account of a provider that is not there, E11 what cannot be kept: an address of
//! ours without one, and account data for callers who did not prove who they are.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Lint,
    graph::{self, Cause, Way},
    urls,
};
use crate::{
    diagnose::{Code, nearest},
    flow::model::{Does, Go, Level, Link, LinkId, LinkKind, Step},
    step::template,
};

/// What to do where account data may go to anybody.
const PROVE: &str = "let a lookup with `auth_level = \"L2\"` come before on every way";

pub(super) fn check(lint: &Lint<'_>) {
    for link in &lint.flow.links {
        home_page(lint, link);
        if link.kind == LinkKind::Static && link.staffing.is_none() && !link.url.is_empty() {
            let message =
                format!("whether somebody is there at the link `{}` is yours to see to", link.name);
            let help =
                "write `staffing = \"operator\"` or `\"self-service\"` to say who answers there";
            lint.note(Code::W03, lint.header("link", &link.name), message, help);
        }
        provider(lint, link);
        account_data(lint, link);
    }
    pages(lint);
}

/// EX-02: a link leads to the answer itself.
fn home_page(lint: &Lint<'_>, link: &Link) {
    let leads = matches!(link.kind, LinkKind::Static | LinkKind::Signed);
    if !leads || link.url.is_empty() {
        return;
    }
    let rest = link.url.split_once("://").map_or("", |(_, rest)| rest);
    let path = rest.strip_prefix(urls::host(rest)).unwrap_or("");
    let (path, fragment) = path.split_once('#').unwrap_or((path, ""));
    // Pages that find their way by script have theirs behind the `#`.
    let way = fragment.trim_start_matches('!');
    let is_way = way.starts_with('/') && !way.trim_matches('/').is_empty();
    if path.trim_matches(['/', '?']).is_empty() && !is_way {
        let message = format!("the link `{}` leads to a home page", link.name);
        let help = "lead callers to the page that serves what they called for";
        lint.note(Code::W02, lint.place("link", &link.name, "url"), message, help);
    }
}

fn provider(lint: &Lint<'_>, link: &Link) {
    let Some(account) = link.account().filter(|account| !account.provider.is_empty()) else {
        return;
    };
    let wanted = match link.kind {
        LinkKind::KhorosFlow(_) => "khoros",
        _ => "liveperson",
    };
    let named = account.provider.as_str();
    let known = lint.shared.providers.iter().filter(|(_, kind)| kind == wanted);
    let known: Vec<&str> = known.map(|(name, _)| name.as_str()).collect();
    if known.contains(&named) {
        return;
    }
    let message = format!("there is no provider `{named}` of `kind = \"{wanted}\"`");
    let help = match nearest(named, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("add a `[provider.{named}]` to carom.toml"),
    };
    lint.note(Code::E01, lint.place("link", &link.name, "provider"), message, help);
}

/// A02: what a system told of a caller is for links of level L2; nothing of it leaves with another.
fn account_data(lint: &Lint<'_>, link: &Link) {
    if link.context_level == Level::L2 {
        return;
    }
    let in_url = template::fields(&link.url).map(|field| ("url", field));
    let all = in_url.chain(link.context.iter().map(|field| ("context", field.as_str())));
    for (key, field) in all.filter(|(_, field)| lint.flow.is_account_data(field)) {
        let (name, level) = (&link.name, link.context_level.as_str());
        let message = format!(
            "`{name}` of level {level} never gets `{field}`: a system told it of the caller"
        );
        let help = "write `context_level = \"L2\"`, for callers who proved who they are, leave the \
                    field out, or list it in `public` of its lookup where it tells nothing of an \
                    account";
        lint.note(Code::A02, lint.place("link", name, key), message, help);
    }
}

/// A page of ours needs an address of ours.
fn pages(lint: &Lint<'_>) {
    if lint.shared.public_url.is_some() {
        return;
    }
    let mut told = BTreeSet::new();
    for step in &lint.flow.steps {
        let Does::Text(text) = &step.does else { continue };
        if text.links.len() > 1 {
            let message = "several links make a page of ours, and it would have no address";
            let help = "add `public_url` to `[http]` of carom.toml";
            lint.note(Code::E11, lint.step_place(step, "links"), message, help);
        }
        let links = text.links.iter().filter_map(|id| lint.flow.links.get(usize::from(id.0)));
        for link in links.filter(|link| link.has_page()) {
            if told.insert(&link.name) {
                let message = format!(
                    "the link `{}` leads through a page of ours without an address",
                    link.name
                );
                let help = "add `public_url` to `[http]` of carom.toml";
                lint.note(Code::E11, lint.header("link", &link.name), message, help);
            }
        }
    }
}

/// E11: what only a caller may see who proved who they are is sent to nobody else.
pub(super) fn levels(lint: &Lint<'_>) {
    let flow = lint.flow;
    let proves = |at: Go, way: &Way| {
        let Go::Step(id) = at else { return false };
        let step = flow.steps.get(usize::from(id.0)).map(|step| &step.does);
        matches!(step, Some(Does::Lookup(lookup))
            if lookup.auth_level == Some(Level::L2)
                && way.cause == Cause::Itself && way.to == lookup.then)
    };
    let start = [Go::Step(flow.start)];
    let unproven = graph::reachable(flow, start, |at, way| !proves(at, way));
    for (_, step) in graph::steps(flow).filter(|(at, _)| unproven.contains(*at)) {
        let Does::Text(text) = &step.does else { continue };
        for field in told(lint, &text.message) {
            let message = format!(
                "the message holds `{field}`, which a system told of the caller, and calls may come \
                 here without a proof"
            );
            lint.note(Code::E11, lint.step_place(step, "message"), message, PROVE);
        }
        for link in all_behind(lint, &text.links) {
            if link.context_level == Level::L2 {
                let message = format!(
                    "`{}` hands over data of level L2, and calls may come here without a proof",
                    link.name
                );
                let key = if text.links.len() > 1 { "links" } else { "link" };
                lint.note(Code::E11, lint.step_place(step, key), message, PROVE);
            }
        }
    }
    after_calls(lint);
}

/// A follow-up with account data, in a flow in which nobody can prove anything.
fn after_calls(lint: &Lint<'_>) {
    let can_prove = |step: &Step| matches!(&step.does, Does::Lookup(lookup) if lookup.auth_level == Some(Level::L2));
    if lint.flow.steps.iter().any(can_prove) {
        return;
    }
    for after in &lint.flow.after_call {
        for field in told(lint, &after.message) {
            let message = format!(
                "the message holds `{field}`, which a system told of the caller, and no step proves \
                 who calls: nobody is ever sent this"
            );
            lint.note(Code::E11, lint.place("after_call", &after.name, "message"), message, PROVE);
        }
    }
}

/// Account data that a message takes in.
fn told<'a>(lint: &Lint<'_>, message: &'a BTreeMap<String, String>) -> BTreeSet<&'a str> {
    let fields = message.values().flat_map(|text| template::fields(text));
    fields.filter(|field| lint.flow.is_account_data(field)).collect()
}

/// The links, and those that take their place.
fn all_behind<'a>(lint: &Lint<'a>, links: &[LinkId]) -> Vec<&'a Link> {
    let (mut open, mut seen, mut found) = (links.to_vec(), BTreeSet::new(), Vec::new());
    while let Some(id) = open.pop() {
        let Some(link) = lint.flow.links.get(usize::from(id.0)) else { continue };
        if seen.insert(id) {
            found.push(link);
            open.extend(link.if_missing);
        }
    }
    found
}
