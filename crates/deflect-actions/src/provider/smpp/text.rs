//! Texts as SMPP carries them: alphabets, parts, and the text of a receipt.

pub use message_text::Alphabet;
use message_text::gsm7;

use super::inbox::Reference;
use super::pdu::{Short, TLV_PAYLOAD, TLV_RECEIPTED_ID, TLV_STATE};
use crate::provider::{Class, Receipt, State};

/// How a long text is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Long {
    /// In parts, each with a header that the phone joins them by.
    #[default]
    Udh,
    /// Whole, in `message_payload`; the centre makes the parts.
    Payload,
}

/// How a centre writes the ids of receipts, where not as in its answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReceiptIds {
    /// As in its answers.
    #[default]
    Same,
    /// Answers in hexadecimal, receipts in decimal.
    Decimal,
    /// Answers in decimal, receipts in hexadecimal.
    Hexadecimal,
}

const UCS2: u8 = 0x08;
const LATIN1: u8 = 0x03;
/// A header precedes the text.
const HAS_UDH: u8 = 0x40;
/// A receipt, final or not.
const RECEIPT: u8 = 0x04 | 0x20;

/// A text, encoded.
struct Encoded {
    data_coding: u8,
    /// Characters, so that none is cut in two.
    characters: Vec<Vec<u8>>,
    /// Octets of a message of one part, and of each of several.
    alone: usize,
    part: usize,
}

/// The messages that a text becomes: all of `envelope` but text and coding. `reference` is the
/// same for all parts of one text.
pub(super) fn parts(
    text: &str,
    alphabet: Alphabet,
    long: Long,
    reference: u8,
    envelope: &Short,
) -> Vec<Short> {
    let encoded = encode(text, alphabet);
    let of = |short_message| Short {
        data_coding: encoded.data_coding,
        short_message,
        ..envelope.clone()
    };
    let whole = encoded.characters.concat();
    if whole.len() <= encoded.alone {
        return vec![of(whole)];
    }
    if long == Long::Payload {
        let mut message = of(Vec::new());
        message.tlvs.push((TLV_PAYLOAD, whole));
        return vec![message];
    }
    let parts = split(encoded.characters, encoded.part);
    let count = u8::try_from(parts.len()).unwrap_or(u8::MAX);
    let part = |(number, part): (u8, Vec<u8>)| {
        // Five octets follow; concatenation with an 8-bit reference (3GPP TS 23.040 §9.2.3.24.1).
        let header = vec![5, 0, 3, reference, count, number];
        Short { esm_class: envelope.esm_class | HAS_UDH, ..of([header, part].concat()) }
    };
    (1..=count).zip(parts).map(part).collect()
}

fn encode(text: &str, alphabet: Alphabet) -> Encoded {
    let each = |encode: fn(char) -> Option<Vec<u8>>| text.chars().map(encode).collect();
    let plain: Option<Vec<Vec<u8>>> = match alphabet {
        Alphabet::Gsm7 => each(|c| gsm7::encode(c.encode_utf8(&mut [0; 4]))),
        Alphabet::Latin1 => each(|c| Some(vec![u8::try_from(c).ok()?])),
    };
    match (plain, alphabet) {
        (Some(characters), Alphabet::Gsm7) => {
            Encoded { data_coding: 0, characters, alone: 160, part: 153 }
        }
        (Some(characters), Alphabet::Latin1) => {
            Encoded { data_coding: 0, characters, alone: 140, part: 134 }
        }
        (None, _) => {
            let utf16 = |c: char| {
                c.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_be_bytes()).collect()
            };
            let characters = text.chars().map(utf16).collect();
            Encoded { data_coding: UCS2, characters, alone: 140, part: 134 }
        }
    }
}

fn split(characters: Vec<Vec<u8>>, room: usize) -> Vec<Vec<u8>> {
    let mut parts: Vec<Vec<u8>> = vec![Vec::new()];
    for character in characters {
        let full = parts.last().is_some_and(|part| part.len() + character.len() > room);
        if full {
            parts.push(Vec::new());
        }
        if let Some(part) = parts.last_mut() {
            part.extend(character);
        }
    }
    parts
}

/// Whether a delivered message is a receipt, and not a text.
pub(super) fn is_receipt(short: &Short) -> bool {
    short.esm_class & RECEIPT != 0
}

/// The text of a message from a phone.
pub(super) fn decode(short: &Short, alphabet: Alphabet) -> String {
    decode_octets(octets(short), short.data_coding, alphabet)
}

/// The text itself, encoded, without a header before it.
pub(super) fn octets(short: &Short) -> &[u8] {
    header(short).map_or(short.text(), |(_, octets)| octets)
}

/// The header of a message that has one, without its length, and what follows it.
fn header(short: &Short) -> Option<(&[u8], &[u8])> {
    let (length, rest) = short.text().split_first().filter(|_| short.esm_class & HAS_UDH != 0)?;
    Some(rest.split_at_checked(usize::from(*length)).unwrap_or_default())
}

/// Which part of which text a message is, by its header: reference, parts, which (3GPP TS 23.040
/// §9.2.3.24.1, §9.2.3.24.8).
pub(super) fn concatenation(short: &Short) -> Option<(Reference, u8, u8)> {
    let (mut elements, _) = header(short)?;
    while let [kind, length, rest @ ..] = elements {
        let (element, others) = rest.split_at_checked(usize::from(*length))?;
        match (kind, element) {
            (0x00, [reference, count, number]) => {
                return Some((Reference::Bits8(*reference), *count, *number));
            }
            (0x08, [high, low, count, number]) => {
                return Some((
                    Reference::Bits16(u16::from_be_bytes([*high, *low])),
                    *count,
                    *number,
                ));
            }
            _ => elements = others,
        }
    }
    None
}

/// A text by its alphabet.
pub(super) fn decode_octets(octets: &[u8], data_coding: u8, alphabet: Alphabet) -> String {
    let latin1 = |octets: &[u8]| octets.iter().map(|octet| char::from(*octet)).collect();
    match (data_coding, alphabet) {
        (UCS2, _) => {
            let units: Vec<u16> =
                octets.chunks_exact(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        (0, Alphabet::Gsm7) => gsm7::decode(octets),
        (0 | 1 | LATIN1, _) => latin1(octets),
        _ => latin1(octets),
    }
}

/// What a receipt says: in its optional parameters, else in its text (SMPP 3.4 appendix B).
pub(super) fn receipt(short: &Short, ids: ReceiptIds) -> Option<Receipt> {
    let text: String = short.text().iter().map(|octet| char::from(*octet)).collect();
    let of_tlv = short.tlv(TLV_RECEIPTED_ID).map(|id| {
        let id: String = id.iter().map(|octet| char::from(*octet)).collect();
        id.trim_end_matches('\0').to_owned()
    });
    let id = of_tlv.filter(|id| !id.is_empty()).or_else(|| word(&text, "id:"))?;
    let of_tlv = short.tlv(TLV_STATE).and_then(|state| state.first().copied());
    let told = of_tlv.and_then(by_number).or_else(|| by_word(&word(&text, "stat:")?));
    // Without a state it says at least that it is there.
    let (state, class) = told.unwrap_or((State::Accepted, None));
    let code = word(&text, "err:").filter(|code| code.bytes().any(|byte| byte != b'0'));
    Some(Receipt {
        class,
        code: code.filter(|_| class.is_some()),
        ..Receipt::of(ids.of_receipt(&id), state)
    })
}

impl ReceiptIds {
    /// The id of an answer as messages are known by it.
    pub(super) fn of_answer(self, id: &str) -> String {
        match self {
            Self::Same => id.to_owned(),
            Self::Decimal => canonical(id, 16),
            Self::Hexadecimal => canonical(id, 10),
        }
    }

    /// The id of a receipt as messages are known by it.
    pub(super) fn of_receipt(self, id: &str) -> String {
        match self {
            Self::Same => id.to_owned(),
            Self::Decimal => canonical(id, 10),
            Self::Hexadecimal => canonical(id, 16),
        }
    }
}

/// A number by its value, whatever its base and leading zeros; what is none stays as it is.
fn canonical(id: &str, base: u32) -> String {
    u128::from_str_radix(id, base).map_or_else(|_| id.to_owned(), |value| value.to_string())
}

/// What follows `name` in the text of a receipt, up to the next space.
fn word(text: &str, name: &str) -> Option<String> {
    // Of ASCII, so that places are the same.
    let lower = text.to_ascii_lowercase();
    let at = lower.match_indices(name).map(|(at, _)| at);
    // Not the end of another name, as in `message id:`.
    let at = at.into_iter().find(|at| *at == 0 || lower.as_bytes()[at - 1] == b' ')?;
    let value = text.get(at + name.len()..)?.split_whitespace().next()?;
    Some(value.to_owned())
}

fn by_number(state: u8) -> Option<(State, Option<Class>)> {
    Some(match state {
        1 | 6 => (State::Sent, None),
        2 => (State::Delivered, None),
        3 => (State::Undelivered, Some(Class::Unreachable)),
        4 | 5 => (State::Undelivered, Some(Class::Unknown)),
        7 => (State::Unknown, None),
        8 => (State::Failed, Some(Class::Unknown)),
        _ => return None,
    })
}

fn by_word(word: &str) -> Option<(State, Option<Class>)> {
    let states =
        ["ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD"];
    // Some write the words in full.
    let fits =
        |state: &&str| word.get(..5).is_some_and(|begin| state[..5].eq_ignore_ascii_case(begin));
    let at = states.iter().position(fits)?;
    by_number(u8::try_from(at + 1).ok()?)
}

#[cfg(test)]
mod tests {
    use message_text::segments;

    use super::*;

    #[test]
    fn a_text_becomes_as_many_parts_as_it_has_segments_and_comes_back() {
        for text in [
            "short".to_owned(),
            "a".repeat(160),
            "a".repeat(161),
            format!("{}€{}", "a".repeat(152), "a".repeat(151)),
            format!("{}ç", "a".repeat(70)),
            "😀".repeat(36),
        ] {
            let sent = parts(&text, Alphabet::Gsm7, Long::Udh, 9, &Short::default());
            assert_eq!(sent.len(), segments(&text).count, "{text:.20}");
            let back: String = sent.iter().map(|part| decode(part, Alphabet::Gsm7)).collect();
            assert_eq!(back, text);
            assert!(sent.iter().all(|part| part.short_message.len() <= 160));
            for (n, part) in sent.iter().enumerate().filter(|_| sent.len() > 1) {
                assert_eq!(part.short_message[..6], [5, 0, 3, 9, sent.len() as u8, n as u8 + 1]);
            }
        }
        let whole = parts(&"a".repeat(200), Alphabet::Gsm7, Long::Payload, 9, &Short::default());
        assert_eq!((whole.len(), whole[0].text().len()), (1, 200));
        let latin = parts("Zürich ç", Alphabet::Latin1, Long::Udh, 9, &Short::default());
        assert_eq!((latin[0].data_coding, latin[0].short_message[1]), (0, 0xfc));
    }

    fn of(text: &str, tlvs: &[(u16, &[u8])]) -> Option<Receipt> {
        let tlvs = tlvs.iter().map(|(tag, value)| (*tag, value.to_vec())).collect();
        let short_message = text.bytes().collect();
        let short = Short { esm_class: 4, short_message, tlvs, ..Short::default() };
        assert!(is_receipt(&short));
        receipt(&short, ReceiptIds::Same)
    }

    #[test]
    fn a_receipt_is_read_from_its_text_or_its_parameters() {
        let text = "id:0A1B sub:001 dlvrd:001 submit date:2611291200 done date:2611291201 \
                    stat:DELIVRD err:000 text:id:7 stat:UNDELIV";
        assert_eq!(of(text, &[]), Some(Receipt::of("0A1B", State::Delivered)));
        let failed = of("ID:12 Stat:UNDELIVERABLE Err:0b1", &[]).unwrap();
        assert_eq!((failed.state, failed.class), (State::Undelivered, Some(Class::Unknown)));
        assert_eq!(failed.code.as_deref(), Some("0b1"));
        let by_tlv = of("", &[(TLV_RECEIPTED_ID, b"42\0"), (TLV_STATE, &[3])]).unwrap();
        assert_eq!((by_tlv.provider_id.as_str(), by_tlv.state), ("42", State::Undelivered));
        // No `stat`: it is there, no more is known.
        assert_eq!(of("id:12 err:000", &[]), Some(Receipt::of("12", State::Accepted)));
        assert_eq!(of("nothing", &[]), None);
    }

    #[test]
    fn ids_meet_whatever_the_base_of_each_side() {
        for (ids, answer, receipt) in [
            (ReceiptIds::Same, "0A1b", "0A1b"),
            (ReceiptIds::Decimal, "0A1B", "2587"),
            (ReceiptIds::Decimal, "a1b", "0002587"),
            (ReceiptIds::Hexadecimal, "2587", "0a1b"),
            (ReceiptIds::Decimal, "not-a-number", "not-a-number"),
        ] {
            assert_eq!(ids.of_answer(answer), ids.of_receipt(receipt), "{ids:?} {answer}");
        }
        assert_ne!(ReceiptIds::Same.of_answer("10"), ReceiptIds::Same.of_receipt("16"));
    }
}
