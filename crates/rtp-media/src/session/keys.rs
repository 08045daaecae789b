//! The keys that a leg hears, from all sources, as one stream.

use std::time::Duration;

use dtmf_detector::info::InfoKey;
use dtmf_detector::{EventHeader, InbandDetector, KeyEvent, KeyMerge, TelephoneEvents};

use crate::codec::CLOCK_HZ;

/// Audio missing for this long ends a tone.
const AUDIO_CEASED: Duration = Duration::from_millis(60);
/// Lost audio up to this many samples is heard as silence; more is a pause.
const LONGEST_GAP: u32 = 800;
/// A packet at most this many samples behind is late: its time has been filled with silence.
/// Further behind the sender has a new time base.
const LATEST: u32 = CLOCK_HZ / 5;

/// Detectors and arbiter of one leg; made when there is the first thing to detect.
#[derive(Debug, Default)]
pub struct Keys {
    events: TelephoneEvents,
    merge: KeyMerge,
    inband: Option<Box<Inband>>,
    /// Room is kept, so that only a first key allocates.
    heard: Vec<KeyEvent>,
}

#[derive(Debug)]
struct Inband {
    detector: InbandDetector,
    next_timestamp: Option<u32>,
    last_audio: Duration,
}

impl Keys {
    /// Turns listening for tones on or off; a tone that sounds then ends.
    pub fn listen_inband(&mut self, now: Duration, on: bool) {
        if on && self.inband.is_none() {
            let detector = InbandDetector::new();
            let inband = Inband { detector, next_timestamp: None, last_audio: Duration::ZERO };
            self.inband = Some(Box::new(inband));
        } else if !on && let Some(mut inband) = self.inband.take() {
            let Self { merge, heard, .. } = self;
            inband.detector.finish(|tone| merge.handle_tone(now, tone, |key| heard.push(key)));
        }
    }

    /// A telephone-event packet.
    pub fn hear_event(&mut self, now: Duration, header: EventHeader, payload: &[u8]) {
        let Self { events, merge, heard, .. } = self;
        let out = |edge| merge.handle_event(now, edge, |key| heard.push(key));
        events.handle_packet(now, header, payload, out);
    }

    /// A key that came as SIP INFO.
    pub fn hear_info(&mut self, now: Duration, key: InfoKey) {
        let heard = &mut self.heard;
        self.merge.handle_info(now, key, |key| heard.push(key));
    }

    /// Whether tones are listened for.
    pub fn hears_audio(&self) -> bool {
        self.inband.is_some()
    }

    /// The samples of a packet of audio, if tones are listened for.
    pub fn hear_audio(&mut self, now: Duration, timestamp: u32, samples: &[i16]) {
        let Self { merge, inband, heard, .. } = self;
        let Some(inband) = inband else { return };
        inband.last_audio = now;
        let gap = inband.next_timestamp.map_or(0, |next| timestamp.wrapping_sub(next));
        if gap.wrapping_neg() <= LATEST && gap != 0 {
            return;
        }
        let mut out = |tone| merge.handle_tone(now, tone, |key| heard.push(key));
        if gap <= LONGEST_GAP {
            let silence = [0; LONGEST_GAP as usize];
            inband.detector.push(&silence[..gap as usize], &mut out);
        }
        inband.detector.push(samples, &mut out);
        inband.next_timestamp = Some(timestamp.wrapping_add(samples.len() as u32));
    }

    /// The stream has another source: its timestamps begin anew.
    pub fn source_changed(&mut self) {
        if let Some(inband) = &mut self.inband {
            inband.next_timestamp = None;
        }
    }

    /// Ends keys whose end was lost. To be called about every frame.
    pub fn handle_timeout(&mut self, now: Duration) {
        let Self { events, merge, inband, heard } = self;
        events.handle_timeout(now, |edge| merge.handle_event(now, edge, |key| heard.push(key)));
        let Some(inband) = inband.as_mut().filter(|_| merge.held().is_some()) else { return };
        if now.saturating_sub(inband.last_audio) >= AUDIO_CEASED {
            inband.detector.finish(|tone| merge.handle_tone(now, tone, |key| heard.push(key)));
        }
    }

    /// The oldest key event not fetched yet.
    pub fn poll_output(&mut self) -> Option<KeyEvent> {
        (!self.heard.is_empty()).then(|| self.heard.remove(0))
    }
}
