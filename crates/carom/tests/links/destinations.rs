//! Destinations that are asked, or write to the caller themselves.

use carom_blackbox::{
    eventually,
    web::{self, FORM, SAFARI, Says},
};
use serde_json::{Value, json};

use super::{CUSTOMER, Site};

#[test]
fn lp_01_lp_02_an_address_that_is_asked_is_what_is_sent_while_it_is_good() {
    let site = Site::new();
    let both = |rest: &str| format!("{{\"verified\":true,{rest}}}");
    let free =
        r#""available":true,"url":"https://chat.example.com/once/1","valid_for_seconds":300"#;
    site.crm.says(Says::Json(both(free)));
    site.calls("31");
    let link = site.link();
    let page = site.asks("GET", &link, SAFARI, "");
    let pressed = site.asks("POST", &link, &page.cookie(), "to=0");
    assert_eq!(pressed.header("location"), "https://chat.example.com/once/1");
    let good_for = site.number("SELECT (expires_ms - created_ms) / 1000 FROM link");
    assert!((285..=300).contains(&good_for), "the page ends with its address: {good_for} s");
    let asked = site.crm.asked();
    let asked = asked.iter().find(|request| request.path == "/free").unwrap();
    assert_eq!((asked.method.as_str(), asked.form["topic"].as_str()), ("GET", "en-GB"));
    for (says, reason) in
        [(r#""available":false"#, "not_available"), (r#""available":"perhaps""#, "check_failed")]
    {
        site.crm.says(Says::Json(both(says)));
        site.calls("3");
        let sql = format!("SELECT COUNT(*) FROM offer WHERE reason = '{reason}'");
        eventually(reason, || (site.number(&sql) == 1).then_some(()));
    }
}

#[test]
fn lp_05_liveperson_is_asked_signed_for_the_link_s_skill_and_leads_on_or_invites() {
    let site = Site::new();
    let both = |rest: &str| format!("{{\"verified\":true,{rest}}}");
    site.crm.says(Says::Json(both(
        r#""status":"Available","engagementDetails":{"urlToChat":"https://lp.example.com/1","validForSeconds":600}"#,
    )));
    site.calls("41");
    let link = site.link();
    let page = site.asks("GET", &link, SAFARI, "");
    let pressed = site.asks("POST", &link, &page.cookie(), "to=0");
    assert_eq!(pressed.header("location"), "https://lp.example.com/1");
    let asked = site.crm.asked();
    let asked =
        asked.iter().find(|r| r.path == "/api/account/12345678/external/engagement").unwrap();
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(body["appType"], "IVR");
    assert_eq!(
        body["engagementAttributes"][0]["personal"]["contacts"][0]["phone"],
        "+447700900456"
    );
    assert_eq!(asked.form["v"], "1.0");
    assert!(asked.header("authorization").starts_with("OAuth oauth_consumer_key=\"ck\""));

    let about = |customer: &str, answer: &str| {
        Says::Json(format!("{},{answer}}}", customer.trim_end_matches('}')))
    };
    site.crm.says(about(
        CUSTOMER,
        r#""eligible":true,"callId":"lp-call-1","availableChannels":["sms"],"recommendedChannelName":"sms""#,
    ));
    site.calls("51");
    let link = site.link();
    let asked = site.crm.asked();
    let asked = asked.iter().find(|r| r.path == "/api/account/12345678/eligibility").unwrap();
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!((&body["skill"], &asked.form["v"]), (&"service".into(), &"2.0".to_owned()));
    // EX-12: who will write with the caller asks for nothing that was told here.
    let customer = json!({"type": "ctmrinfo", "info": {"customerId": "customer-7"}});
    let personal = json!({"type": "personal", "personal": {"language": "en-GB"}});
    assert_eq!(body["sdes"], json!([customer, personal]));
    let told = &body["templateVariables"];
    assert_eq!((&told["order_ref"], &told["topic"]), (&"order-9".into(), &"lost_parcel".into()));
    assert!(told["path"].as_str().is_some_and(|path| path.contains("welcome")), "{told}");
    let page = site.asks("GET", &link, SAFARI, "");
    let invites = || {
        let asked = site.crm.asked();
        let invites = asked.iter().filter(|request| request.path.ends_with("/invite"));
        invites.map(|request| request.body.clone()).collect::<Vec<_>>()
    };
    assert!(invites().is_empty(), "a program that looks at the page invites nobody");
    site.crm.says(Says::Status(500));
    let failed = site.asks("POST", &link, &page.cookie(), "to=0");
    assert!(failed.body.contains("could not write to you"), "{}", failed.body);
    // Who taps twice has gone away from the first.
    site.crm.says(Says::Late(700, r#"{"callId":"lp-call-1"}"#.into()));
    let headers = format!("{FORM}{}", page.cookie());
    let tapped = web::begin(&site.place, "POST", &link, &headers, "to=0").unwrap();
    eventually("it is asked to write", || (invites().len() == 2).then_some(()));
    drop(tapped);
    for _ in 0..2 {
        let invited = site.asks("POST", &link, &page.cookie(), "to=0");
        assert!(invited.body.contains("We are writing to you now"), "{}", invited.body);
    }
    assert_eq!(invites(), [r#"{"callId":"lp-call-1"}"#; 2], "one that failed, one that did not");
    // Of whom nothing is proved no account data goes there.
    let unproved = CUSTOMER.replace("true", "false");
    site.crm.says(about(&unproved, r#""eligible":true,"callId":"lp-call-2""#));
    let before = site.crm.asked().len();
    site.calls("51");
    let asked = site.crm.asked().split_off(before);
    let asked = asked.iter().find(|r| r.path.ends_with("/eligibility")).unwrap();
    assert!(
        !asked.body.contains("customer-7") && !asked.body.contains("order-9"),
        "{}",
        asked.body
    );
}

#[test]
fn providers_of_links_are_checked_and_write_to_nobody() {
    let site = Site::new();
    let page = format!("check_url = \"{}/well\"\nprovider = \"lp\"", site.crm.url());
    site.engine.rewrite(&site.place, "flows/main.toml", |flow| {
        flow.replacen("provider = \"lp\"", &page, 1)
    });
    let free =
        r#""status":"Available","engagementDetails":{"urlToChat":"https://lp.example.com/1"}"#;
    let both = format!(r#"{{{free},"eligible":false}}"#);
    site.crm.says(Says::Json(both));
    let told = site.engine.cli(&["providers", "check", "lp"]);
    for line in [
        "lp: engage: the credentials are right, and somebody is there",
        "lp: message: the credentials are right; nobody is there now",
        "/well answers 200",
    ] {
        assert!(told.out.contains(line), "{line}: {told:?}");
    }
    assert!(told.status.success(), "{told:?}");
    let told = site.engine.cli(&["providers", "check", "flow"]);
    assert!(told.out.contains("is reached") && told.status.success(), "{told:?}");
    let writes = ["/invite", "/broadcast/instant"];
    let asked = site.crm.asked();
    assert!(!asked.iter().any(|asked| writes.iter().any(|end| asked.path.ends_with(end))));

    site.crm.says(Says::Status(401));
    let told = site.engine.cli(&["providers", "check"]);
    assert!(told.out.contains("lp: engage: it does not know us: status_401"), "{told:?}");
    assert!(told.out.contains("/well answers 401") && !told.status.success(), "{told:?}");
    site.crm.says(Says::Reset);
    for (name, why) in [("lp", "not reached"), ("flow", "is not reached")] {
        let told = site.engine.cli(&["providers", "check", name]);
        assert!(told.out.contains(why) && !told.status.success(), "{told:?}");
    }
}

#[test]
fn khoros_triggers_its_event_for_the_caller_when_the_button_is_pressed() {
    let site = Site::new();
    site.calls("6");
    let link = site.link();
    site.crm.says(Says::Json(r#"{"status":"ok"}"#.into()));
    let page = site.asks("GET", &link, SAFARI, "");
    let invited = site.asks("POST", &link, &page.cookie(), "to=0");
    assert!(invited.body.contains("We are writing to you now"), "{}", invited.body);
    let asked = site.crm.asked();
    let asked = asked.last().unwrap();
    assert_eq!(asked.path, "/rest/v1/broadcast/instant");
    assert_eq!(asked.header("authorization"), "the-key");
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(body["audience"][0]["phoneNumber"], "+447700900456");
    assert_eq!(body["payload"]["eventName"], "deflected");
    assert_eq!(body["channel"]["channelName"], "whatsapp");
    assert_eq!(body["payload"]["metadata"]["params"]["topic"][0]["value"], "lost_parcel");
    assert!(body.get("metadata").is_none(), "{body}");
}

#[test]
fn a_page_that_says_we_write_has_asked_for_it_whatever_was_pressed_before() {
    let several = r#"links    = ["messenger", "telegram", "apple", "number", "community"]"#;
    assert!(super::FLOW.contains(several));
    let site = Site::with(&super::FLOW.replace(several, r#"links    = ["messenger", "bot"]"#));
    site.calls("2");
    let link = site.link();
    site.crm.says(Says::Json(r#"{"status":"ok"}"#.into()));
    let page = site.asks("GET", &link, SAFARI, "");
    let elsewhere = site.asks("POST", &link, &page.cookie(), "to=0");
    assert_eq!(elsewhere.status, 303);
    let asked = || site.crm.asked().iter().filter(|it| it.path.contains("/instant")).count();
    assert_eq!(asked(), 0);
    let says = |says: Says| {
        site.crm.says(says);
        site.asks("POST", &link, &page.cookie(), "to=1").body
    };
    let failed = says(Says::Status(500));
    assert!(failed.contains("could not write to you"), "{failed}");
    let tried = asked();
    assert!(tried > 0);
    for _ in 0..2 {
        let invited = says(Says::Json(r#"{"status":"ok"}"#.into()));
        assert!(invited.contains("We are writing to you now"), "{invited}");
    }
    assert_eq!(asked(), tried + 1, "once it is taken, nobody is asked again");
    assert_eq!(site.number("SELECT COUNT(*) FROM link WHERE redeemed_ms IS NOT NULL"), 1);
}
