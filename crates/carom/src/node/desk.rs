//! Answers what operators ask and order, each beside the others: what waits for the store, or for a
//! provider, holds up neither signals nor the next who asks.

use std::sync::Arc;

use arc_swap::ArcSwap;
use deflect_actions::store::HOURS_PREFIX;
use ivr_runtime::{diagnose::nearest, flow::model::Fact};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::{
    certificates, keys,
    run::{Node, refresh_marks},
};
use crate::{
    config::Snapshot,
    control::{Reply, Request},
    switchboard::{Ask, Services},
};

/// Bytes in the name of a flag.
const LONGEST_FLAG: usize = 64;

/// What of a node operators get at.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(super) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(super) services: Services,
    /// A question that is still open does not keep the node from stopping.
    asks: mpsc::WeakSender<Ask>,
}

impl Node {
    /// Who answers operators.
    pub(crate) fn desk(&self) -> Desk {
        Desk {
            snapshot: Arc::clone(&self.snapshot),
            services: self.services.clone(),
            asks: self.asks.downgrade(),
        }
    }
}

impl Desk {
    /// Answers `user`, whom the system knows by that name.
    pub(super) async fn answer(self, request: Request, user: &str) -> Reply {
        match request {
            Request::Drain | Request::Reload { .. } => {
                Reply::Error("that is for the node itself".into())
            }
            Request::Calls { limit } => self.calls(limit).await,
            Request::Call { call } => self.call(&call).await,
            Request::Messages { limit } => self.messages(limit).await,
            Request::Message { message } => self.show_message(&message).await,
            Request::RetryMessage { message, allow_duplicate } => {
                self.retry_message(&message, allow_duplicate, user).await
            }
            Request::CancelMessage { message } => self.cancel_message(&message, user).await,
            Request::OptOuts { business, limit } => self.opt_outs(business.as_deref(), limit).await,
            Request::AddOptOuts { entries, via } => self.add_opt_outs(entries, &via, user).await,
            Request::RemoveOptOut { entry } => self.remove_opt_out(&entry, user).await,
            Request::AcceptOptOutKey { business } => {
                self.accept_opt_out_key(business.as_deref(), user).await
            }
            Request::Erase { number, business } => {
                self.erase(&number, business.as_deref(), user).await
            }
            Request::RotateKey { new_key } => {
                keys::rotate(&self.snapshot.load_full(), &self.services.store, new_key, user).await
            }
            Request::Text(wanted) => self.text_by_hand(wanted, user).await,
            Request::Callbacks { limit } => self.callbacks(limit).await,
            Request::CancelCallback { id } => self.cancel_callback(&id, user).await,
            Request::Voicemails { limit } => self.voicemails(limit).await,
            Request::Voicemail { id, act } => self.voicemail(&id, act, user).await,
            Request::Flag { name, on } => self.flag(&name, on, user).await,
            Request::Hours => self.hours(),
            Request::ChangeHours(order) => self.change_hours(order, user).await,
            Request::ClearHours { hours } => self.clear_hours(&hours, user).await,
            Request::Status => self.status().await,
        }
    }

    /// Asks the switchboard; `None`: the node is stopping.
    pub(super) async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.asks.upgrade()?.send(ask(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Records who did what; `done` is what to say when that is recorded too.
    pub(super) async fn audited(&self, who: &str, what: &str, detail: &str, done: String) -> Reply {
        match self.services.store.audit(who, what, detail).await {
            Ok(()) => Reply::Done(done),
            Err(error) => Reply::Error(format!("{done}, but it is not audited: {error}")),
        }
    }

    async fn calls(&self, limit: u32) -> Reply {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let Some(mut calls) = self.ask(|reply| Ask::Calls(limit, reply)).await else {
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
        if let Some(Some(found)) = self.ask(|reply| Ask::TimeLine(id.clone(), reply)).await {
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

    async fn flag(&self, name: &str, on: bool, who: &str) -> Reply {
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
        let set = self.services.store.set_flag(name, on, who).await;
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
        let gauges = self.ask(Ask::Gauges).await.unwrap_or_default();
        let figures = self.services.writer.figures();
        let resting = self.services.texts.resting_senders().into_iter().map(|sender| {
            json!({ "sender": sender.name, "why": sender.why, "until_ms": sender.until_ms })
        });
        Reply::Data(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "gauges": gauges,
            "flags": self.services.marks().map(|marks| marks.flags.clone()),
            "flows": snapshot.flows.iter().map(|flow| &flow.name).collect::<Vec<_>>(),
            "certificates": certificates::status(&snapshot.config),
            "resting_senders": resting.collect::<Vec<_>>(),
            "store_up": self.services.store.is_up().await,
            "rows": { "written": figures.written, "waiting": figures.waiting, "lost": figures.lost },
        }))
    }
}

pub(super) fn data(value: &impl serde::Serialize) -> Reply {
    match serde_json::to_value(value) {
        Ok(value) => Reply::Data(value),
        Err(error) => Reply::Error(error.to_string()),
    }
}
