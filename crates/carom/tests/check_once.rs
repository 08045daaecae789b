//! One mistake is one error: what comes of it is not told beside it. And what must have been meant is
//! mended.

use std::{fs, process::Command};

use carom::config::check;
use carom_blackbox::Place;
use ivr_runtime::diagnose::Severity;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const SAMPLE: &str = include_str!("../../../config/flows/main.toml");
const CONFIG: &str = include_str!("../../../config/carom.toml");
const MINIMAL: &str = include_str!("../../ivr-runtime/tests/fixtures/minimal.toml");

#[test]
fn one_mistake_in_a_flow_is_one_error() {
    let place = Place::new();
    for (from, to, told) in [
        ("[target.agents]", "[target.agentx]", "E01 there is no target `agents`, which lines "),
        ("[link.chat]", "[link.chatt]", "E01 there is no link `chat`, which lines "),
        ("\nno_input = ", "\nno_imput = ", "E00 `[step.offer]` does not know the key `no_imput`"),
        ("\nplay     = ", "\nplai     = ", "E00 `[step.offer]` does not know the key `plai`"),
        ("\"es-ES\"]\nstart", "\"es_es\"]\nstart", "E00 `es_es` is no language"),
        ("[step.menu]", "[stpe.menu]", "E00 the file does not know the key `stpe`"),
        ("[link.chat]", "[lnk.chat]", "E00 the file does not know the key `lnk`"),
        ("\nmessage  = {", "\nvia = [\"own\"]\nmessage  = {", "E00 `[sender.own]` has no `from`"),
        ("[flow]", "[flw]", "E00 the file does not know the key `flw`"),
        (
            "[rule.closed]",
            "[hours.own]\nzone = \"Europe/Londn\"\nmon = \"09:00-17:00\"\n[rule.two]\n\
             outside_hours = \"own\"\n[rule.closed]",
            "E12 there is no time zone `Europe/Londn`",
        ),
    ] {
        assert!(SAMPLE.contains(from), "{from}");
        let mut text = SAMPLE.replacen(from, to, 1);
        if to.contains("\"own\"]") {
            text.push_str("\n[sender.own]\nprovider = \"sandbox\"\nregions = [\"GB\"]\n");
        }
        let flow = place.write("flow.toml", &text);
        let found = errors(check(None, &[flow]).1);
        assert_eq!(found.len(), 1, "{to}: {found:#?}");
        assert!(found[0].starts_with(told), "{told}: {found:#?}");
    }
}

#[test]
fn one_mistake_in_a_configuration_is_one_error_in_its_flows_too() {
    let place = Place::new();
    for (from, to, told) in [
        ("Europe/London", "Europe/Londn", "E12 there is no time zone `Europe/Londn`"),
        ("[business.example]", "[busines.example]", "E00 the file does not know the key `busines`"),
        ("config_version", "config_versoin", "E00 the file does not know the key `config_versoin`"),
        ("regions  = [\"GB\"]", "regions  = [\"UK\"]", "E00 `regions`: `UK` is no country code"),
        ("[fallback]", "[falback]", "E00 the file does not know the key `falback`"),
    ] {
        assert!(CONFIG.contains(from), "{from}");
        let config = place.write("carom.toml", &CONFIG.replacen(from, to, 1));
        place.write("flows/main.toml", SAMPLE);
        let found = errors(check(Some(&config), &[]).1);
        assert_eq!(found.len(), 1, "{to}: {found:#?}");
        assert!(found[0].starts_with(told), "{told}: {found:#?}");
    }
}

/// A mistake in what gateways, senders and businesses say, with nothing that comes of it.
#[test]
fn one_mistake_in_a_gateway_a_price_or_a_word_is_told_once() {
    const GATE: &str = r#"
[provider.gate]
kind             = "http"
url              = "https://gate.example.net/send?to={to}&text={text}"
errors           = { "460" = "invalid" }
line_url         = "https://gate.example.net/line?of={to}"
line_at          = "/kind"
line_kinds       = { mobile = "textable", fixed = "not_textable" }
signature        = "hmac-sha256"
signature_header = "X-Signature"
app_secret       = "0123456789abcdef0123456789abcdef"
id_at            = "/id"
state_at         = "/state"
states           = { ok = "delivered" }
[sender.gate]
provider = "gate"
from     = "+447700900777"
regions  = ["GB"]
price    = 0.04
"#;
    const WORDS: &str = "stop_words = [\"basta\"]\nhelp_words = [\"quien\"]\n\
        [[business.example.replies]]\nwords = [\"5\"]\nurl = \"https://a.example.com/5\"\n\
        secret = \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"\n";
    let place = Place::new();
    place.write("flows/main.toml", SAMPLE);
    let whole = CONFIG.replacen("[hours.office]", &format!("{WORDS}\n[hours.office]"), 1).replacen(
        "[limits]",
        "[limits]\nspend_per_day = { amount = 250, currency = \"GBP\" }",
        1,
    ) + GATE;
    let told = |text: &str| {
        let config = place.write("carom.toml", text);
        let findings = check(Some(&config), &[]).1.findings.into_iter();
        let of_config = findings.filter(|one| one.file.ends_with("carom.toml"));
        let told = of_config.map(|one| format!("{} {} ({})", one.code, one.message, one.help));
        // Secrets in the open are no matter here.
        told.filter(|told| !told.starts_with("E13")).collect::<Vec<_>>()
    };
    assert_eq!(told(&whole), [""; 0]);
    for (from, to, expected) in [
        ("price    = 0.04", "price    = \"0.04\"", "E00 `price` is a text; it takes a number"),
        ("price    = 0.04", "", "A01 `spend_per_day` counts nothing for texts by `gate`"),
        ("\nline_url ", "\nline_urll ", "E00 `[provider.gate]` does not know the key `line_urll`"),
        ("\nsignature  ", "\nsignatur  ", "E00 `[provider.gate]` does not know the key `signatur`"),
        ("\nline_url ", "\n#line_url ", "E00 `line_at`, `line_kinds` say nothing: kinds of lines"),
        (
            "\"invalid\"",
            "\"invlid\"",
            "E00 `errors` does not take `invlid` (did you mean `invalid`?)",
        ),
        ("\"textable\"", "\"textabel\"", "E00 `line_kinds` does not take `textabel` (did you mean"),
        ("\"delivered\"", "\"deliverd\"", "E00 `states` does not take `deliverd` (did you mean"),
        ("[\"basta\"]", "[\"5\"]", "E00 `5` has no letter: it may be a rating"),
        ("[\"basta\"]", "[\"quien\"]", "E00 `quien` is one of the `stop_words`, too"),
        ("[\"basta\"]", "[\"\"]", "E00 `stop_words` has an empty text (leave it out"),
        ("[\"basta\"]", "\"basta\"", "E00 `stop_words` is a text; it takes a list of texts"),
    ] {
        assert!(whole.contains(from), "{from}");
        let found = told(&whole.replacen(from, to, 1));
        assert!(found.len() == 1 && found[0].starts_with(expected), "{expected}: {found:#?}");
    }
    assert_eq!(told(&whole.replacen("[\"basta\"]", "[]", 1)), [""; 0], "no words of one's own");
    // What can only have been meant is mended.
    let bad = whole.replacen("\"invalid\"", "\"invlid\"", 1);
    let config = place.write("carom.toml", &bad.replacen("\"textable\"", "\"textabel\"", 1));
    let mended = Command::new(BIN).args(["check", "--fix", "-c"]).arg(&config).output().unwrap();
    assert_eq!(fs::read_to_string(&config).unwrap(), whole, "{mended:?}");
}

/// A language without any recordings is one thing to be done, however much is played in it.
#[test]
fn e07_a_language_without_prompts_is_told_of_once() {
    let place = Place::new();
    let text = MINIMAL.replace("name    =", "languages = [\"en-GB\", \"it-IT\"]\nname    =");
    assert_ne!(text, MINIMAL);
    let flow = place.write("flow.toml", &text);
    let found = errors(check(None, &[flow]).1);
    let prompts: Vec<&String> = found.iter().filter(|told| told.starts_with("E07")).collect();
    assert_eq!(prompts.len(), 1, "{found:#?}");
    assert!(
        prompts[0].starts_with("E07 there are no prompts in it-IT: none of the "),
        "{found:#?}"
    );
}

#[test]
fn words_that_must_have_been_meant_are_mended_like_keys() {
    let place = Place::new();
    let bad = CONFIG
        .replacen("transport = \"udp\"", "transport = \"upd\"", 1)
        .replacen("srtp            = \"optional\"", "srtp            = \"optinal\"", 1)
        .replacen("kind = \"sandbox\"", "kind = \"Sandbox\"", 1)
        .replacen("regions  = [\"GB\"]", "regions  = [\"UK\"]", 1)
        .replacen(
            "codecs          = [\"PCMA\", \"PCMU\"]",
            "codecs          = [\"PCMA\", \"pcmu\"]",
            1,
        );
    let config = place.write("carom.toml", &bad);
    let flow = place.write(
        "flows/main.toml",
        &SAMPLE
            .replacen("\"es-ES\"]", "\"es_ES\"]", 1)
            .replacen("do       = \"menu\"", "do       = \"mneu\"", 1)
            .replacen("[target.agents]", "[target.agens]", 1),
    );
    let told = Command::new(BIN).args(["check", "--fix", "-c"]).arg(&config).output().unwrap();
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success(), "{text}");
    for done in ["`upd` to `udp`", "`optinal` to `optional`", "`Sandbox` to `sandbox`"] {
        assert!(text.contains(&format!("mended {done}")), "{done}: {text}");
    }
    assert_eq!(fs::read_to_string(&config).unwrap(), CONFIG);
    // Each place that names it, by one finding.
    let mended =
        SAMPLE.replacen("[target.agents]", "[target.agens]", 1).replace("\"agents\"", "\"agens\"");
    assert_eq!(fs::read_to_string(&flow).unwrap(), mended);
}

/// E08: flows that claim the same are told of once a file, at the first such place.
#[test]
fn e08_of_many_flows_for_one_number_each_is_told_of_once_and_where_it_stands() {
    let place = Place::new();
    let config = place.write("carom.toml", CONFIG);
    for name in ["a", "b", "c", "d"] {
        place.write(&format!("flows/{name}.toml"), MINIMAL);
    }
    let (_, report) = check(Some(&config), &[]);
    let clashes: Vec<_> =
        report.findings.iter().filter(|finding| finding.message.contains("already")).collect();
    assert_eq!(clashes.len(), 3, "{report}");
    for (clash, name) in clashes.iter().zip(["b", "c", "d"]) {
        assert!(clash.file.ends_with(&format!("flows/{name}.toml")), "{clash:?}");
        assert_eq!(clash.line, 5, "{clash:?}");
        let told = "the number `+442079460019` and the name `Main line` belong to the flow in ";
        assert!(clash.message.starts_with(told), "{clash:?}");
        assert!(clash.message.ends_with("flows/a.toml already"), "{clash:?}");
    }
}

/// Code and message of each error.
fn errors(report: carom::config::CheckReport) -> Vec<String> {
    let errors = report.findings.into_iter().filter(|one| one.severity == Severity::Error);
    errors.map(|one| format!("{} {}", one.code, one.message)).collect()
}
