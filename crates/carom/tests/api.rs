//! `/v1` as other systems use it: real requests, real rows.

use std::{io::Read as _, io::Write as _, net::TcpStream};

use carom_blackbox::{CONFIG, Database, Engine, FLOW, Place, call, eventually};
use serde_json::{Value, json};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const TOKENS: &str = r#"
tokens = [
  { name = "console", secret = "file:read", scope = "read" },
  { name = "ivr", secret = "file:deflect", scope = "deflect" },
  { name = "bot", secret = "file:report", scope = "report" },
  { name = "crm", secret = "file:optouts", scope = "optouts" },
  { name = "crm-calls", secret = "file:callbacks", scope = "callbacks" },
  { name = "shop", secret = "file:messages", scope = "messages" },
  { name = "ivr-of-others", oauth = "file:oauth.toml", scope = "deflect" },
  { name = "hasty", secret = "file:hasty", scope = "deflect", per_minute = 2 },
  { name = "pbx", secret = "file:sources", scope = "sources" },
  { name = "slow", secret = "file:slow", scope = "report", per_minute = 2 },
]
"#;

const OAUTH: &str = "consumer_key = \"app-key\"\nconsumer_secret = \"app-secret\"\n\
                     token = \"access-token\"\ntoken_secret = \"access-secret\"\n";

/// Tells how long callers wait, when it is told.
const SOURCE: &str = "\n[source.queue]\nkind = \"api\"\n";

pub struct Site {
    pub place: Place,
    pub engine: Engine,
}

impl Site {
    pub fn new() -> Self {
        Self::with(FLOW)
    }

    pub fn with(flow: &str) -> Self {
        Self::configured(flow, CONFIG)
    }

    /// `config` ends in `[http]`.
    pub fn configured(flow: &str, config: &str) -> Self {
        Self::at(Place::new(), flow, config)
    }

    /// The same in a place that is there.
    pub fn at(place: Place, flow: &str, config: &str) -> Self {
        Self::with_more(place, flow, config, "")
    }

    /// The same with more sections.
    pub fn with_more(place: Place, flow: &str, config: &str, more: &str) -> Self {
        std::fs::write(place.folder().join("oauth.toml"), OAUTH).unwrap();
        for token in [
            "read",
            "deflect",
            "report",
            "optouts",
            "callbacks",
            "messages",
            "sources",
            "slow",
            "hasty",
        ] {
            std::fs::write(place.folder().join(token), format!("{token}-token")).unwrap();
        }
        let engine =
            Engine::start_with(BIN, &place, &format!("{config}{TOKENS}{SOURCE}{more}"), flow);
        Self { place, engine }
    }

    /// Status, and the body as JSON where it is some.
    pub fn asks(&self, token: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.asks_with(token, method, path, "", body)
    }

    pub fn asks_with(
        &self,
        token: &str,
        method: &str,
        path: &str,
        header: &str,
        body: &str,
    ) -> (u16, Value) {
        self.asks_by(&format!("Bearer {token}-token"), method, path, header, body)
    }

    pub fn asks_by(
        &self,
        authorization: &str,
        method: &str,
        path: &str,
        header: &str,
        body: &str,
    ) -> (u16, Value) {
        let mut stream = TcpStream::connect((self.place.engine(), 8080)).unwrap();
        let len = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Authorization: {authorization}\r\n{header}Content-Length: {len}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// A call that took the text; its id.
    pub fn deflected(&self) -> String {
        let uri = format!("sip:+442079460018@{}", self.place.engine());
        assert!(call(BIN, &self.place, &uri, &["--press", "1@1500ms"]).status.success());
        eventually("the call is stored", || {
            let ended = "SELECT call_id FROM call WHERE end_reason = 'deflected'";
            Database::of(&self.place).texts(ended).pop()
        })
    }
}

#[test]
fn ic_12_a_callback_asked_for_on_the_digital_side_is_booked_with_its_call_and_counts_as_escalated()
{
    let trunk = "trusted    = true\noutbound = true\naddress = \"sip:{carrier}:5060\"\n\
                 callback_from = \"+442079460018\"";
    let site = Site::configured(FLOW, &CONFIG.replace("trusted    = true", trunk));
    let call = site.deflected();
    let database = Database::of(&site.place);
    let message = &database.texts("SELECT message_id FROM message")[0];
    let contained = "SELECT COUNT(*) FROM v_deflected WHERE escalated = 0";
    assert_eq!(database.number(contained), 1);
    let body = format!("{{\"message_id\":\"{message}\",\"kind\":\"callback_requested\"}}");
    let asks =
        || site.asks_with("report", "POST", "/v1/outcomes", "Idempotency-Key: back\r\n", &body);
    let (first, again) = (asks(), asks());
    assert_eq!(first.0, 200, "{first:?}");
    assert_eq!(first.1, again.1, "told again it is booked once");
    let rows = database.texts("SELECT callback_id || ' ' || call_id || ' ' || state FROM callback");
    let id = first.1["callback_id"].as_str().unwrap();
    assert_eq!(rows, [format!("{id} {call} booked")]);
    let listed: Value =
        serde_json::from_str(&site.engine.cli(&["callbacks", "--json"]).out).unwrap();
    assert_eq!(
        (&listed[0]["target"], &listed[0]["due_ms"]),
        (&"agents".into(), &first.1["due_ms"])
    );
    // Its context: what the call was about.
    let (status, context) = site.asks("read", "GET", &format!("/v1/context/{call}"), "");
    assert_eq!((status, context["call_id"].as_str()), (200, Some(&*call)), "{context}");
    assert_eq!(database.number(contained), 0);
    let escalated = "SELECT COUNT(*) FROM v_deflected WHERE escalated = 1";
    assert_eq!(database.number(escalated), 1);

    // Another number is called where one is given, and none that is not ours to call.
    let told = |number: &str| {
        format!(
            "{{\"call_id\":\"{call}\",\"kind\":\"callback_requested\",\"number\":\"{number}\"}}"
        )
    };
    let (status, booked) = site.asks("report", "POST", "/v1/outcomes", &told("+447700900888"));
    assert!(status == 200 && booked["callback_id"].is_string(), "{booked}");
    for (number, status, error, why) in [
        ("+33612345678", 200, Value::Null, Value::from("not_callable")),
        ("0770", 400, "invalid_number".into(), Value::Null),
    ] {
        let answer = site.asks("report", "POST", "/v1/outcomes", &told(number));
        assert_eq!((answer.0, &answer.1["error"], &answer.1["why"]), (status, &error, &why));
    }
    assert_eq!(database.number("SELECT COUNT(*) FROM callback"), 2);
    drop(site.engine);
}

#[test]
fn what_became_of_a_person_is_stored_once_for_each_key() {
    let site = Site::new();
    let call = site.deflected();
    let message = &Database::of(&site.place).texts("SELECT message_id FROM message")[0];
    let told = format!("{{\"call_id\":\"{call}\",\"kind\":\"resolved\",\"csat\":5}}");
    let key = "Idempotency-Key: a1\r\n";
    for _ in 0..2 {
        assert_eq!(site.asks_with("report", "POST", "/v1/outcomes", key, &told).0, 204);
    }
    let by_message = format!("{{\"message_id\":\"{message}\",\"kind\":\"escalated\",\"at_ms\":7}}");
    assert_eq!(site.asks("report", "POST", "/v1/outcomes", &by_message).0, 204);
    let rows = Database::of(&site.place).texts(
        "SELECT kind || ' ' || COALESCE(csat, 0) || ' ' || source || ' ' || call_id FROM outcome \
         WHERE source <> 'call' ORDER BY kind DESC",
    );
    assert_eq!(rows, [format!("resolved 5 bot {call}"), format!("escalated 0 bot {call}")]);
    for (body, status, error) in [
        (r#"{"call_id":"nobody","kind":"resolved"}"#, 404, "not_found"),
        (r#"{"kind":"resolved"}"#, 400, "invalid_request"),
        (r#"{"call_id":"x","kind":"happy"}"#, 400, "invalid_request"),
        (r#"{"call_id":"x","kind":"rated"}"#, 400, "invalid_csat"),
        (r#"{"call_id":"x","kind":"rated","csat":6}"#, 400, "invalid_csat"),
        (r#"{"call_id":"x","kind":"rated","csat":5,"stars":5}"#, 400, "invalid_request"),
        ("{", 400, "invalid_request"),
    ] {
        let answer = site.asks("report", "POST", "/v1/outcomes", body);
        assert_eq!((answer.0, answer.1["error"].as_str()), (status, Some(error)), "{body}");
    }
    let (status, told) = site.asks("deflect", "GET", &format!("/v1/messages/{message}"), "");
    assert_eq!(
        (status, told["state"].as_str(), told["call_id"].as_str()),
        (200, Some("delivered"), Some(&*call))
    );
    assert!(!told.to_string().contains("+447"), "{told}");
    assert_eq!(site.asks("deflect", "GET", "/v1/messages/nothing", "").0, 404);
    drop(site.engine);
}

#[test]
fn ex_07_counts_of_other_channels_are_kept_by_day_beside_the_calls() {
    let site = Site::new();
    let post = |body| site.asks("report", "POST", "/v1/external-counts", body);
    let day = r#"[{"date":"2026-11-28","source":"faq","kind":"visitors","n":120},
                  {"date":"2026-11-28","source":"bot","kind":"closed","n":7}]"#;
    assert_eq!(post(day).0, 204);
    assert_eq!(post(r#"[{"date":"2026-11-28","source":"faq","kind":"visitors","n":130}]"#).0, 204);
    let rows = || {
        Database::of(&site.place).texts(
            "SELECT local_date || ' ' || source || ' ' || kind || ' ' || n FROM external_count ORDER BY source",
        )
    };
    assert_eq!(rows(), ["2026-11-28 bot closed 7", "2026-11-28 faq visitors 130"]);
    let wrong = r#"[{"date":"2026-11-29","source":"faq","kind":"visitors","n":1},
                    {"date":"29.11.2026","source":"faq","kind":"visitors","n":1}]"#;
    let (status, told) = post(wrong);
    assert_eq!((status, told["error"].as_str()), (400, Some("invalid_date")));
    assert_eq!(rows().len(), 2, "all or none");
    assert_eq!(Database::of(&site.place).number("SELECT COUNT(*) FROM call"), 0);
    // In the report they have columns of their own.
    let report = |args: &[&str]| site.engine.cli(&[&["report", "channels"], args].concat()).out;
    let told: serde_json::Value =
        serde_json::from_str(&report(&["--days", "9999", "--json"])).unwrap();
    let day = json!({ "date": "2026-11-28", "calls": 0, "human": 0, "deflected": 0,
        "other_channels": { "bot": { "closed": 7 }, "faq": { "visitors": 130 } } });
    assert_eq!(told, json!([day]));
    let line = "2026-11-28  calls 0  human 0  deflected 0  bot/closed 7  faq/visitors 130\n";
    assert_eq!(report(&["--days", "9999"]), line);
}

#[test]
fn x_05_who_opted_out_by_the_api_is_sent_nothing_until_it_is_taken_back() {
    let site = Site::new();
    let number = r#"{"number":"+447700900456"}"#;
    assert_eq!(site.asks("optouts", "POST", "/v1/optouts", number).0, 204);
    let uri = format!("sip:+442079460018@{}", site.place.engine());
    let _ = call(BIN, &site.place, &uri, &["--press", "1@1500ms", "--hang-up-after", "6s"]);
    site.engine.idle();
    assert_eq!(Database::of(&site.place).number("SELECT COUNT(*) FROM message"), 0);
    assert_eq!(site.asks("optouts", "POST", "/v1/optouts/remove", number).0, 204);
    site.deflected();
    let audit = "SELECT who || ' ' || what FROM audit ORDER BY at_ms";
    let audit = Database::of(&site.place).texts(audit);
    assert_eq!(audit, ["crm opt-out add", "crm opt-out remove"]);
    for (body, error) in [
        (r#"{"number":"07700900456"}"#, "invalid_number"),
        (r#"{"number":"+447700900456","business":"none"}"#, "no_business"),
    ] {
        let answer = site.asks("optouts", "POST", "/v1/optouts", body);
        assert_eq!((answer.0, answer.1["error"].as_str()), (400, Some(error)), "{body}");
    }
}

#[test]
fn a_token_is_good_for_its_scope_and_so_many_requests() {
    let site = Site::new();
    for (token, path) in [
        ("read", "/v1/outcomes"),
        ("deflect", "/v1/external-counts"),
        ("report", "/v1/optouts"),
        ("optouts", "/v1/outcomes"),
        ("nobody", "/v1/outcomes"),
    ] {
        assert_eq!(site.asks(token, "POST", path, "[]").0, 401, "{token} {path}");
    }
    let counts = |_| site.asks("slow", "POST", "/v1/external-counts", "[]").0;
    let answers: Vec<u16> = (0..3).map(counts).collect();
    assert_eq!(answers, [204, 204, 429]);
}

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
    let mut stream = TcpStream::connect((site.place.engine(), 8080)).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: text/xml\r\n\
         Authorization: Bearer {token}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
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
