//! What callers leave: on the disk, in the store, fetched, and gone when its time is over.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use carom_blackbox::{CONFIG, Database, Ear, Engine, PCMA, Place, Run, Scenario, eventually};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const FLOW: &str = r#"
version = 1

[flow]
name    = "Box"
default = true
start   = "box"
human   = "agents"

[target.agents]
sip            = "sip:queue@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0

[step.box]
do          = "voicemail"
play        = "beep.wav"
max_seconds = 20
then        = "hangup"
if_fails    = "agents"
"#;

/// Half of a second of it.
const SPEECH: u32 = 25;

#[test]
fn a_message_ends_at_the_hash_key_and_is_fetched_marked_and_deleted() {
    let place = Place::new();
    let engine = start(&place);
    let (caller, carrier) = ring(&place);
    let to = after_the_tone(&caller);
    caller.speaks(to, PCMA, 0x2a, 3 * SPEECH);
    caller.presses(to, 11);
    carrier.succeeds();
    engine.idle();
    assert_eq!(engine.calls()[0]["end"], "voicemail", "{}", engine.time_line());
    assert!(engine.time_line().contains("left by #, kept:"), "{}", engine.time_line());

    let [file] = files(&place).try_into().unwrap();
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let sound = carom_blackbox::sound::read(&file).unwrap();
    let loud = sound.iter().filter(|sample| sample.unsigned_abs() > 100).count();
    assert!((11_000..=13_000).contains(&loud), "{loud} samples of speech");
    assert!(sound.len() < 20_000, "the silence is left out: {}", sound.len());

    let listed: serde_json::Value =
        serde_json::from_str(&engine.cli(&["voicemail", "list", "--json"]).out).unwrap();
    let id = listed[0]["voicemail_id"].as_str().unwrap();
    assert_eq!(listed[0]["step"], "box");
    assert!(listed[0]["heard_ms"].is_null());
    let out = place.folder().join("copy.wav");
    let told = engine.cli(&["voicemail", "export", id, "--out", out.to_str().unwrap()]);
    assert!(told.status.success(), "{told:?}");
    assert_eq!(fs::read(&out).unwrap(), fs::read(&file).unwrap());
    assert!(engine.cli(&["voicemail", "heard", id]).status.success());
    assert!(engine.cli(&["voicemail"]).out.contains("heard"));
    let told = engine.cli(&["voicemail", "delete", id]);
    assert!(told.status.success(), "{told:?}");
    assert_eq!(files(&place), Vec::<PathBuf>::new());
    assert_eq!(engine.cli(&["voicemail"]).out, "");
    assert!(!engine.cli(&["voicemail", "heard", id]).status.success());
}

#[test]
fn a_caller_who_hangs_up_has_left_a_message_and_one_who_says_nothing_has_not() {
    let place = Place::new();
    let engine = start(&place);
    let caller = Ear::at(place.carrier());
    let carrier = Scenario::new("carrier-hangs-up", place.carrier()).ear(&caller).pause_ms(3_000);
    let carrier = carrier.call(&place);
    let to = after_the_tone(&caller);
    caller.speaks(to, PCMA, 0x2a, 2 * SPEECH);
    carrier.succeeds();
    engine.idle();
    assert_eq!(engine.calls()[0]["end"], "voicemail", "{}", engine.time_line());
    assert!(engine.time_line().contains("left by hangup, kept:"), "{}", engine.time_line());

    let (caller, carrier) = ring(&place);
    let to = after_the_tone(&caller);
    // A quiet line. Five seconds of it are enough.
    caller.speaks(to, PCMA, 0xd5, 12 * SPEECH);
    carrier.succeeds();
    engine.idle();
    assert!(engine.time_line().contains("left by timeout, nothing_said"), "{}", engine.time_line());
    let written = "SELECT COUNT(*) FROM voicemail";
    assert_eq!(Database::of(&place).number(written), 1);
    assert_eq!(files(&place).len(), 1);
    // Work moved, not removed (EX-09).
    let ends = "SELECT COUNT(*) FROM call WHERE end_reason = 'voicemail' AND handled = 'no_human'";
    eventually("written", || (Database::of(&place).number(ends) == 1).then_some(()));
}

#[test]
fn a_folder_that_takes_nothing_sends_the_caller_to_a_person() {
    let place = Place::new();
    // A file where the folder should be: no user is too mighty for that.
    place.write("var/voicemail", "in the way");
    let engine = start(&place);
    let agent = Ear::at(place.pbx());
    let pbx = Scenario::new("pbx-answers", place.pbx()).ear(&agent).listen_once(&place);
    let (caller, carrier) = ring(&place);
    let to = after_the_tone(&caller);
    caller.speaks(to, PCMA, 0x2a, 2 * SPEECH);
    caller.presses(to, 11);
    agent.meets();
    drop((carrier, pbx));
    assert!(engine.time_line().contains("left by error, disk"), "{}", engine.time_line());
    assert_eq!(Database::of(&place).number("SELECT COUNT(*) FROM voicemail"), 0);
}

fn start(place: &Place) -> Engine {
    place.beep();
    Engine::start_with(BIN, place, CONFIG, FLOW)
}

/// A caller who waits for the other side to hang up.
fn ring(place: &Place) -> (Ear, Run) {
    let caller = Ear::at(place.carrier());
    let carrier = Scenario::new("carrier-waits", place.carrier()).ear(&caller).call(place);
    (caller, carrier)
}

/// Prompt and tone last a quarter of a second each.
fn after_the_tone(caller: &Ear) -> std::net::SocketAddr {
    let to = caller.meets();
    caller.listens(40);
    to
}

fn files(place: &Place) -> Vec<PathBuf> {
    let files = fs::read_dir(place.folder().join("var/voicemail")).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}
