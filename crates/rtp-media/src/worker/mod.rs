//! The media workers: threads that own sessions and drive them with sockets and a clock.
//!
//! Each worker has its own poller and a wheel of 20 ms, over whose slots its sessions are spread.
//! A session lives on one worker for good; which one follows from its [`SessionId`].
#![expect(clippy::disallowed_methods, reason = "the driver reads the clocks")]

mod command;
mod driver;
mod io;
mod queue;
mod thread;
mod wheel;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

pub use command::Command;

use crate::session::{MediaEvent, SessionId};
use crate::tone::Ringback;
use driver::{Legs, Worker};
use io::{Bell, Clock, Poller};
use queue::Queue;
use wheel::Wheel;

pub use crate::session::{EventFormats, KeyRelay, SessionStats, StreamConfig};

/// How the workers run.
#[derive(Debug, Clone)]
pub struct MediaConfig {
    /// Threads; 0 means one.
    pub workers: usize,
    /// The core of each worker, in order; those without an entry run anywhere.
    pub pin: Vec<usize>,
    /// Ask for real-time scheduling: other threads then cannot make packets late. A system that
    /// refuses it is no error; [`MediaPool::is_realtime`] tells.
    pub realtime: bool,
    /// Commands that may wait for one worker before [`MediaPool::send`] refuses.
    pub queue: usize,
    /// The zero of all times reported; give the switchboard's own.
    pub epoch: Instant,
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self { workers: 1, pin: Vec::new(), realtime: false, queue: 4_096, epoch: Instant::now() }
    }
}

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The worker's queue is full.
    #[error("the media worker's queue is full")]
    Overloaded,
    /// The worker is gone.
    #[error("the media worker has ended")]
    Ended,
    /// A bridge needs both sessions on one worker; see [`MediaPool::allocate`].
    #[error("the two sessions are on different workers")]
    OtherWorker,
}

type EventSink = Arc<dyn Fn(MediaEvent) + Send + Sync>;

/// The workers, and the way to tell them things. Dropping it ends all sessions, with a goodbye.
#[derive(Debug)]
pub struct MediaPool {
    workers: Vec<Handle>,
    allocated: AtomicU64,
}

#[derive(Debug)]
struct Handle {
    commands: Arc<Queue>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What a worker and its pool both see.
#[derive(Debug)]
struct Shared {
    bell: Bell,
    /// Commands wait and the bell was rung for them.
    rung: AtomicBool,
    sessions: AtomicUsize,
    /// The system gave it real-time scheduling.
    realtime: AtomicBool,
}

impl MediaPool {
    /// Starts the workers. `events` is called on their threads and must not block.
    ///
    /// # Errors
    /// The system gives no thread, eventfd or epoll instance.
    pub fn start(
        config: MediaConfig,
        events: Box<dyn Fn(MediaEvent) + Send + Sync>,
    ) -> std::io::Result<Self> {
        let sink: EventSink = events.into();
        let ringback = Arc::new(Ringback::new());
        let mut pool = Self { workers: Vec::new(), allocated: AtomicU64::new(0) };
        for index in 0..config.workers.max(1) {
            pool.workers.push(start_worker(&config, index, sink.clone(), ringback.clone())?);
        }
        Ok(pool)
    }

    /// A number for a new session. Legs that are to be bridged must share a worker: give the one
    /// as `near` when the other is allocated.
    pub fn allocate(&self, near: Option<SessionId>) -> SessionId {
        let workers = self.workers.len() as u64;
        let count = self.allocated.fetch_add(1, Ordering::Relaxed);
        let worker = near.map_or(count, |near| near.0) % workers;
        SessionId(count * workers + worker)
    }

    /// Hands a command to the session's worker and wakes it. Never blocks; a refused command is
    /// dropped, and with a refused `Open` its ports.
    ///
    /// # Errors
    /// The queue is full, the worker gone, or a bridge would cross workers.
    pub fn send(&self, session: SessionId, command: Command) -> Result<(), SendError> {
        self.queue(session, command)?;
        self.workers[self.worker_of(session)].shared.wake();
        Ok(())
    }

    /// Like [`send`](Self::send), but the worker need not hear of it before [`wake`](Self::wake):
    /// commands that belong together cost it one wake-up.
    ///
    /// # Errors
    /// As those of `send`.
    pub fn queue(&self, session: SessionId, command: Command) -> Result<(), SendError> {
        if let Command::Bridge { peer, .. } = command
            && self.worker_of(peer) != self.worker_of(session)
        {
            return Err(SendError::OtherWorker);
        }
        let worker = &self.workers[self.worker_of(session)];
        worker.commands.push(session, command)
    }

    /// Wakes the workers that have commands.
    pub fn wake(&self) {
        for worker in &self.workers {
            if !worker.commands.is_empty() {
                worker.shared.wake();
            }
        }
    }

    /// Sessions open now, on all workers.
    pub fn sessions(&self) -> usize {
        self.workers.iter().map(|w| w.shared.sessions.load(Ordering::Relaxed)).sum()
    }

    /// Whether the system gave all workers the real-time scheduling that was asked for.
    pub fn is_realtime(&self) -> bool {
        self.workers.iter().all(|worker| worker.shared.realtime.load(Ordering::Relaxed))
    }

    fn worker_of(&self, session: SessionId) -> usize {
        (session.0 % self.workers.len() as u64) as usize
    }
}

impl Drop for MediaPool {
    fn drop(&mut self) {
        for worker in &self.workers {
            worker.commands.close();
            worker.shared.wake();
        }
        for thread in self.workers.iter_mut().filter_map(|worker| worker.thread.take()) {
            // A worker that panicked has said so on stderr.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Rings once for all commands that wait.
    fn wake(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.bell.ring();
        }
    }
}

fn start_worker(
    config: &MediaConfig,
    index: usize,
    sink: EventSink,
    ringback: Arc<Ringback>,
) -> std::io::Result<Handle> {
    let commands = Arc::new(Queue::new(config.queue));
    let bell = Bell::new()?;
    let poller = Poller::new(&bell)?;
    let shared = Arc::new(Shared {
        bell,
        rung: AtomicBool::new(false),
        sessions: AtomicUsize::new(0),
        realtime: AtomicBool::new(false),
    });
    let clock = Clock(config.epoch);
    let worker = Worker {
        commands: commands.clone(),
        taken: VecDeque::new(),
        has_read: false,
        shared: shared.clone(),
        sink,
        ringback,
        clock,
        wall: wall_clock_at_zero(clock),
        poller,
        wheel: Wheel::new(clock.now()),
        legs: Legs::default(),
        events: Vec::new(),
    };
    let (core, realtime) = (config.pin.get(index).copied(), config.realtime);
    let seen = shared.clone();
    // What the thread is given is known when the pool is.
    let (began, has_begun) = std::sync::mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name(format!("media-{index}")).spawn(move || {
        if let Some(core) = core {
            thread::pin_to(core);
        }
        seen.realtime.store(realtime && thread::run_in_real_time(), Ordering::Relaxed);
        let _ = began.send(());
        worker.run();
    })?;
    let _ = has_begun.recv();
    Ok(Handle { commands, shared, thread: Some(thread) })
}

fn wall_clock_at_zero(clock: Clock) -> Duration {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since_1970.saturating_sub(clock.now())
}
