//! Sources of waiting times: each is asked on its own, and calls take what was told last. Those
//! that are queues of a PBX also tell the switchboard when a person takes a call.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use deflect_actions::{
    queue::{self, News, Report, Settings},
    web::{self, Answer, Web},
};
use ivr_runtime::{
    call::Told,
    flow::model::{Flow, HumanSignal},
};
use tokio::{sync::mpsc, task::JoinHandle};

use super::clock::wall_ms;
use crate::{
    config::{Source, SourceKind},
    switchboard::{Answered, Ask},
};

/// News of a queue that may wait to be heard.
const NEWS: usize = 256;

/// What the sources told, and the tasks that ask them. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Sources(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    told: RwLock<BTreeMap<String, Told>>,
    asking: Mutex<BTreeMap<String, Asked>>,
    /// Sources by which targets are told of persons, and that are not heard now.
    deaf: Mutex<BTreeMap<String, HumanSignal>>,
    /// Who is told of persons who take calls.
    board: RwLock<Option<mpsc::WeakSender<Ask>>>,
}

/// A source, and the task that asks it where it is asked.
type Asked = (Source, Option<JoinHandle<()>>);

impl Sources {
    /// Whoever takes a call is told here.
    pub fn connect(&self, board: mpsc::WeakSender<Ask>) {
        *self.0.board.write().unwrap_or_else(PoisonError::into_inner) = Some(board);
    }

    /// From now on these are the sources of these flows; those that are as before go on.
    pub fn reconfigure(&self, sources: &[Source], flows: &[Arc<Flow>], web: &Web) {
        let sources: Vec<Source> = sources.iter().map(|source| wanted(source, flows)).collect();
        let mut asking = self.0.asking.lock().unwrap_or_else(PoisonError::into_inner);
        asking.retain(|name, (before, task)| {
            let stays = sources.iter().any(|source| source == before);
            if !stays {
                if let Some(task) = task {
                    task.abort();
                }
                self.change(|told| told.remove(name));
                self.deaf().remove(name);
                // What its calls wait for comes no more, or past another connection.
                if let (Some(by), Some(board)) = (signal(before), self.board()) {
                    tokio::spawn(async move { board.send(Ask::SignalLost(by)).await });
                }
            }
            stays
        });
        for source in &sources {
            if asking.contains_key(&source.name) {
                continue;
            }
            self.change(|told| told.insert(source.name.clone(), nothing_from(source)));
            let task = match &source.kind {
                SourceKind::Http { .. } => {
                    Some(tokio::spawn(self.clone().ask(source.clone(), web.clone())))
                }
                SourceKind::Queue(settings) => {
                    if let Some(by) = signal(source) {
                        self.deaf().insert(source.name.clone(), by);
                    }
                    Some(tokio::spawn(self.clone().follow(source.clone(), settings.clone())))
                }
                SourceKind::Options { .. } | SourceKind::Api => None,
            };
            asking.insert(source.name.clone(), (source.clone(), task));
        }
    }

    /// What all of them told last.
    pub fn told(&self) -> BTreeMap<String, Told> {
        self.0.told.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a person may take a call now whom this signal does not tell of: its source is not
    /// heard, or there is none since a reload.
    pub fn misses(&self, by: &HumanSignal) -> bool {
        let is_deaf = self.deaf().values().any(|deaf| deaf == by);
        let is_of_source = matches!(by, HumanSignal::Ami | HumanSignal::Esl);
        is_deaf || (is_of_source && !self.follows(by))
    }

    fn follows(&self, by: &HumanSignal) -> bool {
        let asking = self.0.asking.lock().unwrap_or_else(PoisonError::into_inner);
        asking.values().any(|(source, _)| signal(source).as_ref() == Some(by))
    }

    /// A source was told to us; `false`: there is none of that name that is told.
    pub fn tell(&self, name: &str, wait_seconds: Option<u32>, agents: Option<u32>) -> bool {
        let asking = self.0.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((source, _)) = asking.get(name).filter(|(s, _)| s.kind == SourceKind::Api) else {
            return false;
        };
        self.take(source, Report { wait_seconds, agents_available: agents, callers_waiting: None });
        true
    }

    fn take(&self, source: &Source, report: Report) {
        let Report { wait_seconds, agents_available, callers_waiting } = report;
        let stale = i64::try_from(source.stale.as_millis()).unwrap_or(i64::MAX / 4);
        let until_ms = wall_ms() + stale;
        let told = Told {
            wait_seconds,
            agents_available,
            callers_waiting,
            until_ms,
            ..nothing_from(source)
        };
        self.change(|all| all.insert(source.name.clone(), told));
        let name = || source.name.clone();
        // What it does not say shows as no number.
        let shown = |told: Option<u32>| told.map_or(f64::NAN, f64::from);
        metrics::gauge!("carom_source_wait_seconds", "source" => name()).set(shown(wait_seconds));
        metrics::gauge!("carom_source_agents_available", "source" => name())
            .set(shown(agents_available));
        metrics::gauge!("carom_source_callers_waiting", "source" => name())
            .set(shown(callers_waiting));
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Told>) -> T) {
        change(&mut self.0.told.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn deaf(&self) -> MutexGuard<'_, BTreeMap<String, HumanSignal>> {
        self.0.deaf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the source is not heard, and calls that wait for its signal are told.
    async fn lose(&self, source: &Source) {
        let Some(by) = signal(source) else { return };
        let was_heard = self.deaf().insert(source.name.clone(), by.clone()).is_none();
        if let Some(board) = self.board().filter(|_| was_heard) {
            let _ = board.send(Ask::SignalLost(by)).await;
        }
    }

    fn board(&self) -> Option<mpsc::Sender<Ask>> {
        let board = self.0.board.read().unwrap_or_else(PoisonError::into_inner);
        board.as_ref().and_then(mpsc::WeakSender::upgrade)
    }

    /// Hears what a queue tells, for as long as it is one of the sources.
    async fn follow(self, source: Source, settings: Settings) {
        let by = source.kind.signal().unwrap_or(HumanSignal::None);
        let (tell, mut news) = mpsc::channel(NEWS);
        let following = queue::follow(settings, tell);
        let hearing = async {
            let mut was_up = true;
            while let Some(told) = news.recv().await {
                match told {
                    News::Told(report) => {
                        self.deaf().remove(&source.name);
                        was_up = state(&source, was_up, None);
                        self.take(&source, report);
                    }
                    News::Down(why) => {
                        self.deaf().remove(&source.name);
                        was_up = state(&source, was_up, Some(&why));
                    }
                    News::Lost(why) => {
                        was_up = state(&source, was_up, Some(&why));
                        self.lose(&source).await;
                    }
                    News::Person(call) => {
                        let Some(board) = self.board() else { continue };
                        let answered = Answered { call, by: by.clone(), reply: None };
                        let _ = board.send(Ask::Answered(answered)).await;
                    }
                }
            }
        };
        // They share a task: a source that is no more ends both.
        tokio::join!(following, hearing);
    }

    async fn ask(self, source: Source, web: Web) {
        let SourceKind::Http { url, token, wait_at, agents_at } = &source.kind else { return };
        let named = [("wait", wait_at), ("agents", agents_at)];
        let save = named.into_iter().filter_map(|(name, at)| Some((name.to_owned(), at.clone()?)));
        let ask = web::Ask {
            post: false,
            url: url.clone().into(),
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
            was_up = state(&source, was_up, told.as_ref().err());
            if let Ok(values) = told {
                let number = |name| values.get(name).and_then(|text| whole(text));
                let report = Report {
                    wait_seconds: number("wait"),
                    agents_available: number("agents"),
                    callers_waiting: None,
                };
                self.take(&source, report);
            }
            tokio::time::sleep(source.every).await;
        }
    }
}

/// Says it when a source goes down or comes back; returns whether it is up.
fn state(source: &Source, was_up: bool, down: Option<&String>) -> bool {
    let is_up = down.is_none();
    metrics::gauge!("carom_source_up", "source" => source.name.clone())
        .set(f64::from(u8::from(is_up)));
    match down {
        None if !was_up => tracing::info!(source = source.name, "source answers again"),
        Some(why) if was_up => tracing::warn!(source = source.name, why, "source does not answer"),
        _ => {}
    }
    is_up
}

/// The source as these flows need it: signals are heard only where a target waits for them.
fn wanted(source: &Source, flows: &[Arc<Flow>]) -> Source {
    let mut source = source.clone();
    let signal = source.kind.signal();
    let mut targets = flows.iter().flat_map(|flow| &flow.targets);
    if let SourceKind::Queue(settings) = &mut source.kind {
        settings.signals = targets.any(|target| Some(&target.human_signal) == signal.as_ref());
    }
    source
}

/// What a source tells persons by, where a target waits for that.
fn signal(source: &Source) -> Option<HumanSignal> {
    let SourceKind::Queue(Settings { signals: true, .. }) = &source.kind else { return None };
    source.kind.signal()
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
