//! What goes on when no caller listens: retries, settling, recovery, erasing.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinHandle, time::Instant};

use super::{TextService, attempt::LEASE_SLACK};
use crate::{
    provider::{Class, Failure},
    store::{RATING, StoreError, message::FOLLOW_UP},
};

/// A text whose opt-out list has another key is looked at again after so long, ms.
const LOST_LIST_MS: i64 = 60_000;
/// Between two looks at the queue.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks while the database is down.
const DOWN: Duration = Duration::from_secs(5);
/// Attempts at once.
const ATTEMPTS: usize = 16;
/// Questions about ambiguous messages at once: a provider that hangs holds up nothing else.
const QUESTIONS: usize = 8;
/// An accepted message without a receipt for so long is unknown, ms.
const SILENT_MS: i64 = 15 * 60_000;
/// Looks between two erasures, and between two sweeps.
const ERASE_EVERY: u64 = 60;
const SWEEP_EVERY: u64 = 3_600;
/// Looks between two for what nodes that died had promised; the first is one.
const PROMISES_EVERY: u64 = 10;
/// Looks between two for senders that other nodes have paused; the first is one.
const PAUSES_EVERY: u64 = 5;
/// Looks between two for texts whose price is not told.
const PRICES_EVERY: u64 = 5;

impl TextService {
    /// Starts the background task: takes back what earlier starts left, retries, settles,
    /// erases. Abort the handle to end it; claims it leaves are taken back later.
    pub fn start(&self) -> JoinHandle<()> {
        self.watch(0)
    }

    /// The task, after so many looks.
    fn watch(&self, mut looks: u64) -> JoinHandle<()> {
        let service = self.clone();
        tokio::spawn(async move {
            // A whole day's texts may take longer to read than an order waits.
            let (store, now) = (&service.0.store, service.0.store.now_ms());
            let read = async {
                store.prepare().await?;
                service.0.window.keep_up(store, &service.config(), now).await
            };
            if let Err(error) = read.await {
                tracing::warn!(%error, "what was sent today is read with the first text");
            }
            let attempts = Arc::new(Semaphore::new(ATTEMPTS));
            let questions = Arc::new(Semaphore::new(QUESTIONS));
            let (asking, sweeping) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
            loop {
                let pause = match service.look(&attempts, &questions, &asking, looks).await {
                    Ok(()) => {
                        if looks % SWEEP_EVERY == SWEEP_EVERY - 1 {
                            service.sweep(&sweeping);
                        }
                        LOOK
                    }
                    Err(error) => {
                        tracing::warn!(%error, "outbox: the store fails");
                        DOWN
                    }
                };
                looks += 1;
                let _ = tokio::time::timeout(pause, service.0.due.notified()).await;
            }
        })
    }

    /// One look at all that is due, without waiting for the attempts it starts.
    async fn look(
        &self,
        attempts: &Arc<Semaphore>,
        questions: &Arc<Semaphore>,
        asking: &Arc<Semaphore>,
        looks: u64,
    ) -> Result<(), StoreError> {
        let store = &self.0.store;
        store.prepare().await?;
        store.take_back().await?;
        store.expire(SILENT_MS).await?;
        self.settle_due(questions).await?;
        if looks.is_multiple_of(PAUSES_EVERY) {
            self.take_pauses().await?;
        }
        if looks.is_multiple_of(PROMISES_EVERY) {
            store.finish_imports().await?;
            store.look_at_opt_out_keys().await?;
            self.keep_promises_of_the_dead().await?;
        }
        if looks.is_multiple_of(PRICES_EVERY) {
            self.ask_prices(asking);
        }
        if looks % ERASE_EVERY == ERASE_EVERY - 1 {
            store.erase_due().await?;
            store.close_unfinished().await?;
            store.compare_clocks().await?;
        }
        let free = i64::try_from(attempts.available_permits()).unwrap_or(0);
        if free == 0 {
            return Ok(());
        }
        for id in store.claim(lease(), free).await? {
            // Only this task takes permits, so each claim has one.
            let Ok(permit) = Arc::clone(attempts).try_acquire_owned() else { break };
            let service = self.clone();
            tokio::spawn(async move {
                if let Err(error) = service.retry(&id).await {
                    tracing::warn!(%error, message = id, "retry: the store fails");
                }
                drop(permit);
            });
        }
        Ok(())
    }

    /// Starts what each hour deletes, unless the last hour's still goes on: nothing waits for it.
    fn sweep(&self, sweeping: &Arc<Semaphore>) {
        let Ok(permit) = Arc::clone(sweeping).try_acquire_owned() else { return };
        let store = self.0.store.clone();
        tokio::spawn(async move {
            if let Err(error) = store.sweep().await {
                tracing::warn!(%error, "what is old is not deleted, the store fails");
            }
            drop(permit);
        });
    }

    /// One attempt at a claimed message.
    async fn retry(&self, id: &str) -> Result<(), StoreError> {
        let Some(mut message) = self.0.store.outgoing(id).await? else { return Ok(()) };
        let config = self.config();
        let store = &self.0.store;
        if store.is_opt_out_list_lost(&message.business) {
            // Nobody knows who wants none: it waits for the right key as long as it is good.
            let next_ms = store.now_ms() + LOST_LIST_MS;
            store.requeue(id, message.try_no, next_ms).await?;
            return Ok(());
        }
        if store.is_opted_out(&message.business, &message.to, &message.topic).await? {
            if [FOLLOW_UP, RATING].contains(&message.purpose.as_str()) {
                store.cancel(id, Class::OptedOut.as_str()).await?;
                return Ok(());
            }
            self.fail(&message, Failure::of(Class::OptedOut)).await;
            return Ok(());
        }
        if message.purpose == RATING
            && let Some(why) = store.is_settled(&message.call_id).await?
        {
            store.cancel(id, why).await?;
            return Ok(());
        }
        let until = Instant::now() + lease() - LEASE_SLACK;
        let tried = self.try_once(&mut message, &config, until, None).await;
        self.conclude(&message, tried).await;
        Ok(())
    }
}

fn lease() -> Duration {
    LEASE_SLACK + Duration::from_secs(15)
}

#[cfg(test)]
mod tests;
