//! Senders and sources that a flow file brings for itself (requirements §6.2).

use std::{fs, path::Path};

use carom::config::check;
use carom_blackbox::{
    CONFIG, Engine, FLOW, Place, call,
    web::{Crm, Says},
};

use crate::asks::Site;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const SENDER: &str = r#"
[sender.own]
provider = "sandbox"
from     = "+447700900777"
regions  = ["GB"]
"#;

/// Goes by a source that the flow itself brings, and that no rule names.
const OWN_SOURCE: &str = r#"
version = 1

[flow]
name    = "Own"
default = true
start   = "sort"
human   = "agents"

[source.desk]
kind = "api"

[rule.long]
wait_over_seconds = 120

[step.sort]
do        = "decide"
case      = [{ if = "long", go = "long" }]
otherwise = "agents"
"#;

#[test]
fn a_flow_texts_from_the_sender_that_it_brings_until_a_reload_takes_it_away() {
    let place = Place::new();
    let engine = Engine::start_with(BIN, &place, CONFIG, &format!("{FLOW}{SENDER}"));
    let uri = format!("sip:100@{}", place.engine());
    let from = |caller: &str, sender: &str| {
        let heard = call(BIN, &place, &uri, &["--from", caller, "--press", "1@1500ms"]);
        assert!(heard.status.success(), "{heard:?}");
        let messages = engine.cli(&["messages"]).out;
        let newest = messages.lines().find(|line| line.contains(sender));
        assert!(newest.is_some(), "{sender}: {messages}");
    };
    // It stands before what all flows have.
    from("+447700900101", "own");
    engine.rewrite(&place, "flows/main.toml", |flow| flow.replace(SENDER, ""));
    assert!(engine.cli(&["reload"]).status.success());
    from("+447700900102", "sandbox");
    engine.rewrite(&place, "flows/main.toml", |flow| {
        format!("{flow}{}", SENDER.replace("sender.own", "sender.newer"))
    });
    assert!(engine.cli(&["reload"]).status.success());
    from("+447700900103", "newer");
}

#[test]
fn a_flow_asks_the_source_that_it_brings_until_a_reload_takes_it_away() {
    let place = Place::new();
    let crm = Crm::start(Says::Json("{}".into()));
    // Another source of all flows is none of its business.
    let config = format!("{CONFIG}\n[source.other]\nkind = \"api\"\n");
    let flow = OWN_SOURCE.replace("[rule.long]", "[rule.long]\nsource = \"desk\"");
    let site = Site::with(&place, &crm, &config, &flow, &["agents", "long"]);
    let told = |name: &str| site.tell(&format!("/v1/sources/{name}"), "{\"wait_seconds\":121}");
    assert!(told("desk").starts_with("HTTP/1.1 204"));
    assert_eq!(site.rings("+447700900104", &[]), "long");
    site.engine.rewrite(&place, "flows/main.toml", |flow| {
        flow.replace("[source.desk]\nkind = \"api\"\n", "").replace("\"desk\"", "\"other\"")
    });
    assert!(site.engine.cli(&["reload"]).status.success());
    assert!(told("desk").starts_with("HTTP/1.1 404"));
    assert_eq!(site.rings("+447700900105", &[]), "agents", "nothing is left of what it told");
    assert!(told("other").starts_with("HTTP/1.1 204"));
    assert_eq!(site.rings("+447700900106", &[]), "long");
}

#[test]
fn a_name_that_is_taken_is_refused_with_both_places_and_other_flows_do_not_see_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = fs::read_to_string("tests/fixtures/plain.toml").unwrap();
    let config = format!("{config}\n[source.shared]\nkind = \"api\"\n");
    let line = |text: &str, of: &str| text.lines().position(|line| line == of).unwrap() + 1;
    fs::write(folder.path().join("carom.toml"), &config).unwrap();
    fs::create_dir(folder.path().join("flows")).unwrap();
    let first = format!(
        "{OWN_SOURCE}\n[target.long]\nsip = \"sip:l@pbx.example.net\"\n[target.agents]\nsip = \"sip:a@pbx.example.net\"\n"
    );
    let second = first
        .replace("\"Own\"", "\"Other\"")
        .replace("default = true", "numbers = [\"+442079460018\"]");
    let write =
        |name: &str, text: &str| fs::write(folder.path().join("flows").join(name), text).unwrap();
    let report = || check(Some(&folder.path().join("carom.toml")), &[]).1.to_string();
    write("a.toml", &first.replace("[rule.long]", "[rule.long]\nsource = \"desk\""));

    // Of another flow, and of the configuration.
    let twice = second.replace("[rule.long]", "[rule.long]\nsource = \"shared\"");
    write(
        "b.toml",
        &twice.replace("kind = \"api\"", "kind = \"api\"\n[source.shared]\nkind = \"api\""),
    );
    let told = report();
    let place = |file: &str, at: usize| format!("{}:{at}", folder.path().join(file).display());
    let of_flow = place("flows/a.toml", line(&first, "[source.desk]"));
    assert!(
        told.contains(&format!("error[E01]: `[source.desk]` stands in {of_flow} already")),
        "{told}"
    );
    let of_config = place("carom.toml", line(&config, "[source.shared]"));
    assert!(
        told.contains(&format!("error[E01]: `[source.shared]` stands in {of_config} already")),
        "{told}"
    );
    assert!(told.contains(&format!("{}:", folder.path().join("flows/b.toml").display())), "{told}");

    // What the first brings is not there for the second.
    write(
        "b.toml",
        &second
            .replace("[source.desk]\nkind = \"api\"\n", "")
            .replace("[rule.long]", "[rule.long]\nsource = \"desk\""),
    );
    let told = report();
    assert!(told.contains("error[E01]: there is no source `desk`"), "{told}");
}

#[test]
fn what_a_flow_brings_is_read_as_in_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flow.toml");
    let told = |tables: &str| {
        fs::write(&file, format!("{FLOW}\n{tables}")).unwrap();
        check(Some(Path::new("tests/fixtures/plain.toml")), std::slice::from_ref(&file))
            .1
            .to_string()
    };
    for (tables, wanted) in [
        (
            "[sender.x]\nprovider = \"none\"\nfrom = \"x\"\nregions = [\"GB\"]",
            "error[E01]: `provider`: there is no `[provider.none]`",
        ),
        (
            "[sender.x]\nfrom = \"x\"\nregions = [\"GB\"]",
            "error[E00]: `[sender.x]` has no `provider`",
        ),
        ("[sender.x]\nprovder = \"x\"", "does not know the key `provder`"),
        (
            "[source.x]\nkind = \"options\"\ntarget = \"nobody\"",
            "error[E01]: `target`: there is no `[target.nobody]`",
        ),
        (
            "[source.x]\nkind = \"http\"\nurl = \"http://far.example/q\"\nwait_seconds = \"/w\"",
            "error[E13]",
        ),
        ("[source]\nx = 1", "it takes a table"),
    ] {
        let report = told(tables);
        assert!(report.contains(wanted), "{tables}\n{report}");
        assert!(report.contains(&format!("{}:", file.display())), "{tables}\n{report}");
    }
    // One of its own targets will do.
    assert!(!told("[source.x]\nkind = \"options\"\ntarget = \"agents\"").contains("[source.x]"));
}
