//! Whom a leg listens to, when it gives up, and what it hears after the far end has changed.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::net::{IpAddr, SocketAddr};

use common::{Call, Rng, address, check_stream, digit, for_seeds, ms, prompt};
use rtp_media::Law;
use rtp_media::session::{KeyRelay, MediaEvent};

const STRANGER: &str = "203.0.113.66:9999";
const NATTED: &str = "198.51.100.7:7000";

/// Audio of a source that is not the leg's phone: one packet each 20 ms.
struct Source {
    from: SocketAddr,
    ssrc: u32,
    seq: u16,
    pt: u8,
}

impl Source {
    fn new(from: &str, ssrc: u32) -> Self {
        Self { from: address(from), ssrc, seq: 0, pt: 8 }
    }

    fn talk(&mut self, call: &mut Call, packets: u32) {
        for _ in 0..packets {
            let mut header = [0; 12];
            let timestamp = 160 * u32::from(self.seq);
            rtp_media::rtp::write_header(
                &mut header,
                false,
                self.pt,
                self.seq,
                timestamp,
                self.ssrc,
            );
            self.seq += 1;
            call.deliver(0, self.from, [&header[..], &[0x77; 160]].concat());
            call.run(20);
        }
    }
}

fn latched(call: &Call) -> Vec<(SocketAddr, bool)> {
    let latched = |(_, event): &(u64, MediaEvent)| match event {
        MediaEvent::Latched { from, signalled, .. } => Some((*from, *signalled)),
        _ => None,
    };
    call.events.iter().filter_map(latched).collect()
}

fn target(call: &Call) -> String {
    call.legs[0].session.rtp_target().map(|target| target.to_string()).unwrap_or_default()
}

fn received(call: &Call) -> u64 {
    call.legs[0].session.stats().received_packets
}

#[test]
fn the_signalled_address_is_believed_at_once() {
    let mut call = Call::new();
    call.legs[0].phone.talking = true;
    call.run(1);
    assert_eq!(latched(&call), [(address("192.0.2.1:4000"), true)]);
    assert_eq!(received(&call), 1);
    assert!(call.events.iter().any(|(_, event)| matches!(event, MediaEvent::FirstPacket { .. })));
}

/// "RTP bleed": whoever sends to our port must not get, or be, the call's audio.
#[test]
fn a_stranger_gets_no_audio_and_none_in() {
    let mut call = Call::with_two_legs([Law::Pcma, Law::Pcma]);
    call.bridge();
    call.legs[0].phone.talking = true;
    call.run(100);
    let mut stranger = Source::new(STRANGER, 0xBAD);
    for _ in 0..200 {
        stranger.talk(&mut call, 1);
        assert_eq!(target(&call), "192.0.2.1:4000");
    }
    let bleeds = call.legs[1].heard.iter().any(|packet| packet.is_all(0x77));
    assert!(!bleeds, "the stranger was heard");
    assert_eq!(call.legs[0].session.stats().refused_packets, 200);
    // Not even when the caller pauses: the lock holds.
    call.legs[0].phone.talking = false;
    stranger.talk(&mut call, 200);
    assert_eq!(target(&call), "192.0.2.1:4000");
    assert_eq!(latched(&call).len(), 1);
}

#[test]
fn a_caller_behind_nat_is_found_after_five_packets_and_then_locked() {
    let mut call = Call::new();
    let mut nat = Source::new(NATTED, 7);
    nat.talk(&mut call, 4);
    assert_eq!((target(&call).as_str(), received(&call)), ("192.0.2.1:4000", 0));
    nat.talk(&mut call, 1);
    assert_eq!((target(&call).as_str(), received(&call)), (NATTED, 1));
    assert_eq!(latched(&call), [(address(NATTED), false)]);
    Source::new(STRANGER, 8).talk(&mut call, 50);
    assert_eq!(target(&call), NATTED);
}

#[test]
fn only_good_packets_of_one_source_count_for_the_five() {
    let mut call = Call::new();
    let mut wrong_type = Source::new(NATTED, 7);
    wrong_type.pt = 18;
    wrong_type.talk(&mut call, 20);
    for n in 0..20 {
        call.deliver(0, address(NATTED), vec![0x80, 8, 0, n]); // cut off
        call.run(20);
    }
    for n in 0..20 {
        Source::new(NATTED, n).talk(&mut call, 1); // another SSRC each time
    }
    assert_eq!(latched(&call), []);
}

#[test]
fn media_networks_keep_others_out() {
    let mut call = Call::new();
    let net = (IpAddr::from([198, 51, 100, 0]), 24);
    call.configure(0, |config| config.media_nets = vec![net]);
    Source::new(STRANGER, 1).talk(&mut call, 50);
    assert_eq!(latched(&call), []);
    Source::new(NATTED, 2).talk(&mut call, 5);
    assert_eq!(latched(&call), [(address(NATTED), false)]);
}

#[test]
fn a_re_invite_moves_the_media_and_the_same_sdp_again_does_not() {
    let mut call = Call::new();
    Source::new(NATTED, 2).talk(&mut call, 5);
    call.configure(0, |_| ());
    assert_eq!(target(&call), NATTED, "a session refresh");
    call.configure(0, |config| config.remote_rtp = Some(address("192.0.2.50:6000")));
    assert_eq!(target(&call), "192.0.2.50:6000");
    Source::new("192.0.2.50:6000", 3).talk(&mut call, 1);
    assert_eq!(latched(&call).last(), Some(&(address("192.0.2.50:6000"), true)));
    Source::new(NATTED, 2).talk(&mut call, 50);
    assert_eq!(target(&call), "192.0.2.50:6000", "the old source is a stranger now");
    call.configure(0, |config| config.remote_rtp = None);
    assert_eq!(target(&call), "");
    let sent = call.legs[0].heard.len();
    call.run(200);
    assert_eq!(call.legs[0].heard.len(), sent, "nowhere to send to");
}

/// A transfer inside the PBX: other SSRC, sequence and timestamps from the same address. All of
/// its audio passes, its keys count, its losses are its own.
#[test]
fn a_new_ssrc_is_a_new_stream() {
    let mut call = Call::with_two_legs([Law::Pcma, Law::Pcma]);
    call.legs[0].phone.talking = true;
    call.bridge();
    for round in 0..20u16 {
        let before = call.legs[1].heard.len();
        call.run(400);
        let packets = &call.legs[1].heard[before..];
        let audio = packets.iter().filter(|p| !p.is_all(Law::Pcma.silence())).count();
        assert!(audio >= 19, "round {round}: {audio} of 20 packets passed");
        let phone = &mut call.legs[0].phone;
        phone.ssrc += 1;
        phone.seq = phone.seq.wrapping_mul(31).wrapping_add(40_000);
        phone.timestamp = phone.timestamp.wrapping_mul(7).wrapping_sub(1_000_000);
        phone.press('5', 60);
        call.run(200);
        assert_eq!(call.keys_heard(1).len(), usize::from(round) + 1);
    }
    let stats = call.legs[0].session.stats();
    assert_eq!((stats.sources, stats.lost, stats.refused_packets), (21, 0, 0));
    check_stream(&call.legs[1].heard, 45);
}

/// The same without even a new SSRC.
#[test]
fn a_restarted_time_base_goes_on_being_heard() {
    for jump in [1_000_000u32, 0u32.wrapping_sub(1_000_000), 0x7FFF_0000, 0x8001_0000] {
        let mut call = Call::with_two_legs([Law::Pcma, Law::Pcma]);
        call.legs[0].phone.talking = true;
        call.bridge();
        call.run(500);
        let phone = &mut call.legs[0].phone;
        phone.timestamp = phone.timestamp.wrapping_add(jump);
        phone.seq = phone.seq.wrapping_add(20_000);
        let before = call.legs[1].heard.len();
        call.run(500);
        let packets = &call.legs[1].heard[before..];
        let audio = packets.iter().filter(|p| !p.is_all(Law::Pcma.silence())).count();
        assert!(audio >= 24, "{jump:#x}: {audio} of 25");
        check_stream(&call.legs[1].heard, 45);
    }
}

/// The detector for tones, too, must not wait for the old time base to come round again.
#[test]
fn tones_are_heard_after_a_restarted_time_base() {
    for jump in [0, 1_000_000u32, 0u32.wrapping_sub(1_000_000), 0u32.wrapping_sub(4_000)] {
        let mut call = Call::new();
        call.configure(0, |config| (config.inband, config.events) = (true, None));
        let mut line = ToneLine { timestamp: 5_000_000, seq: 0 };
        line.key(&mut call);
        line.timestamp = line.timestamp.wrapping_add(jump);
        line.key(&mut call);
        line.key(&mut call);
        assert_eq!(call.keys_of(0), "555", "jump {}", jump as i32);
    }
}

/// Listening for tones ends in the middle of one: its key counts.
#[test]
fn a_tone_under_way_counts_when_events_are_agreed_on() {
    let mut call = Call::new();
    call.configure(0, |config| config.inband = true);
    let mut line = ToneLine { timestamp: 0, seq: 0 };
    line.tone(&mut call, 4);
    assert_eq!(call.keys_of(0), "");
    call.configure(0, |config| config.inband = false);
    call.run(200);
    assert_eq!(call.keys_of(0), "5");
}

/// A caller whose keys come as tones in the audio.
struct ToneLine {
    timestamp: u32,
    seq: u16,
}

impl ToneLine {
    /// A tone of 80 ms, then 100 ms of silence.
    fn key(&mut self, call: &mut Call) {
        self.tone(call, 4);
        for _ in 0..5 {
            self.packet(call, &[Law::Pcma.silence(); 160]);
        }
    }

    fn tone(&mut self, call: &mut Call, packets: usize) {
        let sine =
            |hz: f64, n: usize| (f64::from(n as u32) * hz / 8_000.0 * std::f64::consts::TAU).sin();
        let tone: Vec<u8> = (0..160 * packets)
            .map(|n| Law::Pcma.encode((6_000.0 * (sine(770.0, n) + sine(1_336.0, n))) as i16))
            .collect();
        tone.chunks(160).for_each(|payload| self.packet(call, payload));
    }

    fn packet(&mut self, call: &mut Call, payload: &[u8]) {
        let mut header = [0; 12];
        rtp_media::rtp::write_header(&mut header, false, 8, self.seq, self.timestamp, 3);
        self.seq += 1;
        self.timestamp = self.timestamp.wrapping_add(160);
        call.deliver(0, call.legs[0].phone.from, [&header[..], payload].concat());
        call.run(20);
    }
}

fn timeouts(call: &Call) -> Vec<u64> {
    let timeout = |(at_ms, event): &(u64, MediaEvent)| {
        matches!(event, MediaEvent::Timeout { .. }).then_some(*at_ms)
    };
    call.events.iter().filter_map(timeout).collect()
}

#[test]
fn silence_where_media_is_expected_times_out_once() {
    let mut call = Call::new();
    call.configure(0, |config| config.timeout = ms(10_000));
    call.legs[0].phone.talking = true;
    call.run(5_000);
    call.legs[0].phone.talking = false;
    call.run(30_000);
    let [at_ms] = timeouts(&call)[..] else { panic!("{:?}", timeouts(&call)) };
    assert!((14_900..15_100).contains(&at_ms), "{at_ms}");
    call.legs[0].phone.talking = true;
    call.run(1_000);
    call.legs[0].phone.talking = false;
    call.run(30_000);
    assert_eq!(timeouts(&call).len(), 2, "media came back and went again");
}

#[test]
fn media_that_never_came_times_out() {
    let mut call = Call::new();
    call.configure(0, |config| config.timeout = ms(10_000));
    call.run(12_000);
    assert_eq!(timeouts(&call).len(), 1);
}

/// On hold nothing is expected; the time runs from the resume.
#[test]
fn a_held_leg_does_not_time_out() {
    let mut call = Call::new();
    call.configure(0, |config| config.timeout = ms(10_000));
    call.run(5_000);
    call.configure(0, |config| config.expect = false);
    call.run(60_000);
    assert_eq!(timeouts(&call), []);
    call.configure(0, |config| config.expect = true);
    call.run(9_000);
    assert_eq!(timeouts(&call), []);
    call.run(2_000);
    assert_eq!(timeouts(&call).len(), 1);
}

#[test]
fn reports_alone_keep_a_leg_alive_and_refused_packets_do_not() {
    let mut call = Call::new();
    call.configure(0, |config| config.timeout = ms(10_000));
    let report = [0x80, 201, 0, 1, 0, 0, 0, 9];
    for _ in 0..30 {
        let now = ms(call.now_ms);
        call.with(0, |session, _| session.handle_rtcp(now, address("192.0.2.1:4001"), &report));
        call.run(1_000);
    }
    assert_eq!(timeouts(&call), []);
    // Packets of a stranger, and reports of one, are no sign of life.
    let mut stranger = Source::new(STRANGER, 5);
    for _ in 0..11 {
        let now = ms(call.now_ms);
        call.with(0, |session, _| session.handle_rtcp(now, address("203.0.113.66:1"), &report));
        stranger.pt = 18;
        stranger.talk(&mut call, 50);
    }
    assert_eq!(timeouts(&call).len(), 1);
}

#[test]
fn what_the_direction_forbids_is_not_sent() {
    let mut call = Call::new();
    call.play(0, 1, vec![prompt(80_000, 0x11)], false);
    call.run(200);
    call.configure(0, |config| config.may_send = false);
    let sent = call.legs[0].heard.len();
    call.with(0, |session, _| session.send_key(digit('1'), 100));
    call.run(2_000);
    assert_eq!(call.legs[0].heard.len(), sent);
    // On resume the stream goes on at the right time, with a marker, and not in a burst.
    call.configure(0, |config| config.may_send = true);
    call.run(1_000);
    let resumed = &call.legs[0].heard[sent..];
    assert_eq!(resumed.len(), 50);
    assert!(resumed[0].marker());
    check_stream(&call.legs[0].heard, 21);
}

/// A held leg of a bridge: the peer's audio is not saved up for it.
#[test]
fn a_held_leg_of_a_bridge_gets_nothing_and_no_burst_after() {
    let mut call = Call::with_two_legs([Law::Pcma, Law::Pcma]);
    call.bridge_with([KeyRelay::Rfc4733; 2]);
    call.legs[1].phone.talking = true;
    call.run(500);
    call.configure(0, |config| (config.may_send, config.expect) = (false, false));
    let sent = call.legs[0].heard.len();
    call.run(5_000);
    assert_eq!(call.legs[0].heard.len(), sent);
    call.configure(0, |config| (config.may_send, config.expect) = (true, true));
    call.run(1_000);
    assert!((49..=51).contains(&(call.legs[0].heard.len() - sent)));
    check_stream(&call.legs[0].heard, 45);
}

/// Comfort noise that nobody agreed to, from where media comes: a sign of life, not a fault.
#[test]
fn comfort_noise_keeps_a_call() {
    let mut call = Call::new();
    call.configure(0, |config| config.timeout = ms(5_000));
    call.legs[0].phone.talking = true;
    call.run(1_000);
    call.legs[0].phone.talking = false;
    for _ in 0..10 {
        let timestamp = call.legs[0].phone.timestamp;
        let packet = call.legs[0].phone.write(13, timestamp, &[60]);
        call.deliver(0, call.legs[0].phone.from, packet);
        call.run(2_000);
    }
    assert_eq!(timeouts(&call), []);
    assert_eq!(call.legs[0].session.stats().refused_packets, 0);
}

/// Lesson of lines that jitter, lose and reorder: the relay passes each packet at most once, in
/// order, and nobody hears another's.
#[test]
fn a_bad_line_is_relayed_in_order() {
    for_seeds(|seed| {
        let rng = &mut Rng::new(seed);
        let mut call = Call::with_two_legs([Law::Pcma, Law::Pcma]);
        call.bridge();
        let from = call.legs[0].phone.from;
        let mut late: Vec<(u64, Vec<u8>)> = Vec::new();
        let (loss, jitter_ms) = (rng.pick(&[0, 2, 20]), rng.pick(&[1, 15, 45]));
        for n in 0..150u64 {
            let phone = &mut call.legs[0].phone;
            phone.timestamp = 160 * n as u32;
            let packet = phone.write(8, 160 * n as u32, &[n as u8; 160]);
            if rng.within(0..100) >= loss {
                late.push((20 * n + rng.within(0..jitter_ms), packet));
            }
        }
        late.sort_by_key(|(at_ms, _)| *at_ms);
        for (at_ms, packet) in late {
            call.run(at_ms.saturating_sub(call.now_ms));
            call.deliver(0, from, packet);
        }
        call.run(200);
        let numbers: Vec<u8> = call.legs[1]
            .heard
            .iter()
            .filter(|packet| !packet.is_all(Law::Pcma.silence()))
            .map(|packet| packet.payload()[0])
            .collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        let enough = if loss == 20 { 80 } else { 105 };
        assert!(numbers.len() >= enough, "{} of 150 passed, {loss} % lost", numbers.len());
        check_stream(&call.legs[1].heard, 120);
    });
}
