//! Whatever plays into a leg, its far end hears one unbroken stream.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use common::{Call, Heard, Rng, check_stream, for_seeds, prompt};
use rtp_media::Law;
use rtp_media::codec::FRAME;

/// Bytes of prompts; not among those that a phone talks, nor silence.
const PROMPTS: std::ops::Range<u64> = 0x10..0x20;
const PEER: u8 = 0x33;

/// Lessons of Sonus, Ribbon and Genesys: prompt, silence, peer, prompt, hold, resume, in any
/// order, for as long as it takes.
#[test]
fn one_stream_whatever_plays() {
    for_seeds(|seed| {
        let rng = &mut Rng::new(seed);
        let mut call = Call::with_two_legs([Law::Pcma, Law::Pcma]);
        call.legs[1].phone.byte = Some(PEER);
        let (mut held, mut changed_at_ms) = (false, Vec::new());
        for step in 0..rng.within(5..40) {
            match rng.within(0..9) {
                0 | 1 => {
                    let mark = PROMPTS.start + step % 16;
                    let samples = FRAME * rng.within(1..40) as usize;
                    call.play(0, step as u32, vec![prompt(samples, mark as u8)], false);
                }
                2 => call.stop(0),
                3 => {
                    changed_at_ms.push(call.now_ms);
                    call.bridge();
                }
                4 => call.unbridge(),
                5 => call.legs[1].phone.talking ^= true,
                6 => call.legs[1].phone.press('5', rng.within(40..200)),
                7 => {
                    held = !held;
                    changed_at_ms.push(call.now_ms);
                    call.configure(0, |config| config.may_send = !held);
                }
                _ => call.with(0, |session, _| session.send_key(common::digit('1'), 80)),
            }
            call.run(rng.within(1..700));
        }
        let heard = &call.legs[0].heard;
        check_stream(heard, 45);
        check_markers(heard, &changed_at_ms);
    });
}

/// What a packet carries.
fn voice(packet: &Heard) -> u64 {
    if packet.is_event() {
        return 0x100 + u64::from(packet.timestamp());
    }
    packet.payload()[0].into()
}

/// The marker begins what is new, and only that.
fn check_markers(heard: &[Heard], changed_at_ms: &[u64]) {
    let silence = u64::from(Law::Pcma.silence());
    for pair in heard.windows(2) {
        let [last, next] = pair else { unreachable!() };
        let paused = next.at_ms - last.at_ms > 30;
        let changed = changed_at_ms.iter().any(|at| (last.at_ms..=next.at_ms).contains(at));
        let begins = voice(next) != voice(last) && voice(next) != silence;
        if begins {
            assert!(next.marker(), "a talkspurt without marker: {pair:?}");
        } else if !paused && !changed {
            assert!(!next.marker(), "a marker within a talkspurt: {pair:?}");
        }
    }
}
