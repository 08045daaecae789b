use super::*;

#[test]
fn kh_07_a_day_of_a_calendar_is_closed_and_its_end_is_not() {
    for (event, days) in [
        ("DTSTART;VALUE=DATE:20261225\nDTEND;VALUE=DATE:20261226", "2026-12-25"),
        ("DTSTART;VALUE=DATE:20261225", "2026-12-25"),
        ("DTSTART:20261225\nDTEND:20261225", "2026-12-25"),
        ("DTSTART:20261225\nDTEND:20261225T235900", "2026-12-25"),
        ("DTSTART:20261225\nDTEND:20261226T000000Z", "2026-12-25"),
        (
            "DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227",
            "2026-12-24 2026-12-25 2026-12-26",
        ),
        ("DTSTART;VALUE=DATE:20261224\nDURATION:P2D", "2026-12-24 2026-12-25"),
        (
            "DTSTART;VALUE=DATE:20261224\nDURATION:P1W\nRDATE;VALUE=DATE:20261230",
            "2026-12-24 2026-12-25 2026-12-26 2026-12-27 2026-12-28 2026-12-29 2026-12-30 2026-12-31 \
          2027-01-01 2027-01-02 2027-01-03 2027-01-04 2027-01-05",
        ),
        ("DTSTART:20991230\nDTEND:21010101", "2099-12-30 2099-12-31"),
        ("DTSTART:19991230\nDTEND:20000102", "2000-01-01"),
    ] {
        assert_eq!(told(event, "Europe/London"), days, "{event}");
    }
}

#[test]
fn kh_07_a_time_closes_the_days_it_lies_on_in_the_zone_of_the_hours() {
    let midnight_to_midnight = "DTSTART:20261225T000000\nDTEND:20261226T000000";
    let auckland = "DTSTART;TZID=Pacific/Auckland:20261225T000000\nDURATION:PT24H";
    let utc = "DTSTART:20261225T230000Z\nDTEND:20261225T233000Z";
    for (event, zone, days) in [
        (midnight_to_midnight, "Europe/London", "2026-12-25"),
        (midnight_to_midnight, "Pacific/Auckland", "2026-12-25"),
        (auckland, "Pacific/Auckland", "2026-12-25"),
        (auckland, "Europe/London", "2026-12-24 2026-12-25"),
        (utc, "Europe/London", "2026-12-25"),
        (utc, "Europe/Paris", "2026-12-26"),
        ("DTSTART:20261225T120000", "Europe/Paris", "2026-12-25"),
        // 23 and 25 hours are a day of a DURATION, and a night of 24 hours is not.
        ("DTSTART:20260328T230000\nDURATION:P1D", "Europe/London", "2026-03-28 2026-03-29"),
        ("DTSTART;TZID=Europe/London:20260329T000000\nDURATION:P1D", "Europe/London", "2026-03-29"),
        (
            "DTSTART;TZID=Europe/London:20260329T000000\nDURATION:PT24H",
            "Europe/London",
            "2026-03-29 2026-03-30",
        ),
        // From midnight to midnight it is a day, and one of 23 hours where it recurs on such.
        (
            "DTSTART;TZID=Europe/Berlin:20260322T000000\n\
             DTEND;TZID=Europe/Berlin:20260323T000000\nRRULE:FREQ=WEEKLY;COUNT=2",
            "Europe/Berlin",
            "2026-03-22 2026-03-29",
        ),
        (
            "DTSTART;TZID=/example.org/2026/Europe/Paris:20261225T003000",
            "Europe/London",
            "2026-12-24",
        ),
        ("DTSTART;TZID=Ours:20261225T003000", "Europe/London", "2026-12-24"),
    ] {
        assert_eq!(told(event, zone), days, "{event} {zone}");
    }
}

#[test]
fn kh_07_rules_their_exceptions_and_changed_instances_are_followed() {
    for (event, days) in [
        ("DTSTART:20261225\nRRULE:FREQ=YEARLY;COUNT=3", "2026-12-25 2027-12-25 2028-12-25"),
        ("DTSTART:20261225\nRRULE:FREQ=YEARLY;UNTIL=20271225", "2026-12-25 2027-12-25"),
        ("DTSTART:20261225T100000\nRRULE:FREQ=YEARLY;UNTIL=20271225T095959Z", "2026-12-25"),
        (
            "DTSTART:20261225T100000\nRRULE:FREQ=YEARLY;UNTIL=20271225T100000Z",
            "2026-12-25 2027-12-25",
        ),
        ("DTSTART:20261225T100000\nRRULE:FREQ=YEARLY;UNTIL=20271225", "2026-12-25 2027-12-25"),
        (
            "DTSTART:20260525\nRRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO;COUNT=3",
            "2026-05-25 2027-05-31 2028-05-29",
        ),
        (
            "DTSTART:20261225\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE:20261226,20261227",
            "2026-12-25 2026-12-28",
        ),
        (
            "DTSTART:20261225T100000\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE:20261226T100000Z\n\
          EXDATE;VALUE=DATE:20261227",
            "2026-12-25",
        ),
        (
            "DTSTART:20261225\nRDATE:20270101,20270106\nRDATE:20270501",
            "2026-12-25 2027-01-01 2027-01-06 2027-05-01",
        ),
        (
            "DTSTART:20261225\nRRULE:FREQ=YEARLY;COUNT=2\nRRULE:FREQ=DAILY;COUNT=2",
            "2026-12-25 2026-12-26 2027-12-25",
        ),
        ("DTSTART:20261225\nSTATUS:CANCELLED", ""),
        (
            "UID:a\nDTSTART:20261225\nRRULE:FREQ=YEARLY;COUNT=3\nEND:VEVENT\nBEGIN:VEVENT\n\
          UID:a\nRECURRENCE-ID:20271225\nDTSTART:20271227\nEND:VEVENT\nBEGIN:VEVENT\n\
          UID:a\nRECURRENCE-ID:20281225\nDTSTART:20281225\nSTATUS:CANCELLED\nEND:VEVENT\n\
          BEGIN:VEVENT\nUID:b\nDTSTART:20271225T100000",
            "2026-12-25 2027-12-25 2027-12-27",
        ),
        // What alarms say is not the event's.
        (
            "DTSTART:20261225\nBEGIN:VALARM\nTRIGGER:-PT1H\nDTSTART:20260101\nEND:VALARM",
            "2026-12-25",
        ),
    ] {
        assert_eq!(told(event, "Europe/London"), days, "{event}");
    }
}

#[test]
fn kh_07_a_rule_without_an_end_is_told_for_this_century() {
    let days = told("DTSTART:19990101\nRRULE:FREQ=YEARLY", "Europe/London");
    let days: Vec<&str> = days.split(' ').collect();
    assert_eq!((days.len(), days[0], days[99]), (100, "2000-01-01", "2099-01-01"));
    let each = told("DTSTART:20000101\nRRULE:FREQ=DAILY", "Europe/London");
    assert_eq!(each.split(' ').count(), 36_525);
}

#[test]
fn kh_07_days_have_the_names_of_their_events() {
    let text = calendar("DTSTART:20261225\nSUMMARY:Christmas\\, or\\n so\\; it \n is");
    let days = holidays(&text, &TimeZone::UTC).unwrap();
    assert_eq!(&*days[&date(2026, 12, 25)], "Christmas, or  so; it is");
}

#[test]
fn kh_07_what_is_no_calendar_is_told_by_its_line() {
    let event = |lines: &str| calendar(lines);
    for (text, why) in [
        (String::new(), "line 1: there is no `BEGIN:VCALENDAR`"),
        ("BEGIN:VEVENT".into(), "line 1: there is no `BEGIN:VCALENDAR`"),
        ("BEGIN:VCALENDAR\nEND:VCALENDAR\nSUMMARY:x".into(), "line 3: there is no"),
        ("BEGIN:VCALENDAR\nhello".into(), "line 2: this is no line of a calendar"),
        ("BEGIN:VCALENDAR\nEND:VEVENT".into(), "line 2: `END:VEVENT` without its counterpart"),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261225".into(),
            "line 2: `BEGIN:VEVENT` without",
        ),
        ("BEGIN:VCALENDAR\nCALSCALE:HEBREW".into(), "line 2: `CALSCALE:HEBREW` can't be used"),
        (event("SUMMARY:x"), "line 6: the event that begins here has no DTSTART"),
        (event("DTSTART:2026-12-25"), "line 7: `2026-12-25` of DTSTART is no date"),
        (event("DTSTART:20261325"), "line 7: `20261325` of DTSTART is no date"),
        (event("DTSTART:20261225T2500"), "line 7: `20261225T2500` of DTSTART is no date"),
        (event("DTSTART;TZID=Narnia:20261225T100000"), "line 7: there is no time zone `Narnia`"),
        (event("DTSTART:20261225\nDTEND:20261224"), "line 8: DTEND does not fit DTSTART"),
        (event("DTSTART:20261225T100000\nDTEND:20261226"), "line 8: DTEND does not fit DTSTART"),
        (event("DTSTART:20261225\nDURATION:-P1D"), "line 8: `-P1D` is no DURATION"),
        (event("DTSTART:20261225\nDURATION:some"), "line 8: `some` is no DURATION"),
        (event("DTSTART:20261225\nRRULE:FREQ=HOURLY"), "line 8: `FREQ=HOURLY` in the RRULE can't"),
        (event("DTSTART:20261225\nRRULE:FREQ=DAILY;UNTIL=soon"), "line 8: `soon` of RRULE is no"),
        (event("DTSTART:20261225\nEXDATE:20261226,x"), "line 8: `x` of EXDATE is no date"),
        (event("DTSTART:20261225\nRDATE;VALUE=PERIOD:20261226T000000Z/PT1H"), "line 8: `RDATE;"),
        (event("DTSTART:20261225\nEXRULE:FREQ=DAILY"), "line 8: `EXRULE` can't be used"),
        (
            event("DTSTART:20261225\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261225"),
            "line 8: `RANGE=THISANDFUTURE` can't be used",
        ),
    ] {
        let error = holidays(&text, &TimeZone::UTC).unwrap_err().to_string();
        assert!(error.starts_with(why), "{text}: {error}");
    }
}

/// The event is at line 6, what it says from line 7 on.
fn calendar(event: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Ours\nX-LIC-LOCATION:Europe/Paris\nEND:VTIMEZONE\n\
         BEGIN:VEVENT\n{event}\nEND:VEVENT\nEND:VCALENDAR\n"
    )
}

fn told(event: &str, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap();
    let days = holidays(&calendar(event), &zone).unwrap();
    days.keys().map(Date::to_string).collect::<Vec<_>>().join(" ")
}
