//! The report queries against a slow reference and against known answers, on both databases.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;
mod reference;

use common::Db;
use deflect_actions::{
    Clock,
    store::{Cell, ExternalCount},
};
use reference::{
    Past, Range, Sent, key,
    past::{DAY, MONDAY, RATES, Random, any_call, forwarded, stored, texted},
};

/// Calls of the random past.
const CALLS: u64 = 600;

on_both!(
    dp_10_dp_11_dp_12_reports_say_what_a_slow_reference_says,
    dp_01_three_hundred_and_fifty_of_a_thousand_are_35_percent,
    kh_18_intents_are_counted_with_their_outcomes,
    what_is_no_deflection_is_counted_as_none,
    ic_13_who_engaged_and_did_not_call_is_counted_where_the_caller_is_known,
    ex_31_each_destination_tells_how_far_people_got_and_who_called_again,
    ic_05_who_left_the_line_after_opening_the_link_is_told_from_who_left_without,
    ex_07_counts_of_other_channels_stand_beside_the_calls_and_are_never_added_to_them,
    ex_28_each_sender_tells_how_much_of_its_texts_arrived_and_was_blocked,
    x_04_a_broken_promise_is_found_under_the_old_key_and_for_a_day,
);

async fn dp_10_dp_11_dp_12_reports_say_what_a_slow_reference_says(db: Db) {
    let seed = std::env::var("CAROM_SEED").map_or_else(
        |_| u64::from(std::process::id()) << 20 ^ Clock::default().now_ms().unsigned_abs(),
        |seed| seed.parse().unwrap(),
    );
    println!("again with CAROM_SEED={seed}");
    let mut random = Random(seed);
    let all: Vec<_> = (0..CALLS).map(|n| any_call(n, &mut random)).collect();
    let store = stored(&db, &all).await;
    for range in [
        Range { from: MONDAY, to: MONDAY + 14 * DAY, cut: MONDAY + 12 * DAY, window: 7 * DAY },
        Range { from: MONDAY + 3 * DAY, to: MONDAY + 9 * DAY, cut: MONDAY + 8 * DAY, window: DAY },
    ] {
        let asked = [range.from, range.to, range.cut, range.window].map(Cell::Number);
        let flow = [asked[0].clone(), asked[1].clone(), Cell::Text("main".to_owned())];
        for (name, parameters, expected) in [
            ("funnel", &asked[..2], reference::funnel(&all, range)),
            ("deflection_rate", &asked[..2], reference::deflection_rate(&all, range)),
            ("containment", &asked[..], reference::containment(&all, range)),
            ("net_savings", &asked[..], reference::net_savings(&all, range, &RATES)),
            ("recall_by_arm", &asked[..], reference::recall_by_arm(&all, range)),
            ("menu_use", &flow[..], reference::menu_use(&all, range)),
            ("presses_to_answer", &flow[..], reference::presses_to_answer(&all, range)),
            ("drop_off", &flow[..], reference::drop_off(&all, range)),
            ("heat_map", &asked[..2], reference::heat_map(&all, range)),
            ("intervals", &asked[..2], reference::intervals(&all, range)),
            ("asa", &asked[..2], reference::asa(&all, range)),
        ] {
            let report = store.report(name, parameters).await.unwrap();
            same(name, &report.rows, &expected);
        }
    }
}

async fn dp_01_three_hundred_and_fifty_of_a_thousand_are_35_percent(db: Db) {
    let all: Vec<_> = (0..1_000)
        .map(|n| if n < 350 { texted(n) } else { forwarded(n, "human") })
        // What is not eligible changes nothing.
        .chain((1_000..1_100).map(|n| Past { end: "rejected", ..texted(n) }))
        .collect();
    let store = stored(&db, &all).await;
    let range = [Cell::Number(MONDAY), Cell::Number(MONDAY + 7 * DAY)];
    let report = store.report("deflection_rate", &range).await.unwrap();
    assert_eq!(report.columns, ["eligible", "deflected", "deflection_pct"]);
    let expected = [Cell::Number(1_000), Cell::Number(350), Cell::Share(35.0)];
    same("deflection_rate", &report.rows, &[expected.to_vec()]);
}

async fn kh_18_intents_are_counted_with_their_outcomes(db: Db) {
    let all: Vec<_> =
        (0..30).map(|n| if n % 3 == 0 { texted(n) } else { forwarded(n, "human") }).collect();
    let _ = stored(&db, &all).await;
    // Intents are those of the call's number: see `intent`.
    let count = async |intent: &str, end: &str| {
        let sql = format!(
            "SELECT COUNT(*) FROM v_eligible WHERE intent = '{intent}' AND end_reason = '{end}'"
        );
        db.number(&sql).await.unwrap()
    };
    assert_eq!(count("billing", "deflected").await, 5);
    assert_eq!(count("billing", "forwarded").await, 10);
    assert_eq!(count("orders", "deflected").await, 5);
    assert_eq!(count("orders", "forwarded").await, 10);
}

async fn what_is_no_deflection_is_counted_as_none(db: Db) {
    let answered = Past { outcomes: vec!["answered_in_ivr"], message: None, ..texted(1) };
    let unsure = Sent { state: "ambiguous", accepted: false, delivered: false, micros: 0 };
    let day = DAY - 60_000;
    let all = [
        // These are: a menu with a text, an answer that was heard to its end.
        texted(0),
        Past { offers: vec![], ..answered.clone() },
        // These are not: work moved, nobody knows, never sent, never accepted, a person after all.
        Past { end: "callback_booked", ..texted(2) },
        Past { end: "voicemail", ..answered.clone() }.at(3),
        forwarded(4, "unknown"),
        Past { handled: "unknown", ..texted(5) },
        Past { message: Some(unsure), ..texted(6) },
        Past { offers: vec!["declined"], message: None, ..texted(7) },
        Past { handled: "human", ..answered.clone() }.at(8),
        // Who calls again after the key has changed has bounced.
        Past { caller: Some((0, 1)), ..forwarded(0, "human") }.later("again", day),
    ];
    let store = stored(&db, &all).await;
    let asked = [MONDAY, MONDAY + 7 * DAY, MONDAY + 9 * DAY, 7 * DAY].map(Cell::Number);
    let rate = store.report("deflection_rate", &asked[..2]).await.unwrap();
    assert_eq!(rate.cell(0, "deflected"), Some(&Cell::Number(2)));
    let contained = store.report("containment", &asked).await.unwrap();
    assert_eq!(contained.cell(0, "bounced"), Some(&Cell::Number(1)));
    assert_eq!(contained.cell(0, "contained"), Some(&Cell::Number(1)));
    let funnel = store.report("funnel", &asked[..2]).await.unwrap();
    assert_eq!(funnel.cell(0, "handled_unknown"), Some(&Cell::Number(2)));
}

async fn x_04_a_broken_promise_is_found_under_the_old_key_and_for_a_day(db: Db) {
    let failed = Sent { state: "undelivered", accepted: true, delivered: false, micros: 0 };
    let broken = Past { message: Some(failed), ..texted(1) };
    let store = stored(&db, &[broken.clone(), texted(2)]).await;
    let asked = async |caller: u64, epoch: u64, since: i64| {
        let keys = [key(caller, epoch), key(caller, epoch.wrapping_sub(1))];
        let [now, before] = keys.map(Cell::Text);
        let report = store.report("failed_promise", &[now, before, Cell::Number(since)]).await;
        report.unwrap().rows[0][0].clone()
    };
    let sent = broken.started + 9_000;
    assert_eq!(asked(1, 0, sent - DAY).await, Cell::Number(1));
    assert_eq!(asked(1, 1, sent - DAY).await, Cell::Number(1), "the key has changed since");
    assert_eq!(asked(1, 0, sent + 1).await, Cell::Number(0), "more than a day ago");
    assert_eq!(asked(2, 0, sent - DAY).await, Cell::Number(0), "another caller");
}

fn same(name: &str, rows: &[Vec<Cell>], expected: &[Vec<Cell>]) {
    assert_eq!(rows.len(), expected.len(), "{name}: {rows:?}\n{expected:?}");
    for (row, expected) in rows.iter().zip(expected) {
        let alike = |(a, b): (&Cell, &Cell)| match (a, b) {
            (Cell::Share(a), Cell::Share(b)) => (a - b).abs() < 1e-6,
            (a, b) => a == b,
        };
        let same = row.len() == expected.len() && row.iter().zip(expected).all(alike);
        assert!(same, "{name}: {row:?}, and the reference says {expected:?}");
    }
}

/// A call of caller `key` at `started_ms`.
async fn called(db: &Db, id: &str, key: &str, started_ms: i64) {
    let sql = format!(
        "INSERT INTO call (call_id, node_id, node_boot, business, started_ms, local_date, \
         local_dow, local_hour, local_quarter, caller_key) VALUES ('{id}', 'n', 'b', 'retail', \
         {started_ms}, '2026-11-23', 1, 9, 36, NULLIF('{key}', ''))"
    );
    db.execute(&sql).await.unwrap();
}

async fn ic_13_who_engaged_and_did_not_call_is_counted_where_the_caller_is_known(db: Db) {
    let store = db.store().await;
    // Engaged at 1,000 before any call: one calls in the window, one after it, one never.
    for (id, key, calls_ms) in
        [("a", "ka", Some(1_500)), ("b", "kb", Some(9_000)), ("c", "kc", None), ("d", "", None)]
    {
        let sql = format!(
            "INSERT INTO precall_contact (contact_id, entry_point, business, caller_key, at_ms, \
             engaged_ms) VALUES ('{id}', 'app', 'retail', NULLIF('{key}', ''), 900, 1000)"
        );
        db.execute(&sql).await.unwrap();
        if let Some(at_ms) = calls_ms {
            called(&db, id, key, at_ms).await;
        }
    }
    // A visit is no engagement.
    let visit = "INSERT INTO precall_contact (contact_id, entry_point, business, at_ms, kind) \
                 VALUES ('v', 'app', 'retail', 1000, 'visit')";
    db.execute(visit).await.unwrap();
    called(&db, "l", "kl", 1_000).await;
    let link = "INSERT INTO link (link_id, call_id, destination, token_hash, created_ms, \
                expires_ms, first_human_ms) VALUES ('l', 'l', 'chat', 'h', 1000, 9999, 2000)";
    db.execute(link).await.unwrap();
    let asked = [0, 5_000, 2_000].map(Cell::Number);
    let report = store.report("engaged", &asked).await.unwrap();
    let counts = |row: usize| {
        ["engaged", "known", "no_call"].map(|name| report.cell(row, name).unwrap().clone())
    };
    assert_eq!(report.rows.len(), 2);
    assert_eq!(counts(0), [4, 3, 2].map(Cell::Number), "before a call");
    assert_eq!(counts(1), [1, 1, 1].map(Cell::Number), "the call of the link is none after it");
}

async fn ex_31_each_destination_tells_how_far_people_got_and_who_called_again(db: Db) {
    let store = db.store().await;
    for (n, destination, opened, outcomes, again) in [
        (1, "chat", true, &["engaged", "resolved"][..], false),
        (2, "chat", true, &["engaged"], true),
        (3, "chat", false, &[], true),
        (4, "orders", true, &["resolved"], false),
    ] {
        let (id, key) = (format!("c{n}"), format!("k{n}"));
        called(&db, &id, &key, 1_000).await;
        let human = if opened { "1500" } else { "NULL" };
        let link = format!(
            "INSERT INTO link (link_id, call_id, destination, token_hash, created_ms, expires_ms, \
             first_human_ms) VALUES ('{id}', '{id}', '{destination}', '{id}', 1200, 9999, {human})"
        );
        db.execute(&link).await.unwrap();
        for kind in outcomes {
            let sql = format!(
                "INSERT INTO outcome (outcome_id, call_id, kind, at_ms, source) \
                 VALUES ('{id}{kind}', '{id}', '{kind}', 1600, 'bot')"
            );
            db.execute(&sql).await.unwrap();
        }
        if again {
            called(&db, &format!("again{n}"), &key, 1_900).await;
        }
    }
    let report = store.report("destinations", &[0, 5_000, 1_000].map(Cell::Number)).await.unwrap();
    let text = |name: &str| Cell::Text(name.to_owned());
    let row = |name, counts: [i64; 5]| {
        std::iter::once(text(name)).chain(counts.map(Cell::Number)).collect::<Vec<_>>()
    };
    // Links, opened, engaged, solved, called again.
    assert_eq!(report.rows, [row("chat", [3, 2, 2, 1, 2]), row("orders", [1, 1, 0, 1, 0])]);
}

async fn ic_05_who_left_the_line_after_opening_the_link_is_told_from_who_left_without(db: Db) {
    let opened = |id: &str, at_ms: Option<i64>| {
        let at_ms = at_ms.map_or_else(|| "NULL".to_owned(), |at_ms| at_ms.to_string());
        format!("UPDATE link SET first_human_ms = {at_ms} WHERE call_id = '{id}';")
    };
    let mut all = Vec::new();
    // Texted, then back in line until the end.
    for n in 0..6 {
        let mut call = Past { clicked: true, ..texted(n) };
        let (texted_ms, ended_ms) = (call.started + 9_000, call.ended.unwrap());
        call.steps.push(("line", "wait", texted_ms + 500, ended_ms, "-"));
        all.push(call);
    }
    // This one is put through to a person, and these were never in line after the text.
    all[5].handled = "human";
    all.extend([Past { clicked: true, ..texted(6) }, forwarded(7, "human")]);
    let mut early = texted(8);
    early.steps.push(("line", "wait", early.started, early.started + 8_000, "-"));
    all.push(early);
    let store = stored(&db, &all).await;
    // Opened in line by two; by one after the call, and by one who then got a person.
    let end = |n: usize| all[n].ended.unwrap();
    let sql = [
        opened(&all[0].id, Some(end(0) - 1_000)),
        opened(&all[1].id, Some(end(1))),
        opened(&all[2].id, Some(end(2) + 1)),
        opened(&all[3].id, None),
        opened(&all[4].id, None),
    ];
    db.execute(&sql.concat()).await.unwrap();
    let asked = [MONDAY, MONDAY + 7 * DAY].map(Cell::Number);
    let report = store.report("waited", &asked).await.unwrap();
    assert_eq!(report.columns, ["how", "calls"]);
    let expected = [("human", 1), ("left after opening", 2), ("left unopened", 3)];
    let expected: Vec<_> =
        expected.map(|(how, calls)| vec![Cell::Text(how.to_owned()), Cell::Number(calls)]).into();
    same("waited", &report.rows, &expected);
}

async fn ex_07_counts_of_other_channels_stand_beside_the_calls_and_are_never_added_to_them(db: Db) {
    let all: Vec<_> =
        (0..5).map(|n| if n < 2 { texted(n) } else { forwarded(n, "human") }).collect();
    let store = stored(&db, &all).await;
    let count = |local_date: &str, source: &str, kind: &str, n| ExternalCount {
        local_date: local_date.to_owned(),
        source: source.to_owned(),
        kind: kind.to_owned(),
        n,
    };
    let day = db.texts("SELECT MIN(local_date) FROM call").await.remove(0).unwrap();
    let told = [
        count(&day, "faq", "visitors", 120),
        count(&day, "bot", "calls", 7),
        count("2019-01-01", "faq", "visitors", 9),
    ];
    store.set_external_counts(&told).await.unwrap();
    let text = |text: &str| Cell::Text(text.to_owned());
    let asked = [text(&day), text(&day), Cell::Number(0), Cell::Number(MONDAY + 30 * DAY)];
    let report = store.report("channels", &asked).await.unwrap();
    let of_day = |sql: &str| format!("SELECT COUNT(*) FROM {sql} AND local_date = '{day}'");
    let calls = db.number(&of_day("call WHERE 1 = 1")).await.unwrap();
    let human = db.number(&of_day("call WHERE handled = 'human'")).await.unwrap();
    let row =
        |source: &str, kind: &str, n| vec![text(&day), text(source), text(kind), Cell::Number(n)];
    let mut expected = vec![row("", "calls", calls), row("", "deflected", calls - human)];
    expected.extend((human > 0).then(|| row("", "human", human)));
    expected.extend([row("bot", "calls", 7), row("faq", "visitors", 120)]);
    same("channels", &report.rows, &expected);
}

async fn ex_28_each_sender_tells_how_much_of_its_texts_arrived_and_was_blocked(db: Db) {
    let all: Vec<_> = (0..6).map(texted).collect();
    let store = stored(&db, &all).await;
    let ids = db.texts("SELECT message_id FROM message ORDER BY message_id").await;
    let changes = [
        "sender = 'uk', state = 'delivered', accepted_ms = 5, delivered_ms = 9",
        "sender = 'uk', state = 'read', accepted_ms = 5, delivered_ms = 9",
        "sender = 'uk', state = 'unknown', accepted_ms = 5, delivered_ms = NULL",
        "sender = 'uk', state = 'undelivered', accepted_ms = 5, delivered_ms = NULL, error_class = 'blocked'",
        "sender = 'us', state = 'failed', accepted_ms = NULL, delivered_ms = NULL, error_class = 'config'",
        "sender = NULL, state = 'queued', accepted_ms = NULL, delivered_ms = NULL",
    ];
    for (id, change) in ids.iter().flatten().zip(changes) {
        let sql =
            format!("UPDATE message SET {change}, created_ms = 100 WHERE message_id = '{id}'");
        db.execute(&sql).await.unwrap();
    }
    let report = store.report("senders", &[100, 101].map(Cell::Number)).await.unwrap();
    let row = |name: &str, counts: [i64; 6], delivered, blocked| {
        let counts = counts.map(Cell::Number);
        let rest = counts.into_iter().chain([delivered, Cell::Share(blocked)]);
        std::iter::once(Cell::Text(name.to_owned())).chain(rest).collect::<Vec<_>>()
    };
    // Texts, accepted, delivered, failed, blocked, unknown; then percent.
    let expected = [
        row("uk", [4, 4, 2, 1, 1, 1], Cell::Share(50.0), 25.0),
        row("us", [1, 0, 0, 1, 0, 0], Cell::Null, 0.0),
    ];
    same("senders", &report.rows, &expected);
    let none = store.report("senders", &[101, 102].map(Cell::Number)).await.unwrap();
    assert_eq!(none.rows.len(), 0);
}
