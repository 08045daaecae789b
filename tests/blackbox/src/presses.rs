//! Keys and their moments, as phones of others are told to press them.

use audio_codec_algorithms::encode_alaw;

use crate::{Baresip, Recorder, Scenario, go_on_for, sound};

/// SIPp warms its stream up for 400 ms, and waits two lengths of a key before the first.
const SIPP_LEAD_MS: u64 = 400 + 2 * KEY_MS;
/// How long SIPp presses a key, and how long it lets go between two.
const KEY_MS: u64 = 100;
/// The port at which SIPp has its media unless told otherwise.
const SIPP_MEDIA: u16 = 6_000;

/// No key, but somebody who speaks for three seconds.
const SPEAKS: char = '~';

/// Keys pressed in a row, the first of them so long after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Press {
    /// One or more of `0-9*#`; in audio also `~`, somebody who speaks for three seconds.
    pub keys: &'static str,
    /// In ms.
    pub at_ms: u64,
}

impl Press {
    /// Reads e.g. `1@3s 999@5500ms`.
    #[must_use]
    pub fn all(text: &'static str) -> Vec<Self> {
        let read = |press: &'static str| {
            let (keys, at) = press.split_once('@').unwrap();
            Self { keys, at_ms: millis(at) }
        };
        text.split_whitespace().map(read).collect()
    }
}

/// A time such as `3s` or `3400ms`, in ms.
#[must_use]
pub fn millis(time: &str) -> u64 {
    match time.strip_suffix("ms") {
        Some(millis) => millis.parse().unwrap(),
        None => time.strip_suffix('s').unwrap().parse::<u64>().unwrap() * 1_000,
    }
}

impl Scenario {
    /// The caller of the scenario presses keys as SIPp's own telephone-events (RFC 4733, payload
    /// type 96), and hangs up by himself after `leaves_ms`, if at all. What he hears goes to
    /// `recorder`, as SIPp listens to nothing: the events come from its port all the same.
    #[must_use]
    pub fn presses(self, presses: &[Press], leaves_ms: Option<u64>, recorder: &Recorder) -> Self {
        let (mut text, mut now_ms) = (String::new(), 0);
        for press in presses {
            let begin_ms = press.at_ms - SIPP_LEAD_MS;
            let keys = format!("<exec play_dtmf=\"{},{KEY_MS}\"/>", press.keys);
            text += &format!("{}<nop><action>{keys}</action></nop>\n", pause(begin_ms - now_ms));
            now_ms = begin_ms;
        }
        let offset = recorder.addr().port() - SIPP_MEDIA;
        let media = format!(
            "[media_port+{offset}] RTP/AVP 8 96\na=rtpmap:96 telephone-event/8000\na=fmtp:96 0-15"
        );
        self.key("media", &media).key("presses", &text).ends(leaves_ms, now_ms)
    }

    /// The same by tones in SIPp's A-law, where the phone knows of no telephone-events.
    #[must_use]
    pub fn sounds(self, presses: &[Press], leaves_ms: Option<u64>) -> Self {
        let mut sound = Vec::new();
        for press in presses {
            let until = usize::try_from(press.at_ms).unwrap() * 8;
            assert!(until >= sound.len(), "{press:?} comes too early");
            sound.resize(until, 0);
            for key in press.keys.chars() {
                if key == SPEAKS {
                    sound.extend(sound::tone(440.0, 3));
                    continue;
                }
                sound.extend(sound::key(key, KEY_MS as usize));
                sound.extend(sound::silence(KEY_MS as usize));
            }
        }
        let law: Vec<u8> = sound.into_iter().map(encode_alaw).collect();
        let play = "<nop><action><exec rtp_stream=\"keys.al,1,8\"/></action></nop>";
        self.file("keys.al", law)
            .key("media", "[media_port] RTP/AVP 8")
            .key("presses", play)
            .ends(leaves_ms, 0)
    }

    fn ends(self, leaves_ms: Option<u64>, now_ms: u64) -> Self {
        let Some(leaves_ms) = leaves_ms else {
            return self.key("end", "stays").key("rest", "0");
        };
        self.key("end", "leaves").key("rest", &(leaves_ms - now_ms).to_string())
    }
}

fn pause(ms: u64) -> String {
    format!("<pause milliseconds=\"{ms}\"/>")
}

impl Baresip {
    /// Presses keys at their moments from now on, and hangs up after `leaves_ms`, if at all.
    pub fn presses(&mut self, presses: &[Press], leaves_ms: Option<u64>) {
        let mut now_ms = 0;
        for press in presses {
            go_on_for(press.at_ms - now_ms);
            now_ms = press.at_ms;
            for key in press.keys.chars() {
                self.press(key);
                go_on_for(200);
                now_ms += 400;
            }
        }
        if let Some(leaves_ms) = leaves_ms {
            go_on_for(leaves_ms - now_ms);
            self.hang_up();
        }
    }
}
