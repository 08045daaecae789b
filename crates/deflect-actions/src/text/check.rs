//! May this text be sent at all? Asked before anything is committed.

use message_text::{E164, LineType, NumberProblem, Segments, segments};

use super::{TextConfig, TextOrder, TextOutcome, TextService, limits::Rule};
use crate::{
    provider::State,
    store::{LINE_MS, Store, StoreError},
};

const MINUTE_MS: i64 = 60_000;

/// A text that may be sent.
#[derive(Debug)]
pub(super) struct Cleared {
    pub message_id: String,
    pub to: E164,
    pub segments: Segments,
    pub dest_key: String,
}

impl TextService {
    /// `Err` is the outcome for the caller; a limit's reservation is under `message_id`.
    pub(super) async fn check(
        &self,
        order: &TextOrder,
        config: &TextConfig,
        message_id: String,
        now_ms: i64,
    ) -> Result<Cleared, TextOutcome> {
        let to = number(order, config)?;
        let parts = segments(&order.text);
        if parts.count > usize::from(config.limits.segments) {
            return Err(TextOutcome::failed("too_long"));
        }
        let store = &self.0.store;
        let keys = store.keys().caller_keys(&order.call.business, &to, now_ms);
        let dest = (keys.0.as_str(), keys.1.as_str());
        past(store, order, &to, dest, now_ms).await.unwrap_or_else(store_failed)?;
        if let Some(check) = &config.risk {
            let score = self.0.scores.of(store, config, check, &to, dest.0).await;
            if score.is_some_and(|score| score >= check.refuse_from) {
                let rule = Rule { rule: "risk_score", scope: "caller", key: keys.0.clone() };
                return Err(self.bites(&order.call.call_id, rule).await);
            }
        }
        match self.0.window.reserve(store, config, order, &to, &keys, &message_id).await {
            Ok(None) => {}
            Ok(Some(rule)) => return Err(self.bites(&order.call.call_id, rule).await),
            Err(error) => return store_failed(error).map(|()| unreachable!("it is an error")),
        }
        Ok(Cleared { message_id, to, segments: parts, dest_key: keys.0 })
    }

    /// A limit bit: there is a row of it, and no text.
    async fn bites(&self, call_id: &str, Rule { rule, scope, key }: Rule) -> TextOutcome {
        if let Err(error) = self.0.store.limit_hit(Some(call_id), rule, scope, &key).await {
            tracing::warn!(%error, rule, "limit hit not recorded");
        }
        TextOutcome::Limited { rule: rule.to_owned() }
    }
}

/// Why a number is not texted, in one word.
pub(super) fn problem(problem: NumberProblem) -> &'static str {
    match problem {
        NumberProblem::Withheld => "withheld",
        NumberProblem::Short => "short",
        NumberProblem::Invalid => "invalid",
    }
}

fn number(order: &TextOrder, config: &TextConfig) -> Result<E164, TextOutcome> {
    let refuse = |reason| Err(TextOutcome::not_textable(reason));
    let to = match &order.to {
        Ok(to) => to,
        Err(why) => return refuse(problem(*why)),
    };
    let called = order.call.did.as_deref().unwrap_or("");
    config
        .against(to, &order.call.business, called, &order.via)
        .map_or_else(|| Ok(to.clone()), refuse)
}

impl TextConfig {
    /// Why `to` is not texted by `business` whatever the text, in one word; asked of a caller to
    /// `called` before anything is offered. `via` empty means all senders of the business.
    #[must_use]
    pub fn against(
        &self,
        to: &E164,
        business: &str,
        called: &str,
        via: &[String],
    ) -> Option<&'static str> {
        let own = |number: &String| number == to.as_str();
        let sender = || self.senders.iter().any(|sender| own(&sender.from));
        if to.as_str() == called || self.own_numbers.iter().any(own) || sender() {
            return Some("own");
        }
        match to.line_type() {
            LineType::Mobile | LineType::FixedOrMobile => {}
            LineType::Fixed => return Some("landline"),
            LineType::TollFree => return Some("toll_free"),
            LineType::Premium | LineType::SharedCost => return Some("premium"),
            LineType::Voip => return Some("voip"),
            LineType::Other => return Some("other_line"),
        }
        if !self.allows(to.region()) {
            return Some("country_not_allowed");
        }
        self.senders_for(business, to.region(), via).is_empty().then_some("no_sender")
    }
}

/// What earlier messages and opt-outs say.
async fn past(
    store: &Store,
    order: &TextOrder,
    to: &E164,
    dest: (&str, &str),
    now_ms: i64,
) -> Result<Result<(), TextOutcome>, StoreError> {
    if store.is_opted_out(&order.call.business, to, &order.topic).await? {
        return Ok(Err(TextOutcome::OptedOut));
    }
    if store.found_untextable(dest, now_ms - LINE_MS).await? {
        return Ok(Err(TextOutcome::not_textable("known_not_textable")));
    }
    let since = now_ms - i64::from(order.repeat_after_minutes) * MINUTE_MS;
    let same =
        store.same_since(&order.call.business, &order.step, &order.purpose, dest, since).await?;
    Ok(match same {
        None => Ok(()),
        Some(State::Queued | State::Claimed) => Err(TextOutcome::Queued),
        Some(State::Ambiguous) => Err(TextOutcome::Ambiguous),
        Some(_) => Err(TextOutcome::Duplicate),
    })
}

fn store_failed(error: StoreError) -> Result<(), TextOutcome> {
    tracing::warn!(%error, "text not sent, the store fails");
    Err(TextOutcome::failed("store"))
}
