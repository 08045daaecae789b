//! A running node as its operator meets it: what the commands answer, to good and to bad words.

use carom_blackbox::{CONFIG, Database, Engine, FLOW, KEYS, Place, call, eventually};
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
/// Tests a flag.
const FLAGGED: &str = r#"
[rule.outage]
flag = "outage"

[step.sort]
do        = "decide"
case      = [{ if = "outage", go = "agents" }]
otherwise = "welcome"
"#;

#[test]
fn a_call_is_found_by_a_unique_beginning_of_its_id_or_by_a_sip_call_id() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, FLOW);
    let uri = format!("sip:100@{}", place.engine());
    for _ in 0..2 {
        assert!(call(BIN, &place, &uri, &["--hang-up-after", "100ms"]).out.contains("200"));
    }
    engine.idle();
    let ids: Vec<String> =
        engine.calls().iter().map(|call| call["call"].as_str().unwrap().to_owned()).collect();
    let common = ids[0].bytes().zip(ids[1].bytes()).take_while(|(a, b)| a == b).count();
    for beginning in ["", &ids[0][..1], &ids[0][..common]] {
        let told = engine.cli(&["calls", beginning]);
        assert!(!told.status.success(), "{beginning}: {told:?}");
        assert!(ids.iter().all(|id| told.err.contains(id)), "{beginning}: {told:?}");
    }
    for id in [&ids[0][..=common], &ids[0]] {
        let told = engine.cli(&["calls", id]);
        assert!(told.status.success() && told.out.contains(&ids[0]), "{id}: {told:?}");
    }
    let told = engine.cli(&["calls", "no-such-call"]);
    assert!(!told.status.success() && told.err.contains("no call"), "{told:?}");

    let database = Database::of(&place);
    let sql = format!("SELECT sip_call_id_a FROM call WHERE call_id = '{}'", ids[1]);
    let sip = eventually("it is written", || database.texts(&sql).pop());
    let told = engine.cli(&["calls", &sip]);
    assert!(told.out.contains(&ids[1]) && told.out.contains("us → caller  200"), "{told:?}");
}

#[test]
fn each_call_is_one_line_of_the_log_in_either_format() {
    for format in ["text", "json"] {
        let place = Place::new();
        let engine = Engine::logging(BIN, &place, CONFIG, KEYS, format);
        let uri = format!("sip:100@{}", place.engine());
        for args in [["--press", "1@600ms"], ["--hang-up-after", "200ms"]] {
            let heard = call(BIN, &place, &uri, &args);
            assert!(heard.out.contains("\"status\":200"), "{heard:?}");
        }
        engine.idle();
        let log = engine.log();
        for (called, end) in engine.calls().iter().zip(["caller_hangup", "no_route"]) {
            let id = called["call"].as_str().unwrap();
            let lines: Vec<&str> = log.lines().filter(|line| line.contains(id)).collect();
            let [line] = lines[..] else { panic!("{id}: {lines:?}") };
            let fields = fields(line, format);
            assert_eq!(fields["level"], "INFO", "{line}");
            assert_eq!(fields["message"], "call ended", "{line}");
            for (name, value) in [
                ("call", id),
                ("trunk", "carrier"),
                ("caller", "GB …56"),
                ("called", "100"),
                ("flow", "Keys"),
                ("last_step", "welcome"),
                ("end", end),
                ("handled", "no_human"),
            ] {
                assert_eq!(fields[name], value, "{name} of {line}");
            }
            let ms = fields["ms"].as_u64().unwrap();
            assert!((200..20_000).contains(&ms), "{line}");
        }
        assert_eq!(log.matches("call ended").count(), 2, "{log}");
        assert!(!log.contains("7700900456") && !log.contains('\u{1b}'), "{log}");
    }
}

#[test]
fn a_flag_that_no_flow_tests_or_that_has_no_name_is_not_set_without_a_word() {
    let place = Place::new();
    let flow = FLOW.replace("start          = \"welcome\"", "start = \"sort\"") + FLAGGED;
    let engine = Engine::start_with(BIN, &place, CONFIG, &flow);
    for bad in ["", " ", "out\nage", &"x".repeat(65)] {
        let told = engine.cli(&["flag", "set", bad]);
        assert!(!told.status.success() && told.err.contains("no name of a flag"), "{told:?}");
    }
    let told = engine.cli(&["flag", "set", "outgae"]);
    assert!(told.status.success(), "{told:?}");
    assert!(told.out.contains("no flow that is served tests it"), "{told:?}");
    assert!(told.out.contains("did you mean `outage`?"), "{told:?}");
    let told = engine.cli(&["flag", "set", "outage"]);
    assert_eq!(told.out, "flag outage is set\n");
    assert_eq!(engine.status()["flags"], serde_json::json!(["outage", "outgae"]));
    assert!(engine.cli(&["flag", "clear", "outgae"]).status.success());
    assert_eq!(engine.status()["flags"], serde_json::json!(["outage"]));
}

/// The fields of a line of the log: JSON, or `TIME LEVEL message name=value …`.
fn fields(line: &str, format: &str) -> Value {
    if format == "json" {
        return serde_json::from_str(line).unwrap();
    }
    let (_, line) = line.split_once(' ').unwrap();
    let (level, line) = line.trim_start().split_once(' ').unwrap();
    let at = line.find(" call=").unwrap();
    let mut fields = serde_json::json!({ "level": level, "message": line[..at] });
    let mut rest = line[at..].trim_start();
    while let Some((name, value)) = rest.split_once('=') {
        let mut values = serde_json::Deserializer::from_str(value).into_iter::<Value>();
        fields[name] = values.next().unwrap().unwrap();
        rest = value[values.byte_offset()..].trim_start();
    }
    fields
}
