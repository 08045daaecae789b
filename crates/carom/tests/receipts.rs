//! What a provider tells afterwards: receipts in any order, refusals learned late, STOP by key.

use std::{thread, time::Duration};

use carom_blackbox::{
    Database, Engine, FLOW, Place, Run, Scenario, call, eventually,
    twilio::{Does, TOKEN, Twilio, post},
    web,
};
use deflect_actions::provider::twilio::signature;
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
/// Texts without many words, and takes opt-outs.
const STEPS: &str = r#"
wait_prompt   = "none"
sent_prompt   = "beep.wav"
failed_prompt = "beep.wav"

[step.no_texts]
do       = "opt-out"
play     = "beep.wav"
then     = "hangup"
no_input = "agents"
"#;

#[test]
fn receipts_move_a_text_forward_only_whatever_their_order_and_number() {
    let place = Place::new();
    let site = Site::new(&place);
    site.text("+447700900501");
    let (path, sid) = site.callback("+447700900501");
    for (status, state) in [
        ("queued", "accepted"),
        ("sent", "sent"),
        ("queued", "sent"),
        ("sent", "sent"),
        ("delivered", "delivered"),
        ("delivered", "delivered"),
        ("sent", "delivered"),
        ("undelivered", "delivered"),
        ("read", "read"),
        ("delivered", "read"),
    ] {
        let form = [("MessageSid", sid.as_str()), ("MessageStatus", status)];
        assert!(site.tells(&path, &form).starts_with("HTTP/1.1 204"), "{status}");
        assert_eq!(site.state("+447700900501"), state, "after {status}");
    }
    let listed = site.engine.cli(&["messages"]).out;
    assert!(listed.contains("read") && listed.contains("GB …01"), "{listed}");
    assert!(!listed.contains("help.example.com"), "only the sandbox's texts are shown: {listed}");
    assert!(site.engine.time_line().contains("delivered"), "{}", site.engine.time_line());
}

#[test]
fn a_receipt_may_come_before_the_answer_that_it_is_about() {
    let place = Place::new();
    let site = Site::new(&place);
    site.twilio.does("+447700900511", Does::Slow(Duration::from_millis(1_500)));
    thread::scope(|scope| {
        scope.spawn(|| site.text("+447700900511"));
        eventually("the request is there", || (!site.twilio.taken().is_empty()).then_some(()));
        let (path, sid) = site.callback("+447700900511");
        let form = [("MessageSid", sid.as_str()), ("MessageStatus", "delivered")];
        assert!(site.tells(&path, &form).starts_with("HTTP/1.1 204"));
    });
    assert_eq!(site.state("+447700900511"), "delivered");
    assert_eq!(site.end(), "deflected");
    assert_eq!(site.twilio.posted().len(), 1);
}

#[test]
fn webhooks_that_the_provider_did_not_sign_are_refused_counted_and_change_nothing() {
    let place = Place::new();
    let site = Site::new(&place);
    site.text("+447700900521");
    let (path, sid) = site.callback("+447700900521");
    let form = [("MessageSid", sid.as_str()), ("MessageStatus", "failed")];
    let good = site.signature(&path, &form);
    let other_path = path.replace("message=", "message=x");
    let other_form = [("MessageSid", sid.as_str()), ("MessageStatus", "undelivered")];
    for refused in [
        post(&place, &path, &form, ""),
        post(&place, &path, &form, "bm9uZQ=="),
        post(&place, &path, &form, &format!("{good}A")),
        post(&place, &other_path, &form, &good),
        post(&place, &path, &other_form, &good),
        unsigned(&place, &path),
    ] {
        assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    }
    assert_eq!(site.engine.metric(&place, "carom_webhooks_untrusted_total") as i64, 6);
    assert_eq!(site.state("+447700900521"), "accepted");
    let nobody = path.replace("/twilio/twilio/", "/twilio/nobody/");
    let signed = site.signature(&nobody, &form);
    assert!(post(&place, &nobody, &form, &signed).starts_with("HTTP/1.1 404"));
    // Signed, and about nothing we know or understand.
    let unknown = "/webhooks/twilio/twilio/status?message=01a00000-0000-7000-8000-000000000000";
    assert!(
        site.tells(unknown, &[("MessageSid", "SM1"), ("MessageStatus", "sent")]).contains("204")
    );
    assert!(site.tells(&path, &[("MessageSid", "SM1")]).contains("400"));
    assert!(site.tells(&path, &form).starts_with("HTTP/1.1 204"), "the good one is taken");
    assert_eq!(site.state("+447700900521"), "failed");
}

#[test]
fn x_02_a_landline_that_only_its_carrier_knows_is_remembered_and_not_texted_again() {
    let place = Place::new();
    let site = Site::new(&place);
    site.text("+447700900531");
    let (path, sid) = site.callback("+447700900531");
    let form =
        [("MessageSid", sid.as_str()), ("MessageStatus", "undelivered"), ("ErrorCode", "30006")];
    assert!(site.tells(&path, &form).starts_with("HTTP/1.1 204"));
    assert_eq!(site.state("+447700900531"), "undelivered");
    // A day later the broken promise is forgotten; what the number is, is not.
    Database::of(&place).execute("UPDATE message SET created_ms = created_ms - 90000000");
    site.text("+447700900531");
    assert_eq!(site.end(), "forwarded");
    let line = site.engine.time_line();
    assert!(line.contains("left by error, not_textable"), "{line}");
    assert_eq!(site.twilio.posted().len(), 1, "no second one");
}

#[test]
fn x_05_an_opt_out_by_key_holds_at_once_and_a_start_takes_it_back() {
    let place = Place::new();
    let site = Site::new(&place);
    let from = "+447700900541";
    site.call(from, &["--press", "8@600ms", "--press", "1@1800ms"]);
    let database = Database::of(&place);
    let opted_out = "SELECT COUNT(*) FROM opt_out WHERE via = 'call' AND revoked_ms IS NULL";
    eventually("it is on record", || (database.number(opted_out) == 1).then_some(()));
    site.text(from);
    assert_eq!(site.end(), "forwarded");
    let line = site.engine.time_line();
    assert!(line.contains("opted_out"), "{line}");
    assert!(site.twilio.posted().is_empty());

    let start = [("From", from), ("To", "+447700900999"), ("Body", "Start")];
    let inbound = "/webhooks/twilio/twilio/inbound";
    assert!(site.tells(inbound, &start).starts_with("HTTP/1.1 200"));
    assert_eq!(database.number(opted_out), 0);
    site.text(from);
    assert_eq!(site.end(), "deflected");
    // The provider answers HELP itself.
    let help = [("From", from), ("To", "+447700900999"), ("Body", "HELP")];
    assert!(site.tells(inbound, &help).ends_with("<Response/>"));
}

#[test]
fn kh_03_a_provider_that_is_busy_is_asked_again_while_the_caller_waits() {
    let place = Place::new();
    let site = Site::new(&place);
    site.twilio.once("+447700900551", &[Does::Refuse(429, 20_429, Some(1))]);
    site.text("+447700900551");
    assert_eq!(site.end(), "deflected");
    assert_eq!(site.state("+447700900551"), "accepted");
    assert_eq!(site.twilio.posted().len(), 2, "the refused one and the one taken");
    assert_eq!(site.twilio.taken().len(), 1);
}

/// An engine with its provider and a PBX that answers and soon hangs up.
struct Site<'a> {
    place: &'a Place,
    twilio: Twilio,
    engine: Engine,
    _pbx: Run,
}

impl<'a> Site<'a> {
    fn new(place: &'a Place) -> Self {
        place.beep();
        let twilio = Twilio::start(place);
        let flow = FLOW.replace("welcome.wav", "beep.wav");
        let flow = flow.replace("0 = \"agents\"", "8 = \"no_texts\", 0 = \"agents\"");
        // A caller whose number takes no texts is not asked for another here.
        let flow =
            flow.replace("do       = \"text\"", "do       = \"text\"\nconfirm_number = \"never\"");
        let flow = format!("{flow}{STEPS}");
        let engine = Engine::start_with(BIN, place, &twilio.engine_config(place), &flow);
        let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(20).listen(place);
        Self { place, twilio, engine, _pbx: pbx }
    }

    /// A caller asks for the text.
    fn text(&self, from: &str) {
        self.call(from, &["--press", "1@1200ms"]);
    }

    fn call(&self, from: &str, press: &[&str]) {
        let uri = format!("sip:100@{}", self.place.engine());
        let answer = call(BIN, self.place, &uri, &[&["--from", from], press].concat());
        assert!(answer.status.success(), "{answer:?}");
        self.engine.idle();
    }

    /// How the newest call ended.
    fn end(&self) -> String {
        self.engine.calls()[0]["end"].as_str().unwrap().to_owned()
    }

    /// Path and query of the newest text's callback, and the provider's id of it.
    fn callback(&self, to: &str) -> (String, String) {
        let taken = self.twilio.taken();
        let message = taken.iter().rfind(|message| message["to"] == to).unwrap();
        let callback = message["status_callback"].as_str().unwrap();
        let path = callback.split_once(":8080").unwrap().1;
        (path.to_owned(), message["sid"].as_str().unwrap().to_owned())
    }

    fn state(&self, to: &str) -> String {
        let told = self.engine.cli(&["messages", "--json"]);
        let messages: Vec<Value> = serde_json::from_str(&told.out).unwrap();
        let is = |message: &&Value| message["to"].as_str().unwrap().ends_with(&to[to.len() - 2..]);
        messages.iter().find(is).unwrap()["state"].as_str().unwrap().to_owned()
    }

    fn signature(&self, path: &str, form: &[(&str, &str)]) -> String {
        let owned: Vec<_> = form.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        signature(TOKEN, &format!("http://{}:8080{path}", self.place.engine()), &owned)
    }

    fn tells(&self, path: &str, form: &[(&str, &str)]) -> String {
        post(self.place, path, form, &self.signature(path, form))
    }
}

/// Posts a receipt without the header.
fn unsigned(place: &Place, path: &str) -> String {
    web::ask(place, "POST", path, "", "MessageSid=SM1&MessageStatus=failed")
}
