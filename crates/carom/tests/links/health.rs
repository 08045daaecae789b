//! Links whose destination is looked at from time to time.

use std::net::SocketAddr;

use carom_blackbox::{
    Authority, CONFIG, Database, Engine, Place, Scenario, TlsServer, call, eventually,
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

#[test]
fn ex_05_a_link_whose_certificate_ends_soon_is_not_offered_and_the_caller_gets_a_person() {
    let place = Place::new();
    place.beep();
    let at = SocketAddr::from((place.ip(20), 443));
    let authority = Authority::called(&place, "trusted");
    let site = |days: i32| {
        authority.issues("site", &format!("IP:{}", place.ip(20)), days);
        TlsServer::page(&place, at, "site", &["-www"])
    };
    let renewed = site(30);
    let flow = HEALTH_FLOW.replace("{crm}/health", &format!("https://{at}/"));
    let engine = Engine::start_with(BIN, &place, CONFIG, &flow);
    let calls = || {
        let uri = format!("sip:+442079460018@{}", place.engine());
        let _ = call(BIN, &place, &uri, &["--hang-up-after", "3s"]);
        engine.idle();
    };
    let number = |sql: &str| Database::of(&place).number(sql);
    let checked = |days: i32| {
        let ends = format!(
            "SELECT COUNT(*) FROM destination_check WHERE status = 200 \
             AND (cert_until_ms - at_ms) / 86400000 BETWEEN {} AND {days}",
            days - 1
        );
        eventually("it is looked at", || (number(&ends) > 0).then_some(()));
    };
    checked(30);
    let offers = |sql: &str| number(&format!("SELECT COUNT(*) FROM offer WHERE {sql}"));
    calls();
    assert_eq!(offers("response <> 'suppressed'"), 1);

    drop(renewed);
    let ending = site(13);
    checked(13);
    let person = Scenario::new("pbx-answers", place.pbx()).listen_once(&place);
    calls();
    person.succeeds();
    assert_eq!(offers("response = 'suppressed' AND reason = 'destination_down'"), 1);
    assert_eq!(offers("response <> 'suppressed'"), 1);
    assert!(engine.log().contains("\"why\":\"certificate\""), "{}", engine.log());
    assert!(engine.metric(&place, "carom_link_up{link=\"chat\"}") < 0.5);

    drop(ending);
    let _renewed = site(60);
    checked(60);
    calls();
    assert_eq!(offers("response <> 'suppressed'"), 2);
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
