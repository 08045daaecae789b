//! What sources tell of waits and agents, and what flows make of it.

use carom_blackbox::{
    CONFIG, Place, eventually, get,
    sound::{self, likeness},
    web::{Crm, Says},
};

use crate::asks::Site;

/// Sorts by what the sources say.
const QUEUES: &str = r#"
version = 1

[flow]
name    = "Queues"
default = true
start   = "sort"
human   = "agents"

[rule.long]
source            = "queue"
wait_over_seconds = 120
[rule.nobody]
source           = "queue"
agents_available = { at_most = 0 }
[rule.known]
known = "wait_minutes"

[step.sort]
do        = "decide"
case      = [
  { if = "nobody", go = "nobody" },
  { if = "long",   go = "long" },
  { if = "known",  go = "short" },
]
otherwise = "agents"
"#;

#[test]
fn kh_08_a_source_tells_how_long_it_takes_and_whether_anybody_is_there() {
    let place = Place::new();
    let crm = Crm::start(Says::Json("{\"q\":{\"wait\":121,\"free\":3}}".into()));
    let source = format!(
        "\n[source.queue]\nkind = \"http\"\nurl = \"{}/q\"\nevery_seconds = 1\nstale_seconds = 2\n\
         wait_seconds = \"/q/wait\"\nagents_available = \"/q/free\"\n\
         default = {{ agents_available = 0 }}\n",
        crm.url()
    );
    let site = sorting(&place, &crm, &source);
    let comes = |target: &str| {
        eventually(target, || (site.rings("+447700900611", &[]) == target).then_some(()));
    };
    comes("long");
    crm.says(Says::Json("{\"q\":{\"wait\":120,\"free\":3}}".into()));
    comes("short");
    crm.says(Says::Json("{\"q\":{\"wait\":500,\"free\":0}}".into()));
    comes("nobody");
    crm.says(Says::Json("{\"q\":{}}".into()));
    comes("agents"); // it says nothing, and nothing is guessed
    crm.says(Says::Reset);
    comes("nobody"); // the default, when what it told is too old
    let page = get(&place, "/metrics");
    assert!(page.contains("carom_source_up{source=\"queue\"} 0"), "{page}");
    assert!(site.engine.log().contains("source does not answer"));
}

#[test]
fn kh_02_the_wait_is_told_as_the_flow_rounds_it() {
    let crm = Crm::start(Says::Json("{}".into()));
    let config = format!("{CONFIG}\n[source.queue]\nkind = \"api\"\n");
    let flow =
        QUEUES.replace("known = \"wait_minutes\"", "field = \"wait_minutes\"\nequals = [\"5\"]");
    for (key, waits) in [
        ("", [(241, "short"), (301, "agents")]),
        (
            "round_wait = { to_minutes = 5, direction = \"nearest\" }",
            [(449, "short"), (450, "agents")],
        ),
    ] {
        let place = Place::new();
        let flow = flow
            .replace("  { if = \"long\",   go = \"long\" },\n", "")
            .replace("human   = \"agents\"", &format!("human   = \"agents\"\n{key}"));
        let site = Site::with(&place, &crm, &config, &flow, &TARGETS);
        for (wait_seconds, rung) in waits {
            let told = format!("{{\"wait_seconds\":{wait_seconds}}}");
            let answer = site.tell("/v1/sources/queue", &told);
            assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
            assert_eq!(site.rings("+447700900613", &[]), rung, "{key} {wait_seconds}");
        }
    }
}

#[test]
fn kh_02_dp_17_a_caller_hears_how_long_the_wait_is_and_without_a_source_only_the_rest() {
    let flow = r#"
version = 1

[flow]
name    = "Wait"
default = true
start   = "wait"
human   = "agents"

[step.wait]
do   = "say"
play = [{ play = ["wait-time.wav", "say:{wait_minutes}", "minutes.wav"], needs = ["wait_minutes"] }, "goodbye.wav"]
then = "agents"
"#;
    let place = Place::new();
    let crm = Crm::start(Says::Json("{}".into()));
    let config = format!("{CONFIG}\n[source.queue]\nkind = \"api\"\n");
    let site = Site::with(&place, &crm, &config, flow, &["agents"]);
    let heard = |name: &str| {
        let file = place.folder().join(name);
        let record = ["--record", file.to_str().unwrap()];
        assert_eq!(site.rings("+447700900614", &record), "agents");
        sound::read(&file).unwrap()
    };
    let is_in = |heard: &[i16], prompt: &str| {
        let file = place.folder().join(format!("{prompt}.said.wav"));
        let told = site.engine.cli(&["prompts", "play", prompt, "--out", file.to_str().unwrap()]);
        assert!(told.status.success(), "{told:?}");
        likeness(heard, sound::loudest_fifth(&sound::read(&file).unwrap())) > 0.9
    };
    let unknown = heard("unknown.wav");
    assert!(is_in(&unknown, "goodbye") && !is_in(&unknown, "wait-time"), "nothing is guessed");
    let told = site.tell("/v1/sources/queue", "{\"wait_seconds\":420}");
    assert!(told.starts_with("HTTP/1.1 204"), "{told}");
    let known = heard("known.wav");
    for prompt in ["wait-time", "f-7", "goodbye"] {
        assert!(is_in(&known, prompt), "{prompt}");
    }
    assert!(!is_in(&known, "f-5"), "seven minutes, not five");
}

#[test]
fn kh_08_a_queue_tells_us_itself() {
    let place = Place::new();
    let crm = Crm::start(Says::Reset);
    let tokens = "\n[source.queue]\nkind = \"api\"\nstale_seconds = 1\n";
    let site = sorting(&place, &crm, tokens);
    assert_eq!(site.rings("+447700900612", &[]), "agents", "nothing was told");
    let told = |name: &str, body: &str| site.tell(&format!("/v1/sources/{name}"), body);
    assert!(told("queue", "{\"agents_available\":0}").starts_with("HTTP/1.1 204"));
    assert_eq!(site.rings("+447700900612", &[]), "nobody");
    assert!(told("queue", "{\"agents_available\":2,\"wait_seconds\":61}").contains("204"));
    assert_eq!(site.rings("+447700900612", &[]), "short");
    for (name, body, status) in [
        ("queue", "{\"agents\":0}", "400"),
        ("queue", "{\"wait_seconds\":-1}", "400"),
        ("queue", "", "400"),
        ("queu", "{}", "404"),
    ] {
        let answer = told(name, body);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{name} {body}: {answer}");
    }
    eventually("what was told grows old", || {
        (site.rings("+447700900612", &[]) == "agents").then_some(())
    });
}

/// A flow that sorts by what the source `queue` says.
pub fn sorting<'a>(place: &'a Place, crm: &Crm, source: &str) -> Site<'a> {
    Site::with(place, crm, &format!("{CONFIG}{source}"), QUEUES, &TARGETS)
}

const TARGETS: [&str; 4] = ["agents", "nobody", "long", "short"];
