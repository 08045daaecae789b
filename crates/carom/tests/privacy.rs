//! What personal data is nowhere to be found (decisions §1).

use std::{fs, path::Path};

use carom_blackbox::{
    Answer, CONFIG, Engine, Place, Scenario, call, eventually, get,
    twilio::{ACCOUNT, TOKEN, Twilio, post},
};
use deflect_actions::provider::twilio::signature;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
/// One caller takes the text, one wants a person, one wants no texts.
const CALLERS: [&str; 3] = ["7700900271", "7700900382", "7700900493"];
/// The text as it is sent; the flow, which the database keeps, has it in pieces.
const BODY: &str = "Example: https";
/// Keys pressed to the person, as a caller types a card number.
const DIGITS: &str = "49927398716";

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
ring_seconds   = 5
ping_seconds   = 0

[link.chat]
url      = "https://help.example.com/chat"
staffing = "self-service"
intents  = ["any"]

[step.welcome]
do       = "menu"
play     = "welcome.wav"
press    = { 1 = "text_me", 8 = "no_texts", 0 = "agents" }
no_input = "agents"

[step.no_texts]
do       = "opt-out"
play     = "confirm-opt-out.wav"
confirm  = "1"
then     = "hangup"
no_input = "agents"

[step.text_me]
do          = "text"
link        = "chat"
message     = "Example: {link}"
sent_prompt = "goodbye.wav"
then        = "hangup"
if_fails    = "agents"
"#;

#[test]
fn no_number_text_digit_or_token_is_in_logs_time_lines_metrics_or_the_database() {
    let place = Place::new();
    let twilio = Twilio::start(&place);
    let (before, http) = CONFIG.split_once("[provider.sandbox]").unwrap();
    let http = http.split_once("[http]").unwrap().1;
    let config = format!("{before}{}\n[http]{http}", twilio.config(&place));
    let config = format!("{config}public_url = \"http://{{engine}}:8080\"\n");
    let mut engine = Engine::start_with(BIN, &place, &config, FLOW);
    let pbx = Scenario::new("pbx-answers", place.pbx()).listen(&place);

    let uri = format!("sip:100@{}", place.engine());
    let [texted, forwarded, opted_out] = CALLERS.map(|number| format!("+44{number}"));
    let run =
        |from: &str, args: &[&str]| call(BIN, &place, &uri, &[&["--from", from], args].concat());
    let _ = run(&texted, &["--press", "1@1200ms"]);
    let typed: Vec<String> = DIGITS
        .chars()
        .enumerate()
        .map(|(n, digit)| format!("{digit}@{}ms", 1_500 + 250 * n))
        .collect();
    let typed = typed.iter().flat_map(|key| ["--press", key.as_str()]);
    let keys: Vec<&str> =
        ["--press", "0@500ms", "--hang-up-after", "5s"].into_iter().chain(typed).collect();
    let _ = run(&forwarded, &keys);
    let _ = run(&opted_out, &["--press", "8@600ms", "--press", "1@2s"]);
    let inbound = "/webhooks/twilio/twilio/inbound";
    let stop = [("From", texted.as_str()), ("To", "+447700900999"), ("Body", "stop")];
    let owned: Vec<_> = stop.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let signature = signature(TOKEN, &format!("http://{}:8080{inbound}", place.engine()), &owned);
    assert!(post(&place, inbound, &stop, &signature).starts_with("HTTP/1.1 200"));
    assert!(post(&place, inbound, &stop, "forged").starts_with("HTTP/1.1 403"));
    engine.idle();
    assert_eq!(twilio.posted_to(&texted).len(), 1);
    assert!(pbx.messages().contains("INVITE sip:agents@"));

    let mut seen = vec![
        ("metrics".to_owned(), get(&place, "/metrics")),
        ("ready".to_owned(), get(&place, "/readyz")),
    ];
    let ends: Vec<_> = engine.calls().iter().map(|call| call["end"].to_string()).collect();
    for end in ["deflected", "forwarded"] {
        assert!(ends.iter().any(|is| is.contains(end)), "{ends:?}");
    }
    look(&engine, &mut seen);
    engine.signal("TERM");
    assert!(engine.ended().success());
    engine.restart();
    eventually("the calls of before", || (engine.calls().len() == 3).then_some(()));
    // Now from the store.
    look(&engine, &mut seen);
    seen.push(("log".to_owned(), engine.log()));
    engine.kill();
    look_into_files(&place, &mut seen);
    let has_rows = |name: &str, text: &str| name.contains("carom.db") && text.contains("accepted");
    assert!(seen.iter().any(|(name, text)| has_rows(name, text)), "the calls are in the database");
    let log = &engine.log();
    assert!(log.contains("deflected") && log.contains("forwarded"), "{log}");
    let basic = "QUMwMDAwMDAwMDAwMDAw";
    // Fewer digits stand by chance in some random id.
    for secret in CALLERS.into_iter().chain([BODY, DIGITS, &DIGITS[..8], TOKEN, ACCOUNT, basic]) {
        is_nowhere(secret, &seen);
    }
}

/// A secret is in nothing that was seen: names, and what is there.
pub fn is_nowhere(secret: &str, seen: &[(String, String)]) {
    for (name, text) in seen {
        let at = text.find(secret);
        let around =
            at.map(|at| text[at.saturating_sub(200)..].chars().take(400).collect::<String>());
        assert_eq!(around, None, "{secret} in {name}");
    }
}

/// The files that a node makes: the database, and what is not yet in it.
pub fn look_into_files(place: &Place, seen: &mut Vec<(String, String)>) {
    for file in fs::read_dir(place.folder().join("var")).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            seen.push((path.display().to_string(), read(&path)));
        }
    }
}

/// All that the commands tell, each call's time line among it.
pub fn look(engine: &Engine, seen: &mut Vec<(String, String)>) {
    let mut note = |args: &[&str]| {
        let Answer { out, err, .. } = engine.cli(args);
        seen.push((format!("carom {}", args.join(" ")), out + &err));
    };
    note(&["status"]);
    note(&["messages"]);
    note(&["messages", "--json"]);
    note(&["calls"]);
    note(&["calls", "--json"]);
    for call in engine.calls() {
        let id = call["call"].as_str().unwrap();
        note(&["calls", id]);
        note(&["calls", id, "--json"]);
    }
}

/// A file's octets; those that are no ASCII stand as dots.
fn read(path: &Path) -> String {
    let octets = fs::read(path).unwrap();
    octets.into_iter().map(|octet| if octet.is_ascii() { char::from(octet) } else { '.' }).collect()
}
