//! One RTP stream each way: G.711 A-law every 20 ms, now and then a key, and what comes back.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::LazyLock,
};

use rtp_media::{
    Law,
    rtp::{HEADER, Header, write_header},
};

use super::{
    heard::Heard,
    net::{self, DATAGRAM},
};

/// Samples of a packet.
const FRAME: usize = 160;
/// Payload types that the generator offers.
pub const AUDIO: u8 = 8;
pub const EVENT: u8 = 101;
/// Event packets before the first end packet: a key of 100 ms.
const HELD: u32 = 5;

/// 400 Hz, so that one frame is followed by itself without a click.
static TONE: LazyLock<[u8; FRAME]> = LazyLock::new(|| {
    std::array::from_fn(|n| {
        let phase = std::f32::consts::TAU * 400.0 * n as f32 / 8_000.0;
        Law::Pcma.encode((phase.sin() * 4_000.0) as i16)
    })
});

/// One party's RTP of one call.
#[derive(Debug)]
pub struct Leg {
    socket: UdpSocket,
    ssrc: u32,
    seq: u16,
    timestamp: u32,
    started: bool,
    key: Option<Key>,
    /// When the first end packet of its last key went out, nanoseconds since 1970.
    pub pressed_ns: Option<u64>,
    /// What came from the engine.
    pub heard: Heard,
}

#[derive(Debug)]
struct Key {
    digit: u8,
    began: u32,
    sent: u32,
}

impl Leg {
    /// A stream that sends nothing until it is [directed](Self::direct).
    ///
    /// # Errors
    /// The system gives no socket.
    pub fn open(number: u32) -> io::Result<Self> {
        Ok(Self {
            socket: net::rtp_socket()?,
            ssrc: 0x0100_0000 + number,
            seq: number as u16,
            timestamp: number.wrapping_mul(7_919),
            started: false,
            key: None,
            pressed_ns: None,
            heard: Heard::default(),
        })
    }

    /// Its socket.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.socket.local_addr().map_or(0, |at| at.port())
    }

    /// Sends there from now on, and hears from there only.
    ///
    /// # Errors
    /// The address cannot be sent to.
    pub fn direct(&mut self, to: SocketAddr) -> io::Result<()> {
        self.socket.connect(to)?;
        self.started = true;
        Ok(())
    }

    /// Presses a key from the next packet on.
    pub fn press(&mut self, digit: u8) {
        self.key = Some(Key { digit, began: self.timestamp, sent: 0 });
    }

    /// Sends the packets of one 20 ms frame; returns how many.
    pub fn send_frame(&mut self) -> u64 {
        if !self.started {
            return 0;
        }
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
        if self.key.is_some() {
            return self.send_event();
        }
        let mut packet = [0; HEADER + FRAME];
        packet[HEADER..].copy_from_slice(&*TONE);
        self.send(&mut packet, false, AUDIO, self.timestamp);
        1
    }

    /// The key's next packet; at its end the last one three times (RFC 4733 §2.5.1.4).
    fn send_event(&mut self) -> u64 {
        let Some(Key { digit, began, sent }) = self.key else { return 0 };
        let began = if sent == 0 { self.timestamp } else { began };
        let end = sent == HELD;
        let duration = (sent + 1) * FRAME as u32;
        let event = [digit, if end { 0x8A } else { 0x0A }, (duration >> 8) as u8, duration as u8];
        let mut packet = [0; HEADER + 4];
        packet[HEADER..].copy_from_slice(&event);
        if end {
            self.key = None;
            let now = net::wall_ns();
            self.pressed_ns = Some(now);
            self.heard.key_ended(now);
        } else {
            self.key = Some(Key { digit, began, sent: sent + 1 });
        }
        let copies = if end { 3 } else { 1 };
        for _ in 0..copies {
            self.send(&mut packet, sent == 0, EVENT, began);
        }
        copies
    }

    fn send(&mut self, packet: &mut [u8], marker: bool, payload_type: u8, timestamp: u32) {
        self.seq = self.seq.wrapping_add(1);
        if let Some(header) = packet.first_chunk_mut() {
            write_header(header, marker, payload_type, self.seq, timestamp, self.ssrc);
        }
        // What the kernel refuses is missing from the engine's count.
        let _ = self.socket.send(packet);
    }

    /// Reads one packet.
    pub fn receive(&mut self, measuring: bool) {
        let mut buffer = [0; DATAGRAM];
        let Some((length, at)) = net::receive(&self.socket, &mut buffer) else { return };
        let datagram = &buffer[..length];
        let Some(header) = Header::parse(datagram) else { return };
        if header.payload_type == AUDIO {
            self.heard.packet(at, &header, &datagram[header.payload.clone()], measuring);
        }
    }
}
