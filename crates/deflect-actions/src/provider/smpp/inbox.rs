//! Texts from phones: parts are joined, and a text has an id that is the same when the centre tells
//! it again, and another when somebody writes the same once more.

use std::collections::{BTreeMap, HashMap};

use hmac::Hmac;
use message_text::E164;
use sha2::Sha256;

use super::{
    Settings,
    pdu::{Address, Short, TLV_SAR_COUNT, TLV_SAR_NUMBER, TLV_SAR_REFERENCE},
    text,
};
use crate::provider::{Inbound, mac::hmac};

/// A text whose parts have not come within this time is taken as far as it came, ms.
const PATIENCE_MS: i64 = 5 * 60_000;
/// Within this time a text that our answer did not reach is told again, ms.
const AGAIN_MS: i64 = 10 * 60_000;
/// No centre waits for an answer for less than this before it tells a text again, ms.
const IMPATIENT_MS: i64 = 5_000;
/// An answer that a session outlived by this was read by the centre, ms.
const READ_MS: i64 = 60_000;
/// Texts in parts that are waited for; of one more, the oldest is taken as far as it came.
const TEXTS: usize = 256;
/// Texts that are known again.
const KNOWN: usize = 4_096;
/// Types of a number (SMPP 3.4 §5.2.5).
const UNKNOWN: u8 = 0;
const INTERNATIONAL: u8 = 1;
/// Octets of a part; one that is longer is a text of its own.
const PART: usize = 254;

/// Texts that come by one centre, whichever session they come by.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: HashMap<Series, Waiting>,
    /// Taken as far as they came, and not fetched yet.
    cut_short: Vec<Inbound>,
    /// Fetched, and not known to be kept; by their ids.
    fetched: HashMap<String, Inbound>,
    /// By the mark of a text.
    known: HashMap<String, Known>,
    /// The number of this session; the first is 1.
    session: u64,
}

/// A text that was told.
#[derive(Debug)]
struct Known {
    id: String,
    at_ms: i64,
    /// The sequence number that told it last, and its session.
    told: Told,
    /// When it was answered that it is kept.
    answered_ms: Option<i64>,
    /// It was answered that it is not kept: the centre tells it again.
    refused: bool,
}

/// Which `deliver_sm` of which session.
type Told = (u64, u32);

/// What makes parts one text (3GPP TS 23.040 §9.2.3.24; SMPP 3.4 §5.3.2.22).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Series {
    pub source: String,
    pub destination: String,
    pub reference: Reference,
    pub count: u8,
}

/// A number that the phone gives to each text, by where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Reference {
    /// An information element `00`.
    Bits8(u8),
    /// An information element `08`.
    Bits16(u16),
    /// `sar_msg_ref_num`.
    Sar(u16),
}

/// Parts that have come; with all of them, it is kept to know them again.
#[derive(Debug)]
struct Waiting {
    since_ms: i64,
    parts: BTreeMap<u8, Short>,
}

impl Inbox {
    /// The text that this is, or makes whole; `None`: further parts are waited for.
    pub fn take(
        &mut self,
        (sequence, short): (u32, &Short),
        settings: &Settings,
        now_ms: i64,
    ) -> Option<Inbound> {
        let Some((series, number)) = series(short) else {
            let text = text::decode(short, settings.alphabet);
            return Some(self.inbound((sequence, short), None, text, settings, now_ms));
        };
        let other = |waiting: &Waiting| {
            let before = waiting.parts.get(&number);
            let whole = waiting.parts.len() == usize::from(series.count);
            let mark = || mark_of(short, Some(series.reference), &waiting.text(settings), settings);
            before.is_some_and(|before| !before.says_the_same(short))
                || whole && !self.is_told_again(&mark(), sequence, now_ms)
        };
        if self.waiting.get(&series).is_some_and(other) {
            // The phone has come round to the same reference.
            self.cut_short(&series, settings, now_ms);
        }
        if self.waiting.len() >= TEXTS && !self.waiting.contains_key(&series) {
            let oldest = self.waiting.iter().min_by_key(|(_, waiting)| waiting.since_ms);
            if let Some(oldest) = oldest.map(|(series, _)| series.clone()) {
                self.cut_short(&oldest, settings, now_ms);
            }
        }
        let new = || Waiting { since_ms: now_ms, parts: BTreeMap::new() };
        let waiting = self.waiting.entry(series.clone()).or_insert_with(new);
        waiting.parts.insert(number, short.clone());
        if waiting.parts.len() < usize::from(series.count) {
            return None;
        }
        let text = waiting.text(settings);
        Some(self.inbound((sequence, short), Some(series.reference), text, settings, now_ms))
    }

    /// A session begins: what another told and did not answer is told again.
    pub fn begins(&mut self) {
        self.session += 1;
        self.cut_short.extend(self.fetched.drain().map(|(_, text)| text));
    }

    /// It was answered that the text with this id is kept.
    pub fn answered(&mut self, id: &str, now_ms: i64) {
        if let Some(known) = self.known.values_mut().find(|known| known.id == id) {
            known.answered_ms = Some(now_ms);
        }
    }

    /// It was answered that the text with this id is not kept.
    pub fn refused(&mut self, id: &str) {
        if let Some(known) = self.known.values_mut().find(|known| known.id == id) {
            known.refused = true;
        }
    }

    /// A text whose parts are waited for no more, as far as it came.
    pub fn overdue(&mut self, settings: &Settings, now_ms: i64) -> Option<Inbound> {
        let late: Vec<Series> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| now_ms - waiting.since_ms >= PATIENCE_MS)
            .map(|(series, _)| series.clone())
            .collect();
        for series in late {
            self.cut_short(&series, settings, now_ms);
        }
        let text = self.cut_short.pop()?;
        let id = text.id.clone().unwrap_or_default();
        self.fetched.insert(id, text.clone());
        Some(text)
    }

    /// What became of one that was overdue; unless it is kept, it is overdue once more.
    pub fn fetched(&mut self, id: &str, kept: bool) {
        let text = self.fetched.remove(id);
        self.cut_short.extend(text.filter(|_| !kept));
    }

    /// Whether some text is waited for or overdue.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.cut_short.is_empty()
    }

    /// Whether the text of this mark is the one that was told before. It is while our answer may
    /// not have reached the centre: not given yet, by the same number, or just before its session
    /// was lost.
    fn is_told_again(&self, mark: &str, sequence: u32, now_ms: i64) -> bool {
        let Some(known) = self.known.get(mark) else { return false };
        let ((session, number), now) = (known.told, self.session);
        if now_ms - known.at_ms >= AGAIN_MS {
            return false;
        }
        match known.answered_ms {
            _ if known.refused => true,
            _ if session == now && number == sequence => true,
            None => session != now || now_ms - known.at_ms >= IMPATIENT_MS,
            Some(_) if session == now => false,
            Some(at_ms) => now_ms - at_ms < READ_MS,
        }
    }

    fn cut_short(&mut self, series: &Series, settings: &Settings, now_ms: i64) {
        let Some(waiting) = self.waiting.remove(series) else { return };
        let whole = waiting.parts.len() == usize::from(series.count);
        if let Some(part) = waiting.parts.values().next().filter(|_| !whole) {
            let text = waiting.text(settings);
            let cut = self.inbound((0, part), Some(series.reference), text, settings, now_ms);
            self.cut_short.push(cut);
        }
    }

    fn inbound(
        &mut self,
        (sequence, short): (u32, &Short),
        reference: Option<Reference>,
        text: String,
        settings: &Settings,
        now_ms: i64,
    ) -> Inbound {
        let mark = mark_of(short, reference, &text, settings);
        let told = (self.session, sequence);
        let again = self.is_told_again(&mark, sequence, now_ms);
        let before = self.known.get_mut(&mark);
        let id = match before {
            Some(known) if again => {
                known.told = told;
                known.refused = false;
                known.id.clone()
            }
            // Written once more.
            Some(known) if now_ms - known.at_ms < AGAIN_MS => {
                signed(settings, &format!("{}\0{}", known.id, known.told.1))
            }
            // By spans of time, so that what is told again after a restart is known, too.
            _ => signed(settings, &format!("{mark}\0{}", now_ms.div_euclid(AGAIN_MS))),
        };
        if !again {
            let id = id.clone();
            self.know(mark, Known { id, at_ms: now_ms, told, answered_ms: None, refused: false });
        }
        Inbound {
            id: Some(id),
            service: None,
            from: from(&short.source),
            to: short.destination.text.clone(),
            text,
            at_ms: None,
        }
    }

    fn know(&mut self, mark: String, text: Known) {
        self.known.retain(|_, known| text.at_ms - known.at_ms < AGAIN_MS);
        if self.known.len() >= KNOWN {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.at_ms);
            if let Some(oldest) = oldest.map(|(mark, _)| mark.clone()) {
                self.known.remove(&oldest);
            }
        }
        self.known.insert(mark, text);
    }
}

/// Whom a text is from: `+` and digits, where they begin with a country; else as it stands.
fn from(source: &Address) -> String {
    let number = format!("+{}", source.text.trim_start_matches('+'));
    let is_global = match source.ton {
        INTERNATIONAL => true,
        UNKNOWN => number.parse::<E164>().is_ok(),
        _ => source.text.starts_with('+'),
    };
    if is_global { number } else { source.text.clone() }
}

/// What a text is known by, told again.
fn mark_of(short: &Short, reference: Option<Reference>, text: &str, settings: &Settings) -> String {
    let (source, destination) = (&short.source.text, &short.destination.text);
    signed(settings, &format!("{source}\0{destination}\0{reference:?}\0{text}"))
}

/// Under the password: whoever reads it can't try numbers and texts.
fn signed(settings: &Settings, text: &str) -> String {
    hex::encode(&hmac::<Hmac<Sha256>>(&settings.bind.password, text.as_bytes())[..16])
}

impl Waiting {
    /// What its parts say, in their order.
    fn text(&self, settings: &Settings) -> String {
        let mut parts = self.parts.values().cloned();
        let Some(mut whole) = parts.next() else { return String::new() };
        // Decoded at once: a character may be cut in two.
        let mut said = text::octets(&whole).to_vec();
        let mut text = String::new();
        for part in parts {
            if part.data_coding == whole.data_coding {
                said.extend_from_slice(text::octets(&part));
            } else {
                text += &text::decode_octets(&said, whole.data_coding, settings.alphabet);
                said = text::octets(&part).to_vec();
                whole = part;
            }
        }
        text + &text::decode_octets(&said, whole.data_coding, settings.alphabet)
    }
}

impl Short {
    fn says_the_same(&self, other: &Self) -> bool {
        self.data_coding == other.data_coding && self.text() == other.text()
    }
}

/// The text that this is a part of, and which; `None`: it is one by itself.
pub(super) fn series(short: &Short) -> Option<(Series, u8)> {
    let (reference, count, number) = text::concatenation(short).or_else(|| sar(short))?;
    let fits = count > 1 && (1..=count).contains(&number) && short.text().len() <= PART;
    let series = || Series {
        source: short.source.text.clone(),
        destination: short.destination.text.clone(),
        reference,
        count,
    };
    fits.then(|| (series(), number))
}

/// What the centre says of a part in parameters.
fn sar(short: &Short) -> Option<(Reference, u8, u8)> {
    let octet = |tag| short.tlv(tag)?.first().copied();
    let reference = short.tlv(TLV_SAR_REFERENCE)?.first_chunk::<2>()?;
    let reference = Reference::Sar(u16::from_be_bytes(*reference));
    Some((reference, octet(TLV_SAR_COUNT)?, octet(TLV_SAR_NUMBER)?))
}

#[cfg(test)]
mod tests;
