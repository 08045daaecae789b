//! Revisions of flows: recorded with author and time, compared, and brought back into the files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use carom_blackbox::{CONFIG, Database, Engine, Place, Scenario, call, eventually, fill};
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

/// Forwards at once, to whom `human` says; `pin.toml` has the step in between.
const FLOW: &str = r#"
version = 1

[flow]
name    = "Test line"
default = true
start   = "sort"
human   = "agents"

[target.agents]
sip            = "sip:one@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0

[step.sort]
do   = "sub"
file = "pin.toml"
on   = { done = "agents" }
"#;
const PIN: &str = r#"
[sub]
start = "mark"
exits = ["done"]

[step.mark]
do     = "set"
intent = "first"
then   = "exit:done"
"#;

#[test]
fn each_change_is_kept_with_author_time_and_difference_and_calls_name_theirs() {
    let place = Place::new();
    let engine = start(&place);
    let first = served(&engine);
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!((&first[0]["by_whom"], &first[0]["added"]), (&"start".into(), &Value::Null));
    ring(&place, &engine, "one");

    engine.rewrite(&place, "flows/main.toml", |flow| flow.replace("sip:one@", "sip:two@"));
    engine.rewrite(&place, "flows/pin.toml", |pin| pin.replace("first", "second") + "# more\n");
    let told = engine.cli(&["flows"]);
    assert!(told.out.contains("the files differ from what is served"), "{told:?}");
    let ahead = engine.cli(&["flows", "diff", "main"]).out;
    let main = "-sip            = \"sip:one@";
    for part in ["--- main.toml\t", "+++ main.toml\tthe files now", main, "--- pin.toml\t"] {
        assert!(ahead.contains(part), "{part}: {ahead}");
    }
    assert!(engine.cli(&["reload", "--author", "anna"]).status.success());
    ring(&place, &engine, "two");

    let revisions = served(&engine);
    assert_eq!(revisions.len(), 2, "{revisions:?}");
    let last = &revisions[1];
    assert_eq!(
        (&last["by_whom"], &last["added"], &last["removed"]),
        (&"anna".into(), &3.into(), &2.into())
    );
    assert_eq!((&last["served"], &last["files_differ"]), (&true.into(), &false.into()));
    let revs: Vec<&str> = revisions.iter().map(|r| r["flow_rev"].as_str().unwrap()).collect();
    let between = engine.cli(&["flows", "diff", "Test line", &revs[0][..9], revs[1]]).out;
    assert_eq!(
        between.lines().skip(2).collect::<Vec<_>>(),
        ahead.replace("the files now", &revs[1][..12]).lines().skip(2).collect::<Vec<_>>()
    );
    assert_eq!(engine.cli(&["flows", "diff", "main"]).out, "", "nothing lies there unserved");

    // Each call's record has the revision that it went through.
    let calls = engine.calls();
    assert_eq!(
        (calls[1]["flow_rev"].as_str(), calls[0]["flow_rev"].as_str()),
        (Some(revs[0]), Some(revs[1]))
    );
    let id = calls[0]["call"].as_str().unwrap();
    let line = engine.cli(&["calls", id]).out;
    assert!(line.contains(&format!("flow Test line ({})", &revs[1][..12])), "{line}");
    let database = Database::of(&place);
    let rows =
        "SELECT flow_rev || ' ' || intent FROM call WHERE ended_ms IS NOT NULL ORDER BY started_ms";
    let rows = eventually("both are written", || {
        Some(database.texts(rows)).filter(|rows| rows.len() == 2)
    });
    assert_eq!(rows, [format!("{} first", revs[0]), format!("{} second", revs[1])]);

    // Without a name it is the user who asks; a signal has none.
    engine.rewrite(&place, "flows/main.toml", |flow| flow.replace("sip:two@", "sip:three@"));
    assert!(engine.cli(&["reload"]).status.success());
    engine.rewrite(&place, "flows/main.toml", |flow| flow.replace("sip:three@", "sip:four@"));
    engine.signal("HUP");
    let authors = eventually("the reload by signal", || {
        let authors: Vec<_> = served(&engine).iter().map(|r| r["by_whom"].clone()).collect();
        (authors.len() == 4).then_some(authors)
    });
    let me = Command::new("id").arg("-un").output().unwrap().stdout;
    let me = std::env::var("SUDO_USER").unwrap_or(String::from_utf8(me).unwrap().trim().into());
    assert_eq!(authors[2..], [me.as_str(), "SIGHUP"]);
    let told = engine.cli(&["reload", "--author", "a\nb"]);
    assert!(!told.status.success() && told.err.contains("no name of an author"), "{told:?}");
}

#[test]
fn a_roll_back_writes_the_files_keeps_copies_and_is_served_by_the_running_node() {
    let place = Place::new();
    let engine = start(&place);
    let change = |flow: &str| flow.replace("sip:one@", "sip:two@");
    let before = engine.rewrite(&place, "flows/main.toml", change);
    let pin = engine.rewrite(&place, "flows/pin.toml", |pin| pin.replace("first", "second"));
    assert!(engine.cli(&["reload"]).status.success());
    ring(&place, &engine, "two");
    // Broken by now, which is why one wants to go back.
    engine.rewrite(&place, "flows/main.toml", |flow| flow.replace("[step.sort]", "[step.sort"));
    let broken = read(&place, "flows/main.toml");
    assert!(!engine.cli(&["reload"]).status.success());

    let told = engine.cli(&["flows", "rollback", "Test line", "--author", "ben"]);
    assert!(told.status.success(), "{told:?}");
    assert!(told.out.contains("serving 1 flow"), "{told:?}");
    assert_eq!((read(&place, "flows/main.toml"), read(&place, "flows/pin.toml")), (before, pin));
    let copies = copies(&place);
    assert_eq!(copies.len(), 2, "{copies:?}");
    assert_eq!(fs::read_to_string(&copies[0]).unwrap(), broken);
    assert!(told.out.contains(&copies[0].display().to_string()), "{told:?}");
    ring(&place, &engine, "one");

    let revisions = served(&engine);
    let revs: Vec<&Value> = revisions.iter().map(|revision| &revision["flow_rev"]).collect();
    assert_eq!((revs.len(), revs[2], &revisions[2]["by_whom"]), (3, revs[0], &"ben".into()));
    let audit = Database::of(&place).texts("SELECT who || ' ' || what || ' ' || detail FROM audit");
    let (from, to) = (revs[1].as_str().unwrap(), revs[0].as_str().unwrap());
    assert_eq!(audit, [format!("ben flows rollback Test line: {from} to {to}")]);

    // The last but one is the other now; by name it comes back, too.
    let told = engine.cli(&["flows", "rollback", "main", &from[..10]]);
    assert!(told.status.success(), "{told:?}");
    ring(&place, &engine, "two");
}

#[test]
fn a_revision_that_no_longer_fits_is_refused_and_nothing_changes() {
    let place = Place::new();
    let engine = start(&place);
    // The new revision has its target in carom.toml, which the old one has for itself.
    engine.rewrite(&place, "flows/main.toml", |flow| {
        let (head, rest) = flow.split_once("[target.agents]").unwrap();
        let (_, steps) = rest.split_once("[step.sort]").unwrap();
        format!("{head}[step.sort]{steps}")
    });
    engine.rewrite(&place, "carom.toml", |config| {
        let sip = format!("sip = \"sip:three@{}:5060\"", place.pbx());
        format!("{config}\n[target.agents]\n{sip}\nanswered_means = \"human\"\nping_seconds = 0\n")
    });
    assert!(engine.cli(&["reload"]).status.success());
    let now = read(&place, "flows/main.toml");
    let told = engine.cli(&["flows", "rollback", "Test line"]);
    assert!(!told.status.success(), "{told:?}");
    for part in ["does not fit", "nothing was changed", "E01", "agents"] {
        assert!(told.err.contains(part), "{part}: {told:?}");
    }
    assert_eq!(read(&place, "flows/main.toml"), now);
    assert_eq!(copies(&place), [] as [PathBuf; 0]);
    assert_eq!(served(&engine).len(), 2);
    ring(&place, &engine, "three");
}

#[test]
fn without_a_node_a_roll_back_is_for_the_next_start_and_what_is_not_there_is_told() {
    let place = Place::new();
    let mut engine = start(&place);
    engine.rewrite(&place, "flows/main.toml", |flow| flow.replace("sip:one@", "sip:two@"));
    assert!(engine.cli(&["reload"]).status.success());
    for (args, why) in [
        (
            &["rollback", "Tst line"][..],
            "no flow `Tst line`, nor was one served; did you mean `Test line`?",
        ),
        (&["rollback", "main", "zz"], "no revision of flow `Test line` begins with `zz`"),
        (&["diff", "main", ""], "more than one revision of flow `Test line` begins with ``"),
    ] {
        let told = engine.cli(&[&["flows"], args].concat());
        assert!(!told.status.success() && told.err.contains(why), "{args:?}: {told:?}");
    }
    engine.kill();
    // Its file is gone, too.
    fs::remove_file(place.folder().join("flows/main.toml")).unwrap();
    assert!(engine.cli(&["flows"]).out.contains("Test line  (no file has it)"));
    let told = engine.cli(&["flows", "rollback", "Test line"]);
    assert!(told.status.success() && told.out.contains("from the next start on"), "{told:?}");
    assert!(read(&place, "flows/main.toml").contains("sip:one@"));
    engine.restart();
    ring(&place, &engine, "one");
    let authors: Vec<_> = eventually("the start is recorded", || {
        let authors: Vec<_> = served(&engine).iter().map(|r| r["by_whom"].clone()).collect();
        (authors.len() == 3).then_some(authors)
    });
    assert_eq!(authors[2], "start");
}

fn start(place: &Place) -> Engine {
    place.write("flows/pin.toml", PIN);
    let engine = Engine::start_with(BIN, place, CONFIG, &fill(place, FLOW));
    eventually("the start is recorded", || (served(&engine).len() == 1).then_some(()));
    engine
}

/// What `flows list` tells, oldest first.
fn served(engine: &Engine) -> Vec<Value> {
    let told = engine.cli(&["flows", "list", "--json"]);
    serde_json::from_str(&told.out).unwrap_or_else(|_| panic!("{told:?}"))
}

/// A call reaches the target whose user part is `user`.
fn ring(place: &Place, engine: &Engine, user: &str) {
    let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(20).listen_once(place);
    let uri = format!("sip:100@{}", place.engine());
    let heard = call(BIN, place, &uri, &["--from", "+447700900701"]);
    assert!(heard.out.contains("\"status\":200"), "{heard:?}");
    let seen = pbx.messages();
    pbx.succeeds();
    assert!(seen.contains(&format!("INVITE sip:{user}@")), "{user}: {seen}");
    engine.idle();
}

fn read(place: &Place, name: &str) -> String {
    fs::read_to_string(place.folder().join(name)).unwrap()
}

fn copies(place: &Place) -> Vec<PathBuf> {
    let folder: &Path = &place.folder().join("flows");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut copies: Vec<_> =
        entries.filter(|file| file.to_string_lossy().contains(".before-")).collect();
    copies.sort();
    copies
}
