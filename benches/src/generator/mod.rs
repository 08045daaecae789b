//! The load generator: carrier and PBX of one engine, on one thread, a turn every millisecond.

mod caller;
mod heard;
mod leg;
mod net;
mod pbx;
mod sip;

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io,
    mem::MaybeUninit,
    net::{SocketAddr, UdpSocket},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::event::{Timespec, epoll};

use self::{
    caller::{Call, Do, Ends},
    leg::Leg,
    net::DATAGRAM,
    pbx::{Pbx, Reply},
    sip::Message,
};
pub use self::{
    caller::{Counts, Plan, number_of},
    heard::{Pacing, quantile},
    net::wall_ns,
};

/// Turns of a frame: legs are spread over them.
const SLOTS: usize = 20;
const TURN: Duration = Duration::from_millis(1);
/// Behind by more turns, frames are left out.
const TOO_LATE: u64 = 100;
/// Readiness fetched in one call.
const BATCH: usize = 1_024;

/// Carrier and PBX.
#[derive(Debug)]
pub struct Generator {
    began: Instant,
    turn: u64,
    carrier: UdpSocket,
    pbx_socket: UdpSocket,
    /// Takes RTCP, and RTP of calls without.
    sink: UdpSocket,
    ends: Option<Ends>,
    epoll: OwnedFd,
    legs: Vec<Option<Leg>>,
    slots: [Vec<u32>; SLOTS],
    calls: Vec<Placed>,
    running: usize,
    pbx: Pbx,
    pbx_rtp: bool,
    timers: BinaryHeap<Reverse<(Duration, u32, Timer)>>,
    dialling: Option<Dialling>,
    counts: Counts,
    measuring: bool,
    sent: u64,
    pressed: Vec<(u32, u64)>,
}

#[derive(Debug)]
struct Placed {
    call: Call,
    leg: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Repeat,
    HangUp,
    Press(u8),
}

/// Calls that are still to be made.
#[derive(Debug)]
struct Dialling {
    plan: Plan,
    left: u64,
    every: Duration,
    next: Duration,
}

impl Generator {
    /// Opens the sockets.
    ///
    /// # Errors
    /// The system gives none.
    pub fn new() -> io::Result<Self> {
        let carrier = net::wide_socket()?;
        Ok(Self {
            began: Instant::now(),
            turn: 0,
            carrier,
            pbx_socket: net::wide_socket()?,
            sink: net::wide_socket()?,
            ends: None,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            legs: Vec::new(),
            slots: Default::default(),
            calls: Vec::new(),
            running: 0,
            pbx: Pbx::default(),
            pbx_rtp: true,
            timers: BinaryHeap::new(),
            dialling: None,
            counts: Counts::default(),
            measuring: false,
            sent: 0,
            pressed: Vec::new(),
        })
    }

    /// Where the PBX takes calls.
    ///
    /// # Errors
    /// The socket has no address.
    pub fn pbx_at(&self) -> io::Result<SocketAddr> {
        self.pbx_socket.local_addr()
    }

    /// Calls the engine at `engine` from now on.
    ///
    /// # Errors
    /// The address cannot be sent to.
    pub fn aim(&mut self, engine: SocketAddr) -> io::Result<()> {
        self.carrier.connect(engine)?;
        self.ends = Some(Ends { here: self.carrier.local_addr()?, engine });
        Ok(())
    }

    /// Whether calls that come to the PBX have RTP.
    pub fn pbx_talks(&mut self, talks: bool) {
        self.pbx_rtp = talks;
    }

    /// Makes `count` calls, `per_second` of them a second, from now on.
    pub fn dial(&mut self, plan: Plan, count: u64, per_second: f64) {
        let every = Duration::from_secs_f64(1.0 / per_second);
        self.dialling = Some(Dialling { plan, left: count, every, next: self.now() });
    }

    /// Presses a key in every call that is up, one after the other over `over`.
    pub fn press_in_all(&mut self, digit: u8, over: Duration) {
        let up: Vec<u32> = self.calls_up();
        for (n, call) in up.iter().enumerate() {
            let at = self.now() + over.mul_f64(n as f64 / up.len() as f64);
            self.timers.push(Reverse((at, *call, Timer::Press(digit))));
        }
    }

    /// Ends every call that is up, one after the other over `over`.
    pub fn hang_up_all(&mut self, over: Duration) {
        let up: Vec<u32> = self.calls_up();
        for (n, call) in up.iter().enumerate() {
            let at = self.now() + over.mul_f64(n as f64 / up.len() as f64);
            self.timers.push(Reverse((at, *call, Timer::HangUp)));
        }
    }

    fn calls_up(&self) -> Vec<u32> {
        let calls = self.calls.iter().enumerate();
        calls.filter(|(_, placed)| placed.call.is_up()).map(|(n, _)| n as u32).collect()
    }

    /// Measures the pacing of what is heard from now on, or no longer.
    pub fn measure(&mut self, on: bool) {
        self.measuring = on;
        if on {
            self.legs.iter_mut().flatten().for_each(|leg| leg.heard.start_measuring());
        }
    }

    /// What was measured, on all legs that are still open.
    pub fn pacing(&self) -> Pacing {
        let mut sum = Pacing::default();
        self.legs.iter().flatten().for_each(|leg| leg.heard.add_to(&mut sum));
        sum.sort();
        sum
    }

    /// From the first end packet of each key to the first packet of sound after it, µs, sorted.
    pub fn reactions_us(&self) -> Vec<u32> {
        let legs = self.legs.iter().flatten();
        let mut all: Vec<u32> =
            legs.flat_map(|leg| leg.heard.reactions_us.iter().copied()).collect();
        all.sort_unstable();
        all
    }

    /// Calls that are over and pressed a key: who, and when its first end packet went out, in
    /// nanoseconds since 1970.
    pub fn pressed(&self) -> impl Iterator<Item = (String, u64)> {
        self.pressed.iter().map(|&(call, at)| (number_of(call), at))
    }

    /// What became of the calls so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// RTP packets sent so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// RTP packets of audio heard so far, on legs that are still open.
    pub fn heard(&self) -> u64 {
        self.legs.iter().flatten().map(|leg| leg.heard.packets).sum()
    }

    /// Calls that are not over.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Calls at the PBX that are not over, and all it ever took.
    pub fn at_pbx(&self) -> (usize, u64) {
        (self.pbx.running(), self.pbx.taken)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Runs for a time.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Runs until `done`, or for `limit`; whether it was done.
    pub fn run_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now() + limit;
        loop {
            let now = self.now();
            self.dial_due(now);
            self.on_time(now);
            self.read_carrier();
            self.read_pbx();
            self.send_frames(now);
            self.read_rtp();
            if done(self) {
                return true;
            }
            let now = self.now();
            if now >= end {
                return false;
            }
            let next = Duration::from_millis(now.as_millis() as u64 + 1);
            std::thread::sleep((next - now).min(TURN));
        }
    }

    // ---- calls

    fn dial_due(&mut self, now: Duration) {
        while let Some(dialling) = &mut self.dialling {
            if dialling.left == 0 {
                self.dialling = None;
            } else if dialling.next <= now {
                dialling.left -= 1;
                dialling.next += dialling.every;
                let plan = dialling.plan;
                self.place(now, plan);
            } else {
                return;
            }
        }
    }

    fn place(&mut self, now: Duration, plan: Plan) {
        let Some(ends) = self.ends else { return };
        let number = self.calls.len() as u32;
        let leg = if plan.rtp { self.open_leg() } else { None };
        let sdp = self.sdp(leg);
        let (call, todo) = Call::begin(number, plan, sdp, now, ends);
        self.calls.push(Placed { call, leg });
        self.running += 1;
        self.counts.dialled += 1;
        self.carry_out(number, now, todo);
    }

    fn sdp(&self, leg: Option<u32>) -> String {
        let sink = self.sink.local_addr().map_or(9, |at| at.port());
        let leg = leg.and_then(|leg| self.legs.get(leg as usize)?.as_ref());
        sip::sdp(leg.map_or(sink, Leg::port), sink)
    }

    fn carry_out(&mut self, number: u32, now: Duration, todo: Vec<Do>) {
        for step in todo {
            match step {
                Do::Send(text) => {
                    // What the kernel refuses is repeated like what is lost.
                    let _ = self.carrier.send(text.as_bytes());
                }
                Do::Talk(to) => {
                    let leg = self.calls[number as usize].leg;
                    if let Some(leg) = self.leg(leg) {
                        let _ = leg.direct(to);
                    }
                }
                Do::Repeat(wait) => self.timers.push(Reverse((now + wait, number, Timer::Repeat))),
                Do::HangUp(wait) => self.timers.push(Reverse((now + wait, number, Timer::HangUp))),
                Do::Press(wait, digit) => {
                    self.timers.push(Reverse((now + wait, number, Timer::Press(digit))));
                }
                Do::Quiet => {
                    self.running -= 1;
                    if let Some(leg) = self.calls[number as usize].leg.take() {
                        let at = self.leg(Some(leg)).and_then(|leg| leg.pressed_ns);
                        self.pressed.extend(at.map(|at| (number, at)));
                        self.close_leg(leg);
                    }
                }
            }
        }
    }

    fn on_time(&mut self, now: Duration) {
        let Some(ends) = self.ends else { return };
        while let Some(&Reverse((at, number, timer))) = self.timers.peek() {
            if at > now {
                return;
            }
            self.timers.pop();
            let call = &mut self.calls[number as usize].call;
            let todo = match timer {
                Timer::Repeat => call.on_repeat(now, ends, &mut self.counts),
                Timer::HangUp => call.hang_up(ends),
                Timer::Press(digit) => {
                    let leg = self.calls[number as usize].leg;
                    if let Some(leg) = self.leg(leg) {
                        leg.press(digit);
                    }
                    Vec::new()
                }
            };
            self.carry_out(number, now, todo);
        }
    }

    fn read_carrier(&mut self) {
        let mut buffer = [0; DATAGRAM];
        let Some(ends) = self.ends else { return };
        while let Ok(length) = self.carrier.recv(&mut buffer) {
            let Some(message) = Message::of(&buffer[..length]) else { continue };
            let call_id = message.header("Call-ID").unwrap_or("");
            let number = call_id.split('-').next().and_then(|text| text.parse::<u32>().ok());
            let now = self.now();
            let todo = if let Some(method) = message.method() {
                let answer =
                    message.response("200 OK", "c", &format!("<sip:bench@{}>", ends.here), None);
                let _ = self.carrier.send(answer.as_bytes());
                let call = number.and_then(|number| self.calls.get_mut(number as usize));
                call.filter(|_| method == "BYE")
                    .map_or(Vec::new(), |placed| placed.call.on_bye(&mut self.counts))
            } else {
                let call = number.and_then(|number| self.calls.get_mut(number as usize));
                call.map_or(Vec::new(), |placed| {
                    placed.call.on_response(now, message, ends, &mut self.counts)
                })
            };
            if let Some(number) = number {
                self.carry_out(number, now, todo);
            }
        }
    }

    fn read_pbx(&mut self) {
        let mut buffer = [0; DATAGRAM];
        let Ok(at) = self.pbx_socket.local_addr() else { return };
        let contact = format!("<sip:pbx@{at}>");
        while let Ok((length, from)) = self.pbx_socket.recv_from(&mut buffer) {
            let Some(message) = Message::of(&buffer[..length]) else { continue };
            for reply in self.pbx.on_request(message, &contact) {
                match reply {
                    Reply::Send(text) => {
                        let _ = self.pbx_socket.send_to(text.as_bytes(), from);
                    }
                    Reply::Open(address) => {
                        let leg = if self.pbx_rtp { self.open_leg() } else { None };
                        if let Some(leg) = self.leg(leg) {
                            let _ = leg.direct(address);
                        }
                        let sdp = self.sdp(leg);
                        for text in self.pbx.answer(message, leg, &contact, &sdp) {
                            let _ = self.pbx_socket.send_to(text.as_bytes(), from);
                        }
                    }
                    Reply::Close(leg) => self.close_leg(leg),
                    Reply::Nothing => {}
                }
            }
        }
    }

    // ---- RTP

    fn leg(&mut self, leg: Option<u32>) -> Option<&mut Leg> {
        self.legs.get_mut(leg? as usize)?.as_mut()
    }

    fn open_leg(&mut self) -> Option<u32> {
        let number = self.legs.len() as u32;
        let leg = Leg::open(number).ok()?;
        let data = epoll::EventData::new_u64(u64::from(number));
        epoll::add(&self.epoll, leg.socket(), data, epoll::EventFlags::IN).ok()?;
        self.legs.push(Some(leg));
        let slot = (0..SLOTS).min_by_key(|&slot| self.slots[slot].len()).unwrap_or(0);
        self.slots[slot].push(number);
        Some(number)
    }

    fn close_leg(&mut self, number: u32) {
        self.legs[number as usize] = None;
        for slot in &mut self.slots {
            slot.retain(|&other| other != number);
        }
    }

    fn send_frames(&mut self, now: Duration) {
        let due = now.as_millis() as u64;
        if self.turn + TOO_LATE < due {
            self.turn = due - SLOTS as u64;
        }
        while self.turn <= due {
            let slot = (self.turn % SLOTS as u64) as usize;
            for &number in &self.slots[slot] {
                if let Some(leg) = self.legs[number as usize].as_mut() {
                    self.sent += leg.send_frame();
                }
            }
            self.turn += 1;
        }
    }

    fn read_rtp(&mut self) {
        let mut events = [const { MaybeUninit::uninit() }; BATCH];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        while let Ok((ready, _)) = epoll::wait(&self.epoll, &mut events[..], Some(&now)) {
            for event in &*ready {
                let number = event.data.u64() as usize;
                if let Some(leg) = self.legs.get_mut(number).and_then(Option::as_mut) {
                    leg.receive(self.measuring);
                }
            }
            if ready.len() < BATCH {
                break;
            }
        }
        let mut buffer = [0; 64];
        while self.sink.recv_from(&mut buffer).is_ok() {}
    }
}
