//! Callbacks of a target that has hours: booked at night into its day, and made in it only.

use std::path::PathBuf;

use carom_blackbox::{
    CONFIG, Database, Ear, Engine, Place, Scenario, call, eventually, go_on_for, sound,
};
use jiff::{Timestamp, ToSpan, civil::Time, tz::TimeZone};

use crate::softphone::spoken;

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const FLOW: &str = r#"
version = 1

[flow]
name    = "Night"
default = true
start   = "sort"
human   = "desk"

[hours.day]
zone    = "ZONE"
mon-fri = "11:00-12:00"
sat     = "11:00-12:00"
sun     = "11:00-12:00"

[target.desk]
sip            = "sip:desk@{pbx}:5060"
answered_means = "human"
ring_seconds   = 5
ping_seconds   = 0
hours          = "day"
when_closed    = "callback"

[target.night]
sip            = "sip:night@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0
if_fails       = "pbx"

[step.sort]
do     = "set"
intent = "night"
then   = "desk"

[step.callback]
do       = "callback"
play     = "beep.wav"
capacity = { per_hour = 1 }
then     = "hangup"
if_fails = "night"
"#;

const TRUNK: &str = r#"trusted    = true
outbound      = true
address       = "sip:{carrier}:5060"
callback_from = "+442079460018""#;

#[test]
fn dp_06_at_night_callbacks_take_the_days_slots_until_all_are_full() {
    let night = Night::start();
    let heard = night.rings("+447700900831", &["1@1s", "1@3s"]);
    assert!(is_heard(&heard, "callback-booked"));
    assert_eq!(night.due(), [night.eleven(0)]);
    // The first slot is full: the next is the next day's, and is told before the caller agrees.
    let heard = night.rings("+447700900832", &["1@2500ms", "1@4500ms"]);
    assert!(is_heard(&heard, "callback-next") && is_heard(&heard, "callback-booked"));
    assert_eq!(night.due(), [night.eleven(0), night.eleven(1)]);

    // All are full: nothing is spoken of, and who calls gets a person unanswered.
    let pbx = Scenario::new("pbx-rejects", night.place.pbx()).key("status", "486 Busy Here");
    let pbx = pbx.listen_once(&night.place);
    let uri = format!("sip:100@{}", night.place.engine());
    let rung = call(BIN, &night.place, &uri, &["--from", "+447700900833"]);
    assert!(rung.out.contains("\"status\":486"), "nobody answered for it: {rung:?}");
    assert!(pbx.succeeds().contains("INVITE sip:night@"));
    night.engine.idle();
    let line = night.engine.time_line();
    assert!(line.contains("left by error, full"), "{line}");
    assert_eq!(night.due().len(), 2);
}

#[test]
fn dp_06_a_number_that_is_not_confirmed_is_not_called_back() {
    let night = Night::start();
    let pbx = Scenario::new("pbx-hangs-up", night.place.pbx()).pause_ms(20).listen(&night.place);
    let heard = night.rings("+447700900834", &["1@1s", "2@15s"]);
    assert!(is_heard(&heard, "callback-right"), "the number is read back");
    let line = night.engine.time_line();
    assert!(line.contains("left by 2, not_wanted"), "{line}");
    assert!(pbx.messages().contains("INVITE sip:night@"), "a person instead");
    assert_eq!(night.due(), [0; 0]);
}

#[test]
fn dp_06_a_callback_is_made_in_its_hours_only_and_rings_the_desk_before_the_caller() {
    let night = Night::start();
    night.rings("+447700900835", &["1@1s", "1@3s"]);
    // One that is due while nobody is there waits for the day.
    night.database.execute("UPDATE callback SET due_ms = 1");
    let (agent, caller) = (Ear::at(night.place.pbx()), Ear::at(night.place.carrier()));
    let pbx = Scenario::new("pbx-answers", night.place.pbx()).ear(&agent);
    let pbx = pbx.listen_once(&night.place);
    let carrier = Scenario::new("pbx-hangs-up", night.place.carrier()).ear(&caller);
    let carrier = carrier.pause_ms(2_000).listen_once(&night.place);
    eventually("it is put off", || (night.due() == [night.eleven(0)]).then_some(()));
    go_on_for(2_500);
    assert!(!pbx.messages().contains("INVITE") && !carrier.messages().contains("INVITE"));
    let booked = "SELECT COUNT(*) FROM callback WHERE state = 'booked' AND tries = 0";
    assert_eq!(night.database.number(booked), 1, "that was no try");

    // The operator opens early.
    let told = night.engine.cli(&["hours", "open", "day", "--until", "2h"]);
    assert!(told.status.success(), "{told:?}");
    night.database.execute("UPDATE callback SET due_ms = 1");
    agent.meets();
    assert!(!carrier.messages().contains("INVITE"), "the desk first: {}", carrier.messages());
    let rung = carrier.succeeds();
    assert!(rung.contains("INVITE sip:+447700900835@"), "{rung}");
    assert!(pbx.succeeds().contains("INVITE sip:desk@"));
    night.engine.idle();
    let done = "SELECT COUNT(*) FROM callback WHERE state = 'done' AND tries = 1";
    eventually("done", || (night.database.number(done) == 1).then_some(()));
}

/// A line whose desk opens in three hours or a little less, by its clock.
struct Night {
    engine: Engine,
    database: Database,
    zone: TimeZone,
    place: Place,
}

impl Night {
    fn start() -> Self {
        let place = Place::new();
        place.beep();
        // Where it is eight o'clock, so that no midnight is near.
        let utc = Timestamp::now().to_zoned(TimeZone::UTC).hour();
        let east = match 8 - i32::from(utc) {
            east if east < -11 => east + 24,
            east => east,
        };
        // POSIX counts to the west.
        let name = format!("Etc/GMT{:+}", -east);
        let zone = TimeZone::get(&name).unwrap();
        let config = CONFIG.replace("trusted    = true", TRUNK);
        let engine = Engine::start_with(BIN, &place, &config, &FLOW.replace("ZONE", &name));
        Self { engine, database: Database::of(&place), zone, place }
    }

    /// What a caller heard who pressed these keys until the call was over.
    fn rings(&self, from: &str, keys: &[&str]) -> Vec<i16> {
        let heard: PathBuf = self.place.folder().join(format!("{}.wav", &from[1..]));
        let mut args = vec!["--from", from, "--record", heard.to_str().unwrap()];
        args.extend(keys.iter().flat_map(|key| ["--press", key]));
        let uri = format!("sip:100@{}", self.place.engine());
        let answer = call(BIN, &self.place, &uri, &args);
        assert!(answer.out.contains("\"status\":200"), "{answer:?}");
        self.engine.idle();
        sound::read(&heard).unwrap()
    }

    /// When those that are booked are due, in order.
    fn due(&self) -> Vec<i64> {
        let due =
            "SELECT CAST(due_ms AS TEXT) FROM callback WHERE state = 'booked' ORDER BY due_ms";
        self.database.texts(due).iter().map(|due| due.parse().unwrap()).collect()
    }

    /// Eleven o'clock there, so many days from now.
    fn eleven(&self, days: i64) -> i64 {
        let today = Timestamp::now().to_zoned(self.zone.clone()).date();
        let at = (today + days.days()).to_datetime(Time::constant(11, 0, 0, 0));
        at.to_zoned(self.zone.clone()).unwrap().timestamp().as_millisecond()
    }
}

fn is_heard(heard: &[i16], name: &str) -> bool {
    let prompt = spoken("en-GB", name);
    sound::likeness(heard, sound::loudest_fifth(&prompt)) > 0.9
}
