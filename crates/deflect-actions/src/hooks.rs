//! Webhooks of the business: events are posted to them until they are taken, signed, at least
//! once, each with an id that stays the same.
//!
//! Headers and signature are those of the Standard Webhooks specification: `webhook-id`,
//! `webhook-timestamp` (seconds), `webhook-signature: v1,` and the base64 of the HMAC-SHA256 of
//! `id.timestamp.body`.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinHandle,
};

use crate::{
    http,
    store::{Store, StoreError, Subscription, Waiting},
};

/// Between two looks at what waits.
const LOOK: Duration = Duration::from_millis(500);
/// Once there is room again, further requests may end before one looks what waits.
const GATHER: Duration = Duration::from_millis(5);
/// Between two looks while the database is down.
const DOWN: Duration = Duration::from_secs(5);
/// A webhook answers within this time.
const ANSWER: Duration = Duration::from_secs(10);
/// Requests to one webhook at once.
const AT_ONCE: usize = 8;
/// A claim is its claimer's for so long: for its answer, and to write it down. What a process held
/// that was killed is told by the next one after it.
const LEASE: Duration = Duration::from_secs(15);
/// After each failure it is tried again so much later; then as after the last.
const AGAIN: [Duration; 6] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(20 * 60),
    Duration::from_secs(60 * 60),
];
/// An event that nobody has taken for so long is given up, ms.
const GIVEN_UP_MS: i64 = 3 * 86_400_000;
/// Between two sweeps, ms.
const SWEEP_MS: i64 = 10 * 60_000;

/// A webhook of the configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct Hook {
    /// Where events are posted to.
    pub url: String,
    /// Signs them.
    pub secret: Vec<u8>,
    /// Kinds that it wants; `*` for all.
    pub kinds: Vec<String>,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hook").field("url", &self.url).field("kinds", &self.kinds).finish()
    }
}

/// One webhook at work: what it is, and how many requests it has left.
#[derive(Debug)]
struct Line {
    hook: Hook,
    name: String,
    free: Arc<Semaphore>,
}

/// Tells events. Clones share it.
#[derive(Debug, Clone)]
pub struct Hooks {
    store: Store,
    lines: Arc<RwLock<Arc<Vec<Arc<Line>>>>>,
    /// A request has ended.
    room: Arc<Notify>,
}

impl Hooks {
    /// Those of `hooks`, over the events of `store`. Nothing is told until [`Self::start`] runs.
    #[must_use]
    pub fn new(store: Store, hooks: Vec<Hook>) -> Self {
        let all = Self { store, lines: Arc::default(), room: Arc::default() };
        all.reconfigure(hooks);
        all
    }

    /// From now on tells these. What waits for a webhook that is gone is given up in time.
    pub fn reconfigure(&self, hooks: Vec<Hook>) {
        let line = |hook: Hook| {
            let name = Subscription::of(&hook.url, &hook.kinds).hook;
            Arc::new(Line { hook, name, free: Arc::new(Semaphore::new(AT_ONCE)) })
        };
        let wants = hooks.iter().map(|hook| Subscription::of(&hook.url, &hook.kinds)).collect();
        let lines = Arc::new(hooks.into_iter().map(line).collect());
        *self.lines.write().unwrap_or_else(PoisonError::into_inner) = lines;
        self.store.subscribe(wants);
    }

    /// Starts the task that tells them.
    pub fn start(&self) -> JoinHandle<()> {
        let hooks = self.clone();
        let mut swept_ms = self.store.now_ms();
        tokio::spawn(async move {
            loop {
                match hooks.look(&mut swept_ms).await {
                    Ok(false) => tokio::time::sleep(LOOK).await,
                    // More may wait than there was room for.
                    Ok(true) => {
                        let _ = tokio::time::timeout(LOOK, hooks.room.notified()).await;
                        tokio::time::sleep(GATHER).await;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "webhooks: the store fails");
                        tokio::time::sleep(DOWN).await;
                    }
                }
            }
        })
    }

    /// Tells what is due; `true`: for some webhook as much as there was room for.
    async fn look(&self, swept_ms: &mut i64) -> Result<bool, StoreError> {
        let lines = Arc::clone(&self.lines.read().unwrap_or_else(PoisonError::into_inner));
        // What waits for webhooks that are gone is swept all the same.
        let sweeps = self.store.now_ms() - *swept_ms >= SWEEP_MS;
        if lines.is_empty() && !sweeps {
            return Ok(false);
        }
        self.store.prepare().await?;
        let mut is_full = false;
        for line in lines.iter() {
            // What is claimed is tried at once: as many as there is room for.
            let free = i64::try_from(line.free.available_permits()).unwrap_or(0);
            if free == 0 {
                is_full = true;
                continue;
            }
            let claimed = self.store.claim_events(&line.name, LEASE, free).await?;
            is_full |= i64::try_from(claimed.len()) == Ok(free);
            for event in claimed {
                let Ok(permit) = Arc::clone(&line.free).try_acquire_owned() else { break };
                let (store, line) = (self.store.clone(), Arc::clone(line));
                let room = Arc::clone(&self.room);
                tokio::spawn(async move {
                    if let Err(error) = tell(&store, &line.hook, &event).await {
                        tracing::warn!(%error, event = event.event_id, "webhooks: the store fails");
                    }
                    drop(permit);
                    room.notify_one();
                });
            }
        }
        if sweeps {
            let lost = self.store.expire_events(self.store.now_ms() - GIVEN_UP_MS).await?;
            *swept_ms = self.store.now_ms();
            if lost > 0 {
                metrics::counter!("carom_webhook_events_lost_total").increment(lost);
                tracing::error!(lost, "webhooks: events that nobody took for 3 days are given up");
            }
        }
        Ok(is_full)
    }
}

/// One try.
async fn tell(store: &Store, hook: &Hook, event: &Waiting) -> Result<(), StoreError> {
    let now_s = store.now_ms() / 1_000;
    let why = match post(&hook.url, &hook.secret, &event.event_id, &event.body, now_s).await {
        Ok(()) => {
            metrics::counter!("carom_webhook_events_total", "outcome" => "taken").increment(1);
            return store.drop_event(event).await;
        }
        Err(why) => why,
    };
    metrics::counter!("carom_webhook_events_total", "outcome" => "failed").increment(1);
    tracing::warn!(event = event.event_id, url = hook.url, why, "webhook did not take an event");
    store.put_event_off(event, store.now_ms() + again_ms(event.attempt.max(1) - 1)).await
}

/// When what was not taken is told again, after so many failures before, ms.
#[must_use]
pub fn again_ms(failures: i64) -> i64 {
    let failures = usize::try_from(failures).unwrap_or(0);
    let again = AGAIN[failures.min(AGAIN.len() - 1)];
    i64::try_from(again.as_millis()).unwrap_or(i64::MAX / 4)
}

/// The key of a webhook's signatures, as its secret is written: what follows `whsec_` is base64.
///
/// # Errors
/// It is none.
pub fn key(secret: &str) -> Result<Vec<u8>, base64::DecodeError> {
    match secret.strip_prefix("whsec_") {
        None => Ok(secret.as_bytes().to_vec()),
        Some(coded) => BASE64_STANDARD.decode(coded),
    }
}

/// Posts `body` once, signed and under `id`, for 10 s at most.
///
/// # Errors
/// Why it was not taken, in words.
pub async fn post(
    url: &str,
    secret: &[u8],
    id: &str,
    body: &str,
    now_s: i64,
) -> Result<(), String> {
    let client = http::client().ok_or("no HTTP client")?;
    let request = client
        .post(url)
        .timeout(ANSWER)
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", now_s.to_string())
        .header("webhook-signature", signature(secret, id, now_s, body))
        .body(body.to_owned());
    match request.send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("answered {}", answer.status())),
        Err(error) => Err(error.without_url().to_string()),
    }
}

fn signature(secret: &[u8], id: &str, at_s: i64, body: &str) -> String {
    // HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length of key is taken");
    mac.update(format!("{id}.{at_s}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification's reference libraries.
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let secret = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(
            &secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            "{\"test\": 2432232314}",
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
