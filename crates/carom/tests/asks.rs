//! Digits, lookups and actions: real keys, a system of the business on loopback, a real PBX.

use carom_blackbox::{
    CONFIG, Database, Engine, Place, Run, Scenario, call, eventually,
    web::{self, Crm, Says},
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

/// Who calls is looked up unanswered; those who are not known type their account.
pub const FLOW: &str = r#"
version = 1

[flow]
name    = "Accounts"
default = true
start   = "who"
human   = "agents"

[rule.premium]
customer_type = ["premium"]
[rule.known]
known = "customer_type"
[rule.good]
field    = "balance"
at_least = 0
[rule.vouched]
attestation = ["A"]
[rule.partner]
header = "X-Partner"
equals = ["acme"]

[step.who]
do         = "lookup"
url        = "{crm}/caller/{caller_key}?number={caller_number}"
token      = "file:crm-token"
timeout_ms = 600
save       = ["customer_type"]
then       = "sort"
if_fails   = "agents"

[step.sort]
do        = "decide"
case      = [
  { if = "partner", go = "partners" },
  { if = "premium", go = "premium" },
  { if = "known",   go = "agents" },
]
otherwise = "ask"

[step.ask]
do       = "collect"
save     = "account"
secret   = true
check    = "luhn"
play     = "beep.wav"
min      = 5
max      = 5
tries    = 2
then     = "balance"
no_input = "agents"
wrong    = "fallback"

[step.balance]
do          = "lookup"
url         = "{crm}/balance"
body        = { account = "{account}" }
save        = { balance = "/account/balance" }
wait_prompt = "none"
then        = "judge"
if_fails    = "fallback"

[step.judge]
do        = "decide"
case      = [{ if = "good", go = "pay" }]
otherwise = "fallback"

[step.pay]
do          = "action"
url         = "{crm}/pay"
body        = { account = "{account}", from = "{caller_number}" }
confirm     = "beep.wav"
wait_prompt = "none"
then        = "premium"
no_input    = "agents"
if_fails    = "fallback"
"#;

/// The last digit is not its check digit.
const ACCOUNT: &str = "79921";

#[test]
fn kh_11_a_premium_caller_by_the_lookup_goes_straight_to_their_person_unanswered() {
    let place = Place::new();
    let site = Site::new(&place, Says::Json("{\"customer_type\":\"premium\"}".into()));
    assert_eq!(site.rings("+447700900601", &[]), "premium");
    assert!(
        !site.engine.time_line().contains("us → caller  200 INVITE\n") || {
            // The 200 that the caller gets is the PBX's.
            let line = site.engine.time_line();
            line.find("target → us  200") < line.find("us → caller  200")
        }
    );
    let asked = &site.crm.asked()[0];
    assert_eq!(asked.header("authorization"), "Bearer t0ken");
    assert_eq!(asked.form["number"], "+447700900601");
    assert!(asked.path.starts_with("/caller/") && asked.path.len() > 30, "{}", asked.path);
}

#[test]
fn ex_10_a_slow_dead_or_confused_crm_costs_the_caller_no_more_than_its_time() {
    let place = Place::new();
    let site = Site::new(&place, Says::Late(3_000, "{\"customer_type\":\"premium\"}".into()));
    for (says, why) in [
        (None, "timeout"),
        (Some(Says::Json("<html>".into())), "garbage"),
        (Some(Says::Status(404)), "status_404"),
        (Some(Says::Status(500)), "status_500"),
        (Some(Says::Reset), "unreachable"),
    ] {
        if let Some(says) = says {
            site.crm.says(says);
        }
        assert_eq!(site.rings("+447700900602", &[]), "agents", "{why}");
        let line = site.engine.time_line();
        assert!(line.contains(&format!("left by error, {why}")), "{why}: {line}");
    }
    // Five in a row (a 404 is none: it is at work): it is left alone, and no caller waits for it.
    for _ in 0..3 {
        assert_eq!(site.rings("+447700900602", &[]), "agents");
    }
    let asked = site.crm.asked().len();
    assert_eq!(site.rings("+447700900602", &[]), "agents");
    assert_eq!(site.crm.asked().len(), asked);
    assert!(site.engine.time_line().contains("left_alone"));
}

#[test]
fn ex_11_ex_24_typed_digits_are_looked_up_and_a_confirmed_action_is_done_once() {
    let place = Place::new();
    let site = Site::new(&place, Says::Json("{\"account\":{\"balance\":12.5}}".into()));
    let digits: String =
        (0..5).map(|n| format!("{}@{}ms ", &luhn(ACCOUNT)[n..=n], 700 + 250 * n)).collect();
    let mut keys: Vec<&str> = digits.split_whitespace().flat_map(|key| ["--press", key]).collect();
    keys.extend(["--press", "1@4s"]);
    assert_eq!(site.rings("+447700900603", &keys), "premium");
    let asked = site.crm.asked();
    let paths: Vec<_> = asked.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths[1..], ["/balance", "/pay"], "{asked:?}");
    assert_eq!(asked[1].body, format!("{{\"account\":\"{}\"}}", luhn(ACCOUNT)));
    assert!(asked[2].body.contains("\"from\":\"+447700900603\""), "{}", asked[2].body);
    assert!(asked[2].header("idempotency-key").contains(":pay:"), "{asked:?}");

    let database = Database::of(&place);
    let inputs = "SELECT input FROM call_input ORDER BY call_id, seq";
    let inputs = eventually("inputs are written", || {
        Some(database.texts(inputs).join("\n")).filter(|all| all.contains("Target"))
    });
    for digit in ["7", "9", "2"] {
        assert!(!inputs.contains(&format!("{{\"Key\":\"{digit}\"}}")), "{inputs}");
    }
    assert!(inputs.contains("balance") && !inputs.contains("12.5"), "{inputs}");

    // Wrong digits twice; a no; each has its way.
    let wrong =
        "1@700ms 1@900ms 1@1100ms 1@1300ms 1@1500ms 2@3s 2@3200ms 2@3400ms 2@3600ms 2@3800ms";
    let wrong: Vec<&str> = wrong.split(' ').flat_map(|key| ["--press", key]).collect();
    assert_eq!(site.rings("+447700900604", &wrong), "pbx");
    let said_no = keys.len() - 1;
    keys[said_no] = "2@4s";
    assert_eq!(site.rings("+447700900605", &keys), "agents");
    assert_eq!(site.crm.asked().iter().filter(|request| request.path == "/pay").count(), 1);
}

#[test]
fn a_secret_typed_ahead_of_its_question_is_written_nowhere() {
    let place = Place::new();
    let flow = FLOW.replace("otherwise = \"ask\"", "otherwise = \"hello\"")
        + "[step.hello]\ndo = \"say\"\nplay = \"welcome.wav\"\nthen = \"ask\"\n";
    let crm = Crm::start(Says::Json("{\"account\":{\"balance\":-1}}".into()));
    let site = Site::with(&place, &crm, CONFIG, &flow, &["agents", "premium", "partners"]);
    let account = luhn(ACCOUNT);
    let keys: Vec<String> =
        account.chars().zip(1..).map(|(key, n)| format!("{key}@{}ms", 300 * n)).collect();
    let keys: Vec<&str> = keys.iter().flat_map(|key| ["--press", key]).collect();
    assert_eq!(site.rings("+447700900606", &keys), "pbx", "its balance is below zero");
    assert!(crm.asked()[1].body.contains(&account), "it was taken for the question");
    let database = Database::of(&place);
    let inputs = eventually("inputs are written", || {
        let inputs =
            database.texts("SELECT input FROM call_input ORDER BY call_id, seq").join("\n");
        Some(inputs).filter(|all| all.contains("Target"))
    });
    assert_eq!(inputs.matches("{\"Key\":\"0\"}").count(), 5, "{inputs}");
    assert_eq!(inputs.matches("\"Key\"").count(), 5, "{inputs}");
}

#[test]
fn a_header_of_the_invite_decides() {
    let place = Place::new();
    let site = Site::new(&place, Says::Json("{}".into()));
    assert_eq!(site.is_rung_for(&["X-Partner: acme".to_owned()]), "partners");
}

#[test]
fn what_the_carrier_says_of_the_caller_s_signature_decides() {
    let place = Place::new();
    let sort = "  { if = \"partner\", go = \"partners\" },\n";
    let vouched = format!("  {{ if = \"vouched\", go = \"premium\" }},\n{sort}");
    let flow = FLOW.replace(sort, &vouched);
    let crm = Crm::start(Says::Json("{\"customer_type\":\"basic\"}".into()));
    let targets = ["agents", "premium", "partners"];
    let believed = Site::with(&place, &crm, CONFIG, &flow, &targets);
    let asserted =
        |more: &str| format!("P-Asserted-Identity: <sip:+447700900123{more}@x;user=phone>");
    let passed = asserted(";verstat=TN-Validation-Passed");
    for (lines, rung) in [
        (vec![passed.clone()], "premium"),
        (vec![passed.clone(), "Attestation-Info: A".to_owned()], "premium"),
        (vec![passed.clone(), "Attestation-Info: B".to_owned()], "agents"),
        (vec![asserted(";verstat=TN-Validation-Failed"), "Attestation-Info: A".into()], "agents"),
        (vec![asserted("")], "agents"),
    ] {
        assert_eq!(believed.is_rung_for(&lines), rung, "{lines:?}");
    }
    drop(believed);

    // Anyone can write it: only a trusted carrier is believed.
    let place = Place::new();
    let config = CONFIG.replace("trusted    = true", "trusted    = false");
    let doubted = Site::with(&place, &crm, &config, &flow, &targets);
    assert_eq!(doubted.is_rung_for(&[passed]), "agents");
}

/// The last digit made right.
fn luhn(digits: &str) -> String {
    let (body, _) = digits.split_at(4);
    let sum: u32 = body
        .chars()
        .rev()
        .zip([2, 1].into_iter().cycle())
        .map(|(digit, weight)| digit.to_digit(10).unwrap() * weight)
        .map(|n| n / 10 + n % 10)
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

pub struct Site<'a> {
    place: &'a Place,
    crm: Crm,
    pub engine: Engine,
    pub pbx: Run,
}

impl<'a> Site<'a> {
    fn new(place: &'a Place, says: Says) -> Self {
        let crm = Crm::start(says);
        Self::with(place, &crm, CONFIG, FLOW, &["agents", "premium", "partners"])
    }

    pub fn with(place: &'a Place, crm: &Crm, config: &str, flow: &str, targets: &[&str]) -> Self {
        Self::started(place, crm, flow, targets, |flow| {
            Engine::start_with(BIN, place, config, flow)
        })
    }

    /// With an engine that logs all it can.
    pub fn tracing(place: &'a Place, crm: &Crm, flow: &str, targets: &[&str]) -> Self {
        Self::started(place, crm, flow, targets, |flow| Engine::tracing(BIN, place, CONFIG, flow))
    }

    fn started(
        place: &'a Place,
        crm: &Crm,
        flow: &str,
        targets: &[&str],
        start: impl Fn(&str) -> Engine,
    ) -> Self {
        place.beep();
        place.write("crm-token", "t0ken\n");
        let target = |name: &str| {
            let pbx = place.pbx();
            format!(
                "\n[target.{name}]\nsip = \"sip:{name}@{pbx}:5060\"\n\
                 answered_means = \"human\"\nping_seconds = 0\n"
            )
        };
        let targets: String = targets.iter().copied().map(target).collect();
        let flow = flow.replace("{crm}", &crm.url()).replace("\"fallback\"", "\"pbx\"") + &targets;
        let engine = start(&flow);
        let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(20).listen(place);
        Self { place, crm: crm.clone(), engine, pbx }
    }

    /// Posts JSON to the engine; returns its answer.
    pub fn tell(&self, path: &str, body: &str) -> String {
        web::ask(self.place, "POST", path, web::JSON, body)
    }

    /// Which address is rung.
    pub fn rings(&self, from: &str, keys: &[&str]) -> String {
        let before = self.pbx.messages().len();
        let uri = format!("sip:100@{}", self.place.engine());
        let answer = call(BIN, self.place, &uri, &[&["--from", from], keys].concat());
        assert!(answer.status.success(), "{answer:?}");
        self.rung_since(before)
    }

    /// Which address is rung for an INVITE with these lines.
    fn is_rung_for(&self, lines: &[String]) -> String {
        let before = self.pbx.messages().len();
        let carrier = Scenario::new("carrier-waits", self.place.carrier());
        let carrier = lines.iter().fold(carrier, |carrier, line| carrier.line(line));
        carrier.call(self.place).succeeds();
        self.rung_since(before)
    }

    fn rung_since(&self, before: usize) -> String {
        self.engine.idle();
        let messages = self.pbx.messages();
        let rung = messages[before..].lines().filter_map(|line| {
            line.strip_prefix("INVITE sip:")?.split_once('@').map(|(user, _)| user.to_owned())
        });
        let rung: Vec<_> = rung.collect();
        assert_eq!(rung.len(), 1, "{rung:?}");
        rung[0].clone()
    }
}
