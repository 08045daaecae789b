//! baresip as the caller and as the PBX: prompts and people are heard, keys arrive.

use std::{fs, path::Path};

use carom_blackbox::{
    Ask, Authority, Baresip, CONFIG, Engine, FLOW, Place, Softphone, TLS_LISTENER, Wire,
    eventually, go_on_for,
    sound::{likeness, tenths_of_tone},
};
use rtp_media::{Law, prompt::PromptSet};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
/// What the caller's phone speaks, and what the PBX does.
const CALLER_HZ: f64 = 1_000.0;
const PBX_HZ: f64 = 700.0;

#[test]
fn over_udp_caller_and_pbx_hear_each_other_and_the_pbx_hears_keys() {
    bridge("udp", [None, None]);
}

#[test]
fn over_tcp_caller_and_pbx_hear_each_other_and_the_pbx_hears_keys() {
    bridge("tcp", [None, None]);
}

#[test]
fn over_tls_caller_and_pbx_hear_each_other_and_the_pbx_hears_keys() {
    bridge("tls", [None, None]);
}

#[test]
fn by_srtp_caller_and_pbx_hear_each_other_and_the_pbx_hears_keys() {
    bridge("tls", [Some("srtp"), Some("srtp")]);
}

#[test]
fn a_caller_by_srtp_is_bridged_to_a_pbx_without() {
    bridge("udp", [Some("srtp-mand"), None]);
}

#[test]
fn a_pbx_by_srtp_is_bridged_to_a_caller_without() {
    bridge("tls", [None, Some("srtp")]);
}

#[test]
fn where_srtp_is_required_the_pbx_gets_it_and_a_caller_without_is_refused() {
    let place = Place::new();
    let config = CONFIG.replacen("[media]", "[media]\nsrtp = \"required\"", 1);
    let engine = engine_with(&place, "udp", &config);
    let pbx = pbx(&place).encryption("srtp-mand").start(&place);
    let mut caller = caller(&place).encryption("srtp-mand").start(&place);
    caller.dial(&format!("sip:100@{}", place.engine()));
    caller.saw("CALL_ESTABLISHED");
    go_on_for(1_500);
    caller.press('0');
    pbx.saw("CALL_ESTABLISHED");
    assert!(pbx.log().contains("RTP/SAVP"), "{}", pbx.log());
    go_on_for(500);
    caller.press('7');
    eventually("the PBX hears the key", || (pbx.keys() == "7").then_some(()));
    caller.hang_up();
    pbx.saw("CALL_CLOSED");
    let here = place.ip(5);
    let refused = Wire::at(&place, here).ask(&Ask::new(&place, "INVITE").offer(here));
    assert!(refused.starts_with("SIP/2.0 488"), "{refused}");
    assert!(!engine.log().contains("inline:"), "no log has a key");
    engine.idle();
}

#[test]
fn by_g722_a_caller_hears_the_prompt_and_a_pbx_in_g711() {
    wideband("PCMA");
}

#[test]
fn by_g722_a_caller_and_a_pbx_hear_each_other() {
    wideband("G722");
}

fn wideband(codec: &'static str) {
    let place = Place::new();
    let codecs = "[media]\ncodecs = [\"PCMA\", \"PCMU\", \"G722\"]";
    let engine = engine_with(&place, "udp", &CONFIG.replacen("[media]", codecs, 1));
    let pbx = pbx(&place).codec(codec).start(&place);
    let caller = answered(&place, caller(&place).codec("G722"), "udp");
    assert!(caller.log().contains("G722"), "{}", caller.log());
    talk(forwarded(caller, &pbx), pbx);
    engine.idle();
}

/// The legs differ in codec, and as told in encryption; the PBX hangs up.
fn bridge(transport: &str, [callers, pbxs]: [Option<&'static str>; 2]) {
    let place = Place::new();
    let engine = engine(&place, transport);
    let protect = |phone: Softphone, by: Option<&'static str>| match by {
        Some(by) => phone.encryption(by),
        None => phone,
    };
    let pbx = protect(pbx(&place).codec("PCMA"), pbxs);
    let pbx = secure(pbx, "pbx", transport).start(&place);
    let caller = protect(caller(&place), callers);
    let caller = forwarded(answered(&place, caller, transport), &pbx);
    let via = format!("SIP/2.0/{}", transport.to_uppercase());
    for phone in [&caller, &pbx] {
        assert!(phone.log().contains(&via), "it spoke {transport}");
    }
    talk(caller, pbx);
    assert!(!engine.log().contains("inline:") && !engine.time_line().contains("inline:"));
    engine.idle();
}

/// A caller who is put through presses keys, and the PBX hangs up: each has heard the other.
fn talk(caller: Baresip, mut pbx: Baresip) {
    go_on_for(1_000);
    for (key, so_far) in [('5', "5"), ('#', "5#"), ('9', "5#9")] {
        caller.press(key);
        eventually("the PBX hears the key", || (pbx.keys() == so_far).then_some(()));
    }
    pbx.hang_up();
    let (by_caller, by_pbx) = (caller.heard(), pbx.heard());
    let alike = likeness(&by_caller, &prompt("welcome"));
    assert!(alike > 0.95, "the caller hears the prompt: {alike}");
    // Less of the caller is heard, who presses keys meanwhile.
    for (who, heard, hertz, least) in
        [("caller", &by_caller, PBX_HZ, 12), ("PBX", &by_pbx, CALLER_HZ, 8)]
    {
        let tenths = tenths_of_tone(heard, hertz);
        assert!(tenths >= least, "the {who} hears the other for {tenths} tenths of a second");
    }
    assert_eq!(tenths_of_tone(&by_pbx, PBX_HZ), 0, "and not itself");
    assert_eq!(pbx.keys(), "5#9");
}

#[test]
fn kh_03_a_softphone_presses_1_hears_that_the_text_was_sent_and_is_hung_up_on() {
    let place = Place::new();
    let engine = engine(&place, "udp");
    let caller = answered(&place, caller(&place), "udp");
    caller.press('1');
    let heard = caller.heard();
    for name in ["welcome", "one-moment", "sent"] {
        let alike = likeness(&heard, &prompt(name));
        assert!(alike > 0.95, "the caller hears {name}: {alike}");
    }
    let messages = engine.cli(&["messages"]);
    assert!(messages.out.contains("https://help.example.com/chat"), "{messages:?}");
    engine.idle();
}

/// baresip records no further than to the first re-INVITE, so it is keys that tell.
#[test]
fn a_call_that_the_pbx_holds_is_held_to_the_caller_too_and_goes_on_afterwards() {
    let place = Place::new();
    let engine = engine(&place, "udp");
    let mut pbx = pbx(&place).start(&place);
    let mut caller = forwarded(answered(&place, caller(&place), "udp"), &pbx);
    go_on_for(500);
    pbx.hold();
    caller.saw_times("CALL_REMOTE_SDP", 2);
    eventually("the caller answers", || caller.log().contains("a=recvonly").then_some(()));
    pbx.resume();
    caller.saw_times("CALL_REMOTE_SDP", 3);
    go_on_for(500);
    caller.press('4');
    eventually("the PBX hears the key", || (pbx.keys() == "4").then_some(()));
    caller.hang_up();
    pbx.saw("CALL_CLOSED");
    let calls = engine.cli(&["calls"]);
    assert!(calls.out.contains("forwarded"), "{calls:?}");
    engine.idle();
}

#[test]
fn a_caller_who_gives_up_while_the_pbx_rings_ends_both_legs() {
    let place = Place::new();
    let engine = engine(&place, "udp");
    let pbx = pbx(&place).rings_only().start(&place);
    let mut caller = answered(&place, caller(&place), "udp");
    caller.press('0');
    pbx.saw("CALL_INCOMING");
    caller.hang_up();
    pbx.saw("CALL_CLOSED");
    let calls = engine.cli(&["calls"]);
    assert!(calls.out.contains("caller_hangup"), "{calls:?}");
    engine.idle();
}

fn engine(place: &Place, transport: &str) -> Engine {
    engine_with(place, transport, CONFIG)
}

fn engine_with(place: &Place, transport: &str, config: &str) -> Engine {
    let port = if transport == "tls" { 5061 } else { 5060 };
    let way = format!("@{{pbx}}:{port};transport={transport}");
    let via = |text: &str| text.replace("@{pbx}:5060", &way);
    // baresip's media and its TCP come from 127.0.0.1, whatever its SDP says: as behind a NAT.
    let config = config
        .replace("sources    = [\"{carrier}/31\"]", "sources = [\"{carrier}/31\", \"127.0.0.1\"]")
        .replace("media_nets = [\"{carrier}/31\"]", "media_nets = [\"127.0.0.1\"]");
    assert_eq!(config.matches("127.0.0.1").count(), 2);
    if transport == "tls" {
        let authority = Authority::new(place);
        authority.issues("pbx", &format!("IP:{}", place.pbx()), 2);
        authority.issues("phone", &format!("IP:{}", place.carrier()), 2);
        let config = config.replacen("[[trunk]]", &format!("{TLS_LISTENER}\n[[trunk]]"), 1);
        return Engine::start_with(BIN, place, &via(&config), &via(FLOW));
    }
    Engine::start_with(BIN, place, &via(&config), &via(FLOW))
}

fn secure(phone: Softphone, name: &'static str, transport: &str) -> Softphone {
    if transport == "tls" { phone.tls(name) } else { phone }
}

fn caller(place: &Place) -> Softphone {
    Softphone::new(place.carrier(), CALLER_HZ).user("+447700900123")
}

fn pbx(place: &Place) -> Softphone {
    Softphone::new(place.pbx(), PBX_HZ).user("agents")
}

/// A caller whom the engine has answered.
fn answered(place: &Place, caller: Softphone, transport: &str) -> Baresip {
    let mut caller = secure(caller, "phone", transport).start(place);
    caller.dial(&format!("sip:100@{};transport={transport}", place.engine()));
    caller.saw("CALL_ESTABLISHED");
    go_on_for(1_500);
    caller
}

/// A caller who pressed 0 and was put through.
fn forwarded(caller: Baresip, pbx: &Baresip) -> Baresip {
    caller.press('0');
    pbx.saw("CALL_ESTABLISHED");
    caller
}

/// A fifth of a second of a British prompt as callers should hear it.
fn prompt(name: &str) -> Vec<i16> {
    spoken("en-GB", name)[4_000..5_600].to_vec()
}

/// A prompt of the built-in set as callers should hear it.
pub fn spoken(language: &str, name: &str) -> Vec<i16> {
    let prompts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../prompts");
    let master = fs::read(prompts.join(language).join(name).with_extension("wav")).unwrap();
    let mut set = PromptSet::default();
    set.insert_wav(language, name, &master).unwrap();
    let prompt = set.find(language, name).unwrap();
    prompt.pcma.iter().map(|&byte| Law::Pcma.decode(byte)).collect()
}
