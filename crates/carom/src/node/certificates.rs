//! How long the certificates of our listeners and of the HTTP side last: as a metric, in the status, and once a day in
//! the log in their last weeks.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use serde_json::{Value, json};

use super::clock::wall_ms;
use crate::config::{Config, DAY_MS, Snapshot};

/// Between two looks: a reload may have brought another certificate.
const LOOK: Duration = Duration::from_secs(10);

/// Keeps the metric, and says each day which certificates end soon. What is read at the start or by
/// a reload has been told of then.
pub(super) async fn watch(served: Arc<ArcSwap<Snapshot>>) {
    let mut every = tokio::time::interval(LOOK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut daily = Daily { last_ms: wall_ms() };
    loop {
        every.tick().await;
        let (snapshot, now_ms) = (served.load_full(), wall_ms());
        for (listener, until_ms) in ends(&snapshot.config) {
            metrics::gauge!("carom_certificate_left_days", "listener" => listener)
                .set((until_ms - now_ms) as f64 / DAY_MS as f64);
        }
        if daily.is_due(now_ms) {
            for told in snapshot.config.certificates().filter_map(|one| one.ends_soon(now_ms)) {
                tracing::warn!("{told}");
            }
        }
    }
}

/// The certificates, for the status.
pub(super) fn status(config: &Config) -> Value {
    let now_ms = wall_ms();
    let one = |(listener, until_ms): (String, i64)| {
        let days_left = (until_ms - now_ms).div_euclid(DAY_MS);
        json!({ "listener": listener, "ends_ms": until_ms, "days_left": days_left })
    };
    ends(config).map(one).collect()
}

/// Address and end of each, ms UTC.
fn ends(config: &Config) -> impl Iterator<Item = (String, i64)> {
    config.certificates().filter_map(|one| Some((one.at.to_string(), one.ends_ms()?)))
}

/// Once a day.
struct Daily {
    last_ms: i64,
}

impl Daily {
    fn is_due(&mut self, now_ms: i64) -> bool {
        let is_due = now_ms - self.last_ms >= DAY_MS;
        if is_due {
            self.last_ms = now_ms;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_said_once_a_day_and_not_at_the_start() {
        let mut daily = Daily { last_ms: 0 };
        let hours = (0..100).filter(|hour| daily.is_due(hour * DAY_MS / 24));
        assert_eq!(hours.collect::<Vec<_>>(), [24, 48, 72, 96]);
    }
}
