//! Destinations that are asked before they are offered (LP-01, LP-02): what they said, and for how
//! long it holds.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Turn,
    destinations::handed_over,
    offer,
    template::{fields, fill, path_part},
};
use crate::{
    call::{Facts, FetchOutcome, FetchRequest, Hidden, Input, Output, desk::Context},
    flow::model::{Does, Flow, Go, Level, Link, LinkCheck, LinkId, LinkKind, Method, Offer, Save},
    lint::urls,
};

/// What was said is taken for true so long, for offers.
const FRESH: Duration = Duration::from_secs(30);
/// Why there is no link, or no text: it holds account data, and nobody proved to be the customer.
pub(crate) const NOT_PROVED: &str = "not_proved";
/// `if_missing` links followed.
const LINKS_FOLLOWED: usize = 8;
/// `set` steps followed from a prompt to the offer after it.
const SETS_FOLLOWED: usize = 8;

/// What the destinations of a call said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Checks(Vec<Checked>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Checked {
    link: LinkId,
    /// Number of the question.
    id: u32,
    /// What was not said by then is unknown.
    until: Duration,
    /// And when.
    said: Option<(Duration, Said)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Said {
    Available(Place),
    NotAvailable,
    Unknown,
}

/// Where somebody is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The address; `None`: the provider invites.
    pub url: Option<String>,
    /// What the provider calls the matter.
    pub reference: Option<String>,
    /// Good until then.
    pub until: Option<Duration>,
}

/// Whether a link can be offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Known {
    /// It can; what was said about where, if anything was.
    Yes(Option<Place>),
    /// It cannot: `not_available`, `check_failed`.
    No(&'static str),
    /// It is known by then at the latest.
    By(Duration),
    /// It has to be asked.
    Nothing,
}

impl Checks {
    /// An answer came; `false`: to another question.
    pub fn take(&mut self, now: Duration, id: u32, outcome: &FetchOutcome) -> bool {
        let Some(checked) = self.0.iter_mut().find(|checked| checked.id == id) else {
            return false;
        };
        if checked.said.is_none() {
            checked.said = Some((now, Said::of(now, outcome)));
        }
        true
    }

    /// For an offer: what was said a while ago may have changed.
    pub fn for_offer(&self, now: Duration, id: LinkId, check: LinkCheck) -> Known {
        let fresh = |checked: &&Checked| {
            checked.said.as_ref().is_none_or(|(at, _)| now < *at + FRESH)
                && (checked.said.is_some() || now < checked.until + FRESH)
        };
        let Some(checked) = self.of(id).filter(fresh) else { return Known::Nothing };
        match &checked.said {
            None if now < checked.until => Known::By(checked.until),
            Some((_, Said::Available(place))) if place.is_good(now) => {
                Known::Yes(Some(place.clone()))
            }
            Some((_, Said::Available(_))) => Known::Nothing,
            Some((_, Said::NotAvailable)) => Known::No("not_available"),
            Some((_, Said::Unknown)) | None if check.if_unknown => Known::Yes(None),
            Some((_, Said::Unknown)) | None => Known::No("check_failed"),
        }
    }

    /// For a text: whatever was said before the caller said yes holds as long as it is good.
    /// `anew`: asking once more may help.
    pub fn for_text(&self, now: Duration, link: &Link, id: LinkId, anew: bool) -> Known {
        let Some(check) = link.check() else { return Known::Yes(None) };
        let Some(checked) = self.of(id) else { return Known::Nothing };
        match &checked.said {
            None if now < checked.until => Known::By(checked.until),
            Some((_, Said::Available(place))) if place.is_good(now) => {
                Known::Yes(Some(place.clone()))
            }
            _ if anew => Known::Nothing,
            Some((_, Said::NotAvailable | Said::Available(_))) => Known::No("not_available"),
            // Who invites by itself can be asked again when the caller is there.
            Some((_, Said::Unknown)) | None => match link.kind {
                LinkKind::LivepersonC2m(..) if check.if_unknown => Known::Yes(None),
                _ => Known::No("check_failed"),
            },
        }
    }

    /// What may be used once is used.
    pub fn forget(&mut self, id: LinkId) {
        self.0.retain(|checked| checked.link != id);
    }

    fn of(&self, id: LinkId) -> Option<&Checked> {
        self.0.iter().find(|checked| checked.link == id)
    }
}

impl Said {
    fn of(now: Duration, outcome: &FetchOutcome) -> Self {
        let FetchOutcome::Values(values) = outcome else { return Self::Unknown };
        match values.get(FetchRequest::AVAILABLE).map(|said| said.to_ascii_lowercase()).as_deref() {
            Some("true" | "yes" | "1" | "available") => {}
            Some("false" | "no" | "0" | "not available" | "unavailable") => {
                return Self::NotAvailable;
            }
            _ => return Self::Unknown,
        }
        let url = values.get(FetchRequest::URL).cloned();
        if url.as_ref().is_some_and(|url| urls::problem(url).is_some()) {
            return Self::Unknown;
        }
        let seconds = values.get(FetchRequest::VALID).and_then(|text| text.parse::<f64>().ok());
        // What is over as soon as it is said is of no use to anybody.
        if seconds.is_some_and(|seconds| seconds < 1.0) {
            return Self::NotAvailable;
        }
        let valid = seconds.map(|s| Duration::from_secs_f64(s.min(1e9)));
        Self::Available(Place {
            url,
            reference: values.get(FetchRequest::REFERENCE).cloned(),
            until: valid.map(|valid| now + valid),
        })
    }
}

impl Place {
    fn is_good(&self, now: Duration) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// The link with its fields filled in, or the one named by `if_missing` (EX-03); `Err`: why there
/// is none. `level` is what is known of who gets it: account data is for those who proved who they
/// are, and for links that say so.
pub(crate) fn resolve(
    flow: &Flow,
    facts: &Facts,
    level: Level,
    mut id: LinkId,
) -> Result<(LinkId, String), &'static str> {
    let mut why = "link_missing";
    for _ in 0..LINKS_FOLLOWED {
        let link = link(flow, id).ok_or(why)?;
        if level.min(link.context_level) < Level::L2 && holds_account_data(flow, &link.url) {
            why = NOT_PROVED;
        } else if let Some(url) = fill(&link.url, |name| facts.field(name), path_part) {
            return Ok((id, url));
        }
        id = link.if_missing.ok_or(why)?;
    }
    Err(why)
}

/// Whether a text or an address takes account data in.
pub(crate) fn holds_account_data(flow: &Flow, template: &str) -> bool {
    fields(template).any(|field| flow.is_account_data(field))
}

pub(crate) fn link(flow: &Flow, id: LinkId) -> Option<&Link> {
    flow.links.get(usize::from(id.0))
}

/// Asks a destination; it answers as [`Input::Fetched`]. The moment at which it is too late.
pub(crate) fn ask(step: &str, id: LinkId, url: String, context: &mut Context<'_>) -> Duration {
    let flow = context.flow;
    let (Some(link), id_of_question) = (link(flow, id), context.desk.next_fetch()) else {
        return context.now;
    };
    let timeout_ms = link.check().map_or(0, |check| check.timeout_ms);
    let until = context.now + Duration::from_millis(u64::from(timeout_ms));
    context.progress.checks.forget(id);
    context.progress.checks.0.push(Checked { link: id, id: id_of_question, until, said: None });
    let save = Save::untyped;
    let save = match &link.kind {
        LinkKind::Http { available_at, url_at, valid_at, .. } => vec![
            save(FetchRequest::AVAILABLE, available_at),
            save(FetchRequest::URL, url_at),
            save(FetchRequest::VALID, valid_at),
        ],
        _ => Vec::new(),
    };
    // Who will talk with the caller is told when it is asked (EX-12); the others by their page.
    let body = match link.kind {
        LinkKind::LivepersonC2m(..) => handed_over(link, context).1,
        _ => BTreeMap::new(),
    };
    context.desk.push(Output::Fetch(FetchRequest {
        id: id_of_question,
        step: step.to_owned(),
        link: Some(link.name.clone()),
        method: Method::Get,
        url: Hidden(url),
        token: None,
        system: None,
        body,
        timeout_ms,
        cache_seconds: 0,
        idempotency_key: None,
        save,
    }));
    until
}

/// While a prompt plays that leads to an offer for certain, its destination is asked.
pub(crate) fn ask_ahead(mut go: Go, context: &mut Context<'_>) {
    for _ in 0..SETS_FOLLOWED {
        let Go::Step(id) = go else { return };
        let Some(step) = context.flow.steps.get(usize::from(id.0)) else { return };
        match &step.does {
            Does::Set { then, .. } => go = *then,
            Does::Offer(offer) => {
                if offer::against(&step.name, offer, context).is_none() {
                    known_or_asked(&step.name, offer, context);
                }
                return;
            }
            _ => return,
        }
    }
}

/// Whether the destination of an offer is there; asks it where that is not known.
pub(crate) fn known_or_asked(step: &str, offer: &Offer, context: &mut Context<'_>) -> Known {
    let Ok((id, url)) = resolve(context.flow, context.facts, context.level(), offer.link) else {
        return Known::Yes(None);
    };
    let Some(check) = link(context.flow, id).and_then(Link::check) else {
        return Known::Yes(None);
    };
    match context.progress.checks.for_offer(context.now, id, check) {
        Known::Nothing => Known::By(ask(step, id, url, context)),
        known => known,
    }
}

/// An offer that waits for its destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checking {
    until: Duration,
}

impl Checking {
    pub fn until(until: Duration) -> Self {
        Self { until }
    }

    pub fn handle_input(
        &mut self,
        step: &str,
        offer: &Offer,
        context: &mut Context<'_>,
        input: &Input,
    ) -> Turn {
        if let Input::Key(key) = input {
            context.keys.push(*key);
        }
        self.handle_timeout(step, offer, context)
    }

    pub fn handle_timeout(&mut self, step: &str, offer: &Offer, context: &mut Context<'_>) -> Turn {
        match offer::settle(step, offer, context) {
            offer::Settled::Made => Turn::Aloud,
            offer::Settled::Skipped(leave) => Turn::Leave(leave),
            offer::Settled::Asking(until) => {
                self.until = until;
                Turn::Stay
            }
        }
    }

    pub fn poll_timeout(&self) -> Duration {
        self.until
    }
}
