//! The pages in each of the languages that callers are spoken to in.

use std::thread;

use carom_blackbox::{
    Database,
    judges::{self, Judges},
    web::SAFARI,
};
use serde_json::json;

use super::{Page, Site};

/// Of the flow, of the page, and what it says there: asked for, gone, used elsewhere, thanks.
const LANGUAGES: [(&str, &str, [&str; 4]); 4] = [
    (
        "en-US",
        "en",
        [
            "You asked for this link",
            "no longer valid",
            "used in another browser",
            "Thank you for your answer",
        ],
    ),
    (
        "de-DE",
        "de",
        [
            "Sie haben diesen Link",
            "nicht mehr gültig",
            "in einem anderen Browser",
            "Danke für Ihre Antwort",
        ],
    ),
    (
        "fr-FR",
        "fr",
        [
            "Vous avez demandé ce lien",
            "n’est plus valable",
            "dans un autre navigateur",
            "Merci de votre réponse",
        ],
    ),
    (
        "es-ES",
        "es",
        [
            "Usted pidió este enlace",
            "ya no es válido",
            "en otro navegador",
            "Gracias por su respuesta",
        ],
    ),
];

const FLOW: &str = r#"
version = 1
[flow]
name      = "Languages"
default   = true
languages = ["{language}"]
start     = "welcome"
human     = "agents"
ask_again_days = 0
[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0
[link.orders]
kind    = "signed"
url     = "http://127.0.0.1:9/orders"
app_url = "https://apps.example.com/example"
context_level = "L0"
intents = ["any"]
[link.telegram]
kind    = "telegram"
bot     = "ExampleHelpBot"
intents = ["any"]
[step.welcome]
do       = "menu"
play     = "beep.wav"
press    = { 1 = "text" }
no_input = "agents"
[step.text]
do       = "text"
links    = ["orders", "telegram"]
message  = "Example: {link}"
then     = "hangup"
if_fails = "agents"
"#;

/// Small, with nothing that runs and nothing of others, in a language that it names.
fn is_plain(page: &Page, lang: &str) {
    let Page { head, body, .. } = page;
    assert!(head.len() + body.len() <= 14 * 1024, "{} octets", head.len() + body.len());
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'; style-src 'sha256-")
    );
    let start = body.to_ascii_lowercase();
    assert!(start.starts_with(&format!("<!doctype html><html lang=\"{lang}\">")), "{body}");
    for loaded in ["<script", "<link", "<img", "<iframe", "src=", "url(", "@import", "javascript:"]
    {
        assert!(!start.contains(loaded), "{loaded}: {body}");
    }
    // Attributes that run something, such as onclick.
    assert!(!start.split(" on").skip(1).any(|rest| {
        let name: String = rest.chars().take_while(|c| !" >=".contains(*c)).collect();
        rest[name.len()..].starts_with('=')
    }));
    for attribute in ["href=\"", "action=\""] {
        for rest in body.split(attribute).skip(1) {
            let place = rest.split('"').next().unwrap();
            let own = place.starts_with('/') && !place.starts_with("//");
            let led_to = place == "http://127.0.0.1:9/orders";
            assert!(own || led_to || place.starts_with("tel:+44"), "{place}: {body}");
        }
    }
}

#[test]
fn pages_speak_the_language_of_the_call_are_small_and_clean_and_hold_nothing_of_others() {
    let pages: Vec<String> = thread::scope(|scope| {
        let all = LANGUAGES
            .map(|(language, lang, said)| scope.spawn(move || shown(language, lang, said)));
        all.into_iter().flat_map(|pages| pages.join().unwrap()).collect()
    });
    let mut judge = Judges::below(env!("CARGO_TARGET_TMPDIR")).node("page.js");
    judge.args(["http://127.0.0.1:8080/l/x", "given"]);
    let told = judges::asked(judge, &json!(pages));
    assert_eq!(told["violations"], json!([]), "{told:#}");
    assert!(told["rules"].as_u64().unwrap() >= 20, "axe looked: {told:#}");
}

/// The pages of a link of a call in this language; those that differ by more than a sentence.
fn shown(language: &str, lang: &str, said: [&str; 4]) -> [String; 3] {
    let site = Site::with(&FLOW.replace("{language}", language));
    site.calls("1");
    let link = site.link();
    let shows = |status, (method, path): (&str, &str), headers: &str, form, words: &str| {
        let page = site.asks(method, path, headers, form);
        assert_eq!(page.status, status, "{language} {path}: {}", page.body);
        is_plain(&page, lang);
        assert!(page.body.contains(words), "{words}: {}", page.body);
        let others = LANGUAGES.iter().filter(|(other, ..)| *other != language);
        for word in others.flat_map(|(.., said)| said) {
            assert!(!page.body.contains(word), "{language}: {word}: {}", page.body);
        }
        page.body
    };
    let [asked_for, gone, elsewhere, thanks] = said;
    let first = shows(200, ("GET", &link), SAFARI, "", asked_for);
    let mine = format!("{SAFARI}{}", site.asks("GET", &link, SAFARI, "").cookie());
    shows(200, ("POST", &link), &mine, "to=0", "");
    shows(403, ("GET", &link), SAFARI, "", elsewhere);
    let rating = shows(200, ("GET", &link), &mine, "", "/rating");
    shows(200, ("POST", &format!("{link}/rating")), &mine, "rating=5", thanks);
    shows(200, ("POST", &format!("{link}/callback")), &mine, "", "role=\"status\"");
    Database::of(&site.place).execute("UPDATE link SET expires_ms = 1");
    let gone = shows(410, ("GET", &link), &mine, "", gone);
    [first, rating, gone]
}
