//! Fuzz targets; plain `cargo test` replays the corpora under `__fuzz__` and some random bytes,
//! `cargo bolero test NAME --sanitizer NONE` searches for more. Failures print their seed.
//! SIP INFO bodies and the event machine alone are fuzzed in `dtmf-detector`.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use common::{Call, address, check_stream, ms};
use rtcp_types::{Compound, Packet};
use rtp_media::Law;
use rtp_media::rtcp::{self, Part};
use rtp_media::rtp::Header;
use rtp_media::session::MediaEvent;
use rtp_media::srtp::{Inbound, MasterKey, Outbound, Suite, TRAILER};

#[test]
fn rtp_header() {
    bolero::check!().for_each(|datagram: &[u8]| {
        let Some(ours) = Header::parse(datagram) else { return };
        let judge = rtp_rs::RtpReader::new(datagram).expect("what we take, rtp-rs takes");
        assert_eq!(ours.payload_type, judge.payload_type());
        assert_eq!(ours.marker, judge.mark());
        assert_eq!(ours.seq, u16::from(judge.sequence_number()));
        assert_eq!((ours.timestamp, ours.ssrc), (judge.timestamp(), judge.ssrc()));
        assert_eq!(&datagram[ours.payload], judge.payload());
    });
}

#[test]
fn srtp() {
    bolero::check!().for_each(|datagram: &[u8]| {
        let key = MasterKey([7; 30]);
        let mut inn = Inbound::new(Suite::Sha1_80, &key);
        assert_eq!(inn.open(&mut datagram.to_vec()), None, "nobody has its key");
        assert_eq!(inn.open_rtcp(&mut datagram.to_vec()), None);
        let (mut out, whole) = (Outbound::new(Suite::Sha1_80, &key), datagram.len());
        let mut room = [datagram, &[0; TRAILER]].concat();
        if let Some(length) = out.protect(&mut room, whole) {
            assert_eq!(inn.open(&mut room[..length]), Some(whole));
            assert_eq!(room[..whole], *datagram);
        }
        let mut room = [datagram, &[0; TRAILER]].concat();
        if let Some(length) = out.protect_rtcp(&mut room, whole) {
            assert_eq!(inn.open_rtcp(&mut room[..length]), Some(whole));
            assert_eq!(room[..whole], *datagram);
        }
    });
}

#[test]
fn rtcp_compound() {
    bolero::check!().for_each(|datagram: &[u8]| {
        let mut blocks = Vec::new();
        let valid = rtcp::parse(datagram, |part| {
            if let Part::Block(block) = part {
                blocks.push((block.ssrc, block.fraction_lost, block.jitter));
            }
        });
        if !valid {
            assert!(blocks.is_empty(), "nothing is taken from what is refused");
            return;
        }
        let Ok(compound) = Compound::parse(datagram) else { return };
        let packets: Vec<_> = compound.collect();
        if packets.iter().any(Result::is_err) {
            return;
        }
        let judge: Vec<_> = packets.iter().flatten().flat_map(judged_blocks).collect();
        assert_eq!(blocks, judge);
    });
}

fn judged_blocks(packet: &Packet) -> Vec<(u32, u8, u32)> {
    let fields = |block: rtcp_types::ReportBlock| {
        (block.ssrc(), block.fraction_lost(), block.interarrival_jitter())
    };
    match packet {
        Packet::Sr(sr) => sr.report_blocks().map(fields).collect(),
        Packet::Rr(rr) => rr.report_blocks().map(fields).collect(),
        _ => Vec::new(),
    }
}

/// Datagrams for both legs of a bridge, from whom they like. Each begins with three bytes: its
/// length; the leg, the source and whether it is RTCP; how long after the last it comes.
#[test]
fn bridge() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut call = Call::with_two_legs([Law::Pcma, Law::Pcmu]);
        for leg in 0..2 {
            call.configure(leg, |config| config.inband = leg == 0);
        }
        call.bridge();
        call.with(0, |session, events| {
            session.listen_keys(true);
            session.record(ms(0), 200, Some(60), events);
        });
        let mut rest = bytes;
        while let Some((&[length, source, pause], after)) = rest.split_first_chunk() {
            let (datagram, after) = after.split_at(after.len().min(length.into()));
            rest = after;
            let leg = usize::from(source & 1);
            let from = match source >> 1 & 3 {
                0 => address("203.0.113.66:9999"),
                _ => call.legs[leg].phone.from,
            };
            if source & 8 == 0 {
                call.deliver(leg, from, datagram.to_vec());
            } else {
                let now = ms(call.now_ms);
                call.with(leg, |session, _| session.handle_rtcp(now, from, datagram));
            }
            call.run(u64::from(pause & 63));
        }
        call.run(1_000);
        check(&call);
    });
}

/// The same from well-formed packets with odd fields: deeper than random bytes get.
#[test]
fn bridge_of_rtp() {
    type Odd = (u8, u8, u8, u16, u32, u8);
    bolero::check!().with_type::<Vec<Odd>>().for_each(|packets| {
        let mut call = Call::with_two_legs([Law::Pcma, Law::Pcmu]);
        call.bridge();
        for &(choice, pt, source, seq, timestamp, pause) in packets {
            let leg = usize::from(source & 1);
            let phone = &mut call.legs[leg].phone;
            // Mostly what a phone would send next.
            if choice & 3 == 0 {
                phone.seq = seq;
            }
            if choice & 12 == 0 {
                phone.timestamp = timestamp;
            }
            if choice & 0x70 == 0 {
                phone.ssrc = 0xC000_0000 + u32::from(source);
            }
            let pt = if pt & 3 == 0 { 101 } else { phone.pt };
            let payload = match pt {
                101 => vec![pause & 31, source & 0x80 | 10, seq as u8, timestamp as u8],
                _ => vec![0x55; [160, 160, 160, 80, 240, 480, 1, 0][usize::from(source >> 1 & 7)]],
            };
            let at = phone.timestamp;
            phone.timestamp = at.wrapping_add(160);
            let (from, packet) = (phone.from, phone.write(pt, at, &payload));
            call.deliver(leg, from, packet);
            match choice {
                0xF0 => call.with(leg, |session, _| session.listen_keys(pause & 1 == 0)),
                0xF1 => call.configure(leg, |config| config.may_send = pause & 1 == 0),
                0xF2 => {
                    call.play(leg, 1, vec![common::prompt(usize::from(seq & 4_095), 0x11)], true)
                }
                0xF3 => call.bridge(),
                0xF4 => call.unbridge(),
                _ => {}
            }
            call.run(u64::from(pause & 63));
        }
        call.run(10_000);
        check(&call);
    });
}

fn check(call: &Call) {
    for leg in &call.legs {
        // Whatever the peer says of its time, ours stays within a second of the clock.
        check_stream(&leg.heard, 1_040);
        assert!(leg.heard.iter().all(|packet| [4, 160].contains(&packet.payload().len())));
    }
    for leg in 0..2 {
        let keys: Vec<(bool, char)> =
            call.events.iter().filter_map(|(_, event)| key(leg, event)).collect();
        for pair in keys.chunks(2) {
            let [(true, down), (false, up)] = pair else { panic!("leg {leg}: {keys:?}") };
            assert_eq!(down, up);
        }
    }
}

/// A key of a leg: down or up, and which.
fn key(leg: u64, event: &MediaEvent) -> Option<(bool, char)> {
    match event {
        MediaEvent::KeyDown { session, digit, .. } if session.0 == leg => {
            Some((true, digit.as_char()))
        }
        MediaEvent::KeyUp { session, digit, .. } if session.0 == leg => {
            Some((false, digit.as_char()))
        }
        _ => None,
    }
}
