//! What callers leave: on the disk, in the store, fetched, and gone when its time is over.

use std::{fs, io::Read as _, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

use carom_blackbox::{
    CONFIG, Database, Ear, Engine, PCMA, Place, Run, Scenario, eventually,
    web::{self, Crm, Says},
};

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
    // What another node took lies here too where they share the folder, else on that one.
    let database = Database::of(&place);
    database.execute("UPDATE call SET node_id = 'other'");
    assert!(
        engine.cli(&["voicemail", "export", id, "--out", out.to_str().unwrap()]).status.success()
    );
    let (here, away) = (file.display(), place.folder().join("away.wav"));
    database.execute(&format!("UPDATE voicemail SET file = '{}'", away.display()));
    let told = engine.cli(&["voicemail", "export", id]);
    assert!(told.err.contains("lies on the node other"), "{told:?}");
    database.execute(&format!("UPDATE voicemail SET file = '{here}'"));
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

#[test]
fn the_webhook_tells_where_the_sound_is_and_a_token_of_scope_read_fetches_it() {
    let place = Place::new();
    place.beep();
    let crm = Crm::start(Says::Status(204));
    for (file, secret) in
        [("hook", "hook secret"), ("reads", "good-for-reading"), ("tells", "other")]
    {
        place.write(file, secret);
    }
    let http = format!(
        "\npublic_url = \"http://{{engine}}:8080\"\n\
         tokens = [{{ name = \"mail\", secret = \"file:reads\", scope = \"read\" }}, \
         {{ name = \"crm\", secret = \"file:tells\", scope = \"report\" }}]\n\
         webhooks = [{{ url = \"{}\", secret = \"file:hook\", events = [\"voicemail.left\"] }}]\n",
        crm.url()
    );
    let engine = Engine::start_with(BIN, &place, &format!("{CONFIG}{http}"), FLOW);
    let (caller, carrier) = ring(&place);
    let to = after_the_tone(&caller);
    caller.speaks(to, PCMA, 0x2a, 3 * SPEECH);
    caller.presses(to, 11);
    carrier.succeeds();
    engine.idle();

    let told = eventually("the webhook is told", || crm.asked().pop());
    let told: serde_json::Value = serde_json::from_str(&told.body).unwrap();
    let url = told["sound_url"].as_str().unwrap();
    let (base, path) = url.split_at(format!("http://{}:8080", place.engine()).len());
    assert_eq!(base, format!("http://{}:8080", place.engine()));
    for bearer in ["", "Authorization: Bearer other\r\n"] {
        assert_eq!(fetch(&place, path, bearer).0, 401, "{bearer}");
    }
    let reads = "Authorization: Bearer good-for-reading\r\n";
    let (status, wav) = fetch(&place, path, reads);
    let [file] = files(&place).try_into().unwrap();
    assert_eq!((status, &wav), (200, &fs::read(file).unwrap()));
    let copy = place.folder().join("fetched.wav");
    fs::write(&copy, &wav).unwrap();
    let asked = |what: &str| {
        let told = Command::new("soxi").arg(what).arg(&copy).output().unwrap();
        String::from_utf8(told.stdout).unwrap().trim().to_owned()
    };
    assert_eq!([asked("-c"), asked("-r"), asked("-b")], ["1", "8000", "16"]);
    let seconds: f64 = asked("-D").parse().unwrap();
    assert_eq!((seconds * 1_000.0).floor() as i64, told["length_ms"].as_i64().unwrap());

    let list = fetch(&place, "/v1/voicemails", reads).1;
    let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
    assert_eq!(
        (&list[0]["voicemail_id"], &list[0]["sound"]),
        (&told["voicemail_id"], &path.into())
    );
    assert!(!list.to_string().contains("+447"), "no number: {list}");
    let id = told["voicemail_id"].as_str().unwrap();
    // Nodes that share a folder have each other's.
    let database = Database::of(&place);
    let node = database.texts("SELECT node_id FROM call").remove(0);
    database.execute("UPDATE call SET node_id = 'another'");
    assert_eq!(fetch(&place, path, reads), (200, wav));
    database.execute(&format!("UPDATE call SET node_id = '{node}'"));
    assert!(engine.cli(&["voicemail", "delete", id]).status.success());
    assert_eq!(fetch(&place, path, reads).0, 404);
    // Others are asked for there.
    database.execute(&format!("UPDATE voicemail SET file = 'x' WHERE voicemail_id = '{id}'"));
    database.execute("UPDATE call SET node_id = 'another'");
    assert_eq!(fetch(&place, path, reads).0, 421);
}

/// Status and body.
fn fetch(place: &Place, path: &str, headers: &str) -> (u16, Vec<u8>) {
    let mut answer = Vec::new();
    web::begin(place, "GET", path, headers, "").unwrap().read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), answer.split_off(end + 4))
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
