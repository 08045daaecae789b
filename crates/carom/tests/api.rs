//! `/v1` as other systems use it: real requests, real rows.

use carom_blackbox::{CONFIG, Database, Engine, FLOW, Place, call, eventually, web};
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
  { name = "bots", secret = "file:context", scope = "context" },
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
            "context",
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
        let headers = format!("{}Authorization: {authorization}\r\n{header}", web::JSON);
        let answer = web::ask(&self.place, method, path, &headers, body);
        let status = web::status(&answer);
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
    // Who has neither scope learns nothing of a link, however its address is spelt.
    for link in ["AAAAAAAAAAAAAAAAAAAAAA", "%41AAAAAAAAAAAAAAAAAAAAA"] {
        let status = |token: &str| site.asks(token, "GET", &format!("/v1/context/{link}"), "").0;
        assert_eq!((status("read"), status("report")), (404, 401), "{link}");
    }
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
