//! Every column of every table has a rule: what of a person it holds, what is left of that when they are
//! forgotten, and when it goes by itself. A column without one fails the test.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

#[path = "../common/mod.rs"]
mod common;
mod rules;

use std::{collections::BTreeSet, fmt::Write as _};

use common::{Db, keys, mobile, sandbox};
use deflect_actions::{
    Clock,
    hooks::Hooks,
    store::{Erased, Store},
    text::TextService,
};
use jiff::{Timestamp, tz::TimeZone};
use message_text::E164;
use rules::{DAY_H, Goes, Table, fixed, tables};

on_both!(
    every_column_is_named_with_what_it_holds,
    an_erased_number_is_in_no_column_but_the_opt_outs_and_nobody_else_loses_anything,
    what_is_past_its_age_goes_and_what_is_not_stays,
);

/// Whose rows they are, and what is theirs alone.
struct Person {
    name: &'static str,
    number: E164,
}

impl Person {
    fn keys(&self, now_ms: i64) -> (String, String) {
        keys().caller_keys("retail", &self.number, now_ms)
    }

    fn opt_key(&self) -> String {
        keys().opt_key("retail", &self.number)
    }

    fn sealed(&self) -> String {
        format!("sealed of {}", self.name)
    }

    /// The text of a column of theirs, or its number.
    fn value(&self, table: &Table, column: &Column, now_ms: i64) -> String {
        let name = column.name.as_str();
        let holds = |columns: &str| columns.split_whitespace().any(|one| one == name);
        let text = if holds(table.keys) {
            let (key, previous) = self.keys(now_ms);
            if name.ends_with("_prev") { previous } else { key }
        } else if holds(table.opt_out) {
            self.opt_key()
        } else if holds(table.sealed) {
            self.sealed()
        } else if let Some(text) = fixed(table.name, name) {
            text.to_owned()
        } else if name == "local_date" {
            let now = Timestamp::from_millisecond(now_ms).unwrap();
            now.to_zoned(TimeZone::UTC).date().to_string()
        } else if name == "decided_ms" {
            return "NULL".to_owned();
        } else if name.ends_with("_ms") {
            let later_h = match (table.name, name) {
                ("message" | "callback", "erase_after_ms") => DAY_H,
                ("voicemail", "erase_after_ms") => 30 * DAY_H,
                ("remote_offer", "expires_ms") => 1,
                _ => 0,
            };
            return (now_ms + later_h * HOUR_MS).to_string();
        } else if !column.is_text {
            return "1".to_owned();
        } else if (table.name, name) == ("remote_offer", "offer_id") {
            // An offer is that of its call.
            format!("{}-call_id", self.name)
        } else if (table.name, name) == ("receipt", "receipt_id") {
            // They are in order of time.
            format!("00-{}-{name}", self.name)
        } else {
            format!("{}-{name}", self.name)
        };
        format!("'{text}'")
    }
}

const HOUR_MS: i64 = 3_600_000;

struct Column {
    name: String,
    is_text: bool,
}

/// The tables that the database has.
async fn names_of_tables(db: &Db) -> BTreeSet<String> {
    let sql = if db.is_sqlite() {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    } else {
        "SELECT CAST(table_name AS TEXT) FROM information_schema.tables \
         WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    };
    db.texts(sql).await.into_iter().map(Option::unwrap).collect()
}

/// The columns that a table has.
async fn columns(db: &Db, table: &str) -> Vec<Column> {
    let sql = if db.is_sqlite() {
        format!("SELECT name || ' ' || type FROM pragma_table_info('{table}')")
    } else {
        format!(
            "SELECT column_name || ' ' || data_type FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name = '{table}'"
        )
    };
    let column = |row: Option<String>| {
        let (name, kind) = row.as_deref().unwrap().split_once(' ').unwrap();
        Column { name: name.to_owned(), is_text: kind.eq_ignore_ascii_case("text") }
    };
    db.texts(&sql).await.into_iter().map(column).collect()
}

/// A row of each table about this person.
async fn fill(db: &Db, person: &Person, now_ms: i64) {
    let mut sql = String::new();
    for table in tables().filter(|table| table.name != "schema_version") {
        let columns = columns(db, table.name).await;
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let values: Vec<_> = columns.iter().map(|it| person.value(table, it, now_ms)).collect();
        let (names, values) = (names.join(", "), values.join(", "));
        writeln!(sql, "INSERT INTO {} ({names}) VALUES ({values});", table.name).unwrap();
    }
    db.execute(&sql).await.unwrap();
}

/// Where in the whole database a text stands: `table.column`, once for each row.
async fn places_of(db: &Db, texts: &[String], places: &[String]) -> Vec<String> {
    let texts: Vec<String> = texts.iter().map(|text| format!("'{text}'")).collect();
    let texts = texts.join(", ");
    let one = |place: &String| {
        let (table, _) = place.split_once('.').unwrap();
        format!("SELECT '{place}' FROM {table} WHERE {place} IN ({texts})")
    };
    let all: Vec<String> = places.iter().map(one).collect();
    let found = db.texts(&all.join(" UNION ALL ")).await;
    let mut found: Vec<String> = found.into_iter().map(Option::unwrap).collect();
    found.sort();
    found
}

/// All that a text can stand in, of the database as it is.
async fn places(db: &Db) -> Vec<String> {
    let mut places = Vec::new();
    for table in names_of_tables(db).await {
        let texts = columns(db, &table).await.into_iter().filter(|column| column.is_text);
        places.extend(texts.map(|column| format!("{table}.{}", column.name)));
    }
    places
}

/// The columns of this kind of the tables that `takes`.
fn listed(of: impl Fn(&Table) -> &'static str, takes: impl Fn(&Table) -> bool) -> Vec<String> {
    let mut places: Vec<String> = tables()
        .filter(|table| takes(table))
        .flat_map(|it| of(it).split_whitespace().map(move |name| format!("{}.{name}", it.name)))
        .collect();
    places.sort();
    places
}

/// How many rows each table has.
async fn counts(db: &Db) -> Vec<(&'static str, i64)> {
    let one =
        |(n, table): (usize, &Table)| format!("SELECT '{n:02} ' || COUNT(*) FROM {}", table.name);
    let all: Vec<String> = tables().enumerate().map(one).collect();
    let mut found = db.texts(&all.join(" UNION ALL ")).await;
    found.sort();
    let number = |text: Option<String>| text.unwrap()[3..].parse().unwrap();
    tables().map(|table| table.name).zip(found.into_iter().map(number)).collect()
}

async fn every_column_is_named_with_what_it_holds(db: Db) {
    db.store().await;
    let named: BTreeSet<String> = tables().map(|table| table.name.to_owned()).collect();
    assert_eq!(names_of_tables(&db).await, named, "name the table in this file, with its rule");
    for table in tables() {
        let kinds = [table.plain, table.keys, table.sealed, table.opt_out];
        let mut named: Vec<&str> = kinds.iter().flat_map(|it| it.split_whitespace()).collect();
        named.sort_unstable();
        let columns = columns(&db, table.name).await;
        let mut there: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        there.sort_unstable();
        assert_eq!(there, named, "name the column of {} with what it holds", table.name);
    }
}

async fn an_erased_number_is_in_no_column_but_the_opt_outs_and_nobody_else_loses_anything(db: Db) {
    let store = db.store().await;
    let now_ms = store.clock().now_ms();
    let people = [("ann", 1), ("bob", 2)];
    let [ann, bob] = people.map(|(name, n)| Person { name, number: mobile(n) });
    for person in [&ann, &bob] {
        fill(&db, person, now_ms).await;
    }
    let of = |person: &Person| {
        let (key, previous) = person.keys(now_ms);
        [key, previous, person.opt_key(), person.sealed()]
    };
    let places = places(&db).await;
    let of_bob = places_of(&db, &of(&bob), &places).await;
    let mut personal: Vec<String> =
        [listed(|it| it.keys, |_| true), listed(|it| it.sealed, |_| true)].concat();
    personal.extend(listed(|it| it.opt_out, |_| true));
    personal.sort();
    assert_eq!(of_bob, personal, "each is filled");
    let before = counts(&db).await;

    let erased = store.erase_number("retail", &ann.number).await.unwrap();
    sweep_voicemail(&store).await;
    let once = Erased {
        calls: 1,
        messages: 1,
        links: 1,
        callbacks: 1,
        voicemails: 1,
        contacts: 1,
        events: 1,
    };
    assert_eq!(erased, once);
    let [key, previous, opt_key, sealed] = of(&ann);
    assert_eq!(places_of(&db, &[key, previous, sealed], &places).await, Vec::<String>::new());
    let kept = listed(|table| table.opt_out, |_| true);
    assert_eq!(places_of(&db, &[opt_key], &places).await, kept);
    assert_eq!(places_of(&db, &of(&bob), &places).await, of_bob, "another's");
    for (((name, before), (_, after)), table) in
        before.into_iter().zip(counts(&db).await).zip(tables())
    {
        assert_eq!(after, before - i64::from(table.erased == Goes), "rows of {name}");
    }
    assert_eq!(store.erase_number("retail", &ann.number).await.unwrap(), Erased::default());
}

/// What a node does with sound whose time has come, once its file is deleted.
async fn sweep_voicemail(store: &Store) {
    for (id, ..) in store.voicemails_to_erase().await.unwrap() {
        store.voicemail_erased(&id).await.unwrap();
    }
}

async fn what_is_past_its_age_goes_and_what_is_not_stays(db: Db) {
    let clock = Clock::default();
    let store = db.store_with("n1", "b1", clock.clone()).await;
    // A node of before: what it promised is nobody's until another looks.
    let ann = Person { name: "ann", number: mobile(1) };
    let began_ms = clock.now_ms();
    fill(&db, &ann, began_ms).await;
    let before = counts(&db).await;
    let places = places(&db).await;
    let told = Hooks::new(store.clone(), Vec::new()).start();
    let ages = tables().flat_map(|table| [table.sealed_h, table.gone_h]).flatten();
    let ages: BTreeSet<i64> = ages.collect();
    assert!(ages.len() > 5, "{ages:?}");
    for age_h in ages {
        // A tenth before its time and a tenth after it: dates have no hours.
        for tenths in [9, 11] {
            let at_ms = began_ms + age_h * HOUR_MS / 10 * tenths;
            clock.advance(at_ms - clock.now_ms());
            store.sweep().await.unwrap();
            sweep_voicemail(&store).await;
            let is_past = |of_h: Option<i64>| {
                of_h.is_some_and(|of_h| of_h < age_h || (of_h == age_h && tenths == 11))
            };
            let gone = |table: &Table| is_past(table.gone_h);
            let sealed = |table: &Table| !gone(table) && !is_past(table.sealed_h);
            let rows: Vec<_> = before
                .iter()
                .zip(tables())
                .map(|((name, n), table)| (*name, n - i64::from(gone(table))))
                .collect();
            let told = format!("{tenths} tenths of {age_h} h");
            // Events are given up by a task of their own.
            common::eventually(&told, async || counts(&db).await == rows).await;
            let found = places_of(&db, &[ann.sealed()], &places).await;
            assert_eq!(found, listed(|it| it.sealed, sealed), "{told}");
            let keyed = listed(|table| table.keys, |table| !gone(table));
            let (key, previous) = ann.keys(began_ms);
            assert_eq!(places_of(&db, &[key, previous], &places).await, keyed, "{told}");
        }
    }
    told.abort();
    // The last that is left of them, until somebody looks after the dead node's promises.
    assert_eq!(db.number("SELECT COUNT(*) FROM follow_up").await, Some(1));
    let texts = TextService::new(store, sandbox()).start();
    let none = async || db.number("SELECT COUNT(*) FROM follow_up").await == Some(0);
    common::eventually("the promise is dropped", none).await;
    texts.abort();
}
