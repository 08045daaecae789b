//! Who may read what a link hands over: a bot once, people by their role as often as they like.

use carom_blackbox::Database;
use serde_json::Value;

use super::{FLOW, Page, Site};

const TOKENS: &str = r#"
tokens = [
  { name = "bot", secret = "file:bot.token", scope = "context" },
  { name = "desk", secret = "file:desk.token", scope = "read" },
  { name = "crm", secret = "file:crm.token", scope = "report" },
]
"#;
/// Typed in secret on the way to the text.
const PIN: &str = "4815";

/// Whether the PIN stands there by itself: four digits stand by chance in some time or id.
fn tells_pin(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').any(|word| word == PIN)
}

#[test]
fn ex_12_kh_16_what_a_link_hands_over_is_told_once_or_by_role_and_never_a_secret() {
    let site = asking_for_a_pin();
    site.calls(&format!("{PIN}1"));
    assert_eq!(site.number("SELECT COUNT(*) FROM message"), 1);
    let inbox = reads(&site, "desk", "/sandbox").body;
    let token = inbox.split_once("/l/").unwrap().1[..22].to_owned();
    let path = format!("/v1/context/{token}");
    for stranger in ["", "crm", "nobody"] {
        assert_eq!(reads(&site, stranger, &path).status, 401, "`{stranger}`");
    }
    let unread =
        |id: &str| assert_eq!(reads(&site, "bot", &format!("/v1/context/{id}")).status, 404);
    unread("AAAAAAAAAAAAAAAAAAAAAA");

    // People read it before and after the bot, which has it once.
    let mut told: Vec<Value> = Vec::new();
    for (who, status) in
        [("desk", 200), ("desk", 200), ("bot", 200), ("bot", 410), ("desk", 200), ("bot", 410)]
    {
        let page = reads(&site, who, &path);
        assert_eq!(page.status, status, "{who}: {}", page.body);
        if status == 200 {
            assert_eq!(page.header("cache-control"), "no-store");
            told.push(serde_json::from_str(&page.body).unwrap());
        }
    }
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    assert_eq!(told[0]["context"], serde_json::json!({ "customer_id": "customer-7" }));
    assert_eq!((&told[0]["topic"], &told[0]["level"]), (&"lost_parcel".into(), &"L2".into()));
    assert_eq!(told[0]["path"].as_array().unwrap().len(), 5, "{}", told[0]);
    let call = told[0]["call_id"].as_str().unwrap();
    // A bot reads no calls.
    let of_call = format!("/v1/context/{call}");
    assert_eq!(
        [reads(&site, "bot", &of_call).status, reads(&site, "desk", &of_call).status],
        [401, 200]
    );
    // Nothing of it tells what was typed in secret.
    let of_call = reads(&site, "desk", &of_call).body;
    assert!(of_call.contains("\"pin\"") && !tells_pin(&of_call), "the step is told: {of_call}");
    assert!(!tells_pin(&told[0].to_string()), "{}", told[0]);

    // Once it is over, nobody reads it any more.
    Database::of(&site.place).execute("UPDATE link SET expires_ms = 1");
    for who in ["desk", "bot"] {
        assert_eq!(reads(&site, who, &path).status, 410, "{who}");
    }
}

fn asking_for_a_pin() -> Site {
    let pin = "[step.pin]\ndo = \"collect\"\nsave = \"pin\"\nsecret = true\nplay = \"beep.wav\"\n\
               min = 4\nmax = 4\nthen = \"welcome\"\nno_input = \"agents\"\n";
    let flow = FLOW.replace(
        "intent = \"lost_parcel\"\nthen   = \"welcome\"",
        &format!("intent = \"lost_parcel\"\nthen = \"pin\"\n{pin}"),
    );
    Site::admitting(&flow, TOKENS, &["bot", "desk", "crm"])
}

fn reads(site: &Site, who: &str, path: &str) -> Page {
    let header = match who {
        "" => String::new(),
        who => format!("Authorization: Bearer {who}-secret\r\n"),
    };
    site.asks("GET", path, &header, "")
}
