//! Whole calls through the binary: its own test phone as the caller, SIPp as the PBX.

use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use carom::{
    config::Prompts,
    phone::{Pbx, Script},
};
use carom_blackbox::{CONFIG, Engine, FLOW, Place, Scenario, call, eventually, get};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

fn uri(place: &Place) -> String {
    format!("sip:100@{}", place.engine())
}

#[test]
fn kh_03_a_caller_who_presses_1_gets_the_text_and_the_call_ends() {
    let place = Place::new();
    let engine = Engine::start(BIN, &place);
    let heard = call(BIN, &place, &uri(&place), &["--press", "1@1s"]);
    assert!(heard.status.success(), "{heard:?}");
    let calls = engine.cli(&["calls"]);
    assert!(calls.out.contains("deflected"), "{calls:?}");
    let messages = engine.cli(&["messages"]);
    assert!(messages.out.contains("https://help.example.com/chat"), "{messages:?}");
    engine.idle();
}

#[test]
fn kh_14_a_caller_who_presses_0_is_forwarded_to_the_pbx() {
    let place = Place::new();
    let engine = Engine::start(BIN, &place);
    let pbx = Scenario::new("pbx-answers", place.pbx()).args(&["-m", "1"]).listen(&place);
    let heard = call(BIN, &place, &uri(&place), &["--press", "0@1s", "--hang-up-after", "3s"]);
    assert_eq!(heard.status.code(), Some(3), "{heard:?}");
    let messages = pbx.succeeds();
    assert!(messages.contains("INVITE sip:agents@"), "{messages}");
    assert!(messages.contains("X-Carom-Call: "), "{messages}");
    let calls = engine.cli(&["calls"]);
    assert!(calls.out.contains("forwarded"), "{calls:?}");
    engine.idle();
}

#[test]
fn dp_08_the_pbx_learns_where_the_callers_way_so_far_is_read() {
    let place = Place::new();
    let flow = FLOW.replacen(
        "ring_seconds   = 5",
        "ring_seconds   = 5\nheaders = { X-Carom-Context = \"{context_url}\" }",
        1,
    );
    let _engine = Engine::start_with(BIN, &place, CONFIG, &flow);
    let pbx = Scenario::new("pbx-answers", place.pbx()).args(&["-m", "1"]).listen(&place);
    let heard = call(BIN, &place, &uri(&place), &["--press", "0@500ms", "--hang-up-after", "2s"]);
    assert_eq!(heard.status.code(), Some(3), "{heard:?}");
    let messages = pbx.succeeds();
    let url = messages.lines().find_map(|line| line.strip_prefix("X-Carom-Context: ")).unwrap();
    let path = url.trim().strip_prefix(&format!("http://{}:8080", place.engine())).unwrap();
    let page = eventually("the call is written", || {
        Some(get(&place, path)).filter(|page| page.contains("200 OK") && page.contains("welcome"))
    });
    assert!(page.contains("\"exit\":\"0\"") && page.contains("\"caller_region\":\"GB\""), "{page}");
    assert!(!page.contains("7700900456"), "{page}");
    assert!(get(&place, "/v1/context/unknown").contains("404"));
}

#[test]
fn a_caller_hears_it_ring_as_soon_as_the_pbx_is_called() {
    let place = Place::new();
    let engine = Engine::start(BIN, &place);
    let _mute = UdpSocket::bind((place.pbx(), 5060)).unwrap();
    let wav = place.folder().join("heard.wav");
    let record = ["--press", "0@500ms", "--hang-up-after", "2500ms", "--record"];
    let args: Vec<&str> = record.into_iter().chain([wav.to_str().unwrap()]).collect();
    let heard = call(BIN, &place, &uri(&place), &args);
    assert_eq!(heard.status.code(), Some(3), "{heard:?}");
    // British ringback is 400 + 450 Hz; the last two seconds hold it and nothing else.
    let samples: Vec<i16> =
        hound::WavReader::open(&wav).unwrap().into_samples().map(Result::unwrap).collect();
    let last = &samples[samples.len() - 14_000..];
    let (tone, other) = (power(last, 400.0) + power(last, 450.0), power(last, 1_000.0));
    assert!(tone > 1e4 && tone > 100.0 * other, "{tone} {other}");
    engine.idle();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_target_is_heard_and_not_the_ringback_once_it_answers() {
    let place = Place::new();
    let engine = Engine::start(BIN, &place);
    let script = Script {
        ring: Duration::from_millis(300),
        greeting: Prompts::built_in().set.find("en-GB", "hold"),
        hang_up_after: Some(Duration::from_secs(2)),
    };
    let at = SocketAddr::from((place.pbx(), 5060));
    let _pbx = Pbx::open(at, 30_000..=30_099, script).await.unwrap();
    let wav = place.folder().join("heard.wav");
    let args = ["--press", "0@500ms", "--record", wav.to_str().unwrap()];
    let heard = call(BIN, &place, &uri(&place), &args);
    assert!(heard.status.success(), "{heard:?}");
    let samples: Vec<i16> =
        hound::WavReader::open(&wav).unwrap().into_samples().map(Result::unwrap).collect();
    assert!(engine.cli(&["calls"]).out.contains("forwarded"));
    let last = &samples[samples.len() - 12_000..];
    let all = last.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / last.len() as f64;
    let ringing = (power(last, 400.0) + power(last, 450.0)) * 2.0 / last.len() as f64;
    assert!(all > 1e5 && ringing < all / 100.0, "{all} {ringing}");
    engine.idle();
}

/// Power of the samples at `hz`, by Goertzel's recurrence.
fn power(samples: &[i16], hz: f64) -> f64 {
    let turn = 2.0 * (std::f64::consts::TAU * hz / 8_000.0).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for &sample in samples {
        (last, before) = (f64::from(sample) + turn * last - before, last);
    }
    (last * last + before * before - turn * last * before) / samples.len() as f64
}
