//! In line, and offered something else: the place is kept until that is certain, and one leg at the
//! PBX is all there is of it.

use std::{path::PathBuf, thread, time::Duration};

use carom_blackbox::{
    Asterisk, CONFIG, Database, Ear, Engine, PCMA, Place, Run, Scenario, call, eventually,
    go_on_for, sound,
    twilio::{Does, Twilio},
};

use super::waits;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const CALLBACK: &str = r#"
[step.callback]
do       = "callback"
play     = "beep.wav"
then     = "hangup"
no_input = "line"
if_fails = "line"
"#;

/// The line of the waits, which offers a callback, too.
fn flow() -> String {
    let own = [
        ("human   = \"agents\"", "human   = \"agents\"\nask_again_days = 0"),
        ("retry_every_seconds = 5\n", ""),
        ("welcome.wav", "beep.wav"),
        ("2 = \"line\" }", "2 = \"line\", 3 = \"callback\" }"),
    ];
    let line = own.iter().fold(waits::FLOW.to_owned(), |line, (from, to)| {
        assert!(line.contains(from), "{from}");
        line.replace(from, to)
    });
    line + CALLBACK
}

const TRUNK: &str = r#"trusted    = true
outbound      = true
address       = "sip:{carrier}:5060"
callback_from = "+442079460018""#;

const AMI: &str = r#"
[source.queue]
kind          = "ami"
url           = "ami://{pbx}"
username      = "carom"
token         = "file:secret"
queue         = "service"
every_seconds = 1
timeout_ms    = 700
stale_seconds = 2
"#;

/// What the queue plays, as A-law: as loud as can be.
const MUSIC: u8 = 0x2a;

#[test]
fn ic_04_who_declines_a_callback_in_line_keeps_the_place_and_hears_the_queue_again() {
    let line = InLine::start("");
    let pbx = line.queue(1);
    // No to the callback itself, by another key, and no more offers.
    let heard = line.waits("+447700900841", &["3@6500ms", "2@8500ms"], 13);
    assert!(line.engine.time_line().contains("callback (callback)"), "it was offered");
    line.is_left_once(pbx, 1);
    let hears_queue = |from_s: usize, to_s: usize| {
        let part = &heard[from_s * 8_000..to_s * 8_000];
        let loud = part.iter().filter(|sample| sample.unsigned_abs() > 20_000).count();
        loud * 10 > part.len() * 9
    };
    assert!(hears_queue(2, 4), "before the offer");
    assert!(!hears_queue(5, 9), "the offer plays instead");
    assert!(hears_queue(10, 12), "and after it the queue again");
    assert_eq!(line.database.number("SELECT COUNT(*) FROM callback"), 0);
    assert_eq!(line.engine.calls()[0]["end"], "forwarded");
}

#[test]
fn ic_04_a_callback_that_is_booked_gives_the_place_up_and_one_that_fails_keeps_it() {
    let line = InLine::start("\n[limits]\ncallbacks_per_caller = { per_hour = 1 }\n");
    let pbx = line.queue(2);
    thread::scope(|scope| {
        scope.spawn(|| line.waits("+447700900842", &["3@6500ms", "1@8s", "1@9500ms"], 30));
        // While the number is confirmed the place is not given up.
        eventually("it is booked", || {
            let booked = line.database.number("SELECT COUNT(*) FROM callback") == 1;
            assert!(booked || !pbx.messages().contains("\nBYE "), "{}", pbx.messages());
            booked.then_some(())
        });
        pbx.saw("\nBYE ");
    });
    assert_eq!(line.engine.calls()[0]["end"], "callback_booked");
    // The same number again is called back once only: nothing is spoken of, the caller stays.
    let _ = line.waits("+447700900842", &["3@6500ms"], 10);
    let told = line.engine.time_line();
    assert!(told.contains("left by error, limited"), "{told}");
    assert_eq!(line.engine.calls()[0]["end"], "forwarded");
    line.is_left_once(pbx, 2);
    assert_eq!(line.database.number("SELECT COUNT(*) FROM callback"), 1);
}

#[test]
fn ic_04_the_queue_is_left_when_the_provider_has_taken_the_text_and_not_before() {
    let place = Place::new();
    place.beep();
    let twilio = Twilio::start(&place);
    twilio.does("+447700900843", Does::Slow(Duration::from_millis(2_000)));
    let config = twilio.engine_config(&place).replace("trusted    = true", TRUNK);
    let engine = Engine::start_with(BIN, &place, &config, &flow());
    let line = InLine { engine, database: Database::of(&place), place };
    let pbx = line.queue(1);
    thread::scope(|scope| {
        scope.spawn(|| line.waits("+447700900843", &["1@6500ms"], 30));
        eventually("the provider is asked", || {
            (!twilio.posted_to("+447700900843").is_empty()).then_some(())
        });
        go_on_for(1_500);
        assert!(!pbx.messages().contains("\nBYE "), "{}", pbx.messages());
    });
    line.is_left_once(pbx, 1);
    assert_eq!(line.engine.calls()[0]["end"], "deflected");
}

#[test]
fn while_the_manager_is_not_heard_no_callback_puts_an_agent_into_silence_and_only_rings_count() {
    let place = Place::new();
    let asterisk = Asterisk::start(place.pbx(), "secret");
    place.beep();
    place.write("secret", "secret");
    let flow = flow().replace("start   = \"line\"", "start = \"callback\"");
    let flow = flow.replace("reinvite", "ami");
    let config = CONFIG.replace("trusted    = true", TRUNK) + AMI;
    let engine = Engine::start_with(BIN, &place, &config, &flow);
    let database = Database::of(&place);
    let line = InLine { engine, database, place };
    let up = || line.engine.metric(&line.place, "carom_source_up{source=\"queue\"}");
    eventually("it is heard", || (up() == 1.0).then_some(()));
    let _ = line.waits("+447700900844", &["1@1s", "1@3s"], 20);
    let pbx = line.queue(1);
    let put_off_ms = || {
        let off = "SELECT COUNT(*) FROM callback WHERE state = 'booked' AND tries = 1 \
                   AND due_ms > created_ms";
        eventually("it is put off", || (line.database.number(off) == 1).then_some(()));
        line.database.number("SELECT due_ms - created_ms FROM callback")
    };
    // It is lost while the queue is waited in: nobody would know of a person. That has rung there,
    // and a manager that comes and goes must not have it ring for ever.
    line.database.execute("UPDATE callback SET due_ms = 0");
    pbx.saw("\nACK ");
    asterisk.goes_dead(true);
    asterisk.restarts();
    assert!(put_off_ms() > 240_000);
    line.is_left_once(pbx, 1);
    line.engine.idle();
    // And as long as it is lost the queue is not even rung: nobody is there, which would be a try.
    line.database.execute("UPDATE callback SET due_ms = 0");
    assert!(put_off_ms() < 240_000);
    line.engine.idle();
}

/// A line whose callers wait at the PBX.
struct InLine {
    engine: Engine,
    database: Database,
    place: Place,
}

impl InLine {
    fn start(limits: &str) -> Self {
        let place = Place::new();
        place.beep();
        let config = CONFIG.replace("trusted    = true", TRUNK) + limits;
        let engine = Engine::start_with(BIN, &place, &config, &flow());
        Self { engine, database: Database::of(&place), place }
    }

    /// A queue for so many calls, one after the other, with music.
    fn queue(&self, calls: u32) -> Run {
        let ear = Ear::at(self.place.pbx());
        let pbx = Scenario::new("pbx-answers", self.place.pbx()).ear(&ear);
        // Ends with the test's process.
        thread::spawn(move || {
            loop {
                let to = ear.meets();
                ear.speaks(to, PCMA, MUSIC, 10);
                ear.heard();
            }
        });
        pbx.args(&["-m", &calls.to_string()]).listen(&self.place)
    }

    /// What a caller heard who pressed these keys, and went after so many seconds.
    fn waits(&self, from: &str, keys: &[&str], seconds: u32) -> Vec<i16> {
        let heard: PathBuf = self.place.folder().join(format!("{}.wav", &from[1..]));
        let leaves = format!("{seconds}s");
        let mut args = vec!["--from", from, "--record", heard.to_str().unwrap()];
        args.extend(["--hang-up-after", &leaves]);
        args.extend(keys.iter().flat_map(|key| ["--press", key]));
        let uri = format!("sip:100@{}", self.place.engine());
        let answer = call(BIN, &self.place, &uri, &args);
        assert!(answer.out.contains("\"status\":200"), "{answer:?}");
        self.engine.idle();
        sound::read(&heard).unwrap()
    }

    /// Each call was one dialog at the PBX, from one INVITE to one BYE.
    fn is_left_once(&self, pbx: Run, calls: usize) {
        let messages = pbx.succeeds();
        let count = |line: &str| messages.matches(line).count();
        assert_eq!(count("\nINVITE sip:"), calls, "{messages}");
        assert_eq!(count("\nBYE sip:"), calls, "{messages}");
    }
}
