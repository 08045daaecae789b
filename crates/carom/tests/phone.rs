//! `carom call`: what it prints, records and ends with.

use std::{net::UdpSocket, process::Command};

use carom_blackbox::{
    CONFIG, Engine, Place, Softphone, call, eventually,
    sound::{self, likeness, tenths_of_tone},
};
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
/// Says a word and hangs up.
const GOODBYE: &str = r#"
version = 1
[flow]
name = "Goodbye"
extensions = ["100"]
start = "goodbye"
human = "pbx"
[step.goodbye]
do = "say"
play = "goodbye.wav"
then = "hangup"
"#;

const HANGS_UP_ON_5: &str = r#"
version = 1
[flow]
name = "Five"
default = true
start = "menu"
human = "pbx"
[step.menu]
do = "menu"
play = "sample-menu.wav"
press = { 5 = "hangup" }
no_input = "pbx"
"#;

#[test]
fn the_exit_status_tells_how_the_call_came_out() {
    let place = Place::new();
    let _engine = Engine::start_with(BIN, &place, CONFIG, GOODBYE);
    let _refuses = Softphone::new(place.pbx(), 700.0).start(&place);
    // Holds its port, and never answers.
    let _silent = UdpSocket::bind((place.ip(20), 5060)).unwrap();
    let (engine, silent, nobody) = (place.engine(), place.ip(20), place.ip(21));
    for (uri, args, status, ending) in [
        (format!("sip:100@{engine}"), &[][..], 0, "far-end"),
        (format!("sip:100@{nobody}"), &[], 1, "no-answer"),
        (format!("sip:100@{nobody};transport=tcp"), &[], 1, "no-answer"),
        (format!("sip:100@{silent}"), &["--ring-for", "300ms"], 1, "no-answer"),
        (format!("sip:unknown@{}", place.pbx()), &[], 2, "refused"),
        (format!("sip:100@{engine}"), &["--hang-up-after", "300ms"], 3, "us"),
        (format!("sip:100@{engine};transport=tcp"), &["--hang-up-after", "300ms"], 3, "us"),
    ] {
        let told = call(BIN, &place, &uri, args);
        assert_eq!(told.status.code(), Some(status), "{uri} {args:?}: {told:?}");
        let report: Value = serde_json::from_str(&told.out).unwrap();
        assert_eq!(report["ending"], ending, "{uri} {args:?}: {report}");
        assert_eq!(report["answered_after_ms"].is_u64(), status == 0 || status == 3, "{report}");
    }
}

#[test]
fn what_is_heard_is_recorded_and_what_happens_is_printed() {
    let place = Place::new();
    let _engine = Engine::start_with(BIN, &place, CONFIG, GOODBYE);
    let wav = place.folder().join("heard.wav");
    let told = Command::new(BIN)
        .args(["call", &format!("sip:100@{}", place.engine()), "--record"])
        .arg(&wav)
        .args(["--bind", &place.carrier().to_string()])
        .output()
        .unwrap();
    assert!(told.status.success(), "{told:?}");
    let prompt = place.folder().join("prompt.wav");
    let played = Command::new(BIN)
        .args(["prompts", "play", "goodbye", "--out"])
        .arg(&prompt)
        .output()
        .unwrap();
    assert!(played.status.success(), "{played:?}");
    let (heard, prompt) = (sound::read(&wav).unwrap(), sound::read(&prompt).unwrap());
    let alike = likeness(&heard, &prompt[2_000..6_000]);
    assert!(alike > 0.99, "the prompt is in the recording: {alike}");
    let text = String::from_utf8(told.stdout).unwrap();
    for line in ["answered", "first sound", "the far end hangs up", "ended by the far end, "] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn keys_go_out_as_events_and_as_info() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, HANGS_UP_ON_5);
    let uri = format!("sip:100@{}", place.engine());
    for by in ["rfc4733", "info"] {
        let told = call(BIN, &place, &uri, &["--press", "5@1s", "--keys-by", by]);
        assert!(told.status.success(), "{by}: {told:?}");
    }
    let calls = engine.cli(&["calls", "--json"]);
    let calls: Value = serde_json::from_str(&calls.out).unwrap();
    for call in calls.as_array().unwrap() {
        let line = engine.cli(&["calls", call["call"].as_str().unwrap()]);
        assert!(line.out.contains("left by 5"), "{line:?}");
    }
    assert_eq!(calls.as_array().unwrap().len(), 2);
}

/// A program of others as the far end: each hears the other's sound and keys.
#[test]
fn another_phone_hears_us_and_we_hear_it() {
    let place = Place::new();
    let baresip = Softphone::new(place.pbx(), 700.0).start(&place);
    let wav = place.folder().join("heard.wav");
    let uri = format!("sip:phone@{}", place.pbx());
    let mut phone = Command::new(BIN)
        .args(["call", &uri, "--bind", &place.carrier().to_string(), "--json"])
        .args(["--press", "5@300ms", "--press", "#@900ms", "--hang-up-after", "3s", "--record"])
        .arg(&wav)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    eventually("baresip hears our keys", || (baresip.keys() == "5#").then_some(()));
    baresip.press('7');
    assert_eq!(phone.wait().unwrap().code(), Some(3));
    let report: Value = serde_json::from_reader(phone.stdout.take().unwrap()).unwrap();
    assert_eq!(report["keys_heard"], "7", "{report}");
    assert!(tenths_of_tone(&sound::read(&wav).unwrap(), 700.0) > 15, "{report}");
}

#[test]
fn wrong_arguments_are_told_and_no_call_is_made() {
    for (args, told) in [
        (&[][..], "<URI>"),
        (&["100"], "`100` is no SIP address to call"),
        (&["sip:"], "is no SIP address to call"),
        (&["tel:+442079460018"], "is no SIP address to call"),
        (&["sips:100@127.0.0.1"], "asks for a transport that is not available"),
        (&["sip:1@127.0.0.1;transport=tls"], "asks for a transport that is not available"),
        (&["sip:1@127.0.0.1", "--press", "12@1s"], "`12@1s` is no key press"),
        (&["sip:1@127.0.0.1", "--press", "1@later"], "`1@later` is no key press"),
        (&["sip:1@127.0.0.1", "--hang-up-after", "5"], "`5` is no time"),
        (&["sip:1@127.0.0.1", "--ring-for", "soon"], "`soon` is no time"),
        (&["sip:1@127.0.0.1", "--keys-by", "smoke"], "possible values: rfc4733, info"),
        (&["sip:1@127.0.0.1", "--bind", "here"], "--bind"),
    ] {
        let said = Command::new(BIN).arg("call").args(args).output().unwrap();
        let text = String::from_utf8_lossy(&said.stderr).into_owned();
        assert_eq!(said.status.code(), Some(64), "{args:?}: {said:?}");
        assert!(text.contains(told), "{args:?}: {text}");
    }
    for (args, told) in [
        (&["sip:1@no.such.host.invalid"][..], "`no.such.host.invalid` has no address"),
        (&["sip:1@127.0.0.1", "--record", "/no/such/x.wav"], "/no/such/x.wav can't be written"),
        (&["sip:1@127.0.0.1", "--bind", "192.0.2.77"], "cannot listen on UDP 192.0.2.77:0"),
    ] {
        let said = Command::new(BIN).arg("call").args(args).output().unwrap();
        let text = String::from_utf8_lossy(&said.stderr).into_owned();
        assert_eq!(said.status.code(), Some(1), "{args:?}: {said:?}");
        assert!(text.contains(told), "{args:?}: {text}");
    }
}
