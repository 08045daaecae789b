//! Rules by what really happened: calls before, flags, hours, numbers. The branch a call takes is
//! seen by the address that is rung.

use carom_blackbox::{
    Ask, CONFIG, Database, Engine, Place, Run, Scenario, Wire, call, eventually, header,
};
use jiff::{Timestamp, tz::TimeZone};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

/// Plays nothing: the call is unanswered until its target answers.
const SORT: &str = r#"
version = 1

[flow]
name           = "Sort"
default        = true
start          = "sort"
human          = "again"
ask_again_days = 0

[rule.outage]
flag = "outage"
[rule.returned]
deflected_in_last = { days = 7, at_least = 1 }
[rule.first]
calls_in_last = { hours = 48, at_most = 0 }

[step.sort]
do        = "decide"
case      = [
  { if = "outage",   go = "outage" },
  { if = "returned", go = "returned" },
  { if = "first",    go = "first" },
]
otherwise = "again"
"#;

/// Takes extension 200, and texts without a word.
const TEXTING: &str = r#"
version = 1

[flow]
name           = "Texts"
extensions     = ["200"]
start          = "deal"
human          = "agents"
ask_again_days = 0

[link.chat]
url      = "https://help.example.com/chat"
staffing = "self-service"
intents  = ["any"]

[step.deal]
do             = "offer"
link           = "chat"
play           = "beep.wav"
press          = { 1 = "text_me", 0 = "agents" }
accept         = ["1"]
no_input       = "agents"
if_not_offered = "agents"

[step.text_me]
do          = "text"
link        = "chat"
message     = "Example: {link}"
wait_prompt = "none"
sent_prompt = "beep.wav"
failed_prompt = "beep.wav"
then        = "hangup"
if_fails    = "agents"
"#;

#[test]
fn kh_09_the_first_call_within_48_hours_is_told_from_the_next_one_also_after_a_restart() {
    let place = Place::new();
    let mut site = Site::new(&place, &[("sort", SORT, "again first returned outage")]);
    assert_eq!(site.rings("+447700900801"), "first");
    // Rows are written in batches; nobody calls again within one.
    let ended = "SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL";
    eventually("it is written", || (Database::of(&place).number(ended) == 1).then_some(()));
    assert_eq!(site.rings("+447700900801"), "again");
    assert_eq!(site.rings("+447700900802"), "first", "another caller");
    site.engine.signal("TERM");
    assert!(site.engine.ended().success());
    site.engine.restart();
    assert_eq!(site.rings("+447700900802"), "again");
    // Of nobody nothing is known: unknown rules are skipped.
    assert_eq!(site.rings("anonymous"), "again");
}

#[test]
fn ic_09_ex_04_who_was_deflected_and_returns_is_known() {
    let place = Place::new();
    let flows = [("sort", SORT, "again first returned outage"), ("texts", TEXTING, "agents")];
    let site = Site::new(&place, &flows);
    let uri = format!("sip:200@{}", place.engine());
    let press = ["--from", "+447700900811", "--press", "1@1200ms"];
    assert!(call(BIN, &place, &uri, &press).status.success());
    let texted = Database::of(&place);
    let deflected = "SELECT COUNT(*) FROM v_deflected WHERE how = 'digital'";
    eventually("it is written", || (texted.number(deflected) == 1).then_some(()));
    assert_eq!(site.rings("+447700900811"), "returned");
    assert_eq!(site.rings("+447700900812"), "first");
}

#[test]
fn ex_18_a_flag_of_the_operator_switches_the_branch_and_outlives_a_restart() {
    let place = Place::new();
    let mut site = Site::new(&place, &[("sort", SORT, "again first returned outage")]);
    assert_eq!(site.rings("anonymous"), "again");
    let told = site.engine.cli(&["flag", "set", "outage"]);
    assert!(told.status.success() && told.out.contains("outage"), "{told:?}");
    assert_eq!(site.rings("anonymous"), "outage", "from the next call on");
    site.engine.kill();
    site.engine.restart();
    assert_eq!(site.rings("anonymous"), "outage");
    assert!(site.engine.cli(&["flag", "clear", "outage"]).status.success());
    assert_eq!(site.rings("anonymous"), "again");
    let marks = "SELECT name || ' ' || value || ' ' || by_whom FROM change_marker \
                 WHERE kind = 'flag' ORDER BY at_ms, marker_id";
    let marks = Database::of(&place).texts(marks);
    assert_eq!(marks, ["1", "0"].map(|on| format!("outage {on} {}", crate::operator::me())));
}

#[test]
fn kh_07_kh_10_each_number_has_its_own_hours_and_holidays() {
    let place = Place::new();
    // Twelve hours apart: where it is morning in one, it is evening in the other.
    let flow = r#"
version = 1

[flow]
name    = "Hours"
numbers = ["+442079460018", "+442079460019", "+442079460020"]
start   = "sort"
human   = "again"

[hours.tokyo]
zone    = "Asia/Tokyo"
mon-fri = "00:00-12:00"
sat = "00:00-12:00"
sun = "00:00-12:00"
[hours.sao_paulo]
zone    = "America/Sao_Paulo"
mon-fri = "00:00-12:00"
sat = "00:00-12:00"
sun = "00:00-12:00"
[hours.holiday]
zone     = "Asia/Tokyo"
mon-fri = "00:00-24:00"
sat = "00:00-24:00"
sun = "00:00-24:00"
holidays = "days.txt"
[hours.line]
by_called_number = { "+442079460018" = "tokyo", "+442079460019" = "sao_paulo", "+442079460020" = "holiday" }

[rule.closed]
outside_hours = "line"

[step.sort]
do        = "decide"
case      = [{ if = "closed", go = "closed" }]
otherwise = "open"
"#;
    let now = Timestamp::now().to_zoned(TimeZone::get("Asia/Tokyo").unwrap());
    let days = [now.date().yesterday().unwrap(), now.date(), now.date().tomorrow().unwrap()];
    let days: String = days.iter().map(|day| format!("{day}\n")).collect();
    place.write("flows/days.txt", &days);
    let site = Site::new(&place, &[("hours", flow, "again open closed")]);
    let morning = || Timestamp::now().to_zoned(TimeZone::get("Asia/Tokyo").unwrap()).hour() < 12;
    let (in_tokyo, rung) = eventually("no noon in between", || {
        let before = morning();
        let rung = ["+442079460018", "+442079460019", "+442079460020"]
            .map(|number| site.ring(Scenario::key, "called", number));
        (morning() == before).then_some((before, rung))
    });
    let word = |is: bool| if is { "open" } else { "closed" };
    assert_eq!(rung, [word(in_tokyo), word(!in_tokyo), "closed"]);
}

#[test]
fn x_01_x_02_whom_no_text_reaches_is_offered_none_and_gets_a_person() {
    let place = Place::new();
    let site = Site::new(&place, &[("texts", TEXTING, "agents")]);
    for (caller, line) in [
        ("+447700900821", "Privacy: id"),
        ("anonymous", "P-Asserted-Identity: <sip:anonymous@anonymous.invalid>"),
        ("12345", "Subject: a short number"),
        ("+442079460123", "Subject: a landline"),
        ("+449098790000", "Subject: a premium number"),
        ("+448081570000", "Subject: a toll-free number"),
        ("+4477009", "Subject: no number"),
    ] {
        let carrier = Scenario::new("carrier-waits", place.carrier());
        let carrier = carrier.key("called", "200").key("caller", caller).line(line);
        assert_eq!(site.rung(carrier), "agents", "{caller}");
        let time_line = site.engine.time_line();
        assert!(time_line.contains("suppressed ("), "{caller}: {time_line}");
        assert!(!time_line.contains("welcome"), "{caller}: {time_line}");
    }
    assert_eq!(Database::of(&place).number("SELECT COUNT(*) FROM message"), 0);
    assert_eq!(site.engine.calls().len(), 7);
}

#[test]
fn x_02_our_own_numbers_and_those_of_countries_not_allowed_are_offered_no_text() {
    let place = Place::new();
    let config = CONFIG.replace(
        "trusted    = true",
        "trusted    = true\nnumbers = { \"+447700900822\" = { country = \"GB\" } }",
    );
    let hours = "[hours.day]\nzone = \"Europe/London\"\nsun = \"00:00-24:00\"\n\
                 [hours.line]\nby_called_number = { \"+447700900823\" = \"day\" }\n\n[step.deal]";
    let flow = TEXTING
        .replace("extensions     = [\"200\"]", "default = true")
        .replace("[step.deal]", hours);
    let site = Site::with_config(&place, &config, &[("texts", &flow, "agents")]);
    for (called, from) in [
        ("200", "+447700900999"),           // a sender's
        ("200", "+447700900822"),           // a line that the trunk names
        ("200", "+447700900823"),           // a line that has its own hours
        ("+447700900824", "+447700900824"), // the line that is called
        ("200", "+33612345678"),            // a country that no sender serves
    ] {
        let carrier = Scenario::new("carrier-waits", place.carrier());
        let carrier = carrier.key("called", called).key("caller", from);
        assert_eq!(site.rung(carrier), "agents", "{from}");
        let time_line = site.engine.time_line();
        assert!(time_line.contains("suppressed (not_textable)"), "{from}: {time_line}");
    }
    let uri = format!("sip:200@{}", place.engine());
    let press = ["--from", "+447700900825", "--press", "1@1200ms"];
    assert!(call(BIN, &place, &uri, &press).status.success());
    site.engine.idle();
    assert_eq!(site.engine.calls()[0]["end"], "deflected", "any other number is texted");
    assert_eq!(Database::of(&place).number("SELECT COUNT(*) FROM message"), 1);
}

#[test]
fn x_07_protected_calls_reach_a_person_without_any_offer() {
    let place = Place::new();
    let site = Site::new(&place, &[("texts", TEXTING, "agents")]);
    for line in ["Priority: psap-callback", "Priority: emergency", "Resource-Priority: ets.0"] {
        let carrier = Scenario::new("carrier-waits", place.carrier()).key("called", "200");
        assert_eq!(site.rung(carrier.line(line)), "agents", "{line}");
        assert_eq!(site.engine.calls()[0]["end"], "emergency_bypass", "{line}");
    }
    // A service URN names no line; whoever takes all else takes it.
    let wire = Wire::at(&place, place.ip(5));
    let ask = Ask::new(&place, "INVITE").uri("urn:service:sos.police").offer(place.ip(5));
    let answer = wire.ask(&ask);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    assert_ne!(header(&answer, "Contact"), "");
    drop(wire);
    let offers = "SELECT COUNT(*) FROM offer";
    assert_eq!(Database::of(&place).number(offers), 0);
}

#[test]
fn dp_22_the_control_group_is_offered_nothing_and_its_calls_say_so() {
    let place = Place::new();
    let flow = TEXTING.replace("ask_again_days = 0", "ask_again_days = 0\nholdout_percent = 100");
    let site = Site::new(&place, &[("texts", &flow, "agents")]);
    let carrier = Scenario::new("carrier-waits", place.carrier()).key("called", "200");
    assert_eq!(site.rung(carrier), "agents");
    let database = Database::of(&place);
    let offers = "SELECT response || ' ' || reason || ' ' || arm FROM offer o \
                  JOIN call c ON c.call_id = o.call_id WHERE c.ended_ms IS NOT NULL";
    let written = eventually("it is written", || {
        Some(database.texts(offers)).filter(|offers| !offers.is_empty())
    });
    assert_eq!(written, ["suppressed holdout holdout"]);
}

/// An engine and a PBX that answers at any of its addresses and soon hangs up.
pub struct Site<'a> {
    place: &'a Place,
    pub engine: Engine,
    pbx: Run,
}

impl<'a> Site<'a> {
    /// `flows`: file, text, and its targets.
    pub fn new(place: &'a Place, flows: &[(&str, &str, &str)]) -> Self {
        Self::with_config(place, CONFIG, flows)
    }

    fn with_config(place: &'a Place, config: &str, flows: &[(&str, &str, &str)]) -> Self {
        let with_targets = |text: &str, targets: &str| {
            let target = |name: &str| {
                format!(
                    "\n[target.{name}]\nsip = \"sip:{name}@{}:5060\"\n\
                     answered_means = \"human\"\nping_seconds = 0\n",
                    place.pbx()
                )
            };
            text.to_owned() + &targets.split(' ').map(target).collect::<String>()
        };
        place.beep();
        for (name, text, targets) in &flows[1..] {
            place.write(&format!("flows/{name}.toml"), &with_targets(text, targets));
        }
        let (_, text, targets) = flows[0];
        let engine = Engine::start_with(BIN, place, config, &with_targets(text, targets));
        let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(20).listen(place);
        Self { place, engine, pbx }
    }

    /// Which address is rung for a call of this caller.
    pub fn rings(&self, caller: &str) -> String {
        self.ring(Scenario::key, "caller", caller)
    }

    pub fn ring(
        &self,
        with: impl Fn(Scenario, &str, &str) -> Scenario,
        name: &str,
        value: &str,
    ) -> String {
        self.rung(with(Scenario::new("carrier-waits", self.place.carrier()), name, value))
    }

    fn rung(&self, carrier: Scenario) -> String {
        let before = self.pbx.messages().len();
        carrier.call(self.place).succeeds();
        self.engine.idle();
        let messages = self.pbx.messages();
        let rung: Vec<_> = messages[before..]
            .lines()
            .filter_map(|line| line.strip_prefix("INVITE sip:")?.split_once('@'))
            .map(|(user, _)| user.to_owned())
            .collect();
        assert_eq!(rung.len(), 1, "{rung:?}");
        rung[0].clone()
    }
}
