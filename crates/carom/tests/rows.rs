//! A deflected and a forwarded call leave their rows, on both databases.

use carom_blackbox::{CONFIG, Database, Engine, FLOW, Place, Scenario, call, eventually, get};
use jiff::{Timestamp, tz::TimeZone};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

#[test]
fn ex_29_on_sqlite_each_call_leaves_its_rows_and_the_text_its_consent() {
    let place = Place::new();
    let engine = Engine::start(BIN, &place);
    leaves_rows(&place, &engine, &Database::of(&place));
}

#[test]
fn ex_29_on_postgresql_each_call_leaves_its_rows_and_the_text_its_consent() {
    let place = Place::new();
    let database = Database::postgres();
    let config = format!("{CONFIG}\n[store]\nurl = \"{}\"\n", database.url());
    let engine = Engine::start_with(BIN, &place, &config, FLOW);
    leaves_rows(&place, &engine, &database);
}

#[test]
fn a_call_is_written_with_the_date_and_time_of_its_line() {
    let place = Place::new();
    // The trunk is British, and one of its numbers is said to be Indian.
    let trunk = "country    = \"GB\"";
    let numbers = format!("{trunk}\nnumbers = {{ \"+442079460018\" = {{ country = \"IN\" }} }}");
    let config = CONFIG.replace(trunk, &numbers);
    let config = config.replace("regions  = [\"GB\"]", "regions  = [\"GB\", \"IN\"]");
    // Another line's hours stand before those of the flow.
    let week = "mon-fri = \"00:00-24:00\"\nsat = \"00:00-24:00\"\nsun = \"00:00-24:00\"\n";
    let config = format!(
        "{config}\n[hours.first]\nzone = \"America/Los_Angeles\"\n{week}\
         [hours.ours]\nzone = \"America/Chicago\"\n{week}"
    );
    let flow = format!("{FLOW}\n[rule.closed]\noutside_hours = \"ours\"\n");
    let engine = Engine::start_with(BIN, &place, &config, &flow);
    let lines = [
        ("100", "Europe/London"),
        ("+81312345678", "Asia/Tokyo"),
        ("+442079460018", "Asia/Kolkata"),
        ("+12125550123", "America/Chicago"),
    ];
    for (line, _) in lines {
        let uri = format!("sip:{line}@{}", place.engine());
        let heard = call(BIN, &place, &uri, &["--hang-up-after", "200ms"]);
        assert!(heard.out.contains("\"status\":200"), "{heard:?}");
    }
    engine.idle();
    let database = Database::of(&place);
    let rows = eventually("all are written", || {
        let rows = database.texts(
            "SELECT did || ' ' || started_ms || ' ' || local_date || ' ' || local_dow || ' ' || \
             local_hour || ' ' || local_quarter FROM call ORDER BY started_ms",
        );
        (rows.len() == lines.len()).then_some(rows)
    });
    for ((line, zone), row) in lines.into_iter().zip(rows) {
        let started_ms: i64 = row.split(' ').nth(1).unwrap().parse().unwrap();
        let at = Timestamp::from_millisecond(started_ms).unwrap();
        let at = at.to_zoned(TimeZone::get(zone).unwrap());
        let (date, dow) = (at.date(), at.weekday().to_monday_one_offset());
        let (hour, quarter) = (at.hour(), at.hour() * 4 + at.minute() / 15);
        let expected = format!("{line} {started_ms} {date} {dow} {hour} {quarter}");
        assert_eq!(row, expected, "{zone}");
    }
}

fn leaves_rows(place: &Place, engine: &Engine, database: &Database) {
    // Until then calls go to people.
    eventually("the tables are made", || get(place, "/readyz").contains("store up").then_some(()));
    let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(50).listen_once(place);
    let uri = format!("sip:100@{}", place.engine());
    for (from, key) in [("+447700900601", "1@1200ms"), ("+447700900602", "0@300ms")] {
        let heard =
            call(BIN, place, &uri, &["--from", from, "--press", key, "--hang-up-after", "6s"]);
        assert!(heard.out.contains("\"status\":200"), "{heard:?}");
    }
    pbx.succeeds();
    engine.idle();
    // Written behind the call, not by it.
    let ended = "SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL";
    eventually("both calls are written", || (database.number(ended) == 2).then_some(()));
    for (expected, sql) in [
        (
            vec!["trunk 100 deflected no_human ", "trunk 100 forwarded human agents"],
            "SELECT origin || ' ' || did || ' ' || end_reason || ' ' || handled || ' ' || \
             COALESCE(forward_target, '') FROM call ORDER BY started_ms",
        ),
        (
            vec!["welcome menu 1", "text_me text hangup", "welcome menu 0"],
            "SELECT s.step || ' ' || s.kind || ' ' || s.exit FROM step s \
             JOIN call c ON c.call_id = s.call_id ORDER BY c.started_ms, s.seq",
        ),
        (
            vec!["text_me menu accepted 1 deflected"],
            "SELECT o.step || ' ' || o.stage || ' ' || o.response || ' ' || o.pressed || ' ' || \
             c.end_reason FROM offer o JOIN call c ON c.call_id = o.call_id",
        ),
        (
            vec!["delivered sandbox deflected"],
            "SELECT m.state || ' ' || m.sender || ' ' || c.end_reason FROM message m \
             JOIN call c ON c.call_id = m.call_id",
        ),
        (
            vec!["welcome 1 link en-GB delivered"],
            "SELECT n.step || ' ' || n.pressed || ' ' || n.purpose || ' ' || n.language || ' ' || \
             m.state FROM consent n JOIN message m ON m.consent_id = n.consent_id",
        ),
    ] {
        assert_eq!(database.texts(sql), expected, "{sql}");
    }
}
