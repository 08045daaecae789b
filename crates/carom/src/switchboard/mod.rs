//! The switchboard: the one task that owns the SIP endpoint and all calls, and passes inputs and
//! outputs between the crates. It makes no protocol decision and never waits: what takes time is a
//! task that reports back as a [`Done`].

mod act;
mod admission;
mod agent;
mod answered;
mod arrive;
mod backlog;
mod callback;
mod connections;
mod dial;
mod ending;
mod facts;
mod feature;
mod fetch;
mod forward;
mod frame;
mod hand_over;
mod health;
mod hunt;
mod in_words;
mod known;
mod links;
mod live;
mod local_time;
mod media;
mod numbers;
mod record;
mod remote;
mod reoffer;
mod sessions;
mod signal;
mod tasks;
#[cfg(test)]
mod tests;
mod timeline;
mod told;
mod voice;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use ivr_runtime::flow::model::HumanSignal;
use rtp_media::{ports::PortPool, session::MediaEvent, worker::MediaPool};
use sip_stack::{
    endpoint::{Endpoint, LegId, LoopGuard, Output, Path, PingId, Source},
    transport::{Incoming, Transports},
};
use tokio::sync::{mpsc, oneshot};

use self::{
    admission::Admission,
    backlog::Backlog,
    connections::Connections,
    health::Health,
    live::{CallNo, Live, Side},
    sessions::Sessions,
    timeline::Ended,
};
pub use self::{
    answered::Answered,
    callback::{callbacks_per_caller, refused, slots},
    dial::{DialOrder, Dialled},
    facts::{known_fields, one_off, one_offs},
    feature::LinkOrder,
    in_words::in_words,
    known::Known,
    local_time::local_time,
    media::{StreamRules, stream_config},
    remote::{Invited, NoOffer, OfferedLink, Overrides, Question, RemoteCalls},
    tasks::{Marks, Services, start_seed},
    timeline::{CallSummary, Entry, TimeLine},
};
use crate::{config::Snapshot, node::clock::Clock};

/// What the rest of the node asks of the switchboard.
#[derive(Debug)]
pub enum Ask {
    /// New calls take this configuration from now on.
    Serve(Arc<Snapshot>),
    /// No new calls; bridged ones go on.
    Drain,
    /// Calls still in a flow go to their human target.
    BridgeAll,
    /// BYE to all, with a Reason.
    EndAll,
    /// Running calls and the last ended ones, newest first.
    Calls(usize, oneshot::Sender<Vec<CallSummary>>),
    /// Forget the ended ones: the store has them, and blanks what is to be erased.
    ForgetEnded(oneshot::Sender<()>),
    /// The time line of the call whose id begins so.
    TimeLine(String, oneshot::Sender<Option<(CallSummary, TimeLine)>>),
    /// What a running call's flow has learnt, by field; `None`: no such call runs.
    Known(String, oneshot::Sender<Option<Known>>),
    /// Make a callback.
    Dial(Box<DialOrder>),
    /// End a callback whose caller has not answered: it is no longer ours.
    StopDial(String),
    /// A person has taken a call.
    Answered(Answered),
    /// Persons who take calls that wait for this signal are not told of, or were not for a while.
    SignalLost(HumanSignal),
    /// A person on the call of this id wants its link sent, and may have heard from the caller that
    /// the number is right.
    SendLink(String, bool, oneshot::Sender<LinkOrder>),
    /// Gauges.
    Gauges(oneshot::Sender<Gauges>),
}

/// What is going on now; all return to zero when the calls have ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Gauges {
    /// Calls between their INVITE and their end.
    pub calls: usize,
    /// Legs of the SIP endpoint.
    pub legs: usize,
    /// SIP transactions.
    pub transactions: usize,
    /// Media sessions.
    pub sessions: usize,
    /// No new calls are taken.
    pub draining: bool,
}

/// Sockets and workers the switchboard drives.
pub struct Drives {
    /// SIP sockets, sending side.
    pub wires: Transports,
    /// SIP sockets, receiving side.
    pub incoming: mpsc::Receiver<Incoming>,
    /// Media workers.
    pub media: MediaPool,
    /// What the media workers report.
    pub media_events: mpsc::Receiver<MediaEvent>,
    /// RTP ports.
    pub ports: PortPool,
}

/// Owns all calls.
pub struct Switchboard {
    clock: Clock,
    endpoint: Endpoint,
    wires: Transports,
    media: MediaPool,
    ports: PortPool,
    snapshot: Arc<Snapshot>,
    services: Services,
    admission: Admission,
    backlog: Backlog,
    /// Why new calls are refused now.
    shedding: Option<&'static str>,
    calls: HashMap<CallNo, Live>,
    legs: HashMap<LegId, (CallNo, Side)>,
    sessions: Sessions,
    deadlines: BTreeSet<(Duration, CallNo)>,
    calls_gauge: metrics::Gauge,
    health: Health,
    connections: Connections,
    pings: HashMap<PingId, String>,
    loop_guard: Option<LoopGuard>,
    ended: Ended,
    next_call: u64,
    draining: bool,
    done: mpsc::UnboundedSender<tasks::Done>,
}

impl Switchboard {
    /// Runs until `asks` closes; then drops what is left.
    pub async fn run(
        clock: Clock,
        endpoint: Endpoint,
        drives: Drives,
        snapshot: Arc<Snapshot>,
        services: Services,
        loop_guard: Option<LoopGuard>,
        mut asks: mpsc::Receiver<Ask>,
    ) {
        let Drives { wires, mut incoming, media, mut media_events, ports } = drives;
        // Bounded by what is under way: each call has at most a handful of tasks.
        let (done, mut dones) = mpsc::unbounded_channel();
        let drives = (wires, media, ports);
        let mut board = Self::new(clock, endpoint, drives, snapshot, services, loop_guard, done);
        board.befriend();
        loop {
            let due = board.due();
            tokio::select! {
                biased;
                ask = asks.recv() => match ask {
                    Some(ask) => board.answer(ask),
                    None => return,
                },
                Some(event) = media_events.recv() => board.on_media(event),
                Some(done) = dones.recv() => board.on_done(done),
                Some(message) = incoming.recv() => board.on_wire(message),
                () = sleep_until(&clock, due), if due.is_some() => {}
            }
            board.on_time();
            board.flush();
        }
    }

    fn new(
        clock: Clock,
        endpoint: Endpoint,
        (wires, media, ports): (Transports, MediaPool, PortPool),
        snapshot: Arc<Snapshot>,
        services: Services,
        loop_guard: Option<LoopGuard>,
        done: mpsc::UnboundedSender<tasks::Done>,
    ) -> Self {
        Self {
            clock,
            endpoint,
            wires,
            media,
            ports,
            admission: Admission::new(clock.now(), arrive::limits(&snapshot)),
            snapshot,
            services,
            backlog: Backlog::default(),
            shedding: None,
            calls: HashMap::new(),
            legs: HashMap::new(),
            sessions: Sessions::default(),
            deadlines: BTreeSet::new(),
            calls_gauge: metrics::gauge!("carom_calls"),
            health: Health::default(),
            connections: Connections::default(),
            pings: HashMap::new(),
            loop_guard,
            ended: Ended::default(),
            next_call: 0,
            draining: false,
            done,
        }
    }

    fn now(&self) -> Duration {
        self.clock.now()
    }

    fn due(&self) -> Option<Duration> {
        let calls = self.deadlines.first().map(|(at, _)| *at);
        let pings = Some(self.health.poll_timeout());
        [calls, self.endpoint.poll_timeout(), pings].into_iter().flatten().min()
    }

    fn on_wire(&mut self, message: Incoming) {
        let now = self.now();
        match message {
            Incoming::Message { path, bytes, at } => {
                let source = self.source(&path);
                self.shed(now, at.saturating_duration_since(self.clock.epoch()), &path);
                if source == Source::Stranger && self.shedding == Some("behind") {
                    // Not even read: a flood of them is what may have put us behind.
                    metrics::counter!("carom_sip_dropped_total", "reason" => "unread").increment(1);
                    return;
                }
                self.endpoint.handle_received(now, path, source, &bytes);
            }
            Incoming::Failed { path, connection, error, detail } => {
                self.note_failure(&path, error, &detail);
                self.endpoint.handle_transport_error(now, path, connection, error);
            }
            Incoming::Idle { path } => {
                if !self.endpoint.uses(&path) {
                    self.wires.close(&path);
                }
            }
            Incoming::TurnedAway { path, why, detail } => {
                self.note_turned_away(&path, why, &detail)
            }
        }
    }

    /// Says whether new calls may come in, before a message is looked at: what is refused then
    /// costs the least.
    fn shed(&mut self, now: Duration, arrived: Duration, path: &Path) {
        let behind = self.backlog.is_behind(now, arrived);
        let limits = arrive::limits(&self.snapshot);
        self.shedding = if self.draining {
            None // told with a Retry-After
        } else if behind {
            Some("behind")
        } else if self.admission.is_exhausted(now, limits, self.calls.len()) {
            Some("overload")
        } else {
            None
        };
        let status = self.shedding.and_then(|_| {
            arrive::trunk_of(&self.snapshot, path.remote.ip()).map(|trunk| trunk.overload_code)
        });
        self.endpoint.shed(status);
    }

    fn source(&self, path: &Path) -> Source {
        let ip = path.remote.ip();
        if arrive::trunk_of(&self.snapshot, ip).is_some_and(|trunk| trunk.may_speak_by(path)) {
            Source::Trusted
        } else if self.health.is_target(ip) {
            Source::Target
        } else {
            Source::Stranger
        }
    }

    fn on_time(&mut self) {
        let now = self.now();
        self.ping_targets();
        if self.endpoint.poll_timeout().is_some_and(|at| at <= now) {
            self.endpoint.handle_timeout(now);
        }
        shrink(&mut self.calls);
        shrink(&mut self.legs);
        self.sessions.shrink();
        while let Some(&(at, no)) = self.deadlines.first().filter(|(at, _)| *at <= now) {
            self.deadlines.remove(&(at, no));
            if let Some(call) = self.calls.get_mut(&no) {
                call.deadline = None;
            }
            self.on_deadline(no);
            self.reschedule(no);
        }
    }

    /// Sends what the endpoint wants sent and acts on what it reports, until it is quiet.
    fn flush(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Transmit { path, bytes, txn } => self.transmit(&path, bytes, txn),
                Output::Expect { path, host } => self.wires.expect(&path, &host),
                Output::Event(event) => self.on_signal(event),
            }
        }
        self.media.wake();
        self.calls_gauge.set(self.calls.len() as f64);
    }

    /// Puts the call's next deadline into the queue.
    fn reschedule(&mut self, no: CallNo) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        let next = call.next_deadline();
        if next == call.deadline {
            return;
        }
        if let Some(old) = std::mem::replace(&mut call.deadline, next) {
            self.deadlines.remove(&(old, no));
        }
        if let Some(at) = next {
            self.deadlines.insert((at, no));
        }
    }

    fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Serve(snapshot) => {
                for listener in &snapshot.config.listeners {
                    if let Some(identity) = &listener.identity {
                        self.wires.renew(listener.bind, identity);
                    }
                }
                self.snapshot = snapshot;
                self.befriend();
            }
            Ask::Drain => {
                self.draining = true;
                self.endpoint.set_draining(true);
                self.leave_bridges();
            }
            Ask::BridgeAll => self.bridge_all(),
            Ask::EndAll => self.end_all(),
            Ask::Calls(limit, reply) => {
                let running = self.calls.values().map(|call| call.ledger.summary());
                let mut list: Vec<_> = running.collect();
                list.sort_by_key(|call| std::cmp::Reverse(call.started_ms));
                let more = limit.saturating_sub(list.len());
                list.extend(self.ended.newest().take(more).map(|(summary, _)| summary));
                list.truncate(limit);
                let _ = reply.send(list);
            }
            Ask::ForgetEnded(reply) => {
                self.ended = Ended::default();
                let _ = reply.send(());
            }
            Ask::TimeLine(id, reply) => {
                let _ = reply.send(self.time_line(&id));
            }
            Ask::Known(id, reply) => {
                let call = self.calls.values().find(|call| call.call_id == id);
                let _ = reply.send(call.and_then(|call| call.machine.as_ref()).map(known::told));
            }
            Ask::Dial(order) => self.dial(*order),
            Ask::StopDial(callback_id) => self.stop_dial(&callback_id),
            Ask::Answered(answered) => self.on_answered(answered),
            Ask::SignalLost(by) => self.on_signal_lost(&by),
            Ask::SendLink(call_id, confirmed, reply) => {
                self.order_link(&call_id, confirmed, reply);
            }
            Ask::Gauges(reply) => {
                let _ = reply.send(Gauges {
                    calls: self.calls.len(),
                    legs: self.endpoint.legs(),
                    transactions: self.endpoint.transactions(),
                    sessions: self.sessions.len(),
                    draining: self.draining,
                });
            }
        }
    }

    fn time_line(&self, id: &str) -> Option<(CallSummary, TimeLine)> {
        let running = self.calls.values().find(|call| call.call_id.starts_with(id));
        if let Some(call) = running {
            return Some((call.ledger.summary(), call.line.clone()));
        }
        self.ended.find(id)
    }
}

/// Gives back the room of a map that was much fuller once; a no-op else.
fn shrink<K: Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>) {
    if map.capacity() > 1_024 && map.len() < map.capacity() / 8 {
        map.shrink_to(map.len() * 2);
    }
}

async fn sleep_until(clock: &Clock, at: Option<Duration>) {
    if let Some(at) = at {
        tokio::time::sleep_until(clock.instant(at)).await;
    }
}
