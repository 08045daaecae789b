//! What has to be done now and then, whether anybody asks or not.

use std::{sync::Arc, time::Duration};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{mpsc, oneshot};

use deflect_actions::store::Store;

use crate::{
    config::{Codec, Snapshot},
    switchboard::Ask,
};

const EVERY: Duration = Duration::from_secs(5);
/// Calls, legs, transactions and sessions: fewer are not worth the work.
const WORTH_IT: usize = 1_000;
/// After so many quiet looks a busy time is over.
const QUIET: u32 = 3;

/// Folds samples of histograms, which would pile up where nobody reads `/metrics`, and gives
/// memory back after a busy time. Ends with the switchboard.
pub(super) async fn keep_house(
    metrics: PrometheusHandle,
    store: Store,
    asks: mpsc::WeakSender<Ask>,
) {
    let (mut peak, mut quiet) = (0, 0);
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        metrics.run_upkeep();
        let (reply, gauges) = oneshot::channel();
        let Some(asks) = asks.upgrade() else { return };
        if asks.send(Ask::Gauges(reply)).await.is_err() {
            return;
        }
        drop(asks);
        let Ok(gauges) = gauges.await else { return };
        let now = gauges.calls + gauges.legs + gauges.transactions + gauges.sessions;
        quiet = if peak >= WORTH_IT && now < peak / 4 { quiet + 1 } else { 0 };
        peak = peak.max(now);
        if quiet == QUIET {
            // A dead host must not keep the histograms from being folded.
            let _ = tokio::time::timeout(EVERY, store.rest()).await;
            // It takes locks that a busy node would wait for.
            let _ = tokio::task::spawn_blocking(give_back_memory).await;
            (peak, quiet) = (if now < WORTH_IT { 0 } else { now }, 0);
        }
    }
}

/// Free memory that the allocator may keep at the end of each of its heaps.
#[cfg(target_env = "gnu")]
const KEPT_FREE: libc::c_int = 256 << 10;

/// Bounds what the allocator keeps at the end of each thread's heap. Left to itself it raises the
/// bound to twice the largest block that was ever freed, and `malloc_trim` leaves the end of all
/// heaps but the first alone.
pub(super) fn bound_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it sets a number of the allocator's own under the allocator's own lock.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_FREE);
    }
}

/// The allocator keeps what was freed in the middle of its heaps, for good if it is not asked.
fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes the allocator's own locks and touches freed memory only.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Where legs may speak G.722, makes the prompts' forms in it, beside the calls.
pub(super) fn widen_prompts(snapshot: &Snapshot) {
    if !snapshot.config.media.codecs.contains(&Codec::G722) {
        return;
    }
    let prompts = Arc::clone(&snapshot.prompts);
    let thread = std::thread::Builder::new().name("prompts".to_owned());
    if let Err(error) = thread.spawn(move || prompts.widen()) {
        tracing::warn!(%error, "prompts are played in G.711's band to legs in G.722");
    }
}
