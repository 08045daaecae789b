//! What comes in: packets of the far end, its reports, its keys.

use std::net::SocketAddr;
use std::time::Duration;

use dtmf_detector::{Digit, EventHeader, KeyEvent};

use crate::rtcp::{self, Part};
use crate::rtp::Header;

use super::config::{MediaEvent, StreamConfig};
use super::latch::Verdict;
use super::leg::{HeldKey, KeyEdge, Session};
use super::receiver::Receiver;
use super::relay::Audio;

/// Samples of a packet that are listened to: a quarter of a second.
const LONGEST: usize = 2_000;

/// What a payload type means here.
enum Kind {
    Audio,
    Event {
        clock_hz: u32,
    },
    /// Comfort noise, static type 13: a sign of life that some send without asking.
    ComfortNoise,
}

impl StreamConfig {
    fn kind(&self, payload_type: u8) -> Option<Kind> {
        if payload_type == self.recv_pt {
            return Some(Kind::Audio);
        }
        let formats = self.events.iter().flat_map(|events| &events.recv_pts);
        let event = formats.copied().find(|&(pt, _)| pt == payload_type);
        match event {
            Some((_, clock_hz)) => Some(Kind::Event { clock_hz }),
            None => (payload_type == 13).then_some(Kind::ComfortNoise),
        }
    }
}

impl Session {
    /// Takes a datagram of the RTP socket. Returns its audio, for the peer of a bridge.
    pub fn handle_rtp(
        &mut self,
        now: Duration,
        from: SocketAddr,
        datagram: &[u8],
        events: &mut Vec<MediaEvent>,
    ) -> Option<Audio> {
        let header = Header::parse(datagram);
        let Some((header, kind)) = self.admit(now, from, header, events) else {
            self.stats.refused_packets += 1;
            return None;
        };
        self.watch.heard(now);
        let audio = matches!(kind, Kind::Audio);
        let clocked = audio.then_some(header.timestamp);
        self.receiver_of(&header).count(now, header.seq, clocked);
        self.stats.received_packets += 1;
        self.stats.received_bytes += header.payload.len() as u64;
        if self.stats.received_packets == 1 {
            events.push(MediaEvent::FirstPacket { session: self.id });
        }
        match kind {
            Kind::Audio => self.hear_audio(now, header, datagram, events),
            Kind::Event { clock_hz } => {
                self.hear_event(now, &header, clock_hz, &datagram[header.payload.clone()], events);
                None
            }
            Kind::ComfortNoise => None,
        }
    }

    fn admit(
        &mut self,
        now: Duration,
        from: SocketAddr,
        header: Option<Header>,
        events: &mut Vec<MediaEvent>,
    ) -> Option<(Header, Kind)> {
        let (header, config) = (header?, self.config.as_deref()?);
        let kind = config.kind(header.payload_type)?;
        if matches!(kind, Kind::ComfortNoise) && self.latch.locked() != Some(from) {
            return None;
        }
        match self.latch.judge(now, from, header.ssrc, &config.media_nets) {
            Verdict::Accept => {}
            Verdict::Latched => {
                let signalled = self.latch.is_signalled();
                events.push(MediaEvent::Latched { session: self.id, from, signalled });
            }
            Verdict::Refuse => return None,
        }
        Some((header, kind))
    }

    /// The state of the packet's SSRC; another one than before begins anew.
    fn receiver_of(&mut self, header: &Header) -> &mut Receiver {
        let known = self.receiver.as_ref().is_some_and(|r| r.ssrc() == header.ssrc);
        if !known {
            self.stats.sources += 1;
            self.stats.lost += self.receiver.take().map_or(0, |old| old.lost());
            if let Some(keys) = &mut self.keys {
                keys.source_changed();
            }
        }
        self.receiver.get_or_insert_with(|| Receiver::new(header.ssrc, header.seq))
    }

    fn hear_audio(
        &mut self,
        now: Duration,
        header: Header,
        datagram: &[u8],
        events: &mut Vec<MediaEvent>,
    ) -> Option<Audio> {
        let codec = self.config.as_ref()?.codec;
        let Header { marker, timestamp, ssrc, payload, .. } = header;
        let audio = Audio { ssrc, timestamp, marker, codec, payload };
        let bytes = &datagram[audio.payload.clone()];
        // On a bridge tones are listened for only when somebody asks for the keys.
        let for_tones = self.listening && self.keys.as_ref().is_some_and(|keys| keys.hears_audio());
        if for_tones || self.recorder.is_some() {
            self.listen(now, &audio, bytes, for_tones, events);
        }
        (!bytes.is_empty()).then_some(audio)
    }

    fn listen(
        &mut self,
        now: Duration,
        audio: &Audio,
        bytes: &[u8],
        for_tones: bool,
        events: &mut Vec<MediaEvent>,
    ) {
        let mut room = [0; LONGEST];
        let samples = self.listener.listen(audio.codec, bytes, &mut room);
        if let Some(recorder) = &mut self.recorder
            && !recorder.push(now, audio, samples)
        {
            self.stop_record(events);
        }
        if let Some(keys) = self.keys.as_mut().filter(|_| for_tones) {
            keys.hear_audio(now, audio.timestamp, samples);
            self.take_keys(now, events);
        }
    }

    fn hear_event(
        &mut self,
        now: Duration,
        header: &Header,
        clock_hz: u32,
        payload: &[u8],
        events: &mut Vec<MediaEvent>,
    ) {
        let (ssrc, timestamp, sequence) = (header.ssrc, header.timestamp, header.seq);
        let header = EventHeader { ssrc, timestamp, sequence, clock_hz };
        self.keys.get_or_insert_default().hear_event(now, header, payload);
        self.take_keys(now, events);
    }

    /// Hands on what the detectors found: stops the prompt, reports, or relays.
    pub(super) fn take_keys(&mut self, now: Duration, events: &mut Vec<MediaEvent>) {
        while let Some(key) = self.keys.as_mut().and_then(|keys| keys.poll_output()) {
            match key {
                KeyEvent::Down { digit, .. } => self.key_down(now, digit, events),
                KeyEvent::Up { digit, duration_ms, .. } => {
                    match std::mem::replace(&mut self.held_key, HeldKey::Nobodys) {
                        HeldKey::Peers => {
                            self.keys_for_peer.push(KeyEdge::Release(digit, duration_ms));
                        }
                        HeldKey::Reported => {
                            let session = self.id;
                            events.push(MediaEvent::KeyUp { session, digit, duration_ms, at: now });
                        }
                        HeldKey::Nobodys => {}
                    }
                }
            }
        }
    }

    fn key_down(&mut self, now: Duration, digit: Digit, events: &mut Vec<MediaEvent>) {
        self.stats.keys += 1;
        self.held_key = if self.relays_keys() {
            self.keys_for_peer.push(KeyEdge::Press(digit));
            HeldKey::Peers
        } else if self.listening {
            if self.player.as_ref().is_some_and(|player| player.barge_in()) {
                self.stop(events);
            }
            events.push(MediaEvent::KeyDown { session: self.id, digit, at: now });
            HeldKey::Reported
        } else {
            HeldKey::Nobodys
        };
    }

    fn relays_keys(&self) -> bool {
        self.is_bridged() && !self.listening
    }

    /// Takes a datagram of the RTCP socket.
    pub fn handle_rtcp(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) {
        if !self.trusts_rtcp(from) {
            self.stats.refused_packets += 1;
            return;
        }
        let mut ours = None;
        let receiver = &mut self.receiver;
        let ssrc = self.sender.ssrc();
        let valid = rtcp::parse(datagram, |part| match part {
            Part::Sender { ssrc, info } => {
                if let Some(receiver) = receiver.as_mut().filter(|r| r.ssrc() == ssrc) {
                    receiver.heard_report(now, info.ntp);
                }
            }
            Part::Block(block) if block.ssrc == ssrc => ours = Some(block),
            // A source that leaves is replaced by the next one heard.
            Part::Block(_) | Part::Bye { .. } => {}
        });
        if !valid {
            self.stats.refused_packets += 1;
            return;
        }
        self.watch.heard(now);
        self.rtcp_from = Some(from);
        if let Some(block) = ours {
            self.stats.peer_loss = block.fraction_lost;
            let trip = self.reporter.round_trip(now, &block);
            self.stats.round_trip_us =
                trip.map(|trip| trip.as_micros() as u32).or(self.stats.round_trip_us);
        }
    }

    /// Reports come from where media comes from, or from where the SDP says.
    fn trusts_rtcp(&self, from: SocketAddr) -> bool {
        let Some(config) = &self.config else { return false };
        let media = self.latch.target().map(|target| target.ip());
        config.remote_rtcp == Some(from) || media == Some(from.ip())
    }
}
