//! The system calls of a worker, all of them: what would change for another kernel interface.

use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, epoll, eventfd, poll};
use rustix::net::{RecvFlags, SendFlags, recvfrom, sendto};

/// Readiness fetched in one call.
const BATCH: usize = 256;
/// The token of the bell.
const BELL: u64 = u64::MAX;

/// The clock of all workers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(pub(super) Instant);

impl Clock {
    pub(super) fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// Wakes a sleeping worker.
#[derive(Debug)]
pub(super) struct Bell(OwnedFd);

impl Bell {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?))
    }

    pub(super) fn ring(&self) {
        // It fails only when it is rung already more often than can be counted.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }
}

/// Sockets that may become readable, each with a token.
#[derive(Debug)]
pub(super) struct Poller {
    epoll: OwnedFd,
    ready: Vec<u64>,
}

impl Poller {
    pub(super) fn new(bell: &Bell) -> std::io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        // Edge-triggered, the bell need not be read to fall silent.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &bell.0, epoll::EventData::new_u64(BELL), flags)?;
        Ok(Self { epoll, ready: Vec::with_capacity(BATCH) })
    }

    /// Watches a socket until it is closed. Level-triggered: one packet is read each time it is
    /// reported, so none is forgotten and no read is in vain.
    pub(super) fn add(&self, socket: impl AsFd, token: u64) -> std::io::Result<()> {
        let data = epoll::EventData::new_u64(token);
        Ok(epoll::add(&self.epoll, socket, data, epoll::EventFlags::IN)?)
    }

    /// Sleeps until something is readable, the bell rings or the time is over.
    pub(super) fn wait(&self, limit: Option<Duration>) {
        let limit = limit.map(timespec);
        let mut fds = [PollFd::new(&self.epoll, PollFlags::IN)];
        // Interruption is a spurious wake-up; the loop is ready for those.
        let _ = poll(&mut fds, limit.as_ref());
    }

    /// Sleeps for a time, whatever comes.
    pub(super) fn sleep(time: Duration) {
        let _ = rustix::thread::nanosleep(&timespec(time));
    }

    /// Fetches what is readable now.
    pub(super) fn fetch(&mut self) {
        self.ready.clear();
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut events = [const { MaybeUninit::uninit() }; BATCH];
        if let Ok((events, _)) = epoll::wait(&self.epoll, &mut events[..], Some(&now)) {
            self.ready.extend(events.iter().map(|event| event.data.u64()));
        }
    }

    /// Whether the last fetch may have left something.
    pub(super) fn was_full(&self) -> bool {
        self.ready.len() == BATCH
    }

    /// The tokens fetched.
    pub(super) fn tokens(&self) -> impl Iterator<Item = u64> {
        self.ready.iter().copied().filter(|&token| token != BELL)
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) }
}

/// A buffer that any datagram worth reading fits into; longer ones are cut off.
pub(super) const DATAGRAM: usize = 2_048;

/// Reads one datagram; `None` when there is none.
pub(super) fn receive(
    socket: impl AsFd,
    buffer: &mut [MaybeUninit<u8>; DATAGRAM],
) -> Option<(SocketAddr, &mut [u8])> {
    let received = recvfrom(socket, &mut buffer[..], RecvFlags::DONTWAIT);
    let ((datagram, _), _, from) = received.ok()?;
    Some((from?.try_into().ok()?, datagram))
}

/// Sends one datagram; whether the kernel took it.
pub(super) fn send(socket: impl AsFd, datagram: &[u8], to: SocketAddr) -> bool {
    sendto(socket, datagram, SendFlags::DONTWAIT, &to).is_ok()
}
