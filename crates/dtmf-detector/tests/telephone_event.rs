//! RFC 4733 keys as real lines bring them: without marker, with losses, out of order.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use common::{Packet, Press, Rng, digit, for_seeds, ms, packets};
use dtmf_detector::telephone_event::{END_LOST_AFTER, EventPayload};
use dtmf_detector::{EventEdge, EventHeader, TelephoneEvents, event_payload};

const START: u32 = 90_000;

/// A packet of an event: sequence number, duration in ticks, end.
type Sent = (u16, u16, bool);

#[test]
fn a_key_counts_once_whatever_is_lost_repeated_or_reordered() {
    // Each line is one key, however maimed.
    let cases: &[(&str, &[Sent])] = &[
        (
            "whole",
            &[(1, 160, false), (2, 320, false), (3, 400, true), (4, 400, true), (5, 400, true)],
        ),
        ("lost start", &[(2, 320, false), (3, 400, true), (4, 400, true)]),
        ("only one end", &[(5, 400, true)]),
        ("lost end", &[(1, 160, false), (2, 320, false)]),
        ("gap in the updates", &[(1, 160, false), (3, 480, false), (9, 1_440, true)]),
        ("reordered", &[(2, 320, false), (1, 160, false), (4, 400, true), (3, 400, true)]),
        ("end before the updates", &[(3, 400, true), (1, 160, false), (2, 320, false)]),
        (
            "doubled by the network",
            &[(1, 160, false), (1, 160, false), (2, 240, true), (2, 240, true)],
        ),
        ("no growth", &[(1, 0, false), (2, 0, false), (3, 0, true)]),
        ("sequence wraps", &[(65_535, 160, false), (0, 320, false), (1, 400, true)]),
    ];
    for (name, sent) in cases {
        let mut phone = Ear::default();
        for (n, &(sequence, duration, end)) in sent.iter().enumerate() {
            phone.hear(20 * n as u64, START, sequence, 5, duration, end);
        }
        phone.wait(1_000);
        assert_eq!(phone.keys(), "5", "{name}: {:?}", phone.edges);
        assert_eq!(phone.edges.len(), 2, "{name}: {:?}", phone.edges);
    }
}

/// A gap of any length between two packets of one event: the timestamp says it is one key.
#[test]
fn a_gap_longer_than_the_time_out_makes_no_second_key() {
    for gap_ms in [40, 70, 200, 900, 3_000] {
        let mut phone = Ear::default();
        phone.hear(0, START, 1, 7, 160, false);
        phone.wait(gap_ms);
        phone.hear(gap_ms, START, 40, 7, (gap_ms * 8).min(0xFFFF) as u16, false);
        phone.hear(gap_ms + 20, START, 41, 7, (gap_ms * 8).min(0xFFFF) as u16, true);
        phone.wait(gap_ms + 500);
        assert_eq!(phone.keys(), "7", "{gap_ms} ms");
    }
}

#[test]
fn the_same_key_pressed_twice_quickly_counts_twice() {
    // The first key's ends are all lost: only the new timestamp tells.
    let mut phone = Ear::default();
    phone.hear(0, START, 1, 4, 160, false);
    phone.hear(20, START, 2, 4, 320, false);
    phone.hear(50, START + 400, 5, 4, 160, false);
    phone.hear(70, START + 400, 6, 4, 320, true);
    phone.wait(500);
    assert_eq!(phone.keys(), "44");
    // And late packets of the first neither add a key nor end the second.
    phone.hear(600, START + 5_000, 40, 4, 160, false);
    phone.hear(601, START + 400, 7, 4, 320, true);
    phone.hear(602, START, 3, 4, 400, true);
    assert_eq!(phone.edges.len(), 5, "{:?}", phone.edges);
    phone.wait(1_000);
    assert_eq!(phone.keys(), "444");
}

#[test]
fn a_lost_end_ends_the_key_after_60_ms_of_silence() {
    let mut phone = Ear::default();
    phone.hear(0, START, 1, 1, 160, false);
    phone.hear(20, START, 2, 1, 320, false);
    assert_eq!(phone.events.poll_timeout(), Some(ms(20) + END_LOST_AFTER));
    phone.wait(79);
    assert_eq!(phone.keys(), "");
    phone.wait(80);
    assert_eq!(
        phone.edges.last(),
        Some(&(80, EventEdge::End { digit: digit('1'), duration_ms: 40 }))
    );
    assert_eq!(phone.events.poll_timeout(), None);
}

#[test]
fn durations_are_told_by_the_clock_of_the_payload_type() {
    for clock_hz in [8_000, 16_000, 48_000] {
        let press = Press { digit: digit('#'), at_ms: 0, held_ms: 110 };
        let mut phone = Ear::default();
        for packet in packets(&[press], clock_hz, 20, 65_530) {
            phone.take(&packet);
        }
        let end = EventEdge::End { digit: digit('#'), duration_ms: 110 };
        assert_eq!(phone.edges.last().map(|edge| edge.1), Some(end), "{clock_hz} Hz");
    }
}

#[test]
fn events_above_15_are_no_keys_and_disturb_none() {
    let mut phone = Ear::default();
    for event in 16..=255 {
        phone.hear(0, START, u16::from(event), event, 400, true);
    }
    assert!(phone.edges.is_empty());
    // A flash in the middle of a key.
    phone.hear(10, START, 300, 9, 160, false);
    phone.hear(20, START + 160, 301, 16, 160, true);
    phone.hear(30, START, 302, 9, 480, true);
    phone.wait(500);
    assert_eq!(phone.edges.len(), 2, "{:?}", phone.edges);
}

#[test]
fn segments_of_a_long_key_are_joined() {
    let mut phone = Ear::default();
    let second = START.wrapping_add(0xFFFF);
    phone.hear(0, START, 1, 2, 160, false);
    for n in 2..410u16 {
        phone.hear(20 * u64::from(n), START, n, 2, n.saturating_mul(160), false);
    }
    phone.hear(8_200, START, 410, 2, 0xFFFF, false);
    phone.hear(8_210, second, 411, 2, 160, false);
    phone.hear(8_230, second, 412, 2, 465, true);
    phone.wait(9_000);
    let (_, end) = phone.edges[1];
    assert_eq!(end, EventEdge::End { digit: digit('2'), duration_ms: 8_250 });
    assert_eq!(phone.edges.len(), 2);
}

/// A line waits in a queue for a quarter of an hour between two keys: half the space of sequence
/// numbers and more has gone by.
#[test]
fn a_key_is_heard_however_long_after_the_last() {
    for pause_packets in [10u32, 1_000, 32_000, 32_768, 40_000, 65_530, 65_536, 66_000, 131_072] {
        let mut phone = Ear::default();
        phone.hear(0, START, 100, 1, 400, true);
        let at_ms = u64::from(pause_packets) * 20;
        let sequence = 100u16.wrapping_add(pause_packets as u16);
        phone.hear(at_ms, START + pause_packets * 160, sequence, 1, 400, true);
        phone.wait(at_ms + 500);
        assert_eq!(phone.keys(), "11", "after {pause_packets} packets");
    }
}

/// A gateway restarts its sequence numbers without a new SSRC.
#[test]
fn a_restarted_sequence_loses_no_key() {
    for sequence in [0, 5_000, 30_000, 39_000, 50_000] {
        let mut phone = Ear::default();
        phone.hear(0, START, 40_000, 1, 400, true);
        phone.hear(300, START + 2_400, sequence, 2, 400, true);
        assert_eq!(phone.keys(), "12", "sequence goes on at {sequence}");
    }
}

#[test]
fn another_source_begins_anew() {
    let mut phone = Ear::default();
    phone.hear(0, START, 9, 1, 400, true);
    let header = EventHeader { ssrc: 2, timestamp: START, sequence: 8, clock_hz: 8_000 };
    phone.hear_packet(10, header, &event_payload(digit('1'), true, 10, 400));
    assert_eq!(phone.keys(), "11", "same timestamp and key, another SSRC");
}

#[test]
fn padded_and_cut_off_payloads_are_read_as_far_as_they_go() {
    let header = EventHeader { ssrc: 1, timestamp: START, sequence: 1, clock_hz: 8_000 };
    for length in 0..4 {
        let mut phone = Ear::default();
        phone.hear_packet(0, header, &[5, 0x8A, 1, 0x90][..length]);
        assert!(phone.edges.is_empty(), "{length} octets");
    }
    for padding in [&[0u8; 4][..], &[0; 12], &[0; 3], &[5, 0x0A, 0, 0]] {
        let mut phone = Ear::default();
        phone.hear_packet(0, header, &[&[5, 0x8A, 1, 0x90][..], padding].concat());
        assert_eq!(phone.keys(), "5", "{padding:?}");
    }
    // Two keys in one packet (RFC 4733 §2.5.1.5).
    let mut phone = Ear::default();
    phone.hear_packet(0, header, &[5, 0x8A, 1, 0x90, 6, 0x8A, 1, 0x90]);
    assert_eq!(phone.keys(), "56");
}

#[test]
fn what_is_written_is_read() {
    for event in 0..=255 {
        for (end, volume, duration) in [(false, 0, 0), (true, 63, 0xFFFF), (true, 10, 800)] {
            let report = EventPayload { event, end, volume, duration };
            assert_eq!(EventPayload::parse(&report.to_bytes()), Some(report));
        }
    }
}

/// Random dialling through random networks: every key of which a packet came in time counts
/// once, in order.
#[test]
fn random_lines_lose_and_double_no_key() {
    for_seeds(|seed| {
        let rng = &mut Rng::new(seed);
        let presses = dial(rng);
        let clock_hz = rng.pick(&[8_000, 16_000, 48_000]);
        let update_ms = rng.pick(&[10, 20, 30, 50]);
        let sent = packets(&presses, clock_hz, update_ms, rng.bits() as u16);
        let arrived = network(rng, sent);
        let mut phone = Ear::default();
        let mut expected = String::new();
        let mut newest = None;
        for packet in &arrived {
            // A key whose first packet comes behind another key's is given up.
            if newest.is_none_or(|newest| packet.press > newest) {
                newest = Some(packet.press);
                expected.push(presses[packet.press].digit.as_char());
            }
            phone.take(packet);
        }
        phone.wait(1_000_000);
        assert_eq!(phone.keys(), expected, "{arrived:#?}");
        phone.check_edges();
    });
}

/// Keys that follow each other as fast as fingers and autodiallers do.
fn dial(rng: &mut Rng) -> Vec<Press> {
    let keys: Vec<_> = dtmf_detector::Digit::all().collect();
    let mut at_ms = rng.within(0..500);
    (0..rng.within(1..12))
        .map(|n| {
            // The same key again is the hard case.
            let digit = if n > 0 && rng.percent(50) { keys[5] } else { rng.pick(&keys) };
            let held_ms = rng.within(40..400);
            let press = Press { digit, at_ms, held_ms };
            // The next key begins after the third end of this one.
            at_ms += held_ms + 200 + rng.within(0..600);
            press
        })
        .collect()
}

/// Loses, doubles and reorders packets, by as much as one hears of.
fn network(rng: &mut Rng, sent: Vec<Packet>) -> Vec<Packet> {
    let loss = rng.pick(&[0, 5, 30, 60]);
    let jitter_ms = rng.pick(&[1, 15, 60, 150]);
    let mut arrived = Vec::new();
    for packet in sent {
        if rng.percent(loss) {
            continue;
        }
        for _ in 0..if rng.percent(10) { 2 } else { 1 } {
            let at_ms = packet.at_ms + rng.within(0..jitter_ms);
            arrived.push(Packet { at_ms, ..packet.clone() });
        }
    }
    arrived.sort_by_key(|packet| packet.at_ms);
    arrived
}

/// The machine under test, what it said, and when.
#[derive(Default)]
struct Ear {
    events: TelephoneEvents,
    edges: Vec<(u64, EventEdge)>,
}

impl Ear {
    fn hear(
        &mut self,
        at_ms: u64,
        timestamp: u32,
        sequence: u16,
        event: u8,
        duration: u16,
        end: bool,
    ) {
        let header = EventHeader { ssrc: 1, timestamp, sequence, clock_hz: 8_000 };
        let payload = EventPayload { event, end, volume: 10, duration }.to_bytes();
        self.hear_packet(at_ms, header, &payload);
    }

    fn take(&mut self, packet: &Packet) {
        self.hear_packet(packet.at_ms, packet.header, &packet.payload);
    }

    fn hear_packet(&mut self, at_ms: u64, header: EventHeader, payload: &[u8]) {
        self.wait(at_ms);
        let edges = &mut self.edges;
        self.events.handle_packet(ms(at_ms), header, payload, |edge| edges.push((at_ms, edge)));
    }

    /// Serves the deadlines up to a moment, each when it is due.
    fn wait(&mut self, until_ms: u64) {
        while let Some(due) = self.events.poll_timeout().filter(|due| *due <= ms(until_ms)) {
            let (at_ms, edges) = (due.as_millis() as u64, &mut self.edges);
            self.events.handle_timeout(due, |edge| edges.push((at_ms, edge)));
        }
    }

    /// The keys that are over.
    fn keys(&self) -> String {
        let end = |&(_, edge): &(u64, EventEdge)| match edge {
            EventEdge::End { digit, .. } => Some(digit.as_char()),
            EventEdge::Start { .. } => None,
        };
        self.edges.iter().filter_map(end).collect()
    }

    /// Start and end of the same key, one after the other.
    fn check_edges(&self) {
        for pair in self.edges.chunks(2) {
            let [(_, EventEdge::Start { digit: start }), (_, EventEdge::End { digit, .. })] = pair
            else {
                panic!("{:?}", self.edges)
            };
            assert_eq!(start, digit);
        }
    }
}
