//! The shipped service line (`config/full`), and the one that is printed in the documents, on
//! loopback: files as they are but for addresses, secrets, hours that are open at any time, a control
//! group of nobody and shorter waits in line.

use std::{
    fs,
    net::Ipv4Addr,
    path::PathBuf,
    sync::atomic::{AtomicU8, Ordering},
    thread,
};

use carom_blackbox::{
    Database, Engine, Place, Run, Scenario, certify, eventually, sound,
    twilio::{ACCOUNT, TOKEN, Twilio},
    web::{Crm, Says},
};
use serde_json::{Value, json};

use crate::{
    full_walks::{Walk, came_so},
    softphone::spoken,
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");
const CONFIG: &str = include_str!("../../../config/full/carom.toml");
const FLOW: &str = include_str!("../../../config/full/flows/full.toml");
/// As printed.
const PRINTED: [&str; 2] =
    [include_str!("fixtures/carom.toml"), include_str!("fixtures/full.toml")];

/// The British number of the line.
pub const LINE: &str = "+442079460018";
/// Its American number, with hours of its own.
pub const WEST: &str = "+14155550100";
/// The public key of RFC 8032 §7.1, test 1.
const PUBLIC_KEY: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

/// The line with everything around it.
pub struct Line {
    pub engine: Engine,
    pub twilio: Twilio,
    /// The CRM, the queue's source, WhatsApp, Telnyx, LivePerson and the health pages.
    pub web: Crm,
    pub database: Database,
    /// Phones of others so far.
    phones: AtomicU8,
    /// Dropped last: the log is in its folder.
    pub place: Place,
}

impl Line {
    pub fn open() -> Self {
        Self::changed(|text| text)
    }

    /// With files changed further.
    pub fn changed(change: impl Fn(String) -> String) -> Self {
        Self::of([CONFIG, FLOW], change)
    }

    /// The line as it is printed.
    pub fn printed() -> Self {
        Self::of(PRINTED, |text| text)
    }

    fn of([config_text, flow_text]: [&str; 2], change: impl Fn(String) -> String) -> Self {
        let place = Place::new();
        // The printed files name the folder of the operator's own recordings: there are none.
        fs::create_dir(place.folder().join("prompts")).unwrap();
        let (twilio, web) = (Twilio::start(&place), Crm::start(Says::Json(said(json!({})))));
        secrets(&place);
        let config = change(config(config_text, &place, &twilio, &web));
        let flow = change(flow(flow_text, &place, &web));
        let engine = Engine::start_with(BIN, &place, &config, &flow);
        let asked = |path: &str| web.asked().iter().any(|asked| asked.path.starts_with(path));
        eventually("the links are checked and the queue is asked", || {
            (asked("/health/help") && asked("/health/shop") && asked("/queue")).then_some(())
        });
        let database = Database::of(&place);
        Self { engine, twilio, web, database, phones: AtomicU8::new(0), place }
    }

    /// The PBX, and the old IVR beside it.
    pub fn pbx(&self) -> [Run; 2] {
        [self.place.pbx(), self.place.ip(21)]
            .map(|at| Scenario::new("pbx-hangs-up", at).pause_ms(300).listen(&self.place))
    }

    /// From now on the CRM knows this of a caller.
    pub fn knows(&self, from: &str, facts: Value) {
        self.web.says_to("/caller/", from, Says::Json(said(facts)));
    }

    /// An address of the trunk's that no phone had yet.
    pub fn free_ip(&self) -> Ipv4Addr {
        self.place.ip(PHONES + self.phones.fetch_add(1, Ordering::Relaxed))
    }

    /// Lets all of them walk their way, side by side, and looks whether they did.
    pub fn walk(&self, walks: &[Walk], pbxs: &[Run]) {
        self.ring(walks);
        came_so(walks, self, pbxs);
    }

    /// Lets all of them call, side by side, and waits until their calls are over and written.
    pub fn ring(&self, walks: &[Walk]) {
        let before = self.database.number(ENDED);
        self.call(walks);
        let all = before + i64::try_from(walks.len()).unwrap();
        eventually("all calls are written", || {
            let (ended, open) = (self.database.number(ENDED), self.database.number(OPEN));
            (ended >= all && open == 0).then_some(())
        });
    }

    /// Lets all of them call, side by side, and waits until their calls are over.
    pub fn call(&self, walks: &[Walk]) {
        thread::scope(|scope| {
            for Walk { caller, .. } in walks {
                scope.spawn(|| caller.rings(self, &self.recording(caller.from)));
            }
        });
        self.engine.idle();
    }

    /// What a caller heard.
    pub fn heard(&self, from: &str) -> Vec<i16> {
        sound::read(&self.recording(from)).unwrap_or_default()
    }

    /// Whether a caller heard a prompt of this language.
    pub fn heard_prompt(&self, from: &str, language: &str, name: &str) -> bool {
        let prompt = spoken(language, name);
        let piece = sound::loudest_fifth(&prompt);
        sound::likeness(&self.heard(from), piece) > 0.9
    }

    fn recording(&self, from: &str) -> PathBuf {
        self.place.folder().join(format!("{}.wav", &from[1..]))
    }

    /// Our id of a caller's newest call. Time lines show the last two digits.
    pub fn id(&self, from: &str) -> String {
        let told = self.engine.cli(&["calls", "--json", "--limit", "200"]);
        let calls: Vec<Value> = serde_json::from_str(&told.out).unwrap();
        let last = if from == "anonymous" { "withheld" } else { &from[from.len() - 2..] };
        let own = calls.iter().find(|call| call["caller"].as_str().unwrap().ends_with(last));
        own.unwrap_or_else(|| panic!("no call of {from}: {calls:?}"))["call"]
            .as_str()
            .unwrap()
            .into()
    }

    /// How a caller's newest call ended, by whom it was handled, where it was forwarded to.
    pub fn end(&self, from: &str) -> String {
        let id = self.id(from);
        let sql = format!(
            "SELECT end_reason || ' ' || handled || ' ' || COALESCE(forward_target, '-') \
             FROM call WHERE call_id = '{id}'"
        );
        self.database.texts(&sql).pop().unwrap()
    }

    /// The steps of a caller's newest call, each with its exit.
    pub fn path(&self, from: &str) -> Vec<String> {
        let id = self.id(from);
        self.database.texts(&format!(
            "SELECT step || ' ' || COALESCE(exit, '-') FROM step WHERE call_id = '{id}' ORDER BY seq"
        ))
    }

    /// The same by the node's own time line, which needs no store.
    pub fn told_path(&self, from: &str) -> Vec<String> {
        let told = self.engine.cli(&["calls", &self.id(from)]).out;
        let steps = told.lines().filter_map(|line| line.split_once("  step "));
        let (left, entered): (Vec<_>, Vec<_>) =
            steps.map(|(_, step)| step.trim_start()).partition(|step| step.starts_with("left by "));
        let pairs = entered.iter().zip(left).map(|(step, exit)| {
            let exit = exit["left by ".len()..].split(',').next().unwrap();
            format!("{} {exit}", step.split(' ').next().unwrap())
        });
        pairs.collect()
    }

    /// The offers of a caller's newest call: where, the answer, why not.
    pub fn offers(&self, from: &str) -> Vec<String> {
        let id = self.id(from);
        self.database.texts(&format!(
            "SELECT step || ' ' || response || ' ' || COALESCE(reason, '-') FROM offer \
             WHERE call_id = '{id}' ORDER BY offered_ms"
        ))
    }

    /// The request lines of the INVITEs that a PBX got for a caller's newest call.
    pub fn invites(&self, pbx: &Run, from: &str) -> Vec<String> {
        let id = self.id(from);
        let messages = pbx.messages();
        let own = messages.split("-----------------------------------------------").filter(|one| {
            one.contains("INVITE sip:") && one.contains(&format!("X-Carom-Call: {id}"))
        });
        own.filter_map(|one| {
            one.lines().find(|line| line.starts_with("INVITE ")).map(str::to_owned)
        })
        .collect()
    }

    /// What phones of this number were sent by SMS.
    pub fn texts(&self, to: &str) -> Vec<String> {
        let taken = self.twilio.taken();
        let own = taken.iter().filter(|message| message["to"] == to);
        own.map(|message| message["body"].as_str().unwrap().to_owned()).collect()
    }
}

/// The first address of phones of others, and their network.
const PHONES: u8 = 32;
const PHONES_NET: &str = "/27";

const OPEN: &str = "SELECT COUNT(*) FROM call WHERE ended_ms IS NULL";
const ENDED: &str = "SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL";

/// What all systems say: each takes its own part.
pub fn said(more: Value) -> String {
    let mut all = json!({
        "customer_id": "c-1", "customer_type": "standard",
        "wait_seconds": 420, "agents": { "ready": 3 },
        "eligible": true, "callId": "lp-1", "availableChannels": ["sms"],
        "recommendedChannelName": "sms",
        "messages": [{ "id": "wamid.1" }], "data": { "id": "telnyx-1" },
    });
    for (name, value) in more.as_object().unwrap() {
        all[name] = value.clone();
    }
    all.to_string()
}

fn secrets(place: &Place) {
    certify(place);
    let keys =
        "consumer_key = \"a\"\nconsumer_secret = \"b\"\ntoken = \"c\"\ntoken_secret = \"d\"\n";
    place.write("secrets/liveperson-oauth1.toml", keys);
    for name in secret_names() {
        let secret = match name {
            "TWILIO_ACCOUNT_SID" => ACCOUNT,
            "TWILIO_AUTH_TOKEN" => TOKEN,
            "TELNYX_PUBLIC_KEY" => PUBLIC_KEY,
            other => other,
        };
        place.write(&format!("secrets/{name}"), secret);
    }
}

fn secret_names() -> impl Iterator<Item = &'static str> {
    CONFIG.split("\"env:").skip(1).filter_map(|rest| rest.split('"').next())
}

fn config(text: &str, place: &Place, twilio: &Twilio, web: &Crm) -> String {
    let (us, web) = (format!("{}/31", place.ip(6)), web.url());
    let carriers = format!("{{carrier}}/31\", \"{}{PHONES_NET}", place.ip(PHONES));
    let at = |url: &str, key: &str| format!("url = \"{url}\"\n{key}");
    replaced(
        text,
        &[
            ("203.0.113.10", "{engine}"),
            ("198.51.100.16/28", &carriers),
            // baresip's media come from 127.0.0.1, whatever its SDP says: as behind a NAT.
            ("198.51.100.0/24", &format!("{carriers}\", \"127.0.0.1")),
            ("192.0.2.32/28", &us),
            ("192.0.2.0/24", &us),
            // `carom call` speaks UDP and G.711.
            ("transport   = \"tls\"", "transport   = \"udp\""),
            ("\"PCMU\", \"G722\", \"opus\"]", "\"PCMU\"]"),
            ("sip:trunk.carrier-gb.example.net", "sip:{carrier}:5060"),
            ("\"sip:main@pbx.example.net\"", "\"sip:main@{pbx}:5060\"\nping_seconds = 0"),
            ("sip:main@pbx2.example.net", &format!("sip:main@{}:5060", place.nobody())),
            ("https://pbx.example.net/queues/service", &format!("{web}/queue")),
            ("every_seconds    = 10", "every_seconds = 1"),
            ("127.0.0.1:8080", "{engine}:8080"),
            ("https://c.example.com", "http://{engine}:8080"),
            ("https://crm.example.net/carom", &format!("{web}/hook")),
            ("\"env:", "\"file:secrets/"),
            (
                "account = \"file:secrets/TWILIO",
                &at(&twilio.url(), "account = \"file:secrets/TWILIO"),
            ),
            ("public_key = ", &at(&web, "public_key = ")),
            ("app_secret   = ", &at(&web, "app_secret   = ")),
            ("account = \"12345678\"", &at(&web, "account = \"12345678\"")),
            ("mon-fri  = \"08:00-20:00\"", "mon-fri = \"00:00-24:00\"\nsun = \"00:00-24:00\""),
            (
                "mon-fri  = \"08:00-18:00\"",
                "mon-fri = \"00:00-24:00\"\nsat = \"00:00-24:00\"\nsun = \"00:00-24:00\"",
            ),
            ("sat      = \"09:00-17:00\"", "sat = \"00:00-24:00\""),
            ("holidays = ", "# holidays = "),
        ],
    )
}

fn flow(text: &str, place: &Place, web: &Crm) -> String {
    let web = web.url();
    replaced(
        text,
        &[
            ("\"sip:queue@pbx.example.net\"", "\"sip:queue@{pbx}:5060\"\nping_seconds = 0"),
            (
                "\"sip:8000@legacy.example.net\"",
                &format!("\"sip:8000@{}:5060\"\nping_seconds = 0", place.ip(21)),
            ),
            (
                "https://crm.example.net/caller/{caller_key}",
                &format!("{web}/caller/{{caller_key}}?number={{caller_number}}"),
            ),
            ("https://help.example.com/health", &format!("{web}/health/help")),
            ("https://shop.example.com/health", &format!("{web}/health/shop")),
            ("holdout_percent = 10", "holdout_percent = 0"),
            ("retry_every_seconds = 20", "retry_every_seconds = 5"),
            ("offer_after_seconds = 45", "offer_after_seconds = 8"),
        ],
    )
}

fn replaced(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}
