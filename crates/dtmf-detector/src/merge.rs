//! One stream of keys out of three sources.
//!
//! Gateways send a key as an RTP event and leave part of the tone in the audio, or send INFO
//! beside either. Each source counts its own keys rightly; what must be found is which key of one
//! source is which of another.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::info::InfoKey;
use crate::{Digit, EventEdge, ToneEvent};

/// How far apart two media sources may tell of the same key, from its last sign of life.
const MEDIA_SKEW: Duration = Duration::from_millis(200);

/// The same for SIP INFO, which takes another way and often leaves at the end of the key.
const INFO_SKEW: Duration = Duration::from_millis(500);

/// How long after an RTP event the audio is not believed: a remainder of the tone may be in it.
const INBAND_MUTED: Duration = Duration::from_millis(100);

/// Keys remembered to know their doubles by.
const REMEMBERED: usize = 8;

/// Who told of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Source {
    /// RFC 4733 events in RTP.
    TelephoneEvent,
    /// Tones in the audio.
    Inband,
    /// SIP INFO.
    Info,
}

/// What happened to a key, whichever way it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEvent {
    /// Pressed: stop the prompt.
    Down {
        /// The key.
        digit: Digit,
        /// Who told first.
        source: Source,
    },
    /// Released: the key counts.
    Up {
        /// The key.
        digit: Digit,
        /// Who told of the release.
        source: Source,
        /// How long it was held, in milliseconds, as that source says.
        duration_ms: u32,
    },
}

/// The arbiter of one leg. Every key gives one `Down` and one `Up`, alternating.
///
/// The n-th press of a digit in one source is matched with the n-th of another, so a key sent two
/// ways counts once and two quick presses count twice. It has no timer of its own: each source
/// ends its keys. No allocation.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct KeyMerge {
    held: Option<Held>,
    recent: [Option<Press>; REMEMBERED],
    next: usize,
    events: EventActivity,
}

/// The key that is down.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Held {
    digit: Digit,
    source: Source,
    since: Duration,
}

/// A key that was reported, and who has told of it so far.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Press {
    digit: Digit,
    told_by: [bool; 3],
    /// When it was last heard of.
    alive_at: Duration,
}

/// Whether RTP events come, and when the last one ended.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
enum EventActivity {
    #[default]
    Never,
    Sounding,
    EndedAt(Duration),
}

impl KeyMerge {
    /// An arbiter that nothing was told yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what [`TelephoneEvents`](crate::TelephoneEvents) reports.
    pub fn handle_event(&mut self, now: Duration, edge: EventEdge, mut out: impl FnMut(KeyEvent)) {
        match edge {
            EventEdge::Start { digit } => {
                self.events = EventActivity::Sounding;
                self.press(now, Source::TelephoneEvent, digit, &mut out);
            }
            EventEdge::End { digit, duration_ms } => {
                self.events = EventActivity::EndedAt(now);
                self.release(now, Source::TelephoneEvent, digit, duration_ms, &mut out);
            }
        }
    }

    /// Takes what [`InbandDetector`](crate::InbandDetector) reports. Not believed while an RTP
    /// event sounds and shortly after: what is left of the tone may be maimed.
    pub fn handle_tone(&mut self, now: Duration, tone: ToneEvent, mut out: impl FnMut(KeyEvent)) {
        match tone {
            ToneEvent::Start { digit, .. } => {
                if !self.inband_muted(now) {
                    self.press(now, Source::Inband, digit, &mut out);
                }
            }
            ToneEvent::End { digit, start_sample, end_sample } => {
                let duration_ms = (end_sample.saturating_sub(start_sample) / 8) as u32;
                self.release(now, Source::Inband, digit, duration_ms, &mut out);
            }
        }
    }

    /// Takes the key of a SIP INFO request ([`info::parse`](crate::info::parse)): pressed and
    /// released at once.
    pub fn handle_info(&mut self, now: Duration, key: InfoKey, mut out: impl FnMut(KeyEvent)) {
        self.press(now, Source::Info, key.digit, &mut out);
        self.release(now, Source::Info, key.digit, key.duration_ms, &mut out);
    }

    /// The key that is down, if one is.
    pub fn held(&self) -> Option<Digit> {
        self.held.map(|held| held.digit)
    }

    fn press(
        &mut self,
        now: Duration,
        source: Source,
        digit: Digit,
        out: &mut impl FnMut(KeyEvent),
    ) {
        if let Some(press) = self.double_of(now, source, digit) {
            press.told_by[source as usize] = true;
            press.alive_at = now;
            // An event says its end more surely than the rest of a tone.
            if let Some(held) = self.held.as_mut().filter(|held| held.digit == digit)
                && source == Source::TelephoneEvent
            {
                held.source = source;
            }
            return;
        }
        if let Some(Held { digit, source, since }) = self.held.take() {
            let duration_ms = now.saturating_sub(since).as_millis() as u32;
            out(KeyEvent::Up { digit, source, duration_ms });
        }
        let mut told_by = [false; 3];
        told_by[source as usize] = true;
        self.recent[self.next] = Some(Press { digit, told_by, alive_at: now });
        self.next = (self.next + 1) % REMEMBERED;
        self.held = Some(Held { digit, source, since: now });
        out(KeyEvent::Down { digit, source });
    }

    fn release(
        &mut self,
        now: Duration,
        source: Source,
        digit: Digit,
        duration_ms: u32,
        out: &mut impl FnMut(KeyEvent),
    ) {
        if self.held.is_some_and(|held| held.digit == digit && held.source == source) {
            self.held = None;
            out(KeyEvent::Up { digit, source, duration_ms });
        }
        let told = |press: &&mut Press| press.digit == digit && press.told_by[source as usize];
        if let Some(press) = self.oldest_first().rev().find(told) {
            press.alive_at = now;
        }
    }

    /// The oldest press of `digit` that another source told of and `source` has yet to.
    fn double_of(&mut self, now: Duration, source: Source, digit: Digit) -> Option<&mut Press> {
        let held = self.held.is_some_and(|held| held.digit == digit);
        let newest = (self.next + REMEMBERED - 1) % REMEMBERED;
        let place = (0..REMEMBERED).map(|i| (self.next + i) % REMEMBERED).find(|&place| {
            self.recent[place].is_some_and(|press| {
                let alive = held && place == newest;
                let skew = press.skew(source);
                press.digit == digit
                    && !press.told_by[source as usize]
                    && (alive || now.saturating_sub(press.alive_at) <= skew)
            })
        })?;
        self.recent[place].as_mut()
    }

    fn oldest_first(&mut self) -> impl DoubleEndedIterator<Item = &mut Press> {
        let (newer, older) = self.recent.split_at_mut(self.next);
        older.iter_mut().chain(newer).flatten()
    }

    fn inband_muted(&self, now: Duration) -> bool {
        match self.events {
            EventActivity::Never => false,
            EventActivity::Sounding => true,
            EventActivity::EndedAt(at) => now.saturating_sub(at) <= INBAND_MUTED,
        }
    }
}

impl Press {
    /// How long after its last sign of life `source` may still tell of this press.
    fn skew(&self, source: Source) -> Duration {
        let by_info_only = self.told_by == [false, false, true];
        if source == Source::Info || by_info_only { INFO_SKEW } else { MEDIA_SKEW }
    }
}
