//! IC-06 through the whole program: a yes in the call brings one text after it, and only then.

use carom_blackbox::{
    CONFIG, Database, Engine, Place, call, eventually, go_on_for, twilio::Twilio,
};

use sha2::{Digest as _, Sha256};

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
    // A consent names what was heard, and its sound: that of the file.
    let heard = |name: &str| {
        let file = format!("{}/../../prompts/en-GB/{name}.wav", env!("CARGO_MANIFEST_DIR"));
        format!("{name} {}", hex::encode(Sha256::digest(std::fs::read(file).unwrap())))
    };
    let rows = "SELECT purpose || ' ' || prompt_id || ' ' || prompt_hash FROM consent \
                WHERE pressed IS NOT NULL GROUP BY 1 ORDER BY 1";
    let expected = [format!("follow_up {}", heard("sent")), format!("link {}", heard("welcome"))];
    assert_eq!(store.texts(rows), expected, "by `set`, by the follow-up and by the text");
}

/// One key, and the call is over.
const BRIEF: &str = r#"
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
play     = "beep.wav"
press    = { 5 = "yes", 0 = "agents" }
no_input = "hangup"

[step.yes]
do      = "set"
consent = "follow_up"
then    = "hangup"

[after_call.nudge]
needs_consent = "follow_up"
delay_minutes = 0
quiet_hours   = { from = "00:00", to = "00:00" }
link          = "orders"
message       = "Example: next time one tap away {link} Reply STOP to opt out."
"#;

fn brief(place: &Place, twilio: &Twilio) -> Engine {
    place.beep();
    let limits = "\n[limits]\ntexts_per_prefix = { per_hour = 100000, prefix_digits = 7 }\n\
                  texts_per_line = { per_minute = 100000 }\n";
    Engine::start_with(BIN, place, &(twilio.engine_config(place) + limits), BRIEF)
}

#[test]
fn ic_06_x_06_killed_between_the_end_of_a_call_and_the_outbox_the_promise_is_kept() {
    const CALLER: &str = "+447700900173";
    let place = Place::new();
    let twilio = Twilio::start(&place);
    let mut engine = brief(&place, &twilio);
    let store = Database::of(&place);
    store.execute(
        "CREATE TRIGGER full BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'not now'); END",
    );
    let uri = format!("sip:100@{}", place.engine());
    let _ = call(BIN, &place, &uri, &["--from", CALLER, "--press", "5@800ms"]);
    engine.idle();
    let ended = "SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL";
    eventually("the end is written", || (store.number(ended) == 1).then_some(()));
    let promised = "SELECT COUNT(*) FROM follow_up";
    assert_eq!((store.number(promised), store.number("SELECT COUNT(*) FROM message")), (1, 0));
    engine.kill();
    store.execute("DROP TRIGGER full");
    engine.restart();
    eventually("the follow-up", || (!twilio.posted_to(CALLER).is_empty()).then_some(()));
    eventually("it is forgotten", || (store.number(promised) == 0).then_some(()));
    go_on_for(1_500);
    assert_eq!(twilio.posted_to(CALLER).len(), 1);
}

#[test]
fn ic_06_x_06_killed_as_calls_end_every_call_that_ended_is_followed_once() {
    let long = std::env::var("CAROM_LONG").is_ok_and(|long| long == "1");
    let rounds: u32 = if long { 60 } else { 6 };
    let seed: u32 = std::env::var("CAROM_SEED")
        .map_or_else(|_| std::process::id(), |seed| seed.parse().unwrap());
    eprintln!("again with CAROM_SEED={seed}");
    let place = Place::new();
    let twilio = Twilio::start(&place);
    let mut engine = brief(&place, &twilio);
    let number = |round: u32| format!("+44740{:07}", 1_000_000 + round);
    for round in 0..rounds {
        let from = number(round);
        let uri = format!("sip:100@{}", place.engine());
        let args = ["--from", &from, "--press", "5@600ms", "--hang-up-after", "2s"];
        std::thread::scope(|scope| {
            let caller = scope.spawn(|| call(BIN, &place, &uri, &args));
            eventually("the call", || {
                engine.calls().iter().any(|call| call["ended_ms"].is_null()).then_some(())
            });
            // Any moment from the key to what its follow-up is sent by.
            let dice = seed.wrapping_mul(2_654_435_761).wrapping_add(round.wrapping_mul(40_503));
            go_on_for(450 + u64::from(dice >> 8) % 500);
            engine.kill();
            let _ = caller.join();
        });
        engine.restart();
    }
    let store = Database::of(&place);
    let ends = "SELECT COALESCE(end_reason, 'open') FROM call ORDER BY started_ms";
    let ends = eventually("all is settled", || {
        let open = "SELECT (SELECT COUNT(*) FROM follow_up) + (SELECT COUNT(*) FROM message \
                    WHERE state IN ('queued','claimed')) + (SELECT COUNT(*) FROM call \
                    WHERE ended_ms IS NULL)";
        (store.number(open) == 0).then(|| store.texts(ends))
    });
    eprintln!("{ends:?}");
    let sent = |round| twilio.posted_to(&number(round)).len();
    let all: Vec<_> = (0..rounds).map(sent).collect();
    assert!(all.iter().all(|sent| *sent <= 1), "once: {all:?}");
    let of = "FROM call c WHERE c.end_reason <> 'error'";
    let agreed = format!(
        "SELECT COUNT(*) {of} AND EXISTS (SELECT 1 FROM step s WHERE s.call_id = c.call_id \
         AND s.step = 'yes')"
    );
    let written = format!(
        "SELECT COUNT(*) {of} AND EXISTS (SELECT 1 FROM message m WHERE m.call_id = c.call_id)"
    );
    assert_eq!(store.number(&written), store.number(&agreed), "{ends:?}, sent {all:?}");
}
