//! The RTP that the generator sends, and what it notes of the RTP that it gets.

use std::{net::SocketAddrV4, time::Duration};

/// A-law silence.
const SILENCE: u8 = 0xd5;
/// What a caller's line sounds like: nothing that a detector could take for a key.
const NOISE: u8 = 0x5a;
/// Payload type of telephone events in the generator's offers and answers.
const EVENTS: u8 = 101;
/// Packets of a key before its end.
const KEY_PACKETS: u16 = 5;

/// One direction towards the engine.
#[derive(Debug, Clone)]
pub struct Out {
    to: SocketAddrV4,
    ssrc: u32,
    seq: u16,
    timestamp: u32,
    key: Option<(u8, u32, u16)>,
}

impl Out {
    /// A stream to the engine's port.
    #[must_use]
    pub fn new(to: SocketAddrV4, ssrc: u32) -> Self {
        Self { to, ssrc, seq: ssrc as u16, timestamp: ssrc.wrapping_mul(77), key: None }
    }

    /// Begins a key.
    pub fn press(&mut self, event: u8) {
        self.key = Some((event, self.timestamp.wrapping_add(160), 0));
    }

    /// The packets of the next 20 ms; returns whether a key's first end is among them.
    pub fn tick(&mut self, mut send: impl FnMut(SocketAddrV4, &[u8])) -> bool {
        self.timestamp = self.timestamp.wrapping_add(160);
        let Some((event, start, n)) = &mut self.key else {
            let mut packet = [NOISE; 172];
            header(&mut packet, 8, self.seq, self.timestamp, self.ssrc);
            self.seq = self.seq.wrapping_add(1);
            send(self.to, &packet);
            return false;
        };
        *n += 1;
        let is_end = *n == KEY_PACKETS;
        let marker = if *n == 1 { 0x80 } else { 0 };
        let duration = (*n * 160).to_be_bytes();
        let volume = if is_end { 0x8a } else { 0x0a };
        let mut packet = [0; 16];
        packet[12..].copy_from_slice(&[*event, volume, duration[0], duration[1]]);
        for _ in 0..if is_end { 3 } else { 1 } {
            header(&mut packet, EVENTS | marker, self.seq, *start, self.ssrc);
            self.seq = self.seq.wrapping_add(1);
            send(self.to, &packet);
        }
        if is_end {
            self.key = None;
        }
        is_end
    }
}

fn header(packet: &mut [u8], payload_type: u8, seq: u16, timestamp: u32, ssrc: u32) {
    packet[0] = 0x80;
    packet[1] = payload_type;
    packet[2..4].copy_from_slice(&seq.to_be_bytes());
    packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
    packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
}

/// What came of one stream of the engine.
#[derive(Debug, Clone, Default)]
pub struct In {
    last: Option<(Duration, u16, u32)>,
    /// Smallest difference of arrival and media time so far, ns.
    base: i64,
    /// A key's first end went out then; the next sound is waited for.
    pub key_end: Option<Duration>,
}

/// What came of all streams.
#[derive(Debug, Default)]
pub struct Heard {
    /// Packets.
    pub packets: u64,
    /// Sequence numbers that never came.
    pub lost: u64,
    /// Packets more than 5 ms after their place on the stream's 20 ms grid.
    pub late: u64,
    /// How far from 20 ms after its predecessor each packet came, µs.
    pub pacing: Vec<u32>,
    /// From a key's first end to the first sound after it, µs.
    pub answers: Vec<u32>,
}

impl In {
    /// Takes one packet of the stream; counts it if `measuring`.
    pub fn take(&mut self, at: Duration, packet: &[u8], heard: &mut Heard, measuring: bool) {
        if packet.len() < 12 || packet[1] & 0x7f == EVENTS {
            return;
        }
        let seq = u16::from_be_bytes([packet[2], packet[3]]);
        let timestamp = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        let media = i64::from(timestamp) * 125_000;
        let skew = at.as_nanos() as i64 - media;
        if self.last.is_none() || skew < self.base {
            self.base = skew;
        }
        if measuring {
            heard.packets += 1;
            if skew - self.base > 5_000_000 {
                heard.late += 1;
            }
            if let Some((before, last, _)) = self.last {
                let step = seq.wrapping_sub(last);
                if step == 1 {
                    let gap = at.saturating_sub(before).as_micros() as i64 - 20_000;
                    heard.pacing.push(gap.unsigned_abs() as u32);
                } else if step < 1_000 {
                    heard.lost += u64::from(step.saturating_sub(1));
                }
            }
        }
        if let Some(end) = self.key_end
            && packet[12..].iter().any(|&byte| byte & 0x7f != SILENCE & 0x7f)
        {
            heard.answers.push(at.saturating_sub(end).as_micros() as u32);
            self.key_end = None;
        }
        self.last = Some((at, seq, timestamp));
    }
}

/// The value below which `share` of the values lie.
#[must_use]
pub fn percentile(values: &mut [u32], share: f64) -> u32 {
    values.sort_unstable();
    let at = (values.len() as f64 * share) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or(0)
}
