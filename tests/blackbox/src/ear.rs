//! A phone's media by hand: what RTP came, and RTP to send.

use std::{
    cell::Cell,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use audio_codec_algorithms::{encode_alaw, encode_ulaw};

use crate::{Place, eventually};

/// The payload type of A-law.
pub const PCMA: u8 = 8;
/// The payload type of µ-law.
pub const PCMU: u8 = 0;
/// The payload type of telephone-events in the scenarios.
pub const EVENTS: u8 = 101;

/// A frame lasts this long.
const FRAME: Duration = Duration::from_millis(20);
/// Samples of a frame.
const SAMPLES: u32 = 160;

/// An RTP socket.
#[derive(Debug)]
pub struct Ear {
    socket: UdpSocket,
    seq: Cell<u16>,
    timestamp: Cell<u32>,
    peer: Cell<Option<SocketAddr>>,
}

/// One packet that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// From where.
    pub from: SocketAddr,
    /// Payload type.
    pub pt: u8,
    /// Marker.
    pub marker: bool,
    /// Sequence number.
    pub seq: u16,
    /// Time stamp.
    pub timestamp: u32,
    /// Source.
    pub ssrc: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Ear {
    /// At any port of `ip`.
    #[must_use]
    pub fn at(ip: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let (seq, timestamp) = (Cell::new(1), Cell::new(1_000));
        Self { socket, seq, timestamp, peer: Cell::new(None) }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// The packets that came since the last look.
    pub fn heard(&self) -> Vec<Packet> {
        let mut buffer = [0; 2_048];
        let mut packets = Vec::new();
        while let Ok((len, from)) = self.socket.recv_from(&mut buffer) {
            let bytes = &buffer[..len];
            if len < 12 || bytes[0] >> 6 != 2 {
                continue;
            }
            self.peer.set(Some(from));
            packets.push(Packet {
                from,
                pt: bytes[1] & 0x7f,
                marker: bytes[1] & 0x80 != 0,
                seq: u16::from_be_bytes([bytes[2], bytes[3]]),
                timestamp: u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
                ssrc: u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
                payload: bytes[12..].to_vec(),
            });
        }
        packets
    }

    /// Waits for a packet; those before it are gone.
    pub fn hears(&self, what: &str, mut is: impl FnMut(&Packet) -> bool) -> Packet {
        eventually(what, || self.heard().into_iter().find(&mut is))
    }

    /// Hears `frames` packets.
    pub fn listens(&self, frames: usize) {
        let mut heard = 0;
        eventually("more RTP", || {
            heard += self.heard().len();
            (heard >= frames).then_some(())
        });
    }

    /// Waits for any packet, so that it is known where to send to.
    pub fn meets(&self) -> SocketAddr {
        if self.peer.get().is_none() {
            self.hears("any RTP", |_| true);
        }
        self.peer.get().unwrap()
    }

    /// Whether nothing comes for `frames` frames, what is under way left out.
    #[must_use]
    pub fn silent_for(&self, frames: u32) -> bool {
        pass(2);
        self.heard();
        pass(frames);
        self.heard().is_empty()
    }

    /// Sends `frames` frames of audio, each full of `byte`.
    pub fn speaks(&self, to: SocketAddr, pt: u8, byte: u8, frames: u32) {
        for frame in 0..frames {
            self.send(to, pt, frame == 0, &[byte; SAMPLES as usize]);
            self.advance();
            pass(1);
        }
    }

    /// Sends a sound in the law of `pt`.
    pub fn plays(&self, to: SocketAddr, pt: u8, sound: &[i16]) {
        let encode = if pt == PCMU { encode_ulaw } else { encode_alaw };
        for (frame, samples) in sound.chunks_exact(SAMPLES as usize).enumerate() {
            let payload: Vec<u8> = samples.iter().map(|&sample| encode(sample)).collect();
            self.send(to, pt, frame == 0, &payload);
            self.advance();
            pass(1);
        }
    }

    /// Speaks until `other` hears a packet full of `byte`.
    pub fn is_heard_by(&self, to: SocketAddr, pt: u8, byte: u8, other: &Self) -> Packet {
        eventually("audio from leg to leg", || {
            self.speaks(to, pt, byte, 1);
            let packets = other.heard();
            packets.into_iter().find(|packet| packet.payload.iter().all(|b| *b == byte))
        })
    }

    /// Presses a key for 100 ms (RFC 4733), the end said three times.
    pub fn presses(&self, to: SocketAddr, event: u8) {
        let base = self.timestamp.get();
        for frame in 1..=7_u16 {
            let end = if frame >= 5 { 0x80 } else { 0 };
            let [high, low] = (frame.min(5) * SAMPLES as u16).to_be_bytes();
            self.timestamp.set(base);
            self.send(to, EVENTS, frame == 1, &[event, end | 10, high, low]);
            pass(1);
        }
        self.timestamp.set(base.wrapping_add(7 * SAMPLES));
    }

    fn send(&self, to: SocketAddr, pt: u8, marker: bool, payload: &[u8]) {
        let mut packet = vec![0x80, pt | if marker { 0x80 } else { 0 }];
        packet.extend(self.seq.get().to_be_bytes());
        packet.extend(self.timestamp.get().to_be_bytes());
        packet.extend(0x0bad_cafe_u32.to_be_bytes());
        packet.extend(payload);
        // An engine that has closed its port answers with ICMP.
        let _ = self.socket.send_to(&packet, to);
        self.seq.set(self.seq.get().wrapping_add(1));
    }

    fn advance(&self) {
        self.timestamp.set(self.timestamp.get().wrapping_add(SAMPLES));
    }
}

/// RTP is sent and missed by the clock of the wall.
#[expect(clippy::disallowed_methods, reason = "a phone speaks in real time")]
fn pass(frames: u32) {
    std::thread::sleep(FRAME * frames);
}

/// Where the engine takes RTP, by the last SDP of it among `messages`.
#[must_use]
pub fn media_of(place: &Place, messages: &str) -> SocketAddr {
    let here = format!("IN IP4 {}", place.engine());
    let last = messages.rsplit_once(&here).unwrap().1;
    let port = last.split_once("m=audio ").unwrap().1;
    let port: u16 = port.split(' ').next().unwrap().parse().unwrap();
    SocketAddr::from((place.engine(), port))
}
