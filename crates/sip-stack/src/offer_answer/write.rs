//! Our descriptions, as text.

use std::fmt::Write as _;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    Codec, Direction, LocalMedia,
    crypto::{Crypto, LocalCrypto},
    peer::TELEPHONE_EVENT,
};

/// The m-lines of a dialog: later offers repeat them in number, order and kind (RFC 3264 §8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    /// Start and stop of the time line.
    pub(super) time: (u64, u64),
    pub(super) lines: Vec<Line>,
}

/// One m-line of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Line {
    /// The audio stream.
    Audio(AudioLine),
    /// A stream we do not want, repeated with port 0.
    Refused { kind: String, proto: String, formats: String },
}

/// The audio line of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AudioLine {
    pub(super) proto: String,
    pub(super) codecs: Vec<(u8, Codec)>,
    pub(super) events: Vec<(u8, u32)>,
    /// Our keys: all of an offer, the one of an answer.
    #[serde(default)]
    pub(super) crypto: Vec<Crypto>,
}

impl Shape {
    /// Returns the m-lines of a first offer.
    pub(super) fn first_offer(local: &LocalMedia) -> Self {
        let ours = local.crypto.as_ref().filter(|ours| ours.offered || ours.required);
        let proto = if ours.is_some_and(|ours| ours.required) { "RTP/SAVP" } else { "RTP/AVP" };
        let audio = AudioLine {
            proto: proto.into(),
            codecs: Vec::new(),
            events: Vec::new(),
            crypto: ours.map(LocalCrypto::attributes).unwrap_or_default(),
        };
        let mut shape = Self { time: (0, 0), lines: vec![Line::Audio(audio)] };
        shape.widen(local, None);
        shape
    }

    /// Puts everything we have on the audio line, keeping payload types already given; the codec
    /// in use comes first, so that the peer has no reason to change it.
    pub(super) fn widen(&mut self, local: &LocalMedia, in_use: Option<Codec>) {
        let Some(audio) = self.audio_mut() else { return };
        let given = std::mem::take(&mut audio.codecs);
        let number = |codec: Codec| {
            let known = given.iter().find(|(_, c)| *c == codec);
            known.map_or(codec.static_payload_type(), |(pt, _)| *pt)
        };
        audio.codecs = local.codecs.iter().map(|&codec| (number(codec), codec)).collect();
        audio.codecs.sort_by_key(|(_, codec)| Some(*codec) != in_use);
        if !local.telephone_event {
            audio.events.clear();
        } else if audio.events.is_empty() {
            let taken = |pt: &u8| audio.codecs.iter().any(|(codec, _)| codec == pt);
            let free = std::iter::once(101).chain(96..127).find(|pt| !taken(pt));
            audio.events.extend(free.map(|pt| (pt, Codec::CLOCK_HZ)));
        }
    }

    pub(super) fn audio(&self) -> Option<(usize, &AudioLine)> {
        self.lines.iter().enumerate().find_map(|(index, line)| match line {
            Line::Audio(audio) => Some((index, audio)),
            Line::Refused { .. } => None,
        })
    }

    fn audio_mut(&mut self) -> Option<&mut AudioLine> {
        self.lines.iter_mut().find_map(|line| match line {
            Line::Audio(audio) => Some(audio),
            Line::Refused { .. } => None,
        })
    }

    /// Writes the description.
    pub(super) fn write(&self, local: &LocalMedia, direction: Direction) -> Bytes {
        let family = if local.addr.is_ipv4() { "IP4" } else { "IP6" };
        let (id, version, addr) = (local.session_id, local.version, local.addr);
        let (start, stop) = self.time;
        let mut text = format!(
            "v=0\r\no=- {id} {version} IN {family} {addr}\r\ns=-\r\n\
             c=IN {family} {addr}\r\nt={start} {stop}\r\n"
        );
        for line in &self.lines {
            // Writing to a string does not fail.
            let _ = match line {
                Line::Audio(audio) => audio.write(&mut text, local, direction),
                Line::Refused { kind, proto, formats } => {
                    write!(text, "m={kind} 0 {proto} {formats}\r\n")
                }
            };
        }
        text.into_bytes().into()
    }
}

impl AudioLine {
    /// Whether it takes nothing but SRTP.
    pub(super) fn is_secure(&self) -> bool {
        self.proto.to_ascii_uppercase().starts_with("RTP/SAVP")
    }

    fn write(
        &self,
        text: &mut String,
        local: &LocalMedia,
        direction: Direction,
    ) -> std::fmt::Result {
        write!(text, "m=audio {} {}", local.port, self.proto)?;
        for pt in self.codecs.iter().map(|(pt, _)| pt).chain(self.events.iter().map(|(pt, _)| pt)) {
            write!(text, " {pt}")?;
        }
        text.push_str("\r\n");
        for (pt, codec) in &self.codecs {
            write!(text, "a=rtpmap:{pt} {}/{}\r\n", codec.name(), Codec::CLOCK_HZ)?;
        }
        for (pt, clock) in &self.events {
            write!(text, "a=rtpmap:{pt} {TELEPHONE_EVENT}/{clock}\r\na=fmtp:{pt} 0-15\r\n")?;
        }
        for crypto in &self.crypto {
            write!(text, "{crypto}\r\n")?;
        }
        write!(text, "a=ptime:{}\r\na={}\r\n", local.ptime_ms, direction.as_str())
    }
}
