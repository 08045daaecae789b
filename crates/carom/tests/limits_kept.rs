//! What counts towards a limit on texts counts over a restart: a killed node that comes back sends no
//! more than one that ran on, and its callers go to a person.

use std::thread;

use carom_blackbox::{CONFIG, Database, Run, Scenario, call, eventually};
use deflect_actions::keys::{Seal, StoreKeys, secret_file};
use serde_json::Value;
use uuid::Uuid;

use super::{api::Site, numbers};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
/// Unless a case says otherwise.
const LIMITS: &str = "countries = [\"GB\", \"IE\"]\n";

struct Line {
    site: Site,
    database: Database,
    _pbx: Run,
}

impl Line {
    fn limited(limits: &str) -> Self {
        let flow = numbers::FLOW.replace("staffing =", "tracked = true\nstaffing =");
        let config = CONFIG.replace("[\"GB\"]", "[\"GB\", \"IE\"]");
        let config = format!("{config}public_url = \"http://{{engine}}:8080\"\n");
        let more = format!("\n[limits]\n{LIMITS}{limits}\n");
        let place = carom_blackbox::Place::new();
        let pbx = Scenario::new("pbx-hangs-up", place.pbx()).pause_ms(50).listen(&place);
        let site = Site::with_more(place, &flow, &config, &more);
        Self { database: Database::of(&site.place), site, _pbx: pbx }
    }

    /// Another IVR has a text sent to who calls this line; why not, where it is not.
    fn invites(&self, number: &str, called: &str) -> Result<(), Value> {
        let who = format!("{{\"number\":\"{number}\",\"called\":\"{called}\"}}");
        let (_, told) = self.site.asks("deflect", "POST", "/v1/eligibility", &who);
        let Some(offer) = told["offer_id"].as_str() else { return Err(told) };
        let invite = format!("{{\"offer_id\":\"{offer}\"}}");
        let (status, told) = self.site.asks("deflect", "POST", "/v1/invite", &invite);
        let accepted = status == 200 && told["state"] == "accepted";
        accepted.then_some(()).ok_or(told)
    }

    fn is_killed_and_restarted(&mut self) {
        self.site.engine.kill();
        self.site.engine.restart();
    }

    /// Somebody calls, and asks for the text; how the call ended, and which limit bit.
    fn rings(&self, from: &str, called: &str, keys: &[&str]) -> (String, Option<String>) {
        let hits = "SELECT rule || ' ' || scope FROM limit_hit WHERE scope <> 'alarm'";
        let before = self.database.texts(hits).len();
        let uri = format!("sip:{called}@{}", self.site.place.engine());
        let pressed = ["1@1200ms"].iter().chain(keys).flat_map(|key| ["--press", key]);
        let args: Vec<&str> = ["--from", from].into_iter().chain(pressed).collect();
        let told = call(BIN, &self.site.place, &uri, &args);
        assert!(told.status.success(), "{told:?}");
        self.site.engine.idle();
        let end = self.site.engine.calls()[0]["end"].as_str().unwrap().to_owned();
        let hit = || self.database.texts(hits).into_iter().nth(before);
        let hit = if end == "forwarded" { Some(eventually("the hit", hit)) } else { hit() };
        (end, hit)
    }

    /// Who is limited goes to a person, and somebody else gets the text.
    fn limits(&self, from: &str, called: &str, rule: &str) {
        let limited = ("forwarded".to_owned(), Some(rule.to_owned()));
        assert_eq!(self.rings(from, called, &[]), limited, "{rule}");
    }

    /// The texts so far were sent that much earlier, as their ids and numbers say.
    fn ages(&mut self, by_ms: u64) {
        self.site.engine.kill();
        let key = secret_file(&self.site.place.folder().join("var/keys/store.key")).unwrap();
        let seal = Seal::of(&StoreKeys::parse(&key).unwrap());
        for row in self.database.texts("SELECT message_id || ' ' || dest_enc FROM message") {
            let (id, sealed) = row.split_once(' ').unwrap();
            let moment = id.parse::<Uuid>().unwrap().as_u128() - (u128::from(by_ms) << 80);
            let earlier = Uuid::from_u128(moment).to_string();
            let sealed = seal.close(&earlier, &seal.open(id, sealed).unwrap()).unwrap();
            for change in [
                format!("UPDATE link SET message_id = '{earlier}' WHERE message_id = '{id}'"),
                format!(
                    "UPDATE message SET message_id = '{earlier}', dest_enc = '{sealed}', \
                     created_ms = created_ms - {by_ms} WHERE message_id = '{id}'"
                ),
            ] {
                self.database.execute(&change);
            }
        }
        self.site.engine.restart();
    }
}

#[test]
fn ex_28_texts_of_before_a_kill_count_by_prefix_line_country_caller_and_destination() {
    thread::scope(|scope| {
        scope.spawn(|| {
            let limit = "texts_per_prefix = { per_hour = 2, prefix_digits = 7 }";
            let mut line = Line::limited(limit);
            for number in ["+447400110001", "+447400110002"] {
                line.invites(number, "100").unwrap();
            }
            line.is_killed_and_restarted();
            line.limits("+447400110003", "100", "texts_per_prefix prefix");
            line.invites("+447400110004", "100").unwrap_err();
            line.invites("+447500123456", "100").unwrap();
        });
        scope.spawn(|| {
            let mut line = Line::limited("texts_per_line = { per_minute = 2 }");
            for number in ["+447400110001", "+447500123456"] {
                line.invites(number, "+442079460018").unwrap();
            }
            line.is_killed_and_restarted();
            line.limits("+447700900461", "+442079460018", "texts_per_line line");
            line.invites("+447700900462", "+442079460019").unwrap();
        });
        scope.spawn(|| {
            let mut line = Line::limited("texts_per_country = { per_hour = 2 }");
            for number in ["+447400110001", "+447500123456"] {
                line.invites(number, "100").unwrap();
            }
            line.is_killed_and_restarted();
            line.limits("+447700900461", "100", "texts_per_country country");
            line.invites("+353851234567", "100").unwrap();
        });
        scope.spawn(|| {
            let mut line = Line::limited("texts_per_caller = { per_hour = 2, per_day = 3 }");
            for _ in 0..2 {
                let text = ["text", "+447700900188", "Example: hello", "--yes"];
                assert!(line.site.engine.cli(&text).status.success());
            }
            line.is_killed_and_restarted();
            line.limits("+447700900188", "100", "texts_per_caller caller");
            // Whoever else asks for a text to them by keys.
            let types = |digits: &str| {
                let at = |n: usize| format!("{}@{}ms", &digits[n..=n], 3_000 + 300 * n);
                let mut keys: Vec<String> = (0..digits.len()).map(at).collect();
                keys.push("1@8s".to_owned());
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                line.rings("+442079460321", "100", &keys)
            };
            let limited = "texts_per_caller destination".to_owned();
            assert_eq!(types("07700900188#"), ("forwarded".to_owned(), Some(limited)));
            assert_eq!(types("07700900189#"), ("deflected".to_owned(), None));
        });
    });
}

#[test]
fn ex_28_texts_of_before_a_restart_that_nobody_opened_pause_their_prefix() {
    let mut line = Line::limited("texts_per_prefix = { per_hour = 1000 }");
    for n in 0..31 {
        line.invites(&format!("+4474001{:05}", 10_000 + n), "100").unwrap();
    }
    // Young, they say nothing.
    line.is_killed_and_restarted();
    line.invites("+447400110101", "100").unwrap();
    line.ages(40 * 60_000);
    line.limits("+447400110102", "100", "open_rate prefix");
    line.invites("+447500123456", "100").unwrap();
    // One that was opened is more than three in a hundred of these.
    line.database.execute(
        "UPDATE link SET first_human_ms = created_ms WHERE link_id = (SELECT MIN(link_id) FROM link)",
    );
    line.is_killed_and_restarted();
    line.invites("+447400110103", "100").unwrap();
}
