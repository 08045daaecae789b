//! E17: what a rule, a prompt, a link, a message or a request takes from a field, some step
//! before it sets. What is collected as a secret is for requests only.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Lint,
    graph::{self, Places},
};
use crate::{
    diagnose::{Code, Span, nearest},
    flow::model::{AfterCall, Does, Fact, LinkId, PromptItem, Request, RuleId, Spoken, Step},
    flow::{TOLD, carry},
    step::{agent, callback, template, text},
};

/// Known of every call, `site_visits` where the number is.
const GIVEN: [&str; 7] =
    ["call_id", "called", "called_number", "caller_key", "intent", "language", "site_visits"];
/// Handed over by every link that asks for it.
const GIVEN_TO_LINKS: [&str; 2] = ["path", "topic"];
/// Given to requests besides.
const GIVEN_TO_REQUESTS: [&str; 1] = ["caller_number"];

/// Where each field is known.
struct Known {
    /// After a step that sets it.
    after: BTreeMap<String, Places>,
    secret: BTreeSet<String>,
}

/// One use of a field.
struct Use {
    field: String,
    place: Span,
    in_request: bool,
}

pub(super) fn check(lint: &Lint<'_>) {
    let known = known(lint);
    let mut told: BTreeSet<(usize, String)> = BTreeSet::new();
    let in_steps = graph::steps(lint.flow)
        .flat_map(|(at, step)| uses(lint, step).into_iter().map(move |used| (Some(at), used)));
    // When the call is over, every step may have come before.
    let after = lint.flow.after_call.iter();
    let after = after.flat_map(|after| of_after_call(lint, after)).map(|used| (None, used));
    for (at, used) in in_steps.chain(after) {
        let told_by_source = !lint.shared.sources.is_empty() && TOLD.contains(&used.field.as_str());
        let given = told_by_source
            || lint.flow.told.contains(&used.field)
            || GIVEN.contains(&used.field.as_str())
            || carry::FIELDS.contains(&used.field.as_str())
            || (used.in_request && GIVEN_TO_REQUESTS.contains(&used.field.as_str()));
        let is_secret = known.secret.contains(&used.field) && !used.in_request;
        let set_before = known.after.get(&used.field);
        let set_before = set_before.is_some_and(|after| at.is_none_or(|at| after.contains(at)));
        if (given || set_before) && !is_secret {
            continue;
        }
        if told.insert((used.place.start, used.field.clone())) {
            note(lint, &known, &used, is_secret);
        }
    }
}

/// The fields that something of the flow takes.
pub(super) fn taken(lint: &Lint<'_>) -> BTreeSet<String> {
    let of_steps = lint.flow.steps.iter().flat_map(|step| uses(lint, step));
    let after = lint.flow.after_call.iter().flat_map(|after| of_after_call(lint, after));
    of_steps.chain(after).map(|used| used.field).collect()
}

fn note(lint: &Lint<'_>, known: &Known, used: &Use, is_secret: bool) {
    let field = &used.field;
    let told = lint.flow.told.iter().map(String::as_str);
    let (message, help) = if is_secret {
        let help = "a secret goes into lookups and actions, and nowhere else";
        (format!("the field `{field}` is collected as a secret"), help.to_owned())
    } else if known.after.contains_key(field) {
        let help = "let the step that sets it come before";
        (format!("no step before this one sets the field `{field}`"), help.to_owned())
    } else {
        let names = known.after.keys().map(String::as_str).chain(told).chain(GIVEN);
        let help = match nearest(field, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name it in `save` of a lookup, an action or a collect step, or in `told` of \
                     `[flow]` if systems that ask for an offer tell it"
                .to_owned(),
        };
        (format!("no step sets the field `{field}`"), help)
    };
    lint.note(Code::E17, used.place.clone(), message, help);
}

fn known(lint: &Lint<'_>) -> Known {
    let flow = lint.flow;
    let mut known = Known { after: BTreeMap::new(), secret: BTreeSet::new() };
    for (at, step) in graph::steps(flow) {
        let fields: Vec<&str> = match &step.does {
            Does::Collect(collect) => {
                if collect.secret {
                    known.secret.insert(collect.save.clone());
                }
                vec![collect.save.as_str()]
            }
            Does::Lookup(lookup) => lookup.save.iter().map(|save| save.field.as_str()).collect(),
            Does::Action(action) => action.save.iter().map(|save| save.field.as_str()).collect(),
            Does::Agent(agent) => agent.save.iter().map(|save| save.field.as_str()).collect(),
            Does::Callback(_) => vec![callback::DAY, callback::TIME],
            Does::Text(_) => text::KNOWN.to_vec(),
            _ => continue,
        };
        let next = graph::ways(flow, at).into_iter().map(|way| way.to);
        let after = graph::reachable(flow, next, |_, _| true);
        for field in fields {
            let places = known.after.entry(field.to_owned()).or_default();
            graph::steps(flow).filter(|(at, _)| after.contains(*at)).for_each(|(at, _)| {
                places.insert(at);
            });
        }
    }
    known
}

fn uses(lint: &Lint<'_>, step: &Step) -> Vec<Use> {
    let mut uses = Vec::new();
    let mut add = |field: &str, place: Span, in_request: bool| {
        uses.push(Use { field: field.to_owned(), place, in_request });
    };
    let of_step = |key: &str| lint.step_place(step, key);
    for (key, play) in super::prompts::lists(step) {
        // What is read back was just typed, or is the caller's number.
        if key == "confirm_number" {
            continue;
        }
        if key == "confirm" && matches!(step.does, Does::Collect(_)) {
            continue;
        }
        let own = |field: &&str| key == "sent_prompt" && text::KNOWN.contains(field);
        for field in needed(play).into_iter().filter(|field| !own(field)) {
            add(field, of_step(key), false);
        }
    }
    match &step.does {
        Does::Answer { needs, .. } => {
            needs.iter().for_each(|field| add(field, of_step("needs"), false));
        }
        Does::Decide { case, .. } => {
            for (rule, _) in case {
                for (field, place) in tested(lint, *rule) {
                    add(&field, place, false);
                }
            }
        }
        Does::Offer(offer) => {
            for rule in offer.only_if.iter().chain(&offer.never_if) {
                for (field, place) in tested(lint, *rule) {
                    add(&field, place, false);
                }
            }
            for (field, place) in of_link(lint, offer.link) {
                add(&field, place, false);
            }
        }
        Does::Text(text) => {
            for (field, place) in text.links.iter().flat_map(|link| of_link(lint, *link)) {
                add(&field, place, false);
            }
            for field in text.message.values().flat_map(|message| template::fields(message)) {
                add(field, of_step("message"), false);
            }
        }
        Does::Lookup(lookup) => {
            of_request(&lookup.request).for_each(|(key, field)| add(field, of_step(key), true));
        }
        Does::Action(action) => {
            of_request(&action.request).for_each(|(key, field)| add(field, of_step(key), true));
        }
        Does::Agent(agent) => {
            agent::told(agent).for_each(|field| add(field, of_step("headers"), false));
        }
        Does::Say { .. }
        | Does::Menu(_)
        | Does::Set { .. }
        | Does::Collect(_)
        | Does::Wait(_)
        | Does::Voicemail(_)
        | Does::Callback(_)
        | Does::OptOut { .. } => {}
    }
    uses
}

fn of_after_call(lint: &Lint<'_>, after: &AfterCall) -> Vec<Use> {
    let rules = after.only_if.iter().chain(&after.never_if).flat_map(|rule| tested(lint, *rule));
    let links = after.links.iter().flat_map(|link| of_link(lint, *link));
    let place = || lint.place("after_call", &after.name, "message");
    let texts = after.message.values().flat_map(|message| template::fields(message));
    let texts = texts.map(|field| (field.to_owned(), place()));
    let all = rules.chain(links).chain(texts);
    all.map(|(field, place)| Use { field, place, in_request: false }).collect()
}

fn of_request(request: &Request) -> impl Iterator<Item = (&'static str, &str)> {
    let url = template::fields(&request.url).map(|field| ("url", field));
    let body = request.body.values().flat_map(|text| template::fields(text));
    url.chain(body.map(|field| ("body", field)))
}

fn of_link(lint: &Lint<'_>, id: LinkId) -> Vec<(String, Span)> {
    let Some(link) = lint.flow.links.get(usize::from(id.0)) else { return Vec::new() };
    let place = |key: &str| lint.place("link", &link.name, key);
    let url = template::fields(&link.url).map(|field| (field.to_owned(), place("url")));
    let context = link.context.iter().filter(|field| !GIVEN_TO_LINKS.contains(&field.as_str()));
    url.chain(context.map(|field| (field.clone(), place("context")))).collect()
}

/// The fields a rule tests, through the rules it is made of.
fn tested(lint: &Lint<'_>, rule: RuleId) -> Vec<(String, Span)> {
    let (mut open, mut seen, mut found) = (vec![rule], BTreeSet::new(), Vec::new());
    while let Some(id) = open.pop() {
        let Some(rule) = lint.flow.rules.get(usize::from(id.0)) else { continue };
        if !seen.insert(id) {
            continue;
        }
        match &rule.fact {
            Fact::Known(field) => {
                found.push((field.clone(), lint.place("rule", &rule.name, "known")));
            }
            Fact::Field { field, .. } => {
                let key = if lint.value("rule", &rule.name, "customer_type").is_some() {
                    "customer_type"
                } else {
                    "field"
                };
                found.push((field.clone(), lint.place("rule", &rule.name, key)));
            }
            Fact::AnyOf(rules) => open.extend(rules),
            Fact::Not(rule) => open.push(*rule),
            _ => {}
        }
    }
    found
}

/// The fields that prompts are made of, or skipped without.
fn needed(play: &[PromptItem]) -> Vec<&str> {
    let mut fields = Vec::new();
    for item in play {
        match item {
            PromptItem::Sound(_)
            | PromptItem::Tts(_)
            | PromptItem::Say { value: Spoken::Text(_), .. } => {}
            PromptItem::Say { value: Spoken::Field(field), .. } => fields.push(field.as_str()),
            PromptItem::Clip(clip) => fields.push(clip.field.as_str()),
            PromptItem::ByLanguage(lists) => {
                fields.extend(lists.values().flat_map(|list| needed(list)));
            }
            PromptItem::Group { play, needs } => {
                fields.extend(needs.iter().map(String::as_str));
                fields.extend(needed(play));
            }
        }
    }
    fields
}
