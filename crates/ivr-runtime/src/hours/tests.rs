use jiff::civil::datetime;

use super::*;

#[test]
fn kh_07_open_hours_follow_the_clock_on_the_wall() {
    let week = week("Europe/London", "09:00-17:00");
    // Winter time, then summer time: the same wall clock, another UTC.
    for (at, open) in [
        ("2026-01-14T08:59:59.999Z", false),
        ("2026-01-14T09:00:00Z", true),
        ("2026-01-14T16:59:59.999Z", true),
        ("2026-01-14T17:00:00Z", false),
        ("2026-07-15T07:59:59.999Z", false),
        ("2026-07-15T08:00:00Z", true),
        ("2026-07-15T15:59:59.999Z", true),
        ("2026-07-15T16:00:00Z", false),
    ] {
        assert_eq!(is_open(&week, ms(at)), Some(open), "{at}");
    }
}

#[test]
fn kh_07_the_days_on_which_the_clock_changes_are_exact_in_many_zones() {
    // A span round the hour that is skipped or repeated, checked minute by minute against the
    // wall clock that jiff's zoned arithmetic shows, walking in UTC.
    for (zone, day) in [
        ("Europe/London", (2026, 3, 29)),
        ("Europe/London", (2026, 10, 25)),
        ("America/New_York", (2026, 3, 8)),
        ("America/New_York", (2026, 11, 1)),
        ("America/Los_Angeles", (2027, 3, 14)),
        ("Australia/Lord_Howe", (2026, 4, 5)),
        ("Australia/Lord_Howe", (2026, 10, 4)),
        ("America/St_Johns", (2026, 3, 8)),
        ("Pacific/Chatham", (2026, 9, 27)),
        ("Asia/Kolkata", (2026, 3, 29)),
    ] {
        let tz = TimeZone::get(zone).unwrap();
        let (year, month, day) = day;
        let midnight = datetime(year, month, day, 0, 0, 0, 0).to_zoned(tz.clone()).unwrap();
        let week = week(zone, "01:30-02:30, 03:00-03:10");
        let mut open_minutes = 0;
        let mut expected_minutes = 0;
        for minute in 0..(6 * 60) {
            let at_ms = midnight.timestamp().as_millisecond() + minute * 60_000;
            let wall = Timestamp::from_millisecond(at_ms).unwrap().to_zoned(tz.clone());
            let clock = i32::from(wall.hour()) * 60 + i32::from(wall.minute());
            let expected = (90..150).contains(&clock) || (180..190).contains(&clock);
            assert_eq!(is_open(&week, at_ms), Some(expected), "{zone} {wall}");
            open_minutes += i32::from(is_open(&week, at_ms) == Some(true));
            expected_minutes += i32::from(expected);
        }
        assert_eq!(open_minutes, expected_minutes, "{zone}");
    }
}

#[test]
fn kh_07_an_hour_that_is_skipped_never_opens_and_one_repeated_opens_twice() {
    let open_minutes = |zone: &str, spans: &str, from: &str, hours: i64| {
        let week = week(zone, spans);
        let from_ms = ms(from);
        (0..hours * 60)
            .filter(|minute| is_open(&week, from_ms + minute * 60_000) == Some(true))
            .count()
    };
    // London: 01:00–02:00 does not exist on 29 March 2026, and comes twice on 25 October.
    assert_eq!(open_minutes("Europe/London", "01:00-02:00", "2026-03-29T00:00:00Z", 23), 0);
    assert_eq!(open_minutes("Europe/London", "01:00-02:00", "2026-10-24T23:00:00Z", 25), 120);
    // New York: 02:00–03:00 does not exist on 8 March 2026; 01:00–02:00 comes twice on 1 November.
    assert_eq!(open_minutes("America/New_York", "02:00-03:00", "2026-03-08T05:00:00Z", 23), 0);
    assert_eq!(open_minutes("America/New_York", "01:00-02:00", "2026-11-01T04:00:00Z", 25), 120);
    // Lord Howe moves by half an hour.
    assert_eq!(open_minutes("Australia/Lord_Howe", "01:30-02:00", "2026-04-04T13:00:00Z", 24), 60);
}

#[test]
fn kh_07_a_holiday_is_closed_from_local_midnight_to_midnight() {
    let mut week = week("Pacific/Auckland", "00:00-24:00");
    let holiday = ("2026-12-25".parse().unwrap(), "Christmas Day".into());
    week.holidays = Arc::new(Holidays::from([holiday]));
    for (at, open) in [
        ("2026-12-24T10:59:59.999Z", true),
        ("2026-12-24T11:00:00Z", false),
        ("2026-12-25T10:59:59.999Z", false),
        ("2026-12-25T11:00:00Z", true),
    ] {
        assert_eq!(is_open(&week, ms(at)), Some(open), "{at}");
    }
}

#[test]
fn kh_10_each_called_number_has_its_own_hours() {
    let hours = Hours {
        name: "line".into(),
        schedule: Schedule::ByCalledNumber(BTreeMap::from([
            named("+442079460018", "london", week("Europe/London", "08:00-20:00")),
            named("+14155550100", "sf", week("America/Los_Angeles", "08:00-18:00")),
        ])),
    };
    let at_ms = ms("2026-11-24T15:59:00Z"); // 15:59 in London, 07:59 in Los Angeles
    assert_eq!(hours.is_open(at_ms, "+442079460018", &[]), Some(true));
    assert_eq!(hours.is_open(at_ms, "+14155550100", &[]), Some(false));
    assert_eq!(hours.is_open(at_ms + 60_000, "+14155550100", &[]), Some(true));
    assert_eq!(hours.is_open(at_ms, "+35312345678", &[]), None, "a number without hours");
}

#[test]
fn an_unknown_zone_is_neither_open_nor_closed() {
    assert_eq!(is_open(&week("Europe/Lundon", "00:00-24:00"), 0), None);
    assert!(is_zone("Europe/London") && !is_zone("Europe/Lundon"));
}

#[test]
fn spans_are_read_or_refused_with_the_reason() {
    let span = |from_minute, to_minute| Span { from_minute, to_minute };
    assert_eq!(parse_spans("13:00-17:30, 08:00-12:00"), Ok(vec![span(480, 720), span(780, 1_050)]));
    assert_eq!(parse_spans("00:00-24:00"), Ok(vec![span(0, 1_440)]));
    assert_eq!(parse_spans("08:00-12:00,12:00-14:00").map(|spans| spans.len()), Ok(2));
    assert_eq!(parse_spans(""), Ok(Vec::new()));
    for (text, why) in [
        ("8:00-12:00", "`8:00-12:00` is not `HH:MM-HH:MM`"),
        ("08:00", "`08:00` is not `HH:MM-HH:MM`"),
        ("08:60-09:00", "`08:60-09:00` is not `HH:MM-HH:MM`"),
        ("08:00-24:01", "`08:00-24:01` is not `HH:MM-HH:MM`"),
        ("+8:00-09:00", "`+8:00-09:00` is not `HH:MM-HH:MM`"),
        ("22:00-02:00", "`22:00-02:00` ends before it begins"),
        ("08:00-08:00", "`08:00-08:00` ends before it begins"),
        ("08:00-12:00, 11:59-13:00", "`08:00-12:00` and `11:59-13:00` overlap"),
    ] {
        let problem = parse_spans(text).unwrap_err().to_string();
        assert!(problem.starts_with(why), "{text}: {problem}");
    }
}

#[test]
fn holiday_files_hold_a_date_a_line_and_maybe_its_name() {
    let utc = TimeZone::UTC;
    let text = "# ours\n2026-12-25\n\n2027-01-01 # new year\r\n";
    let names: Vec<_> = parse_holidays(text, &utc).unwrap().into_values().collect();
    assert_eq!(names, ["".into(), Arc::from("new year")]);
    let problem = parse_holidays("2026-12-25\n2026-02-30\n", &utc).unwrap_err();
    assert_eq!(problem.to_string(), "line 2: `2026-02-30` is no date");
}

fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

/// Open in the same spans every day.
fn week(zone: &str, spans: &str) -> Week {
    let spans = parse_spans(spans).unwrap();
    Week {
        zone: zone.into(),
        days: std::array::from_fn(|_| spans.clone()),
        holidays: Arc::default(),
    }
}

fn is_open(week: &Week, at_ms: i64) -> Option<bool> {
    week.state(at_ms).map(|state| state.open)
}

fn named(number: &str, hours: &str, week: Week) -> (String, NamedWeek) {
    (number.to_owned(), NamedWeek { hours: hours.to_owned(), week })
}

#[test]
fn kh_07_what_the_operator_closes_or_opens_counts_over_the_calendar_and_the_newest_over_older() {
    let at = |text: &str| ms(&format!("2026-12-{text}:00Z"));
    let mut office = week("Europe/London", "09:00-17:00");
    office.holidays = Arc::new(Holidays::from([("2026-12-25".parse().unwrap(), "Xmas".into())]));
    let hours = Hours { name: "london".into(), schedule: Schedule::Week(office) };
    let one_off = |open, from: &str, until: &str, because: &str| OneOff {
        hours: "london".into(),
        open,
        from_ms: at(from),
        until_ms: at(until),
        because: because.into(),
    };
    let one_offs = [
        one_off(false, "23T10:00", "23T15:00", "fire alarm"),
        one_off(true, "23T12:00", "23T13:00", "all clear"),
        one_off(true, "25T10:00", "25T12:00", "feast"),
        OneOff { hours: "paris".into(), ..one_off(false, "01T00:00", "31T00:00", "strike") },
    ];
    let by_week = (By::Week, false);
    let of = |at: usize| (By::OneOff(&one_offs[at]), one_offs[at].open);
    for (now, (by, open), next) in [
        ("23T08:00", by_week, "23T09:00"),
        ("23T09:59", (By::Week, true), "23T10:00"),
        ("23T10:00", of(0), "23T12:00"),
        ("23T12:00", of(1), "23T13:00"),
        ("23T13:00", of(0), "23T15:00"),
        ("23T15:00", (By::Week, true), "23T17:00"),
        ("23T17:00", by_week, "24T09:00"),
        ("24T17:00", by_week, "25T10:00"),
        ("25T09:30", (By::Holiday("Xmas"), false), "25T10:00"),
        ("25T10:00", of(2), "25T12:00"),
        ("25T12:00", (By::Holiday("Xmas"), false), "26T09:00"),
    ] {
        let state = State { open, by };
        assert_eq!(hours.state(at(now), "", &one_offs), Some(state), "{now}");
        assert_eq!(hours.next_change(at(now), "", &one_offs), Some(at(next)), "{now}");
    }
}

#[test]
fn kh_07_kh_10_hours_that_a_called_number_leads_to_keep_their_name() {
    let weeks = BTreeMap::from([
        named("+442079460018", "london", week("Europe/London", "00:00-24:00")),
        named("+33123456789", "paris", week("Europe/Paris", "00:00-24:00")),
    ]);
    let line = Hours { name: "line".into(), schedule: Schedule::ByCalledNumber(weeks) };
    let closed = |hours: &str| {
        vec![OneOff {
            hours: hours.into(),
            open: false,
            from_ms: 0,
            until_ms: 10,
            because: String::new(),
        }]
    };
    for (name, london, paris, other) in [
        ("london", Some(false), Some(true), None),
        ("paris", Some(true), Some(false), None),
        ("line", Some(false), Some(false), Some(false)),
        ("rome", Some(true), Some(true), None),
    ] {
        let open = |called: &str| line.is_open(5, called, &closed(name));
        assert_eq!(open("+442079460018"), london, "{name}");
        assert_eq!(open("+33123456789"), paris, "{name}");
        assert_eq!(open("+35312345678"), other, "{name}");
        assert_eq!(line.is_open(10, "+33123456789", &closed(name)), Some(true), "over");
    }
}

#[test]
fn kh_07_hours_that_never_change_have_no_next_change_and_long_holidays_one() {
    let hours = |week: Week| Hours { name: "x".into(), schedule: Schedule::Week(week) };
    let now_ms = ms("2026-07-01T12:00:00Z");
    assert_eq!(hours(week("Europe/London", "00:00-24:00")).next_change(now_ms, "", &[]), None);
    assert_eq!(hours(week("Europe/London", "")).next_change(now_ms, "", &[]), None);
    let mut closed = week("Europe/London", "09:00-17:00");
    let days = std::iter::successors(Some(jiff::civil::date(2026, 7, 1)), |d| d.tomorrow().ok());
    closed.holidays = Arc::new(days.take(200).map(|day| (day, "away".into())).collect());
    assert_eq!(hours(closed).next_change(now_ms, "", &[]), Some(ms("2027-01-17T09:00:00Z")));
}

#[test]
fn kh_07_moments_are_read_by_the_clock_of_the_hours() {
    for (text, zone, now, expected) in [
        ("15:00", "Europe/London", "2026-07-01T12:00:00Z", "2026-07-01T14:00:00Z"),
        ("15:00", "Europe/London", "2026-07-01T14:00:00Z", "2026-07-02T14:00:00Z"),
        ("24:00", "Europe/London", "2026-07-01T12:00:00Z", "2026-07-01T23:00:00Z"),
        ("00:00", "Europe/London", "2026-07-01T12:00:00Z", "2026-07-01T23:00:00Z"),
        ("2026-12-24 15:00", "America/New_York", "2026-07-01T12:00:00Z", "2026-12-24T20:00:00Z"),
        ("2026-12-24T15:00", "America/New_York", "2026-07-01T12:00:00Z", "2026-12-24T20:00:00Z"),
        // A day that is over is told as it is; whoever asks refuses it.
        ("2026-06-30 15:00", "Europe/London", "2026-07-01T12:00:00Z", "2026-06-30T14:00:00Z"),
        ("2h", "Europe/London", "2026-07-01T12:00:00Z", "2026-07-01T14:00:00Z"),
        ("90m", "", "2026-07-01T12:00:00Z", "2026-07-01T13:30:00Z"),
        ("1h30m", "", "2026-07-01T12:00:00Z", "2026-07-01T13:30:00Z"),
        // 01:30 is skipped on 29 March and comes twice on 25 October.
        ("01:30", "Europe/London", "2026-03-29T00:00:00Z", "2026-03-29T01:30:00Z"),
        ("01:30", "Europe/London", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"),
        ("01:30", "Europe/London", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        ("01:30", "Europe/London", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"),
        // Apia had no 30 December 2011.
        ("15:00", "Pacific/Apia", "2011-12-30T09:00:00Z", "2011-12-31T01:00:00Z"),
    ] {
        let read = parse_moment(text, Some(zone).filter(|zone| !zone.is_empty()), ms(now));
        assert_eq!(read, Ok(ms(expected)), "{text} {zone} {now}");
    }
    for text in [
        "",
        "h",
        "m",
        "2",
        "2d",
        "h30m",
        "2hm",
        "15",
        "15:60",
        "25:00",
        "-2h",
        "+2h",
        "tomorrow",
        "2026-12-24",
        "2026-13-24 15:00",
        "15:00:00",
        "999999h",
    ] {
        let why = parse_moment(text, Some("Europe/London"), 0).unwrap_err().to_string();
        assert!(why.contains("is no time; write `15:00`"), "{text}: {why}");
    }
    let why = parse_moment("15:00", None, 0).unwrap_err().to_string();
    assert!(why.contains("needs a time zone"), "{why}");
}
