//! EX-30: whoever talks with the caller has a link sent, by a feature code or by the API.

use carom_blackbox::{
    CONFIG, Database, Ear, Engine, Place, Run, Scenario, eventually, go_on_for, web,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const FLOW: &str = r#"
version = 1

[flow]
name    = "Helped"
default = true
start   = "go"
human   = "agents"

[target.agents]
sip            = "sip:queue@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0
feature_code   = "*7"
send_link      = "link_text"

[link.chat]
url      = "https://help.example.com/chat"
staffing = "self-service"
intents  = ["any"]

[step.go]
do     = "set"
intent = "help"
then   = "agents"

[step.link_text]
do       = "text"
link     = "chat"
message  = "Example: {link}"
then     = "hangup"
if_fails = "agents"
"#;

/// RFC 4733 event of `*`.
const STAR: u8 = 10;

#[test]
fn ex_30_an_agent_s_feature_code_sends_the_link_mid_call_and_is_heard_by_nobody() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, FLOW);
    let (caller, agent) = (Ear::at(place.carrier()), Ear::at(place.pbx()));
    let (carrier, pbx) = bridge(&place, &caller, &agent, 9_000, "+447700900123");
    let to_agent = agent.meets();
    agent.presses(to_agent, STAR);
    agent.presses(to_agent, 7);
    sent(&place, &engine);
    // What is no code goes to the caller as ever, what may begin one with it.
    agent.presses(to_agent, STAR);
    agent.presses(to_agent, 5);
    let mut keys = Vec::new();
    eventually("the other keys are relayed", || {
        let events = caller.heard().into_iter().filter(|packet| packet.pt == 101);
        keys.extend(events.map(|packet| packet.payload[0]));
        keys.dedup();
        (keys == [STAR, 5]).then_some(())
    });
    // So does one that nothing follows.
    agent.presses(to_agent, STAR);
    eventually("a key on its own is relayed", || {
        let events = caller.heard().into_iter().filter(|packet| packet.pt == 101);
        keys.extend(events.map(|packet| packet.payload[0]));
        keys.dedup();
        (keys == [STAR, 5, STAR]).then_some(())
    });
    carrier.succeeds();
    pbx.succeeds();
    engine.idle();
    let line = engine.time_line();
    assert!(line.contains("a link is sent, agent_initiated"), "{line}");
    assert!(line.contains("forwarded, human"), "not deflected: {line}");
    assert!(!engine.log().contains("*7"), "digits of a bridge are written nowhere");
}

#[test]
fn ex_30_a_client_sends_the_link_mid_call_within_the_rules_of_all_texts() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, FLOW);
    let (caller, agent) = (Ear::at(place.carrier()), Ear::at(place.pbx()));
    let (carrier, pbx) = bridge(&place, &caller, &agent, 2_500, "+447700900123");
    agent.meets();
    let id = running(&engine);
    let order = |id: &str| post(&place, &format!("/v1/calls/{id}/send-link"), "");
    assert_eq!(order("nobody").0, 404);
    assert_eq!(order(&id).0, 202);
    sent(&place, &engine);
    assert_eq!(order(&id).0, 202, "the same text again within minutes is a duplicate");
    carrier.succeeds();
    pbx.succeeds();
    engine.idle();
    let texts = "SELECT COUNT(*) FROM message";
    assert_eq!(Database::of(&place).number(texts), 1);
    assert_eq!(order(&id).0, 404, "it is over");

    // Whoever wants no texts gets none, whoever orders them.
    let no = "{\"number\":\"+447700900123\"}";
    assert_eq!(post(&place, "/v1/optouts", no).0, 204);
    let (carrier, pbx) = bridge(&place, &caller, &agent, 1_500, "+447700900123");
    let (status, body) = order(&running(&engine));
    assert_eq!(status, 409, "{body}");
    assert!(body.contains("opted_out"), "{body}");
    carrier.succeeds();
    pbx.succeeds();
    engine.idle();
    assert_eq!(Database::of(&place).number(texts), 1);
}

#[test]
fn ex_30_a_number_to_be_confirmed_is_confirmed_to_the_agent_who_says_so() {
    let place = Place::new();
    let config = CONFIG.replace("trusted    = true", "trusted = true\ncaller_id = \"confirm\"");
    let engine = Engine::start_with(BIN, &place, &config, FLOW);
    let (caller, agent) = (Ear::at(place.carrier()), Ear::at(place.pbx()));
    let (carrier, pbx) = bridge(&place, &caller, &agent, 1_500, "+447700900123");
    agent.meets();
    let path = format!("/v1/calls/{}/send-link", running(&engine));
    let (status, body) = post(&place, &path, "");
    assert!(status == 409 && body.contains("number_not_confirmed"), "{body}");
    assert_eq!(post(&place, &format!("{path}?number_confirmed=maybe"), "").0, 400);
    assert_eq!(post(&place, &format!("{path}?number_confirmed=true"), "").0, 202);
    sent(&place, &engine);
    carrier.succeeds();
    pbx.succeeds();
}

/// Offer, consent and text of the one link that was sent.
fn sent(place: &Place, engine: &Engine) {
    let rows = "SELECT stage || ' ' || response || ' ' || reason FROM offer";
    let offers = eventually("the offer is written", || {
        Some(Database::of(place).texts(rows)).filter(|rows| !rows.is_empty())
    });
    assert_eq!(offers, ["agent accepted agent_initiated"], "{}", engine.time_line());
    let consent =
        "SELECT COUNT(*) FROM consent WHERE prompt_id = 'agent_initiated' AND pressed IS NULL";
    eventually("the consent is written", || {
        (Database::of(place).number(consent) == 1).then_some(())
    });
    let text = "SELECT COUNT(*) FROM message WHERE state IN ('accepted', 'sent', 'delivered')";
    eventually("the text is sent", || (Database::of(place).number(text) == 1).then_some(()));
    assert!(engine.calls()[0]["ended_ms"].is_null(), "the call goes on");
}

fn bridge(place: &Place, caller: &Ear, agent: &Ear, ms: u32, from: &str) -> (Run, Run) {
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(agent).listen_once(place);
    let carrier = Scenario::new("carrier-hangs-up", place.carrier()).ear(caller).pause_ms(ms);
    let carrier = carrier.key("caller", from).call(place);
    pbx.saw("ACK sip:");
    go_on_for(100);
    (carrier, pbx)
}

fn running(engine: &Engine) -> String {
    engine.calls()[0]["call"].as_str().unwrap().to_owned()
}

fn post(place: &Place, path: &str, body: &str) -> (u16, String) {
    let answer = web::ask(place, "POST", path, web::JSON, body);
    (web::status(&answer), answer)
}
