//! Asterisk, which nobody here wrote, as the PBX that callers are forwarded to and as the carrier
//! that they come from.

use std::path::Path;

use carom_blackbox::{
    Answer, Authority, CONFIG, Engine, FLOW, MUSIC_HZ, Pbx, PbxSetup, Place, Softphone,
    TLS_LISTENER, call, eventually, sound,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const TMP: &str = env!("CARGO_TARGET_TMPDIR");

/// Answers, takes three keys, speaks a tone, presses a key itself and hangs up.
const TALKS: &str = "\
exten => agents,1,Verbose(our call ${PJSIP_HEADER(read,X-Carom-Call)} of ${CALLERID(num)})
 same => n,Ringing()
 same => n,Wait(1)
 same => n,Answer()
 same => n,Read(keys,,3,,1,10)
 same => n,Verbose(${CALLERID(num)} pressed ${keys})
 same => n,Playtones(1000)
 same => n,Wait(2)
 same => n,StopPlaytones()
 same => n,SendDTMF(5)
 same => n,Hangup()
";

#[test]
fn it_rings_answers_hears_keys_speaks_and_hangs_up_in_every_codec() {
    let place = Place::new();
    let codecs = ["alaw", "ulaw", "g722", "g722,alaw"];
    let callers: Vec<String> = (1..=codecs.len()).map(|n| format!("+44770090020{n}")).collect();
    let setup = PbxSetup::new(&place, place.pbx(), TALKS);
    let setup = callers.iter().zip(codecs).fold(setup, |setup, (caller, codecs)| {
        setup.variant(caller, &format!("disallow=all\nallow={codecs}"))
    });
    let pbx = setup.start(&place, TMP);
    let engine = Engine::start_with(BIN, &place, &with_g722(CONFIG), FLOW);
    std::thread::scope(|scope| {
        for caller in &callers {
            scope.spawn(|| talks(&place, &engine, &pbx, caller));
        }
    });
    pbx.idle();
}

#[test]
fn by_tcp_it_talks_as_by_udp() {
    talks_by("tcp");
}

#[test]
fn by_tls_and_srtp_it_talks_as_by_udp() {
    talks_by("tls");
}

fn talks_by(transport: &'static str) {
    let place = Place::new();
    Authority::new(&place).issues("pbx", &format!("IP:{}", place.pbx()), 2);
    let setup = PbxSetup::new(&place, place.pbx(), TALKS).by(transport);
    let (setup, port) = match transport {
        "tls" => (setup.endpoint("media_encryption=sdes"), 5061),
        _ => (setup, 5060),
    };
    let pbx = setup.start(&place, TMP);
    let flow = FLOW.replace("@{pbx}:5060", &format!("@{{pbx}}:{port};transport={transport}"));
    let config = CONFIG.replacen("[[trunk]]", &format!("{TLS_LISTENER}\n[[trunk]]"), 1);
    let engine = Engine::start_with(BIN, &place, &config, &flow);
    talks(&place, &engine, &pbx, "+447700900123");
    pbx.idle();
}

fn with_g722(config: &str) -> String {
    config.replace("[media]", "[media]\ncodecs = [\"PCMA\", \"PCMU\", \"G722\"]")
}

/// A caller presses 0, is put through, and both hear each other's keys and tones.
fn talks(place: &Place, engine: &Engine, pbx: &Pbx, caller: &str) {
    let recording = place.folder().join(format!("{caller}.wav"));
    let keys = ["0@1s", "4@4s", "*@4500ms", "6@5s"];
    let answer = rings_until(place, caller, &keys, &recording, "40s");
    assert_eq!(answer.status.code(), Some(0), "Asterisk hangs up: {answer:?}");
    let told = format!("of {caller}");
    let call = engine.calls().into_iter().find(|call| {
        let id = call["call"].as_str().unwrap();
        pbx.log().contains(&format!("our call {id} {told}"))
    });
    let call = call.unwrap_or_else(|| panic!("Asterisk learns the id of the call of {caller}"));
    assert_eq!(call["end"], "forwarded", "{caller}: {call}");
    pbx.says(&format!("{caller} pressed 4*6"));
    let heard = sound::read(&recording).unwrap();
    let tenths = sound::tenths_of_tone(&heard, 1_000.0);
    assert!((15..=21).contains(&tenths), "{caller}: {tenths} tenths of a tone of two seconds");
}

const SOURCE: &str = r#"
[source.queue]
kind          = "ami"
url           = "ami://{pbx}"
username      = "carom"
token         = "file:secret"
queue         = "service"
every_seconds = 1
"#;

const CALLER: &str = "+447700900123";

/// A line that waits in the queue, with an offer after five seconds.
const LINE: &str = r#"
version = 1

[flow]
name    = "Queue"
default = true
start   = "line"
human   = "agents"

[target.agents]
sip            = "sip:queue@{pbx}:5060"
answered_means = "queue"
human_signal   = "ami"

[link.chat]
url      = "https://help.example.com/chat"
staffing = "self-service"
intents  = ["any"]

[step.line]
do                  = "wait"
target              = "agents"
music               = "beep.wav"
offer               = "queue_offer"
offer_after_seconds = 5

[step.queue_offer]
do             = "offer"
stage          = "in-queue"
link           = "chat"
play           = "anything-else.wav"
press          = { 1 = "queue_text", 2 = "line" }
accept         = ["1"]
no_input       = "line"
if_not_offered = "line"

[step.queue_text]
do       = "text"
link     = "chat"
message  = "Example: {link}"
then     = "hangup"
if_fails = "line"
"#;

/// A queue whose agent takes three seconds before the phone is rung.
const QUEUE: &str = "\
exten => queue,1,Answer()
 same => n,Queue(service,,,,60)
exten => agent,1,Wait(${DELAY})
 same => n,Dial(PJSIP/a1,30)
";

#[test]
fn ic_05_a_caller_in_its_queue_hears_its_music_then_the_offer_and_leaves_the_queue_by_a_text() {
    let (place, pbx, engine) = queue(60);
    let recording = place.folder().join("heard.wav");
    let told =
        |name: &str| engine.metric(&place, &format!("carom_source_{name}{{source=\"queue\"}}"));
    eventually("its agent is counted", || (told("agents_available") == 1.0).then_some(()));
    let waiting = std::thread::scope(|scope| {
        let caller = scope.spawn(|| rings_until(&place, CALLER, &["1@8s"], &recording, "40s"));
        eventually("the caller is counted", || (told("callers_waiting") == 1.0).then_some(()));
        caller.join().unwrap()
    });
    assert_eq!(waiting.status.code(), Some(0), "{waiting:?}");
    pbx.idle();
    engine.idle();
    let line = engine.time_line();
    assert_eq!(engine.calls()[0]["end"], "deflected", "{line}");
    let heard = sound::read(&recording).unwrap();
    let music = sound::tenths_of_tone(&heard, MUSIC_HZ);
    assert!((35..=60).contains(&music), "{music} tenths of the queue's music, then an offer");
    eventually("nobody waits", || (told("callers_waiting") == 0.0).then_some(()));
}

#[test]
fn ic_04_its_agent_who_takes_the_call_is_known_by_the_manager_and_no_offer_is_made() {
    let (place, pbx, engine) = queue(3);
    let agent = Softphone::new(place.ip(10), 1_000.0).user("a1").start(&place);
    let recording = place.folder().join("heard.wav");
    let answer = rings_until(&place, CALLER, &[], &recording, "10s");
    assert_eq!(answer.status.code(), Some(3), "{answer:?}");
    agent.saw("CALL_CLOSED");
    pbx.idle();
    engine.idle();
    let line = engine.time_line();
    assert!(line.contains("a person took the call, by ami"), "{line}");
    assert!(line.contains("forwarded, human") && !line.contains("queue_offer"), "{line}");
    let heard = sound::read(&recording).unwrap();
    assert!(sound::tenths_of_tone(&heard, MUSIC_HZ) >= 20, "the queue's music");
    assert!(sound::tenths_of_tone(&heard, 1_000.0) >= 40, "and then the agent");
}

#[test]
fn ic_05_a_caller_who_declines_keeps_the_place_in_its_queue_and_gets_an_agent() {
    let (place, pbx, engine) = queue(11);
    let agent = Softphone::new(place.ip(10), 1_000.0).user("a1").start(&place);
    let recording = place.folder().join("heard.wav");
    let answer = rings_until(&place, CALLER, &["2@7s"], &recording, "15s");
    assert_eq!(answer.status.code(), Some(3), "{answer:?}");
    agent.saw("CALL_CLOSED");
    pbx.idle();
    engine.idle();
    let line = engine.time_line();
    assert!(line.contains("queue_offer") && line.contains("by ami"), "{line}");
    assert_eq!(pbx.log().matches("Executing [queue@in:2]").count(), 1, "one place in one queue");
    let heard = sound::read(&recording).unwrap();
    assert!(sound::tenths_of_tone(&heard, 1_000.0) >= 20, "the agent is heard");
}

/// Music for three seconds, then the agent's phone.
const DIRECT: &str = "\
exten => agents,1,Answer()
 same => n,MusicOnHold(default,3)
 same => n,Dial(PJSIP/a1,30)
";

#[test]
fn its_reinvite_that_moves_the_media_to_the_agent_s_phone_is_followed_and_tells_of_a_person() {
    let place = Place::new();
    let direct = "direct_media=yes\ndisallow=all\nallow=ulaw";
    let pbx = PbxSetup::new(&place, place.pbx(), DIRECT)
        .endpoint(direct)
        .phone("a1", place.ip(10))
        .start(&place, TMP);
    let flow = FLOW.replacen(
        "answered_means = \"human\"",
        "answered_means = \"queue\"\nhuman_signal   = \"reinvite\"",
        1,
    );
    let engine = Engine::start_with(BIN, &place, CONFIG, &flow);
    let agent = Softphone::new(place.ip(10), 1_000.0).user("a1").start(&place);
    let recording = place.folder().join("heard.wav");
    let answer = rings_until(&place, CALLER, &["0@1s", "7@8s"], &recording, "11s");
    assert_eq!(answer.status.code(), Some(3), "{answer:?}");
    eventually("the agent hears the key", || (agent.keys() == "7").then_some(()));
    agent.saw("CALL_CLOSED");
    pbx.idle();
    engine.idle();
    let line = engine.time_line();
    assert!(line.contains("target → us  INVITE"), "Asterisk leaves the media: {line}");
    assert!(line.contains("forwarded, human"), "{line}");
    let heard = sound::read(&recording).unwrap();
    assert!(sound::tenths_of_tone(&heard, MUSIC_HZ) >= 20, "the music");
    assert!(sound::tenths_of_tone(&heard, 1_000.0) >= 40, "and then the agent");
}

#[test]
fn when_it_dies_in_a_call_the_caller_is_let_go_and_not_left_in_silence() {
    let place = Place::new();
    let mut pbx = PbxSetup::new(&place, place.pbx(), DIRECT).start(&place, TMP);
    let config = CONFIG.replace("[media]", "[media]\ntimeout_seconds = 2");
    let engine = Engine::start_with(BIN, &place, &config, FLOW);
    let recording = place.folder().join("heard.wav");
    let answer = std::thread::scope(|scope| {
        let caller = scope.spawn(|| rings_until(&place, CALLER, &["0@1s"], &recording, "40s"));
        eventually("its music is heard", || {
            let answered = |_| engine.time_line().contains("target: first RTP packet");
            engine.calls().first().is_some_and(answered).then_some(())
        });
        pbx.kill();
        caller.join().unwrap()
    });
    assert_eq!(answer.status.code(), Some(0), "{answer:?}");
    let line = engine.time_line();
    assert!(line.contains("target: no media for the time-out"), "{line}");
    engine.idle();
}

/// A node and an Asterisk with one agent, whose phone is rung after so many seconds.
fn queue(delay: u32) -> (Place, Pbx, Engine) {
    let place = Place::new();
    place.beep();
    place.write("secret", "p4ss:word");
    let pbx = PbxSetup::new(&place, place.pbx(), &QUEUE.replace("${DELAY}", &delay.to_string()))
        .phone("a1", place.ip(10))
        .queue("timeout=60\nretry=1\nmember => Local/agent@in/n,0,Ann\n")
        .start(&place, TMP);
    let engine = Engine::start_with(BIN, &place, &format!("{CONFIG}{SOURCE}"), LINE);
    eventually("the manager is heard", || {
        (engine.metric(&place, "carom_source_up{source=\"queue\"}") == 1.0).then_some(())
    });
    (place, pbx, engine)
}

/// Presses keys, and hangs up after `until` at the latest.
fn rings_until(
    place: &Place,
    caller: &str,
    keys: &[&str],
    recording: &Path,
    until: &str,
) -> Answer {
    let mut args = vec!["--from", caller, "--hang-up-after", until];
    args.extend(["--record", recording.to_str().unwrap()]);
    args.extend(keys.iter().flat_map(|key| ["--press", key]));
    call(BIN, place, &format!("sip:100@{}", place.engine()), &args)
}

/// Callers of the carrier's press 1 after two seconds.
const PRESSES: &str = "\
exten => caller,1,Wait(2)
 same => n,SendDTMF(1)
 same => n,Wait(20)
 same => n,Verbose(nobody hung up)
";

#[test]
fn as_a_carrier_its_callers_keys_count_however_they_come() {
    let variants = [
        "dtmf_mode=rfc4733",
        "dtmf_mode=info",
        "dtmf_mode=inband",
        "dtmf_mode=auto_info",
        "timers=always",
        "send_rpid=yes\nsend_diversion=yes",
        "use_ptime=yes\ndisallow=all\nallow=ulaw:30",
        "disallow=all\nallow=g722",
        "rtcp_mux=yes\nbundle=yes",
        "use_avpf=yes",
    ];
    let number = |n: usize| format!("+4477009003{n:02}");
    let place = Place::new();
    let setup = PbxSetup::new(&place, place.carrier(), PRESSES);
    let named = variants.iter().enumerate();
    let setup = named.fold(setup, |setup, (n, lines)| setup.variant(&number(n), lines));
    let carrier = setup.start(&place, TMP);
    let engine = Engine::start_with(BIN, &place, &with_g722(CONFIG), FLOW);
    for n in 0..variants.len() {
        carrier.calls(&number(n), "100", "caller");
    }
    eventually("all have called", || (engine.calls().len() == variants.len()).then_some(()));
    engine.idle();
    carrier.idle();
    for (n, lines) in variants.iter().enumerate() {
        let ending = format!("…{n:02}");
        let calls = engine.calls();
        let call = calls.iter().find(|call| call["caller"].as_str().unwrap().ends_with(&ending));
        assert_eq!(
            call.unwrap_or_else(|| panic!("{lines}: {calls:?}"))["end"],
            "deflected",
            "{lines}"
        );
    }
    assert!(!carrier.log().contains("nobody hung up"));
}
