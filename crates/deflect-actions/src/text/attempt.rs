//! Sending: commit, then one sender after the other, each only after a definite failure.

use std::{sync::Arc, time::Duration};

use sha2::{Digest, Sha256};
use tokio::time::Instant;
use uuid::{NoContext, Timestamp, Uuid};

use super::{TextConfig, TextOrder, TextOutcome, TextService, check::Cleared};
use crate::{
    provider::{Accepted, Class, Failure, OutboundMessage, Provider, SendError, State},
    store::{
        StoreError,
        message::{Letter, NewMessage, News, Outgoing},
    },
};

/// Added to an order's budget for the lease of its claim.
pub(super) const LEASE_SLACK: Duration = Duration::from_secs(30);
/// An attempt with less time than this is not begun.
const SHORTEST: Duration = Duration::from_millis(100);
/// Between two rounds over the senders while the caller listens; it doubles.
const ROUND: Duration = Duration::from_millis(500);
/// Of the budget, the database gets at most this.
const COMMIT: Duration = Duration::from_secs(4);
/// With a duplicate allowed, evidence is waited for this long before it is used.
const EVIDENCE: Duration = Duration::from_millis(500);

/// What came of trying the senders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tried {
    Accepted {
        sender: String,
    },
    /// Definitely not sent; trying later may help.
    Later {
        after: Option<Duration>,
    },
    /// Definitely not sent, and trying again is pointless.
    Failed(Failure),
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
        let service = self.clone();
        let sending = tokio::spawn(async move { service.send_now(&config, order).await });
        // A task that died had committed or not: nobody knows.
        sending.await.unwrap_or(TextOutcome::Ambiguous)
    }

    async fn send_now(&self, config: &TextConfig, order: TextOrder) -> TextOutcome {
        let begin = Instant::now();
        let budget = ms(order.accept_within_ms);
        let until = begin + budget;
        let now = self.0.store.now_ms();
        let message_id = new_id(now);
        let check = self.check(&order, config, message_id.clone(), now);
        let cleared = match tokio::time::timeout(budget.min(COMMIT), check).await {
            Ok(Ok(cleared)) => cleared,
            Ok(Err(outcome)) => return outcome,
            Err(_) => {
                self.0.window.release(&message_id);
                return TextOutcome::failed("store");
            }
        };
        let commit = self.commit(&order, &cleared, now);
        match tokio::time::timeout(budget.min(COMMIT), commit).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "text not sent, it cannot be committed");
                self.0.window.release(&message_id);
                return TextOutcome::failed("store");
            }
            // Committed or not: if it was, it is sent when its lease has ended.
            Err(_) => return TextOutcome::Ambiguous,
        }
        let mut outgoing = Outgoing {
            message_id,
            business: order.call.business.clone(),
            to: cleared.to,
            letter: letter(&order),
            sender: None,
            attempt: 1,
            write_ms: None,
            created_ms: now,
            valid_until_ms: valid_until(&order, now),
        };
        let tried = self.try_until(&mut outgoing, config, until).await;
        self.conclude(&outgoing, tried).await
    }

    async fn commit(
        &self,
        order: &TextOrder,
        cleared: &Cleared,
        now: i64,
    ) -> Result<(), StoreError> {
        let store = &self.0.store;
        let failed = store.failed_like(&order.call.call_id, &order.step, &cleared.dest_key).await?;
        let lease = ms(order.accept_within_ms) + LEASE_SLACK;
        let new = NewMessage {
            message_id: cleared.message_id.clone(),
            idem_key: idem_key(order, &cleared.dest_key, failed),
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
            letter: letter(order),
            encoding: cleared.segments.encoding.as_str(),
            segments: i64::try_from(cleared.segments.count).unwrap_or(i64::MAX),
            now_ms: now,
            valid_until_ms: valid_until(order, now),
            lease_until_ms: now + i64::try_from(lease.as_millis()).unwrap_or(i64::MAX / 4),
        };
        store.commit_message(&new).await
    }

    /// Rounds over the senders until one accepts, or the time is over.
    async fn try_until(
        &self,
        message: &mut Outgoing,
        config: &TextConfig,
        until: Instant,
    ) -> Tried {
        let mut pause = ROUND;
        loop {
            let tried = self.try_once(message, config, until).await;
            let Tried::Later { after } = &tried else { return tried };
            let wait = after.unwrap_or_else(|| jittered(pause));
            if Instant::now() + wait + SHORTEST > until {
                return tried;
            }
            tokio::time::sleep(wait).await;
            pause *= 2;
        }
    }

    /// Each sender once.
    pub(super) async fn try_once(
        &self,
        message: &mut Outgoing,
        config: &TextConfig,
        until: Instant,
    ) -> Tried {
        let (mut worst, mut later, mut blocked) = (Failure::of(Class::Config), None, 0);
        let via = message.letter.via.clone();
        for (sender, provider) in config.senders_for(message.to.region(), &via) {
            let left = until.saturating_duration_since(Instant::now());
            let limit = ms(message.letter.attempt_ms).min(left);
            if limit < SHORTEST {
                later.get_or_insert(None);
                break;
            }
            let now = self.0.store.now_ms();
            let Some(turn) = self.0.throttle.turn(&sender.name, sender.per_second, now, limit)
            else {
                later.get_or_insert(None);
                continue;
            };
            tokio::time::sleep(turn).await;
            let failure = match self.write(message, sender, provider, limit - turn).await {
                Ok(accepted) => {
                    self.note_accepted(message, &sender.provider, accepted).await;
                    return Tried::Accepted { sender: sender.name.clone() };
                }
                Err(Unsent::Lost) => return Tried::Lost,
                Err(Unsent::Store) => {
                    later.get_or_insert(None);
                    break;
                }
                Err(Unsent::Send(SendError::Definite(failure))) => failure,
                Err(Unsent::Send(SendError::Ambiguous(_))) => {
                    match self.after_ambiguous(message, sender, provider, until).await {
                        // Its one duplicate is allowed: on to the next sender.
                        None => continue,
                        Some(tried) => return tried,
                    }
                }
            };
            self.note_definite(message, &sender.name, &failure).await;
            if !failure.class.others_may_try() {
                return Tried::Failed(failure);
            }
            if failure.class.may_pass() {
                later = Some(failure.retry_after.max(later.flatten()));
            }
            blocked += u8::from(failure.class == Class::Blocked);
            worst = failure;
            if blocked > 1 {
                break;
            }
        }
        match later {
            _ if message.write_ms.is_some() => Tried::Ambiguous,
            Some(after) => Tried::Later { after },
            None => Tried::Failed(worst),
        }
    }

    /// Commits that bytes may be written, then writes them.
    async fn write(
        &self,
        message: &Outgoing,
        sender: &super::Sender,
        provider: &Provider,
        limit: Duration,
    ) -> Result<Accepted, Unsent> {
        let writing = self.0.store.writing(&message.message_id, &sender.name, &sender.provider);
        match tokio::time::timeout(limit, writing).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Err(Unsent::Lost),
            Ok(Err(error)) => {
                tracing::warn!(%error, message = message.message_id, "write not committed");
                return Err(Unsent::Store);
            }
            Err(_) => return Err(Unsent::Store),
        }
        let outbound = outbound(message, &sender.from, self.0.store.now_ms());
        provider.send(outbound, limit).await.map_err(Unsent::Send)
    }

    /// Waits for evidence; `None` when the message may be sent once more.
    async fn after_ambiguous(
        &self,
        message: &mut Outgoing,
        sender: &super::Sender,
        provider: &Provider,
        until: Instant,
    ) -> Option<Tried> {
        let now = self.0.store.now_ms();
        message.write_ms = Some(now);
        metrics::counter!("carom_texts_ambiguous_total", "sender" => sender.name.clone())
            .increment(1);
        if let Err(error) = self.0.store.ambiguous(&message.message_id, now + 5_000).await {
            // Its lease ends, and it is found written.
            tracing::warn!(%error, message = message.message_id, "ambiguity not recorded");
        }
        let spare = message.letter.duplicate;
        let patience = if spare { until.min(Instant::now() + EVIDENCE) } else { until };
        if let Some(tried) = self.evidence(message, sender, provider, patience).await {
            return Some(tried);
        }
        if !spare {
            return Some(Tried::Ambiguous);
        }
        message.letter.duplicate = false;
        match self.0.store.keep_letter(&message.message_id, &message.letter).await {
            Ok(()) => None,
            Err(_) => Some(Tried::Ambiguous),
        }
    }

    /// A provider has it. When that cannot be recorded, the lease ends and the provider is asked.
    pub(super) async fn note_accepted(
        &self,
        message: &Outgoing,
        provider: &str,
        accepted: Accepted,
    ) {
        let news = News {
            provider_id: Some(&accepted.provider_id),
            segments: accepted.segments,
            ..News::of(State::Accepted)
        };
        metrics::counter!("carom_texts_accepted_total").increment(1);
        self.insist(&message.message_id, &news).await;
        if accepted.state != State::Accepted {
            self.insist(&message.message_id, &News::of(accepted.state)).await;
        }
        let early = self.0.store.early_receipts(provider, &accepted.provider_id).await;
        for state in early.unwrap_or_default() {
            self.insist(&message.message_id, &News::of(state)).await;
        }
    }

    /// Records news, trying a few times.
    pub(super) async fn insist(&self, message_id: &str, news: &News<'_>) {
        for wait in [100, 500, 2_000] {
            match self.0.store.take_news(message_id, news).await {
                Ok(_) => return self.0.news.notify_waiters(),
                Err(error) => {
                    tracing::warn!(%error, message_id, state = news.state.as_str(), "not recorded");
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                }
            }
        }
    }

    async fn note_definite(&self, message: &Outgoing, sender: &str, failure: &Failure) {
        let class = failure.class;
        metrics::counter!(
            "carom_text_attempts_failed_total",
            "sender" => sender.to_owned(), "class" => class.as_str()
        )
        .increment(1);
        if class.needs_operator() {
            tracing::error!(sender, %failure, "sender needs the operator");
        } else {
            tracing::info!(sender, %failure, message = message.message_id, "text not accepted");
        }
        let code = failure.code.as_deref();
        if let Err(error) = self.0.store.not_written(&message.message_id, class, code).await {
            tracing::warn!(%error, message = message.message_id, "failure not recorded");
        }
    }

    /// Puts the row where it belongs and says what the caller is to hear.
    pub(super) async fn conclude(&self, message: &Outgoing, tried: Tried) -> TextOutcome {
        match tried {
            Tried::Accepted { sender } => TextOutcome::Accepted { sender },
            Tried::Ambiguous | Tried::Lost => TextOutcome::Ambiguous,
            Tried::Later { after } => {
                let now = self.0.store.now_ms();
                let next = now + next_try_ms(message.attempt, after);
                if next >= message.valid_until_ms {
                    return self.fail(message, Failure::of(Class::Expired)).await;
                }
                match self.0.store.requeue(&message.message_id, next).await {
                    Ok(()) => {}
                    // Its lease ends, and it is found unwritten.
                    Err(error) => tracing::warn!(%error, "text not put back into the queue"),
                }
                TextOutcome::Queued
            }
            Tried::Failed(failure) => self.fail(message, failure).await,
        }
    }

    async fn fail(&self, message: &Outgoing, failure: Failure) -> TextOutcome {
        let news = News {
            class: Some(failure.class).filter(|class| *class != Class::Expired),
            code: failure.code.as_deref(),
            ..News::of(State::Failed)
        };
        self.insist(&message.message_id, &news).await;
        match failure.class {
            Class::OptedOut => {
                let done =
                    self.0.store.opt_out(&message.business, &message.to, "", "provider").await;
                if let Err(error) = done {
                    tracing::warn!(%error, "opt-out not recorded");
                }
                TextOutcome::OptedOut
            }
            Class::Invalid | Class::NotTextable => {
                TextOutcome::not_textable(failure.class.as_str())
            }
            class => TextOutcome::failed(class.as_str()),
        }
    }
}

/// Why an attempt has no answer.
enum Unsent {
    Lost,
    Store,
    Send(SendError),
}

pub(super) fn outbound<'a>(message: &'a Outgoing, from: &'a str, now: i64) -> OutboundMessage<'a> {
    let left = u64::try_from(message.valid_until_ms - now).unwrap_or(0);
    OutboundMessage {
        message_id: &message.message_id,
        from,
        to: &message.to,
        text: &message.letter.text,
        valid_for: Duration::from_millis(left.max(1_000)),
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
fn jittered(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    pause.mul_f64(0.8 + 0.4 * f64::from(random) / f64::from(u32::MAX))
}

fn letter(order: &TextOrder) -> Letter {
    Letter {
        text: order.text.clone(),
        via: order.via.clone(),
        duplicate: order.allow_one_duplicate,
        attempt_ms: order.attempt_ms,
    }
}

fn valid_until(order: &TextOrder, now: i64) -> i64 {
    now + i64::from(order.valid_minutes) * 60_000
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
fn new_id(now_ms: i64) -> String {
    let now = u64::try_from(now_ms).unwrap_or(0);
    let nanos = u32::try_from(now % 1_000).unwrap_or(0) * 1_000_000;
    Uuid::new_v7(Timestamp::from_unix(NoContext, now / 1_000, nanos)).to_string()
}

fn ms(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}
