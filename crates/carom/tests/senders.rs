//! Senders and providers: what the configuration takes, and webhooks over HTTP.

use std::{fs, process::Command, time::Duration};

use carom::config::check;
use carom_blackbox::{CONFIG, Database, Engine, FLOW, Place, eventually, twilio::Twilio, web::ask};
use provider_emulator::{Emulator, Personality, Says, Tell, config};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const TELNYX: &str = r#"
[provider.telnyx]
kind       = "telnyx"
secret     = "file:key"
public_key = "file:public"  # checks receipts
[sender.us_sms]
provider   = "telnyx"
channel    = "sms"
from       = "+14155550123"
regions    = ["US"]
auto_reply = true
"#;
const NUMBER: &str = "from       = \"+14155550123\"\nregions    = [\"US\"]";
const NAME: &str = "from       = \"Example\"\nregions    = [\"GB\"]";
const WHATSAPP: &str = r#"
[provider.whatsapp]
kind         = "whatsapp-cloud"
secret       = "file:key"
app_secret   = "file:key"
verify_token = "file:verify"
[sender.wa]
provider   = "whatsapp"
channel    = "whatsapp"
from       = "106540352242922"        # phone-number id
regions    = ["GB", "IE", "US"]
template   = "chat_link_v2"
template_category  = "utility"
template_languages = { en-GB = "en_GB", es-ES = "es" }
variables  = ["{link_token}"]
auto_reply = false                    # we confirm STOP and answer HELP
"#;

const OTHERS: &str = r#"
[provider.bandwidth]
kind         = "bandwidth"
account      = "9900000"
username     = "api"
secret       = "file:key"
application  = "app-1"
verify_token = "file:pair"
[provider.vonage]
kind       = "vonage"
account    = "abcd1234"
secret     = "file:key"
app_secret = "file:key"
signature  = "md5hash"
[provider.gateway]
kind    = "http"
url     = "https://sms.example.net/send"
headers = { Authorization = "Bearer {secret}" }
body    = '{"to":"{to}","text":"{text}","ref":"{reference}","ttl":{valid_seconds}}'
secret  = "file:key"
id      = "/id"
errors  = { "460" = "invalid" }
parts       = "/parts"
price       = "/cost"
currency    = "EUR"
error       = "/status"
error_codes = { "0" = "none", "8" = "opted_out", "*" = "unknown" }
check_url   = "https://sms.example.net/balance?of={account}"
app_secret       = "file:key"
signature        = "hmac-sha256"
signature_header = "X-Signature"
timestamp_header = "X-Time"
nonce_header     = "X-Nonce"
signed           = "{body}.{nonce}.{timestamp}"
events_at        = "/results"
price_at         = "/cost"
currency_at      = "/unit"
parts_at         = "/parts"
reference_at     = "/ref"
state_at         = "/state"
states           = { DELIVRD = "delivered", UNDELIV = "undelivered" }
[provider.centre]
kind        = "smpp"
url         = "smpps://smsc.example.net:3550"
account     = "carom"
secret      = "file:short"
data_coding = "latin1"
long_texts  = "payload"
receipt_ids = "decimal"
window      = 20
[sender.centre]
provider   = "centre"
from       = "84433"
regions    = ["GB"]
per_second = 20
[sender.bandwidth]
provider = "bandwidth"
from     = "+14155550124"
regions  = ["US"]
[sender.vonage]
provider = "vonage"
from     = "+447700900777"
regions  = ["GB"]
[sender.gateway]
provider = "gateway"
from     = "+442079460019"
regions  = ["GB"]
"#;

/// What the check says of the built-in configuration with these tables.
fn told(tables: &str) -> String {
    told_of(tables, FLOW)
}

/// The same with another flow.
fn told_of(tables: &str, flow: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let builtin = include_str!("../src/config/builtin.toml");
    for (name, text) in [
        ("key", "s3cret"),
        ("verify", "verify-me"),
        ("short", "s3cr3t"),
        ("pair", "hooks:s3cret"),
        ("public", "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw="),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::create_dir(folder.path().join("flows")).unwrap();
    fs::write(folder.path().join("flows/main.toml"), flow).unwrap();
    let file = folder.path().join("carom.toml");
    fs::write(&file, format!("{builtin}\n{tables}")).unwrap();
    check(Some(&file), &[]).1.to_string()
}

#[test]
fn providers_and_senders_of_the_example_load_as_printed() {
    for tables in [TELNYX, WHATSAPP, OTHERS] {
        let report = told(tables);
        let about = ["provider", "sender", "`channel`", "template", "N01", "E10", "E13"];
        assert!(!about.iter().any(|word| report.contains(word)), "{report}");
    }
}

/// The description of Plivo that the documents give.
fn plivo() -> String {
    let document = include_str!("../../../docs/configuration.md");
    let (_, after) = document.split_once("## Gateways by HTTP").unwrap();
    let (_, after) = after.split_once("```toml\n").unwrap();
    let tables = after.split_once("```").unwrap().0;
    let tables = tables.replace("env:PLIVO_AUTH_ID", "file:key");
    let sender =
        "[sender.plivo]\nprovider = \"plivo\"\nfrom = \"+442079460020\"\nregions = [\"GB\"]\n";
    tables.replace("env:PLIVO_AUTH_TOKEN", "file:key") + sender
}

#[test]
fn plivo_is_described_as_the_documents_say_and_its_webhooks_are_believed_by_its_signature() {
    let tables = plivo();
    let report = told(&tables);
    assert!(!report.contains("provider.plivo") && !report.contains("E00"), "{report}");
    let timed = tables.replace("\nsignature ", "\ntimestamp_header = \"X-Time\"\nsignature ");
    assert!(told(&timed).contains("Plivo signs no moment"), "{}", told(&timed));
    let place = Place::new();
    place.write("key", "s3cret");
    let config = Twilio::start(&place).engine_config(&place);
    let engine = Engine::start_with(BIN, &place, &format!("{config}{tables}"), FLOW);
    let path = "/webhooks/http/plivo?message=m.1";
    let body = "From=442079460020&MessageUUID=5b40&Status=delivered&To=447400110001";
    let signed = |signature: &str| {
        format!(
            "Content-Type: application/x-www-form-urlencoded\r\n\
             X-Plivo-Signature-V3-Nonce: 05429567804466091622\r\n\
             X-Plivo-Signature-V3: {signature}\r\n"
        )
    };
    // The rule of Plivo's SDK, by openssl: address, query, form without `=` and `&`, nonce.
    let written = format!(
        "http://{}:8080{path}.{}.05429567804466091622",
        place.engine(),
        body.replace(['=', '&'], "")
    );
    place.write("signed", &written);
    let script = "openssl dgst -sha256 -hmac s3cret -binary signed | base64";
    let made = Command::new("sh").args(["-c", script]).current_dir(place.folder()).output();
    let signature = String::from_utf8(made.unwrap().stdout).unwrap();
    let signature = signature.trim();
    let answer = ask(&place, "POST", path, &signed(signature), body);
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    for (path, signature, body) in [
        (path, signature, body.replace("delivered", "failed").as_str()),
        ("/webhooks/http/plivo", signature, body),
        (path, "AAAA", body),
    ] {
        let answer = ask(&place, "POST", path, &signed(signature), body);
        assert!(answer.starts_with("HTTP/1.1 403"), "{path}: {answer}");
    }
    assert_eq!(engine.metric(&place, "carom_webhooks_untrusted_total") as i64, 3);
}

#[test]
fn e09_a_text_that_nobody_can_answer_says_how_else_to_opt_out() {
    let named = OTHERS.replace("+447700900777", "Example");
    let told = told_of(&named, FLOW);
    assert!(told.contains("error[E09]"), "{told}");
    assert!(told.contains("may come from `Example` (`[sender.vonage]`)"), "{told}");
    let says =
        |more: &str| FLOW.replace("asked for: {link}", &format!("asked for: {{link}}{more}"));
    let told = told_of(&named, &says(" Reply STOP to opt out"));
    assert!(told.contains("error[E09]"), "nobody can: {told}");
    for fine in [" Opt out: call 020 7946 0018", " Opt out: www.example.com/no"] {
        let told = told_of(&named, &says(fine));
        assert!(!told.contains("error[E09]"), "{told}");
    }
    // By those that can be answered alone it needs none.
    let told = told_of(&named, &FLOW.replace("link     =", "via = [\"centre\"]\nlink     ="));
    assert!(!told.contains("error[E09]"), "{told}");
}

#[test]
fn e10_a_sender_that_its_provider_cannot_serve_is_refused() {
    for (tables, from, to, expected) in [
        (WHATSAPP, "template   = \"chat_link_v2\"\n", "", "a WhatsApp sender needs a template"),
        (WHATSAPP, "\"whatsapp\"\nfrom", "\"sms\"\nfrom", "`template` is for senders with"),
        (WHATSAPP, "channel    = \"whatsapp\"\n", "", "`[provider.whatsapp]` carries no sms"),
        (WHATSAPP, "{link_token}", "{token}", "`{token}` holds something unknown"),
        (WHATSAPP, "\"utility\"", "\"marketing\"", "`template_category` does not take `marketing`"),
        (TELNYX, "channel    = \"sms\"", "channel    = \"whatsapp\"", "carries no whatsapp"),
        (TELNYX, "file:public", "AAAA", "`public_key`: it is no Ed25519 public key"),
        (TELNYX, "+14155550123", "+447700900123", "carriers in US take texts from +1"),
        (TELNYX, "+14155550123", "Example", "US takes no texts from names"),
        (OTHERS, "+447700900777", "+44770", "`+44770` is no number"),
        (OTHERS, "+447700900777", "07700900777", "`07700900777` has no country code"),
        (OTHERS, "+447700900777", "Example Shop", "`Example Shop` is no name that phones show"),
        (OTHERS, "[\"GB\"]\nper_second", "[\"GB\", \"IE\"]\nper_second", "in one country only"),
        (
            OTHERS,
            "[sender.centre]",
            "[limits]\ncountries = [\"GB\", \"FR\"]\n[sender.centre]",
            "no sender serves FR",
        ),
        (OTHERS, "file:pair", "file:key", "`verify_token` is no name and password"),
        (
            OTHERS,
            "verify_token = \"file:pair\"",
            "verify_token = \"file:pair\"\nwebhook_path = \"file:short\"",
            "`webhook_path` is not 16 to 128",
        ),
        (OTHERS, "{to}", "you", "neither `url` nor `body` holds the number"),
        (OTHERS, "\"ttl\":", "ttl:", "`body` is no JSON"),
        (OTHERS, "\"invalid\"", "\"wrong\"", "`errors` does not take `wrong`"),
        (OTHERS, "\"460\"", "\"200\"", "`200` is no status of an error answer"),
        (
            OTHERS,
            "signature        = \"hmac-sha256\"",
            "",
            "webhooks are told from others by `signature`",
        ),
        (
            OTHERS,
            "smpps://smsc.example.net:3550",
            "https://smsc.example.net",
            "is no message centre",
        ),
        (OTHERS, "\"carom\"", "\"a-name-that-is-too-long\"", "longer than the 15 characters"),
        (OTHERS, "\"/ref\"", "\"ref\"", "`ref` is no JSON pointer"),
        (OTHERS, "\"EUR\"", "\"euro\"", "`euro` is neither a currency nor a JSON pointer"),
        (
            OTHERS,
            "price       = \"/cost\"\n",
            "",
            "`currency` is that of `price`, and there is none",
        ),
        (OTHERS, "error       = \"/status\"\n", "", "`error_codes` are those of `error`"),
        (OTHERS, "\"none\"", "\"fine\"", "`error_codes` does not take `fine`"),
        (OTHERS, "of={account}", "of={to}", "a field that a question about nobody has not"),
        (OTHERS, "\"{body}.{nonce}", "\"{nonce}", "does not hold `{body}`"),
        (OTHERS, "{nonce}.{timestamp}", "{nonce}", "does not hold `{timestamp}`"),
        (OTHERS, "nonce_header     = \"X-Nonce\"\n", "", "and there is no `nonce_header`"),
        (OTHERS, "{body}.", "{body}{when}", "a field that a webhook has not"),
        (OTHERS, "\"hmac-sha256\"", "\"token\"", "a token signs nothing"),
        (OTHERS, "\"hmac-sha256\"", "\"plivo-v3\"", "Plivo signs by a rule of its own"),
        (TELNYX, NUMBER, NAME, "`[provider.telnyx]` its `messaging_profile_id`"),
    ] {
        assert!(tables.contains(from), "{from}");
        let report = told(&tables.replace(from, to));
        assert!(report.contains(expected), "{expected}: {report}");
    }
    let profile = "messaging_profile_id = \"3fa85f64-5717-4562-b3fc-2c963f66afa6\"\nsecret     =";
    let named = TELNYX.replace(NUMBER, NAME).replace("secret     =", profile);
    let report = told(&named);
    assert!(!report.contains("profile") && !report.contains("E10"), "{report}");
}

#[test]
fn webhooks_of_each_kind_are_served_by_http() {
    let place = Place::new();
    place.write("key", "s3cret");
    place.write("verify", "verify-me");
    place.write("public", "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=");
    let config = Twilio::start(&place).engine_config(&place);
    let engine = Engine::start_with(BIN, &place, &format!("{config}{TELNYX}{WHATSAPP}"), FLOW);
    let wa = "/webhooks/whatsapp-cloud/whatsapp";
    let shake = |token: &str| {
        let query = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=42");
        ask(&place, "GET", &format!("{wa}?{query}"), "", "")
    };
    let answer = shake("verify-me");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n42"), "{answer}");
    assert!(shake("guessed").starts_with("HTTP/1.1 403"));
    // HMAC-SHA256 of the body under "s3cret", by openssl.
    let signed = "X-Hub-Signature-256: sha256=\
                  bac7566b60e49da90a8e9559ca161af763b5bed41d05c1e15f6109307b749a84\r\n";
    let body = r#"{"object":"x","entry":[]}"#;
    assert!(ask(&place, "POST", wa, signed, body).starts_with("HTTP/1.1 204"));
    for (path, headers) in [
        (wa, ""),
        (wa, "X-Hub-Signature-256: sha256=00\r\n"),
        ("/webhooks/telnyx/telnyx", ""),
        ("/webhooks/telnyx/telnyx", "telnyx-timestamp: 1\r\ntelnyx-signature-ed25519: AAAA\r\n"),
    ] {
        let answer = ask(&place, "POST", path, headers, body);
        assert!(answer.starts_with("HTTP/1.1 403"), "{path}: {answer}");
    }
    let other_kind = ask(&place, "POST", "/webhooks/telnyx/whatsapp", "", body);
    assert!(other_kind.starts_with("HTTP/1.1 404"), "{other_kind}");
    assert_eq!(engine.metric(&place, "carom_webhooks_untrusted_total") as i64, 5);
}

#[test]
fn ex_29_a_text_by_hand_asks_first_and_leaves_a_consent_and_no_call_that_counts() {
    let place = Place::new();
    let engine = Engine::start(BIN, &place);
    let text = ["text", "+447400110001", "Example: only a test"];
    let told = engine.cli(&text);
    assert!(!told.status.success() && told.err.contains("--yes"), "{told:?}");
    let told = engine.cli(&[&text[..], &["--yes"]].concat());
    assert!(told.status.success() && told.out.starts_with("accepted, by "), "{told:?}");
    let database = Database::of(&place);
    let of_consent = "SELECT COUNT(*) FROM message m JOIN consent k ON k.consent_id = m.consent_id \
                      WHERE k.prompt_id = 'carom text' AND m.state = 'delivered'";
    assert_eq!(database.number(of_consent), 1);
    let ended = "SELECT COUNT(*) FROM call WHERE end_reason = 'test_call'";
    eventually("its call is over", || (database.number(ended) == 1).then_some(()));
    assert_eq!(database.number("SELECT COUNT(*) FROM v_eligible"), 0);
    for (args, why) in [
        (["text", "+442079460018", "x", "--yes"], "landline"),
        (["text", "0123", "x", "--yes"], "is no number"),
    ] {
        let told = engine.cli(&args);
        assert!(!told.status.success() && told.err.contains(why), "{why}: {told:?}");
    }
    let told = engine.cli(&["text", "+447400110001", "x", "--yes", "--via", "nobody"]);
    assert!(!told.status.success() && told.err.contains("no `[sender.nobody]`"), "{told:?}");
}

#[test]
fn providers_are_checked_without_a_text() {
    let place = Place::new();
    let twilio = Twilio::start(&place);
    let engine = Engine::start_with(BIN, &place, &twilio.engine_config(&place), FLOW);
    let told = engine.cli(&["providers", "check", "twilio"]);
    assert!(told.out.contains("twilio: the credentials are right"), "{told:?}");
    assert!(told.out.contains("a node answers there and refuses"), "{told:?}");
    assert!(told.status.success() && twilio.posted().is_empty());
    place.write("token", "another");
    let told = engine.cli(&["providers", "check"]);
    assert!(told.out.contains("twilio: it does not know us") && !told.status.success(), "{told:?}");
    let told = engine.cli(&["providers", "check", "nobody"]);
    assert!(told.err.contains("no `[provider.nobody]`"), "{told:?}");
}

/// The usual configuration with the tables that the emulator gives to who tries it, and its secrets in files.
pub fn emulated(place: &Place, emulator: &Emulator) -> String {
    let (before, http) = CONFIG.split_once("[provider.sandbox]").unwrap();
    let http = http.split_once("[http]").unwrap().1;
    let tables = config::tables(emulator.at(), emulator.centre().at);
    let url = "public_url = \"http://{engine}:8080\"";
    let mut all = format!("{before}{tables}\n[http]\n{url}{http}");
    for (name, value) in config::SECRETS {
        place.write(name, value);
        all = all.replace(&format!("env:{name}"), &format!("file:{name}"));
    }
    emulator.goes_to(&format!("http://{}:8080", place.engine()));
    all
}

/// The emulator as a user tries it: its tables, each of its providers, its receipts by webhook.
#[test]
fn each_provider_that_the_emulator_plays_is_reached_by_its_tables_and_tells_of_deliveries() {
    let place = Place::new();
    let emulator = Emulator::start(place.ip(20)).unwrap();
    let all = emulated(&place, &emulator);
    emulator.tells(&[Tell::plainly(Duration::from_millis(50), Says::Delivered)]);
    let engine = Engine::start_with(BIN, &place, &all, FLOW);
    let told = engine.cli(&["providers", "check"]);
    assert!(told.status.success(), "{told:?}");
    let names = ["twilio", "telnyx", "whatsapp-cloud", "bandwidth", "vonage", "plivo", "smpp"];
    for name in names {
        assert!(told.out.contains(&format!("{name}: the credentials are right")), "{told:?}");
    }
    for (n, name) in (1..).zip(["twilio", "telnyx", "bandwidth", "vonage", "plivo", "smpp"]) {
        let (to, words) = (format!("+4474001{n}1001"), "Example: hello");
        let told = engine.cli(&["text", &to, words, "--yes", "--via", name]);
        assert!(told.status.success(), "{name}: {told:?}");
    }
    let delivered = "SELECT COUNT(*) FROM message WHERE state = 'delivered'";
    let database = Database::of(&place);
    eventually("all are delivered", || (database.number(delivered) == 6).then_some(()));
    assert_eq!(emulator.account(Personality::Plivo).taken()[0].text, "Example: hello");
}
