//! Look-ups that begin before their step: while the caller hears something else.

use std::thread;

use carom_blackbox::{
    CONFIG, Database, Engine, Place, Scenario, call, eventually, sound,
    web::{Crm, Says},
};

use crate::softphone::spoken;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const FLOW: &str = r#"
version = 1

[flow]
name    = "Early"
default = true
start   = "hello"
human   = "agents"

[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0
[target.premium]
sip            = "sip:premium@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0

[rule.premium]
customer_type = ["premium"]

[step.hello]
do   = "say"
play = "welcome.wav"
then = "who"

[step.who]
do          = "lookup"
url         = "{crm}/caller?number={caller_number}"
timeout_ms  = 10000
save        = ["customer_type"]
start_early = true
then        = "sort"
if_fails    = "agents"

[step.sort]
do        = "decide"
case      = [{ if = "premium", go = "premium" }]
otherwise = "agents"
"#;
const PREMIUM: &str = "{\"customer_type\":\"premium\"}";
/// What a caller may wait beside the longer of prompt and look-up, ms.
const BESIDE_MS: u64 = 600;

#[test]
fn ex_10_a_lookup_that_begins_with_the_prompt_costs_no_wait_where_it_is_the_shorter() {
    let waited = Waited::of_a_call(1_500);
    assert!(waited.lookup_ms < BESIDE_MS, "{waited:?}");
    assert!(waited.quiet_ms < 1_000, "{waited:?}");
}

#[test]
fn ex_10_a_lookup_that_is_longer_than_the_prompt_is_waited_for_from_its_begin_and_not_in_silence() {
    let prompt_ms = spoken("en-GB", "welcome").len() as u64 / 8;
    let late_ms = prompt_ms + 3_000;
    let waited = Waited::of_a_call(late_ms);
    let rest_ms = late_ms - prompt_ms;
    assert!((rest_ms - 500..rest_ms + BESIDE_MS).contains(&waited.lookup_ms), "{waited:?}");
    assert!(waited.quiet_ms < 1_500, "{waited:?}");
}

/// What a caller went through.
#[derive(Debug)]
struct Waited {
    /// In the look-up's step.
    lookup_ms: u64,
    /// The longest silence before they were put through.
    quiet_ms: u64,
}

impl Waited {
    /// Of a call whose look-up takes so long.
    fn of_a_call(late_ms: u64) -> Self {
        let place = Place::new();
        let crm = Crm::start(Says::Late(late_ms, PREMIUM.into()));
        let engine = Engine::start_with(BIN, &place, CONFIG, &FLOW.replace("{crm}", &crm.url()));
        let pbx = Scenario::new("pbx-rings-then-rejects", place.pbx())
            .key("status", "486 Busy Here")
            .listen_once(&place);
        let heard = place.folder().join("heard.wav");
        let uri = format!("sip:100@{}", place.engine());
        let args = ["--from", "+447700900608", "--record", heard.to_str().unwrap()];
        thread::scope(|scope| {
            scope.spawn(|| {
                call(BIN, &place, &uri, &[&args[..], &["--hang-up-after", "20s"]].concat())
            });
            eventually("it is asked", || (!crm.asked().is_empty()).then_some(()));
            assert_eq!(engine.calls()[0]["step"], "hello", "the prompt plays");
            pbx.saw("INVITE sip:premium@");
        });
        engine.idle();
        assert_eq!(crm.asked().len(), 1, "once");
        assert_eq!(crm.asked()[0].form["number"], "+447700900608");
        let database = Database::of(&place);
        let took =
            "SELECT left_ms - entered_ms FROM step WHERE step = 'who' AND left_ms IS NOT NULL";
        let count = "SELECT COUNT(*) FROM step WHERE step = 'who' AND left_ms IS NOT NULL";
        eventually("written", || (database.number(count) == 1).then_some(()));
        let until_ms = "SELECT left_ms - answered_ms FROM step s JOIN call c ON c.call_id = s.call_id \
                        WHERE step = 'who'";
        let until = usize::try_from(database.number(until_ms)).unwrap() * 8;
        let heard = sound::read(&heard).unwrap();
        Self {
            lookup_ms: u64::try_from(database.number(took)).unwrap(),
            quiet_ms: longest_silence_ms(&heard[..until.min(heard.len())]),
        }
    }
}

/// In pieces of 20 ms.
fn longest_silence_ms(heard: &[i16]) -> u64 {
    let quiet = heard.chunks(160).map(|piece| piece.iter().all(|it| it.unsigned_abs() < 100));
    let (mut longest, mut now) = (0, 0);
    for is_quiet in quiet {
        now = if is_quiet { now + 20 } else { 0 };
        longest = longest.max(now);
    }
    longest
}
