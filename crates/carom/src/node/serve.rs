//! Serving requests and signals until the node has drained.

use std::{sync::Arc, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::Instant,
};

use super::{
    clock::wall_ms,
    run::{Node, record_flows},
    upkeep,
};
use crate::{
    config::Config,
    control::{Asked, Reply, Request},
    switchboard::Ask,
};

/// How often a draining node looks whether it is done.
const LOOK: Duration = Duration::from_millis(200);

/// Bytes in the name of who has flows served.
const LONGEST_AUTHOR: usize = 64;
/// Who that is where a signal asked for it.
const BY_SIGNAL: &str = "SIGHUP";

/// How far the node is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// Takes no new calls; ends with the last one or at the deadline.
    Draining,
    /// Calls still in a flow were sent to their human target.
    Bridging,
    /// Asked to stop for the third time.
    Leaving,
}

impl Node {
    /// Serves until a signal or `drain` has ended it.
    ///
    /// # Errors
    /// The system gives no signals, or the switchboard has died: whoever started us must start
    /// us anew, for a node without it only looks alive.
    pub async fn serve(mut self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut phase = Phase::Serving;
        let mut deadline = None;
        loop {
            let mut stop = false;
            tokio::select! {
                _ = &mut self.board => {
                    return Err(std::io::Error::other("the switchboard has ended"));
                }
                Some(asked) = self.requests.recv() => stop = self.reply(asked).await,
                () = heard(&mut terminate) => stop = true,
                () = heard(&mut interrupt) => stop = true,
                () = heard(&mut hang_up) => {
                    match self.reload(BY_SIGNAL).await {
                        Ok(told) => tracing::info!("{told}"),
                        Err(why) => tracing::error!("reload refused, the old configuration serves on:\n{why}"),
                    }
                }
                () = tokio::time::sleep(LOOK), if phase > Phase::Serving => {}
            }
            if stop {
                phase = self.next_phase(phase).await;
                let minutes = self.snapshot.load().config.control.drain_deadline;
                deadline.get_or_insert_with(|| Instant::now() + minutes);
            }
            if phase == Phase::Leaving || (phase > Phase::Serving && self.is_idle().await) {
                break;
            }
            if deadline.is_some_and(|at| Instant::now() >= at) {
                tracing::warn!("the drain deadline is reached: ending the calls that are left");
                break;
            }
        }
        self.stop().await;
        Ok(())
    }

    async fn next_phase(&self, phase: Phase) -> Phase {
        match phase {
            Phase::Serving => {
                tracing::info!("draining: no new calls");
                let _ = self.ready.send(false);
                let _ = self.asks.send(Ask::Drain).await;
                let store = self.services.store.clone();
                tokio::spawn(async move { store.set_draining().await });
                Phase::Draining
            }
            Phase::Draining => {
                tracing::info!("bridging the calls that are still in a flow");
                let _ = self.asks.send(Ask::BridgeAll).await;
                Phase::Bridging
            }
            Phase::Bridging | Phase::Leaving => Phase::Leaving,
        }
    }

    async fn is_idle(&self) -> bool {
        self.gauges().await.is_none_or(|gauges| gauges.calls == 0)
    }

    /// Has one request answered; returns whether it asks the node to stop. Whatever waits for the
    /// store or a provider does so beside this loop, which signals come to.
    async fn reply(&self, asked: Asked) -> bool {
        let Asked { request, user, reply } = asked;
        let drain = request == Request::Drain;
        let answer = match request {
            Request::Drain => Reply::Done("draining: no new calls are taken".into()),
            Request::Reload { author } => {
                let author = author.unwrap_or(user);
                match checked_author(&author) {
                    Ok(()) => self.reload(&author).await.map_or_else(Reply::Error, Reply::Done),
                    Err(why) => Reply::Error(why),
                }
            }
            request => {
                let desk = self.desk();
                tokio::spawn(async move {
                    let _ = reply.send(desk.answer(request, &user).await);
                });
                return false;
            }
        };
        let _ = reply.send(answer);
        drain
    }

    /// Reads everything again and swaps it in; a bad file changes nothing.
    async fn reload(&self, author: &str) -> Result<String, String> {
        let file = self.config_file.clone();
        let loading = tokio::task::spawn_blocking(move || Config::load(file.as_deref()));
        let loaded = loading.await.map_err(|error| error.to_string())?;
        let outcome = |word| metrics::counter!("carom_reloads_total", "outcome" => word);
        let snapshot = match loaded {
            Ok(snapshot) => snapshot,
            Err(report) => {
                outcome("refused").increment(1);
                return Err(format!("nothing was changed:\n{report}"));
            }
        };
        let old = self.snapshot.load_full();
        let restart = needs_restart(&old.config, &snapshot.config);
        let snapshot = Arc::new(snapshot);
        upkeep::widen_prompts(&snapshot);
        self.services.texts.reconfigure(Arc::clone(&snapshot.texts));
        let sources = &snapshot.config.sources;
        self.services.sources.reconfigure(sources, &snapshot.flows, &self.services.web);
        self.services.links.reconfigure(&snapshot.flows, &self.services.store);
        self.snapshot.store(Arc::clone(&snapshot));
        let flows = snapshot.flows.len();
        if self.asks.send(Ask::Serve(Arc::clone(&snapshot))).await.is_err() {
            return Err("the node is stopping".into());
        }
        let recorded = record_flows(&self.services.store, &snapshot, author).await;
        outcome("served").increment(1);
        let mut told = format!("serving {flows} flow(s); running calls keep what they began with");
        let now_ms = wall_ms();
        for certificate in snapshot.config.certificates().filter_map(|one| one.ends_soon(now_ms)) {
            tracing::warn!("{certificate}");
            told.push_str(&format!("; {certificate}"));
        }
        if !restart.is_empty() {
            told.push_str(&format!("; changed, but only after a restart: {}", restart.join(", ")));
        }
        if !recorded {
            told.push_str("; the store does not answer, so that their revisions are not recorded");
        }
        Ok(told)
    }
}

fn checked_author(author: &str) -> Result<(), String> {
    let blank = author.trim().is_empty();
    if blank || author.len() > LONGEST_AUTHOR || author.contains(char::is_control) {
        return Err(format!(
            "{author:?} is no name of an author: one line of at most {LONGEST_AUTHOR} bytes"
        ));
    }
    Ok(())
}

async fn heard(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}

/// Tables whose change a running node cannot take over.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let mut names = Vec::new();
    let mut differs = |name, same: bool| {
        if !same {
            names.push(name);
        }
    };
    let sockets = old.listeners.iter().zip(&new.listeners);
    let same = old.listeners.len() == new.listeners.len();
    differs("[[listener]]", same && sockets.into_iter().all(|(old, new)| old.is_socket(new)));
    differs("[media]", old.media == new.media);
    differs("[store]", old.store == new.store);
    differs("[http]", old.http.goes_on_as(&new.http));
    differs("[control]", old.control == new.control);
    differs("[business]", old.businesses == new.businesses);
    differs("[privacy]", old.privacy == new.privacy);
    names
}
