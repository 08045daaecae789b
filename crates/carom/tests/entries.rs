//! Tracked places that lead people on before they call: real requests, real rows.

use std::path::Path;

use carom_blackbox::{
    CONFIG, Database, Engine, FLOW, Place, eventually,
    judges::{self, Judges},
    web::{self, SAFARI},
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const ENTRIES: &str = r#"
public_url = "http://{engine}:8080"

[entry.website]
url = "https://help.example.com/start?from={entry}&contact={contact}"
[entry.map-pin]
url      = "https://help.example.com/near-you"
business = "example"
"#;

/// Status and `Location`.
fn comes(place: &Place, method: &str, path: &str, agent: &str) -> (u16, String) {
    let answer = web::ask(place, method, path, agent, "");
    let status = web::status(&answer);
    let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
    (status, location.unwrap_or_default().to_owned())
}

#[test]
fn kh_21_who_comes_by_an_entry_point_is_led_on_and_counted_once_and_programs_are_not() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, &format!("{CONFIG}{ENTRIES}"), FLOW);
    let empty = "https://help.example.com/start?from=website&contact=";
    for agent in ["User-Agent: WhatsApp/2.24\r\n", "User-Agent: Googlebot/2.1\r\n", ""] {
        assert_eq!(comes(&place, "GET", "/e/website", agent), (302, empty.to_owned()));
    }
    assert_eq!(comes(&place, "HEAD", "/e/website", SAFARI), (302, empty.to_owned()));
    let (status, to) = comes(&place, "GET", "/e/website", SAFARI);
    let contact = to.strip_prefix(empty).unwrap().to_owned();
    assert_eq!(status, 302);
    assert_eq!(
        comes(&place, "GET", "/e/map-pin", SAFARI),
        (302, "https://help.example.com/near-you".to_owned())
    );
    assert_eq!(comes(&place, "GET", "/e/nowhere", SAFARI).0, 404);
    let database = Database::of(&place);
    let points = eventually("both contacts", || {
        let rows = database.texts("SELECT entry_point FROM precall_contact ORDER BY contact_id");
        (rows.len() == 2).then_some(rows)
    });
    assert_eq!(points, ["website", "map-pin"]);
    let of_website = "SELECT contact_id || business FROM precall_contact LIMIT 1";
    assert_eq!(database.texts(of_website), [format!("{contact}example")]);
    let people = "carom_entries_total{entry=\"website\",by=\"person\"}";
    assert_eq!(engine.metric(&place, people) as i64, 1);
    assert_eq!(database.number("SELECT COUNT(*) FROM call"), 0);
}

#[test]
fn kh_21_the_qr_code_of_an_entry_point_is_read_by_others_as_its_address() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, &format!("{CONFIG}{ENTRIES}"), FLOW);
    let address = format!("http://{}:8080/e/map-pin", place.engine());
    assert!(engine.cli(&["entries"]).out.contains(&format!("map-pin  {address}\n")));
    for name in ["code.svg", "code.png"] {
        let file = place.folder().join(name);
        let told = engine.cli(&["entries", "qr", "map-pin", "--out", file.to_str().unwrap()]);
        assert_eq!(told.out.trim(), address, "{told:?}");
        assert_eq!(read_by_another(&file), address, "{name}");
    }
    let wrong = engine.cli(&["entries", "qr", "mappin", "--out", "code.png"]);
    assert!(wrong.err.contains("no entry is called `mappin`; there are: website, map-pin"));
    let wrong = engine.cli(&["entries", "qr", "website", "--out", "code.gif"]);
    assert!(wrong.err.contains("code.gif: a code is written to a .svg or .png file"));
}

/// What jsQR sees in a file.
fn read_by_another(file: &Path) -> String {
    let mut judge = Judges::below(env!("CARGO_TARGET_TMPDIR")).node("qr.js");
    judge.arg(file);
    judges::printed(judge).trim().to_owned()
}
