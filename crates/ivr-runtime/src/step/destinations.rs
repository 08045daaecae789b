//! Where the links of a text lead: each with its fields filled in, asked whether somebody is
//! there, or replaced by the one named by `if_missing`.

use std::{collections::BTreeMap, time::Duration};

use super::check::{self, Known, Place};
use crate::{
    call::{Hidden, ResolvedLink, desk::Context, offers},
    flow::model::{Flow, Level, Link, LinkId, LinkKind, StepId, Text},
};

/// `if_missing` links followed.
const LINKS_FOLLOWED: usize = 8;

/// Where the links of a text lead.
pub(super) enum Destinations {
    Known(Vec<Destination>),
    /// Somebody was asked, and says so by then.
    By(Duration),
    /// Nowhere, and why.
    Nowhere(&'static str),
}

/// Where one of them leads.
pub(super) struct Destination {
    id: LinkId,
    url: String,
    place: Option<Place>,
}

/// Finds out; `anew`: whoever is not known to be there is asked. Of several links those that lead
/// nowhere are left out.
pub(super) fn find(step: &str, text: &Text, context: &mut Context<'_>, anew: bool) -> Destinations {
    let (mut known, mut until, mut why) = (Vec::new(), None::<Duration>, None);
    for id in &text.links {
        match of_link(step, *id, context, anew) {
            One::Known(destination) => known.push(destination),
            One::By(at) => until = until.max(Some(at)),
            One::Nowhere(nowhere) => why = Some(nowhere),
        }
    }
    match (until, why) {
        (Some(until), _) => Destinations::By(until),
        (None, Some(why)) if known.is_empty() => Destinations::Nowhere(why),
        (None, _) => Destinations::Known(known),
    }
}

/// Where links lead when the call is over and nobody can be asked any more; with the moment until
/// which the first to end is good, ms UTC.
pub(crate) fn unasked(
    links: &[LinkId],
    context: &mut Context<'_>,
) -> Result<(Vec<ResolvedLink>, Option<i64>), &'static str> {
    let (mut known, mut why) = (Vec::new(), "link_missing");
    for id in links {
        match of_link_unasked(*id, context) {
            Ok(destination) => known.push(destination),
            Err(nowhere) => why = nowhere,
        }
    }
    if known.is_empty() { Err(why) } else { Ok(resolved(known, context)) }
}

fn of_link_unasked(mut next: LinkId, context: &Context<'_>) -> Result<Destination, &'static str> {
    let mut why = None;
    for _ in 0..LINKS_FOLLOWED {
        let (id, url) = check::resolve(context.flow, context.facts, context.level(), next)
            .map_err(|missing| why.unwrap_or(missing))?;
        let Some(link) = check::link(context.flow, id) else { break };
        if offers::is_down(context.flow, context.facts, id) {
            why = Some("destination_down");
        } else if link.check().is_some() {
            why = Some("not_checked");
        } else {
            return Ok(Destination { id, url, place: None });
        }
        match link.if_missing {
            Some(other) => next = other,
            None => break,
        }
    }
    Err(why.unwrap_or("link_missing"))
}

enum One {
    Known(Destination),
    By(Duration),
    Nowhere(&'static str),
}

fn of_link(step: &str, mut next: LinkId, context: &mut Context<'_>, anew: bool) -> One {
    let mut why = None;
    for _ in 0..LINKS_FOLLOWED {
        let found = check::resolve(context.flow, context.facts, context.level(), next);
        let (id, url) = match found {
            Ok(found) => found,
            Err(missing) => return One::Nowhere(why.unwrap_or(missing)),
        };
        let Some(link) = check::link(context.flow, id) else { break };
        if offers::is_down(context.flow, context.facts, id) {
            why = Some("destination_down");
        } else {
            match context.progress.checks.for_text(context.now, link, id, anew) {
                Known::Yes(place) => return One::Known(Destination { id, url, place }),
                Known::By(until) => return One::By(until),
                Known::Nothing => return One::By(check::ask(step, id, url, context)),
                Known::No(nobody) => why = Some(nobody),
            }
        }
        match link.if_missing {
            Some(other) => next = other,
            None => break,
        }
    }
    One::Nowhere(why.unwrap_or("link_missing"))
}

/// The links as they are sent, and until when the first to end is good. What may be used once is
/// used by it.
pub(super) fn resolved(
    destinations: Vec<Destination>,
    context: &mut Context<'_>,
) -> (Vec<ResolvedLink>, Option<i64>) {
    let mut not_after = None::<Duration>;
    let mut links = Vec::new();
    for Destination { id, url, place } in destinations {
        let Some(link) = check::link(context.flow, id) else { continue };
        let until = place.as_ref().and_then(|place| place.until);
        not_after = [not_after, until].into_iter().flatten().min();
        let (level, handed) = handed_over(link, context);
        links.push(ResolvedLink {
            name: link.name.clone(),
            url: address(link, url, place.as_ref()),
            reference: place.and_then(|place| place.reference),
            level,
            context: handed,
        });
        context.progress.checks.forget(id);
    }
    (links, not_after.map(|until| context.desk.at_ms(until)))
}

/// Of an address that was asked, what it said.
fn address(link: &Link, url: String, place: Option<&Place>) -> String {
    match link.kind {
        LinkKind::Http { .. } | LinkKind::LivepersonIvr(..) => {
            place.and_then(|place| place.url.clone()).unwrap_or_default()
        }
        _ => url,
    }
}

/// What is proved of the caller, as far as the link wants it, and what it hands over of the call.
pub(super) fn handed_over(link: &Link, context: &Context<'_>) -> (Level, BTreeMap<String, Hidden>) {
    let facts = &context.facts;
    let level = context.level().min(link.context_level);
    if level != link.context_level {
        return (level, BTreeMap::new());
    }
    let value = |name: &str| match name {
        "path" => Some(names(context.flow, &context.progress.path).join(" ")),
        "topic" => facts.intent.clone(),
        _ => facts.field(name).map(str::to_owned),
    };
    // Only who proved who they are has account data handed over (IC-03).
    let may = |name: &&String| level >= Level::L2 || !context.flow.is_account_data(name);
    let known = link.context.iter().filter(may);
    (level, known.filter_map(|name| Some((name.clone(), Hidden(value(name)?)))).collect())
}

/// The names of steps.
pub(crate) fn names(flow: &Flow, path: &[StepId]) -> Vec<String> {
    let steps = path.iter().filter_map(|id| flow.steps.get(usize::from(id.0)));
    steps.map(|step| step.name.clone()).collect()
}
