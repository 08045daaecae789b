//! A call in virtual time: legs with the sessions under test, and a phone at the far end of each.
//! What the phones hear is read by `rtp-rs`.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dtmf_detector::{Digit, event_payload};
use rtp_media::Law;
use rtp_media::codec::FRAME;
use rtp_media::prompt::Prompt;
use rtp_media::rtp::write_header;
use rtp_media::session::{KeyRelay, MediaEvent, PACKET, Session, SessionId, StreamConfig};

pub const EVENT_PT: u8 = 101;

/// SplitMix64.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.bits() % (range.end - range.start).max(1)
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.within(0..choices.len() as u64) as usize]
    }
}

/// Runs a test with one seed after the other: five hundred, twenty thousand with `CAROM_LONG=1`, or
/// the one of `CAROM_SEED`. A failure names its seed.
pub fn for_seeds(test: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let long = std::env::var("CAROM_LONG").is_ok_and(|value| value == "1");
    let one = std::env::var("CAROM_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let seeds = one.map_or(0..if long { 20_000 } else { 500 }, |seed| seed..seed + 1);
    for seed in seeds {
        if std::panic::catch_unwind(|| test(seed)).is_err() {
            panic!("seed {seed}: run it again with CAROM_SEED={seed}");
        }
    }
}

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn digit(c: char) -> Digit {
    Digit::try_from(c).unwrap()
}

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A prompt whose every byte is `mark` under both laws, so that it is known when it is heard.
pub fn prompt(samples: usize, mark: u8) -> Arc<Prompt> {
    let bytes = || vec![mark; samples].into_boxed_slice();
    let len_ms = (samples / 8) as u32;
    Arc::new(Prompt {
        name: "prompt".into(),
        pcmu: bytes(),
        pcma: bytes(),
        g722: Default::default(),
        len_ms,
    })
}

/// The far end of a leg.
pub struct Phone {
    pub from: SocketAddr,
    pub ssrc: u32,
    pub seq: u16,
    pub timestamp: u32,
    pub pt: u8,
    pub event_pt: u8,
    pub event_clock_hz: u32,
    pub ptime_ms: u64,
    pub talking: bool,
    /// The next audio byte; counts, so that a byte lost or doubled shows.
    pub counter: u8,
    /// Talks this one byte only, when set.
    pub byte: Option<u8>,
    next_ms: u64,
    key: Option<HeldKey>,
}

#[derive(Clone, Copy)]
struct HeldKey {
    digit: Digit,
    timestamp: u32,
    elapsed_ms: u64,
    held_ms: u64,
    ends: u8,
}

impl Phone {
    fn new(from: &str, ssrc: u32) -> Self {
        Self {
            from: address(from),
            ssrc,
            seq: 65_500,
            timestamp: 0xFFFF_F000,
            pt: 8,
            event_pt: EVENT_PT,
            event_clock_hz: 8_000,
            ptime_ms: 20,
            talking: false,
            counter: 0,
            byte: None,
            next_ms: 0,
            key: None,
        }
    }

    /// Presses a key; its events take the place of audio.
    pub fn press(&mut self, c: char, held_ms: u64) {
        let clocks = u64::from(self.event_clock_hz / 8_000);
        let timestamp = (u64::from(self.timestamp) * clocks) as u32;
        self.key = Some(HeldKey { digit: digit(c), timestamp, elapsed_ms: 0, held_ms, ends: 0 });
    }

    /// The packet that it sends at a moment.
    fn packet(&mut self, now_ms: u64) -> Option<Vec<u8>> {
        if now_ms < self.next_ms {
            return None;
        }
        self.next_ms = now_ms + self.ptime_ms;
        let samples = (self.ptime_ms * 8) as u32;
        let packet = match self.key {
            Some(key) => Some(self.event(key)),
            None => self.talking.then(|| self.audio(samples as usize)),
        };
        self.timestamp = self.timestamp.wrapping_add(samples);
        packet
    }

    fn audio(&mut self, samples: usize) -> Vec<u8> {
        let payload: Vec<u8> = (0..samples)
            .map(|_| {
                self.counter = self.counter.wrapping_add(1);
                self.byte.unwrap_or(self.counter)
            })
            .collect();
        self.write(self.pt, self.timestamp, &payload)
    }

    fn event(&mut self, mut key: HeldKey) -> Vec<u8> {
        key.elapsed_ms = (key.elapsed_ms + self.ptime_ms).min(key.held_ms);
        let end = key.elapsed_ms == key.held_ms;
        key.ends += u8::from(end);
        self.key = (key.ends < 3).then_some(key);
        let ticks = key.elapsed_ms * u64::from(self.event_clock_hz) / 1_000;
        let payload = event_payload(key.digit, end, 10, ticks as u16);
        self.write(self.event_pt, key.timestamp, &payload)
    }

    /// A packet of this phone's stream.
    pub fn write(&mut self, pt: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let mut header = [0; 12];
        write_header(&mut header, false, pt, self.seq, timestamp, self.ssrc);
        self.seq = self.seq.wrapping_add(1);
        [&header[..], payload].concat()
    }
}

/// A packet that a phone heard.
#[derive(Clone)]
pub struct Heard {
    pub at_ms: u64,
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (pt, marker, payload) = (self.pt(), self.marker(), self.payload());
        let mark = if marker { " marker" } else { "" };
        let (seq, ts) = (self.seq(), self.timestamp());
        write!(f, "{} ms: pt {pt} seq {seq} ts {ts}{mark} {:02x?}…", self.at_ms, &payload[..4])
    }
}

impl Heard {
    fn rtp(&self) -> rtp_rs::RtpReader<'_> {
        let reader = rtp_rs::RtpReader::new(&self.bytes).expect("RTP");
        assert_eq!((reader.version(), reader.csrc_count(), reader.padding()), (2, 0, None));
        reader
    }

    pub fn pt(&self) -> u8 {
        self.rtp().payload_type()
    }

    pub fn marker(&self) -> bool {
        self.rtp().mark()
    }

    pub fn seq(&self) -> u16 {
        self.rtp().sequence_number().into()
    }

    pub fn timestamp(&self) -> u32 {
        self.rtp().timestamp()
    }

    pub fn ssrc(&self) -> u32 {
        self.rtp().ssrc()
    }

    pub fn payload(&self) -> &[u8] {
        self.rtp().payload()
    }

    pub fn is_event(&self) -> bool {
        self.payload().len() == 4
    }

    /// All bytes are this one.
    pub fn is_all(&self, byte: u8) -> bool {
        !self.is_event() && self.payload().iter().all(|&b| b == byte)
    }
}

/// One leg: the session, its far end, and what that heard.
pub struct Leg {
    pub session: Session,
    pub config: StreamConfig,
    pub phone: Phone,
    pub heard: Vec<Heard>,
    pub reports: Vec<Vec<u8>>,
    peer: Option<usize>,
    slot_ms: u64,
}

/// Legs, driven as a media worker drives them, a millisecond at a time.
pub struct Call {
    pub now_ms: u64,
    pub legs: Vec<Leg>,
    pub events: Vec<(u64, MediaEvent)>,
}

impl Call {
    /// A call with one leg, configured, from moment zero.
    pub fn new() -> Self {
        let mut call = Self { now_ms: 0, legs: Vec::new(), events: Vec::new() };
        call.add_leg(Law::Pcma);
        call
    }

    /// Two legs, not yet bridged.
    pub fn with_two_legs(laws: [Law; 2]) -> Self {
        let mut call = Self { now_ms: 0, legs: Vec::new(), events: Vec::new() };
        laws.into_iter().for_each(|law| call.add_leg(law));
        call
    }

    pub fn add_leg(&mut self, law: Law) {
        let n = self.legs.len();
        let from = format!("192.0.2.{}:4000", n + 1);
        let config = StreamConfig::new(address(&from), law).with_events(EVENT_PT);
        let ssrc = 0xA000_0000 + n as u32;
        let session = Session::new(
            SessionId(n as u64),
            ssrc,
            65_530,
            0xFFFF_FF00,
            Duration::from_secs(1_000),
        );
        let mut phone = Phone::new(&from, 0xB000_0000 + n as u32);
        phone.pt = law.payload_type();
        phone.next_ms = self.now_ms + 5 * n as u64;
        let slot_ms = (self.now_ms + 3 + 7 * n as u64) % 20;
        let (heard, reports) = (Vec::new(), Vec::new());
        self.legs.push(Leg { session, config, phone, heard, reports, peer: None, slot_ms });
        self.configure(n, |_| ());
    }

    /// Applies a changed session description.
    pub fn configure(&mut self, leg: usize, change: impl FnOnce(&mut StreamConfig)) {
        let now = ms(self.now_ms);
        let leg = &mut self.legs[leg];
        change(&mut leg.config);
        leg.session.configure(now, Box::new(leg.config.clone()));
    }

    pub fn play(&mut self, leg: usize, id: u32, items: Vec<Arc<Prompt>>, barge_in: bool) {
        self.with(leg, |session, events| session.play(id, items, barge_in, false, events));
    }

    pub fn stop(&mut self, leg: usize) {
        self.with(leg, Session::stop);
    }

    pub fn bridge(&mut self) {
        self.bridge_with([KeyRelay::Rfc4733; 2]);
    }

    /// Couples legs 0 and 1; how each takes the other's keys.
    pub fn bridge_with(&mut self, keys: [KeyRelay; 2]) {
        for (leg, (peer, keys)) in [(1, keys[0]), (0, keys[1])].into_iter().enumerate() {
            self.legs[leg].peer = Some(peer);
            self.legs[leg].session.bridge(Some(keys));
        }
    }

    pub fn unbridge(&mut self) {
        for leg in &mut self.legs {
            leg.peer = None;
            leg.session.unbridge();
        }
    }

    pub fn with(&mut self, leg: usize, act: impl FnOnce(&mut Session, &mut Vec<MediaEvent>)) {
        let mut events = Vec::new();
        act(&mut self.legs[leg].session, &mut events);
        self.note(events);
    }

    /// Lets time pass.
    pub fn run(&mut self, for_ms: u64) {
        for _ in 0..for_ms {
            for leg in 0..self.legs.len() {
                if let Some(packet) = self.legs[leg].phone.packet(self.now_ms) {
                    let from = self.legs[leg].phone.from;
                    self.deliver(leg, from, packet);
                }
                if self.now_ms % 20 == self.legs[leg].slot_ms {
                    self.frame(leg);
                }
            }
            self.now_ms += 1;
        }
    }

    /// An RTP packet arrives at a leg.
    pub fn deliver(&mut self, leg: usize, from: SocketAddr, mut packet: Vec<u8>) {
        let (now, at_ms, mut events) = (ms(self.now_ms), self.now_ms, Vec::new());
        let audio = self.legs[leg].session.handle_rtp(now, from, &packet, &mut events);
        if let (Some(audio), Some(peer)) = (audio, self.legs[leg].peer) {
            let peer = &mut self.legs[peer];
            if let Some(range) = peer.session.relay_audio(now, &audio, &mut packet) {
                peer.heard.push(Heard { at_ms, bytes: packet[range].to_vec() });
            }
        }
        self.relay_keys(leg, &mut events);
        self.note(events);
    }

    fn frame(&mut self, leg: usize) {
        let (now, at_ms, mut events) = (ms(self.now_ms), self.now_ms, Vec::new());
        let mut packet = [0; PACKET];
        let one = &mut self.legs[leg];
        if let Some(length) = one.session.handle_timeout(now, now, &mut packet, &mut events) {
            one.heard.push(Heard { at_ms, bytes: packet[..length].to_vec() });
        }
        if one.session.report_due(now) {
            let mut report = [0; rtp_media::rtcp::LONGEST];
            let length = one.session.report(now, &mut report);
            one.reports.push(report[..length].to_vec());
        }
        self.relay_keys(leg, &mut events);
        self.note(events);
    }

    fn relay_keys(&mut self, leg: usize, events: &mut Vec<MediaEvent>) {
        while let Some(edge) = self.legs[leg].session.poll_key() {
            if let Some(peer) = self.legs[leg].peer {
                self.legs[peer].session.relay_key(edge, events);
            }
        }
    }

    fn note(&mut self, events: Vec<MediaEvent>) {
        self.events.extend(events.into_iter().map(|event| (self.now_ms, event)));
    }

    /// The keys that a leg reported as counting.
    pub fn keys_of(&self, leg: usize) -> String {
        let key = |(_, event): &(u64, MediaEvent)| match event {
            MediaEvent::KeyUp { session, digit, .. } if session.0 == leg as u64 => {
                Some(digit.as_char())
            }
            _ => None,
        };
        self.events.iter().filter_map(key).collect()
    }

    /// How what played ended: number, milliseconds, completed, when.
    pub fn plays(&self) -> Vec<(u32, u32, bool, u64)> {
        let play = |(at_ms, event): &(u64, MediaEvent)| match event {
            MediaEvent::PlayDone { id, played_ms, completed, .. } => {
                Some((*id, *played_ms, *completed, *at_ms))
            }
            _ => None,
        };
        self.events.iter().filter_map(play).collect()
    }

    /// The keys that a phone heard as events, by their starts; checks their form.
    pub fn keys_heard(&self, leg: usize) -> String {
        let events: Vec<&Heard> = self.legs[leg].heard.iter().filter(|p| p.is_event()).collect();
        let mut keys = String::new();
        for event in events.chunk_by(|a, b| a.timestamp() == b.timestamp()) {
            let code = event[0].payload()[0];
            keys.push(Digit::from_event(code).unwrap().as_char());
            check_event(event);
        }
        keys
    }
}

/// One event as RFC 4733 §2.5 has it: marker first, the duration grows, the end three times.
pub fn check_event(event: &[&Heard]) {
    let ends: Vec<bool> = event.iter().map(|p| p.payload()[1] & 0x80 != 0).collect();
    let durations: Vec<u16> =
        event.iter().map(|p| u16::from_be_bytes([p.payload()[2], p.payload()[3]])).collect();
    assert!(event[0].marker() && event[1..].iter().all(|p| !p.marker()), "{event:?}");
    assert!(event.iter().all(|p| p.payload()[0] == event[0].payload()[0]), "{event:?}");
    assert!(durations.is_sorted(), "{durations:?}");
    assert!(durations[0] > 0 && durations[0] <= 160, "{durations:?}");
    let updates = event.len() - 3;
    assert_eq!(ends, [vec![false; updates], vec![true; 3]].concat(), "{event:?}");
    assert_eq!(durations[updates..], [durations[updates]; 3]);
    assert!(event.windows(2).all(|pair| pair[1].at_ms - pair[0].at_ms == 20), "{event:?}");
}

/// Checks what every far end relies on: one SSRC, a gapless sequence, timestamps that follow the
/// clock and never go back. `slack_ms` is how far from the clock they may be.
pub fn check_stream(heard: &[Heard], slack_ms: i64) {
    let Some(first) = heard.first() else { return };
    assert!(first.marker(), "{first:?}");
    let mut end = first.timestamp();
    for pair in heard.windows(2) {
        let [last, next] = pair else { unreachable!() };
        assert_eq!(next.ssrc(), first.ssrc(), "{pair:?}");
        assert_eq!(next.seq(), last.seq().wrapping_add(1), "{pair:?}");
    }
    let mut event = None;
    for packet in heard {
        let timestamp = packet.timestamp();
        let repeated = packet.is_event() && event == Some(timestamp);
        if !repeated {
            let ahead = timestamp.wrapping_sub(end) as i32;
            assert!(ahead >= 0, "back by {} samples: {packet:?}", -ahead);
            let on_clock = 8 * (packet.at_ms - first.at_ms) as i64;
            let off = i64::from(timestamp.wrapping_sub(first.timestamp())) - on_clock;
            assert!(off.abs() <= 8 * slack_ms, "{off} samples off the clock: {packet:?}");
            if ahead > FRAME as i32 / 2 && slack_ms < 40 {
                assert!(packet.marker(), "{ahead} samples left out without a marker: {packet:?}");
            }
            end = timestamp;
        }
        event = packet.is_event().then_some(timestamp);
        end = end.wrapping_add(if packet.is_event() { 160 } else { packet.payload().len() as u32 });
    }
}
