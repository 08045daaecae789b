//! Whom other IVRs may offer a text, and how they have it sent (`/v1/eligibility`, `/v1/invite`).

use carom_blackbox::{
    CONFIG, Database, eventually,
    web::{self, Crm, Says},
};
use serde_json::{Value, json};

use super::api::Site;

/// Offered to callers about orders; others hear nothing of it.
pub const OFFERS: &str = r#"
version = 1

[flow]
name           = "Orders"
default        = true
start          = "offer"
human          = "agents"
languages      = ["en-GB"]
ask_again_days = 0

[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0

[link.orders]
url      = "https://help.example.com/orders"
staffing = "self-service"
intents  = ["orders"]

[rule.long_wait]
source            = "queue"
wait_over_seconds = 120

[step.offer]
do       = "offer"
link     = "orders"
only_if  = ["long_wait"]
play     = "offer-text.wav"
press    = { 1 = "which", 0 = "agents" }
accept   = ["1"]
no_input = "agents"
if_not_offered = "agents"

[step.which]
do       = "menu"
play     = "more.wav"
press    = { 2 = "text_me", 0 = "agents" }
no_input = "agents"

[step.text_me]
do       = "text"
link     = "orders"
message  = "Example: your orders: {link}"
then     = "hangup"
if_fails = "agents"
"#;

/// Where the offer's destination is asked whether somebody is there.
fn asking(crm: &Crm) -> Site {
    let link = format!("kind = \"http\"\nurl = \"{}/free\"", crm.url());
    let flow = OFFERS
        .replace("only_if  = [\"long_wait\"]\n", "")
        .replace("url      = \"https://help.example.com/orders\"", &link);
    let config = format!("{CONFIG}public_url = \"https://carom.example\"\n");
    Site::configured(&flow, &config)
}

/// Callers are spared the wait for it, and it is spared their questions; how it is tried again stands
/// with the circuit.
#[test]
fn lp_02_a_destination_that_fails_five_times_is_asked_no_more_and_nothing_is_offered() {
    let crm = Crm::start(Says::Status(503));
    let site = asking(&crm);
    for n in 1..=7 {
        let asked = json!({
            "number": format!("+44770090048{n}"), "called": "+442079460018", "intent": "orders",
        });
        let (status, told) = site.asks("deflect", "POST", "/v1/eligibility", &asked.to_string());
        assert_eq!((status, &told["eligible"]), (200, &json!(false)), "{n}: {told}");
        assert_eq!(told["reason"], "check_failed", "{n}");
        assert_eq!(crm.asked().len(), n.min(5), "{n}");
    }
    let database = Database::of(&site.place);
    let reasons = "SELECT COUNT(*) FROM offer WHERE reason = 'check_failed'";
    eventually("all are recorded", || (database.number(reasons) == 7).then_some(()));
}

/// An IVR that waits a second for the answer, while the destination takes longer.
#[test]
fn kh_13_an_ivr_that_gives_up_waiting_leaves_no_call_that_never_ends() {
    let crm = Crm::start(Says::Late(700, "{\"available\":false}".into()));
    let site = asking(&crm);
    let asked = r#"{"number":"+447700900489","called":"+442079460018","intent":"orders"}"#;
    let headers = format!("{}Authorization: Bearer deflect-token\r\n", web::JSON);
    let ivr = web::begin(&site.place, "POST", "/v1/eligibility", &headers, asked).unwrap();
    eventually("the destination is asked", || (!crm.asked().is_empty()).then_some(()));
    drop(ivr);
    let database = Database::of(&site.place);
    let ended = "SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL";
    eventually("the call ends", || (database.number(ended) == 1).then_some(()));
    let reasons = "SELECT reason FROM offer";
    assert_eq!(database.texts(reasons), ["not_available"]);
}

#[test]
fn kh_13_a_number_without_a_country_is_one_of_the_country_that_was_called() {
    let site = Site::with(OFFERS);
    let ask = |number: &str, called: &str| {
        let asked = json!({ "number": number, "called": called, "intent": "orders" });
        site.asks("deflect", "POST", "/v1/eligibility", &asked.to_string()).0
    };
    // A mobile number in France, none in Britain, and the other way round.
    assert_eq!(ask("0612345678", "+33142685300"), 200);
    assert_eq!(ask("07400110001", "+33142685300"), 400);
    assert_eq!(ask("07400110001", "+442079460018"), 200);
    assert_eq!(ask("0612345678", "+442079460018"), 400);
}

#[test]
fn kh_13_an_old_ivr_asks_and_has_the_text_sent_once() {
    let site = Site::with(OFFERS);
    let ask = |body: &str| site.asks("deflect", "POST", "/v1/eligibility", body);
    let who = r#""number":"+447700900461","called":"+442079460018","intent":"orders""#;
    let (status, told) = ask(&format!("{{{who},\"wait_seconds\":300}}"));
    assert_eq!((status, &told["eligible"]), (200, &Value::Bool(true)), "{told}");
    assert_eq!(told["recommended_channel"], "sms");
    let offer = told["offer_id"].as_str().unwrap().to_owned();
    let invite = format!("{{\"offer_id\":\"{offer}\"}}");
    let key = "Idempotency-Key: k1\r\n";
    let first = site.asks_with("deflect", "POST", "/v1/invite", key, &invite);
    assert_eq!((first.0, first.1["state"].as_str()), (200, Some("accepted")), "{first:?}");
    let again = site.asks_with("deflect", "POST", "/v1/invite", key, &invite);
    assert_eq!(again, first);
    assert_eq!(site.asks("deflect", "POST", "/v1/invite", &invite).0, 404, "it is used");
    let database = Database::of(&site.place);
    assert_eq!(database.number("SELECT COUNT(*) FROM message"), 1);
    let row = eventually("the call is stored", || {
        database
            .texts("SELECT origin || ' ' || end_reason || ' ' || intent FROM call WHERE ended_ms IS NOT NULL")
            .pop()
    });
    assert_eq!(row, "api deflected orders");
    let offers = "SELECT response || ' ' || pressed FROM offer";
    assert_eq!(database.texts(offers), ["accepted 1"]);
    let message = first.1["message_id"].as_str().unwrap();
    assert_eq!(site.asks("deflect", "GET", &format!("/v1/messages/{message}"), "").0, 200);

    // What the flow would not offer to a caller of its own is not offered here.
    for (body, reason) in [
        (format!("{{{who},\"wait_seconds\":10}}"), "only_if:long_wait"),
        (format!("{{{who}}}"), "unknown:long_wait"),
        (r#"{"number":"+442079460123","called":"x","wait_seconds":300}"#.into(), "not_textable"),
        (
            r#"{"number":"+447700900462","called":"x","intent":"bills","wait_seconds":300}"#.into(),
            "no_offer",
        ),
    ] {
        let (status, told) = ask(&body);
        assert_eq!((status, &told["eligible"]), (200, &Value::Bool(false)), "{told}");
        assert_eq!(told["reason"], reason, "{body}");
    }
    assert_eq!(ask(r#"{"number":"nobody","called":"x"}"#).0, 400);
    assert_eq!(database.number("SELECT COUNT(*) FROM message"), 1);
}

#[test]
fn kh_02_a_wait_told_by_an_old_ivr_is_rounded_as_the_flow_says() {
    let ten = OFFERS
        .replace(
            "source            = \"queue\"\nwait_over_seconds = 120",
            "field = \"wait_minutes\"\nequals = [\"10\"]",
        )
        .replace("ask_again_days = 0", "round_wait = { to_minutes = 10, direction = \"nearest\" }");
    let site = Site::with(&ten);
    for (wait_seconds, eligible) in [(1, true), (899, true), (900, false)] {
        let body = format!(
            "{{\"number\":\"+447700900466\",\"called\":\"x\",\"intent\":\"orders\",\
             \"wait_seconds\":{wait_seconds}}}"
        );
        let (status, told) = site.asks("deflect", "POST", "/v1/eligibility", &body);
        assert_eq!((status, &told["eligible"]), (200, &Value::Bool(eligible)), "{told}");
    }
}

/// A form, or nothing, with `Accept: text/xml`; the whole answer.
fn asks_for_xml(site: &Site, token: &str, method: &str, path: &str, form: &str) -> String {
    let headers = format!("Accept: text/xml\r\nAuthorization: Bearer {token}\r\n{}", web::FORM);
    web::ask(&site.place, method, path, &headers, form)
}

/// What stands in an element.
fn element<'a>(answer: &'a str, name: &str) -> &'a str {
    let inner = answer.split_once(&format!("<{name}>")).map(|(_, rest)| rest);
    inner.and_then(|rest| rest.split_once('<')).map_or("", |(text, _)| text)
}

#[test]
fn kh_13_a_voicexml_ivr_sends_forms_and_reads_xml() {
    let site = Site::with(OFFERS);
    let ask = |path: &str, form: &str| asks_for_xml(&site, "deflect-token", "POST", path, form);
    let body = "number=%2B447700900463&called=%2B442079460018&skill=orders&wait_seconds=200";
    let answer = ask("/v1/eligibility", body);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("content-type: application/xml"), "{answer}");
    assert!(answer.contains("<eligible>true</eligible>"), "{answer}");
    assert!(answer.contains("<available_channels>sms</available_channels>"), "{answer}");
    let invited = ask("/v1/invite", &format!("offer_id={}", element(&answer, "offer_id")));
    assert!(invited.contains("<invite>") && element(&invited, "state") == "accepted", "{invited}");
    let path = format!("/v1/messages/{}", element(&invited, "message_id"));
    let message = asks_for_xml(&site, "deflect-token", "GET", &path, "");
    assert!(message.contains("<message>"), "{message}");
    assert!(["accepted", "sent", "delivered"].contains(&element(&message, "state")), "{message}");
    // Errors too, whoever tells them.
    for (answer, status, error) in [
        (ask("/v1/invite", "offer_id=none"), 404, "not_found"),
        (ask("/v1/eligibility", "number=none&called=x"), 400, "invalid_number"),
        (ask("/v1/eligibility", "number=none"), 400, "invalid_request"),
        (asks_for_xml(&site, "deflect-token", "GET", "/v1/messages/x", ""), 404, "not_found"),
        (asks_for_xml(&site, "guess", "GET", "/v1/messages/x", ""), 401, "unauthorized"),
    ] {
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.contains("<problem>") && element(&answer, "error") == error, "{answer}");
        assert!(!element(&answer, "message").is_empty(), "{answer}");
    }
}

#[test]
fn kh_13_an_invite_may_want_other_words_another_channel_or_matter_and_gets_them_or_is_told_why() {
    let site = Site::with(&OFFERS.replace("only_if  = [\"long_wait\"]\n", ""));
    let offer = |n: u32, intent: &str| {
        let body = json!({"number": format!("+4477009004{n}"), "called": "+442079460018", "intent": intent});
        let (_, told) = site.asks("deflect", "POST", "/v1/eligibility", &body.to_string());
        told["offer_id"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
    };
    let invite = |body: Value| site.asks("deflect", "POST", "/v1/invite", &body.to_string());
    let first = offer(81, "orders");
    for (wanted, error, why) in [
        (json!({"text": "Example: no address"}), "invalid_text", "holds `{link}` 0 times"),
        (json!({"text": "Buy now: {link}"}), "invalid_text", "from Example"),
        (json!({"text": "Example: {link} {password}"}), "invalid_text", "only `{link}`"),
        (json!({"text": " "}), "invalid_text", "1600 characters"),
        (json!({"channel": "whatsapp"}), "invalid_channel", "no text by that channel"),
        (json!({"skill": "bills"}), "invalid_intent", "no_offer"),
        (json!({"words": "x"}), "invalid_request", "unknown field"),
    ] {
        let mut body = json!({"offer_id": first});
        body.as_object_mut().unwrap().extend(wanted.as_object().unwrap().clone());
        let (status, told) = invite(body);
        assert_eq!((status, &told["error"]), (400, &json!(error)), "{told}");
        assert!(told["message"].as_str().unwrap().contains(why), "{told}");
    }
    let database = Database::of(&site.place);
    assert_eq!(database.number("SELECT COUNT(*) FROM message"), 0);
    // What was refused left the offer as it was.
    let text = "{brand}: your parcel, as asked for: {link}";
    let (status, told) = invite(json!({"offer_id": first, "text": text, "channel": "sms"}));
    assert_eq!((status, &told["state"]), (200, &json!("accepted")), "{told}");
    let inbox = asks_for_xml(&site, "read-token", "GET", "/sandbox", "");
    let sent = "Example: your parcel, as asked for: https://help.example.com/orders";
    assert!(inbox.contains(sent), "{inbox}");
}

#[test]
fn an_ivr_that_texts_itself_gets_the_address_with_its_answer() {
    let site = Site::with(&OFFERS.replace("only_if  = [\"long_wait\"]\n", ""));
    let body =
        r#"{"number":"+447700900465","called":"+442079460018","skill":"orders","want_url":true}"#;
    let (status, told) = site.asks("deflect", "POST", "/v1/eligibility", body);
    assert_eq!((status, &told["eligible"]), (200, &json!(true)), "{told}");
    assert_eq!(told["url"], "https://help.example.com/orders");
    assert!(told["offer_id"].is_null() && told["valid_for_seconds"].as_i64() > Some(0), "{told}");
    assert_eq!(Database::of(&site.place).number("SELECT COUNT(*) FROM message"), 0);
}
