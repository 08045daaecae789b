//! Sources of waiting times: each is asked on its own, and calls take what was told last.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use deflect_actions::web::{Answer, Ask, Web};
use ivr_runtime::call::Told;
use tokio::task::JoinHandle;

use super::clock::wall_ms;
use crate::config::{Source, SourceKind};

/// What the sources told, and the tasks that ask them. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Sources(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    told: RwLock<BTreeMap<String, Told>>,
    asking: Mutex<BTreeMap<String, Asked>>,
}

/// A source, and the task that asks it where it is asked.
type Asked = (Source, Option<JoinHandle<()>>);

impl Sources {
    /// From now on these are the sources; those that are as before go on.
    pub fn reconfigure(&self, sources: &[Source], web: &Web) {
        let mut asking = self.0.asking.lock().unwrap_or_else(PoisonError::into_inner);
        asking.retain(|name, (before, task)| {
            let stays = sources.iter().any(|source| source == before);
            if !stays {
                if let Some(task) = task {
                    task.abort();
                }
                self.change(|told| told.remove(name));
            }
            stays
        });
        for source in sources {
            if asking.contains_key(&source.name) {
                continue;
            }
            self.change(|told| told.insert(source.name.clone(), nothing_from(source)));
            let task = matches!(source.kind, SourceKind::Http { .. })
                .then(|| tokio::spawn(self.clone().ask(source.clone(), web.clone())));
            asking.insert(source.name.clone(), (source.clone(), task));
        }
    }

    /// What all of them told last.
    pub fn told(&self) -> BTreeMap<String, Told> {
        self.0.told.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A source was told to us; `false`: there is none of that name that is told.
    pub fn tell(&self, name: &str, wait_seconds: Option<u32>, agents: Option<u32>) -> bool {
        let asking = self.0.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((source, _)) = asking.get(name).filter(|(s, _)| s.kind == SourceKind::Api) else {
            return false;
        };
        self.take(source, wait_seconds, agents);
        true
    }

    fn take(&self, source: &Source, wait_seconds: Option<u32>, agents_available: Option<u32>) {
        let stale = i64::try_from(source.stale.as_millis()).unwrap_or(i64::MAX / 4);
        let until_ms = wall_ms() + stale;
        let told = Told { wait_seconds, agents_available, until_ms, ..nothing_from(source) };
        self.change(|all| all.insert(source.name.clone(), told));
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Told>) -> T) {
        change(&mut self.0.told.write().unwrap_or_else(PoisonError::into_inner));
    }

    async fn ask(self, source: Source, web: Web) {
        let SourceKind::Http { url, token, wait_at, agents_at } = &source.kind else { return };
        let named = [("wait", wait_at), ("agents", agents_at)];
        let save = named.into_iter().filter_map(|(name, at)| Some((name.to_owned(), at.clone()?)));
        let ask = Ask {
            post: false,
            url: url.clone(),
            token: token.as_ref().map(|token| token.reveal().to_owned()),
            system: None,
            body: BTreeMap::new(),
            idempotency_key: None,
            within: source.timeout,
            keep: Duration::ZERO,
            who: source.name.clone(),
            save: save.collect(),
        };
        let mut was_up = true;
        loop {
            let told = match web.ask(ask.clone()).await {
                Answer::Values(values) => Ok(values),
                Answer::Failed(why) => Err(why),
            };
            metrics::gauge!("carom_source_up", "source" => source.name.clone())
                .set(f64::from(u8::from(told.is_ok())));
            match told {
                Ok(values) => {
                    if !was_up {
                        tracing::info!(source = source.name, "source answers again");
                    }
                    was_up = true;
                    let number = |name| values.get(name).and_then(|text| whole(text));
                    self.take(&source, number("wait"), number("agents"));
                }
                Err(why) => {
                    if was_up {
                        tracing::warn!(source = source.name, why, "source does not answer");
                    }
                    was_up = false;
                }
            }
            tokio::time::sleep(source.every).await;
        }
    }
}

/// What holds while a source has told nothing.
fn nothing_from(source: &Source) -> Told {
    Told {
        later_wait_seconds: source.default_wait,
        later_agents_available: source.default_agents,
        until_ms: i64::MIN,
        ..Told::default()
    }
}

/// A number as counts are told; halves of a second are rounded.
fn whole(text: &str) -> Option<u32> {
    let number: f64 = text.parse().ok()?;
    (number.is_finite() && (0.0..=4e9).contains(&number)).then(|| number.round() as u32)
}
