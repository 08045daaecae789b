//! `offer`: a menu that offers the digital channel, to those who may hear it.

use std::time::Duration;

use super::{
    Exit, Leave, Next,
    check::{self, Known},
};
use crate::{
    call::{
        OfferResponse, Record,
        desk::Context,
        offers::{self, Suppressed},
    },
    flow::model::Offer,
};

/// Whether an offer can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settled {
    Made,
    /// Without a sound; why is on record.
    Skipped(Leave),
    /// Its destination says so by then.
    Asking(Duration),
}

/// What is against an offer, as far as it is known without asking anybody.
pub(crate) fn against(name: &str, offer: &Offer, context: &Context<'_>) -> Option<Suppressed> {
    let typed = context.progress.typed.as_ref();
    offers::suppressed(context.flow, name, offer, context.facts, typed, context.at_ms())
}

/// Skips an offer that may not be made, and records why; asks whether anybody is there.
pub(crate) fn settle(name: &str, offer: &Offer, context: &mut Context<'_>) -> Settled {
    let why = match against(name, offer, context) {
        Some(why) => why,
        None => match check::known_or_asked(name, offer, context) {
            Known::Yes(_) => return Settled::Made,
            Known::By(until) => return Settled::Asking(until),
            Known::No(why) => Suppressed::Destination(why),
            Known::Nothing => Suppressed::Destination("check_failed"),
        },
    };
    let reason = why.reason();
    record(name, offer, OfferResponse::Suppressed, Some(reason.clone()), context);
    let next = match why {
        // who was promised a text that did not come gets a person.
        Suppressed::FailedPromise => Next::HumanOr(offer.if_not_offered),
        _ => Next::Go(offer.if_not_offered),
    };
    Settled::Skipped(Leave { note: Some(reason), ..Leave::by(Exit::Next, next) })
}

/// The offer is about to be spoken; returns its number.
pub(crate) fn spoken(name: &str, offer: &Offer, context: &mut Context<'_>) -> u32 {
    context.facts.offered = true;
    record(name, offer, OfferResponse::Pending, None, context)
}

/// Keys typed ahead led past the offer, which was therefore not heard.
pub(crate) fn passed_over(name: &str, offer: &Offer, context: &mut Context<'_>) {
    record(name, offer, OfferResponse::Suppressed, Some("typed_ahead".into()), context);
}

fn record(
    name: &str,
    offer: &Offer,
    response: OfferResponse,
    reason: Option<String>,
    context: &mut Context<'_>,
) -> u32 {
    let n = context.desk.next_offer();
    let offered_ms = context.at_ms();
    context.desk.record(Record::Offer {
        n,
        step: name.into(),
        stage: offer.stage.clone(),
        intent: context.facts.intent.clone(),
        offered_ms,
        response,
        pressed: None,
        reason,
    });
    n
}
