//! What the links of a text lead to: a page of ours, or the address itself; and who is asked
//! before one is offered.

use std::collections::BTreeMap;

use deflect_actions::{
    destination::{Availability, Context, Destination, Offer},
    link::{Button, Does, NewPage, Page, Token},
};
use ivr_runtime::{
    call::{FetchOutcome, FetchRequest, ResolvedLink, TextRequest},
    flow::model::{Link, LinkKind},
};

use super::{frame::Frame, tasks::Services};
use crate::{config, node::clock::wall_ms};

const HOUR_MS: i64 = 3_600_000;

/// Whom to ask at a link; `None`: nobody that is configured.
pub(super) fn destination(frame: &Frame<'_>, link: &str) -> Option<Destination> {
    let definition = frame.flow.links.iter().find(|known| known.name == link)?;
    config::destination(&frame.snapshot.config, definition)
}

/// What a destination is told of the caller.
pub(super) fn context(frame: &Frame<'_>, services: &Services) -> Context {
    let ledger = frame.ledger;
    let source = frame.snapshot.source_of(frame.flow);
    let wait = source.and_then(|source| services.sources.told().remove(&source.name));
    Context {
        call_id: ledger.call_id.clone(),
        caller: ledger.caller.as_ref().filter(|_| !frame.withheld).map(|c| c.to_string()),
        called: ledger.called.clone(),
        language: ledger.language.clone(),
        topic: ledger.intent.clone(),
        path: ledger.path(),
        wait_seconds: wait.and_then(|told| told.wait_at(wall_ms())),
        handed: BTreeMap::new(),
    }
}

/// In the words of the call machine.
pub(super) fn told(answer: Availability) -> FetchOutcome {
    let mut values = BTreeMap::new();
    let mut say = |name: &str, value: Option<String>| {
        values.extend(value.map(|value| (name.to_owned(), value)));
    };
    match answer {
        Availability::Available(Offer { url, valid_for, reference, .. }) => {
            say(FetchRequest::AVAILABLE, Some("true".to_owned()));
            say(FetchRequest::URL, url);
            say(FetchRequest::VALID, valid_for.map(|valid| valid.as_secs().to_string()));
            say(FetchRequest::REFERENCE, reference);
        }
        Availability::NotAvailable => say(FetchRequest::AVAILABLE, Some("false".to_owned())),
        Availability::Unknown(why) => return FetchOutcome::Failed { why },
    }
    FetchOutcome::Values(values)
}

/// What stands for `{link}` in a text, and the page behind it, if it is one of ours.
pub(super) fn of_text(
    call: &Frame<'_>,
    request: &TextRequest,
) -> std::io::Result<(String, Option<NewPage>)> {
    let definition =
        |link: &ResolvedLink| call.flow.links.iter().find(|known| known.name == link.name);
    let ours =
        request.links.len() > 1 || request.links.iter().filter_map(definition).any(Link::has_page);
    let base = call.snapshot.config.http.public_url.as_ref().filter(|_| ours);
    let Some(base) = base else {
        let urls: Vec<&str> = request.links.iter().map(|link| link.url.as_str()).collect();
        return Ok((urls.join(" "), None));
    };
    let token = Token::random()?;
    let hours = request.links.iter().filter_map(definition).map(|link| link.expires_hours).min();
    let expires_ms = wall_ms() + i64::from(hours.unwrap_or(24)) * HOUR_MS;
    let buttons = request.links.iter();
    let buttons = buttons.filter_map(|link| Some(button(link, definition(link)?))).collect();
    let page = Page {
        flow: call.flow.name.clone(),
        brand: call.ledger.brand.clone(),
        language: request.language.clone(),
        topic: call.ledger.intent.clone(),
        path: request.path.clone(),
        phone: Some(call.ledger.called.clone()).filter(|called| called.starts_with('+')),
        buttons,
    };
    let address = format!("{base}/l/{}", token.as_str());
    let expires_ms = request.not_after_ms.map_or(expires_ms, |at| expires_ms.min(at));
    Ok((address, Some(NewPage { token, page, expires_ms })))
}

fn button(link: &ResolvedLink, definition: &Link) -> Button {
    let does = match definition.kind {
        LinkKind::Static | LinkKind::Http { .. } | LinkKind::LivepersonIvr(..) => Does::Go,
        LinkKind::Signed => Does::HandOver,
        LinkKind::LivepersonC2m(..) | LinkKind::KhorosFlow(_) => Does::Invite,
        LinkKind::Telegram => Does::Telegram,
        LinkKind::Messenger => Does::Messenger,
        LinkKind::Whatsapp => Does::Whatsapp,
        LinkKind::Apple => Does::Apple,
    };
    let context = link.context.iter().map(|(name, value)| (name.clone(), value.0.clone()));
    Button {
        link: link.name.clone(),
        url: link.url.clone(),
        does,
        app_url: definition.app_url.clone(),
        reference: link.reference.clone(),
        level: link.level.as_str().to_owned(),
        context: context.collect(),
    }
}
