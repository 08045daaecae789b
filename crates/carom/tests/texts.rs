//! Texts through the whole program, with a provider that speaks Twilio's form and misbehaves.

use std::{collections::BTreeMap, thread, time::Duration};

use carom_blackbox::{
    CONFIG, Database, Engine, Place, Run, Scenario, call, eventually,
    sound::{self, likeness},
    twilio::{Does, TOKEN, Twilio, post},
};
use deflect_actions::provider::twilio::signature;
use serde_json::Value;

use crate::softphone::spoken;

/// Accepts the text, and has heard of it before the prompt is over.
const BRIEF: [&str; 4] = ["--press", "1@1200ms", "--hang-up-after", "4200ms"];
const BIN: &str = env!("CARGO_BIN_EXE_carom");
/// What a caller of a text can hear of it.
const VERDICTS: [&str; 4] = ["sent", "not-sent", "may-still-arrive", "you-opted-out"];

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
do       = "offer"
link     = "chat"
play     = "welcome.wav"
press    = { 1 = "text_me", 0 = "agents" }
accept   = ["1"]
no_input = "agents"
if_not_offered = "agents"

[step.text_me]
do               = "text"
link             = "chat"
message          = "Example: here is the chat link you asked for: {link}"
confirm_number   = "never"
accept_within_ms = 2500
attempt_ms       = 1200
then             = "hangup"
if_fails         = "agents"
"#;

#[test]
fn kh_03_a_text_that_the_provider_accepts_is_said_to_be_sent_and_ends_the_call() {
    let site = Site::new();
    let heard = site.call("+447700900101", &["--press", "1@1200ms"]);
    assert_eq!(heard.verdicts, ["sent"]);
    assert_eq!(site.end_of("01"), "deflected");
    assert_eq!(site.message_to("01")["state"], "accepted");
    let posted = site.twilio.posted();
    assert_eq!(posted.len(), 1);
    assert_eq!(posted[0]["To"], "+447700900101");
    assert_eq!(posted[0]["From"], "+447700900999");
    let link = "https://help.example.com/chat";
    assert!(posted[0]["Body"].contains(link), "{posted:?}");
    let id = site.message_to("01")["message_id"].as_str().unwrap().to_owned();
    assert!(posted[0]["StatusCallback"].ends_with(&format!("?message={id}")), "{posted:?}");
    assert!(!site.pbx.messages().contains("INVITE"), "no person was asked for");

    // The provider's receipt moves the message on.
    let path = posted[0]["StatusCallback"].split_once(":8080").unwrap().1.to_owned();
    let sid = site.twilio.taken()[0]["sid"].as_str().unwrap().to_owned();
    let form = [("MessageSid", sid.as_str()), ("MessageStatus", "delivered")];
    assert!(site.webhook(&path, &form).starts_with("HTTP/1.1 204"));
    assert_eq!(site.message_to("01")["state"], "delivered");
}

#[test]
fn kh_03_each_text_of_one_menu_is_sent_and_the_same_one_again_is_not() {
    let other = "\n[step.text_other]\ndo = \"text\"\nlink = \"chat\"\n\
                 message = \"Example: the other link: {link}\"\n\
                 then = \"hangup\"\nif_fails = \"agents\"\n";
    let flow = FLOW
        .replace("0 = \"agents\" }", "2 = \"text_other\", 0 = \"agents\" }")
        .replace("accept   = [\"1\"]", "accept   = [\"1\", \"2\"]");
    let site = Site::with(&(flow + other), "");
    for key in ["1", "2", "1"] {
        let heard = site.call("+447700900102", &["--press", &format!("{key}@1200ms")]);
        assert_eq!(heard.verdicts, ["sent"], "{key}");
    }
    let posted = site.twilio.posted_to("+447700900102");
    let bodies: Vec<_> = posted.iter().map(|form| form["Body"].as_str()).collect();
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    assert!(bodies[0].contains("the chat link") && bodies[1].contains("the other link"));
}

/// What becomes of one caller's text.
struct Case {
    does: Does,
    hears: &'static str,
    state: &'static str,
    requests: std::ops::RangeInclusive<usize>,
}

#[test]
fn x_03_a_text_that_fails_is_told_and_the_caller_is_put_through_to_a_person() {
    let site = Site::new();
    let case = |does, hears, state, requests| Case { does, hears, state, requests };
    let cases = BTreeMap::from([
        ("11", case(Does::Refuse(400, 21211, None), "not-sent", "failed", 1..=1)),
        ("12", case(Does::Refuse(400, 21614, None), "not-sent", "failed", 1..=1)),
        ("13", case(Does::Refuse(400, 21610, None), "you-opted-out", "failed", 1..=1)),
        // Tried again while the caller waits, and later on.
        ("15", case(Does::Refuse(500, 0, None), "may-still-arrive", "queued", 2..=9)),
    ]);
    site.fail(cases);
    // From then on the sender is left alone: it needs the operator.
    let case = case(Does::Refuse(401, 20003, None), "not-sent", "failed", 1..=1);
    site.fail(BTreeMap::from([("14", case)]));
}

#[test]
fn x_03_a_text_whose_answer_is_lost_is_written_once_and_the_caller_is_put_through_to_a_person() {
    let site = Site::new();
    // With its list the provider would tell that it has them.
    site.twilio.hides_its_list(true);
    let unsure =
        |does| Case { does, hears: "may-still-arrive", state: "ambiguous", requests: 1..=1 };
    let cases = BTreeMap::from([
        ("21", unsure(Does::Reset)),
        ("22", unsure(Does::TakeAndReset)),
        ("23", unsure(Does::Slow(Duration::from_secs(4)))),
        ("24", unsure(Does::Garbage)),
    ]);
    site.fail(cases);
}

#[test]
fn x_03_a_text_that_the_providers_list_has_after_a_lost_answer_is_said_to_be_sent() {
    let site = Site::new();
    site.twilio.does("+447700900131", Does::TakeAndReset);
    let heard = site.call("+447700900131", &BRIEF);
    assert_eq!(heard.verdicts, ["sent"]);
    assert_eq!(site.end_of("31"), "deflected");
    assert_eq!(site.twilio.posted().len(), 1);
}

#[test]
fn x_04_after_a_broken_promise_the_next_call_gets_no_offer_but_a_person() {
    let site = Site::new();
    site.twilio.hides_its_list(true);
    site.twilio.does("+447700900142", Does::TakeAndReset);
    // One learns after the hang-up that the text failed, the other hangs up before it is known.
    let first = site.call("+447700900141", &BRIEF);
    assert_eq!(first.verdicts, ["sent"]);
    let posted = site.twilio.posted_to("+447700900141");
    let path = posted[0]["StatusCallback"].split_once(":8080").unwrap().1.to_owned();
    let sid = site.twilio.taken()[0]["sid"].as_str().unwrap().to_owned();
    let failed =
        [("MessageSid", sid.as_str()), ("MessageStatus", "undelivered"), ("ErrorCode", "30003")];
    assert!(site.webhook(&path, &failed).starts_with("HTTP/1.1 204"));
    let hasty = ["--press", "1@1200ms", "--hang-up-after", "1600ms"];
    let _ = site.call("+447700900142", &hasty);
    eventually("it is known that nothing is known", || {
        (site.message_to("42")["state"] == "ambiguous").then_some(())
    });

    for (number, last) in [("+447700900141", "41"), ("+447700900142", "42")] {
        let heard = site.call(number, &["--press", "1@1200ms"]);
        assert_eq!(heard.verdicts, [""; 0]);
        assert_eq!(site.end_of(last), "forwarded");
        let line = site.line_of(last);
        assert!(line.contains("suppressed (failed_promise)"), "{line}");
        assert_eq!(site.twilio.posted_to(number).len(), 1, "no further text");
    }
}

#[test]
fn x_05_after_stop_no_text_is_sent_and_the_caller_hears_why() {
    let site = Site::new();
    let inbound = "/webhooks/twilio/twilio/inbound";
    let stop = [("From", "+447700900151"), ("To", "+447700900999"), ("Body", "Stop.")];
    for wrong in ["", "AAAA", &signature("other", &site.url(inbound), &owned(&stop))] {
        let refused = post(&site.place, inbound, &stop, wrong);
        assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    }
    let heard = site.call("+447700900151", &BRIEF);
    assert_eq!(heard.verdicts, ["sent"], "a STOP that nobody signed is none");

    let taken = site.webhook(inbound, &stop);
    assert!(taken.starts_with("HTTP/1.1 200") && taken.contains("<Response"), "{taken}");
    let heard = site.call("+447700900151", &["--press", "1@1200ms"]);
    assert_eq!(heard.verdicts, ["you-opted-out"]);
    assert_eq!(site.end_of("51"), "forwarded");
    assert_eq!(site.twilio.posted().len(), 1, "no further text");
}

#[test]
fn x_05_after_start_a_text_is_sent_again() {
    let site = Site::new();
    let inbound = "/webhooks/twilio/twilio/inbound";
    let says = |body| {
        let form = [("From", "+447700900152"), ("To", "+447700900999"), ("Body", body)];
        site.webhook(inbound, &form)
    };
    // Who insists is understood, too.
    for body in ["STOP", "Stop!"] {
        assert!(says(body).starts_with("HTTP/1.1 200"), "{body}");
    }
    let heard = site.call("+447700900152", &["--press", "1@1200ms"]);
    assert_eq!((heard.verdicts, site.twilio.posted().len()), (vec!["you-opted-out"], 0));
    assert!(says("START").starts_with("HTTP/1.1 200"));
    let heard = site.call("+447700900152", &BRIEF);
    assert_eq!(heard.verdicts, ["sent"]);
    assert_eq!(site.end_of("52"), "deflected");
    assert_eq!(site.twilio.posted_to("+447700900152").len(), 1);
}

#[test]
fn x_05_stop_help_and_start_are_answered_where_the_provider_does_not() {
    for (sender, answers) in [("", false), ("auto_reply = false\n", true)] {
        let site = Site::with(FLOW, sender);
        site.call("+447700900153", &BRIEF);
        for (body, told) in [
            ("STOP", "You will get no more messages from us."),
            ("HELP", "You asked for this text in a call to us."),
            ("START", "You may get messages from us again."),
        ] {
            let form = [("From", "+447700900153"), ("To", "+447700900999"), ("Body", body)];
            let answer = site.webhook("/webhooks/twilio/twilio/inbound", &form);
            assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("<Response"), "{answer}");
            assert_eq!(answer.contains("<Message>"), answers, "{body}: {answer}");
            assert_eq!(answer.contains(told), answers, "{body}: {answer}");
        }
    }
}

#[test]
fn a_text_beyond_a_limit_is_not_sent_and_the_caller_is_put_through_to_a_person() {
    let limits = "[limits]\ntexts_per_prefix = { per_hour = 1, prefix_digits = 8 }\n";
    let site = Site::with(FLOW, limits);
    assert_eq!(site.call("+447700900161", &BRIEF).verdicts, ["sent"]);
    let heard = site.call("+447700900162", &["--press", "1@1200ms"]);
    assert_eq!(heard.verdicts, ["not-sent"], "it does not say which limit");
    assert!(heard.ended_by_far_end, "the person did it");
    assert_eq!(site.end_of("62"), "forwarded");
    assert_eq!(site.twilio.posted().len(), 1);
    let line = site.line_of("62");
    assert!(line.contains("limited:texts_per_prefix"), "{line}");
    let call = site.call_of("62")["call"].as_str().unwrap().to_owned();
    let hits = "SELECT call_id || ' ' || rule || ' ' || scope || ' ' || scope_key FROM limit_hit";
    let expected = [format!("{call} texts_per_prefix prefix +44770090")];
    eventually("it is on record", || {
        (Database::of(&site.place).texts(hits) == expected).then_some(())
    });
}

/// An engine with its provider and a PBX that answers and soon hangs up.
struct Site {
    place: Place,
    twilio: Twilio,
    engine: Engine,
    pbx: Run,
}

struct Heard {
    verdicts: Vec<&'static str>,
    ended_by_far_end: bool,
}

impl Site {
    fn new() -> Self {
        Self::with(FLOW, "")
    }

    /// `more`: what follows in the table of its sender, and other tables.
    fn with(flow: &str, more: &str) -> Self {
        let place = Place::new();
        let twilio = Twilio::start(&place);
        let (before, http) = CONFIG.split_once("[provider.sandbox]").unwrap();
        let http = http.split_once("[http]").unwrap().1;
        let http = format!("\n[http]\npublic_url = \"http://{{engine}}:8080\"{http}");
        let config = before.to_owned() + &twilio.config(&place) + more + &http;
        let engine = Engine::start_with(BIN, &place, &config, flow);
        let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(50).listen(&place);
        Self { place, twilio, engine, pbx }
    }

    fn call(&self, from: &str, args: &[&str]) -> Heard {
        let wav = self.place.folder().join(format!("{from}.wav"));
        let uri = format!("sip:100@{}", self.place.engine());
        let usual = ["--from", from, "--record", wav.to_str().unwrap()];
        let answer = call(BIN, &self.place, &uri, &[&usual, args].concat());
        let heard = sound::read(&wav).unwrap_or_default();
        let verdicts = VERDICTS.into_iter().filter(|name| likeness(&heard, &prompt(name)) > 0.9);
        Heard { verdicts: verdicts.collect(), ended_by_far_end: answer.status.success() }
    }

    /// All at once.
    fn fail(&self, cases: BTreeMap<&str, Case>) {
        let number = |last: &str| format!("+4477009001{last}");
        for (last, case) in &cases {
            self.twilio.does(&number(last), case.does);
        }
        thread::scope(|scope| {
            for (last, case) in &cases {
                scope.spawn(move || {
                    let heard = self.call(&number(last), &["--press", "1@1200ms"]);
                    let does = case.does;
                    assert_eq!(heard.verdicts, [case.hears], "{does:?}");
                    assert!(heard.ended_by_far_end, "{does:?}");
                    assert_eq!(self.end_of(last), "forwarded", "{does:?}");
                    assert_eq!(self.message_to(last)["state"], case.state, "{does:?}");
                    if let (Does::Refuse(_, code @ 1.., _), "failed") = (does, case.state) {
                        let listed = self.engine.cli(&["messages"]).out;
                        assert!(listed.contains(&format!("({code})")), "{does:?}: {listed}");
                    }
                    let requests = self.twilio.posted_to(&number(last)).len();
                    assert!(case.requests.contains(&requests), "{does:?}: {requests}");
                });
            }
        });
        self.engine.idle();
        let invites = self.pbx.messages().matches("INVITE sip:agents@").count();
        assert!(invites >= cases.len(), "{invites}");
    }

    /// The newest call of the number that ends so.
    fn call_of(&self, last: &str) -> Value {
        let calls = self.engine.calls();
        let is = |call: &&Value| call["caller"].as_str().unwrap().ends_with(last);
        calls.iter().find(is).unwrap_or_else(|| panic!("{last}: {calls:?}")).clone()
    }

    fn end_of(&self, last: &str) -> String {
        eventually("the call's end", || {
            let call = self.call_of(last);
            (!call["ended_ms"].is_null()).then(|| call["end"].as_str().unwrap().to_owned())
        })
    }

    fn line_of(&self, last: &str) -> String {
        self.engine.cli(&["calls", self.call_of(last)["call"].as_str().unwrap()]).out
    }

    /// The newest message to the number that ends so.
    fn message_to(&self, last: &str) -> Value {
        let told = self.engine.cli(&["messages", "--json"]);
        let messages: Vec<Value> = serde_json::from_str(&told.out).unwrap();
        let is = |message: &&Value| message["to"].as_str().is_some_and(|to| to.ends_with(last));
        messages.iter().find(is).unwrap_or_else(|| panic!("{last}: {told:?}")).clone()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}:8080{path}", self.place.engine())
    }

    fn webhook(&self, path: &str, form: &[(&str, &str)]) -> String {
        let signature = signature(TOKEN, &self.url(path), &owned(form));
        post(&self.place, path, form, &signature)
    }
}

fn owned(form: &[(&str, &str)]) -> Vec<(String, String)> {
    form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Three tenths of a second of a prompt as callers should hear it: words of no other one.
fn prompt(name: &str) -> Vec<i16> {
    spoken("en-GB", name)[2_400..4_800].to_vec()
}
