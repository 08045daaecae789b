//! Two legs on a bridge: audio and keys both ways, whatever the two agreed on.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use audio_codec_algorithms::{decode_alaw, decode_ulaw};
use common::{Call, EVENT_PT, Heard, check_stream, digit, ms, prompt};
use rtp_media::Law;
use rtp_media::session::{EventFormats, KeyRelay, MediaEvent};

/// A caller goes from the prompts to the PBX and back, ten times over: audio and keys, of both
/// kinds, keep flowing each time.
#[test]
fn audio_and_keys_survive_ten_bridges() {
    let mut call = Call::with_two_legs([Law::Pcma, Law::Pcma]);
    call.legs[0].phone.talking = true;
    call.legs[1].phone.talking = true;
    for round in 0..10 {
        let context = format!("round {round}");
        call.play(0, round, vec![prompt(160_000, 0x11)], true);
        call.run(300);
        assert!(call.legs[0].heard.last().unwrap().is_all(0x11), "{context}");
        call.legs[0].phone.press('1', 90);
        call.run(300);
        let now = ms(call.now_ms);
        call.with(0, |session, events| {
            session.info_key(now, digit('4'), 100, events);
        });
        assert_eq!(call.keys_of(0), "14".repeat(round as usize + 1), "{context}");

        call.bridge_with([
            KeyRelay::Rfc4733,
            if round % 2 == 0 { KeyRelay::Rfc4733 } else { KeyRelay::Info },
        ]);
        call.run(200);
        let before = [call.legs[0].heard.len(), call.legs[1].heard.len()];
        call.run(600);
        for (leg, before) in call.legs.iter().zip(before) {
            check_talk(&leg.heard[before..], 29, &context);
        }
        let (reported, relayed) = (call.events.len(), count_relayed(&call));
        call.legs[0].phone.press('2', 120);
        call.legs[1].phone.press('3', 200);
        call.run(700);
        assert_eq!(call.keys_heard(0), "3".repeat(round as usize + 1), "{context}");
        let as_events = round as usize / 2 + 1;
        assert_eq!(call.keys_heard(1), "2".repeat(as_events), "{context}");
        assert_eq!(count_relayed(&call) - relayed, usize::from(round % 2 == 1), "{context}");
        let told = |(_, event): &(u64, MediaEvent)| {
            matches!(event, MediaEvent::KeyDown { .. } | MediaEvent::KeyUp { .. })
        };
        assert!(!call.events[reported..].iter().any(told), "{context}: a blind bridge told a key");
        call.unbridge();
        call.run(200);
    }
    for leg in &call.legs {
        check_stream(&leg.heard, 45);
    }
}

fn is_relay_key(event: &MediaEvent) -> bool {
    matches!(event, MediaEvent::RelayKey { .. })
}

fn count_relayed(call: &Call) -> usize {
    call.events.iter().filter(|(_, event)| is_relay_key(event)).count()
}

/// All packets are the other phone's audio, no byte lost or doubled.
fn check_talk(heard: &[Heard], at_least: usize, context: &str) {
    assert!(heard.len() >= at_least, "{context}: {} packets", heard.len());
    let bytes: Vec<u8> = heard.iter().flat_map(|packet| packet.payload().to_vec()).collect();
    let broken = bytes.windows(2).position(|pair| pair[1] != pair[0].wrapping_add(1));
    assert_eq!(broken, None, "{context}: the audio breaks");
}

#[test]
fn any_packet_length_in_is_20_ms_out() {
    for ptime_ms in [10, 20, 30, 40, 60] {
        let mut call = Call::with_two_legs([Law::Pcmu, Law::Pcmu]);
        call.legs[1].phone.ptime_ms = ptime_ms;
        call.legs[1].phone.talking = true;
        call.bridge();
        call.run(400);
        let from = call.legs[0].heard.len();
        call.run(2_000);
        let heard = &call.legs[0].heard;
        assert!(heard.iter().all(|packet| packet.payload().len() == 160), "{ptime_ms} ms");
        assert_eq!(heard.len() - from, 100, "{ptime_ms} ms");
        check_talk(&heard[from..], 100, &format!("{ptime_ms} ms"));
        check_stream(heard, 45);
    }
}

/// A phone changes its packet length in the middle of a call, with no re-INVITE.
#[test]
fn the_packet_length_may_change_at_any_time() {
    let mut call = Call::with_two_legs([Law::Pcmu, Law::Pcmu]);
    call.legs[1].phone.talking = true;
    call.bridge();
    for ptime_ms in [20, 30, 10, 20, 60, 20, 40, 10] {
        call.legs[1].phone.ptime_ms = ptime_ms;
        call.run(600);
        let from = call.legs[0].heard.len();
        call.run(600);
        check_talk(&call.legs[0].heard[from..], 29, &format!("{ptime_ms} ms"));
    }
    check_stream(&call.legs[0].heard, 100);
}

#[test]
fn laws_are_converted_when_the_legs_differ() {
    for [caller, target] in [[Law::Pcma, Law::Pcmu], [Law::Pcmu, Law::Pcma]] {
        let mut call = Call::with_two_legs([caller, target]);
        call.legs.iter_mut().for_each(|leg| leg.phone.talking = true);
        call.bridge();
        call.run(1_000);
        for (leg, from, to) in [(0, target, caller), (1, caller, target)] {
            let heard: Vec<&Heard> =
                call.legs[leg].heard.iter().filter(|p| !p.is_all(to.silence())).collect();
            assert!(heard.len() > 45, "{} packets", heard.len());
            assert!(heard.iter().all(|packet| packet.pt() == to.payload_type()));
            // The phone counts through all bytes, so that every one of them is judged.
            let mut sent = 0u8;
            for byte in heard.iter().flat_map(|packet| packet.payload()) {
                sent = sent.wrapping_add(1);
                let (want, got) = (decode(from, sent), decode(to, *byte));
                // Half a step of the coarser law, at that level, and its dead zone.
                let step = (want.abs() / 16).max(16);
                assert!((want - got).abs() <= step, "{from:?} {sent:#x}: {want}, heard {got}");
            }
        }
    }
}

/// A 16-bit sample by another's decoder.
fn decode(law: Law, byte: u8) -> i32 {
    match law {
        Law::Pcma => i32::from(decode_alaw(byte)),
        Law::Pcmu => i32::from(decode_ulaw(byte)),
    }
}

#[test]
fn each_leg_has_its_own_payload_types() {
    let mut call = Call::with_two_legs([Law::Pcma, Law::Pcmu]);
    // The caller's PCMA and keys are dynamic, and differ by direction and clock.
    call.configure(0, |config| {
        (config.send_pt, config.recv_pt) = (97, 98);
        let recv_pts = vec![(110, 48_000), (111, 16_000), (112, 8_000)];
        config.events = Some(EventFormats { send_pt: Some(113), recv_pts });
    });
    call.configure(1, |config| {
        config.events = Some(EventFormats { send_pt: Some(96), recv_pts: vec![(96, 8_000)] });
    });
    call.legs[0].phone.pt = 98;
    call.legs[1].phone.event_pt = 96;
    call.legs.iter_mut().for_each(|leg| leg.phone.talking = true);
    call.bridge();
    call.run(200);
    for (event_pt, event_clock_hz) in [(110, 48_000), (111, 16_000), (112, 8_000)] {
        (call.legs[0].phone.event_pt, call.legs[0].phone.event_clock_hz) =
            (event_pt, event_clock_hz);
        call.legs[0].phone.press('7', 100);
        call.run(500);
        let last = call.legs[1].heard.iter().rfind(|p| p.is_event()).unwrap();
        let duration = u16::from_be_bytes([last.payload()[2], last.payload()[3]]);
        assert_eq!((last.pt(), duration), (96, 800), "100 ms at 8 kHz, from {event_clock_hz} Hz");
    }
    call.legs[1].phone.press('9', 100);
    call.run(500);
    assert_eq!((call.keys_heard(0).as_str(), call.keys_heard(1).as_str()), ("9", "777"));
    for (leg, audio_pt, event_pt) in [(0, 97, 113), (1, 0, 96)] {
        let types =
            |packet: &Heard| packet.pt() == if packet.is_event() { event_pt } else { audio_pt };
        assert!(call.legs[leg].heard.iter().all(types), "leg {leg}");
    }
}

#[test]
fn a_type_that_was_not_agreed_is_refused_and_counted() {
    let mut call = Call::with_two_legs([Law::Pcma, Law::Pcma]);
    call.bridge();
    call.legs[0].phone.talking = true;
    for pt in [0, 18, 96, 127] {
        call.legs[0].phone.pt = pt;
        call.run(100);
    }
    assert_eq!(call.legs[0].session.stats().refused_packets, 20);
    assert_eq!(call.legs[0].session.stats().received_packets, 0);
    assert!(call.legs[1].heard.iter().all(|packet| packet.is_all(Law::Pcma.silence())));
}

/// Decisions §3: while an offer is open its keys are ours; else the relay is blind.
#[test]
fn keys_of_a_bridge_are_relayed_or_consumed_never_both() {
    let mut call = Call::with_two_legs([Law::Pcma, Law::Pcma]);
    call.bridge();
    call.run(100);
    call.legs[0].phone.press('1', 100);
    call.run(400);
    call.with(0, |session, _| session.listen_keys(true));
    call.legs[0].phone.press('2', 100);
    call.run(400);
    call.with(0, |session, _| session.listen_keys(false));
    call.legs[0].phone.press('3', 100);
    call.run(400);
    assert_eq!((call.keys_of(0).as_str(), call.keys_heard(1).as_str()), ("2", "13"));
}

/// The offer opens, or closes, in the middle of a key: it belongs to whom it began with.
#[test]
fn a_key_belongs_to_whoever_listened_when_it_began() {
    for keys in [KeyRelay::Rfc4733, KeyRelay::Info] {
        let mut call = Call::with_two_legs([Law::Pcma, Law::Pcma]);
        call.bridge_with([keys; 2]);
        call.run(100);
        call.legs[0].phone.press('1', 200);
        call.run(100);
        call.with(0, |session, _| session.listen_keys(true));
        call.run(400);
        assert_eq!(call.keys_of(0), "", "{keys:?}");
        let relayed = count_relayed(&call);
        match keys {
            KeyRelay::Info => assert_eq!(relayed, 1),
            _ => assert_eq!(call.keys_heard(1), "1"),
        }
        call.legs[0].phone.press('2', 200);
        call.run(100);
        call.with(0, |session, _| session.listen_keys(false));
        call.run(400);
        assert_eq!(call.keys_of(0), "2", "{keys:?}");
        assert_eq!(count_relayed(&call), relayed, "a consumed key is not relayed");
        assert!(call.keys_heard(1).len() <= 1);
    }
}

/// The PBX hangs up while its key is down: the caller's next prompt does not wait for an end that
/// never comes.
#[test]
fn a_key_held_when_the_bridge_ends_is_released() {
    let mut call = Call::with_two_legs([Law::Pcma, Law::Pcma]);
    call.bridge();
    call.run(100);
    call.legs[1].phone.press('5', 3_000);
    call.run(200);
    call.unbridge();
    call.legs.truncate(1);
    call.play(0, 1, vec![prompt(1_600, 0x11)], false);
    call.run(600);
    assert_eq!(call.keys_heard(0), "5");
    assert_eq!(call.plays().len(), 1, "{:?}", call.legs[0].heard);
}

#[test]
fn a_leg_without_events_takes_keys_as_info_or_not_at_all() {
    for (keys, relayed) in [(KeyRelay::Info, 1), (KeyRelay::Off, 0), (KeyRelay::Rfc4733, 0)] {
        let mut call = Call::with_two_legs([Law::Pcma, Law::Pcma]);
        call.configure(1, |config| config.events = None);
        call.bridge_with([KeyRelay::Rfc4733, keys]);
        call.legs[0].phone.press('8', 130);
        call.run(500);
        let events: Vec<_> = call.events.iter().filter(|(_, event)| is_relay_key(event)).collect();
        assert_eq!(events.len(), relayed, "{keys:?}");
        if let Some((_, event)) = events.first() {
            let MediaEvent::RelayKey { session, digit: key, duration_ms } = event else { panic!() };
            assert_eq!((session.0, *key, *duration_ms), (1, digit('8'), 130));
        }
        assert!(call.legs[1].heard.iter().all(|packet| packet.pt() != EVENT_PT));
    }
}

/// Of many keys in a row, each is sent whole: its start, its updates, its end three times.
#[test]
fn relayed_keys_are_whole_however_fast_they_come() {
    let mut call = Call::with_two_legs([Law::Pcma, Law::Pcma]);
    call.legs[1].phone.talking = true;
    call.bridge();
    call.run(100);
    for c in "0123456789*#ABCD55".chars() {
        call.legs[0].phone.press(c, 50);
        call.run(150);
    }
    call.run(2_000);
    assert_eq!(call.keys_heard(1), "0123456789*#ABCD55");
    check_stream(&call.legs[1].heard, 45);
}
