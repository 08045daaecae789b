//! `carom replay` on calls that really were.

use carom_blackbox::{
    CONFIG, Database, Engine, FLOW, Place, Scenario, call, eventually, fill,
    web::{Crm, Says},
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn a_call_is_replayed_through_its_flow_and_through_one_that_was_changed() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, FLOW);
    let uri = format!("sip:+442079460018@{}", place.engine());
    assert!(call(BIN, &place, &uri, &["--press", "1@1500ms"]).status.success());
    let id = eventually("the call is stored", || {
        Database::of(&place).texts("SELECT call_id FROM call WHERE end_reason = 'deflected'").pop()
    });
    let again = engine.cli(&["replay", &id]);
    assert!(again.status.success(), "{again:?}");
    assert!(again.out.contains("the call goes the way it went"), "{}", again.out);
    assert!(again.out.lines().any(|line| line.split_whitespace().eq(["deflected", "deflected"])));

    // One that only says or sends something else.
    for (from, to, other, line) in [
        ("welcome.wav", "goodbye.wav", "other prompts", "♪ goodbye"),
        ("here is the chat link", "here is the link", "other texts", "✉ Example: here is the link"),
    ] {
        let changed = FLOW.replacen(from, to, 1);
        assert_ne!(changed, FLOW);
        let file = place.write("changed.toml", &fill(&place, &changed));
        let again = engine.cli(&["replay", &id, file.to_str().unwrap()]);
        let verdict = format!("the call goes the way it went; {other}\n");
        assert!(again.status.code() == Some(1) && again.out.ends_with(&verdict), "{again:?}");
        let marked = again.out.lines().any(|told| told.starts_with('>') && told.contains(line));
        assert!(marked, "{line}: {}", again.out);
        let json = engine.cli(&["replay", &id, file.to_str().unwrap(), "--json"]).out;
        assert!(json.contains(&format!("\"what\":\"{}\"", &other[6..])), "{json}");
    }

    // The key that asked for the text leads to a person in this one.
    let changed = FLOW.replacen("1 = \"", "1 = \"agents\", 3 = \"", 1);
    assert_ne!(changed, FLOW);
    let file = place.write("changed.toml", &fill(&place, &changed));
    let again = engine.cli(&["replay", &id, file.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert!(again.out.contains("another way from its step"), "{}", again.out);
    assert!(again.out.contains("forwarded"), "{}", again.out);

    let none = engine.cli(&["replay", "ffffffff"]);
    assert!(!none.status.success() && none.err.contains("no call begins with"), "{none:?}");
}

/// Looks up who calls, takes an account number, and looks that up.
const ACCOUNTS: &str = r#"
version = 1

[flow]
name    = "Accounts"
default = true
start   = "who"
human   = "agents"

[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0
[target.collections]
sip            = "sip:collections@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0

[rule.gold]
field  = "tier"
equals = ["gold"]
[rule.good]
field    = "balance"
at_least = 0

[step.who]
do       = "lookup"
url      = "{crm}/caller/{caller_key}"
save     = ["tier"]
then     = "sort"
if_fails = "agents"
[step.sort]
do        = "decide"
case      = [{ if = "gold", go = "ask" }]
otherwise = "agents"
[step.ask]
do       = "collect"
save     = "account"
play     = "beep.wav"
min      = 5
max      = 5
then     = "balance"
no_input = "agents"
[step.balance]
do          = "lookup"
url         = "{crm}/balance/{account}"
save        = ["balance"]
wait_prompt = "none"
then        = "judge"
if_fails    = "agents"
[step.judge]
do        = "decide"
case      = [{ if = "good", go = "agents" }]
otherwise = "collections"
"#;

#[test]
fn a_call_with_lookups_and_digits_is_replayed_without_keeping_either() {
    let place = Place::new();
    place.beep();
    let crm = Crm::start(Says::Json("{\"tier\":\"gold\",\"balance\":\"-31.4159\"}".into()));
    let flow = ACCOUNTS.replace("{crm}", &crm.url());
    let engine = Engine::start_with(BIN, &place, CONFIG, &flow);
    let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(20).listen_once(&place);
    let uri = format!("sip:+442079460018@{}", place.engine());
    let keys: Vec<String> = (0..)
        .zip("40213".chars())
        .map(|(n, digit)| format!("{digit}@{}ms", 1_500 + 300 * n))
        .collect();
    let pressed: Vec<&str> = keys.iter().flat_map(|key| ["--press", key.as_str()]).collect();
    let told = call(BIN, &place, &uri, &pressed);
    assert!(pbx.succeeds().contains("INVITE sip:collections@"), "{told:?}");
    assert!(crm.asked().iter().any(|asked| asked.path == "/balance/40213"), "{:?}", crm.asked());
    let database = Database::of(&place);
    let id = eventually("the call is stored", || {
        database.texts("SELECT call_id FROM call WHERE end_reason = 'forwarded'").pop()
    });
    let inputs = "SELECT input FROM call_input ORDER BY call_id, seq";
    let inputs = eventually("its inputs too", || {
        Some(database.texts(inputs).join("\n")).filter(|all| all.contains("Ended"))
    });
    assert_eq!(inputs.matches("{\"Key\":\"0\"}").count(), 5, "{inputs}");
    assert!(!inputs.contains("31.4159") && inputs.contains("gold"), "{inputs}");

    let again = engine.cli(&["replay", &id]);
    assert!(again.status.success(), "{again:?}");
    assert!(again.out.contains("the call goes the way it went"), "{}", again.out);
    for (from, to, way) in [
        // The balance that is kept answers this flow's rule as the true one did.
        ("equals = [\"gold\"]", "equals = [\"silver\"]", "another way from its step"),
        (
            "otherwise = \"collections\"",
            "otherwise = \"agents\"",
            "the call goes to another target",
        ),
        // It waits for another digit, and asks later than it was answered then.
        ("max      = 5", "max      = 6", "the call goes the way it went"),
    ] {
        let changed = flow.replacen(from, to, 1);
        assert_ne!(changed, flow);
        let file = place.write("changed.toml", &fill(&place, &changed));
        let again = engine.cli(&["replay", &id, file.to_str().unwrap()]);
        assert!(again.out.contains(way), "{to}: {}", again.out);
    }
}
