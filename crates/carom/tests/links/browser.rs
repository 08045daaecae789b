//! The page in Chromium: with and without script, judged by axe-core for WCAG 2.2 AA.

use carom_blackbox::{
    Database,
    judges::{self, Judges},
    web::{Crm, SAFARI, Says},
};
use serde_json::{Value, json};

use super::Site;

/// What tests/judges/page.js tells of one page.
fn judged(site: &Site, link: &str, pressing: &[&str]) -> Value {
    let mut judge = Judges::below(env!("CARGO_TARGET_TMPDIR")).node("page.js");
    judge.arg(format!("http://{}:8080{link}", site.place.engine())).args(pressing);
    serde_json::from_str(&judges::printed(judge)).unwrap()
}

#[test]
fn what_else_a_link_shows_is_clean_too() {
    let site = Site::new();
    site.calls("1");
    let link = site.link();
    let mine = format!("{SAFARI}{}", site.asks("GET", &link, SAFARI, "").cookie());
    let (rating, callback) = (format!("{link}/rating"), format!("{link}/callback"));
    let mut pages = Vec::new();
    let mut shows =
        |status: u16, (method, path): (&str, &str), headers: &str, form: &str, words: &str| {
            let page = site.asks(method, path, headers, form);
            assert_eq!(page.status, status, "{path}: {}", page.body);
            assert!(page.body.contains(words), "{words}: {}", page.body);
            pages.push(page.body);
        };
    shows(404, ("GET", "/l/AAAAAAAAAAAAAAAAAAAAAA"), SAFARI, "", "tel:");
    shows(200, ("POST", link.as_str()), &mine, "to=0", "action=\"http://127.0.0.1:9");
    shows(403, ("GET", link.as_str()), SAFARI, "", "another browser");
    shows(200, ("GET", link.as_str()), &mine, "", "Did this solve it?");
    shows(200, ("POST", rating.as_str()), &mine, "rating=5", "Thank you");
    shows(200, ("POST", callback.as_str()), &mine, "", "We will call you back");
    Database::of(&site.place).execute("UPDATE link SET expires_ms = 1");
    shows(410, ("GET", link.as_str()), &mine, "", "tel:");
    let mut judge = Judges::below(env!("CARGO_TARGET_TMPDIR")).node("page.js");
    judge.arg(format!("http://{}:8080{link}", site.place.engine())).arg("given");
    let told = judges::asked(judge, &json!(pages));
    assert_eq!(told["violations"], json!([]), "{told:#}");
    assert_eq!((&told["elsewhere"], &told["errors"]), (&json!([]), &json!([])), "{told:#}");
}

#[test]
fn the_page_is_clean_in_chromium_and_its_button_needs_no_script() {
    let site = Site::new();
    let (there, farther) =
        (Crm::start(Says::Json("{}".into())), Crm::start(Says::Json("{}".into())));
    // Several buttons, in two languages; then one, which leads on to a real place.
    for keys in ["2", "8"] {
        site.calls(keys);
        let told = judged(&site, &site.link(), &[]);
        assert_eq!(told["violations"], serde_json::json!([]), "{told:#}");
        assert_eq!(told["elsewhere"], serde_json::json!([]), "nothing of others: {told:#}");
        assert_eq!(told["errors"], serde_json::json!([]), "{told:#}");
        assert!(told["rules"].as_u64().unwrap() >= 20, "axe looked: {told:#}");
    }
    site.crm.says(Says::Json(format!(
        "{{\"verified\":true,\"available\":true,\"url\":\"{}/chat\",\"valid_for_seconds\":300}}",
        there.url()
    )));
    // As a chat does whose address is another than the one it is known by.
    there.says(Says::Leads(format!("{}/room", farther.url())));
    site.calls("31");
    let told = judged(&site, &site.link(), &["press"]);
    assert_eq!(told["violations"], serde_json::json!([]), "{told:#}");
    // By a keyboard and with no script at all: both lead on.
    let place = format!("{}/room", farther.url());
    assert_eq!(told["pressed"], serde_json::json!([place, place]), "{told:#}");
    assert_eq!(there.asked().iter().filter(|request| request.path == "/chat").count(), 2);
}
