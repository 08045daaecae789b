//! What the person at the PBX learns of a caller, so that nobody has to say anything twice.

use std::thread;

use carom_blackbox::{
    CONFIG, Ear, Engine, Place, Scenario, call, eventually, get,
    web::{Crm, Says},
};
use serde_json::{Value, json};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const FLOW: &str = r#"
version = 1
[flow]
name    = "Context"
default = true
start   = "who"
human   = "agents"
[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0
headers        = { X-Carom-Context = "{context_url}", X-Priority = "high" }
[step.who]
do       = "lookup"
url      = "{crm}/caller/{caller_key}"
save     = ["customer_id", "customer_type"]
then     = "account"
if_fails = "agents"
[step.account]
do       = "collect"
save     = "account"
play     = "beep.wav"
min      = 6
max      = 6
then     = "pin"
no_input = "agents"
[step.pin]
do       = "collect"
save     = "pin"
secret   = true
play     = "beep.wav"
min      = 4
max      = 4
then     = "about"
no_input = "agents"
[step.about]
do     = "set"
intent = "billing_dispute"
then   = "agents"
"#;

#[test]
fn dp_17_dp_20_ex_12_the_agent_finds_at_one_address_what_the_caller_typed_and_the_crm_said() {
    let place = Place::new();
    place.beep();
    place.write("hook", "hook secret");
    let crm = Crm::start(Says::Json(
        json!({ "customer_id": "c-17", "customer_type": "basic" }).to_string(),
    ));
    let webhook = format!(
        "\nwebhooks = [{{ url = \"{}/crm\", secret = \"file:hook\", events = [\"call.forwarded\", \"call.answered\", \"call.ended\"] }}]\n",
        crm.url()
    );
    let flow = FLOW.replace("{crm}", &crm.url());
    let engine = Engine::start_with(BIN, &place, &format!("{CONFIG}{webhook}"), &flow);
    let agent = Ear::at(place.pbx());
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&agent).listen_once(&place);
    let uri = format!("sip:100@{}", place.engine());
    let digits: Vec<String> = "1234569876"
        .chars()
        .zip(0..)
        .map(|(key, n)| format!("{key}@{}ms", 800 + 300 * n + if n > 5 { 900 } else { 0 }))
        .collect();
    let mut args: Vec<&str> = digits.iter().flat_map(|key| ["--press", key.as_str()]).collect();
    args.extend(["--hang-up-after", "9s"]);
    let (path, told) = thread::scope(|scope| {
        scope.spawn(|| call(BIN, &place, &uri, &args));
        pbx.saw("X-Carom-Context: ");
        let messages = pbx.messages();
        assert!(messages.contains("X-Priority: high"), "{messages}");
        let url = messages.lines().find_map(|line| line.strip_prefix("X-Carom-Context: ")).unwrap();
        let path = url.trim().split_once(":8080").unwrap().1.to_owned();
        let told = eventually("the way so far is written", || {
            let page = get(&place, &path);
            let told: Value = serde_json::from_str(page.split_once("\r\n\r\n")?.1).ok()?;
            (told["steps"].as_array()?.len() == 4 && told["known"].is_object()).then_some(told)
        });
        // DP-17: the CRM hears of it while the two talk.
        for kind in ["call.forwarded", "call.answered"] {
            let pushed = eventually(kind, || told_of(&crm, kind));
            assert_eq!(pushed["context_url"], url.trim(), "{pushed}");
            assert_eq!(pushed["forward_target"], "agents", "{pushed}");
            assert_eq!(pushed["intent"], "billing_dispute", "{pushed}");
            assert!(!pushed.to_string().contains("+447"), "{pushed}");
        }
        assert_eq!(told_of(&crm, "call.ended"), None, "they talk yet");
        (path, told)
    });
    let steps: Vec<_> =
        told["steps"].as_array().unwrap().iter().map(|step| &step["step"]).collect();
    assert_eq!(steps, ["who", "account", "pin", "about"]);
    assert_eq!(told["intent"], "billing_dispute");
    let known = json!({
        "account": "***456", "customer_id": "c-17", "customer_type": "basic", "site_visits": "0",
    });
    assert_eq!(told["known"], known, "no secret, no whole number");
    pbx.succeeds();
    engine.idle();
    // When the call is over the digits are gone, and the CRM is told how it went.
    let page = get(&place, &path);
    assert!(!page.contains("known") && !page.contains("***"), "{page}");
    let pushed = eventually("the CRM is told", || told_of(&crm, "call.ended"));
    assert_eq!(pushed["call_id"], told["call_id"]);
    assert_eq!(pushed["intent"], "billing_dispute", "{pushed}");
}

/// The event of a kind that the CRM was told.
fn told_of(crm: &Crm, kind: &str) -> Option<Value> {
    let asked = crm.asked().into_iter().filter(|asked| asked.path == "/crm");
    let mut told = asked.filter_map(|asked| serde_json::from_str::<Value>(&asked.body).ok());
    told.find(|told| told["type"] == kind)
}

const MENU: &str = r#"
version = 1
[flow]
name    = "Disputes"
default = true
start   = "menu"
human   = "agents"
priority_intents = ["dispute"]
[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0
[step.menu]
do       = "menu"
play     = "beep.wav"
press    = { 1 = "dispute", 2 = "orders", 0 = "agents" }
no_input = "agents"
[step.dispute]
do     = "set"
intent = "dispute"
then   = "agents"
[step.orders]
do     = "set"
intent = "orders"
then   = "agents"
"#;

#[test]
fn ex_19_dp_20_a_dispute_is_put_through_as_urgent_and_nothing_else_is() {
    let place = Place::new();
    place.beep();
    let engine = Engine::start_with(BIN, &place, CONFIG, MENU);
    for (key, urgent) in [("1", true), ("2", false)] {
        let agent = Ear::at(place.pbx());
        let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&agent).listen_once(&place);
        let uri = format!("sip:100@{}", place.engine());
        let _ = call(
            BIN,
            &place,
            &uri,
            &["--press", &format!("{key}@1500ms"), "--hang-up-after", "4s"],
        );
        let messages = pbx.succeeds();
        assert!(messages.contains("INVITE sip:agents@"), "{messages}");
        assert_eq!(messages.contains("\nPriority: urgent\r\n"), urgent, "{key}: {messages}");
        engine.idle();
    }
}
