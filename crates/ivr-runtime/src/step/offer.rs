//! `offer`: a menu that offers the digital channel, to those who may hear it.

use super::{Exit, Leave, Next};
use crate::{
    call::{
        OfferResponse, Record,
        desk::Context,
        offers::{self, Suppressed},
    },
    flow::model::Offer,
};

/// Leaves without a sound where the offer may not be made, and records why.
pub(crate) fn skip(name: &str, offer: &Offer, context: &mut Context<'_>) -> Option<Leave> {
    let now_ms = context.at_ms();
    let why = offers::suppressed(context.flow, name, offer, context.facts, now_ms)?;
    let reason = why.reason();
    record(name, offer, OfferResponse::Suppressed, Some(reason.clone()), context);
    let next = match why {
        // who was promised a text that did not come gets a person.
        Suppressed::FailedPromise => Next::HumanOr(offer.if_not_offered),
        _ => Next::Go(offer.if_not_offered),
    };
    Some(Leave { note: Some(reason), ..Leave::by(Exit::Next, next) })
}

/// The offer is about to be spoken; returns its number.
pub(crate) fn spoken(name: &str, offer: &Offer, context: &mut Context<'_>) -> u32 {
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
