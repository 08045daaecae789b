//! May this text be sent at all? Asked before anything is committed.

use message_text::{E164, LineType, NumberProblem, Segments};

use super::{
    TextConfig, TextOrder, TextOutcome, TextService,
    limits::{Age, Rule},
    line,
};
use crate::{
    provider::State,
    store::{
        StoreError,
        message::{NewText, Past},
    },
};

const MINUTE_MS: i64 = 60_000;

/// A text that may be sent.
#[derive(Debug)]
pub(super) struct Cleared {
    pub message_id: String,
    pub to: E164,
    pub segments: Segments,
    pub dest_key: String,
    /// How many of the same failed before.
    pub failed: i64,
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
        let (parts, most) = config.segments(order, &to);
        if most > usize::from(order.max_segments) {
            return Err(TextOutcome::failed("too_long"));
        }
        let store = &self.0.store;
        if store.is_opt_out_list_lost(&order.call.business) {
            return Err(TextOutcome::failed("opt_out_list"));
        }
        let keys = store.keys().caller_keys(&order.call.business, &to, now_ms);
        let dest = (keys.0.as_str(), keys.1.as_str());
        let since = now_ms - i64::from(order.repeat_after_minutes) * MINUTE_MS;
        let new = NewText {
            business: &order.call.business,
            to: &to,
            dest,
            topic: &order.topic,
            purpose: &order.purpose,
            step: &order.step,
            call_id: &order.call.call_id,
            same_since_ms: since,
        };
        let past = store.past(&new).await.map_err(store_failed)?;
        forbids(&past).map_or(Ok(()), Err)?;
        let number = (&to, dest.0);
        let risky = async {
            let Some(check) = &config.risk else { return false };
            check.refuses(&self.0.scores, store, config, number).await
        };
        // Asked together, for a caller waits.
        let takes_none = line::takes_none(&self.0.lines, store, config, number);
        let (risky, takes_none) = tokio::join!(risky, takes_none);
        if takes_none {
            return Err(TextOutcome::not_textable("landline"));
        }
        if risky {
            let rule = Rule { rule: "risk_score", scope: "caller", key: keys.0.clone() };
            return Err(self.bites(&order.call.call_id, rule).await);
        }
        if let Err(error) = self.keep_up_with_others(config, now_ms).await {
            return Err(store_failed(error));
        }
        match self.0.window.reserve(store, config, order, &to, &keys, &message_id).await {
            Ok(None) => {}
            Ok(Some(rule)) => return Err(self.bites(&order.call.call_id, rule).await),
            Err(error) => return Err(store_failed(error)),
        }
        Ok(Cleared { message_id, to, segments: parts, dest_key: keys.0, failed: past.failed })
    }

    /// What other nodes sent is known, as far as limits need it.
    pub(super) async fn keep_up_with_others(
        &self,
        config: &TextConfig,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        match self.0.window.age(now_ms) {
            Age::Fresh => Ok(()),
            Age::Stale => self.0.window.keep_up(&self.0.store, config, now_ms).await,
            Age::Old => {
                let service = self.clone();
                tokio::spawn(async move {
                    let (store, config) = (&service.0.store, service.config());
                    if let Err(error) = service.0.window.keep_up(store, &config, now_ms).await {
                        tracing::warn!(%error, "what other nodes sent is read with a later text");
                    }
                });
                Ok(())
            }
        }
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
fn forbids(past: &Past) -> Option<TextOutcome> {
    if past.opted_out {
        return Some(TextOutcome::OptedOut);
    }
    if past.untextable {
        return Some(TextOutcome::not_textable("known_not_textable"));
    }
    Some(match past.same? {
        State::Queued | State::Claimed => TextOutcome::Queued,
        State::Ambiguous => TextOutcome::Ambiguous,
        _ => TextOutcome::Duplicate,
    })
}

fn store_failed(error: StoreError) -> TextOutcome {
    tracing::warn!(%error, "text not sent, the store fails");
    TextOutcome::failed("store")
}
