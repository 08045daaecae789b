//! Callers of the shipped line who take what they are offered, and what comes of their texts.

use std::time::Duration;

use carom_blackbox::{Scenario, Softphone, eventually, twilio::Does, web::Says};
use serde_json::json;

use crate::full_line::{LINE, Line, caller};

const DEFLECTED: &str = "deflected no_human -";

/// By `carom call`: every channel, both languages, the order page, the follow-up.
#[test]
fn kh_01_callers_who_accept_get_their_text_and_no_agent_is_called() {
    let line = Line::open();
    let [pbx, _old] = line.pbx();
    let order = json!({ "order_ref": "A-17", "order_state": "shipped" });
    line.knows("+447700900403", order.clone());
    line.knows("+447700900406", order);
    line.web.says_to("/messages", "447700900405", Says::Status(400));
    let callers = [
        // The offer, the menu of channels, and the yes to a later message.
        caller("+447700900401", "1@3s 1@6s 5@10s"),
        caller("+447700900402", "1@3s 2@6s 5@10s"),
        // Not the chat, but where the order is.
        caller("+447700900403", "2@3s 1@5s 1@7500ms 1@11s 1@14s 5@18s"),
        caller("+447700900404", "1@3s 3@6s 5@10s"),
        // WhatsApp says no: the SMS follows by itself.
        caller("+447700900405", "1@3s 2@6s 5@12s"),
        // In Spanish: bills, the chat, by SMS.
        caller("+447700900407", "2@3s 2@5500ms 2@8s 1@11s 1@14s 1@17s 5@21s"),
    ];
    line.ring(&callers);
    for caller in &callers {
        let from = caller.from;
        assert_eq!(line.end(from), DEFLECTED, "{from}: {:?}", line.path(from));
        assert_eq!(line.invites(&pbx, from), [""; 0], "{from}: no agent leg");
    }
    for (from, text) in [
        ("+447700900401", "Example: here is the chat link you asked for http"),
        ("+447700900403", "Example: your order page http"),
        ("+447700900404", "Example: pick how to reach us http"),
        ("+447700900405", "Example: here is the chat link you asked for http"),
        ("+447700900407", "Example: este es el enlace que ha pedido http"),
    ] {
        let texts = line.texts(from);
        let kept = texts.first().is_some_and(|body| body.starts_with(text));
        // The follow-up that was agreed to waits for its time.
        assert!(kept && texts.len() == 1, "{from}: {texts:?}");
    }
    assert_eq!(line.texts("+447700900402"), [""; 0]);
    let whatsapp = |to: &str| {
        let asked = line.web.asked();
        asked.iter().filter(|one| one.path.ends_with("/messages") && one.body.contains(to)).count()
    };
    assert_eq!((whatsapp("447700900402"), whatsapp("447700900405")), (1, 1));
    assert!(line.heard_prompt("+447700900401", "en-GB", "sent-stay-or-hang-up"));
    assert!(line.heard_prompt("+447700900407", "es-ES", "sent-stay-or-hang-up"));
    assert_eq!(
        line.path("+447700900403")[5..],
        [
            "main 1",
            "orders 1",
            "order_offer 1",
            "send_order next",
            "sent_goodbye 5",
            "follow_yes next",
            "goodbye next",
        ]
    );
    let due = "SELECT COUNT(*) FROM message WHERE purpose = 'follow_up' AND state = 'queued'";
    assert_eq!(line.database.number(due), 1, "only who asked about an order is followed up");
}

/// Whoever was deflected and calls again gets a person, as does who declined and opted out.
#[test]
fn who_comes_back_or_wants_no_texts_gets_a_person() {
    let line = Line::open();
    let [pbx, _old] = line.pbx();
    line.ring(&[
        caller("+447700900411", "1@3s 1@6s 5@10s"),
        caller("+447700900412", "2@3s 1@5s 3@7500ms 8@10s 1@13s 0@17s"),
    ]);
    assert_eq!(line.end("+447700900411"), DEFLECTED);
    let path = line.path("+447700900412");
    assert!(path.iter().any(|step| step == "optout 1" || step == "optout next"), "{path:?}");
    line.ring(&[
        caller("+447700900411", ""),
        caller("+447700900412", "1@3s 2@6s 1@9s 1@12s 1@15s"),
    ]);
    assert_eq!(line.path("+447700900411"), ["greet next", "who next", "sort next"]);
    assert_eq!(line.texts("+447700900412"), [""; 0]);
    for from in ["+447700900411", "+447700900412"] {
        assert!(line.end(from).starts_with("forwarded "), "{}", line.end(from));
        assert_eq!(line.invites(&pbx, from).len(), 1, "{from}");
    }
    assert_eq!(line.offers("+447700900412"), ["chat_offer suppressed declined_before"]);
}

/// Texts that fail, are slow, get lost: nobody is told a lie, everybody comes to a person.
#[test]
fn a_text_that_fails_or_may_have_failed_is_told_and_leads_to_a_person() {
    let line = Line::open();
    let [pbx, _old] = line.pbx();
    line.twilio.does("+447700900421", Does::Refuse(503, 20503));
    line.twilio.does("+447700900422", Does::TakeAndReset);
    line.twilio.does("+447700900423", Does::Garbage);
    line.twilio.does("+447700900424", Does::Slow(Duration::from_millis(1_500)));
    line.twilio.does("+447700900425", Does::Refuse(400, 21610));
    line.twilio.hides_its_list(true);
    let to_a_person = [
        ("+447700900421", "may-still-arrive"),
        ("+447700900422", "may-still-arrive"),
        ("+447700900423", "may-still-arrive"),
        ("+447700900425", "you-opted-out"),
    ];
    let mut callers: Vec<_> =
        to_a_person.iter().map(|(from, _)| caller(from, "1@3s 1@6s")).collect();
    callers.push(caller("+447700900424", "1@3s 1@6s 5@12s"));
    line.ring(&callers);
    for (from, prompt) in to_a_person {
        assert!(line.end(from).starts_with("forwarded "), "{from}: {:?}", line.path(from));
        assert_eq!(line.invites(&pbx, from).len(), 1, "{from}: {:?}", line.path(from));
        let all = ["not-sent", "may-still-arrive", "you-opted-out", "one-moment", "sent"];
        let heard: Vec<_> =
            all.into_iter().filter(|name| line.heard_prompt(from, "en-GB", name)).collect();
        assert!(heard.contains(&prompt), "{from}: {heard:?}, {:?}", line.path(from));
        assert!(line.texts(from).len() <= 1, "{from}: never two");
    }
    assert_eq!(line.end("+447700900424"), DEFLECTED);
    assert_eq!(line.texts("+447700900424").len(), 1);
}

/// Programs of others as the caller: SIPp with its own RTP events, and baresip.
#[test]
fn sipp_and_baresip_press_their_own_keys_through_the_line() {
    let line = Line::open();
    let [pbx, _old] = line.pbx();
    let sipp = Scenario::new("carrier-presses", line.place.ip(5)).pause_ms(3_500);
    let keys = [("key1", "1"), ("key2", "1"), ("key3", "0"), ("called", LINE)];
    let sipp = keys.into_iter().fold(sipp, |sipp, (name, key)| sipp.key(name, key));
    let sipp = sipp.key("caller", "+447700900431").call(&line.place);
    let mut phone =
        Softphone::new(line.place.carrier(), 1_000.0).user("+447700900432").start(&line.place);
    phone.dial(&format!("sip:{LINE}@{}", line.place.engine()));
    phone.saw("CALL_ESTABLISHED");
    for key in ['1', '1', '5'] {
        carom_blackbox::go_on_for(3_500);
        phone.press(key);
    }
    sipp.succeeds();
    println!("{}", line.engine.cli(&["calls", &line.id("+447700900432")]).out);
    phone.saw("CALL_CLOSED");
    line.engine.idle();
    let written = "SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL";
    eventually("both are written", || (line.database.number(written) == 2).then_some(()));
    assert_eq!(
        line.path("+447700900431")[3..],
        ["early_offer 1", "choose_channel 1", "send_sms next", "sent_goodbye 0",]
    );
    assert_eq!(line.invites(&pbx, "+447700900431").len(), 1);
    assert_eq!(line.end("+447700900432"), DEFLECTED, "{:?}", line.path("+447700900432"));
    for from in ["+447700900431", "+447700900432"] {
        assert_eq!(line.texts(from).len(), 1, "{from}");
    }
}
