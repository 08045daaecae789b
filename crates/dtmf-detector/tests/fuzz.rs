//! Fuzz targets; plain `cargo test` replays the corpora under `__fuzz__` and some random bytes,
//! `cargo bolero test NAME --sanitizer NONE` searches for more. Failures print their seed.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::time::Duration;

use dtmf_detector::{
    EventEdge, EventHeader, InbandDetector, KeyEvent, KeyMerge, TelephoneEvents, ToneEvent, info,
};

/// Records of ten bytes: pause, source, sequence, timestamp, payload; the last one may be longer.
#[test]
fn telephone_event() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let (mut events, mut merge) = (TelephoneEvents::new(), KeyMerge::new());
        let (mut edges, mut keys, mut now) = (Vec::new(), Vec::new(), Duration::ZERO);
        for record in bytes.chunks(10) {
            let Some((&[pause, ssrc, high, low, timestamp], payload)) = record.split_first_chunk()
            else {
                break;
            };
            now += Duration::from_millis(u64::from(pause));
            let header = EventHeader {
                ssrc: u32::from(ssrc & 3),
                timestamp: u32::from(timestamp) << 13,
                sequence: u16::from_be_bytes([high, low]),
                clock_hz: [8_000, 16_000, 48_000, 0][usize::from(ssrc >> 6)],
            };
            let mut edge = |edge| {
                edges.push(edge);
                merge.handle_event(now, edge, |key| keys.push(key));
            };
            events.handle_timeout(now, &mut edge);
            events.handle_packet(now, header, payload, &mut edge);
        }
        let end = now + Duration::from_secs(10);
        events.handle_timeout(end, |edge| {
            edges.push(edge);
            merge.handle_event(end, edge, |key| keys.push(key));
        });
        assert_eq!(events.poll_timeout(), None, "no key is held for ever");
        for pair in edges.chunks(2) {
            let [EventEdge::Start { digit: start }, EventEdge::End { digit, .. }] = pair else {
                panic!("{edges:?}")
            };
            assert_eq!(start, digit);
        }
        for pair in keys.chunks(2) {
            let [KeyEvent::Down { digit: down, .. }, KeyEvent::Up { digit, .. }] = pair else {
                panic!("{keys:?}")
            };
            assert_eq!(down, digit);
        }
        assert_eq!(merge.held(), None);
    });
}

/// The first byte chooses the content type, the rest is the body.
#[test]
fn info_body() {
    let types = [
        "application/dtmf-relay",
        "application/dtmf",
        "application/telephone-event",
        "audio/telephone-event;rate=8000",
        "text/plain",
    ];
    bolero::check!().for_each(|bytes: &[u8]| {
        let Some((&kind, body)) = bytes.split_first() else { return };
        let content_type = types[usize::from(kind) % types.len()];
        let Some(key) = info::parse(content_type, body) else { return };
        assert!(key.duration_ms <= 60_000);
        for kind in [info::InfoKind::DtmfRelay, info::InfoKind::Dtmf] {
            let ours = info::build(key.digit, key.duration_ms, kind);
            let again = info::parse(kind.content_type(), ours.as_bytes()).unwrap();
            assert_eq!(again.digit, key.digit);
            if kind == info::InfoKind::DtmfRelay {
                assert_eq!(again, key);
            }
        }
    });
}

/// Any samples, cut anywhere: the same keys, each with one end, none before its time.
#[test]
fn inband() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let Some((&cut, bytes)) = bytes.split_first() else { return };
        let samples: Vec<i16> =
            bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        let whole = hear(&samples, samples.len().max(1));
        assert_eq!(hear(&samples, usize::from(cut) + 1), whole);
        for pair in whole.chunks(2) {
            let [
                ToneEvent::Start { digit, at_sample },
                ToneEvent::End { digit: ended, start_sample, end_sample },
            ] = pair
            else {
                panic!("{whole:?}")
            };
            assert_eq!((digit, at_sample), (ended, start_sample));
            assert!(start_sample <= end_sample && *end_sample <= samples.len() as u64);
        }
    });
}

fn hear(samples: &[i16], cut: usize) -> Vec<ToneEvent> {
    let (mut detector, mut heard) = (InbandDetector::new(), Vec::new());
    for samples in samples.chunks(cut) {
        detector.push(samples, |tone| heard.push(tone));
    }
    detector.finish(|tone| heard.push(tone));
    heard
}
