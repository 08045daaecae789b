//! Texts from phones: parts are joined, and a text has an id that is the same when the centre tells
//! it again.

use std::collections::{BTreeMap, HashMap};

use hmac::Hmac;
use sha2::Sha256;

use super::{
    Settings,
    pdu::{Short, TLV_SAR_COUNT, TLV_SAR_NUMBER, TLV_SAR_REFERENCE},
    text,
};
use crate::provider::{Inbound, mac::hmac};

/// A text whose parts have not come within this time is taken as far as it came, ms.
const PATIENCE_MS: i64 = 5 * 60_000;
/// Within this time the same text is the same, told again, ms.
const AGAIN_MS: i64 = 10 * 60_000;
/// Texts in parts that are waited for; of one more, the oldest is taken as far as it came.
const TEXTS: usize = 256;
/// Texts that are known again.
const KNOWN: usize = 4_096;
/// Octets of a part; one that is longer is a text of its own.
const PART: usize = 254;

/// Texts that come by one centre, whichever session they come by.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: HashMap<Series, Waiting>,
    /// Taken as far as they came, and not fetched yet.
    cut_short: Vec<Inbound>,
    /// By the mark of a text, when it was told first.
    known: HashMap<String, i64>,
}

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
    pub fn take(&mut self, short: &Short, settings: &Settings, now_ms: i64) -> Option<Inbound> {
        let Some((series, number)) = series(short) else {
            let text = text::decode(short, settings.alphabet);
            return Some(self.inbound(short, None, text, settings, now_ms));
        };
        let other = |waiting: &Waiting| {
            let before = waiting.parts.get(&number);
            before.is_some_and(|before| !before.says_the_same(short))
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
        Some(self.inbound(short, Some(series.reference), text, settings, now_ms))
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
        self.cut_short.pop()
    }

    /// Nobody took it: it is overdue once more.
    pub fn put_back(&mut self, text: Inbound) {
        self.cut_short.push(text);
    }

    /// Whether some text is waited for or overdue.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.cut_short.is_empty()
    }

    fn cut_short(&mut self, series: &Series, settings: &Settings, now_ms: i64) {
        let Some(waiting) = self.waiting.remove(series) else { return };
        let whole = waiting.parts.len() == usize::from(series.count);
        if let Some(part) = waiting.parts.values().next().filter(|_| !whole) {
            let text = waiting.text(settings);
            let cut = self.inbound(part, Some(series.reference), text, settings, now_ms);
            self.cut_short.push(cut);
        }
    }

    fn inbound(
        &mut self,
        short: &Short,
        reference: Option<Reference>,
        text: String,
        settings: &Settings,
        now_ms: i64,
    ) -> Inbound {
        let (source, destination) = (&short.source.text, &short.destination.text);
        let marked = format!("{source}\0{destination}\0{reference:?}\0{text}");
        // Under the password: whoever reads the id can't try numbers and texts.
        let mark = |signed: &str| {
            hex::encode(&hmac::<Hmac<Sha256>>(&settings.bind.password, signed.as_bytes())[..16])
        };
        let by_text = mark(&marked);
        self.known.retain(|_, first_ms| now_ms - *first_ms < AGAIN_MS);
        if self.known.len() >= KNOWN {
            let oldest = self.known.iter().min_by_key(|(_, first_ms)| **first_ms);
            if let Some(oldest) = oldest.map(|(mark, _)| mark.clone()) {
                self.known.remove(&oldest);
            }
        }
        let first_ms = *self.known.entry(by_text).or_insert(now_ms);
        // By spans of time, so that what is told again after a restart is known, too.
        let id = mark(&format!("{marked}\0{}", first_ms.div_euclid(AGAIN_MS)));
        Inbound {
            id: Some(id),
            service: None,
            from: format!("+{}", source.trim_start_matches('+')),
            to: destination.clone(),
            text,
            at_ms: None,
        }
    }
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
fn series(short: &Short) -> Option<(Series, u8)> {
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
mod tests {
    use super::*;
    use crate::provider::smpp::{Address, Alphabet, Bind, Long, ReceiptIds};

    fn settings() -> Settings {
        Settings {
            host: String::new(),
            port: 0,
            tls: false,
            bind: Bind { password: "secret08".to_owned(), ..Bind::default() },
            alphabet: Alphabet::Gsm7,
            long: Long::Udh,
            receipt_ids: ReceiptIds::Same,
            window: 1,
            enquire: std::time::Duration::from_secs(30),
        }
    }

    fn from(number: &str) -> Short {
        let address = |text: &str| Address { ton: 1, npi: 1, text: text.to_owned() };
        Short { source: address(number), destination: address("447700900999"), ..Short::default() }
    }

    fn plain(number: &str, text: &str) -> Short {
        Short { short_message: text.bytes().collect(), ..from(number) }
    }

    /// The parts of `text`, as phones make them.
    fn parts(text: &str, reference: u8) -> Vec<Short> {
        text::parts(text, Alphabet::Gsm7, Long::Udh, reference, &from("447700900456"))
    }

    /// The same with a reference of 16 bits.
    fn wide(part: &Short) -> Short {
        let [_, _, _, reference, count, number] = part.short_message[..6] else { unreachable!() };
        let header = [6, 8, 4, 7, reference, count, number];
        let short_message = [&header[..], &part.short_message[6..]].concat();
        Short { short_message, ..part.clone() }
    }

    /// The same by parameters.
    fn by_parameters(part: &Short) -> Short {
        let [_, _, _, reference, count, number] = part.short_message[..6] else { unreachable!() };
        Short {
            esm_class: 0,
            short_message: part.short_message[6..].to_vec(),
            tlvs: vec![
                (TLV_SAR_REFERENCE, vec![7, reference]),
                (TLV_SAR_COUNT, vec![count]),
                (TLV_SAR_NUMBER, vec![number]),
            ],
            ..part.clone()
        }
    }

    #[test]
    fn parts_are_joined_in_any_order_and_by_each_kind_of_reference() {
        let text = format!("{}😀{}€", "ç".repeat(66), "a".repeat(150));
        let settings = settings();
        for kind in [Short::clone, wide, by_parameters] {
            let parts: Vec<Short> = parts(&text, 9).iter().map(kind).collect();
            assert!(parts.len() > 2);
            let mut inbox = Inbox::default();
            let mut order: Vec<usize> = (0..parts.len()).rev().collect();
            order.swap(0, 1);
            let (last, others) = order.split_last().unwrap();
            for n in others {
                assert_eq!(inbox.take(&parts[*n], &settings, 0), None);
                // Told again: it is there already.
                assert_eq!(inbox.take(&parts[*n], &settings, 0), None);
            }
            let whole = inbox.take(&parts[*last], &settings, 1_000).unwrap();
            assert_eq!(whole.text, text);
            assert_eq!((whole.from.as_str(), whole.to.as_str()), ("+447700900456", "447700900999"));
            // Whichever is told once more, it is the same text.
            for part in &parts {
                let again = inbox.take(part, &settings, 2_000);
                assert_eq!(again.as_ref(), Some(&whole));
            }
            assert_eq!(inbox.overdue(&settings, PATIENCE_MS), None, "it was whole");
            assert!(inbox.is_idle());
        }
    }

    #[test]
    fn texts_of_others_and_of_another_reference_do_not_mix() {
        let (settings, mut inbox) = (settings(), Inbox::default());
        let (one, two) = (parts(&"a".repeat(200), 1), parts(&"b".repeat(200), 2));
        let of_another = Short { source: from("447700900457").source, ..one[1].clone() };
        assert_eq!(inbox.take(&one[0], &settings, 0), None);
        assert_eq!(inbox.take(&two[0], &settings, 0), None);
        assert_eq!(inbox.take(&of_another, &settings, 0), None);
        assert_eq!(inbox.take(&one[1], &settings, 0).unwrap().text, "a".repeat(200));
        assert_eq!(inbox.take(&two[1], &settings, 0).unwrap().text, "b".repeat(200));
        // The phone comes round to a reference: another text.
        let later = parts(&"c".repeat(200), 1);
        assert_eq!(inbox.take(&later[0], &settings, 1), None);
        assert_eq!(inbox.take(&later[1], &settings, 1).unwrap().text, "c".repeat(200));
    }

    #[test]
    fn what_does_not_come_whole_is_taken_as_far_as_it_came_and_no_more_is_kept_than_that() {
        let (settings, mut inbox) = (settings(), Inbox::default());
        let first = &parts("STOP, please, and this goes on ".repeat(9).as_str(), 1)[0];
        assert_eq!(inbox.take(first, &settings, 0), None);
        assert_eq!(inbox.overdue(&settings, PATIENCE_MS - 1), None);
        let cut = inbox.overdue(&settings, PATIENCE_MS).unwrap();
        assert!(cut.text.starts_with("STOP, please") && cut.text.len() == 153, "{}", cut.text);
        assert!(inbox.is_idle());
        for n in 0..1_000 {
            let one = Short { source: from(&format!("4477009{n:05}")).source, ..first.clone() };
            assert_eq!(inbox.take(&one, &settings, n), None);
            assert!(inbox.waiting.len() <= TEXTS);
        }
        let mut taken = 0;
        while inbox.overdue(&settings, 1_000).is_some() {
            taken += 1;
        }
        assert_eq!(taken, 1_000 - TEXTS, "the oldest are taken, none is lost");
        for n in 0..5_000 {
            let _ = inbox.take(&plain("447700900456", &n.to_string()), &settings, n);
        }
        assert!(inbox.known.len() <= KNOWN);
    }

    #[test]
    fn the_same_text_is_the_same_for_a_while_and_its_id_tells_nothing() {
        let (settings, mut inbox) = (settings(), Inbox::default());
        let mut id = |number, text, at_ms| {
            inbox.take(&plain(number, text), &settings, at_ms).unwrap().id.unwrap()
        };
        let first = id("447700900456", "4", 0);
        assert_eq!(id("447700900456", "4", AGAIN_MS - 1), first);
        assert_ne!(id("447700900456", "5", 0), first);
        assert_ne!(id("447700900457", "4", 0), first);
        assert_ne!(id("447700900456", "4", AGAIN_MS), first);
        assert!(!first.contains("7700900456"));
        // Nor does a restart make another of it.
        let mut after = Inbox::default();
        let told = after.take(&plain("447700900456", "4"), &settings, 30_000).unwrap();
        assert_eq!(told.id.as_ref(), Some(&first));
        let other = Settings { bind: Bind::default(), ..settings };
        assert_ne!(after.take(&plain("447700900456", "4"), &other, 30_000).unwrap().id, told.id);
    }

    #[test]
    fn a_header_that_says_nothing_of_parts_leaves_a_text_by_itself() {
        let (settings, mut inbox) = (settings(), Inbox::default());
        for header in [
            &[4, 5, 2, 1, 2][..],      // ports
            &[5, 0, 3, 1, 2, 3][..],   // the third of two
            &[5, 0, 3, 1, 0, 0][..],   // of none
            &[5, 0, 3, 1, 1, 1][..],   // of one
            &[200, 0, 3, 1, 2, 1][..], // longer than the message
            &[5, 0, 30, 1, 2, 1][..],  // an element longer than its header
        ] {
            let short_message = [header, b"hello"].concat();
            let short = Short { esm_class: 0x40, short_message, ..from("447700900456") };
            assert!(inbox.take(&short, &settings, 0).is_some(), "{header:?}");
        }
        assert!(inbox.is_idle());
    }
}
