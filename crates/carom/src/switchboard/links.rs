//! What the links of a text lead to: a page of ours, or the address itself; and who is asked
//! before one is offered.

use std::{collections::BTreeMap, time::Duration};

use deflect_actions::{
    destination::{Availability, Context, Offer},
    link::{Button, Does, NewPage, Page, Token},
};
use ivr_runtime::{
    call::{FetchOutcome, FetchRequest, Input, ResolvedLink, TextRequest},
    flow::model::{Link, LinkKind},
};

use super::{
    Switchboard,
    live::{CallNo, Live},
    tasks::Done,
};
use crate::{config, node::clock::wall_ms};

const HOUR_MS: i64 = 3_600_000;

impl Switchboard {
    /// Asks whether somebody is there at a link.
    pub(super) fn check_link(&mut self, no: CallNo, link: &str, request: FetchRequest) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        call.line.note(wall_ms(), "ask", format!("{} asks for {link}", request.step));
        let id = request.id;
        let definition = call.flow.links.iter().find(|known| known.name == link);
        let destination =
            definition.and_then(|known| config::destination(&call.snapshot.config, known));
        let Some(destination) = destination else {
            let outcome = FetchOutcome::Failed { why: "not_ready".to_owned() };
            return self.tell(no, Input::Fetched { id, outcome });
        };
        let context = self.context_of(no);
        let (destinations, done) = (self.services.destinations.clone(), self.done.clone());
        let within = Duration::from_millis(u64::from(request.timeout_ms));
        let (link, url) = (link.to_owned(), request.url.0);
        tokio::spawn(async move {
            let answer = destinations.check(&link, &destination, &url, &context, within).await;
            let outcome = told(answer);
            let _ = done.send(Done::Input(no, Input::Fetched { id, outcome }));
        });
    }

    fn context_of(&self, no: CallNo) -> Context {
        let Some(call) = self.calls.get(&no) else { return Context::default() };
        let wait = self.services.sources.told().into_values().next();
        Context {
            call_id: call.call_id.clone(),
            caller: call.ledger.caller.as_ref().filter(|_| !call.withheld).map(|c| c.to_string()),
            called: call.ledger.called.clone(),
            language: call.ledger.language.clone(),
            topic: call.ledger.intent.clone(),
            path: call.ledger.path(),
            wait_seconds: wait.and_then(|told| told.wait_at(wall_ms())),
        }
    }
}

/// In the words of the call machine.
fn told(answer: Availability) -> FetchOutcome {
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
    call: &Live,
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
