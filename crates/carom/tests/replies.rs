//! What people write to our senders, and who is told.

use carom_blackbox::{
    Database, Engine, FLOW, Place, call, eventually,
    twilio::{TOKEN, Twilio, post},
    web::{self, Crm, Says},
};
use deflect_actions::provider::twilio::signature;
use serde_json::{Value, json};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const CALLER: &str = "+447700900456";

/// An engine whose texts people answer, and the systems that are told of it.
struct Site {
    place: Place,
    engine: Engine,
    twilio: Twilio,
    /// Takes the answers that are expected.
    appointments: Crm,
    /// Takes all other events.
    crm: Crm,
}

impl Site {
    fn new() -> Self {
        let place = Place::new();
        place.beep();
        let (appointments, crm) = (Crm::start(Says::Status(204)), Crm::start(Says::Status(204)));
        std::fs::write(place.folder().join("hook"), "hook secret").unwrap();
        std::fs::write(place.folder().join("desk"), "desk-token").unwrap();
        let twilio = Twilio::start(&place);
        let config = twilio.engine_config(&place);
        let config = config.replace(
            "provider = \"twilio\"",
            "provider = \"twilio\"\nbusiness = \"example\"\nauto_reply = false",
        );
        let config = format!(
            "{config}
webhooks = [{{ url = \"{}/events\", secret = \"file:hook\", events = [\"message.state\", \"message.received\"] }}]
tokens = [{{ name = \"desk\", secret = \"file:desk\", scope = \"messages\" }}]

[[business.example.replies]]
words  = [\"Yes\", \"OK\"]
url    = \"{}/confirmed\"
secret = \"file:hook\"
answer = \"Example: see you then.\"
",
            crm.url(),
            appointments.url()
        );
        let words = "[business.example]\nstop_words = [\"klaar\"]\nhelp_words = [\"wié\"]\n";
        let config = config.replacen("[business.example]\n", words, 1);
        let flow = FLOW.replace("welcome.wav", "beep.wav");
        let engine = Engine::start_with(BIN, &place, &config, &flow);
        Self { place, engine, twilio, appointments, crm }
    }

    fn text_the_caller(&self) {
        let uri = format!("sip:100@{}", self.place.engine());
        let args = ["--from", CALLER, "--press", "1@1200ms"];
        assert!(call(BIN, &self.place, &uri, &args).status.success());
        self.engine.idle();
        assert_eq!(self.twilio.taken().len(), 1);
    }

    /// The caller writes; returns what is answered.
    fn writes(&self, id: &str, body: &str) -> Option<String> {
        let path = "/webhooks/twilio/twilio/inbound";
        let form = [("MessageSid", id), ("From", CALLER), ("To", "+447700900999"), ("Body", body)];
        let owned: Vec<_> = form.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let url = format!("http://{}:8080{path}", self.place.engine());
        let answer = post(&self.place, path, &form, &signature(TOKEN, &url, &owned));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let (_, message) = answer.split_once("<Message>")?;
        Some(message.split_once("</Message>").unwrap().0.to_owned())
    }

    fn events(&self, kind: &str) -> Vec<Value> {
        let asked = self.crm.asked();
        let told = asked.iter().map(|asked| serde_json::from_str::<Value>(&asked.body).unwrap());
        told.filter(|told| told["type"] == kind).collect()
    }
}

#[test]
fn ex_25_an_answer_is_told_once_and_what_is_none_is_passed_on_and_helped_once() {
    let site = Site::new();
    site.text_the_caller();
    assert_eq!(site.writes("SM1", " yes! ").as_deref(), Some("Example: see you then."));
    assert_eq!(site.writes("SM1", " yes! "), None, "the provider told it twice");
    let told = eventually("it is told", || site.appointments.asked().pop());
    assert!(told.header("webhook-signature").starts_with("v1,"), "{told:?}");
    let told: Value = serde_json::from_str(&told.body).unwrap();
    let database = Database::of(&site.place);
    let message = database.texts("SELECT message_id FROM message").remove(0);
    assert_eq!((&told["type"], &told["reply"]), (&json!("message.reply"), &json!("yes")));
    assert_eq!((&told["message_id"], &told["business"]), (&json!(message), &json!("example")));

    let helped = site.writes("SM2", "which day was it?");
    assert!(
        helped.as_deref().is_some_and(|text| text.starts_with("Example: You asked")),
        "{helped:?}"
    );
    assert_eq!(site.writes("SM3", "hello?"), None, "one is enough");
    let passed = eventually("both are passed on", || {
        let passed = site.events("message.received");
        (passed.len() == 2).then_some(passed)
    });
    let mut texts: Vec<_> = passed.iter().map(|told| told["text"].as_str().unwrap()).collect();
    texts.sort_unstable();
    assert_eq!(texts, ["hello?", "which day was it?"]);
    assert_eq!(passed[0]["message_id"], json!(message));
    assert_eq!(site.appointments.asked().len(), 1, "called once");
    let states: Vec<_> = site.events("message.state");
    assert_eq!(
        (&states[0]["state"], &states[0]["message_id"]),
        (&json!("accepted"), &json!(message))
    );
    for told in site.crm.asked() {
        assert!(!told.body.contains("+447"), "no number: {}", told.body);
    }
}

/// Nobody knows the number but us: the system that is told what they wrote answers by a handle.
#[test]
fn ex_25_a_stranger_who_writes_can_be_answered_by_who_never_learns_the_number() {
    let site = Site::new();
    assert_eq!(site.writes("SM1", "Are you open on Monday?"), None);
    let told = eventually("it is passed on", || site.events("message.received").pop());
    assert_eq!((&told["message_id"], &told["call_id"]), (&Value::Null, &Value::Null));
    assert!(!told.to_string().contains("7700900456"), "{told}");
    let handle = told["reply_to"].as_str().unwrap();
    let answers = |whom: Value, key: &str| {
        let mut body = json!({
            "text": "Example: yes, from 9.",
            "purpose": "answer",
            "consent": {"asked_in": "text received", "words": "Are you open?", "at_ms": 1},
        });
        body.as_object_mut().unwrap().extend(whom.as_object().unwrap().clone());
        let body = body.to_string();
        let who = "Authorization: Bearer desk-token\r\n";
        let headers = format!("{}{who}Idempotency-Key: {key}\r\n", web::JSON);
        web::ask(&site.place, "POST", "/v1/messages", &headers, &body)
    };
    for (whom, error) in [
        (json!({"reply_to": format!("{handle}0")}), "invalid_reply_to"),
        (
            json!({"reply_to": handle.replacen(|c: char| c.is_ascii_digit(), "9", 1)}),
            "invalid_reply_to",
        ),
        (json!({"reply_to": handle, "number": CALLER}), "invalid_request"),
        (json!({}), "invalid_request"),
    ] {
        let answer = answers(whom, "wrong");
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains(error), "{answer}");
    }
    let answer = answers(json!({"reply_to": handle}), "right");
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let rows = Database::of(&site.place);
    let due = "SELECT COUNT(*) FROM message WHERE purpose = 'answer' AND dest_key <> ''";
    assert_eq!(rows.number(due), 1);
    // By night it waits for the morning there.
    rows.execute("UPDATE message SET next_try_ms = 1");
    eventually("it is sent", || (site.twilio.posted_to(CALLER).len() == 1).then_some(()));
}

#[test]
fn ex_25_what_people_write_waits_encrypted() {
    let site = Site::new();
    site.text_the_caller();
    site.crm.says(Says::Status(503));
    site.writes("SM1", "my secret question");
    let database = Database::of(&site.place);
    let waits = "SELECT COUNT(*) FROM event WHERE type = 'message.received'";
    assert_eq!(database.number(waits), 1);
    let open = "SELECT COUNT(*) FROM event WHERE body LIKE '%secret question%' \
                OR body_enc LIKE '%secret question%'";
    assert_eq!(database.number(open), 0);
    // It is read under a new key, too.
    assert!(site.engine.cli(&["rotate-key"]).status.success());
    site.crm.says(Says::Status(204));
    database.execute("UPDATE event SET next_try_ms = 0, lease_until_ms = 0");
    eventually("it is told", || {
        let told = site.events("message.received");
        told.iter().any(|told| told["text"] == "my secret question").then_some(())
    });
}

#[test]
fn x_05_who_asks_in_other_words_for_no_more_texts_gets_none_and_a_person_can_read_it() {
    let site = Site::new();
    site.text_the_caller();
    let answer = site.writes("SM1", "Please stop texting me!");
    assert!(answer.as_deref().is_some_and(|text| text.contains("no more messages")), "{answer:?}");
    let listed = site.engine.cli(&["opt-outs"]).out;
    assert!(listed.contains("Example  any topic  by free_text"), "{listed}");
    let passed = eventually("it is passed on", || site.events("message.received").pop());
    assert_eq!(passed["text"], "Please stop texting me!");
    assert_eq!(site.events("message.received").len(), 1);
}

#[test]
fn x_05_an_operator_s_own_words_mean_stop_and_help_and_accents_do_not_matter() {
    let site = Site::new();
    site.text_the_caller();
    for (id, text) in [("SM1", "WIE?"), ("SM2", "Información"), ("SM3", "ayúda")] {
        let helped = site.writes(id, text);
        let is_help = |text: &str| text.starts_with("Example: You asked for this text");
        assert!(helped.as_deref().is_some_and(is_help), "{text}: {helped:?}");
    }
    let stopped = site.writes("SM4", "Kláar!");
    let is_stop = |text: &str| text.contains("no more messages");
    assert!(stopped.as_deref().is_some_and(is_stop), "{stopped:?}");
    let listed = site.engine.cli(&["opt-outs"]).out;
    assert!(listed.contains("Example  any topic  by text"), "{listed}");
    assert_eq!(site.events("message.received").len(), 0, "none of them is for a person to read");
}

#[test]
fn x_05_stop_to_a_sender_of_a_business_is_about_its_brand_and_no_reply_can_mean_another_thing() {
    let site = Site::new();
    site.text_the_caller();
    let stopped = site.writes("SM1", "Stop");
    let expected = "Example: You will get no more messages from us. Text START to get them again.";
    assert_eq!(stopped.as_deref(), Some(expected));
    let database = Database::of(&site.place);
    let brands = "SELECT brand FROM opt_out WHERE revoked_ms IS NULL";
    assert_eq!(database.texts(brands), ["Example"]);
    // Who wants no texts may want them again by a word that answers others.
    let again = site.writes("SM2", "yes");
    assert!(
        again.as_deref().is_some_and(|text| text.starts_with("Example: You may get")),
        "{again:?}"
    );
    assert_eq!(database.texts(brands).len(), 0);
    let config = "[business.x]\nname = \"X\"\nbrand = \"X\"\n[[business.x.replies]]\nwords = [\"Cancel\"]\nurl = \"https://x.example\"\nsecret = \"env:PATH\"\n";
    let file = site.place.folder().join("stop.toml");
    std::fs::write(&file, config).unwrap();
    let told = carom::config::check(Some(&file), &[]).1.to_string();
    assert!(told.contains("`Cancel` means STOP"), "{told}");
}
