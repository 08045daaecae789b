//! Whether the destinations of links work: each `check_url` is fetched now and then, and a link
//! whose checks fail is not offered until they pass again (EX-05, DP-07).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use deflect_actions::{
    destination::{CERTIFICATE_MS, Probe, probe},
    store::Store,
};
use ivr_runtime::flow::model::{Flow, Link};
use tokio::task::JoinHandle;

use super::clock::wall_ms;

/// A check is given this long.
const WITHIN: Duration = Duration::from_secs(5);
/// Failures in a row after which a destination is down.
const FAILURES: u32 = 3;

/// What the checks say, and the tasks that make them. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct LinkHealth(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    states: RwLock<BTreeMap<String, State>>,
    checking: Mutex<BTreeMap<Checked, JoinHandle<()>>>,
}

/// What is checked: the same address for several links is asked once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Checked {
    url: String,
    /// Name of the first link that has it, for the rows and the log.
    link: String,
    every: Duration,
}

/// What is known of an address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct State {
    passed_ms: Option<i64>,
    failures: u32,
    cert_until_ms: Option<i64>,
    every_ms: i64,
}

impl State {
    fn is_up(&self, now_ms: i64) -> bool {
        // What was not checked for so long is not known to work (DP-07).
        let silence_ms = (self.every_ms + 5_000) * i64::from(FAILURES);
        self.passed_ms.is_some_and(|at| now_ms - at <= silence_ms)
            && self.failures < FAILURES
            && self.cert_until_ms.is_none_or(|until| until - now_ms >= CERTIFICATE_MS)
    }

    fn take(&mut self, probe: &Probe, now_ms: i64) {
        self.cert_until_ms = probe.cert_until_ms.or(self.cert_until_ms);
        if probe.ok {
            (self.passed_ms, self.failures) = (Some(now_ms), 0);
        } else {
            self.failures = self.failures.saturating_add(1);
        }
    }
}

impl LinkHealth {
    /// From now on the links of these flows are checked; what is as before goes on.
    pub fn reconfigure(&self, flows: &[Arc<Flow>], store: &Store) {
        let wanted = checked(flows);
        let mut checking = self.0.checking.lock().unwrap_or_else(PoisonError::into_inner);
        checking.retain(|one, task| {
            let stays = wanted.contains(one);
            if !stays {
                task.abort();
                self.change(|states| states.remove(&one.url));
            }
            stays
        });
        for one in wanted {
            let check = || tokio::spawn(self.clone().check(one.clone(), store.clone()));
            checking.entry(one.clone()).or_insert_with(check);
        }
    }

    /// The links of a flow whose destination does not work, or is not known to.
    pub fn down(&self, flow: &Flow) -> Vec<String> {
        let states = self.0.states.read().unwrap_or_else(PoisonError::into_inner);
        let now = wall_ms();
        let is_down = |link: &&Link| {
            let url = link.check_url.as_ref();
            url.is_some_and(|url| !states.get(url).is_some_and(|state| state.is_up(now)))
        };
        flow.links.iter().filter(is_down).map(|link| link.name.clone()).collect()
    }

    async fn check(self, one: Checked, store: Store) {
        let every_ms = i64::try_from(one.every.as_millis()).unwrap_or(i64::MAX / 8);
        let mut state = State { every_ms, ..State::default() };
        let mut was_up = None;
        loop {
            let probe = probe(&one.url, WITHIN).await;
            let now = wall_ms();
            state.take(&probe, now);
            self.change(|states| states.insert(one.url.clone(), state));
            let is_up = state.is_up(now);
            metrics::gauge!("carom_link_up", "link" => one.link.clone())
                .set(f64::from(u8::from(is_up)));
            let why = probe.note.unwrap_or("certificate");
            match was_up {
                Some(false) | None if is_up => {
                    tracing::info!(link = one.link, "the destination of the link works");
                }
                Some(true) if !is_up => {
                    tracing::error!(link = one.link, why, "link not offered: its checks fail");
                }
                None => tracing::warn!(link = one.link, why, "the first check of the link fails"),
                Some(_) => {}
            }
            was_up = Some(is_up);
            if let Err(error) = store.destination_checked(&one.link, &probe).await {
                tracing::warn!(%error, link = one.link, "a check of a link is not recorded");
            }
            tokio::time::sleep(one.every).await;
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<String, State>) -> T) {
        change(&mut self.0.states.write().unwrap_or_else(PoisonError::into_inner));
    }
}

fn checked(flows: &[Arc<Flow>]) -> Vec<Checked> {
    let mut all: Vec<Checked> = Vec::new();
    for link in flows.iter().flat_map(|flow| &flow.links) {
        let Some(url) = link.check_url.clone() else { continue };
        let every = Duration::from_secs(u64::from(link.check_seconds));
        match all.iter_mut().find(|one| one.url == url) {
            Some(one) => one.every = one.every.min(every),
            None => all.push(Checked { url, link: link.name.clone(), every }),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn probe(ok: bool, cert_until_ms: Option<i64>) -> Probe {
        Probe { ok, status: None, took: Duration::ZERO, cert_until_ms, note: None }
    }

    #[test]
    fn ex_05_three_failures_in_a_row_or_a_certificate_that_ends_soon_take_a_link_away() {
        let mut state = State { every_ms: 60_000, ..State::default() };
        assert!(!state.is_up(0), "nothing is known yet");
        state.take(&probe(true, Some(100 * DAY)), 0);
        assert!(state.is_up(0));
        for now in [60_000, 120_000] {
            state.take(&probe(false, None), now);
            assert!(state.is_up(now));
        }
        state.take(&probe(false, None), 180_000);
        assert!(!state.is_up(180_000));
        state.take(&probe(true, None), 240_000);
        assert!(state.is_up(240_000), "it recovers by itself");
        state.take(&probe(true, Some(14 * DAY)), 240_001);
        assert!(!state.is_up(240_001));
        state.take(&probe(true, Some(90 * DAY)), 300_000);
        assert!(state.is_up(300_000));
    }

    #[test]
    fn dp_07_without_a_passing_check_in_the_last_intervals_a_link_is_not_offered() {
        let mut state = State { every_ms: 60_000, ..State::default() };
        state.take(&probe(true, None), 0);
        assert!(state.is_up(195_000) && !state.is_up(195_001));
    }
}
