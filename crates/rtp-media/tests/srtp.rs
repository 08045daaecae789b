//! SRTP as peers see it: the vectors of the reference implementation, loss, reordering and wraps,
//! replays and forgeries; and legs of a bridge, protected or not.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::{collections::HashSet, time::Duration};

use common::Rng;
use rtp_media::codec::Law;
use rtp_media::rtp::write_header;
use rtp_media::session::{Session, SessionId, StreamConfig};
use rtp_media::srtp::{Inbound, MasterKey, Outbound, Protection, Srtp, Suite, TRAILER};

const SUITES: [(Suite, usize); 2] = [(Suite::Sha1_80, 10), (Suite::Sha1_32, 4)];

/// `srtp_validate` of libsrtp's test/srtp_driver.c; the key is that of RFC 3711 appendix B.3.
#[test]
fn packets_are_those_of_the_reference_implementation() {
    let key = MasterKey([
        0xe1, 0xf9, 0x7a, 0x0d, 0x3e, 0x01, 0x8b, 0xe0, 0xd6, 0x4f, 0xa3, 0x2c, 0x06, 0xde, 0x41,
        0x39, 0x0e, 0xc6, 0x75, 0xad, 0x49, 0x8a, 0xfe, 0xeb, 0xb6, 0x96, 0x0b, 0x3a, 0xab, 0xe6,
    ]);
    let mut out = Outbound::new(Suite::Sha1_80, &key);
    let clear = [
        &[0x80, 0x0f, 0x12, 0x34, 0xde, 0xca, 0xfb, 0xad, 0xca, 0xfe, 0xba, 0xbe][..],
        &[0xab; 16],
    ]
    .concat();
    let protected = [
        0x80, 0x0f, 0x12, 0x34, 0xde, 0xca, 0xfb, 0xad, 0xca, 0xfe, 0xba, 0xbe, 0x4e, 0x55, 0xdc,
        0x4c, 0xe7, 0x99, 0x78, 0xd8, 0x8c, 0xa4, 0xd2, 0x15, 0x94, 0x9d, 0x24, 0x02, 0xb7, 0x8d,
        0x6a, 0xcc, 0x99, 0xea, 0x17, 0x9b, 0x8d, 0xbb,
    ];
    assert_eq!(sealed(&clear, |room, length| out.protect(room, length)), protected);
    let mut packet = protected;
    let length = Inbound::new(Suite::Sha1_80, &key).open(&mut packet).unwrap();
    assert_eq!(packet[..length], clear);

    let clear = [&[0x81, 0xc8, 0x00, 0x0b, 0xca, 0xfe, 0xba, 0xbe][..], &[0xab; 16]].concat();
    let protected = [
        0x81, 0xc8, 0x00, 0x0b, 0xca, 0xfe, 0xba, 0xbe, 0x71, 0x28, 0x03, 0x5b, 0xe4, 0x87, 0xb9,
        0xbd, 0xbe, 0xf8, 0x90, 0x41, 0xf9, 0x77, 0xa5, 0xa8, 0x80, 0x00, 0x00, 0x01, 0x99, 0x3e,
        0x08, 0xcd, 0x54, 0xd6, 0xc1, 0x23, 0x07, 0x98,
    ];
    // The reference counts from 1.
    sealed(&clear, |room, length| out.protect_rtcp(room, length));
    assert_eq!(sealed(&clear, |room, length| out.protect_rtcp(room, length)), protected);
    let mut packet = protected;
    let length = Inbound::new(Suite::Sha1_80, &key).open_rtcp(&mut packet).unwrap();
    assert_eq!(packet[..length], clear);
}

#[test]
fn what_is_lost_late_or_doubled_does_not_lose_the_count_over_many_wraps() {
    for (suite, tag) in SUITES {
        let mut random = Rng::new(7);
        let key = MasterKey([9; 30]);
        let (mut out, mut inn) = (Outbound::new(suite, &key), Inbound::new(suite, &key));
        let mut waiting: Vec<(u32, Vec<u8>)> = Vec::new();
        let (mut opened, mut refused) = (0, 0);
        for n in 0..200_000_u32 {
            let seq = (65_000 + n) as u16;
            let clear = rtp(seq, 7, &[n as u8; 20]);
            let packet = sealed(&clear, |room, length| out.protect(room, length));
            assert_eq!(packet.len(), clear.len() + tag);
            match random.within(0..20) {
                0 => {}
                1 => waiting.push((n, packet)),
                _ => waiting.insert(0, (n, packet)),
            }
            while let Some((m, mut packet)) = take(&mut waiting, n, &mut random) {
                let mut again = packet.clone();
                let length = inn.open(&mut packet).expect("seed 7: it is the peer's");
                assert_eq!(packet[12..length], [m as u8; 20], "seed 7, packet {m}");
                opened += 1;
                refused += u32::from(inn.open(&mut again).is_none());
            }
        }
        assert!(opened > 180_000);
        assert_eq!(refused, opened, "none is taken twice");
    }
}

#[test]
fn a_packet_that_was_changed_or_is_a_strangers_is_refused_and_left_as_it_was() {
    for (suite, _) in SUITES {
        let (key, other) = (MasterKey([1; 30]), MasterKey([2; 30]));
        let clear = rtp(100, 7, b"twenty bytes of audio");
        let mut out = Outbound::new(suite, &key);
        let packet = sealed(&clear, |room, length| out.protect(room, length));
        let report = [&[0x80, 201, 0, 1, 0, 0, 0, 7][..], &[5; 8]].concat();
        let rtcp = sealed(&report, |room, length| out.protect_rtcp(room, length));
        let mut inn = Inbound::new(suite, &key);
        for at in 0..packet.len() {
            let mut changed = packet.clone();
            changed[at] ^= 0x10;
            let before = changed.clone();
            assert_eq!(inn.open(&mut changed), None, "byte {at}");
            assert_eq!(changed, before);
        }
        for at in 0..rtcp.len() {
            let mut changed = rtcp.clone();
            changed[at] ^= 0x10;
            assert_eq!(inn.open_rtcp(&mut changed), None, "byte {at}");
        }
        for length in 0..packet.len() {
            assert_eq!(inn.open(&mut packet.clone()[..length]), None, "{length} bytes");
        }
        assert_eq!(Inbound::new(suite, &other).open(&mut packet.clone()), None);
        assert_eq!(inn.open(&mut clear.clone()), None, "unprotected");
        assert!(inn.open(&mut packet.clone()).is_some(), "none of it has moved the count");
        assert!(inn.open_rtcp(&mut rtcp.clone()).is_some());
        assert_eq!(inn.open_rtcp(&mut rtcp.clone()), None, "a replay");
    }
}

#[test]
fn a_peer_that_changes_its_ssrc_is_heard_and_a_key_that_stays_keeps_its_count() {
    let (mut ours, mut theirs) = (Srtp::new(protection(1, 2)), Srtp::new(protection(2, 1)));
    for (n, ssrc) in [7, 8, 7, 9, 10, 11].into_iter().enumerate() {
        let clear = rtp(n as u16, ssrc, b"x");
        let mut single = Outbound::new(Suite::Sha1_80, &MasterKey([2; 30]));
        let mut packet = sealed(&clear, |room, length| single.protect(room, length));
        assert_eq!(ours.inbound.open(&mut packet), Some(13), "{ssrc}");
    }
    // Past the first wrap, then both sides settle the same keys again.
    for seq in 0..70_000_u32 {
        let clear = rtp(seq as u16, 20, b"x");
        let mut packet = sealed(&clear, |room, length| theirs.outbound.protect(room, length));
        assert!(ours.inbound.open(&mut packet).is_some());
    }
    let mut ours = ours.renewed(protection(3, 2));
    let clear = rtp(70_000_u32 as u16, 20, b"x");
    let mut packet = sealed(&clear, |room, length| theirs.outbound.protect(room, length));
    assert!(ours.inbound.open(&mut packet).is_some(), "the count went on");
    let mut theirs = theirs.renewed(protection(2, 3));
    let mut packet = sealed(&clear, |room, length| ours.outbound.protect(room, length));
    assert!(theirs.inbound.open(&mut packet).is_some(), "a new key counts from the start");
}

#[test]
fn a_peer_that_changes_its_key_is_heard_whether_it_goes_on_counting_or_not() {
    // It has wrapped twice; the packet at the first wrap under the new key is lost, or a later one.
    for wraps in [0, 1, 2_u32] {
        for goes_on in [false, true] {
            let mut ours = Srtp::new(protection(1, 2));
            let (mut old, mut new) = (outbound(2), outbound(3));
            for n in 0..wraps * 0x1_0000 + 100 {
                let clear = rtp(n as u16, 7, b"x");
                let mut packet = sealed(&clear, |room, length| old.protect(room, length));
                assert!(ours.inbound.open(&mut packet).is_some());
                if goes_on {
                    sealed(&clear, |room, length| new.protect(room, length));
                }
            }
            ours = ours.renewed(protection(1, 4)).renewed(protection(1, 3));
            for n in 100..400_u32 {
                let clear = rtp(n as u16, 7, b"y");
                let mut packet = sealed(&clear, |room, length| new.protect(room, length));
                let again = packet.clone();
                let opened = ours.inbound.open(&mut packet);
                assert_eq!(opened, Some(13), "{wraps} wraps, {goes_on}, packet {n}");
                assert_eq!(&packet[12..13], b"y");
                assert_eq!(ours.inbound.open(&mut again.clone()), None, "a replay");
            }
        }
    }
}

#[test]
fn a_first_wrap_that_went_unheard_is_found() {
    let (mut ours, mut new) = (Srtp::new(protection(1, 2)), outbound(3));
    ours = ours.renewed(protection(1, 3));
    sealed(&rtp(65_535, 7, b"lost"), |room, length| new.protect(room, length));
    for seq in 0..50 {
        let mut packet = sealed(&rtp(seq, 7, b"x"), |room, length| new.protect(room, length));
        assert_eq!(ours.inbound.open(&mut packet), Some(13), "{seq}");
    }
}

#[test]
fn who_is_heard_all_the_time_is_not_forgotten_for_others() {
    let (mut inn, mut out) = (Srtp::new(protection(1, 2)).inbound, outbound(2));
    for seq in 0..200_000_u32 {
        let clear = rtp(seq as u16, 7, b"x");
        let mut packet = sealed(&clear, |room, length| out.protect(room, length));
        assert!(inn.open(&mut packet).is_some());
    }
    for ssrc in 100..120 {
        let mut other = outbound(2);
        let mut packet = sealed(&rtp(5, ssrc, b"x"), |room, length| other.protect(room, length));
        assert!(inn.open(&mut packet).is_some());
        let seq = 200_000 + ssrc;
        let clear = rtp(seq as u16, 7, b"x");
        let mut packet = sealed(&clear, |room, length| out.protect(room, length));
        assert!(inn.open(&mut packet).is_some(), "after {ssrc}");
    }
}

#[test]
fn protection_that_comes_back_repeats_no_key_stream_and_goes_on_counting() {
    let config = |protection: Option<Protection>| {
        let mut config = StreamConfig::new(([127, 0, 0, 1], 9).into(), Law::Pcma);
        config.srtp = protection;
        Box::new(config)
    };
    let shorter = Protection { suite: Suite::Sha1_32, ..protection(3, 4) };
    for between in [None, Some(shorter)] {
        let mut leg = Session::new(SessionId(1), 7, 400, 1, Duration::ZERO);
        leg.configure(Duration::ZERO, config(Some(protection(1, 2))));
        let mut peer = Srtp::new(protection(2, 1)).inbound;
        let mut streams = HashSet::new();
        let mut talk = |leg: &mut Session, n: u32| {
            let mut room = [&rtp(n as u16, 7, &[0; 20])[..], &[0; TRAILER]].concat();
            let length = leg.seal_rtp(&mut room, 32).unwrap();
            // The payload is nothing but key stream then.
            assert!(streams.insert(room[12..32].to_vec()), "packet {n}");
            assert_eq!(peer.open(&mut room[..length]), Some(32), "packet {n}");
        };
        for n in 400..70_400 {
            talk(&mut leg, n);
        }
        leg.configure(Duration::ZERO, config(between));
        leg.configure(Duration::ZERO, config(Some(protection(1, 2))));
        for n in 70_400..140_000 {
            talk(&mut leg, n);
        }
    }
}

fn protection(send: u8, receive: u8) -> Protection {
    let (send, receive) = (MasterKey([send; 30]), MasterKey([receive; 30]));
    Protection { suite: Suite::Sha1_80, send, receive }
}

fn outbound(key: u8) -> Outbound {
    Outbound::new(Suite::Sha1_80, &MasterKey([key; 30]))
}

fn take(waiting: &mut Vec<(u32, Vec<u8>)>, now: u32, random: &mut Rng) -> Option<(u32, Vec<u8>)> {
    // Up to sixty packets late.
    let late = |(n, _): &(u32, Vec<u8>)| now - n >= 60;
    let at = waiting.iter().position(late).or_else(|| {
        let prompt = waiting.first().is_some_and(|(n, _)| *n == now);
        (prompt || (!waiting.is_empty() && random.within(0..8) == 0)).then_some(0)
    })?;
    Some(waiting.remove(at))
}

fn rtp(seq: u16, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut header = [0; 12];
    write_header(&mut header, false, 8, seq, 160 * u32::from(seq), ssrc);
    [&header[..], payload].concat()
}

fn sealed(clear: &[u8], seal: impl FnOnce(&mut [u8], usize) -> Option<usize>) -> Vec<u8> {
    let mut room = [clear, &[0; TRAILER]].concat();
    let length = seal(&mut room, clear.len()).unwrap();
    room.truncate(length);
    room
}
