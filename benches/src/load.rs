//! The carrier and the PBX of a run: one thread, four sockets.

use std::{collections::HashMap, io, net::SocketAddrV4, time::Duration};

use crate::{
    engine::{CARRIER, ENGINE, PBX},
    rtp::{Heard, In, Out},
    sip,
    wire::{Wire, now, wait},
};

/// How RTP of the calls is spread over 20 ms.
const PHASES: usize = 20;
/// SIP of the engine.
const SIP: SocketAddrV4 = SocketAddrV4::new(ENGINE, 5060);

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Calling,
    Up,
    Leaving,
    Over,
}

#[derive(Debug)]
struct Call {
    state: State,
    /// The To of the dialog.
    to: String,
    out: Option<Out>,
    heard: In,
    started: Duration,
}

/// What became of the calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ends {
    /// Answered.
    pub up: usize,
    /// Refused with 503.
    pub refused: usize,
    /// Anything else that is not an answer.
    pub failed: usize,
    /// Ended in order.
    pub over: usize,
    /// Answered by the PBX.
    pub forwarded: usize,
}

/// The generator.
pub struct Load {
    run: u32,
    sip: Wire,
    rtp: Wire,
    pbx_sip: Wire,
    pbx_rtp: Wire,
    rtcp: [Wire; 2],
    calls: Vec<Call>,
    by_port: HashMap<u16, usize>,
    pbx: HashMap<String, Out>,
    pbx_ports: HashMap<u16, In>,
    next_phase: Duration,
    phase: usize,
    /// Whether the calls send RTP.
    pub media: bool,
    /// Whether the calls end as soon as they are up.
    pub brief: bool,
    /// Whether what is heard counts.
    pub measuring: bool,
    /// What is heard of the callers' legs.
    pub heard: Heard,
    /// What is heard of the PBX's legs.
    pub pbx_heard: Heard,
    /// What became of the calls.
    pub ends: Ends,
    /// From INVITE to 200, µs.
    pub answers: Vec<u32>,
    texts: Vec<(Side, SocketAddrV4, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Carrier,
    Pbx,
}

impl Load {
    /// Binds the sockets of both sides.
    ///
    /// # Errors
    /// An address is taken.
    pub fn new(run: u32) -> io::Result<Self> {
        Ok(Self {
            run,
            sip: Wire::bind(CARRIER, 5060)?,
            rtp: Wire::bind(CARRIER, sip::RTP)?,
            pbx_sip: Wire::bind(PBX, 5060)?,
            pbx_rtp: Wire::bind(PBX, sip::RTP)?,
            rtcp: [Wire::bind(CARRIER, sip::RTP + 1)?, Wire::bind(PBX, sip::RTP + 1)?],
            calls: Vec::new(),
            by_port: HashMap::new(),
            pbx: HashMap::new(),
            pbx_ports: HashMap::new(),
            next_phase: now(),
            phase: 0,
            media: true,
            brief: false,
            measuring: false,
            heard: Heard::default(),
            pbx_heard: Heard::default(),
            ends: Ends::default(),
            answers: Vec::new(),
            texts: Vec::new(),
        })
    }

    /// A new run on the sockets of one that is over.
    ///
    /// # Errors
    /// An address is taken.
    pub fn new_on(run: u32, old: Self) -> io::Result<Self> {
        drop(old);
        Self::new(run)
    }

    /// Begins one more call.
    pub fn call(&mut self) {
        let n = self.calls.len();
        let call = Call {
            state: State::Calling,
            to: String::new(),
            out: None,
            heard: In::default(),
            started: now(),
        };
        self.calls.push(call);
        self.sip.send(SIP, sip::invite(self.run, n).as_bytes());
    }

    /// Presses a key on the call.
    pub fn press(&mut self, n: usize, event: u8) {
        if let Some(out) = self.calls[n].out.as_mut() {
            out.press(event);
        }
    }

    /// Hangs up on every call that is up.
    pub fn hang_up(&mut self) {
        for n in 0..self.calls.len() {
            self.bye(n);
        }
    }

    /// Calls so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    fn bye(&mut self, n: usize) {
        let call = &mut self.calls[n];
        if call.state == State::Up {
            call.state = State::Leaving;
            call.out = None;
            let bye = sip::within(self.run, n, "BYE", &call.to);
            self.sip.send(SIP, bye.as_bytes());
        }
    }

    /// Runs for `time`; `each` is called every millisecond with what has passed of it.
    pub fn run_for(&mut self, time: Duration, mut each: impl FnMut(&mut Self, Duration)) {
        let start = now();
        let mut next = Duration::ZERO;
        loop {
            let passed = now().saturating_sub(start);
            if passed >= time {
                return;
            }
            if passed >= next {
                each(self, passed);
                next = passed + Duration::from_millis(1);
            }
            self.tick();
            self.take_all();
            let fds = [&self.sip, &self.rtp, &self.pbx_sip, &self.pbx_rtp].map(Wire::fd);
            let left = self.next_phase.saturating_sub(now()).min(Duration::from_millis(1));
            wait(&fds, left);
        }
    }

    /// Runs until `done`, `most` at most; returns whether it was.
    pub fn run_until(&mut self, most: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let start = now();
        while now().saturating_sub(start) < most {
            if done(self) {
                return true;
            }
            self.run_for(Duration::from_millis(5), |_, _| {});
        }
        done(self)
    }

    /// Sends the RTP that is due.
    fn tick(&mut self) {
        let at = now();
        if !self.media {
            self.next_phase = at + Duration::from_millis(1);
            return;
        }
        while self.next_phase <= at {
            let phase = self.phase;
            for call in self.calls.iter_mut().skip(phase).step_by(PHASES) {
                let Some(out) = call.out.as_mut() else { continue };
                if out.tick(|to, packet| self.rtp.queue(to, packet)) {
                    call.heard.key_end = Some(at);
                }
            }
            for out in self.pbx.values_mut().skip(phase).step_by(PHASES) {
                out.tick(|to, packet| self.pbx_rtp.queue(to, packet));
            }
            self.rtp.flush();
            self.pbx_rtp.flush();
            self.phase = (phase + 1) % PHASES;
            self.next_phase += Duration::from_millis(20) / PHASES as u32;
        }
    }

    fn take_all(&mut self) {
        let measuring = self.measuring;
        loop {
            let Self { rtp, calls, by_port, heard, .. } = self;
            let got = rtp.receive(|packet| {
                if let Some(&n) = by_port.get(&packet.from.port()) {
                    calls[n].heard.take(packet.at, packet.bytes, heard, measuring);
                }
            });
            let Self { pbx_rtp, pbx_ports, pbx_heard, .. } = self;
            let also = pbx_rtp.receive(|packet| {
                if let Some(stream) = pbx_ports.get_mut(&packet.from.port()) {
                    stream.take(packet.at, packet.bytes, pbx_heard, measuring);
                }
            });
            let texts = &mut self.texts;
            let mut keep = |side, packet: crate::wire::Received<'_>| {
                let text = String::from_utf8_lossy(packet.bytes).into_owned();
                texts.push((side, packet.from, text));
            };
            let sip = self.sip.receive(|packet| keep(Side::Carrier, packet))
                + self.pbx_sip.receive(|packet| keep(Side::Pbx, packet));
            for wire in &mut self.rtcp {
                wire.receive(|_| {});
            }
            for (side, from, text) in std::mem::take(&mut self.texts) {
                match side {
                    Side::Carrier => self.on_carrier(from, &text),
                    Side::Pbx => self.on_pbx(from, &text),
                }
            }
            if got + also + sip < 64 {
                return;
            }
        }
    }

    fn on_carrier(&mut self, from: SocketAddrV4, text: &str) {
        let Some(status) = sip::status(text) else {
            if text.starts_with("BYE ") {
                self.sip.send(from, sip::answer(text, "200 OK", false).as_bytes());
                if let Some(n) = sip::number_of(text, self.run).filter(|n| *n < self.calls.len()) {
                    self.over(n);
                }
            }
            return;
        };
        let Some(n) = sip::number_of(text, self.run).filter(|n| *n < self.calls.len()) else {
            return;
        };
        let is_invite = sip::field(text, "CSeq").is_some_and(|cseq| cseq.ends_with("INVITE"));
        let to = sip::field(text, "To").unwrap_or_default();
        match (self.calls[n].state, status) {
            (_, 100..=199) => {}
            (State::Calling, 200..=299) => {
                self.sip.send(SIP, sip::within(self.run, n, "ACK", to).as_bytes());
                let call = &mut self.calls[n];
                call.to = to.to_owned();
                call.state = State::Up;
                self.ends.up += 1;
                self.answers.push(now().saturating_sub(call.started).as_micros() as u32);
                if let Some(at) = sip::media(text).filter(|_| self.media) {
                    self.by_port.insert(at.port(), n);
                    call.out = Some(Out::new(at, n as u32 + 1));
                }
                if self.brief {
                    self.bye(n);
                }
            }
            (State::Calling, _) => {
                self.sip.send(SIP, sip::ack_refused(self.run, n, to).as_bytes());
                self.calls[n].state = State::Over;
                if status == 503 {
                    self.ends.refused += 1;
                } else {
                    self.ends.failed += 1;
                }
            }
            (State::Up | State::Leaving, 200..=299) if is_invite => {
                self.sip.send(SIP, sip::within(self.run, n, "ACK", to).as_bytes());
            }
            (State::Leaving, _) if !is_invite => self.over(n),
            _ => {}
        }
    }

    fn over(&mut self, n: usize) {
        let call = &mut self.calls[n];
        if call.state != State::Over {
            call.state = State::Over;
            call.out = None;
            call.to = String::new();
            self.ends.over += 1;
        }
    }

    fn on_pbx(&mut self, from: SocketAddrV4, text: &str) {
        let Some(id) = sip::field(text, "Call-ID") else { return };
        if text.starts_with("INVITE ") {
            self.pbx_sip.send(from, sip::answer(text, "200 OK", true).as_bytes());
            let n = self.pbx.len() as u32;
            if let Some(at) = sip::media(text).filter(|_| !self.pbx.contains_key(id)) {
                self.pbx_ports.insert(at.port(), In::default());
                self.pbx.insert(id.to_owned(), Out::new(at, 0x8000_0000 + n));
                self.ends.forwarded += 1;
            }
        } else if text.starts_with("BYE ") {
            self.pbx.remove(id);
            self.pbx_sip.send(from, sip::answer(text, "200 OK", false).as_bytes());
        } else if text.starts_with("OPTIONS ") {
            self.pbx_sip.send(from, sip::answer(text, "200 OK", false).as_bytes());
        }
    }
}
