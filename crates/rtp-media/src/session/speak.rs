//! What goes out: a frame every 20 ms, the peer's packets, keys, reports.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use crate::codec::FRAME;
use crate::rtp::HEADER;

use super::config::MediaEvent;
use super::leg::{Session, Voice};
use super::relay::{Audio, Slot};

/// Bytes of the longest packet that a frame makes.
pub const PACKET: usize = HEADER + FRAME;

/// A packet sent this much after its due time is late.
const LATE: Duration = Duration::from_millis(5);

impl Session {
    /// The frame that is due: returns the length of the packet to send, if any. `due` is the
    /// frame's place on the clock, `now` the time it has become. No allocation.
    pub fn handle_timeout(
        &mut self,
        due: Duration,
        now: Duration,
        packet: &mut [u8; PACKET],
        events: &mut Vec<MediaEvent>,
    ) -> Option<usize> {
        self.watch_media(now, events);
        self.end_record(now, events);
        if let Some(keys) = &mut self.keys {
            keys.handle_timeout(now);
            self.take_keys(now, events);
        }
        if !self.may_send() {
            self.sender.interrupt();
            return None;
        }
        let length = self.speak(due, packet, events)?;
        let late = now.saturating_sub(due);
        self.stats.late_packets += u64::from(late > LATE);
        self.stats.max_late_us = self.stats.max_late_us.max(late.as_micros() as u32);
        Some(length)
    }

    fn watch_media(&mut self, now: Duration, events: &mut Vec<MediaEvent>) {
        let Some(config) = &self.config else { return };
        if self.watch.handle_timeout(now, config.timeout) {
            events.push(MediaEvent::Timeout { session: self.id });
        }
    }

    fn may_send(&self) -> bool {
        self.config.as_ref().is_some_and(|config| config.may_send) && self.latch.target().is_some()
    }

    /// Keys go before prompts, prompts before the peer, the peer before silence.
    fn speak(
        &mut self,
        due: Duration,
        packet: &mut [u8; PACKET],
        events: &mut Vec<MediaEvent>,
    ) -> Option<usize> {
        let covered = self.relay.as_ref().is_some_and(|relay| relay.covers(due));
        if covered && self.player.is_none() && self.key_out.is_none() {
            return None;
        }
        let frame = self.sender.frame_due(due)?;
        if let Some(length) = self.speak_key(frame, packet, events) {
            return Some(length);
        }
        let config = self.config.as_ref()?;
        let (codec, send_pt) = (config.codec, config.send_pt);
        let (header, payload) = packet.split_first_chunk_mut::<HEADER>()?;
        let payload: &mut [u8; FRAME] = payload.first_chunk_mut()?;
        let mut finished = false;
        let voice = if let Some(player) = &mut self.player {
            finished = !player.fill(codec, payload);
            Voice::Prompt
        } else if covered {
            return None;
        } else if self.relay.as_mut().is_some_and(|relay| relay.fill(payload)) {
            Voice::Peer
        } else {
            payload.fill(codec.silence());
            Voice::Silence
        };
        if let Some(relay) = self.relay.as_mut().filter(|_| voice != Voice::Peer) {
            relay.displace();
        }
        let marker = voice != Voice::Silence && voice != self.voice;
        self.voice = voice;
        self.sender.stamp_audio(header, send_pt, frame, FRAME, marker);
        if finished {
            self.end_player(true, events);
        }
        Some(PACKET)
    }

    fn speak_key(
        &mut self,
        frame: u32,
        packet: &mut [u8; PACKET],
        events: &mut Vec<MediaEvent>,
    ) -> Option<usize> {
        let send_pt = self.sends_events();
        let event = self.key_out.as_mut().filter(|_| send_pt.is_some());
        let Some(event) = event.and_then(|keys| keys.next_packet(frame)) else {
            self.key_out = None;
            return None;
        };
        let (header, payload) = packet.split_first_chunk_mut::<HEADER>()?;
        payload[..4].copy_from_slice(&event.payload);
        self.sender.stamp_event(header, send_pt?, event.start, frame, event.marker);
        self.voice = Voice::Silence;
        if let Some(relay) = &mut self.relay {
            relay.displace();
        }
        if let Some(digit) = event.finished {
            events.push(MediaEvent::KeySent { session: self.id, digit });
        }
        Some(HEADER + 4)
    }

    /// Takes audio of the peer, which lies in `datagram`. Returns the part of it to send now,
    /// made into a packet of this leg in place. No allocation, except for the first packet whose
    /// length is not 20 ms and for the first one of G.722 that becomes G.711, or the reverse.
    pub fn relay_audio(
        &mut self,
        now: Duration,
        audio: &Audio,
        datagram: &mut [u8],
    ) -> Option<Range<usize>> {
        let busy = self.player.is_some() || self.key_out.is_some();
        if busy || !self.may_send() {
            return None;
        }
        let (config, relay) = (self.config.as_ref()?, self.relay.as_mut()?);
        let payload = datagram.get_mut(audio.payload.clone())?;
        relay.convert(audio, config.codec, payload);
        if payload.len() != FRAME {
            relay.buffer(now, payload);
            return None;
        }
        let Slot { timestamp, marker } = relay.pass(now, audio, &mut self.sender)?;
        self.voice = Voice::Peer;
        // The sender's header was as long or longer, so ours fits before the payload.
        let packet = audio.payload.start.checked_sub(HEADER)?..audio.payload.end;
        let header = datagram.get_mut(packet.clone())?.first_chunk_mut()?;
        self.sender.stamp_audio(header, config.send_pt, timestamp, FRAME, marker);
        Some(packet)
    }

    /// Where RTP goes.
    pub fn rtp_target(&self) -> Option<SocketAddr> {
        self.latch.target()
    }

    /// Where RTCP goes: as signalled while media comes from the signalled address, else to where
    /// reports come from, else to the port above the media's.
    pub fn rtcp_target(&self) -> Option<SocketAddr> {
        let media = self.latch.target()?;
        let above = SocketAddr::new(media.ip(), media.port().checked_add(1)?);
        let signalled = self.config.as_ref().and_then(|config| config.remote_rtcp);
        if self.latch.is_signalled() {
            return Some(signalled.unwrap_or(above));
        }
        Some(self.rtcp_from.filter(|from| from.ip() == media.ip()).unwrap_or(above))
    }

    /// Whether an RTCP report is due.
    pub fn report_due(&self, now: Duration) -> bool {
        self.reporter.is_due(now)
    }

    /// Writes the report that is due; returns its length.
    pub fn report(&mut self, now: Duration, out: &mut [u8]) -> usize {
        self.reporter.report(now, &self.sender, self.receiver.as_mut(), out)
    }
}
