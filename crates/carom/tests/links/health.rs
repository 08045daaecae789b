//! Links whose destination is looked at from time to time.

use carom_blackbox::{
    CONFIG, Database, Engine, Place, call, eventually,
    web::{Crm, Says},
};

use super::BIN;

#[test]
fn ex_05_dp_07_a_link_whose_checks_fail_is_not_offered_until_they_pass_again() {
    let place = Place::new();
    let crm = Crm::start(Says::Json("{}".into()));
    place.beep();
    let flow = HEALTH_FLOW.replace("{crm}", &crm.url());
    let engine = Engine::start_with(BIN, &place, CONFIG, &flow);
    let calls = || {
        let uri = format!("sip:+442079460018@{}", place.engine());
        let _ = call(BIN, &place, &uri, &["--hang-up-after", "3s"]);
        engine.idle();
    };
    let number = |sql: &str| Database::of(&place).number(sql);
    eventually("the first check", || {
        (number("SELECT COUNT(*) FROM destination_check WHERE ok = 1") > 0).then_some(())
    });
    calls();
    let offered = "SELECT COUNT(*) FROM offer WHERE response <> 'suppressed'";
    assert_eq!(number(offered), 1);
    crm.says(Says::Status(503));
    eventually("three failures", || {
        (number("SELECT COUNT(*) FROM destination_check WHERE status = 503") >= 3).then_some(())
    });
    calls();
    assert_eq!(number("SELECT COUNT(*) FROM offer WHERE reason = 'destination_down'"), 1);
    assert!(engine.log().contains("link not offered: its checks fail"));
    assert!(engine.metric(&place, "carom_link_up{link=\"chat\"}") < 0.5);
    crm.says(Says::Json("{}".into()));
    eventually("it works again", || {
        (engine.metric(&place, "carom_link_up{link=\"chat\"}") > 0.5).then_some(())
    });
    calls();
    assert_eq!(number(offered), 2);
}

const HEALTH_FLOW: &str = r#"
version = 1
[flow]
name    = "Health"
numbers = ["+442079460018"]
start   = "offer"
human   = "agents"
ask_again_days = 0
[target.agents]
sip            = "sip:agents@{pbx}:5060"
answered_means = "human"
ping_seconds   = 0
[link.chat]
url           = "https://help.example.com/chat"
staffing      = "operator"
intents       = ["any"]
check_url     = "{crm}/health"
check_seconds = 1
[step.offer]
do             = "offer"
link           = "chat"
play           = "beep.wav"
press          = { 1 = "text_me" }
accept         = ["1"]
no_input       = "agents"
if_not_offered = "agents"
[step.text_me]
do       = "text"
link     = "chat"
message  = "Example: {link}"
then     = "hangup"
if_fails = "agents"
"#;
