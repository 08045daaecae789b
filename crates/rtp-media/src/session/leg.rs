//! The session itself: its parts, and what it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dtmf_detector::Digit;
use dtmf_detector::info::InfoKey;

use crate::codec::Listener;
use crate::prompt::Prompt;
use crate::srtp::Srtp;

use super::config::{KeyRelay, MediaEvent, SessionId, SessionStats, StreamConfig};
use super::key_out::KeyOut;
use super::keys::Keys;
use super::latch::Latch;
use super::play::Player;
use super::receiver::Receiver;
use super::record::Recorder;
use super::relay::Relay;
use super::report::Reporter;
use super::sender::Sender;
use super::watch::Watch;

/// The media of one leg, from open to close. What only some legs need lies in boxes, so that
/// thousands of legs are cheap.
#[derive(Debug)]
pub struct Session {
    pub(super) id: SessionId,
    pub(super) config: Option<Box<StreamConfig>>,
    pub(super) sender: Sender,
    pub(super) latch: Latch,
    pub(super) receiver: Option<Receiver>,
    pub(super) rtcp_from: Option<SocketAddr>,
    pub(super) reporter: Reporter,
    pub(super) watch: Watch,
    pub(super) player: Option<Player>,
    /// Audio of the peer on its way into this leg; there while bridged.
    pub(super) relay: Option<Relay>,
    pub(super) key_relay: KeyRelay,
    pub(super) keys: Option<Box<Keys>>,
    pub(super) listening: bool,
    pub(super) keys_for_peer: Vec<KeyEdge>,
    pub(super) held_key: HeldKey,
    pub(super) key_out: Option<Box<KeyOut>>,
    pub(super) recorder: Option<Box<Recorder>>,
    pub(super) listener: Listener,
    pub(super) voice: Voice,
    pub(super) srtp: Option<Box<Srtp>>,
    /// The same, while packets go as they are.
    pub(super) srtp_aside: Option<Box<Srtp>>,
    pub(super) stats: SessionStats,
}

/// What the outgoing stream carries; a change to something audible begins a talkspurt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    Silence,
    Prompt,
    Peer,
}

/// Whose the key is that is down: a key goes whole to whoever was meant when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeldKey {
    /// Nobody's: none is down, or nobody listened.
    Nobodys,
    Reported,
    Peers,
}

/// A key of one leg, on its way to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEdge {
    /// It went down.
    Press(Digit),
    /// It is up after so many milliseconds.
    Release(Digit, u32),
}

impl Session {
    /// A session that is not configured: it sends and accepts nothing. `wall` is the UTC time
    /// since 1970 at moment zero, for RTCP.
    pub fn new(id: SessionId, ssrc: u32, seq: u16, timestamp: u32, wall: Duration) -> Self {
        Self {
            id,
            config: None,
            sender: Sender::new(ssrc, seq, timestamp),
            latch: Latch::default(),
            receiver: None,
            rtcp_from: None,
            reporter: Reporter::new(wall, u64::from(ssrc) << 16 | u64::from(seq)),
            watch: Watch::default(),
            player: None,
            relay: None,
            key_relay: KeyRelay::Rfc4733,
            keys: None,
            listening: true,
            keys_for_peer: Vec::new(),
            held_key: HeldKey::Nobodys,
            key_out: None,
            recorder: None,
            listener: Listener::default(),
            voice: Voice::Silence,
            srtp: None,
            srtp_aside: None,
            stats: SessionStats { ssrc, ..SessionStats::default() },
        }
    }

    /// Its number.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Takes over what offer/answer agreed.
    pub fn configure(&mut self, now: Duration, config: Box<StreamConfig>) {
        self.latch.signal(config.remote_rtp);
        self.watch.expect(now, config.expect);
        self.reporter.start(now);
        if config.inband || self.keys.is_some() {
            self.keys.get_or_insert_default().listen_inband(now, config.inband);
        }
        self.protect_by(config.srtp.clone());
        self.config = Some(config);
    }

    /// Plays prompts in place of what plays.
    pub fn play(
        &mut self,
        id: u32,
        items: Vec<Arc<Prompt>>,
        barge_in: bool,
        repeat: bool,
        events: &mut Vec<MediaEvent>,
    ) {
        self.stop(events);
        self.player = Player::new(id, items, barge_in, repeat);
        if self.player.is_none() {
            let session = self.id;
            events.push(MediaEvent::PlayDone { session, id, played_ms: 0, completed: true });
        }
    }

    /// Ends what plays.
    pub fn stop(&mut self, events: &mut Vec<MediaEvent>) {
        self.end_player(false, events);
    }

    pub(super) fn end_player(&mut self, completed: bool, events: &mut Vec<MediaEvent>) {
        if let Some(player) = self.player.take() {
            self.voice = Voice::Silence;
            let (session, id, played_ms) = (self.id, player.id(), player.played_ms());
            events.push(MediaEvent::PlayDone { session, id, played_ms, completed });
        }
    }

    /// Couples this side. Until told how the leg takes keys, it takes events if it has them.
    pub fn bridge(&mut self, keys: Option<KeyRelay>) {
        self.key_relay = keys.unwrap_or(self.key_relay);
        if self.relay.is_none() {
            self.relay = Some(Relay::default());
            // On a bridge the peer hears the keys unless somebody asks for them.
            self.listening = false;
        }
    }

    /// Uncouples this side.
    pub fn unbridge(&mut self) {
        self.relay = None;
        self.key_relay = KeyRelay::Rfc4733;
        self.keys_for_peer.clear();
        if self.held_key == HeldKey::Peers {
            self.held_key = HeldKey::Nobodys;
        }
        // The peer's release will not come any more.
        if let Some(keys) = &mut self.key_out {
            keys.release_all();
        }
        self.listening = true;
    }

    /// Whether it is coupled.
    pub fn is_bridged(&self) -> bool {
        self.relay.is_some()
    }

    /// Reports keys, or (bridged) hands them to the peer.
    pub fn listen_keys(&mut self, on: bool) {
        self.listening = on;
    }

    /// A key that came as SIP INFO.
    pub fn info_key(
        &mut self,
        now: Duration,
        digit: Digit,
        duration_ms: u32,
        events: &mut Vec<MediaEvent>,
    ) {
        let key = InfoKey { digit, duration_ms };
        self.keys.get_or_insert_default().hear_info(now, key);
        self.take_keys(now, events);
    }

    /// Sends a key as events.
    pub fn send_key(&mut self, digit: Digit, duration_ms: u32) {
        self.key_out.get_or_insert_default().send(digit, duration_ms);
    }

    /// The next key for the peer, for its [`relay_key`](Self::relay_key).
    pub fn poll_key(&mut self) -> Option<KeyEdge> {
        (!self.keys_for_peer.is_empty()).then(|| self.keys_for_peer.remove(0))
    }

    /// A key of the peer, in the way that this leg takes keys.
    pub fn relay_key(&mut self, edge: KeyEdge, events: &mut Vec<MediaEvent>) {
        match (self.key_relay, edge) {
            (KeyRelay::Rfc4733, edge) if self.sends_events().is_some() => {
                let keys = self.key_out.get_or_insert_default();
                match edge {
                    KeyEdge::Press(digit) => keys.press(digit),
                    KeyEdge::Release(digit, duration_ms) => keys.release(digit, duration_ms),
                }
            }
            (KeyRelay::Info, KeyEdge::Release(digit, duration_ms)) => {
                events.push(MediaEvent::RelayKey { session: self.id, digit, duration_ms });
            }
            (KeyRelay::Info, KeyEdge::Press(_)) | (KeyRelay::Rfc4733 | KeyRelay::Off, _) => {}
        }
    }

    /// Begins a recording, ending one that runs.
    pub fn record(
        &mut self,
        now: Duration,
        max_ms: u32,
        silence_ms: Option<u32>,
        events: &mut Vec<MediaEvent>,
    ) {
        self.stop_record(events);
        self.recorder = Some(Box::new(Recorder::new(now, max_ms, silence_ms)));
    }

    /// Ends a recording that is over by itself.
    pub(super) fn end_record(&mut self, now: Duration, events: &mut Vec<MediaEvent>) {
        if self.recorder.as_ref().is_some_and(|recorder| recorder.is_over(now)) {
            self.stop_record(events);
        }
    }

    /// Ends the recording.
    pub fn stop_record(&mut self, events: &mut Vec<MediaEvent>) {
        if let Some(recorder) = self.recorder.take() {
            events.push(MediaEvent::Recorded { session: self.id, samples: recorder.finish() });
        }
    }

    /// Ends the session. Returns the length of the RTCP goodbye to send, if one is owed.
    pub fn close(
        &mut self,
        now: Duration,
        out: &mut [u8],
        events: &mut Vec<MediaEvent>,
    ) -> Option<usize> {
        self.stop(events);
        self.stop_record(events);
        let known = self.sender.has_begun() || self.receiver.is_some();
        let bye = known.then(|| self.reporter.bye(now, &self.sender, self.receiver.as_mut(), out));
        events.push(MediaEvent::Closed { session: self.id, stats: self.stats() });
        bye
    }

    /// The counts so far.
    pub fn stats(&self) -> SessionStats {
        let receiver = self.receiver.as_ref();
        SessionStats {
            sent_packets: self.sender.packets(),
            sent_bytes: self.sender.octets(),
            lost: self.stats.lost + receiver.map_or(0, Receiver::lost),
            jitter_us: receiver.map_or(0, |receiver| receiver.jitter() * 125),
            ..self.stats.clone()
        }
    }

    /// Notes that the kernel took no packet.
    pub fn send_failed(&mut self) {
        self.stats.send_errors += 1;
    }

    pub(super) fn sends_events(&self) -> Option<u8> {
        self.config.as_ref()?.events.as_ref()?.send_pt
    }
}
