//! IC-06 through the whole program: a yes in the call brings one text after it, and only then.

use carom_blackbox::{
    CONFIG, Database, Engine, Place, call, eventually, go_on_for, twilio::Twilio,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const FLOW: &str = r#"
version = 1

[flow]
name           = "Test line"
default        = true
start          = "welcome"
human          = "agents"
ask_again_days = 0

[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0

[link.orders]
url      = "https://shop.example.com/orders"
staffing = "self-service"
intents  = ["any"]

[step.welcome]
do       = "menu"
intent   = "orders"
play     = "welcome.wav"
press    = { 1 = "text_me", 0 = "agents" }
no_input = "agents"

[step.text_me]
do          = "text"
link        = "orders"
message     = "Example: your order page {link}"
wait_prompt = "none"
sent_prompt = "none"
then        = "sent"
if_fails    = "agents"

[step.sent]
do       = "menu"
play     = "sent.wav"
press    = { 5 = "yes", 0 = "agents" }
no_input = "hangup"

[step.yes]
do      = "set"
consent = "follow_up"
then    = "hangup"

[after_call.nudge]
when_intent   = ["orders"]
needs_consent = "follow_up"
delay_minutes = 0
quiet_hours   = { from = "00:00", to = "00:00" }
link          = "orders"
message       = "Example: next time one tap away {link} Reply STOP to opt out."

[after_call.tomorrow]
needs_consent = "follow_up"
delay_minutes = 1440
quiet_hours   = { from = "20:00", to = "09:00", zone = "caller" }
link          = "orders"
message       = "Example: a day later {link} Reply STOP to opt out."
"#;

#[test]
fn ic_06_after_a_yes_one_text_follows_the_call_and_without_it_none() {
    let place = Place::new();
    let twilio = Twilio::start(&place);
    let (before, http) = CONFIG.split_once("[provider.sandbox]").unwrap();
    let http = http.split_once("[http]").unwrap().1;
    let http = format!("\n[http]\npublic_url = \"http://{{engine}}:8080\"{http}");
    let limits = "\n[limits]\ntexts_per_caller = { per_hour = 9, per_day = 9 }\n";
    let config = before.to_owned() + &twilio.config(&place) + &http + limits;
    let mut engine = Engine::start_with(BIN, &place, &config, FLOW);

    let uri = format!("sip:100@{}", place.engine());
    let yes = ["--from", "+447700900171", "--press", "1@1200ms", "--press", "5@4500ms"];
    let no = ["--from", "+447700900172", "--press", "1@1200ms", "--hang-up-after", "5s"];
    std::thread::scope(|scope| {
        scope.spawn(|| call(BIN, &place, &uri, &yes));
        scope.spawn(|| call(BIN, &place, &uri, &no));
    });
    engine.idle();
    let to_yes = || twilio.posted_to("+447700900171");
    eventually("the follow-up", || (to_yes().len() == 2).then_some(()));
    assert!(to_yes()[0]["Body"].contains("your order page"));
    assert!(to_yes()[1]["Body"].contains("one tap away"));

    let id = engine.calls().iter().find(|c| c["caller"].as_str().unwrap().ends_with("71")).unwrap()
        ["call"]
        .as_str()
        .unwrap()
        .to_owned();
    let line = engine.cli(&["calls", &id]).out;
    assert!(line.contains("nudge follows at 20"), "{line}");

    // Killed and started again, it sends nothing twice and still has tomorrow's.
    engine.kill();
    engine.restart();
    go_on_for(2_500);
    let all = twilio.posted();
    assert_eq!(all.len(), 3, "{all:?}");
    let store = Database::of(&place);
    let rows = "SELECT m.template || ' ' || m.state || ' ' || k.purpose || ' ' || k.pressed || ' ' \
                || k.step FROM message m JOIN consent k ON k.consent_id = m.consent_id \
                WHERE m.purpose = 'follow_up' ORDER BY m.template";
    assert_eq!(
        store.texts(rows),
        [
            "after_call.nudge accepted follow_up 5 sent",
            "after_call.tomorrow queued follow_up 5 sent"
        ]
    );
}
