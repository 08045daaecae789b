//! Several businesses on one node: each line texts in its own name, and STOP to one is no STOP to
//! another (requirements §4.4).

use carom_blackbox::{
    CONFIG, Database, Engine, FLOW, Place, Scenario, call, fill,
    twilio::{TOKEN, Twilio, post},
};
use deflect_actions::provider::twilio::signature;
use serde_json::json;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const CALLER: &str = "+447700900456";
const ALPHA: (&str, &str) = ("+442079460018", "+447700900998");
const BETA: (&str, &str) = ("+442079460019", "+447700900999");

struct Site {
    place: Place,
    engine: Engine,
    twilio: Twilio,
}

impl Site {
    fn new() -> Self {
        let place = Place::new();
        place.beep();
        let twilio = Twilio::start(&place);
        let config = twilio.engine_config(&place);
        let one = "[business.example]\nname  = \"Example\"\nbrand = \"Example\"\n";
        let two = "[business.alpha]\nname = \"Alpha Ltd\"\nbrand = \"Alpha\"\n\
                   [business.beta]\nname = \"Beta plc\"\nbrand = \"Beta\"\n\
                   [sender.alpha]\nprovider = \"twilio\"\nfrom = \"+447700900998\"\n\
                   regions = [\"GB\"]\nbusiness = \"alpha\"\nauto_reply = false\n";
        assert!(config.contains(one));
        let config = config.replace(one, two).replace(
            "from = \"+447700900999\"",
            "from = \"+447700900999\"\nbusiness = \"beta\"\nauto_reply = false",
        );
        let of = |business: &str, line: &str| {
            FLOW.replace("welcome.wav", "beep.wav")
                .replace("\"Test line\"", &format!("\"{business} line\""))
                .replace("Example:", "{brand}:")
                .replace(
                    "default        = true",
                    &format!("numbers = [\"{line}\"]\nbusiness = \"{business}\""),
                )
                .replace("press    =", "intent = \"orders\"\npress    =")
        };
        place.write("flows/beta.toml", &fill(&place, &of("beta", BETA.0)));
        let engine = Engine::start_with(BIN, &place, &config, &of("alpha", ALPHA.0));
        Self { place, engine, twilio }
    }

    /// The caller rings a line and presses 1; returns the texts that came of it: from whom, and
    /// how they begin.
    fn asks_at(&self, line: &str) -> Vec<(String, String)> {
        let before = self.twilio.posted().len();
        let uri = format!("sip:{line}@{}", self.place.engine());
        let args = ["--from", CALLER, "--press", "1@1200ms", "--hang-up-after", "2500ms"];
        let _ = call(BIN, &self.place, &uri, &args);
        self.engine.idle();
        let texts = self.twilio.posted().split_off(before);
        let begins = |body: &str| body.split(':').next().unwrap().to_owned();
        texts.iter().map(|text| (text["From"].clone(), begins(&text["Body"]))).collect()
    }

    /// The caller writes to a sender; returns what is answered.
    fn writes(&self, sender: &str, body: &str) -> String {
        let path = "/webhooks/twilio/twilio/inbound";
        let id = format!("SM{sender}{body}");
        let form = [("MessageSid", id.as_str()), ("From", CALLER), ("To", sender), ("Body", body)];
        let owned: Vec<_> = form.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let url = format!("http://{}:8080{path}", self.place.engine());
        post(&self.place, path, &form, &signature(TOKEN, &url, &owned))
    }
}

#[test]
fn x_05_stop_to_one_brand_leaves_the_other_alone_by_brand_and_topic() {
    let site = Site::new();
    let (from_alpha, from_beta) =
        ((ALPHA.1.to_owned(), "Alpha".to_owned()), (BETA.1.to_owned(), "Beta".to_owned()));
    assert!(site.writes(ALPHA.1, "STOP").contains("Alpha: You will get no more"));
    let database = Database::of(&site.place);
    let held = "SELECT brand || ' ' || topic FROM opt_out WHERE revoked_ms IS NULL ORDER BY brand";
    assert_eq!(database.texts(held), ["Alpha "]);
    assert_eq!(site.asks_at(ALPHA.0), []);
    assert_eq!(
        site.asks_at(BETA.0),
        std::slice::from_ref(&from_beta),
        "by Beta's own sender, in its name"
    );

    // START to Beta's is no START to Alpha's.
    let _ = site.writes(BETA.1, "START");
    assert_eq!(database.texts(held), ["Alpha "]);
    let _ = site.writes(ALPHA.1, "START");
    assert_eq!(site.asks_at(ALPHA.0), [from_alpha], "texts are told apart by business");

    // One topic of one brand.
    let out = |args: &[&str]| {
        let told = site.engine.cli(&[&["opt-outs", "add", CALLER], args].concat());
        assert!(told.status.success(), "{told:?}");
    };
    database.execute("UPDATE message SET state = 'failed'");
    out(&["--business", "beta", "--topic", "billing"]);
    out(&["--business", "alpha", "--topic", "orders"]);
    assert_eq!(site.asks_at(ALPHA.0), []);
    assert_eq!(site.asks_at(BETA.0), [from_beta], "orders are no billing");
    assert_eq!(database.texts(held), ["Alpha orders", "Beta billing"]);
    let of_calls = "SELECT DISTINCT business FROM call ORDER BY business";
    assert_eq!(database.texts(of_calls), ["alpha", "beta"]);
}

#[test]
fn of_two_businesses_each_flow_names_one_that_is_there_and_senders_that_are_its() {
    let site = Site::new();
    // A number of neither flow goes to the legacy PBX.
    let pbx = Scenario::new("pbx-answers", site.place.pbx()).listen(&site.place);
    let uri = format!("sip:+442079460017@{}", site.place.engine());
    let _ = call(BIN, &site.place, &uri, &["--from", CALLER, "--hang-up-after", "1s"]);
    assert!(pbx.messages().contains("INVITE sip:pbx@"), "{}", pbx.messages());

    let refused = |from: &str, to: &str| {
        let before = site.engine.rewrite(&site.place, "flows/beta.toml", |f| f.replace(from, to));
        let told = site.engine.cli(&["check"]).out;
        site.place.write("flows/beta.toml", &before);
        told
    };
    let told = refused("business = \"beta\"", "");
    assert!(told.contains("there are several businesses, and the flow names none"), "{told}");
    assert!(told.contains("there are: alpha, beta"), "{told}");
    let told = refused("\"beta\"", "\"betta\"");
    assert!(told.contains("did you mean `beta`"), "{told}");
    let told = refused("link     =", "via = [\"alpha\"]\nlink     =");
    assert!(told.contains("`[sender.alpha]` is of business `alpha`"), "{told}");
}

#[test]
fn of_two_businesses_a_request_that_is_about_no_line_names_one() {
    let one = "[business.example]\n";
    let two = format!("[business.alpha]\nname = \"Alpha Ltd\"\nbrand = \"Alpha\"\n{one}");
    let line = "default        = true";
    let flow = FLOW.replace(line, &format!("{line}\nbusiness = \"example\""));
    let site = crate::api::Site::configured(&flow, &CONFIG.replace(one, &two));
    let visit = json!({ "kind": "visit", "entry_point": "checkout", "number": CALLER });
    let text = json!({
        "number": CALLER, "text": "Alpha: your parcel comes today",
        "consent": { "asked_in": "web form", "words": "Text me.", "at_ms": 1_764_590_400_000_i64 },
    });
    for (token, path, mut body, fine) in
        [("report", "/v1/events", visit, 200), ("messages", "/v1/messages", text, 202)]
    {
        let key = "Idempotency-Key: a\r\n";
        let (status, told) = site.asks_with(token, "POST", path, key, &body.to_string());
        assert_eq!((status, told["error"].as_str()), (400, Some("no_business")), "{told}");
        let why = told["message"].as_str().unwrap();
        assert!(why.ends_with("missing; there are `alpha`, `example`"), "{why}");
        body["business"] = json!("alpha");
        let (status, told) = site.asks_with(token, "POST", path, key, &body.to_string());
        assert_eq!(status, fine, "{told}");
    }
    let database = Database::of(&site.place);
    assert_eq!(database.texts("SELECT business FROM precall_contact"), ["alpha"]);
    assert_eq!(database.texts("SELECT business FROM call"), ["alpha"]);
    // A line is of one business, so that what is asked about it needs none.
    let asked = json!({ "number": CALLER, "called": "+442079460018" });
    let (status, told) = site.asks("deflect", "POST", "/v1/eligibility", &asked.to_string());
    assert_eq!(status, 200, "{told}");
}
