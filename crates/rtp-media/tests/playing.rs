//! What a caller hears of prompts, pauses and interruptions.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use common::{Call, Heard, Rng, check_stream, digit, for_seeds, ms, prompt};
use rtp_media::Law;
use rtp_media::codec::FRAME;
use rtp_media::session::{KeyRelay, MediaEvent};

const SILENCE: u8 = Law::Pcma.silence();

fn audio(heard: &[Heard]) -> Vec<u8> {
    heard.iter().flat_map(|packet| packet.payload().to_vec()).collect()
}

/// Prompts of any lengths in a row: each sample once, the next right behind the last, silence
/// only behind the end.
#[test]
fn prompts_in_a_row_have_no_gap_of_a_single_sample() {
    for_seeds(|seed| {
        let rng = &mut Rng::new(seed);
        let lengths: Vec<usize> =
            (0..rng.within(1..12)).map(|_| rng.within(0..900) as usize).collect();
        let mark = |n: usize| 0x10 + n as u8;
        let items =
            lengths.iter().enumerate().map(|(n, &length)| prompt(length, mark(n))).collect();
        let mut call = Call::new();
        call.play(0, 1, items, false);
        let total: usize = lengths.iter().sum();
        call.run(total as u64 / 8 + 200);
        let heard = audio(&call.legs[0].heard);
        let mut expected: Vec<u8> =
            lengths.iter().enumerate().flat_map(|(n, &length)| vec![mark(n); length]).collect();
        expected.resize(heard.len(), SILENCE);
        assert!(heard == expected, "{lengths:?}");
        assert_eq!(call.plays().len(), 1);
        let (id, played_ms, completed, _) = call.plays()[0];
        assert_eq!((id, played_ms, completed), (1, (total / 8) as u32, true), "{lengths:?}");
    });
}

#[test]
fn the_end_is_told_when_the_last_frame_is_sent() {
    let mut call = Call::new();
    call.play(0, 9, vec![prompt(5 * FRAME, 0x11)], true);
    call.run(500);
    let last = call.legs[0].heard.iter().rfind(|packet| packet.is_all(0x11)).unwrap();
    assert_eq!(call.plays(), [(9, 100, true, last.at_ms)]);
}

#[test]
fn a_key_stops_the_prompt_within_a_packet_and_counts() {
    for ways in ["event", "info", "tone"] {
        let mut call = Call::new();
        call.configure(0, |config| config.inband = true);
        call.play(0, 3, vec![prompt(80_000, 0x11)], true);
        call.run(1_000);
        match ways {
            "event" => call.legs[0].phone.press('5', 100),
            "info" => {
                let now = ms(call.now_ms);
                call.with(0, |session, events| session.info_key(now, digit('5'), 100, events));
            }
            _ => tone(&mut call),
        }
        call.run(500);
        let down = call
            .events
            .iter()
            .find_map(|(at_ms, event)| {
                matches!(event, MediaEvent::KeyDown { .. }).then_some(*at_ms)
            })
            .unwrap();
        let heard = &call.legs[0].heard;
        let last = heard.iter().rfind(|packet| packet.is_all(0x11)).unwrap();
        assert!(last.at_ms <= down, "{ways}: the prompt went on after the key");
        let after = heard.iter().find(|packet| packet.at_ms >= down).unwrap();
        assert!(after.is_all(SILENCE) && after.at_ms <= down + 20, "{ways}: {after:?}");
        let [(3, played_ms, false, at_ms)] = call.plays()[..] else { panic!("{:?}", call.plays()) };
        assert_eq!(at_ms, down, "{ways}");
        let packets = heard.iter().filter(|packet| packet.is_all(0x11)).count();
        assert_eq!(played_ms as usize, 20 * packets, "{ways}");
        assert_eq!(call.keys_of(0), "5", "{ways}: the key that interrupts counts");
        check_stream(heard, 21);
    }
}

/// The phone sends the tones of key 5 in its audio.
fn tone(call: &mut Call) {
    let sine = |hz: f64, n: u32| (f64::from(n) * hz / 8_000.0 * std::f64::consts::TAU).sin();
    for packet in 0..8u32 {
        let payload: Vec<u8> = (0..160)
            .map(|n| match (160 * packet + n, packet < 5) {
                (n, true) => {
                    Law::Pcma.encode((6_000.0 * (sine(770.0, n) + sine(1_336.0, n))) as i16)
                }
                (_, false) => SILENCE,
            })
            .collect();
        let datagram = call.legs[0].phone.write(8, 160 * packet, &payload);
        call.deliver(0, call.legs[0].phone.from, datagram);
        call.run(20);
    }
}

#[test]
fn without_barge_in_the_prompt_goes_on_and_the_key_is_told() {
    let mut call = Call::new();
    call.play(0, 1, vec![prompt(8_000, 0x11)], false);
    call.run(300);
    call.legs[0].phone.press('7', 100);
    call.run(1_500);
    assert_eq!(call.keys_of(0), "7");
    assert_eq!(call.plays()[0].1, 1_000);
    assert!(call.plays()[0].2);
}

#[test]
fn a_new_prompt_replaces_the_old_and_stop_ends_it() {
    let mut call = Call::new();
    call.play(0, 1, vec![prompt(80_000, 0x11)], false);
    call.run(100);
    call.play(0, 2, vec![prompt(80_000, 0x12)], false);
    call.run(100);
    call.stop(0);
    call.run(100);
    call.play(0, 3, vec![], false);
    let ends: Vec<_> = call.plays().iter().map(|&(id, ms, whole, _)| (id, ms, whole)).collect();
    assert_eq!(ends, [(1, 100, false), (2, 100, false), (3, 0, true)]);
    let heard = &call.legs[0].heard;
    let marked: Vec<usize> = (0..heard.len()).filter(|&n| heard[n].marker()).collect();
    assert_eq!(marked, [0, 5], "a marker where each prompt begins");
    assert!(heard[10..].iter().all(|packet| packet.is_all(SILENCE)));
}

/// Carriers hang up, or play noise, when the packets cease.
#[test]
fn a_long_pause_is_silence_every_20_ms() {
    let mut call = Call::new();
    call.run(60_000);
    let heard = &call.legs[0].heard;
    assert_eq!(heard.len(), 3_000);
    assert!(heard.iter().all(|packet| packet.is_all(SILENCE)));
    assert!(heard.windows(2).all(|pair| pair[1].at_ms - pair[0].at_ms == 20));
    assert!(heard[1..].iter().all(|packet| !packet.marker()));
    check_stream(heard, 0);
}

/// A peer that stops talking without a word is replaced by silence, and heard again at once.
#[test]
fn a_silent_peer_leaves_no_hole() {
    let mut call = Call::with_two_legs([Law::Pcma, Law::Pcma]);
    call.legs[1].phone.byte = Some(0x33);
    call.bridge_with([KeyRelay::Off; 2]);
    for _ in 0..10 {
        call.legs[1].phone.talking = true;
        call.run(500);
        call.legs[1].phone.talking = false;
        call.run(500);
    }
    let heard = &call.legs[0].heard;
    let longest = heard.windows(2).map(|pair| pair[1].at_ms - pair[0].at_ms).max().unwrap();
    assert!(longest <= 90, "{longest} ms without a packet");
    let talk = heard.iter().filter(|packet| packet.is_all(0x33)).count();
    assert!(talk >= 245, "{talk} of 250");
    check_stream(heard, 45);
}

/// What waited before the answer is not sent in one burst after it.
#[test]
fn nothing_is_sent_before_the_answer_and_no_burst_after() {
    let mut call = Call::with_two_legs([Law::Pcma, Law::Pcma]);
    call.configure(0, |config| config.may_send = false);
    call.legs[1].phone.talking = true;
    call.bridge();
    call.play(0, 1, vec![prompt(800, 0x11)], false);
    call.run(10_000);
    assert_eq!(call.legs[0].heard.len(), 0);
    call.configure(0, |config| config.may_send = true);
    call.run(400);
    let heard = &call.legs[0].heard;
    assert!((19..=21).contains(&heard.len()), "{heard:?}");
    assert!(heard.windows(2).all(|pair| pair[1].at_ms > pair[0].at_ms), "{heard:?}");
    check_stream(heard, 45);
}

/// A worker that was held up sends what is due, not what is long past.
#[test]
fn lateness_is_counted() {
    let mut call = Call::new();
    let mut packet = [0; rtp_media::session::PACKET];
    for (due, now) in [(100, 100), (120, 124), (140, 146), (160, 190)] {
        call.with(0, |session, events| {
            assert!(session.handle_timeout(ms(due), ms(now), &mut packet, events).is_some());
        });
    }
    let stats = call.legs[0].session.stats();
    assert_eq!((stats.sent_packets, stats.late_packets, stats.max_late_us), (4, 2, 30_000));
}

/// Keys typed ahead, while a prompt without barge-in plays and between prompts: all are told.
#[test]
fn keys_are_told_at_any_moment() {
    let mut call = Call::new();
    for (n, c) in "12345".chars().enumerate() {
        if n % 2 == 0 {
            call.play(0, n as u32, vec![prompt(3_200, 0x11)], n == 2);
        }
        call.legs[0].phone.press(c, 60);
        call.run(300);
    }
    assert_eq!(call.keys_of(0), "12345");
}
