//! Opening hours in a running node: closed and opened for once by the operator, holidays from a
//! calendar. The branch a call takes is seen by the address that is rung.

use carom_blackbox::{Database, Engine, Place, Scenario, eventually};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::Value;

use crate::rules::Site;

/// Hours that are always open, by rule, by target and by called number.
const FLOW: &str = r#"
version = 1

[flow]
name    = "Hours"
default = true
start   = "sort"
human   = "again"

[hours.london]
zone    = "Europe/London"
mon-fri = "00:00-24:00"
sat     = "00:00-24:00"
sun     = "00:00-24:00"
[hours.paris]
zone    = "Europe/Paris"
mon-fri = "00:00-24:00"
sat     = "00:00-24:00"
sun     = "00:00-24:00"
holidays = ["2020-01-01", "bank.ics"]
[hours.line]
by_called_number = { "+442079460018" = "london", "+33123456789" = "paris" }

[rule.closed]
outside_hours = "LINE"

[step.sort]
do        = "decide"
case      = [{ if = "closed", go = "closed" }]
otherwise = "open"
"#;
const NO_HOLIDAY: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n";

#[test]
fn kh_07_hours_closed_by_the_operator_are_closed_for_the_next_call_and_after_a_restart() {
    let place = Place::new();
    let mut site = site(&place, &FLOW.replace("LINE", "london"));
    assert_eq!(site.rings("+447700900801"), "open");
    let told = site.engine.cli(&["hours"]);
    assert!(told.status.success(), "{told:?}");
    assert!(told.out.contains("london of Hours  Europe/London  open for the next"), "{told:?}");

    let close = ["hours", "close", "london", "--until", "2h", "--because", "fire alarm"];
    let told = site.engine.cli(&close);
    assert!(told.status.success(), "{told:?}");
    assert!(told.out.starts_with("hours london: closed until 20"), "{told:?}");
    assert!(told.out.ends_with("(Europe/London): fire alarm\n"), "{told:?}");
    assert_eq!(site.rings("+447700900801"), "closed");
    site.engine.kill();
    site.engine.restart();
    assert_eq!(site.rings("+447700900801"), "closed", "after a restart");

    let told = site.engine.cli(&["hours", "list"]);
    assert!(told.out.contains(", by the operator: fire alarm"), "{told:?}");
    assert!(told.out.contains("    closed 20"), "{told:?}");
    let view = &view(&site.engine, "london")[0];
    let until_ms = view["until_ms"].as_i64().unwrap();
    let in_ms = until_ms - Timestamp::now().as_millisecond();
    assert!((6_900_000..=7_200_000).contains(&in_ms), "{view}");
    assert_eq!(view["one_offs"][0]["until_ms"], until_ms);
    assert_eq!((&view["open"], &view["by"]), (&Value::Bool(false), &"operator".into()));
    assert_eq!(view["zone"], "Europe/London");

    let told = site.engine.cli(&["hours", "clear", "london"]);
    assert!(told.status.success() && told.out.contains("(1 taken back)"), "{told:?}");
    assert_eq!(site.rings("+447700900801"), "open");
    let told = site.engine.cli(&["hours", "clear", "london"]);
    assert!(told.status.success() && told.out.contains("nothing was closed"), "{told:?}");

    let database = Database::of(&place);
    let audit = "SELECT who || ' ' || what FROM audit ORDER BY at_ms, audit_id";
    let me = crate::operator::me();
    let expected = ["hours close", "hours clear"].map(|what| format!("{me} {what}"));
    assert_eq!(database.texts(audit), expected);
    let detail = database.texts("SELECT detail FROM audit WHERE what = 'hours close'");
    assert!(detail[0].starts_with("london {") && detail[0].contains("fire alarm"), "{detail:?}");
    assert_eq!(site.engine.status()["flags"], serde_json::json!([]), "none of it is a flag");
}

#[test]
fn kh_07_holidays_of_a_calendar_close_a_reload_reads_it_again_and_the_operator_opens() {
    let place = Place::new();
    let site = site(&place, &FLOW.replace("LINE", "paris"));
    assert_eq!(site.rings("+447700900801"), "open");
    let today = Timestamp::now().to_zoned(TimeZone::get("Europe/Paris").unwrap()).date();
    let begin = today.checked_sub(2.weeks()).unwrap().strftime("%Y%m%d");
    let calendar = format!(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:{begin}\r\n\
         RRULE:FREQ=DAILY\r\nSUMMARY:Long\r\n  holidays\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    place.write("flows/bank.ics", &calendar);
    assert_eq!(site.rings("+447700900801"), "open", "not read yet");
    assert!(site.engine.cli(&["reload"]).status.success());
    assert_eq!(site.rings("+447700900801"), "closed");
    let told = site.engine.cli(&["hours"]);
    assert!(told.out.contains(", a holiday: Long holidays"), "{told:?}");

    let told = site.engine.cli(&["hours", "open", "paris", "--until", "90m"]);
    assert!(told.status.success() && told.out.contains("paris: open until"), "{told:?}");
    assert_eq!(site.rings("+447700900801"), "open", "for once");

    place.write("flows/bank.ics", &calendar.replace("DAILY", "DAILY;BYHOUR=4"));
    let told = site.engine.cli(&["reload"]);
    assert!(!told.status.success(), "{told:?}");
    for part in ["E12", "bank.ics", "line 5", "BYHOUR=4", "main.toml:"] {
        assert!(told.err.contains(part), "{part}: {told:?}");
    }
}

#[test]
fn kh_07_kh_10_hours_that_a_called_number_leads_to_are_closed_by_their_name() {
    let place = Place::new();
    let flow = FLOW.replace("LINE", "line");
    let numbers = "numbers = [\"+442079460018\", \"+33123456789\"]";
    let site = site(&place, &flow.replace("default = true", numbers));
    let rung = |number: &str| site.ring(Scenario::key, "called", number);
    assert!(site.engine.cli(&["hours", "close", "paris", "--until", "2h"]).status.success());
    assert_eq!(rung("+33123456789"), "closed");
    assert_eq!(rung("+442079460018"), "open");
    let views = view(&site.engine, "line");
    let of = |number: &str| views.iter().find(|view| view["number"] == number).unwrap();
    assert_eq!(of("+33123456789")["open"], false);
    assert_eq!(of("+33123456789")["leads_to"], "paris");
    assert_eq!(of("+442079460018")["open"], true);
    // Of two zones no time of day is told.
    let told = site.engine.cli(&["hours", "close", "line", "--until", "15:00"]);
    assert!(!told.status.success() && told.err.contains("needs a time zone"), "{told:?}");
    assert!(site.engine.cli(&["hours", "close", "line", "--until", "2h"]).status.success());
    assert_eq!(rung("+442079460018"), "closed");
}

#[test]
fn kh_07_a_target_closed_for_once_leads_to_when_closed() {
    let place = Place::new();
    let flow = FLOW.replace("LINE", "paris").replace("otherwise = \"open\"", "otherwise = \"day\"")
        + &format!(
            "\n[target.day]\nsip = \"sip:day@{}:5060\"\nanswered_means = \"human\"\n\
             ping_seconds = 0\nhours = \"london\"\nwhen_closed = \"open\"\n",
            place.pbx()
        );
    let site = site(&place, &flow);
    assert_eq!(site.rings("+447700900801"), "day");
    assert!(site.engine.cli(&["hours", "close", "london", "--until", "2h"]).status.success());
    assert_eq!(site.rings("+447700900801"), "open");
}

#[test]
fn kh_07_what_another_node_closed_is_closed_here_within_seconds_and_only_so_long() {
    let place = Place::new();
    let site = site(&place, &FLOW.replace("LINE", "london"));
    assert_eq!(site.rings("+447700900801"), "open");
    let now_ms = Timestamp::now().as_millisecond();
    let until_ms = now_ms + 12_000;
    let value = format!(
        r#"{{"open":false,"from_ms":{now_ms},"until_ms":{until_ms},"because":"elsewhere"}}"#
    );
    Database::of(&place).execute(&format!(
        "INSERT INTO change_marker (marker_id, at_ms, kind, name, value, by_whom) \
         VALUES ('00000000-0000-7000-8000-000000000000', {now_ms}, 'flag', 'hours:london', \
                 '{value}', 'operator')"
    ));
    eventually("it is closed here", || {
        (view(&site.engine, "london")[0]["open"] == false).then_some(())
    });
    assert_eq!(site.rings("+447700900801"), "closed");
    assert!(Timestamp::now().as_millisecond() < until_ms, "the machine was too slow");
    eventually("it is over", || (view(&site.engine, "london")[0]["open"] == true).then_some(()));
    assert!(Timestamp::now().as_millisecond() >= until_ms);
    assert_eq!(site.rings("+447700900801"), "open");
}

#[test]
fn kh_07_what_can_t_be_closed_or_opened_is_refused_with_the_reason() {
    let place = Place::new();
    let site = site(&place, &FLOW.replace("LINE", "london"));
    for (args, status, why) in [
        (&["close", "londn", "--until", "2h"][..], 1, "no hours `londn`; did you mean `london`?"),
        (&["clear", "nowhere"], 1, "no hours `nowhere`"),
        (&["close", "london", "--until", "soon"], 1, "`soon` is no time; write `15:00`"),
        (&["close", "london", "--until", "2020-01-01 15:00"], 1, "`2020-01-01 15:00` is over"),
        (&["open", "london", "--until", "2099-01-01 15:00"], 1, "more than a year away"),
        (&["open", "london", "--from", "2h", "--until", "0m"], 1, "`0m` is not after `2h`"),
        (&["close", "london", "--until", "2h", "--because", "a\nb"], 1, "one line of at most 200"),
        (&["close", "london"], 64, "--until"),
        (&["shut", "london"], 64, "shut"),
    ] {
        let args: Vec<&str> = ["hours"].iter().chain(args).copied().collect();
        let told = site.engine.cli(&args);
        assert_eq!(told.status.code(), Some(status), "{told:?}");
        assert!(told.err.contains(why), "{args:?}: {told:?}");
    }
    for what in ["set", "clear"] {
        let told = site.engine.cli(&["flag", what, "hours:london"]);
        assert!(!told.status.success() && told.err.contains("no name of a flag"), "{told:?}");
    }
    assert_eq!(Database::of(&place).number("SELECT COUNT(*) FROM audit"), 0);
    assert_eq!(site.rings("+447700900801"), "open");
}

fn site<'a>(place: &'a Place, flow: &str) -> Site<'a> {
    place.write("flows/bank.ics", NO_HOLIDAY);
    Site::new(place, &[("hours", flow, "again open closed")])
}

/// What `hours list` tells of the hours of this name.
fn view(engine: &Engine, name: &str) -> Vec<Value> {
    let told = engine.cli(&["hours", "list", "--json"]);
    let views: Vec<Value> = serde_json::from_str(&told.out).unwrap_or_else(|_| panic!("{told:?}"));
    views.into_iter().filter(|view| view["hours"] == name).collect()
}
