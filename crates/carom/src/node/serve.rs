//! Serving requests and signals until the node has drained.

use std::{sync::Arc, time::Duration};

use deflect_actions::store::HOURS_PREFIX;
use ivr_runtime::{diagnose::nearest, flow::model::Fact};
use serde_json::json;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
    time::Instant,
};

use super::{
    keys,
    run::{Node, record_flows, refresh_marks},
};
use crate::{
    config::Config,
    control::{Asked, Reply, Request},
    switchboard::Ask,
};

/// How often a draining node looks whether it is done.
const LOOK: Duration = Duration::from_millis(200);

/// Bytes in the name of a flag.
const LONGEST_FLAG: usize = 64;
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

    /// Answers one request; returns whether it asks the node to stop.
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
            Request::Calls { limit } => self.calls(limit).await,
            Request::Call { call } => self.call(&call).await,
            Request::Messages { limit } => self.messages(limit).await,
            Request::Message { message } => self.show_message(&message).await,
            Request::RetryMessage { message, allow_duplicate } => {
                self.retry_message(&message, allow_duplicate).await
            }
            Request::CancelMessage { message } => self.cancel_message(&message).await,
            Request::OptOuts { business, limit } => self.opt_outs(business.as_deref(), limit).await,
            Request::AddOptOuts { entries, via, dry } => {
                self.add_opt_outs(&entries, &via, dry).await
            }
            Request::RemoveOptOut { entry } => self.remove_opt_out(&entry).await,
            Request::Erase { number, business } => self.erase(&number, business.as_deref()).await,
            Request::RotateKey { new_key } => {
                // It may take minutes, and calls and signals go on.
                tokio::spawn(keys::rotate(
                    self.snapshot.load_full(),
                    self.services.store.clone(),
                    new_key,
                    reply,
                ));
                return false;
            }
            Request::Text(wanted) => self.text_by_hand(wanted).await,
            Request::Callbacks { limit } => self.callbacks(limit).await,
            Request::CancelCallback { id } => self.cancel_callback(&id).await,
            Request::Voicemails { limit } => self.voicemails(limit).await,
            Request::Voicemail { id, act } => self.voicemail(&id, act).await,
            Request::Flag { name, on } => self.flag(&name, on).await,
            Request::Hours => self.hours(),
            Request::ChangeHours(order) => self.change_hours(order).await,
            Request::ClearHours { hours } => self.clear_hours(&hours).await,
            Request::Status => self.status().await,
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
        if !restart.is_empty() {
            told.push_str(&format!("; changed, but only after a restart: {}", restart.join(", ")));
        }
        if !recorded {
            told.push_str("; the store does not answer, so that their revisions are not recorded");
        }
        Ok(told)
    }

    async fn calls(&self, limit: u32) -> Reply {
        let (reply, calls) = oneshot::channel();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let _ = self.asks.send(Ask::Calls(limit, reply)).await;
        let Ok(mut calls) = calls.await else {
            return Reply::Error("the node is stopping".into());
        };
        if calls.len() < limit {
            self.add_calls_of_before(&mut calls, limit).await;
        }
        data(&calls)
    }

    async fn call(&self, like: &str) -> Reply {
        let id = match self.call_like(like).await.as_slice() {
            [id] => id.clone(),
            [] => return Reply::Error(format!("no call begins with `{like}`")),
            ids => {
                return Reply::Error(format!(
                    "more than one call begins with `{like}`: {}",
                    ids.join(", ")
                ));
            }
        };
        let (reply, line) = oneshot::channel();
        let _ = self.asks.send(Ask::TimeLine(id.clone(), reply)).await;
        if let Ok(Some(found)) = line.await {
            let (summary, mut line) = found;
            self.add_messages(&summary.call, &mut line).await;
            return data(&(summary, line));
        }
        match self.stored_call(&id).await {
            Ok(Some(found)) => data(&found),
            Ok(None) => Reply::Error(format!("no call has the id `{id}` any more")),
            Err(error) => Reply::Error(format!("the store does not tell: {error}")),
        }
    }

    async fn flag(&self, name: &str, on: bool) -> Reply {
        let unfit =
            name.trim().is_empty() || name.len() > LONGEST_FLAG || name.contains(char::is_control);
        if on && unfit {
            return Reply::Error(format!("{name:?} is no name of a flag"));
        }
        if name.starts_with(HOURS_PREFIX) {
            return Reply::Error(format!(
                "{name:?} is no name of a flag; see `carom hours --help`"
            ));
        }
        let set = self.services.store.set_flag(name, on, "operator").await;
        refresh_marks(&self.services.store, &self.services.marks).await;
        match set {
            Ok(()) => {
                let is = if on { "set" } else { "clear" };
                Reply::Done(format!("flag {name} is {is}{}", self.untested(name)))
            }
            Err(error) => Reply::Error(format!("not recorded: {error}")),
        }
    }

    /// What to say of a flag that changes nothing: most often its name is mistyped.
    fn untested(&self, name: &str) -> String {
        let snapshot = self.snapshot.load();
        let rules = snapshot.flows.iter().flat_map(|flow| &flow.rules);
        let tested: Vec<&str> = rules
            .filter_map(|rule| match &rule.fact {
                Fact::Flag(flag) => Some(flag.as_str()),
                _ => None,
            })
            .collect();
        if tested.contains(&name) {
            return String::new();
        }
        let near = nearest(name, tested)
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        format!(", but no flow that is served tests it{near}")
    }

    async fn status(&self) -> Reply {
        let snapshot = self.snapshot.load();
        let gauges = self.gauges().await.unwrap_or_default();
        let figures = self.services.writer.figures();
        let resting = self.services.texts.resting_senders().into_iter().map(|sender| {
            json!({ "sender": sender.name, "why": sender.why, "until_ms": sender.until_ms })
        });
        Reply::Data(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "gauges": gauges,
            "flags": self.services.marks().map(|marks| marks.flags.clone()),
            "flows": snapshot.flows.iter().map(|flow| &flow.name).collect::<Vec<_>>(),
            "resting_senders": resting.collect::<Vec<_>>(),
            "store_up": self.services.store.is_up().await,
            "rows": { "written": figures.written, "waiting": figures.waiting, "lost": figures.lost },
        }))
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

pub(super) fn data(value: &impl serde::Serialize) -> Reply {
    match serde_json::to_value(value) {
        Ok(value) => Reply::Data(value),
        Err(error) => Reply::Error(error.to_string()),
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
    differs("[http]", old.http == new.http);
    differs("[control]", old.control == new.control);
    differs("[business]", old.businesses == new.businesses);
    differs("[privacy]", old.privacy == new.privacy);
    names
}
