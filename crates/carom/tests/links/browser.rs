//! The page in Chromium: with and without script, judged by axe-core for WCAG 2.2 AA.

use carom_blackbox::{
    judges::{self, Judges},
    web::{Crm, Says},
};
use serde_json::Value;

use super::Site;

/// What tests/judges/page.js tells of one page.
fn judged(site: &Site, link: &str, pressing: &[&str]) -> Value {
    let mut judge = Judges::below(env!("CARGO_TARGET_TMPDIR")).node("page.js");
    judge.arg(format!("http://{}:8080{link}", site.place.engine())).args(pressing);
    serde_json::from_str(&judges::printed(judge)).unwrap()
}

#[test]
fn the_page_is_clean_in_chromium_and_its_button_needs_no_script() {
    let site = Site::new();
    let there = Crm::start(Says::Json("{}".into()));
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
    site.calls("31");
    let told = judged(&site, &site.link(), &["press"]);
    assert_eq!(told["violations"], serde_json::json!([]), "{told:#}");
    // By a keyboard and with no script at all: both lead on.
    let place = format!("{}/chat", there.url());
    assert_eq!(told["pressed"], serde_json::json!([place, place]), "{told:#}");
    assert_eq!(there.asked().iter().filter(|request| request.path == "/chat").count(), 2);
}
