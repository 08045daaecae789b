//! G.722: the bytes of another implementation, and what is heard on legs that speak it.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rtp_media::codec::{Codec, FRAME, g722};
use rtp_media::prompt::{Prompt, Sound};
use rtp_media::rtp::write_header;
use rtp_media::session::{MediaEvent, PACKET, Session, SessionId, StreamConfig};
use rtp_media::{Law, rtp::HEADER};
use sha1::{Digest as _, Sha1};

/// Fingerprints of what libg722 (Sippy Software, which passes the sequences of ITU-T G.722 appendix
/// II) makes of [`signal`], by its Python module `G722` 1.2.8.
#[test]
fn bytes_and_samples_are_those_of_another_implementation() {
    let signal = signal(16_000);
    let (mut encoder, mut decoder) = (g722::Encoder::default(), g722::Decoder::default());
    let coded: Vec<u8> = signal.chunks(2).map(|pair| encoder.encode([pair[0], pair[1]])).collect();
    let decoded = coded.iter().flat_map(|&byte| decoder.decode(byte));
    assert_eq!(sha1(coded.iter().copied()), "6eb6b08c18e448845371bfa1652244250385b5b1");
    assert_eq!(
        sha1(decoded.flat_map(i16::to_le_bytes)),
        "9da28db9546115c7ce601ec54307bcd0f4f82eed"
    );

    let (mut encoder, mut decoder) = (g722::Encoder::default(), g722::Decoder::default());
    let coded: Vec<u8> = signal.iter().map(|&sample| encoder.encode_narrow(sample)).collect();
    let decoded = coded.iter().map(|&byte| decoder.decode_narrow(byte));
    assert_eq!(sha1(coded.iter().copied()), "e85f0eaec78a8dda3833e36667d81f5936169816");
    assert_eq!(
        sha1(decoded.flat_map(i16::to_le_bytes)),
        "e53bc2d91d07ba05dfa9ef400cb63353a43e2741"
    );
}

#[test]
fn any_bytes_decode_and_silence_is_silent_soon_whatever_came_before() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut decoder = g722::Decoder::default();
        for byte in bytes.iter().copied().chain([g722::SILENCE; 400]) {
            decoder.decode(byte);
        }
        let loudest = (0..80).flat_map(|_| decoder.decode(g722::SILENCE)).map(i16::unsigned_abs);
        assert!(loudest.max().unwrap() < 100, "-50 dB, 50 ms later");
    });
}

#[test]
fn a_prompt_of_16_khz_is_heard_whole_once_it_is_widened_and_in_the_band_of_g711_before() {
    let sound = Sound { rate_hz: 16_000, samples: tones(16_000, &[1_000.0, 5_000.0], 16_000) };
    let narrow = tones(8_000, &[1_000.0, 1_500.0], 8_000);
    let prompt = Arc::new(Prompt::from_samples("p", &narrow));
    for wide in [false, true] {
        if wide {
            prompt.widen(&sound);
        }
        assert_eq!(prompt.is_wide(), wide);
        let heard = played(&prompt, Codec::G722);
        let at = |hertz| level(&heard[4_000..12_000], hertz, 16_000.0);
        assert!((2_500.0..3_500.0).contains(&at(1_000.0)), "{wide}: {}", at(1_000.0));
        let high = at(5_000.0);
        assert!(if wide { (2_300.0..3_500.0).contains(&high) } else { high < 30.0 }, "{high}");
    }
    // The same prompt serves all legs, with as many bytes.
    assert_eq!(prompt.g722.get().unwrap().len(), prompt.pcma.len());
}

/// The filters of G.722 delay by an odd number of samples at 16 kHz: what was made of 8 kHz is found
/// again half a sample late, and then nothing of it is lost.
#[test]
fn a_prompt_in_the_band_of_g711_is_heard_as_it_was_made() {
    let made = tones(8_000, &[350.0, 900.0, 1_700.0, 2_600.0], 8_000);
    let heard = played(&Arc::new(Prompt::from_samples("p", &made)), Codec::G722);
    let late = |by: usize| -> f64 {
        let pairs = heard[by..].chunks_exact(2).map(|pair| f64::from(pair[0]) + f64::from(pair[1]));
        let (mut both, mut own, mut other) = (0.0, 0.0, 0.0);
        for (sample, pair) in made[800..7_200].iter().zip(pairs.skip(800)) {
            let sample = f64::from(*sample);
            (both, own, other) = (both + sample * pair, own + sample * sample, other + pair * pair);
        }
        both / (own * other).sqrt()
    };
    let alike: Vec<f64> = (8..15).map(late).collect();
    let best = alike.iter().copied().fold(0.0, f64::max);
    assert!(best > 0.99 && alike[3] == best, "{alike:?}");
}

#[test]
fn keys_as_tones_are_heard_in_it() {
    let mut leg = leg(Codec::G722, true);
    let mut encoder = g722::Encoder::default();
    // 5: 770 and 1,336 Hz for 100 ms, then as much silence.
    let samples = tones(8_000, &[770.0, 1_336.0], 800).into_iter().chain(vec![0; 800]);
    let coded: Vec<u8> = samples.map(|sample| encoder.encode_narrow(sample)).collect();
    let mut events = Vec::new();
    for (n, payload) in coded.chunks(FRAME).enumerate() {
        let now = Duration::from_millis(20 * n as u64);
        leg.handle_rtp(now, far(), &packet(n as u16, 9, payload), &mut events);
    }
    let keys: Vec<char> = events
        .iter()
        .filter_map(|event| match event {
            MediaEvent::KeyUp { digit, .. } => Some(char::from(*digit)),
            _ => None,
        })
        .collect();
    assert_eq!(keys, ['5']);
}

#[test]
fn a_leg_in_it_is_bridged_to_one_in_g711_and_recorded() {
    for law in [Law::Pcma, Law::Pcmu] {
        let (mut wide, mut narrow) = (leg(Codec::G722, false), leg(law.into(), false));
        let mut events = Vec::new();
        for session in [&mut wide, &mut narrow] {
            session.bridge(None);
            session.record(Duration::ZERO, 1_000, None, &mut events);
        }
        let tone = tones(8_000, &[700.0], 8_000);
        let mut encoder = g722::Encoder::default();
        let in_wide: Vec<u8> = tone.iter().map(|&s| encoder.encode_narrow(s)).collect();
        let in_narrow: Vec<u8> = tone.iter().map(|&s| law.encode(s)).collect();
        let (mut to_wide, mut to_narrow) = (Vec::new(), Vec::new());
        for n in 0..50_u16 {
            let (now, at) = (Duration::from_millis(20 * u64::from(n)), usize::from(n) * FRAME);
            let mut pass = |from: &mut Session, to: &mut Session, pt, coded: &[u8]| {
                let mut datagram = packet(n, pt, &coded[at..at + FRAME]);
                let audio = from.handle_rtp(now, far(), &datagram, &mut events).unwrap();
                let range = to.relay_audio(now, &audio, &mut datagram).unwrap();
                datagram[range][HEADER..].to_vec()
            };
            to_narrow.extend(pass(&mut wide, &mut narrow, 9, &in_wide));
            to_wide.extend(pass(&mut narrow, &mut wide, law.payload_type(), &in_narrow));
        }
        let mut decoder = g722::Decoder::default();
        let to_wide: Vec<i16> = to_wide.iter().map(|&byte| decoder.decode_narrow(byte)).collect();
        let to_narrow: Vec<i16> = to_narrow.iter().map(|&byte| law.decode(byte)).collect();
        for session in [&mut wide, &mut narrow] {
            session.stop_record(&mut events);
        }
        let recorded = events.into_iter().filter_map(|event| match event {
            MediaEvent::Recorded { samples, .. } => Some(samples),
            _ => None,
        });
        for heard in [to_wide, to_narrow].into_iter().chain(recorded) {
            let tone = level(&heard[800..7_200], 700.0, 8_000.0);
            assert!((5_500.0..6_500.0).contains(&tone), "{law:?}: {tone}");
        }
    }
}

/// Everything that a leg sends while it plays a prompt of a second, as samples at 16 kHz.
fn played(prompt: &Arc<Prompt>, codec: Codec) -> Vec<i16> {
    let (mut leg, mut events, mut decoder) = (leg(codec, false), Vec::new(), Default::default());
    leg.play(1, vec![prompt.clone()], false, false, &mut events);
    let mut heard = Vec::new();
    for n in 0..50 {
        let (due, mut packet) = (Duration::from_millis(20 * n), [0; PACKET]);
        let length = leg.handle_timeout(due, due, &mut packet, &mut events).unwrap();
        let decode = |&byte: &u8| g722::Decoder::decode(&mut decoder, byte);
        heard.extend(packet[HEADER..length].iter().flat_map(decode));
    }
    heard
}

fn leg(codec: Codec, inband: bool) -> Session {
    let mut leg = Session::new(SessionId(1), 7, 1, 1, Duration::ZERO);
    let config = StreamConfig { inband, ..StreamConfig::new(far(), codec) };
    leg.configure(Duration::ZERO, Box::new(config));
    leg
}

fn far() -> SocketAddr {
    "192.0.2.1:4000".parse().unwrap()
}

fn packet(n: u16, pt: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = [0; HEADER];
    write_header(&mut header, false, pt, n, u32::from(n) * FRAME as u32, 9);
    [&header[..], payload].concat()
}

/// Noise, two waves, and steps from one end to the other, by whole numbers alone.
fn signal(count: i32) -> Vec<i16> {
    let mut state = 1_u32;
    let mut next = |n: i32| {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
        let noise = (state >> 8 & 0xffff) as i32 - 32_768;
        let wave = |period: i32| (n % period * 4 * 8_000 / period - 16_000).abs() - 8_000;
        let sample = match n / (count / 4) {
            0 => noise,
            1 => wave(40),
            2 => wave(23) + noise.div_euclid(16),
            _ if n / 50 % 2 == 1 => 32_767,
            _ => -32_768,
        };
        sample.clamp(-32_768, 32_767) as i16
    };
    (0..count).map(&mut next).collect()
}

/// Tones that sound together, each with an amplitude of 6,000, or of half where there are two.
fn tones(rate_hz: u32, hertz: &[f64], samples: usize) -> Vec<i16> {
    let each = 6_000.0 / hertz.len() as f64;
    let at = |n: usize| {
        let wave = |hz: &f64| each * (TAU * hz * n as f64 / f64::from(rate_hz)).sin();
        hertz.iter().map(wave).sum::<f64>() as i16
    };
    (0..samples).map(at).collect()
}

/// The amplitude of a tone in what was heard.
fn level(heard: &[i16], hertz: f64, rate_hz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, &sample) in heard.iter().enumerate() {
        let phase = TAU * hertz * n as f64 / rate_hz;
        re += f64::from(sample) * phase.cos();
        im += f64::from(sample) * phase.sin();
    }
    2.0 * re.hypot(im) / heard.len() as f64
}

fn sha1(bytes: impl Iterator<Item = u8>) -> String {
    let hash = Sha1::digest(bytes.collect::<Vec<u8>>());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
