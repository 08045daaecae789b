//! RTCP as the far end reads it, judged by `rtcp-types`.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use common::{Call, address, ms};
use rtcp_types::prelude::*;
use rtcp_types::{Compound, Packet, ReceiverReport, ReportBlock, SenderReport};
use rtp_media::rtcp::LONGEST;

/// Every report is a compound of SR or RR and a CNAME (RFC 3550 §6.1).
fn packets(report: &[u8]) -> Vec<Packet<'_>> {
    let packets: Vec<Packet> = Compound::parse(report).unwrap().map(Result::unwrap).collect();
    assert!(matches!(packets[0], Packet::Sr(_) | Packet::Rr(_)), "{packets:?}");
    let Packet::Sdes(sdes) = &packets[1] else { panic!("{packets:?}") };
    let chunk = sdes.chunks().next().unwrap();
    let item = chunk.items().next().unwrap();
    assert_eq!((chunk.ssrc(), item.type_()), (0xA000_0000, 1));
    assert!(item.value().len() > 8);
    packets
}

#[test]
fn a_sender_tells_of_its_stream_and_of_what_it_hears() {
    let mut call = Call::new();
    call.legs[0].phone.talking = true;
    // One packet of ten is lost.
    for _ in 0..100 {
        call.run(180);
        let phone = &mut call.legs[0].phone;
        (phone.seq, phone.talking) = (phone.seq.wrapping_add(1), false);
        call.run(20);
        call.legs[0].phone.talking = true;
    }
    let reports = &call.legs[0].reports;
    assert!((3..=8).contains(&reports.len()), "{} in 20 s", reports.len());
    let (mut octets, mut last_ntp) = (0, 0);
    for report in reports {
        let Packet::Sr(sr) = &packets(report)[0] else { panic!("it sends") };
        assert_eq!(sr.ssrc(), 0xA000_0000);
        // NTP and RTP time name the same moment: 8 samples a millisecond since the first packet.
        let ntp_ms = epoch_ms(sr.ntp_timestamp());
        let heard = call.legs[0].heard.iter().rfind(|p| p.at_ms <= ntp_ms).unwrap();
        let samples = sr.rtp_timestamp().wrapping_sub(heard.timestamp()) as i32;
        assert!((0..=160).contains(&samples), "{samples} samples after the last packet");
        let sent = call.legs[0].heard.iter().filter(|p| p.at_ms <= ntp_ms).count() as u32;
        assert_eq!((sr.packet_count(), sr.octet_count()), (sent, 160 * sent));
        assert!(sr.octet_count() > octets && sr.ntp_timestamp() > last_ntp);
        (octets, last_ntp) = (sr.octet_count(), sr.ntp_timestamp());
        let block = sr.report_blocks().next().unwrap();
        assert_eq!(block.ssrc(), 0xB000_0000);
        assert!((15..=40).contains(&block.fraction_lost()), "{}/256", block.fraction_lost());
        assert!(block.interarrival_jitter() < 8);
    }
    assert_eq!(call.legs[0].session.stats().lost, 99);
}

#[test]
fn a_held_leg_goes_on_reporting_as_a_receiver() {
    let mut call = Call::new();
    call.configure(0, |config| config.may_send = false);
    call.legs[0].phone.talking = true;
    call.run(20_000);
    let reports = &call.legs[0].reports;
    assert!(reports.len() >= 3);
    for report in reports {
        let Packet::Rr(rr) = &packets(report)[0] else { panic!("it sends nothing") };
        assert_eq!(rr.report_blocks().next().unwrap().ssrc(), 0xB000_0000);
    }
}

#[test]
fn before_anything_is_heard_there_is_no_block() {
    let mut call = Call::new();
    call.run(8_000);
    let reports = &call.legs[0].reports;
    let Packet::Sr(sr) = &packets(&reports[0])[0] else { panic!("it sends") };
    assert_eq!(sr.report_blocks().count(), 0);
}

#[test]
fn the_round_trip_and_the_far_ends_losses_are_read() {
    let mut call = Call::new();
    call.legs[0].phone.talking = true;
    call.run(6_000);
    let Packet::Sr(sr) = &packets(&call.legs[0].reports[0])[0] else { panic!("it sends") };
    let middle = (sr.ntp_timestamp() >> 16) as u32;
    let sent_ms = epoch_ms(sr.ntp_timestamp());
    // The far end took the report 30 ms later and answers 500 ms after that.
    let block = ReportBlock::builder(0xA000_0000)
        .fraction_lost(12)
        .last_sender_report_timestamp(middle)
        .delay_since_last_sender_report_timestamp(65_536 / 2);
    let builder = ReceiverReport::builder(0xB000_0000).add_report_block(block);
    let report = write(&builder);
    let now = ms(sent_ms + 560);
    call.with(0, |session, _| session.handle_rtcp(now, address("192.0.2.1:4001"), &report));
    let stats = call.legs[0].session.stats();
    assert_eq!(stats.peer_loss, 12);
    let trip_us = stats.round_trip_us.unwrap();
    assert!((58_000..62_000).contains(&trip_us), "{trip_us} µs");
}

fn write(builder: &impl RtcpPacketWriter) -> Vec<u8> {
    let mut buffer = [0; 256];
    let length = builder.write_into(&mut buffer).unwrap();
    buffer[..length].to_vec()
}

/// The far end's sender report comes back in our next one (RFC 3550 §6.4.1, LSR and DLSR).
#[test]
fn the_last_sender_report_is_given_back() {
    let mut call = Call::new();
    call.legs[0].phone.talking = true;
    call.run(1_000);
    let report = write(&SenderReport::builder(0xB000_0000).ntp_timestamp(0x1111_2222_3333_4444));
    let heard_ms = call.now_ms;
    call.with(0, |session, _| {
        session.handle_rtcp(ms(heard_ms), address("192.0.2.1:4001"), &report)
    });
    call.run(8_000);
    let Packet::Sr(ours) = &packets(&call.legs[0].reports[0])[0] else { panic!("it sends") };
    let block = ours.report_blocks().next().unwrap();
    assert_eq!(block.last_sender_report_timestamp(), 0x2222_3333);
    let ntp_ms = epoch_ms(ours.ntp_timestamp());
    let delay_ms = u64::from(block.delay_since_last_sender_report_timestamp()) * 1_000 / 65_536;
    assert!(delay_ms.abs_diff(ntp_ms - heard_ms) <= 1, "{delay_ms} ms");
}

#[test]
fn the_goodbye_names_us() {
    let mut call = Call::new();
    call.run(200);
    let mut buffer = [0; LONGEST];
    let mut length = None;
    call.with(0, |session, events| length = session.close(ms(200), &mut buffer, events));
    let packets = packets(&buffer[..length.unwrap()]);
    let Packet::Bye(bye) = &packets[2] else { panic!("{packets:?}") };
    assert_eq!(bye.ssrcs().collect::<Vec<_>>(), [0xA000_0000]);
    // A leg that was never used owes none.
    let mut call = Call::new();
    call.with(0, |session, events| length = session.close(ms(0), &mut buffer, events));
    assert_eq!(length, None);
}

/// The moment of the test's clock that an NTP time names, to the nearest millisecond.
fn epoch_ms(ntp: u64) -> u64 {
    let ms = ((u128::from(ntp) * 1_000 + (1 << 31)) >> 32) as u64;
    ms - 1_000 * (2_208_988_800 + 1_000)
}
