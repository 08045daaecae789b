//! Every kind of key, on every kind of line, at any moment of a call, on either leg: it counts
//! once.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use common::{Call, digit, ms, prompt};
use dtmf_detector::event_payload;
use rtp_media::Law;
use rtp_media::session::EventFormats;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Event,
    Tone,
    Info,
    EventAndTone,
    EventAndInfo,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Line {
    Good,
    LostStart,
    LostEnd,
    Gap,
    Reordered,
    Doubled,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Moment {
    Silence,
    Prompt,
    Bridge,
    Hold,
}

const KINDS: [Kind; 5] =
    [Kind::Event, Kind::Tone, Kind::Info, Kind::EventAndTone, Kind::EventAndInfo];
const LINES: [Line; 6] =
    [Line::Good, Line::LostStart, Line::LostEnd, Line::Gap, Line::Reordered, Line::Doubled];
const MOMENTS: [Moment; 4] = [Moment::Silence, Moment::Prompt, Moment::Bridge, Moment::Hold];
/// Payload types of telephone-event and their clocks, all agreed on.
const FORMATS: [(u8, u32); 4] = [(101, 8_000), (96, 8_000), (110, 16_000), (127, 48_000)];

#[test]
fn a_key_counts_once_in_every_case() {
    for kind in KINDS {
        for line in LINES {
            for moment in MOMENTS {
                for format in FORMATS {
                    for leg in [0, 1] {
                        let case = format!("{kind:?}, {line:?}, {moment:?}, {format:?}, leg {leg}");
                        let mut call = at(moment, leg);
                        // The same key again soon, then another.
                        for c in ['5', '5', '#'] {
                            press(&mut call, leg, c, kind, line, format);
                        }
                        call.run(500);
                        assert_eq!(call.keys_of(leg), "55#", "{case}");
                        assert_eq!(call.keys_of(1 - leg), "", "{case}");
                    }
                }
            }
        }
    }
}

/// On a bridge where nobody listens the same keys go to the other leg, each once.
#[test]
fn a_key_is_relayed_once_in_every_case() {
    for line in LINES {
        for kind in [Kind::Event, Kind::Info, Kind::EventAndInfo] {
            for format in FORMATS {
                for leg in [0, 1] {
                    let mut call = at(Moment::Bridge, leg);
                    call.with(leg, |session, _| session.listen_keys(false));
                    for c in ['5', '5', '#'] {
                        press(&mut call, leg, c, kind, line, format);
                    }
                    call.run(1_000);
                    let case = format!("{kind:?}, {line:?}, {format:?}, leg {leg}");
                    assert_eq!(call.keys_heard(1 - leg), "55#", "{case}");
                    assert_eq!(call.keys_of(leg), "", "{case}");
                }
            }
        }
    }
}

/// A call at such a moment, both phones talking.
fn at(moment: Moment, leg: usize) -> Call {
    let mut call = Call::with_two_legs([Law::Pcma, Law::Pcma]);
    for leg in 0..2 {
        call.configure(leg, |config| {
            config.inband = true;
            config.events = Some(EventFormats { send_pt: Some(101), recv_pts: FORMATS.to_vec() });
        });
    }
    match moment {
        Moment::Silence => {}
        Moment::Prompt => call.play(leg, 1, vec![prompt(80_000, 0x11)], false),
        Moment::Bridge => {
            call.bridge();
            call.with(leg, |session, _| session.listen_keys(true));
        }
        Moment::Hold => {
            call.configure(leg, |config| (config.may_send, config.expect) = (false, false));
        }
    }
    call.run(100);
    call
}

/// Presses a key for 100 ms; 300 ms later the line is quiet again.
fn press(call: &mut Call, leg: usize, c: char, kind: Kind, line: Line, (pt, clock_hz): (u8, u32)) {
    let mut packets: Vec<(u64, Vec<u8>)> = Vec::new();
    let phone = &mut call.legs[leg].phone;
    let begun = phone.timestamp;
    for frame in 0..15u32 {
        let event = (frame < 8).then(|| {
            let (end, ticks) = (frame >= 5, clock_hz / 50 * (frame + 1).min(5));
            let payload = event_payload(digit(c), end, 10, ticks as u16);
            phone.write(pt, begun.wrapping_mul(clock_hz / 8_000), &payload)
        });
        let sounding = frame < 5;
        let tone = match kind {
            Kind::Tone | Kind::EventAndTone if sounding => tone(c, frame),
            _ => vec![Law::Pcma.silence(); 160],
        };
        let audio = phone.write(8, begun + 160 * frame, &tone);
        phone.timestamp = begun + 160 * (frame + 1);
        let at_ms = 20 * u64::from(frame);
        match kind {
            Kind::Tone => packets.push((at_ms, audio)),
            Kind::Info => {}
            // A gateway that leaves the tone in the audio sends both.
            Kind::EventAndTone => {
                packets.extend(event.map(|event| (at_ms, event)));
                packets.push((at_ms, audio));
            }
            Kind::Event | Kind::EventAndInfo => {
                packets.push((at_ms, event.unwrap_or(audio)));
            }
        }
    }
    let from = phone.from;
    let begin_ms = call.now_ms;
    for (at_ms, packet) in impaired(packets, line) {
        call.run((begin_ms + at_ms).saturating_sub(call.now_ms));
        call.deliver(leg, from, packet);
    }
    if matches!(kind, Kind::Info | Kind::EventAndInfo) {
        let now = ms(call.now_ms);
        call.with(leg, |session, events| session.info_key(now, digit(c), 100, events));
    }
    call.run((begin_ms + 400).saturating_sub(call.now_ms));
}

/// What the line makes of packets 20 ms apart.
fn impaired(mut packets: Vec<(u64, Vec<u8>)>, line: Line) -> Vec<(u64, Vec<u8>)> {
    let lost: &[u64] = match line {
        Line::Good | Line::Reordered | Line::Doubled => &[],
        Line::LostStart => &[0],
        Line::LostEnd => &[100, 120, 140],
        Line::Gap => &[40],
    };
    // Of a tone, an interruption of 20 ms at its edge leaves four fifths of it.
    packets.retain(|(at_ms, _)| !lost.contains(at_ms));
    match line {
        Line::Reordered => {
            for (n, (at_ms, _)) in packets.iter_mut().enumerate() {
                *at_ms += if n % 3 == 1 { 25 } else { 0 };
            }
            packets.sort_by_key(|(at_ms, _)| *at_ms);
        }
        Line::Doubled => packets = packets.into_iter().flat_map(|p| [p.clone(), p]).collect(),
        Line::Good | Line::LostStart | Line::LostEnd | Line::Gap => {}
    }
    packets
}

/// A frame of a key's tones.
fn tone(c: char, frame: u32) -> Vec<u8> {
    let (row, column) = if c == '5' { (770.0, 1_336.0) } else { (941.0, 1_477.0) };
    let sine = |hz: f64, n: u32| (f64::from(n) * hz / 8_000.0 * std::f64::consts::TAU).sin();
    (160 * frame..160 * (frame + 1))
        .map(|n| Law::Pcma.encode((6_000.0 * (sine(row, n) + sine(column, n))) as i16))
        .collect()
}
