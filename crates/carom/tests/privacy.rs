//! What personal data is nowhere to be found (decisions §1).

use std::{fs, path::Path};

use carom_blackbox::{
    Answer, CONFIG, Cluster, Database, Engine, Place, Scenario, call, eventually, get,
    twilio::{ACCOUNT, TOKEN, Twilio, post},
    web::{self, SAFARI},
};
use deflect_actions::provider::twilio::signature;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
/// One caller takes the text, one wants a person, one wants no texts.
const CALLERS: [&str; 3] = ["7700900271", "7700900382", "7700900493"];
/// The text as it is sent; the flow, which the database keeps, has it in pieces.
const BODY: &str = "Example: http";
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
kind     = "signed"
url      = "https://help.example.com/chat"
context_level = "L0"
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
fn no_number_text_digit_or_token_is_in_logs_of_any_level_time_lines_metrics_or_the_database() {
    search(&Place::new(), None);
}

#[test]
fn no_number_text_digit_or_token_is_in_the_rows_the_files_or_the_log_of_postgresql() {
    let place = Place::new();
    let cluster = Cluster::start(&place);
    search(&place, Some(cluster));
}

/// Plays the calls, and looks everywhere.
fn search(place: &Place, cluster: Option<Cluster>) {
    let twilio = Twilio::start(place);
    let (before, http) = CONFIG.split_once("[provider.sandbox]").unwrap();
    let http = http.split_once("[http]").unwrap().1;
    let config = format!("{before}{}\n[http]{http}", twilio.config(place));
    let config = format!("{config}public_url = \"http://{{engine}}:8080\"\n");
    let store = cluster.as_ref().map(|it| format!("[store]\nurl = \"{}\"\n", it.url()));
    let config = config + &store.unwrap_or_default();
    let mut engine = Engine::tracing(BIN, place, &config, FLOW);
    let pbx = Scenario::new("pbx-answers", place.pbx()).listen(place);

    let uri = format!("sip:100@{}", place.engine());
    let [texted, forwarded, opted_out] = CALLERS.map(|number| format!("+44{number}"));
    let run =
        |from: &str, args: &[&str]| call(BIN, place, &uri, &[&["--from", from], args].concat());
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
    assert!(post(place, inbound, &stop, &signature).starts_with("HTTP/1.1 200"));
    assert!(post(place, inbound, &stop, "forged").starts_with("HTTP/1.1 403"));
    engine.idle();
    assert_eq!(twilio.posted_to(&texted).len(), 1);
    assert!(pbx.messages().contains("INVITE sip:agents@"));
    let text = twilio.posted_to(&texted)[0]["Body"].clone();
    let link = text.split_once(":8080").expect("a link").1.trim().to_owned();
    let token = link.strip_prefix("/l/").expect("a page of ours").to_owned();
    let cookie = follows(place, &link);

    let mut seen = vec![
        ("metrics".to_owned(), get(place, "/metrics")),
        ("ready".to_owned(), get(place, "/readyz")),
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
    look_into_files(place, &mut seen);
    if let Some(cluster) = &cluster {
        look_into_cluster(cluster, &mut seen);
    }
    let database = if cluster.is_some() { "rows of offer" } else { "carom.db" };
    let has_rows = |name: &str, text: &str| name.contains(database) && text.contains("accepted");
    assert!(seen.iter().any(|(name, text)| has_rows(name, text)), "the calls are in the database");
    let log = &engine.log();
    assert!(log.contains("\"TRACE\"") && log.contains("\"DEBUG\""), "all is logged");
    assert!(log.contains("deflected") && log.contains("forwarded"), "{log}");
    let basic = "QUMwMDAwMDAwMDAwMDAw";
    // Fewer digits stand by chance in some random id.
    let secrets = [BODY, DIGITS, &DIGITS[..8], TOKEN, ACCOUNT, basic, &token, &cookie];
    for secret in CALLERS.into_iter().chain(secrets) {
        is_nowhere(secret, &seen);
    }
}

/// A person opens the link and presses its button; returns the value of the cookie that they got.
fn follows(place: &Place, link: &str) -> String {
    let asks = |method: &str, cookie: &str, body: &str| {
        web::ask(place, method, link, &format!("{SAFARI}{cookie}{}", web::FORM), body)
    };
    let page = asks("GET", "", "");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    let head = page.split("\r\n\r\n").next().unwrap();
    let is_cookie = |line: &&str| line.to_ascii_lowercase().starts_with("set-cookie: ");
    let cookie = head.lines().find(is_cookie).expect("a cookie").split_once(": ").unwrap().1;
    let pair = cookie.split(';').next().unwrap();
    let pressed = asks("POST", &format!("Cookie: {pair}\r\n"), "to=0");
    assert!(
        pressed.starts_with("HTTP/1.1 200") || pressed.starts_with("HTTP/1.1 303"),
        "{pressed}"
    );
    pair.split_once('=').unwrap().1.to_owned()
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

/// The rows of all its tables, then what it has written, packed as it is.
pub fn look_into_cluster(cluster: &Cluster, seen: &mut Vec<(String, String)>) {
    let database = Database::at(cluster.url());
    let tables = "SELECT table_name::TEXT FROM information_schema.tables \
                  WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";
    for table in database.texts(tables) {
        let rows = format!("SELECT CAST(one AS TEXT) FROM \"{table}\" AS one");
        seen.push((format!("rows of {table}"), database.texts(&rows).join("\n")));
    }
    cluster.down();
    for path in cluster.files() {
        seen.push((path.display().to_string(), read(&path)));
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
