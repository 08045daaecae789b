//! Queues of a PBX: what Asterisk's manager and FreeSWITCH's event socket tell of them, and the
//! person who takes a call, whom the SIP leg says nothing of.

use std::{net::TcpListener, process::Command, sync::Arc, time::Duration};

use carom_blackbox::{
    Asterisk, CONFIG, Database, Ear, Engine, Freeswitch, Place, Run, Scenario, call, eventually,
    eventually_within, go_on_for, web,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio_rustls::TlsAcceptor;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const AMI: &str = r#"
[source.queue]
kind          = "ami"
url           = "ami://{pbx}"
username      = "carom"
token         = "file:secret"
queue         = "service"
every_seconds = 1
timeout_ms    = 700
stale_seconds = 2
default       = { agents_available = 7 }
"#;

const ESL: &str = r#"
[source.queue]
kind          = "esl"
url           = "esl://{pbx}:8021"
token         = "file:secret"
queue         = "service@default"
every_seconds = 1
timeout_ms    = 700
stale_seconds = 2
"#;

/// A line that waits in the queue …
const HEAD: &str = r#"
version = 1

[flow]
name    = "Queue"
default = true
start   = "START"
human   = "agents"

[target.agents]
sip            = "sip:queue@{pbx}:5060"
answered_means = "queue"
human_signal   = "SIGNAL"
ping_seconds   = 0

[link.chat]
url      = "https://help.example.com/chat"
staffing = "self-service"
intents  = ["any"]
"#;

/// … by what it tells …
const SORT: &str = r#"
[rule.nobody]
agents_available = { at_most = 0 }
[rule.long]
wait_over_seconds = 120
[rule.crowded]
field    = "callers_waiting"
at_least = 5

[step.sort]
do        = "decide"
case      = [{ if = "nobody", go = "nobody" }, { if = "long", go = "long" }, { if = "crowded", go = "crowd" }]
otherwise = "line"
[step.nobody]
do   = "say"
play = "beep.wav"
then = "hangup"
[step.long]
do   = "say"
play = "beep.wav"
then = "hangup"
[step.crowd]
do   = "say"
play = "beep.wav"
then = "hangup"
"#;

/// … with an offer meanwhile.
const LINE: &str = r#"
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
play           = "welcome.wav"
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

const SECRET: &str = "p4ss:word";

#[test]
fn kh_08_asterisk_tells_free_members_callers_and_the_wait_and_no_one_guesses() {
    let place = Place::new();
    let asterisk = Asterisk::start(place.pbx(), SECRET);
    asterisk.queue(0, 3, 41);
    let engine = start(&place, AMI, "reinvite");
    let told =
        |name: &str| engine.metric(&place, &format!("carom_source_{name}{{source=\"queue\"}}"));
    eventually("the queue is told", || (told("callers_waiting") == 3.0).then_some(()));
    assert_eq!((told("up"), told("agents_available"), told("wait_seconds")), (1.0, 0.0, 41.0));
    assert_eq!(goes_to(&place, &engine), "nobody");
    assert!(asterisk.asked().iter().any(|asked| asked == "Login Events=off"), "no signals wanted");
    for (available, callers, hold, step) in [(2, 1, 300, "long"), (2, 9, 20, "crowd")] {
        asterisk.queue(available, callers, hold);
        eventually("it is asked again", || (told("wait_seconds") == f64::from(hold)).then_some(()));
        assert_eq!(goes_to(&place, &engine), step);
    }
}

#[test]
fn kh_08_asterisk_is_asked_by_tls_only_if_it_is_the_one_that_is_meant() {
    let place = Place::new();
    let asterisk = Asterisk::start(place.pbx(), SECRET);
    asterisk.queue(0, 3, 41);
    certify(&place);
    secured(&place);
    let by = |ca: &str| {
        let ca = format!("ca = \"{ca}\"\nusername ");
        let source = AMI.replace("ami://", "amis://").replace("username ", &ca);
        start(&place, &source, "reinvite")
    };
    let engine = by("ca.pem");
    let told =
        |name: &str| engine.metric(&place, &format!("carom_source_{name}{{source=\"queue\"}}"));
    eventually("the queue is told", || (told("callers_waiting") == 3.0).then_some(()));
    assert_eq!(goes_to(&place, &engine), "nobody");
    drop(engine);
    let asked = asterisk.asked().len();
    let engine = by("other.pem");
    eventually("it is tried", || engine.log().contains("invalid peer certificate").then_some(()));
    assert_eq!(asterisk.asked().len(), asked, "nothing is said to a stranger");
}

/// A certificate for the PBX's address, of an authority of our own.
fn certify(place: &Place) {
    place.write("leaf.cnf", &format!("subjectAltName=IP:{}\n", place.pbx()));
    for command in [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=judge -keyout ca.key -out ca.pem",
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout other.key -out other.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=pbx -keyout leaf.key -out leaf.csr",
        "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile leaf.cnf \
         -out leaf.pem",
    ] {
        let mut openssl = Command::new("openssl");
        openssl.args(command.split_whitespace()).current_dir(place.folder());
        let made = openssl.output().unwrap();
        assert!(made.status.success(), "{made:?}");
    }
}

/// TLS in front of the manager, on port 5039.
fn secured(place: &Place) {
    let pem = |file: &str| std::fs::read(place.folder().join(file)).unwrap();
    let chain = CertificateDer::pem_slice_iter(&pem("leaf.pem")).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(&pem("leaf.key")).unwrap();
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let at = place.pbx();
    let listener = TcpListener::bind((at, 5039)).unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((plain, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut secure) = acceptor.accept(plain).await else { return };
                    let mut manager = tokio::net::TcpStream::connect((at, 5038)).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut secure, &mut manager).await;
                });
            }
        });
    });
}

#[test]
fn kh_08_a_manager_that_dies_or_restarts_is_found_again_and_its_default_holds_meanwhile() {
    let place = Place::new();
    let asterisk = Asterisk::start(place.pbx(), SECRET);
    asterisk.queue(0, 3, 41);
    let engine = start(&place, AMI, "reinvite");
    let up = || engine.metric(&place, "carom_source_up{source=\"queue\"}");
    eventually("it is up", || (up() == 1.0).then_some(()));
    assert_eq!(goes_to(&place, &engine), "nobody");
    asterisk.goes_dead(true);
    eventually("no answer in time is down", || (up() == 0.0).then_some(()));
    // What it told is old after two seconds; then its default counts: somebody is there.
    let pbx = Scenario::new("pbx-rejects", place.pbx()).key("status", "486 Busy Here");
    let pbx = pbx.listen(&place);
    eventually("its word is stale", || (goes_to(&place, &engine) == "line").then_some(()));
    drop(pbx);
    asterisk.goes_dead(false);
    let within = Duration::from_secs(12);
    eventually_within(within, "it is up again", || (up() == 1.0).then_some(()));
    let before = asterisk.connections();
    asterisk.restarts();
    eventually_within(within, "a new connection", || {
        (asterisk.connections() > before && up() == 1.0).then_some(())
    });
    let log = engine.log();
    assert!(
        log.contains("source does not answer") && log.contains("source answers again"),
        "{log}"
    );
    assert!(!log.contains(SECRET) && !log.contains("p4ss"), "the password is nobody's business");
}

#[test]
fn a_wrong_password_is_told_and_not_tried_again_and_again() {
    for (source, why) in [(AMI, "Authentication failed"), (ESL, "-ERR invalid")] {
        let place = Place::new();
        let (asterisk, freeswitch) =
            (Asterisk::start(place.pbx(), "other"), Freeswitch::start(place.pbx(), "other"));
        let engine = start(&place, source, "reinvite");
        eventually("it is told", || engine.log().contains(why).then_some(()));
        go_on_for(2_500);
        assert_eq!(asterisk.connections() + freeswitch.connections(), 1, "{source}");
        assert_eq!(engine.metric(&place, "carom_source_up{source=\"queue\"}"), 0.0);
    }
}

#[test]
fn ic_04_a_person_whom_asterisk_tells_of_ends_the_wait_before_any_offer() {
    let place = Place::new();
    let asterisk = Asterisk::start(place.pbx(), SECRET);
    asterisk.queue(1, 0, 10);
    let engine = start(&place, AMI, "ami");
    let (pbx, carrier) = ring(&place);
    let call_id = call_id(&pbx);
    eventually("it listens", || {
        asterisk.asked().iter().any(|asked| asked == "Login Events=agent,call").then_some(())
    });
    let ours =
        ["Channel: PJSIP/carom-00000012", "Uniqueid: 1700000000.18", "Linkedid: 1700000000.18"];
    let says = |event: &str, more: &[&str]| {
        let event = format!("Event: {event}");
        asterisk.event(&[&[event.as_str()], &ours[..], more].concat());
    };
    asterisk.channel("PJSIP/carom-00000012", &call_id);
    asterisk.channel("PJSIP/other-00000013", "somebody-else");
    says("Newchannel", &["ChannelStateDesc: Ring"]);
    says("QueueCallerJoin", &["Queue: service", "Position: 1", "Count: 1"]);
    // Announcements put a queued caller into bridges, too; and the line is busy with others.
    says("BridgeEnter", &["BridgeUniqueid: b1", "BridgeTechnology: simple_bridge"]);
    asterisk.flood(20_000);
    asterisk.event(&[
        "Event: AgentConnect",
        "Channel: PJSIP/other-00000013",
        "Uniqueid: 1700000000.19",
        "Linkedid: 1700000000.19",
        "Queue: service",
    ]);
    let line = engine.time_line();
    assert!(!line.contains("a person"), "not yet, and not by others: {line}");
    says("AgentConnect", &["DestChannel: PJSIP/1001-00000014", "Queue: service", "HoldTime: 3"]);
    eventually("the person is known", || {
        engine.time_line().contains("a person took the call, by ami").then_some(())
    });
    a_person_has_it(&place, &engine, carrier, pbx);
}

#[test]
fn ic_04_a_manager_that_is_lost_while_somebody_waits_may_hide_a_person_so_no_offer_is_made() {
    let place = Place::new();
    let asterisk = Asterisk::start(place.pbx(), SECRET);
    asterisk.queue(1, 0, 10);
    let engine = start(&place, AMI, "ami");
    let up = || engine.metric(&place, "carom_source_up{source=\"queue\"}");
    eventually("it is heard", || (up() == 1.0).then_some(()));
    let (pbx, carrier) = ring(&place);
    assert!(!engine.time_line().contains("not heard"), "{}", engine.time_line());
    asterisk.restarts();
    eventually("it is told", || engine.time_line().contains("ami is not heard").then_some(()));
    carrier.succeeds();
    pbx.succeeds();
    engine.idle();
    let line = engine.time_line();
    assert!(line.contains("forwarded, unknown"), "{line}");
    assert!(!line.contains("queue_offer"), "an agent may be there: {line}");
}

#[test]
fn ic_04_a_call_that_comes_into_the_queue_after_a_reload_took_its_manager_away_hears_no_offer() {
    let place = Place::new();
    let asterisk = Asterisk::start(place.pbx(), SECRET);
    asterisk.queue(1, 0, 10);
    place.beep();
    place.write("secret", SECRET);
    let hello = ["\"beep.wav\""; 12].join(", ");
    let hello = format!("[step.hello]\ndo = \"say\"\nplay = [{hello}]\nthen = \"line\"\n");
    let flow = HEAD.replace("START", "hello").replace("SIGNAL", "ami");
    let config = format!("{CONFIG}{AMI}");
    let engine = Engine::start_with(BIN, &place, &config, &format!("{flow}{hello}{LINE}"));
    let up = || engine.metric(&place, "carom_source_up{source=\"queue\"}");
    eventually("it is heard", || (up() == 1.0).then_some(()));
    let (queue, caller) = (Ear::at(place.pbx()), Ear::at(place.carrier()));
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&queue).listen_once(&place);
    let carrier = Scenario::new("carrier-hangs-up", place.carrier()).ear(&caller).pause_ms(11_000);
    let carrier = carrier.call(&place);
    caller.meets();
    engine.rewrite(&place, "carom.toml", |config| config.split("[source.").next().unwrap().into());
    engine.rewrite(&place, "flows/main.toml", |flow| flow.replace("\"ami\"", "\"reinvite\""));
    let told = engine.cli(&["reload"]);
    assert!(told.status.success(), "{told:?}");
    assert!(!pbx.messages().contains("INVITE"), "it was in no queue when the source was lost");
    carrier.succeeds();
    pbx.succeeds();
    engine.idle();
    let line = engine.time_line();
    assert!(line.contains("ami is not heard") && line.contains("forwarded, unknown"), "{line}");
    assert!(!line.contains("queue_offer"), "an agent may be there: {line}");
}

#[test]
fn a_call_in_no_queue_is_taken_when_its_channel_is_bridged_to_another() {
    let place = Place::new();
    let asterisk = Asterisk::start(place.pbx(), SECRET);
    asterisk.queue(1, 0, 10);
    let engine = start(&place, AMI, "ami");
    let (pbx, carrier) = ring(&place);
    asterisk.channel("PJSIP/carom-00000021", &call_id(&pbx));
    eventually("it listens", || {
        asterisk.asked().iter().any(|asked| asked.starts_with("Login")).then_some(())
    });
    let enters = |bridge: &str, kind: &str, channel: &str, id: &str| {
        let lines = [
            format!("BridgeUniqueid: {bridge}"),
            format!("BridgeTechnology: {kind}"),
            format!("Channel: {channel}"),
            format!("Uniqueid: {id}"),
            format!("Linkedid: {id}"),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        asterisk.event(&[&["Event: BridgeEnter"], &lines[..]].concat());
    };
    for channel in [("PJSIP/carom-00000021", "9.1"), ("PJSIP/x-00000022", "9.2")] {
        enters("h", "holding_bridge", channel.0, channel.1);
    }
    enters("b", "simple_bridge", "PJSIP/carom-00000021", "9.1");
    go_on_for(300);
    assert!(!engine.time_line().contains("a person"), "{}", engine.time_line());
    enters("b", "simple_bridge", "PJSIP/1002-00000023", "9.3");
    eventually("the person is known", || {
        engine.time_line().contains("a person took the call, by ami").then_some(())
    });
    a_person_has_it(&place, &engine, carrier, pbx);
}

#[test]
fn ic_04_freeswitch_tells_its_agents_and_the_one_who_takes_the_call() {
    let place = Place::new();
    let freeswitch = Freeswitch::start(place.pbx(), SECRET);
    freeswitch.queue(0, 2);
    let engine = start(&place, ESL, "esl");
    let told =
        |name: &str| engine.metric(&place, &format!("carom_source_{name}{{source=\"queue\"}}"));
    eventually("the queue is told", || (told("callers_waiting") == 2.0).then_some(()));
    assert_eq!(told("agents_available"), 0.0, "who is busy, on a break or gone is not free");
    let page = carom_blackbox::get(&place, "/metrics");
    assert!(page.contains("carom_source_wait_seconds{source=\"queue\"} NaN"), "it expects none");
    assert_eq!(goes_to(&place, &engine), "nobody");
    freeswitch.queue(3, 2);
    eventually("agents are back", || (told("agents_available") == 3.0).then_some(()));
    // A list of some 400 KB.
    freeswitch.queue(3, 10_000);
    eventually("a crowd is told", || (told("callers_waiting") == 10_000.0).then_some(()));
    freeswitch.queue(3, 2);
    eventually("it is over", || (told("callers_waiting") == 2.0).then_some(()));
    assert!(!engine.log().contains("does not answer"), "{}", engine.log());
    let (pbx, carrier) = ring(&place);
    freeswitch.session("5a0c-1", &call_id(&pbx));
    freeswitch.session("5a0c-2", "somebody-else");
    freeswitch.callcenter("bridge-agent-start", "5a0c-2");
    freeswitch.callcenter("bridge-agent-start", "5a0c-3");
    freeswitch.callcenter("agent-offering", "5a0c-1");
    go_on_for(500);
    let line = engine.time_line();
    assert!(!line.contains("a person"), "an agent who is rung has not answered: {line}");
    freeswitch.callcenter("bridge-agent-start", "5a0c-1");
    eventually("the person is known", || {
        engine.time_line().contains("a person took the call, by esl").then_some(())
    });
    a_person_has_it(&place, &engine, carrier, pbx);
    freeswitch.goes_dead(true);
    eventually("no answer in time is down", || (told("up") == 0.0).then_some(()));
    freeswitch.goes_dead(false);
    freeswitch.restarts();
    eventually_within(Duration::from_secs(12), "up again", || (told("up") == 1.0).then_some(()));
}

#[test]
fn a_client_of_the_api_tells_of_the_person_who_takes_a_call() {
    let place = Place::new();
    let engine = start(&place, "", "api");
    let (pbx, carrier) = ring(&place);
    let id = engine.calls()[0]["call"].as_str().unwrap().to_owned();
    assert_eq!(post(&place, "/v1/calls/nobody/human"), 404);
    assert_eq!(post(&place, &format!("/v1/calls/{id}/human")), 204);
    assert_eq!(post(&place, &format!("/v1/calls/{id}/human")), 204, "told again");
    a_person_has_it(&place, &engine, carrier, pbx);
}

/// The offer is due after five seconds in line, and never made.
fn a_person_has_it(place: &Place, engine: &Engine, carrier: Run, pbx: Run) {
    carrier.succeeds();
    pbx.succeeds();
    engine.idle();
    let line = engine.time_line();
    assert!(line.contains("a person answered") && line.contains("forwarded, human"), "{line}");
    assert!(!line.contains("queue_offer"), "no offer over an agent: {line}");
    let told =
        "SELECT COUNT(*) FROM call WHERE human_answered_ms IS NOT NULL AND handled = 'human'";
    eventually("written", || (Database::of(place).number(told) == 1).then_some(()));
}

fn start(place: &Place, source: &str, signal: &str) -> Engine {
    place.beep();
    place.write("secret", SECRET);
    // Without a source there is nothing to go by.
    let flow = match source {
        "" => format!("{}{LINE}", HEAD.replace("START", "line")),
        _ => format!("{}{SORT}{LINE}", HEAD.replace("START", "sort")),
    };
    let config = format!("{CONFIG}{source}");
    Engine::start_with(BIN, place, &config, &flow.replace("SIGNAL", signal))
}

/// A call that is in the queue of the PBX for eight seconds.
fn ring(place: &Place) -> (Run, Run) {
    let (queue, caller) = (Ear::at(place.pbx()), Ear::at(place.carrier()));
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&queue).listen_once(place);
    let carrier = Scenario::new("carrier-hangs-up", place.carrier()).ear(&caller).pause_ms(8_000);
    let carrier = carrier.call(place);
    pbx.saw("ACK sip:");
    (pbx, carrier)
}

fn call_id(pbx: &Run) -> String {
    let messages = pbx.messages();
    let line = messages.lines().find_map(|line| line.strip_prefix("Call-ID: ")).unwrap();
    line.trim().to_owned()
}

/// The step after `sort` of a call that is made now.
fn goes_to(place: &Place, engine: &Engine) -> String {
    let uri = format!("sip:100@{}", place.engine());
    let answer = call(BIN, place, &uri, &["--from", "+447700900801", "--hang-up-after", "300ms"]);
    assert!(answer.out.contains("\"status\":200"), "{answer:?}");
    engine.idle();
    let line = engine.time_line();
    let steps = ["nobody", "long", "crowd", "line"];
    let went = steps.into_iter().find(|step| line.contains(&format!("{step} (")));
    went.unwrap_or_else(|| panic!("{line}")).to_owned()
}

fn post(place: &Place, path: &str) -> u16 {
    web::status(&web::ask(place, "POST", path, "", ""))
}
