//! Parts around the shipped line fail, one after the other: nobody is trapped, nobody told a lie.

use carom_blackbox::{eventually_within, twilio::Does, web::Says};
use serde_json::json;

use crate::full_line::{Line, caller, said};

#[test]
fn a_crm_that_is_slow_down_or_confused_costs_its_callers_their_facts_and_no_more() {
    let line = Line::open();
    let [pbx, _old] = line.pbx();
    let premium = said(json!({ "customer_type": "premium" }));
    for (from, says) in [
        ("+447700900701", Says::Late(4_000, premium)),
        ("+447700900702", Says::Status(500)),
        ("+447700900703", Says::Reset),
        ("+447700900704", Says::Json("<html>Sign in".into())),
    ] {
        line.web.says_to("/caller/", from, says);
    }
    // LivePerson says that nobody is there, or nothing: no offer.
    line.web.says_to("/eligibility", "7700900705", Says::Json(said(json!({ "eligible": false }))));
    line.web.says_to("/eligibility", "7700900706", Says::Status(503));
    line.ring(&[
        caller("+447700900701", "1@4s 1@7s 5@11s"),
        caller("+447700900702", "1@4s 1@7s 5@11s"),
        caller("+447700900703", "0@4s"),
        caller("+447700900704", "2@4s 1@6s 1@8500ms"),
        caller("+447700900705", "1@3s 0@6s"),
        caller("+447700900706", "1@3s 0@6s"),
    ]);
    for (from, why) in [
        ("+447700900701", "timeout"),
        ("+447700900702", "status_500"),
        ("+447700900703", "unreachable"),
        ("+447700900704", "garbage"),
    ] {
        assert_eq!(line.path(from)[1], "who error", "{from}");
        let told = line.engine.cli(&["calls", &line.id(from)]).out;
        assert!(told.contains(&format!("left by error, {why}")), "{from}: {told}");
    }
    for from in ["+447700900701", "+447700900702"] {
        assert_eq!(line.end(from), "deflected no_human -", "{:?}", line.path(from));
        assert_eq!(line.texts(from).len(), 1);
    }
    assert_eq!(line.path("+447700900704").last().unwrap(), "orders error", "nothing is known");
    assert_eq!(line.offers("+447700900705"), ["early_offer suppressed not_available"]);
    assert_eq!(line.offers("+447700900706"), ["early_offer suppressed check_failed"]);
    for last in 3..=6 {
        let from = format!("+44770090070{last}");
        assert_eq!(line.invites(&pbx, &from).len(), 1, "{from}: {:?}", line.path(&from));
        assert_eq!(line.texts(&from), [""; 0]);
    }
}

#[test]
fn with_every_provider_down_callers_are_told_so_and_put_through() {
    let line = Line::open();
    let [pbx, _old] = line.pbx();
    line.twilio.always(Does::Reset);
    line.twilio.hides_its_list(true);
    line.web.says_to("/messages", "", Says::Status(503));
    let callers = [
        caller("+447700900711", "1@3s 1@6s"),
        caller("+447700900712", "1@3s 2@6s"),
        caller("+447700900713", "1@3s 3@6s"),
    ];
    line.ring(&callers);
    for caller in &callers {
        let from = caller.from;
        assert!(line.end(from).starts_with("forwarded "), "{from}: {:?}", line.path(from));
        assert_eq!(line.invites(&pbx, from).len(), 1, "{from}");
        assert!(!line.heard_prompt(from, "en-GB", "sent-stay-or-hang-up"), "{from}");
        let told = ["not-sent", "may-still-arrive"];
        assert!(told.iter().any(|name| line.heard_prompt(from, "en-GB", name)), "{from}");
    }
}

#[test]
fn with_a_dead_pbx_callers_hear_an_apology_and_texts_still_go_out() {
    // Nobody listens at the PBX.
    let line = Line::open();
    line.ring(&[
        caller("+447700900721", "0@3s"),
        caller("+447700900722", "2@3s 1@5s 9@7500ms"),
        caller("+447700900723", "1@3s 1@6s 5@10s"),
    ]);
    for from in ["+447700900721", "+447700900722"] {
        assert!(line.end(from).starts_with("apology no_human"), "{from}: {}", line.end(from));
        assert!(line.heard_prompt(from, "en-GB", "apology"), "{from}");
    }
    assert_eq!(line.end("+447700900723"), "deflected no_human -");
}

#[test]
fn with_the_database_locked_callers_get_their_person_and_the_rows_come_later() {
    let line = Line::open();
    let [pbx, _old] = line.pbx();
    line.ring(&[caller("+447700900731", "0@3s")]);
    let locked = line.database.lock();
    let callers = [caller("+447700900732", "1@3s 1@6s"), caller("+447700900733", "0@3s")];
    std::thread::scope(|scope| {
        for caller in &callers {
            scope.spawn(|| line.call(caller));
        }
    });
    line.engine.idle();
    for caller in &callers {
        assert_eq!(line.invites(&pbx, caller.from).len(), 1, "{}", caller.from);
        assert_eq!(line.texts(caller.from), [""; 0], "{}: nothing is promised", caller.from);
        // The store may still take it when it is free again.
        let told: &[_] = if caller.from == "+447700900732" { &["may-still-arrive"] } else { &[] };
        assert_eq!(told_of_texts(&line, caller.from), told, "{}", caller.from);
    }
    drop(locked);
    let written = "SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL";
    eventually_within(std::time::Duration::from_secs(30), "all are written", || {
        (line.database.number(written) == 3).then_some(())
    });
    for caller in &callers {
        assert!(line.end(caller.from).starts_with("forwarded "), "{}", line.end(caller.from));
    }
}

/// The process may write no byte more to any file (`RLIMIT_FSIZE`), as on a full disk.
#[test]
fn with_a_full_disk_no_text_is_promised_and_callers_get_their_person() {
    let line = Line::open();
    let [pbx, _old] = line.pbx();
    line.engine.fill_disk();
    let callers = [
        caller("+447700900741", "1@4s 1@7s"),
        caller("+447700900742", "0@4s"),
        caller("+447700900743", "2@4s 1@6s 3@8500ms 0@11s"),
    ];
    std::thread::scope(|scope| {
        for caller in &callers {
            scope.spawn(|| line.call(caller));
        }
    });
    line.engine.idle();
    for caller in &callers {
        assert_eq!(line.invites(&pbx, caller.from).len(), 1, "{}", caller.from);
        assert_eq!(line.texts(caller.from), [""; 0], "{}", caller.from);
        let told: &[_] = if caller.from == "+447700900741" { &["not-sent"] } else { &[] };
        assert_eq!(told_of_texts(&line, caller.from), told, "{}", caller.from);
    }
}

/// What a caller heard of what became of a text.
fn told_of_texts(line: &Line, from: &str) -> Vec<&'static str> {
    let prompts = ["sent", "sent-stay-or-hang-up", "may-still-arrive", "not-sent"];
    prompts.into_iter().filter(|name| line.heard_prompt(from, "en-GB", name)).collect()
}
