//! Voice bots: callers go to one over SIP and come back, with what it learned.

use std::{io::ErrorKind, net::UdpSocket, process::Command};

use carom_blackbox::{
    CONFIG, Ear, Engine, PCMA, Place, Scenario, eventually, fill, get,
    web::{Crm, Says},
};
use serde_json::{Value, json};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const FLOW: &str = r#"
version = 1

[flow]
name    = "Bot"
default = true
start   = "bot"
human   = "agents"

[target.agents]
sip            = "sip:queue@{carrier}:5070"
answered_means = "human"
ping_seconds   = 0

[target.bot_sip]
sip            = "sip:bot@{pbx}:5060"
headers        = { X-Carom-Context = "{context_url}", X-Carom-Call = "{call_id}" }
ping_seconds   = 0
ring_seconds   = 3

[rule.placed]
field  = "outcome"
equals = ["order placed"]
[rule.big]
field    = "amount"
at_least = 10

[step.bot]
do      = "agent"
target  = "bot_sip"
headers = { X-Language = "{language}", X-Topic = "{intent}" }
save    = { outcome = "X-Outcome", amount = { header = "x-amount", type = "number" } }
then    = "sort"
if_busy = "busy"

[step.sort]
do        = "decide"
case      = [{ if = "placed", go = "sure" }]
otherwise = "agents"
[step.sure]
do        = "decide"
case      = [{ if = "big", go = "done" }]
otherwise = "agents"
[step.done]
do       = "menu"
play     = "beep.wav"
press    = { 1 = "bye", 0 = "agents" }
no_input = "agents"
[step.bye]
do   = "say"
play = "beep.wav"
then = "hangup"
[step.busy]
do   = "say"
play = "beep.wav"
then = "hangup"
fallback = false
"#;

#[test]
fn a_bot_takes_the_caller_gives_him_back_and_says_what_came_of_it() {
    let place = Place::new();
    let engine = start(&place);
    let (caller, bot) = (Ear::at(place.carrier()), Ear::at(place.pbx()));
    let outcome = "\nX-Outcome: order placed\nX-Amount: 12.50\nX-Other: no";
    let pbx = Scenario::new("pbx-hangs-up", place.pbx()).ear(&bot).pause_ms(1_500);
    let pbx = pbx.key("reason", outcome).listen_once(&place);
    let carrier = Scenario::new("carrier-waits", place.carrier()).ear(&caller).call(&place);
    let to_bot = bot.meets();
    bot.is_heard_by(to_bot, PCMA, 0x5c, &caller);
    let messages = pbx.succeeds();
    for header in ["X-Carom-Call: 0", "X-Carom-Context: http", "X-Language: en-GB"] {
        assert!(messages.contains(header), "{header}: {messages}");
    }
    assert!(!messages.contains("X-Topic"), "its field is not known: {messages}");
    // The caller is ours again: a prompt is heard, and a key counts.
    let to = caller.meets();
    eventually("the menu plays", || engine.time_line().contains("done (menu)").then_some(()));
    caller.presses(to, 1);
    carrier.succeeds();
    engine.idle();
    let line = engine.time_line();
    assert!(
        line.contains("bot_sip answered") && line.contains("left by next, talked:1s"),
        "{line}"
    );
    assert!(line.contains("left by 1"), "{line}");
    assert_eq!(engine.calls()[0]["end"], "answered_in_ivr", "{line}");
}

#[test]
fn ex_12_a_bot_reads_what_is_known_of_the_caller_at_the_address_it_was_given() {
    let place = Place::new();
    place.beep();
    let crm = Crm::start(Says::Json(json!({ "customer_id": "c-17" }).to_string()));
    let steps = format!(
        "\n[step.topic]\ndo = \"set\"\nintent = \"billing\"\nthen = \"who\"\n[step.who]\ndo = \"lookup\"\n\
         url = \"{}/caller\"\nsave = [\"customer_id\"]\nthen = \"bot\"\n",
        crm.url()
    );
    let flow = FLOW.replace("start   = \"bot\"", "start   = \"topic\"") + &steps;
    let engine = Engine::start_with(BIN, &place, CONFIG, &flow);
    let (caller, bot) = (Ear::at(place.carrier()), Ear::at(place.pbx()));
    let pbx = Scenario::new("pbx-hangs-up", place.pbx()).ear(&bot).pause_ms(3_000);
    let pbx = pbx.key("reason", "").listen_once(&place);
    let carrier = Scenario::new("carrier-waits", place.carrier()).ear(&caller).call(&place);
    bot.meets();
    let messages = pbx.messages();
    assert!(messages.contains("X-Topic: billing"), "{messages}");
    let url = messages.lines().find_map(|line| line.strip_prefix("X-Carom-Context: ")).unwrap();
    let path = url.trim().split_once(":8080").unwrap().1.to_owned();
    let told: Value = eventually("the way so far is written", || {
        let page = get(&place, &path);
        let told: Value = serde_json::from_str(page.split_once("\r\n\r\n")?.1).ok()?;
        (told["steps"].as_array()?.len() >= 2 && told["known"].is_object()).then_some(told)
    });
    assert_eq!(told["intent"], "billing", "{told}");
    assert_eq!(told["known"]["customer_id"], "c-17", "{told}");
    pbx.succeeds();
    drop(carrier);
    drop(engine);
}

#[test]
fn a_bot_hands_the_caller_back_by_refer_and_another_address_is_never_called() {
    let flow = FLOW
        .replace("save    = {", "save    = { wanted = \"Refer-To\",")
        .replace(
            "[rule.big]",
            "[rule.to_agents]\nfield  = \"wanted\"\nequals = [\"agents\"]\n[rule.big]",
        )
        .replace(
            "case      = [{ if = \"placed\"",
            "case      = [{ if = \"to_agents\", go = \"agents\" }, { if = \"placed\"",
        );
    let place = Place::new();
    place.beep();
    let engine = Engine::start_with(BIN, &place, CONFIG, &flow);
    let outcome = "\nX-Outcome: order placed\nX-Amount: 12.50";
    let fraud = format!("sip:+3531190@{}:5071", place.carrier());
    let elsewhere = UdpSocket::bind((place.carrier(), 5071)).unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let to_agents = format!("sip:queue@{}:5070;user=phone", place.carrier());
    for (refer_to, expected, carrier) in [
        (&fraud, "done (menu)", "carrier-hangs-up"),
        (&to_agents, "calling agents", "carrier-waits"),
    ] {
        let (caller, bot) = (Ear::at(place.carrier()), Ear::at(place.pbx()));
        let pbx = Scenario::new("pbx-refers", place.pbx()).ear(&bot).pause_ms(500);
        let pbx = pbx.key("reason", outcome).key("refer_to", refer_to).listen_once(&place);
        let carrier = Scenario::new(carrier, place.carrier()).ear(&caller).pause_ms(3_000);
        let carrier = carrier.call(&place);
        pbx.succeeds();
        let line = eventually(expected, || {
            Some(engine.time_line()).filter(|line| line.contains(expected))
        });
        assert!(line.contains("left by next, talked:"), "{line}");
        carrier.succeeds();
        engine.idle();
    }
    let called = elsewhere.recv(&mut [0; 1_500]);
    assert_eq!(called.unwrap_err().kind(), ErrorKind::WouldBlock, "nobody calls what a bot names");
}

#[test]
fn a_bot_that_is_busy_sends_the_caller_on_by_its_step() {
    let place = Place::new();
    let engine = start(&place);
    let pbx = Scenario::new("pbx-rejects", place.pbx()).key("status", "486 Busy Here");
    let pbx = pbx.listen(&place);
    let caller = Ear::at(place.carrier());
    Scenario::new("carrier-waits", place.carrier()).ear(&caller).call(&place).succeeds();
    drop(pbx);
    engine.idle();
    let line = engine.time_line();
    assert!(line.contains("left by error, busy:486") && line.contains("busy (say)"), "{line}");
}

#[test]
fn a_caller_who_hangs_up_ends_the_bot_too_and_nothing_is_left() {
    let place = Place::new();
    let engine = start(&place);
    let (caller, bot) = (Ear::at(place.carrier()), Ear::at(place.pbx()));
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&bot).listen_once(&place);
    let carrier = Scenario::new("carrier-hangs-up", place.carrier()).ear(&caller).pause_ms(1_000);
    carrier.call(&place).succeeds();
    assert!(pbx.succeeds().contains("\nBYE sip:"));
    engine.idle();
    assert_eq!(engine.calls()[0]["end"], "caller_hangup", "{}", engine.time_line());
}

#[test]
fn a_test_of_a_flow_says_what_the_bot_does() {
    let place = Place::new();
    place.beep();
    place.write("flows/main.toml", &fill(&place, FLOW));
    let config = place.write("carom.toml", &fill(&place, CONFIG));
    place.write("flows/main.flowtest.toml", TESTS);
    let told = Command::new(BIN).args(["test", "-c"]).arg(config).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("5 tests, 0 failed"), "{told}");
}

const TESTS: &str = r#"
[[test]]
name   = "it sold something"
agents = { bot = { outcome = "order placed", amount = "12.50" } }
do     = ["silence", "1"]
[test.expect]
path    = ["bot next", "sort next", "sure next", "done 1", "bye next"]
targets = ["bot_sip"]
end     = "answered_in_ivr"
[[test]]
name   = "what it says is no amount"
agents = { bot = { outcome = "order placed", amount = "much" } }
do     = ["silence"]
[test.expect]
path    = ["bot next", "sort next", "sure next"]
targets = ["bot_sip", "agents"]
[[test]]
name    = "it is busy"
targets = { bot_sip = "busy" }
[test.expect]
path = ["bot error", "busy next"]
[[test]]
name   = "it never ends"
agents = { bot = "stays" }
do     = ["wait 299s", "silence"]
[test.expect]
path    = ["bot timeout"]
handled = "human"
[[test]]
name   = "it breaks off"
agents = { bot = "breaks-off" }
do     = ["silence"]
[test.expect]
path    = ["bot error"]
targets = ["bot_sip", "agents"]
"#;

fn start(place: &Place) -> Engine {
    place.beep();
    Engine::start_with(BIN, place, CONFIG, FLOW)
}
