//! Sending: commit, let the senders have their turns, record how it ended.

use std::{sync::Arc, time::Duration};

use sha2::{Digest, Sha256};
use tokio::time::Instant;
use uuid::{NoContext, Timestamp, Uuid};

use super::{TextConfig, TextOrder, TextOutcome, TextService, check::Cleared};
use crate::{
    provider::{Class, Failure, State},
    store::{
        StoreError,
        message::{Letter, NewMessage, News, Outgoing, When},
    },
};

/// Added to an order's budget for the lease of its claim.
pub(super) const LEASE_SLACK: Duration = Duration::from_secs(30);
/// Of the budget, the database gets at most this.
const COMMIT: Duration = Duration::from_secs(4);

/// What came of trying the senders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tried {
    Accepted {
        sender: String,
    },
    /// Definitely not sent; trying later may help.
    Later {
        after: Option<Duration>,
        /// The failure that may pass by then.
        why: Class,
    },
    /// Definitely not sent, a provider said so, and trying again is pointless.
    Failed(Failure),
    /// It has failed by a later try, which somebody else made and recorded.
    Ended(Failure),
    Ambiguous,
    /// Somebody else has it now.
    Lost,
}

impl TextService {
    /// Sends a text, within the budget of its order. Dropping the future stops only the
    /// waiting.
    pub async fn send(&self, order: TextOrder) -> TextOutcome {
        self.send_by(self.config(), order).await
    }

    /// As [`Self::send`], by a configuration of the caller's. What is tried again later goes by
    /// the newest.
    pub async fn send_by(&self, config: Arc<TextConfig>, order: TextOrder) -> TextOutcome {
        self.send_as(self.message_id(), config, order).await
    }

    /// Id of a new message.
    #[must_use]
    pub fn message_id(&self) -> String {
        new_id(self.0.store.now_ms())
    }

    /// As [`Self::send_by`]; where a provider accepts it, it is the message of an id.
    pub async fn send_as(
        &self,
        message_id: String,
        config: Arc<TextConfig>,
        order: TextOrder,
    ) -> TextOutcome {
        let service = self.clone();
        let sending =
            tokio::spawn(async move { service.send_now(message_id, &config, order).await });
        // A task that died had committed or not: nobody knows.
        sending.await.unwrap_or(TextOutcome::Ambiguous)
    }

    async fn send_now(
        &self,
        message_id: String,
        config: &TextConfig,
        order: TextOrder,
    ) -> TextOutcome {
        let begin = Instant::now();
        let budget = ms(order.accept_within_ms);
        let until = begin + budget;
        let now = self.0.store.now_ms();
        let check = self.check(&order, config, message_id.clone(), now);
        let cleared = match tokio::time::timeout(budget.min(COMMIT), check).await {
            Ok(Ok(cleared)) => cleared,
            Ok(Err(outcome)) => return outcome,
            Err(_) => {
                self.0.window.release(&message_id);
                return TextOutcome::failed("store");
            }
        };
        let mut outgoing = Outgoing {
            call_id: order.call.call_id.clone(),
            message_id,
            business: order.call.business.clone(),
            purpose: order.purpose.clone(),
            topic: order.topic.clone(),
            to: cleared.to.clone(),
            letter: letter(&order),
            sender: None,
            attempt: 1,
            try_no: 0,
            write_ms: None,
            created_ms: now,
            valid_until_ms: valid_until(&order, now),
        };
        let first = self.first_turn(&outgoing, config.senders_of(&outgoing).first(), until);
        let by = first.filter(|(turn, _)| turn.written).map(|(_, by)| by);
        outgoing.try_no = i64::from(by.is_some());
        let lease_until_ms = now + lease_ms(&order);
        let when = When::Now { lease_until_ms, until_ms: outgoing.valid_until_ms, by };
        let commit = self.commit(&order, config, &cleared, when, now);
        let committed = tokio::time::timeout(budget.min(COMMIT), commit).await;
        match committed {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.wrote_nothing() => {
                tracing::warn!(%error, "text not sent, it cannot be committed");
                self.0.window.release(&outgoing.message_id);
                return TextOutcome::failed("store");
            }
            doubtful => {
                let error = doubtful.ok().and_then(Result::err).map(|error| error.to_string());
                tracing::warn!(error, "text not sent now, it may be committed");
                return self.after_doubtful_commit(&outgoing, until).await;
            }
        }
        let turn = first.map(|(turn, _)| turn);
        let tried = self.try_until(&mut outgoing, config, until, turn).await;
        self.conclude(&outgoing, tried).await
    }

    pub(super) async fn commit(
        &self,
        order: &TextOrder,
        config: &TextConfig,
        cleared: &Cleared,
        when: When<'_>,
        now: i64,
    ) -> Result<(), StoreError> {
        let store = &self.0.store;
        let senders = config.senders_for(&order.call.business, cleared.to.region(), &order.via);
        let first = senders.first().map(|(sender, _)| sender.channel);
        let new = NewMessage {
            message_id: cleared.message_id.clone(),
            idem_key: match &order.ordered {
                Some(ordered) => ordered.idem_key.clone(),
                None => idem_key(order, &cleared.dest_key, cleared.failed),
            },
            agreed_ms: order.ordered.as_ref().map_or(now, |ordered| ordered.agreed_ms),
            call: &order.call,
            offer: order.offer.as_ref(),
            step: &order.step,
            asked_in: &order.asked_in,
            prompt_id: &order.prompt_id,
            prompt_hash: &order.prompt_hash,
            language: &order.language,
            pressed: order.pressed.as_deref(),
            purpose: &order.purpose,
            to: &cleared.to,
            channel: first.unwrap_or_default(),
            letter: letter(order),
            page: order.page.as_ref(),
            encoding: cleared.segments.encoding.as_str(),
            segments: i64::try_from(cleared.segments.count).unwrap_or(i64::MAX),
            now_ms: now,
            when,
        };
        store.commit_message(&new).await
    }

    /// Puts the row where it belongs and says what the caller is to hear.
    pub(super) async fn conclude(&self, message: &Outgoing, tried: Tried) -> TextOutcome {
        match tried {
            Tried::Accepted { sender } => TextOutcome::Accepted { sender },
            Tried::Ambiguous | Tried::Lost => TextOutcome::Ambiguous,
            Tried::Later { after, why } => {
                let now = self.0.store.now_ms();
                let next = now + next_try_ms(message.attempt, after);
                if next >= message.valid_until_ms {
                    return self.fail(message, Failure::of(why)).await;
                }
                match self.0.store.requeue(&message.message_id, message.try_no, next).await {
                    Ok(true) => {}
                    // Somebody else has it now, or knows more of it.
                    Ok(false) => return TextOutcome::Ambiguous,
                    // Its lease ends, and it is found unwritten.
                    Err(error) => tracing::warn!(%error, "text not put back into the queue"),
                }
                TextOutcome::Queued
            }
            Tried::Ended(failure) => self.fail(message, failure).await,
            Tried::Failed(failure) => {
                if failure.class == Class::OptedOut {
                    let (store, to) = (&self.0.store, &message.to);
                    if let Err(error) = store.opt_out(&message.business, to, "", "provider").await {
                        tracing::warn!(%error, "opt-out not recorded");
                    }
                }
                self.fail(message, failure).await
            }
        }
    }

    /// It is not sent, whoever said so.
    pub(super) async fn fail(&self, message: &Outgoing, failure: Failure) -> TextOutcome {
        let news = News {
            class: Some(failure.class).filter(|class| *class != Class::Expired),
            code: failure.code.as_deref(),
            try_no: Some(message.try_no),
            ..News::of(State::Failed)
        };
        self.insist(&message.message_id, &news).await;
        match failure.class {
            Class::OptedOut => TextOutcome::OptedOut,
            Class::Invalid | Class::NotTextable => {
                TextOutcome::not_textable(failure.class.as_str())
            }
            class => TextOutcome::failed(class.as_str()),
        }
    }
}

/// After hang-up: 30 s, 2 min, 10 min, each a little earlier or later; never before the provider
/// wants it.
fn next_try_ms(attempt: i64, after: Option<Duration>) -> i64 {
    let pause = match attempt {
        ..=1 => Duration::from_secs(30),
        2 => Duration::from_secs(120),
        _ => Duration::from_secs(600),
    };
    let wait = jittered(pause).max(after.unwrap_or_default());
    i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 4)
}

/// ±20 %.
pub(super) fn jittered(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    pause.mul_f64(0.8 + 0.4 * f64::from(random) / f64::from(u32::MAX))
}

fn letter(order: &TextOrder) -> Letter {
    Letter {
        text: order.text.clone(),
        via: order.via.clone(),
        duplicate: order.allow_one_duplicate,
        attempt_ms: order.attempt_ms,
        language: order.language.clone(),
        link: order.link.clone(),
        link_token: order.link_token.clone(),
        brand: order.brand.clone(),
        topic: Some(order.topic.clone()),
    }
}

/// A claim outlives the wait of its caller by so much.
fn lease_ms(order: &TextOrder) -> i64 {
    let lease = ms(order.accept_within_ms) + LEASE_SLACK;
    i64::try_from(lease.as_millis()).unwrap_or(i64::MAX / 4)
}

fn valid_until(order: &TextOrder, now: i64) -> i64 {
    let valid = now + i64::from(order.valid_minutes) * 60_000;
    order.not_after_ms.map_or(valid, |at| valid.min(at))
}

/// The same text of the same call to the same number has one key; after a failure, a new one.
fn idem_key(order: &TextOrder, dest_key: &str, failed: i64) -> String {
    let parts = [
        order.call.call_id.as_str(),
        &order.step,
        &order.purpose,
        dest_key,
        &order.links.join("+"),
        &failed.to_string(),
    ];
    hex::encode(Sha256::digest(parts.join("|")))
}

/// An id whose order is the order of time.
pub(super) fn new_id(now_ms: i64) -> String {
    let now = u64::try_from(now_ms).unwrap_or(0);
    let nanos = u32::try_from(now % 1_000).unwrap_or(0) * 1_000_000;
    Uuid::new_v7(Timestamp::from_unix(NoContext, now / 1_000, nanos)).to_string()
}

pub(super) fn ms(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}
