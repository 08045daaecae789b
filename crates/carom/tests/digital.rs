//! What the digital side tells and orders: events before a call, callbacks, texts of the business's
//! own, the links of another IVR; and the document that says so.

use std::collections::BTreeSet;

use carom_blackbox::{
    CONFIG, Database, Ear, Engine, FLOW, Place, Scenario, call, eventually, get,
    judges::{self, Judges},
    web,
};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use crate::{api::Site, eligibility::OFFERS};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const OPERATIONS: &str = include_str!("../../../docs/operations.md");

/// Offers a text to whoever has not just failed on the website.
const VISITORS: &str = r#"
[rule.just_failed_there]
field    = "site_visits"
at_least = 3

[step.welcome]
do             = "offer"
link           = "chat"
never_if       = ["just_failed_there"]
play           = "welcome.wav"
press          = { 1 = "text_me", 0 = "agents" }
accept         = ["1"]
no_input       = "agents"
if_not_offered = "agents"
"#;

const BACK: &str = r#"
[step.later]
do       = "callback"
play     = "beep.wav"
capacity = { per_hour = 2 }
tries    = 2
then     = "hangup"
if_fails = "agents"
"#;

#[test]
fn ex_17_ex_20_visits_that_other_systems_tell_keep_a_caller_from_the_website() {
    let (head, rest) = FLOW.split_once("[step.welcome]").unwrap();
    let text_me = rest.split_once("[step.text_me]").unwrap().1;
    let site = Site::with(&format!("{head}{VISITORS}\n[step.text_me]{text_me}"));
    let visit = |number: &str, key: &str| {
        let body = json!({"kind": "visit", "entry_point": "checkout", "number": number});
        let key = format!("Idempotency-Key: {key}\r\n");
        site.asks_with("report", "POST", "/v1/events", &key, &body.to_string())
    };
    for key in ["a", "b", "b", "b"] {
        assert_eq!(visit("+447700900456", key).0, 200);
    }
    let database = Database::of(&site.place);
    assert_eq!(database.number("SELECT COUNT(*) FROM precall_contact"), 2, "once for each key");
    let uri = format!("sip:+442079460018@{}", site.place.engine());
    let offered = |n: i64| {
        let args = ["--from", "+447700900456", "--press", "0@400ms", "--hang-up-after", "1s"];
        let _ = call(BIN, &site.place, &uri, &args);
        eventually("the call is stored", || {
            let ended = "SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL";
            (database.number(ended) == n).then_some(())
        });
        let last = "SELECT o.response || ' ' || COALESCE(o.reason, '') FROM offer o \
                    JOIN call c ON c.call_id = o.call_id ORDER BY c.started_ms DESC LIMIT 1";
        database.texts(last).remove(0)
    };
    assert!(!offered(1).starts_with("suppressed"), "two visits are none too many");
    assert_eq!(visit("+447700900456", "c").0, 200);
    assert_eq!(offered(2), "suppressed never_if:just_failed_there");
    // Those of an hour ago count no more.
    database.execute("UPDATE precall_contact SET at_ms = at_ms - 3600000");
    assert!(!offered(3).starts_with("suppressed"));
}

#[test]
fn ic_14_contacts_before_a_call_are_kept_with_what_became_of_them() {
    let site = Site::new();
    let tell = |body: Value| site.asks("report", "POST", "/v1/events", &body.to_string());
    let (status, told) = tell(json!({"kind": "contact", "entry_point": "help-page-bot"}));
    assert_eq!(status, 200, "{told}");
    let id = &told["contact_id"];
    assert_eq!(tell(json!({"kind": "engaged", "contact_id": id, "at_ms": 7})).0, 200);
    assert_eq!(tell(json!({"kind": "solved", "contact_id": id, "at_ms": 9})).0, 200);
    assert_eq!(tell(json!({"kind": "engaged", "contact_id": id, "at_ms": 8})).0, 200);
    let known =
        json!({"kind": "engaged", "entry_point": "app", "number": "+447700900457", "at_ms": 5});
    assert_eq!(tell(known).0, 200);
    let rows = Database::of(&site.place).texts(
        "SELECT kind || ' ' || entry_point || ' ' || business || ' ' || engaged_ms || ' ' || \
         COALESCE(solved_ms, 0) || ' ' || CASE WHEN caller_key IS NULL THEN 'nobody' ELSE 'known' \
         END FROM precall_contact ORDER BY engaged_ms",
    );
    assert_eq!(rows, ["contact app example 5 0 known", "contact help-page-bot example 7 9 nobody"]);
    for (body, status, error) in [
        (json!({"kind": "contact"}), 400, "invalid_name"),
        (json!({"kind": "clicked", "entry_point": "x"}), 400, "invalid_request"),
        (json!({"kind": "visit", "contact_id": id}), 400, "invalid_request"),
        (json!({"kind": "solved", "contact_id": "nobody"}), 404, "not_found"),
        (json!({"kind": "visit", "entry_point": "x", "number": "07700"}), 400, "invalid_number"),
        (json!({"kind": "visit", "entry_point": "x", "business": "y"}), 400, "no_business"),
        (json!({"kind": "visit", "entry_point": "x", "at_ms": i64::MAX}), 400, "invalid_time"),
    ] {
        let (got, told) = tell(body);
        assert_eq!((got, told["error"].as_str()), (status, Some(error)), "{told}");
    }
}

#[test]
fn ic_12_the_digital_side_has_somebody_called_back_and_the_call_counts_as_escalated() {
    let config = CONFIG.replace(
        "trusted    = true",
        "trusted = true\noutbound = true\naddress = \"sip:{carrier}:5060\"\ncallback_from = \"+442079460018\"",
    );
    let flow = FLOW.replace("0 = \"agents\"", "5 = \"later\", 0 = \"agents\"");
    let site = Site::configured(&format!("{flow}{BACK}"), &config);
    let call_id = site.deflected();
    let database = Database::of(&site.place);
    let message = database.texts("SELECT message_id FROM message").remove(0);
    let book = |key: &str, body: Value| {
        let key = format!("Idempotency-Key: {key}\r\n");
        site.asks_with("callbacks", "POST", "/v1/callbacks", &key, &body.to_string())
    };
    // The number is that of the text; nobody has to know it.
    let first = book("1", json!({"message_id": message}));
    assert_eq!(first.0, 201, "{first:?}");
    assert_eq!(database.texts("SELECT call_id FROM callback"), [call_id.as_str()]);
    assert_eq!(book("1", json!({"message_id": message})), first, "booked once");
    let row = "SELECT state || ' ' || target || ' ' || step || ' ' || max_tries FROM callback";
    assert_eq!(database.texts(row), ["booked agents later 2"]);
    let asked = "SELECT kind || ' ' || source FROM outcome WHERE kind = 'callback_requested'";
    assert_eq!(database.texts(asked), ["callback_requested crm-calls"]);
    // What a failure left undone is done when the same is asked again.
    database.execute("DELETE FROM outcome WHERE kind = 'callback_requested'");
    assert_eq!(book("1", json!({"message_id": message})), first);
    assert_eq!(database.texts(asked), ["callback_requested crm-calls"]);
    assert_eq!(database.number("SELECT escalated FROM v_funnel"), 1);
    // Who never called has a call of their own, which no rate counts.
    let (status, told) = book("2", json!({"number": "+447700900458"}));
    assert_eq!(status, 201, "{told}");
    eventually("the call on paper is stored", || {
        let own =
            "SELECT COUNT(*) FROM call WHERE origin = 'api' AND end_reason = 'callback_booked'";
        (database.number(own) == 1).then_some(())
    });
    assert_eq!(database.number("SELECT COUNT(*) FROM v_eligible"), 1);
    let not_before = Timestamp::now().as_millisecond() + 3 * 3_600_000;
    let later = json!({"number": "+447700900459", "not_before_ms": not_before});
    assert!(book("3", later).1["due_ms"].as_i64().unwrap() >= not_before);
    for (body, status, error) in [
        (json!({}), 400, "no_number"),
        (json!({"number": "+449098790000"}), 400, "not_callable"),
        (json!({"number": "+4915123456789"}), 400, "not_callable"),
        (json!({"number": "+447700900458", "step": "welcome"}), 400, "no_step"),
        (json!({"number": "+447700900458", "call_id": "x"}), 404, "not_found"),
    ] {
        let (got, told) = site.asks("callbacks", "POST", "/v1/callbacks", &body.to_string());
        assert_eq!((got, told["error"].as_str()), (status, Some(error)), "{told}");
    }
    let (status, told) = book("", json!({"number": "+447700900458"}));
    assert_eq!((status, &told["error"]), (400, &json!("invalid_idempotency_key")));
}

#[test]
fn ic_12_somebody_who_never_called_is_called_back() {
    let config = CONFIG.replace(
        "trusted    = true",
        "trusted = true\noutbound = true\naddress = \"sip:{carrier}:5060\"\ncallback_from = \"+442079460018\"",
    );
    let site = Site::configured(FLOW, &config);
    let body = json!({"number": "+447700900460"}).to_string();
    let book = |key: &str| {
        let key = format!("Idempotency-Key: {key}\r\n");
        site.asks_with("callbacks", "POST", "/v1/callbacks", &key, &body)
    };
    // A callback that is refused leaves no call behind.
    let refused = json!({"number": "+449098790000"}).to_string();
    assert_eq!(site.asks("callbacks", "POST", "/v1/callbacks", &refused).0, 400);
    let (agent, caller) = (Ear::at(site.place.pbx()), Ear::at(site.place.carrier()));
    let pbx = Scenario::new("pbx-answers", site.place.pbx()).ear(&agent).listen_once(&site.place);
    let carrier = Scenario::new("pbx-hangs-up", site.place.carrier()).ear(&caller).pause_ms(500);
    let carrier = carrier.listen_once(&site.place);
    assert_eq!(book("once").0, 201);
    assert_eq!(book("once").0, 201);
    let database = Database::of(&site.place);
    database.execute("UPDATE callback SET due_ms = 0 WHERE state = 'booked'");
    let rung = carrier.succeeds();
    assert!(rung.contains("INVITE sip:+447700900460@"), "{rung}");
    assert!(pbx.succeeds().contains("From: <sip:+447700900460@"), "the agent sees who it is");
    eventually("done", || (database.texts("SELECT state FROM callback") == ["done"]).then_some(()));
    let on_paper = "SELECT COUNT(*) FROM call WHERE end_reason = 'callback_booked'";
    assert_eq!(database.number(on_paper), 1);
}

#[test]
fn ex_22_texts_of_the_business_are_off_unless_a_token_says_so() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, FLOW);
    let answer = ask(&place, "POST", "/v1/messages");
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert_eq!(Database::of(&place).number("SELECT COUNT(*) FROM message"), 0);
    drop(engine);
}

#[test]
fn ex_22_a_text_of_the_business_needs_a_consent_and_waits_for_the_day() {
    let site = Site::new();
    let now = Timestamp::now().as_millisecond();
    let send = |key: &str, body: &Value| {
        let key = format!("Idempotency-Key: {key}\r\n");
        site.asks_with("messages", "POST", "/v1/messages", &key, &body.to_string())
    };
    let database = Database::of(&site.place);
    let first = send("1", &message("+447700900460", now - 5_000));
    assert_eq!(first.0, 202, "{first:?}");
    let again = send("1", &message("+447700900460", now - 5_000));
    assert_eq!((again.0, &again.1["message_id"]), (202, &first.1["message_id"]));
    let consent = database
        .texts("SELECT step || ' ' || prompt_id || ' ' || purpose || ' ' || at_ms FROM consent");
    assert_eq!(consent, [format!("api:shop web form orders reminder {}", now - 5_000)]);
    // By the clocks of the number's country it is sent between 9 and 20.
    let due = first.1["due_ms"].as_i64().unwrap();
    let london = TimeZone::get("Europe/London").unwrap();
    let hour = Timestamp::from_millisecond(due).unwrap().to_zoned(london).hour();
    assert!((9..20).contains(&hour), "{hour}");
    database.execute("UPDATE message SET next_try_ms = 0");
    eventually("it is sent", || {
        let (_, told) = site.asks(
            "deflect",
            "GET",
            &format!("/v1/messages/{}", first.1["message_id"].as_str().unwrap()),
            "",
        );
        (told["state"] == "delivered").then_some(())
    });
    assert_eq!(database.number("SELECT COUNT(*) FROM v_eligible"), 0, "no rate counts it");
    // What keeps a flow's texts back keeps these back.
    let opted_out = r#"{"number":"+447700900461"}"#;
    assert_eq!(site.asks("optouts", "POST", "/v1/optouts", opted_out).0, 204);
    assert_eq!(send("2", &message("+447700900461", now)).0, 409);
    assert_eq!(send("3", &message("+442079460123", now)).0, 422, "a landline");
    assert_eq!(send("4", &message("+447700900460", now)).0, 202);
    let (status, told) = send("5", &message("+447700900460", now));
    assert_eq!((status, told["message"].as_str()), (429, Some("texts_per_caller")));
    let hits = "SELECT COUNT(*) FROM limit_hit";
    eventually("it is on record", || (database.number(hits) == 1).then_some(()));
    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut body = message("+447700900462", now);
        change(&mut body);
        let (status, told) = send("6", &body);
        (status, told["error"].as_str().unwrap_or_default().to_owned())
    };
    for (change, error) in [
        (&(|b: &mut Value| b["text"] = json!("no brand")) as &dyn Fn(&mut Value), "no_brand"),
        (&|b: &mut Value| b["consent"]["words"] = json!(" "), "invalid_consent"),
        (&|b: &mut Value| b["consent"]["at_ms"] = json!(now + 3_600_000), "invalid_consent"),
        (&|b: &mut Value| b["purpose"] = json!("link"), "invalid_purpose"),
        (&|b: &mut Value| b["via"] = json!(["nobody"]), "no_sender"),
        (&|b: &mut Value| drop(b.as_object_mut().unwrap().remove("consent")), "invalid_request"),
    ] {
        assert_eq!(wrong(change), (400, error.to_owned()));
    }
    let keyless =
        site.asks("messages", "POST", "/v1/messages", &message("+447700900463", now).to_string());
    assert_eq!((keyless.0, &keyless.1["error"]), (400, &json!("idempotency_key_needed")));
    assert_eq!(site.asks("deflect", "POST", "/v1/messages", "{}").0, 401);
}

#[test]
fn kh_13_an_ivr_made_for_liveperson_gets_a_link_that_it_texts_itself() {
    let site = Site::with(&OFFERS.replace("only_if  = [\"long_wait\"]\n", ""));
    let post = |path: &str, body: Value| site.asks("deflect", "POST", path, &body.to_string());
    let asked = |phone: &str, section: &str| {
        json!({
            "appType": "IVR",
            "consumerSections": ["main", section],
            "engagementAttributes": [
                {"type": "ctmrinfo"},
                {"type": "personal", "personal": {"contacts": [{"phone": phone}]}},
            ],
            "externalWaitTimeSeconds": 90,
        })
    };
    let route = "/api/account/+442079460018/external/engagement";
    let (status, told) = post(&format!("{route}?v=1.0"), asked("+447700900471", "orders"));
    assert_eq!((status, told["status"].as_str()), (200, Some("Available")), "{told}");
    let details = &told["engagementDetails"];
    assert_eq!(details["urlToChat"], "https://help.example.com/orders");
    assert!(details["expectedWaitTimeSeconds"].is_null(), "our sources know none: {details}");
    assert!(details["validForSeconds"].as_i64().unwrap() > 0, "{details}");
    let (status, told) = post(route, asked("+447700900472", "bills"));
    assert_eq!((status, told), (200, json!({"status": "Not Available"})));
    let database = Database::of(&site.place);
    assert_eq!(database.number("SELECT COUNT(*) FROM message"), 0, "the IVR texts itself");
    for (body, path) in [
        (json!({"appType": "IVR"}), route.to_owned()),
        (json!({"appType": "WEB"}), route.to_owned()),
        (asked("+447700900473", "orders"), format!("{route}?v=2.0")),
    ] {
        let (status, told) = post(&path, body);
        assert_eq!((status, &told["internalCode"]), (400, &json!("400")), "{told}");
        assert!(told["time"].is_string() && told["message"].is_string(), "{told}");
    }
}

#[test]
fn the_openapi_document_is_valid_and_names_each_route_that_the_manual_names() {
    let place = Place::new();
    let engine = Engine::start(BIN, &place);
    let served = get(&place, "/v1/openapi.json");
    let document: Value = serde_json::from_str(served.split_once("\r\n\r\n").unwrap().1).unwrap();
    let told: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            let methods: Vec<_> = methods.as_object().unwrap().keys().cloned().collect();
            methods.into_iter().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let manual: BTreeSet<String> =
        OPERATIONS.lines().filter_map(|line| line.strip_prefix("| `")).flat_map(routes).collect();
    assert_eq!(told, manual, "the document's (left) and the manual's");
    // Each is one of the router's: it is not unknown there, and not by this method.
    for route in &told {
        let (method, path) = route.split_once(' ').unwrap();
        let path = path.replace(['{', '}'], "");
        let answer = ask(&place, method, &path);
        assert!(!answer.starts_with("HTTP/1.1 405"), "{route}: {answer}");
        assert!(!answer.contains("no such route"), "{route}: {answer}");
    }
    assert!(ask(&place, "GET", "/v1/nothing").contains("no such route"));
    let judged = judge(&document);
    assert_eq!(judged, json!({"valid": true, "operations": told.len()}), "{judged}");
    drop(engine);
}

/// A request without a token and a body.
fn ask(place: &Place, method: &str, path: &str) -> String {
    web::ask(place, method, path, "", "")
}

fn message(number: &str, agreed_ms: i64) -> Value {
    json!({
        "number": number,
        "text": "Example: your parcel comes today",
        "purpose": "reminder",
        "language": "en-GB",
        "consent": {"asked_in": "web form orders", "words": "Text me.", "at_ms": agreed_ms},
    })
}

/// The routes of the API in the first cell of a row of the manual's table.
fn routes(row: &str) -> Vec<String> {
    let cell = row.split(" | ").next().unwrap().trim_end_matches('`').replace('`', "");
    let (method, paths) = cell.split_once(' ').unwrap_or(("GET", &cell));
    let ours = |path: &&str| {
        path.starts_with("/v1/") || path.starts_with("/api/") || path.starts_with("/rest/")
    };
    let paths = paths.split(", ").filter(ours).filter(|path| *path != "/v1/openapi.json");
    let method = if ["GET", "POST"].contains(&method) { method } else { "GET" };
    paths.map(|path| format!("{method} {path}")).collect()
}

/// What a validator of others says of a document.
fn judge(document: &Value) -> Value {
    judges::asked(Judges::below(env!("CARGO_TARGET_TMPDIR")).node("openapi.js"), document)
}
