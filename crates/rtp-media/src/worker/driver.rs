//! One worker: a thread that owns sessions and moves packets between sockets and them.

use std::collections::{HashMap, VecDeque};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::ports::MediaPorts;
use crate::rtcp;
use crate::session::{MediaEvent, PACKET, Session, SessionId};
use crate::srtp::TRAILER;
use crate::tone::Ringback;

use super::command::Command;
use super::io::{self, Clock, DATAGRAM, Poller};
use super::queue::Queue;
use super::wheel::Wheel;
use super::{EventSink, Shared};

/// With this many sessions a wake-up for every packet costs more than one each millisecond, in
/// which a millisecond's packets are read together.
const MANY: usize = 16;
const MILLISECOND: Duration = Duration::from_millis(1);
/// A worker sleeps this long at least where it could go on for ever: it has the core before
/// everything else, and who floods a port must not take signalling off it.
const BREATH: Duration = Duration::from_micros(100);
/// Rounds of reading between two turns of the wheel, so that a flood cannot stop the sending.
const ROUNDS: usize = 4;

/// The state of a worker thread.
pub(super) struct Worker {
    pub(super) commands: Arc<Queue>,
    /// Commands taken out of the queue; empty between turns, kept for its room.
    pub(super) taken: VecDeque<(SessionId, Command)>,
    /// The last turn found packets.
    pub(super) has_read: bool,
    pub(super) shared: Arc<Shared>,
    pub(super) sink: EventSink,
    pub(super) ringback: Arc<Ringback>,
    pub(super) clock: Clock,
    pub(super) wall: Duration,
    pub(super) poller: Poller,
    pub(super) wheel: Wheel,
    pub(super) legs: Legs,
    pub(super) events: Vec<MediaEvent>,
}

/// The sessions of a worker, by key for packets and by number for commands.
#[derive(Default)]
pub(super) struct Legs {
    slots: Vec<Option<Box<Leg>>>,
    free: Vec<u32>,
    keys: HashMap<SessionId, u32>,
}

pub(super) struct Leg {
    session: Session,
    ports: MediaPorts,
    wheel_slot: usize,
    peer: Option<u32>,
}

impl Legs {
    fn insert(&mut self, id: SessionId, leg: impl FnOnce(u32) -> Box<Leg>) {
        let key = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.slots[key as usize] = Some(leg(key));
        self.keys.insert(id, key);
    }

    fn remove(&mut self, key: u32) -> Option<Box<Leg>> {
        let leg = self.slots.get_mut(key as usize)?.take()?;
        self.keys.remove(&leg.session.id());
        self.free.push(key);
        Some(leg)
    }

    fn get(&mut self, key: u32) -> Option<&mut Leg> {
        self.slots.get_mut(key as usize)?.as_deref_mut()
    }

    fn key(&self, id: SessionId) -> Option<u32> {
        self.keys.get(&id).copied()
    }
}

/// However its thread ends, nobody waits for it.
impl Drop for Worker {
    fn drop(&mut self) {
        self.commands.close();
    }
}

impl Worker {
    /// Runs until the pool is dropped; then says goodbye on every leg.
    pub(super) fn run(mut self) {
        while self.handle_commands() {
            self.receive();
            self.send_due();
            self.report_events();
            self.sleep();
        }
        let open: Vec<u32> = self.legs.keys.values().copied().collect();
        for key in open {
            self.close(self.clock.now(), key);
        }
        self.report_events();
    }

    fn sleep(&self) {
        // A bell that rang after the commands were looked at fell silent when readiness was
        // fetched; what it rang for is seen here.
        if self.shared.rung.load(Ordering::Acquire) {
            return;
        }
        let now = self.clock.now();
        let due = self.wheel.next_due().map(|due| due.saturating_sub(now));
        if self.legs.keys.len() >= MANY {
            Poller::sleep(due.unwrap_or(MILLISECOND).clamp(BREATH, MILLISECOND));
        } else {
            if self.has_read {
                Poller::sleep(due.unwrap_or(BREATH).min(BREATH));
            }
            self.poller.wait(self.wheel.next_due().map(|due| due.saturating_sub(self.clock.now())));
        }
    }

    fn report_events(&mut self) {
        for event in self.events.drain(..) {
            (self.sink)(event);
        }
    }

    // ---- commands

    /// Carries out what waits; `false` when the pool is gone.
    fn handle_commands(&mut self) -> bool {
        if !self.shared.rung.swap(false, Ordering::AcqRel) {
            return true;
        }
        loop {
            self.commands.swap(&mut self.taken);
            if self.taken.is_empty() {
                return !self.commands.is_closed();
            }
            while let Some((id, command)) = self.taken.pop_front() {
                self.handle_command(id, command);
            }
        }
    }

    fn handle_command(&mut self, id: SessionId, command: Command) {
        let now = self.clock.now();
        if let Command::Open { ports, ssrc, seq, timestamp } = command {
            let session = Session::new(id, ssrc, seq, timestamp, self.wall);
            self.open(id, session, ports);
            return;
        }
        let Some(key) = self.legs.key(id) else { return };
        match command {
            Command::Bridge { peer, keys } => {
                if let Some(peer) = self.legs.key(peer).filter(|&peer| peer != key) {
                    self.bridge(key, peer);
                    self.with(key, |session, _| session.bridge(Some(keys)));
                }
            }
            Command::Unbridge => self.unbridge(key),
            Command::Close => self.close(now, key),
            Command::Tone { id, country } => {
                let tone = vec![self.ringback.of(country)];
                self.with(key, |session, events| session.play(id, tone, false, true, events));
            }
            other => self.with(key, |session, events| instruct(session, now, other, events)),
        }
        self.relay_keys(key);
    }

    fn with(&mut self, key: u32, act: impl FnOnce(&mut Session, &mut Vec<MediaEvent>)) {
        if let Some(leg) = self.legs.get(key) {
            act(&mut leg.session, &mut self.events);
        }
    }

    fn open(&mut self, id: SessionId, session: Session, ports: MediaPorts) {
        if self.legs.key(id).is_some() {
            return;
        }
        ports.drain();
        let (wheel, poller) = (&mut self.wheel, &self.poller);
        let mut watched = Ok(());
        self.legs.insert(id, |key| {
            let token = u64::from(key) << 1;
            watched =
                poller.add(&ports.rtp, token).and_then(|()| poller.add(&ports.rtcp, token | 1));
            Box::new(Leg { session, ports, wheel_slot: wheel.insert(key), peer: None })
        });
        self.shared.sessions.fetch_add(1, Ordering::Relaxed);
        if let (Err(_), Some(key)) = (watched, self.legs.key(id)) {
            self.close(self.clock.now(), key);
        }
    }

    fn close(&mut self, now: Duration, key: u32) {
        self.unbridge(key);
        let Some(mut leg) = self.legs.remove(key) else { return };
        self.wheel.remove(leg.wheel_slot, key);
        let mut buffer = [0; rtcp::LONGEST + TRAILER];
        let target = leg.session.rtcp_target();
        let bye = leg.session.close(now, &mut buffer, &mut self.events);
        let bye = bye.and_then(|length| leg.session.seal_rtcp(&mut buffer, length));
        if let (Some(length), Some(target)) = (bye, target) {
            io::send(&leg.ports.rtcp, &buffer[..length], target);
        }
        self.shared.sessions.fetch_sub(1, Ordering::Relaxed);
    }

    fn bridge(&mut self, key: u32, peer: u32) {
        for (one, other) in [(key, peer), (peer, key)] {
            if self.legs.get(one).is_some_and(|leg| leg.peer.is_some_and(|p| p != other)) {
                self.unbridge(one);
            }
            if let Some(leg) = self.legs.get(one) {
                leg.peer = Some(other);
                leg.session.bridge(None);
            }
        }
    }

    fn unbridge(&mut self, key: u32) {
        let peer = self.legs.get(key).and_then(|leg| leg.peer);
        for one in peer.into_iter().chain([key]) {
            if let Some(leg) = self.legs.get(one) {
                leg.peer = None;
                leg.session.unbridge();
            }
        }
    }

    // ---- packets

    fn receive(&mut self) {
        self.has_read = false;
        for _ in 0..ROUNDS {
            self.poller.fetch();
            let now = self.clock.now();
            let Self { poller, legs, events, has_read, .. } = self;
            for token in poller.tokens() {
                *has_read = true;
                let key = (token >> 1) as u32;
                if token & 1 == 0 {
                    receive_rtp(legs, events, now, key);
                } else {
                    receive_rtcp(legs, now, key);
                }
            }
            if !self.poller.was_full() {
                return;
            }
        }
    }

    fn send_due(&mut self) {
        let mut packet = [0; PACKET + TRAILER];
        let mut now = self.clock.now();
        while let Some((due, keys)) = self.wheel.turn(now) {
            for &key in keys {
                let Some(leg) = self.legs.get(key) else { continue };
                send_frame(leg, due, now, &mut packet, &mut self.events);
                if leg.peer.is_some() {
                    relay_keys(&mut self.legs, &mut self.events, key);
                }
            }
            now = self.clock.now();
        }
    }

    fn relay_keys(&mut self, key: u32) {
        relay_keys(&mut self.legs, &mut self.events, key);
    }
}

/// The commands that concern a session alone.
fn instruct(session: &mut Session, now: Duration, command: Command, events: &mut Vec<MediaEvent>) {
    match command {
        Command::Configure(config) => session.configure(now, config),
        Command::Play { id, items, barge_in, repeat } => {
            session.play(id, items, barge_in, repeat, events);
        }
        Command::Stop => session.stop(events),
        Command::InfoKey { digit, duration_ms } => {
            session.info_key(now, digit, duration_ms, events);
        }
        Command::SendKey { digit, duration_ms } => session.send_key(digit, duration_ms),
        Command::ListenKeys(on) => session.listen_keys(on),
        Command::Record { max_ms, silence_ms } => {
            session.record(now, max_ms, silence_ms, events);
        }
        Command::StopRecord => session.stop_record(events),
        // The worker's own.
        Command::Open { .. }
        | Command::Tone { .. }
        | Command::Bridge { .. }
        | Command::Unbridge
        | Command::Close => {}
    }
}

fn receive_rtp(legs: &mut Legs, events: &mut Vec<MediaEvent>, now: Duration, key: u32) {
    let mut buffer = [MaybeUninit::uninit(); DATAGRAM];
    let Some(leg) = legs.get(key) else { return };
    let Some((from, datagram)) = io::receive(&leg.ports.rtp, &mut buffer) else { return };
    let Some(length) = leg.session.open_rtp(datagram) else { return };
    let datagram = &mut datagram[..length];
    let audio = leg.session.handle_rtp(now, from, datagram, events);
    let Some(peer) = leg.peer else { return };
    if let Some(audio) = audio
        && let Some(peer) = legs.get(peer)
        && let Some(packet) = peer.session.relay_audio(now, &audio, datagram)
        && let Some(target) = peer.session.rtp_target()
        && !send_relayed(peer, &datagram[packet], target)
    {
        peer.session.send_failed();
    }
    relay_keys(legs, events, key);
}

/// Sends a packet that the peer of a bridge has made; there is no room behind it for protection.
fn send_relayed(leg: &mut Leg, packet: &[u8], target: SocketAddr) -> bool {
    if !leg.session.is_protected() {
        return io::send(&leg.ports.rtp, packet, target);
    }
    let mut room = [0; DATAGRAM + TRAILER];
    room[..packet.len()].copy_from_slice(packet);
    match leg.session.seal_rtp(&mut room, packet.len()) {
        Some(length) => io::send(&leg.ports.rtp, &room[..length], target),
        None => false,
    }
}

fn receive_rtcp(legs: &mut Legs, now: Duration, key: u32) {
    let mut buffer = [MaybeUninit::uninit(); DATAGRAM];
    let Some(leg) = legs.get(key) else { return };
    if let Some((from, datagram)) = io::receive(&leg.ports.rtcp, &mut buffer)
        && let Some(length) = leg.session.open_rtcp(datagram)
    {
        leg.session.handle_rtcp(now, from, &datagram[..length]);
    }
}

fn send_frame(
    leg: &mut Leg,
    due: Duration,
    now: Duration,
    packet: &mut [u8; PACKET + TRAILER],
    events: &mut Vec<MediaEvent>,
) {
    let made = packet
        .first_chunk_mut()
        .and_then(|packet| leg.session.handle_timeout(due, now, packet, events));
    if let Some(length) = made
        && let Some(target) = leg.session.rtp_target()
        && let Some(length) = leg.session.seal_rtp(packet, length)
        && !io::send(&leg.ports.rtp, &packet[..length], target)
    {
        leg.session.send_failed();
    }
    if leg.session.report_due(now) {
        let mut buffer = [0; rtcp::LONGEST + TRAILER];
        let length = leg.session.report(now, &mut buffer);
        if let Some(target) = leg.session.rtcp_target()
            && let Some(length) = leg.session.seal_rtcp(&mut buffer, length)
        {
            io::send(&leg.ports.rtcp, &buffer[..length], target);
        }
    }
}

/// Hands the keys of a leg to its peer.
fn relay_keys(legs: &mut Legs, events: &mut Vec<MediaEvent>, key: u32) {
    while let Some(leg) = legs.get(key)
        && let Some(edge) = leg.session.poll_key()
        && let Some(peer) = leg.peer
        && let Some(peer) = legs.get(peer)
    {
        peer.session.relay_key(edge, events);
    }
}
