//! What an operator does by hand to the opt-outs, the outbox and the store's key.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use carom_blackbox::{
    CONFIG, Database, Engine, FLOW, Place, call, eventually,
    twilio::{Does, Twilio},
};
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const CALLER: &str = "+447700900456";

/// The user whom these tests run as, by name.
pub fn me() -> String {
    let id = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim().to_owned()
}

/// A node, and a caller who took the text.
fn texted(place: &Place) -> (Engine, Database) {
    let engine = Engine::start_with(BIN, place, CONFIG, FLOW);
    let uri = format!("sip:+442079460018@{}", place.engine());
    let args = ["--from", CALLER, "--press", "1@1500ms"];
    assert!(call(BIN, place, &uri, &args).status.success());
    let database = Database::of(place);
    eventually("the call is stored", || {
        (database.number("SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL") == 1).then_some(())
    });
    (engine, database)
}

#[test]
fn x_05_opt_outs_are_added_listed_imported_and_taken_back_by_brand_and_topic() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, FLOW);
    let run = |args: &[&str]| engine.cli(&[&["opt-outs"], args].concat());
    assert!(run(&["add", CALLER, "--topic", "orders"]).out.contains("1 recorded"));
    let list = place.folder().join("list.csv");
    let path = list.to_str().unwrap();
    fs::write(&list, "number,business,topic\n07700900123,example,\n07700 900124,,orders\n")
        .unwrap();
    let refused = run(&["import", path]);
    assert!(refused.err.contains("line 2, column `number`"), "{refused:?}");
    let imported = run(&["import", path, "--country", "GB"]);
    assert!(imported.out.contains("2 imported"), "{imported:?}");
    fs::write(&list, "number,business\n07700900125,example\n07700900126,nobody\n").unwrap();
    let refused = run(&["import", path, "--country", "GB"]);
    assert!(refused.err.contains("there is no `[business.nobody]`"), "{refused:?}");
    let listed = run(&["list"]).out;
    assert_eq!(listed.lines().count(), 3, "all or none: {listed}");
    for line in
        ["GB …56    Example  orders  by operator", "GB …23    Example  any topic  by import"]
    {
        assert!(listed.contains(line), "{listed}");
    }
    assert!(!listed.contains("7009"), "{listed}");
    assert!(run(&["remove", CALLER, "--topic", "billing"]).err.contains("no such opt-out"));
    assert!(run(&["remove", CALLER, "--business", "example"]).out.contains("1 taken back"));
    assert_eq!(run(&["--json"]).out.matches("\"brand\"").count(), 2);
    let database = Database::of(&place);
    let audit =
        database.texts("SELECT who || ' ' || what || ' ' || detail FROM audit ORDER BY at_ms");
    let user = me();
    let expected = [
        format!("{user} opt-out add * orders"),
        format!("{user} opt-out import 2 entries"),
        format!("{user} opt-out remove example "),
    ];
    assert_eq!(audit, expected);
}

#[test]
fn x_05_a_long_list_is_imported_whole_or_not_at_all_and_holds_nobody_up() {
    // More than SQLite keeps in memory until the commit, so that the file tells of it.
    const LINES: usize = 40_000;
    let place = Place::new();
    let mut engine = Engine::start_with(BIN, &place, CONFIG, FLOW);
    let database = Database::of(&place);
    let list = place.folder().join("list.csv");
    let mut lines = "number,business\n".to_owned();
    (0..LINES).for_each(|n| lines.push_str(&format!("+4477{:08},example\n", 11_000_000 + n)));
    let count = "SELECT COUNT(*) FROM opt_out";
    let args = ["opt-outs", "import", list.to_str().unwrap()];

    fs::write(&list, lines.clone() + "+447700900123,nobody\n").unwrap();
    let refused = engine.cli(&args);
    let line = format!("line {}: there is no `[business.nobody]`", LINES + 2);
    assert!(refused.err.contains(&line), "{refused:?}");
    assert_eq!(database.number(count), 0);

    // Killed amid it, it is all there or nothing of it.
    fs::write(&list, &lines).unwrap();
    std::thread::scope(|scope| {
        let import = scope.spawn(|| {
            Command::new(BIN).args(args).arg("-c").arg(engine.config()).output().unwrap()
        });
        eventually("it is being written", || {
            let wal = fs::metadata(place.folder().join("var/carom.db-wal"));
            (wal.is_ok_and(|wal| wal.len() > 1 << 20) || import.is_finished()).then_some(())
        });
        let id = engine.id().to_string();
        assert!(Command::new("kill").args(["-9", &id]).status().unwrap().success());
        let told = import.join().unwrap();
        assert!(!told.status.success(), "killed too late: {told:?}");
    });
    engine.restart();
    let there = database.number(count);
    assert!(there == 0 || there == i64::try_from(LINES).unwrap(), "{there} of {LINES}");

    std::thread::scope(|scope| {
        let import = scope.spawn(|| engine.cli(&args));
        let mut answers = 0;
        while !import.is_finished() {
            assert!(engine.cli(&["hours"]).status.success());
            answers += 1;
        }
        let told = import.join().unwrap();
        assert!(told.out.contains(&format!("{LINES} imported")), "{told:?}");
        assert!(answers > 1, "nobody else was answered meanwhile");
    });
    assert_eq!(database.number(count), i64::try_from(LINES).unwrap(), "each once");
    // What does not fit is not begun.
    let many = "number\n".to_owned() + &"+447711000000\n".repeat(200_001);
    fs::write(&list, many).unwrap();
    let refused = engine.cli(&args);
    assert!(refused.err.contains("more than 200000 entries at once"), "{refused:?}");
}

#[test]
fn a_number_is_forgotten_at_once_and_its_opt_out_is_not() {
    let place = Place::new();
    let (engine, database) = texted(&place);
    assert!(engine.cli(&["opt-outs", "add", CALLER]).status.success());
    let asked = engine.cli(&["erase", CALLER]);
    assert!(asked.err.contains("--yes"), "{asked:?}");
    let erased = engine.cli(&["erase", CALLER, "--yes"]);
    assert!(erased.out.contains("erased from 1 call(s), 1 message(s)"), "{erased:?}");
    assert!(engine.cli(&["erase", CALLER, "--yes"]).out.contains("0 call(s), 0 message(s)"));
    assert!(engine.cli(&["erase", "7", "--yes"]).err.contains("not a number"));
    let calls = engine.cli(&["calls"]).out;
    let digits = format!("…{}", &CALLER[CALLER.len() - 2..]);
    assert!(calls.contains("deflected") && !calls.contains(&digits), "{calls}");
    for gone in [
        "SELECT COUNT(*) FROM message WHERE dest_enc IS NOT NULL OR body_enc IS NOT NULL",
        "SELECT COUNT(*) FROM message WHERE dest_key <> ''",
        "SELECT COUNT(*) FROM call WHERE caller_key IS NOT NULL",
    ] {
        assert_eq!(database.number(gone), 0, "{gone}");
    }
    let listed = engine.cli(&["opt-outs"]).out;
    assert!(listed.contains("  -         Example  any topic"), "{listed}");
    let audit = database.texts("SELECT what || ' ' || detail FROM audit WHERE what = 'erase'");
    assert_eq!(audit, ["erase * GB", "erase * GB"]);
    let who = database.texts("SELECT DISTINCT who FROM audit");
    assert_eq!(who, [me()], "the user at the other end of the socket");
    let uri = format!("sip:+442079460018@{}", place.engine());
    let args = ["--from", CALLER, "--press", "1@1500ms", "--hang-up-after", "4s"];
    let _ = call(BIN, &place, &uri, &args);
    engine.idle();
    assert_eq!(database.number("SELECT COUNT(*) FROM message"), 1, "the opt-out holds");
}

#[test]
fn a_message_is_shown_and_one_that_has_arrived_is_not_sent_again_nor_taken_back() {
    let place = Place::new();
    let (engine, database) = texted(&place);
    let id = &database.texts("SELECT message_id FROM message")[0];
    let shown = engine.cli(&["messages", "show", &id[..20]]).out;
    for fact in ["delivered", "GB …56", "purpose              link", "welcome, key 1"] {
        assert!(shown.contains(fact), "{shown}");
    }
    let told: Value =
        serde_json::from_str(&engine.cli(&["messages", "show", id, "--json"]).out).unwrap();
    assert_eq!(told["step"], "text_me");
    assert!(told["receipts"].is_array());
    let retried = engine.cli(&["messages", "retry", id, "--allow-duplicate"]);
    assert!(retried.err.contains("it has arrived"), "{retried:?}");
    let canceled = engine.cli(&["messages", "cancel", id]);
    assert!(canceled.err.contains("only what waits"), "{canceled:?}");
    assert!(engine.cli(&["messages", "show", "zzz"]).err.contains("no message begins with"));
    assert_eq!(database.number("SELECT COUNT(*) FROM audit"), 0);
    // One that failed is sent again, as a new one.
    database.execute("UPDATE message SET state = 'failed', error_class = 'provider_down'");
    let again = engine.cli(&["messages", "retry", id]);
    assert!(again.out.contains("sent again as "), "{again:?}");
    eventually("it is sent", || {
        let states = database.texts("SELECT state FROM message ORDER BY message_id");
        (states == ["failed", "delivered"]).then_some(())
    });
    let audit = database.texts("SELECT who || ' ' || what || ' ' || detail FROM audit");
    assert_eq!(audit, [format!("{} message retry {id}", me())]);
}

#[test]
fn a_message_that_waits_is_taken_back_by_the_command_and_never_sent() {
    let place = Place::new();
    let twilio = Twilio::start(&place);
    twilio.always(Does::Refuse(429, 20_429, Some(60)));
    let engine = Engine::start_with(BIN, &place, &twilio.engine_config(&place), FLOW);
    let told = engine.cli(&["text", CALLER, "Example: only a test", "--yes"]);
    let database = Database::of(&place);
    assert_eq!(database.texts("SELECT state FROM message"), ["queued"], "{told:?}");
    let id = &database.texts("SELECT message_id FROM message")[0];
    let canceled = engine.cli(&["messages", "cancel", &id[..20]]);
    assert!(canceled.status.success(), "{canceled:?}");
    assert!(canceled.out.contains(&format!("{id} is taken back")), "{canceled:?}");
    let told = engine.cli(&["text", "+447700900457", "Example: only a test", "--yes"]);
    assert!(told.out.starts_with("queued"), "{told:?}");
    twilio.always(Does::Accept);
    // The next try of both would be due; the other one is made.
    database.execute("UPDATE message SET next_try_ms = 0 WHERE next_try_ms IS NOT NULL");
    let states = "SELECT state FROM message ORDER BY message_id";
    eventually("the other is sent", || {
        (database.texts(states) == ["canceled", "accepted"]).then_some(())
    });
    let taken = twilio.taken();
    assert_eq!((taken.len(), &taken[0]["to"]), (1, &Value::from("+447700900457")));
    let shown = engine.cli(&["messages", "show", id]).out;
    assert!(shown.contains("canceled"), "{shown}");
    let audit =
        database.texts("SELECT who || ' ' || what || ' ' || detail FROM audit ORDER BY at_ms");
    assert!(audit.contains(&format!("{} message cancel {id}", me())), "{audit:?}");
    // It is taken back once, and not sent again.
    for (command, why) in [("cancel", "only what waits"), ("retry", "it was taken back")] {
        let refused = engine.cli(&["messages", command, id]);
        assert!(!refused.status.success() && refused.err.contains(why), "{refused:?}");
    }
}

#[test]
fn the_stores_key_is_replaced_while_the_node_works_and_over_a_restart() {
    let place = Place::new();
    let (mut engine, database) = texted(&place);
    let file = place.folder().join("var/keys/store.key");
    let old = fs::read_to_string(&file).unwrap();
    let sealed = || database.texts("SELECT dest_enc || body_enc FROM message").remove(0);
    let before = sealed();
    let rotated = engine.cli(&["rotate-key"]);
    assert!(rotated.out.contains("2 value(s) are encrypted anew"), "{rotated:?}");
    let new = fs::read_to_string(&file).unwrap();
    assert!(new.starts_with("carom-store-keys-1\n") && new.lines().count() == 2, "{new}");
    assert!(!new.contains(old.trim()), "the old key is gone");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_ne!(sealed(), before);
    let readable = |engine: &Engine| engine.cli(&["messages"]).out.contains("chat link");
    assert!(readable(&engine));
    engine.restart();
    assert!(readable(&engine), "the restarted node reads by the new key");
    let audit = database.texts("SELECT who || ' ' || what || ' ' || detail FROM audit");
    let rotated = "store key rotated new key: 2 renewed, 0 unreadable";
    assert_eq!(audit, [format!("{} {rotated}", me())]);
    // Nothing is under another key: that is told, too.
    let again = engine.cli(&["rotate-key", "--reencrypt"]);
    assert!(again.out.contains("0 value(s) are encrypted anew, 2 were already"), "{again:?}");
    // Another node that is alive would not know a new key.
    database.execute(
        "INSERT INTO node (node_id, node_boot, version, started_ms, lease_until_ms) \
         VALUES ('other', 'b', '1', 0, 9000000000000)",
    );
    let refused = engine.cli(&["rotate-key"]);
    assert!(refused.err.contains("other nodes work on this database (other)"), "{refused:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), new);
}
