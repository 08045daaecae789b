//! The inbox without a centre.

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
            assert_eq!(inbox.take((1, &parts[*n]), &settings, 0), None);
            // Told again: it is there already.
            assert_eq!(inbox.take((1, &parts[*n]), &settings, 0), None);
        }
        let whole = inbox.take((1, &parts[*last]), &settings, 1_000).unwrap();
        assert_eq!(whole.text, text);
        assert_eq!((whole.from.as_str(), whole.to.as_str()), ("+447700900456", "447700900999"));
        // Whichever is told once more, it is the same text.
        for part in &parts {
            let again = inbox.take((1, part), &settings, 2_000);
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
    assert_eq!(inbox.take((1, &one[0]), &settings, 0), None);
    assert_eq!(inbox.take((1, &two[0]), &settings, 0), None);
    assert_eq!(inbox.take((1, &of_another), &settings, 0), None);
    assert_eq!(inbox.take((1, &one[1]), &settings, 0).unwrap().text, "a".repeat(200));
    assert_eq!(inbox.take((1, &two[1]), &settings, 0).unwrap().text, "b".repeat(200));
    // The phone comes round to a reference: another text.
    let later = parts(&"c".repeat(200), 1);
    assert_eq!(inbox.take((1, &later[0]), &settings, 1), None);
    assert_eq!(inbox.take((1, &later[1]), &settings, 1).unwrap().text, "c".repeat(200));
}

#[test]
fn what_does_not_come_whole_is_taken_as_far_as_it_came_and_no_more_is_kept_than_that() {
    let (settings, mut inbox) = (settings(), Inbox::default());
    let first = &parts("STOP, please, and this goes on ".repeat(9).as_str(), 1)[0];
    assert_eq!(inbox.take((1, first), &settings, 0), None);
    assert_eq!(inbox.overdue(&settings, PATIENCE_MS - 1), None);
    let cut = inbox.overdue(&settings, PATIENCE_MS).unwrap();
    assert!(cut.text.starts_with("STOP, please") && cut.text.len() == 153, "{}", cut.text);
    assert!(inbox.is_idle());
    for n in 0..1_000 {
        let one = Short { source: from(&format!("4477009{n:05}")).source, ..first.clone() };
        assert_eq!(inbox.take((1, &one), &settings, n), None);
        assert!(inbox.waiting.len() <= TEXTS);
    }
    let mut taken = 0;
    while inbox.overdue(&settings, 1_000).is_some() {
        taken += 1;
    }
    assert_eq!(taken, 1_000 - TEXTS, "the oldest are taken, none is lost");
    for n in 0..5_000 {
        let _ = inbox.take((1, &plain("447700900456", &n.to_string())), &settings, n);
    }
    assert!(inbox.known.len() <= KNOWN);
}

#[test]
fn the_same_text_is_the_same_for_a_while_and_its_id_tells_nothing() {
    let (settings, mut inbox) = (settings(), Inbox::default());
    let mut id = |number, text, at_ms| {
        inbox.take((1, &plain(number, text)), &settings, at_ms).unwrap().id.unwrap()
    };
    let first = id("447700900456", "4", 0);
    assert_eq!(id("447700900456", "4", AGAIN_MS - 1), first);
    assert_ne!(id("447700900456", "5", 0), first);
    assert_ne!(id("447700900457", "4", 0), first);
    assert_ne!(id("447700900456", "4", AGAIN_MS), first);
    assert!(!first.contains("7700900456"));
    // Nor does a restart make another of it.
    let mut after = Inbox::default();
    let told = after.take((1, &plain("447700900456", "4")), &settings, 30_000).unwrap();
    assert_eq!(told.id.as_ref(), Some(&first));
    let other = Settings { bind: Bind::default(), ..settings };
    assert_ne!(after.take((1, &plain("447700900456", "4")), &other, 30_000).unwrap().id, told.id);
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
        assert!(inbox.take((1, &short), &settings, 0).is_some(), "{header:?}");
    }
    assert!(inbox.is_idle());
}

#[test]
fn what_somebody_writes_twice_counts_twice_and_what_is_told_twice_counts_once() {
    let (settings, mut inbox) = (settings(), Inbox::default());
    inbox.begins();
    let four = plain("447700900456", "4");
    let told = |inbox: &mut Inbox, sequence, at_ms| {
        inbox.take((sequence, &four), &settings, at_ms).unwrap().id.unwrap()
    };
    let first = told(&mut inbox, 7, 0);
    assert_eq!(told(&mut inbox, 7, 100), first, "the same delivery");
    assert_eq!(told(&mut inbox, 8, 20_000), first, "it was not answered for long");
    inbox.answered(&first, 20_100);
    let second = told(&mut inbox, 9, 21_000);
    assert_ne!(second, first, "the first was answered on this session");
    let third = told(&mut inbox, 10, 21_100);
    assert!(third != second && third != first, "no centre asks again so soon");
    inbox.answered(&third, 21_200);
    // The answer may not have been read.
    inbox.begins();
    assert_eq!(told(&mut inbox, 2, 30_000), third);
    inbox.answered(&third, 30_100);
    inbox.begins();
    let fourth = told(&mut inbox, 2, 30_100 + READ_MS);
    assert!(![first, second, third].contains(&fourth), "that session lived on");
    inbox.begins();
    assert_eq!(told(&mut inbox, 2, 30_100 + READ_MS + 200_000), fourth, "it was not answered");
}

#[test]
fn a_text_in_parts_that_is_written_twice_counts_twice() {
    let (settings, mut inbox) = (settings(), Inbox::default());
    inbox.begins();
    let parts = parts(&"a".repeat(200), 1);
    let mut tell = |sequence: u32, at_ms| {
        let each = (sequence..).zip(&parts);
        each.filter_map(|told| inbox.take(told, &settings, at_ms)).collect::<Vec<_>>()
    };
    let first = tell(1, 0).remove(0);
    let second = tell(3, 10).remove(0);
    assert_eq!(first.text, second.text);
    assert_ne!(first.id, second.id);
    inbox.begins();
    let again = inbox.take((2, &parts[1]), &settings, 1_000).unwrap();
    assert_eq!(again.id, second.id, "its last part, told again");
}

#[test]
fn what_is_overdue_is_so_until_it_is_kept() {
    let (settings, mut inbox) = (settings(), Inbox::default());
    let first = &parts(&"a".repeat(200), 1)[0];
    assert_eq!(inbox.take((1, first), &settings, 0), None);
    let cut = inbox.overdue(&settings, PATIENCE_MS).unwrap();
    let id = cut.id.clone().unwrap();
    assert_eq!(inbox.overdue(&settings, PATIENCE_MS), None);
    inbox.fetched(&id, false);
    assert!(!inbox.is_idle());
    assert_eq!(inbox.overdue(&settings, PATIENCE_MS).as_ref(), Some(&cut));
    // The session ends before it is known.
    inbox.begins();
    assert_eq!(inbox.overdue(&settings, PATIENCE_MS), Some(cut));
    inbox.fetched(&id, true);
    inbox.begins();
    assert!(inbox.is_idle());
}

#[test]
fn a_text_that_is_not_kept_is_told_again_by_its_last_part_alone() {
    let (settings, mut inbox) = (settings(), Inbox::default());
    inbox.begins();
    let parts = parts(&"a".repeat(200), 1);
    // The first was answered for itself, so that the centre has forgotten it.
    assert_eq!(inbox.take((1, &parts[0]), &settings, 0), None);
    let whole = inbox.take((2, &parts[1]), &settings, 1_000).unwrap();
    inbox.refused(whole.id.as_ref().unwrap());
    let again = inbox.take((3, &parts[1]), &settings, 1_500).unwrap();
    assert_eq!(again, whole, "the whole text, and the same one");
    inbox.answered(again.id.as_ref().unwrap(), 1_600);
    // Kept, it is another when it is written once more.
    assert_eq!(inbox.take((4, &parts[0]), &settings, 2_000), None);
    assert_ne!(inbox.take((5, &parts[1]), &settings, 2_000).unwrap().id, whole.id);
}
