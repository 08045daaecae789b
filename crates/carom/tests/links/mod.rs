//! Links of texts and the pages behind them: real calls, real requests, destinations on loopback.

mod browser;
mod context;
mod destinations;
mod hand_over;
mod health;
mod keys;
mod languages;
mod pages;

use carom_blackbox::{
    CONFIG, Database, Engine, Place, call, eventually,
    web::{self, Crm, Says},
};

const BIN: &str = env!("CARGO_BIN_EXE_carom");

const SETTINGS: &str = r#"
public_url = "http://{engine}:8080"
[limits]
texts_per_caller = { per_hour = 100, per_day = 100 }
[provider.lp]
kind    = "liveperson"
account = "12345678"
secret  = "file:lp.toml"
url     = "{crm}"
[provider.flow]
kind    = "khoros"
account = "whatsapp:+442079460018"
secret  = "file:khoros.key"
url     = "{crm}"
"#;

/// Callbacks may be made.
const OUTBOUND: &str = r#"trusted    = true
outbound      = true
address       = "sip:{carrier}:5060"
callback_from = "+442079460018""#;

const FLOW: &str = r#"
version = 1
[flow]
name      = "Links"
numbers   = ["+442079460018"]
languages = ["en-GB", "es-ES"]
start     = "who"
human     = "agents"
ask_again_days = 0
[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0

[link.orders]
kind          = "signed"
url           = "http://127.0.0.1:9/orders/{order_ref}"
context       = ["customer_id"]
context_level = "L2"
if_missing    = "all_orders"
app_url       = "https://apps.example.com/example"
intents       = ["any"]
[link.all_orders]
kind          = "signed"
url           = "http://127.0.0.1:9/orders"
context       = ["path"]
context_level = "L1"
intents       = ["any"]
[link.shared]
kind          = "signed"
url           = "http://127.0.0.1:9/shared"
context_level = "L0"
secret        = "file:shared.key"
intents       = ["any"]
[link.community]
url      = "https://community.example.com/start"
staffing = "self-service"
intents  = ["any"]
[link.telegram]
kind    = "telegram"
bot     = "ExampleHelpBot"
intents = ["any"]
[link.messenger]
kind    = "messenger"
page    = "examplehelp"
intents = ["any"]
[link.apple]
kind        = "apple"
business_id = "00000000-0000-0000-0000-000000000000"
intents     = ["any"]
[link.number]
kind    = "whatsapp"
number  = "+442079460018"
intents = ["any"]
[link.chat]
kind    = "http"
url     = "{crm}/free?topic={language}"
intents = ["any"]
[link.engage]
kind     = "liveperson-ivr"
provider = "lp"
intents  = ["any"]
[link.message]
kind     = "liveperson-c2m"
provider = "lp"
skill    = "service"
intents  = ["any"]
context  = ["customer_id", "order_ref", "path"]
context_level = "L2"
[link.bot]
kind     = "khoros-flow"
provider = "flow"
event    = "deflected"
intents  = ["any"]

[step.who]
do         = "lookup"
url        = "{crm}/caller/{caller_key}"
save       = ["customer_id", "order_ref"]
auth_level = "L2"
then       = "topic"
if_fails   = "agents"
[step.topic]
do     = "set"
intent = "lost_parcel"
then   = "welcome"
[step.welcome]
do       = "menu"
play     = "beep.wav"
press    = { 1 = "text_orders", 2 = "text_several", 3 = "offer_chat", 4 = "offer_engage", 5 = "offer_message", 6 = "text_bot", 7 = "text_shared", 8 = "spanish", 9 = "callback" }
no_input = "agents"
[step.callback]
do       = "callback"
play     = "beep.wav"
then     = "hangup"
if_fails = "agents"
[step.spanish]
do       = "set"
language = "es-ES"
then     = "text_several"
[step.text_orders]
do       = "text"
link     = "orders"
message  = "Example: your order {link}"
then     = "hangup"
if_fails = "agents"
[step.text_shared]
do       = "text"
link     = "shared"
message  = "Example: shared {link}"
then     = "hangup"
if_fails = "agents"
[step.text_several]
do       = "text"
links    = ["messenger", "telegram", "apple", "number", "community"]
message  = "Example: pick one {link}"
then     = "hangup"
if_fails = "agents"
[step.offer_chat]
do             = "offer"
link           = "chat"
play           = "beep.wav"
press          = { 1 = "text_chat" }
accept         = ["1"]
no_input       = "agents"
if_not_offered = "agents"
[step.text_chat]
do       = "text"
link     = "chat"
message  = "Example: chat {link}"
then     = "hangup"
if_fails = "agents"
[step.offer_engage]
do             = "offer"
link           = "engage"
play           = "beep.wav"
press          = { 1 = "text_engage" }
accept         = ["1"]
no_input       = "agents"
if_not_offered = "agents"
[step.text_engage]
do       = "text"
link     = "engage"
message  = "Example: chat {link}"
then     = "hangup"
if_fails = "agents"
[step.offer_message]
do             = "offer"
link           = "message"
play           = "beep.wav"
press          = { 1 = "text_message" }
accept         = ["1"]
no_input       = "agents"
if_not_offered = "agents"
[step.text_message]
do       = "text"
link     = "message"
message  = "Example: chat {link}"
then     = "hangup"
if_fails = "agents"
[step.text_bot]
do       = "text"
link     = "bot"
message  = "Example: bot {link}"
then     = "hangup"
if_fails = "agents"
"#;

const CUSTOMER: &str = r#"{"customer_id":"customer-7","order_ref":"order-9","verified":true}"#;

struct Site {
    place: Place,
    engine: Engine,
    crm: Crm,
}

/// An answer.
struct Page {
    status: u16,
    head: String,
    body: String,
}

impl Page {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(of, _)| of.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    /// The cookie that it sets, as a browser sends it.
    fn cookie(&self) -> String {
        let pair = self.header("set-cookie").split(';').next().unwrap();
        format!("Cookie: {pair}\r\n")
    }
}

impl Site {
    fn new() -> Self {
        Self::with(FLOW)
    }

    fn with(flow: &str) -> Self {
        Self::admitting(flow, "", &[])
    }

    /// Where tokens of `[http]` are asked for, each a secret of its name.
    fn admitting(flow: &str, tokens: &str, names: &[&str]) -> Self {
        let place = Place::new();
        for name in names {
            place.write(&format!("{name}.token"), &format!("{name}-secret"));
        }
        Self::at(place, flow, tokens)
    }

    /// Where files of the test's own are, which lines of `[http]` name.
    fn at(place: Place, flow: &str, lines: &str) -> Self {
        let crm = Crm::start(Says::Json(CUSTOMER.into()));
        let keys = "consumer_key = \"ck\"\nconsumer_secret = \"cs\"\ntoken = \"t\"\ntoken_secret = \"ts\"\n";
        place.write("lp.toml", keys);
        place.write("khoros.key", "the-key");
        place.write("shared.key", "both-know-it");
        place.beep();
        let prompts = place.folder().join("prompts");
        for language in ["es-ES", "fr-FR", "de-DE", "en-US"] {
            std::fs::create_dir_all(prompts.join(language)).unwrap();
            let own = prompts.join(language).join("beep.wav");
            std::fs::copy(prompts.join("en-GB/beep.wav"), own).unwrap();
        }
        let config = format!("{CONFIG}{lines}{SETTINGS}").replace("{crm}", &crm.url());
        let config = config.replace("trusted    = true", OUTBOUND);
        let flow = flow.replace("{crm}", &crm.url());
        let engine = Engine::start_with(BIN, &place, &config, &flow);
        Self { place, engine, crm }
    }

    /// A call that presses these keys, one every two seconds.
    fn calls(&self, keys: &str) {
        let uri = format!("sip:+442079460018@{}", self.place.engine());
        let pressed: Vec<String> = (0..)
            .zip(keys.chars())
            .map(|(n, key)| format!("{key}@{}ms", 1_500 + 2_500 * n))
            .collect();
        let mut args: Vec<&str> =
            pressed.iter().flat_map(|key| ["--press", key.as_str()]).collect();
        args.extend(["--hang-up-after", "20s"]);
        // Nobody is at the PBX: how the call ends is not looked at.
        let _ = call(BIN, &self.place, &uri, &args);
        self.engine.idle();
    }

    /// Path of the page that the newest text leads to.
    fn link(&self) -> String {
        eventually("a text with a link", || {
            let inbox = self.asks("GET", "/sandbox", "", "").body;
            let (_, after) = inbox.split_once("/l/")?;
            Some(format!("/l/{}", after.get(..22)?))
        })
    }

    fn asks(&self, method: &str, path: &str, headers: &str, body: &str) -> Page {
        let headers = format!("{}{headers}", web::FORM);
        let answer = web::ask(&self.place, method, path, &headers, body);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = web::status(head);
        Page { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn execute(&self, sql: &str) {
        Database::of(&self.place).execute(sql);
    }

    fn number(&self, sql: &str) -> i64 {
        Database::of(&self.place).number(sql)
    }
}
