//! Steps that stand in a file of their own, in a running node: called with parameters, left by an exit.

use carom_blackbox::{
    CONFIG, Database, Engine, Place, Scenario, call, eventually,
    web::{Crm, Says},
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const FLOW: &str = r#"
version = 1

[flow]
name    = "Bank"
default = true
start   = "verify"
human   = "agents"

[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0
[target.proved]
sip            = "sip:proved@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0

[step.verify]
do   = "sub"
file = "pin.toml"
with = { digits = 4, prompt = "beep" }
on   = { ok = "look", failed = "agents" }

[step.look]
do       = "lookup"
url      = "{crm}/pin"
body     = { pin = "{pin}" }
save     = ["customer_id"]
then     = "proved"
if_fails = "agents"
"#;

const PIN: &str = r#"
[sub]
start  = "ask"
params = ["digits", "prompt"]
exits  = ["ok", "failed"]

[step.ask]
do       = "collect"
save     = "pin"
secret   = true
play     = "{prompt}.wav"
min      = "{digits}"
max      = "{digits}"
tries    = 1
then     = "exit:ok"
no_input = "exit:failed"
wrong    = "exit:failed"
"#;

#[test]
fn a_sub_flow_takes_its_parameters_leaves_by_its_exits_and_a_reload_reads_it_again() {
    let place = Place::new();
    place.beep();
    place.write("flows/pin.toml", PIN);
    let crm = Crm::start(Says::Json("{\"customer_id\":\"c-1\"}".into()));
    let engine = Engine::start_with(BIN, &place, CONFIG, &FLOW.replace("{crm}", &crm.url()));
    let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(20).listen(&place);
    let database = Database::of(&place);
    let rings = |keys: &[&str]| {
        let (before, uri) = (pbx.messages().len(), format!("sip:100@{}", place.engine()));
        let keys = keys.iter().flat_map(|key| ["--press", key]);
        let args: Vec<&str> = ["--from", "+447700900781"].into_iter().chain(keys).collect();
        let answer = call(BIN, &place, &uri, &args);
        assert!(answer.status.success(), "{answer:?}");
        engine.idle();
        let open = "SELECT COUNT(*) FROM call WHERE ended_ms IS NULL";
        eventually("it is written", || (database.number(open) == 0).then_some(()));
        let messages = pbx.messages();
        let invite = messages[before..].lines().find_map(|line| line.strip_prefix("INVITE sip:"));
        let path = "SELECT step || ' ' || exit FROM step s JOIN call c ON c.call_id = s.call_id \
                    WHERE c.started_ms = (SELECT MAX(started_ms) FROM call) ORDER BY seq";
        (invite.unwrap().split('@').next().unwrap().to_owned(), database.texts(path))
    };
    let four = ["4@800ms", "8@1s", "1@1200ms", "5@1400ms"];
    let (rung, path) = rings(&four);
    assert_eq!(rung, "proved");
    assert_eq!(path, ["verify next", "verify.ask next", "look next"]);
    assert_eq!(crm.asked()[0].body, "{\"pin\":\"4815\"}");
    let (rung, path) = rings(&["4@800ms", "#@1s"]);
    assert_eq!((rung.as_str(), path.len()), ("agents", 2), "{path:?}");

    // Six digits from the next call on, by the flow's own word.
    engine.rewrite(&place, "flows/main.toml", |flow| flow.replace("digits = 4", "digits = 6"));
    // And another exit, by that of the sub-flow.
    engine.rewrite(&place, "flows/pin.toml", |sub| {
        sub.replace("wrong    = \"exit:failed\"", "wrong = \"proved\"")
    });
    assert!(engine.cli(&["reload"]).status.success());
    let (rung, _) = rings(&["4@800ms", "8@1s", "1@1200ms", "5@1400ms", "#@1600ms"]);
    assert_eq!(rung, "proved", "four are too few");
    assert_eq!(crm.asked().len(), 1, "they were not asked about");
    assert_eq!(database.number("SELECT COUNT(DISTINCT flow_rev) FROM call"), 2);
}
