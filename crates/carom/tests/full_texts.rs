//! Callers of the shipped line who take what they are offered, and what comes of their texts.

use std::time::Duration;

use carom_blackbox::{twilio::Does, web::Says};
use serde_json::json;

use crate::{
    full_line::Line,
    full_phones::{baresip, sipp, tones},
    full_walks::{CHAT, FORWARDED, WALK, Walk},
};

/// Every channel, both languages, the order page, the follow-up; who stays on, who only asks.
pub const SERVED: &[Walk] = &[
    Walk {
        // The offer, the menu of channels, and the yes to a later message.
        caller: baresip("+447700900401", "1@3s 1@6s 5@10s"),
        then: "early_offer 1, choose_channel 1, send_sms next, sent_goodbye 5, follow_yes next, \
               goodbye next",
        offers: &["early_offer accepted -"],
        texts: &[CHAT],
        heard: &["wait-time", "which-channel", "sent-stay-or-hang-up", "goodbye"],
        ..WALK
    },
    Walk {
        caller: sipp("+447700900402", "1@3s 2@6s 5@10s"),
        then: "early_offer 1, choose_channel 2, send_whatsapp next, sent_goodbye 5, \
               follow_yes next, goodbye next",
        offers: &["early_offer accepted -"],
        ..WALK
    },
    Walk {
        // Not the chat, but where the order is.
        caller: tones("+447700900403", "2@3s 1@5s 1@7500ms 1@11s 1@14s 5@18s"),
        then: "early_offer 2, language 1, main 1, orders 1, order_offer 1, send_order next, \
               sent_goodbye 5, follow_yes next, goodbye next",
        offers: &["early_offer declined -", "order_offer accepted -"],
        texts: &["Example: your order page http"],
        ..WALK
    },
    Walk {
        caller: sipp("+447700900404", "1@3s 3@6s 5@10s"),
        then: "early_offer 1, choose_channel 3, send_other next, sent_goodbye 5, follow_yes next, \
               goodbye next",
        offers: &["early_offer accepted -"],
        texts: &["Example: pick how to reach us http"],
        ..WALK
    },
    Walk {
        // WhatsApp says no: the SMS follows by itself.
        caller: sipp("+447700900405", "1@3s 2@6s 5@12s"),
        then: "early_offer 1, choose_channel 2, send_whatsapp next, sent_goodbye 5, \
               follow_yes next, goodbye next",
        offers: &["early_offer accepted -"],
        texts: &[CHAT],
        ..WALK
    },
    Walk {
        // In Spanish: bills, the chat, by SMS.
        caller: sipp("+447700900407", "2@3s 2@5500ms 2@8s 1@11s 1@14s 1@17s 5@21s"),
        then: "early_offer 2, language 2, spanish next, main 2, billing 1, chat_offer 1, \
               choose_channel 1, send_sms next, sent_goodbye 5, follow_yes next, goodbye next",
        offers: &["early_offer declined -", "chat_offer accepted -"],
        texts: &["Example: este es el enlace que ha pedido http"],
        heard: &["es-ES/billing", "es-ES/sent-stay-or-hang-up"],
        unheard: &["sent-stay-or-hang-up"],
        ..WALK
    },
    Walk {
        // Sent, and stays on the line.
        caller: sipp("+447700900431", "1@3500ms 1@7s 0@10500ms"),
        then: "early_offer 1, choose_channel 1, send_sms next, sent_goodbye 0",
        offers: &["early_offer accepted -"],
        end: FORWARDED,
        asks_for: &["queue"],
        texts: &[CHAT],
        ..WALK
    },
    Walk {
        // When they are open.
        caller: sipp("+447700900409", "2@3s 1@5s 3@7500ms 1@10s").leaves("24s"),
        then: "early_offer 2, language 1, main 3, more 1, hours_info hangup",
        offers: &["early_offer declined -"],
        end: "answered_in_ivr no_human -",
        heard: &["opening-hours"],
        ..WALK
    },
];

/// Who is deflected; who declines, and wants no texts any more.
pub const COME_FIRST: &[Walk] = &[
    Walk {
        caller: sipp("+447700900411", "1@3s 1@6s 5@10s"),
        then: "early_offer 1, choose_channel 1, send_sms next, sent_goodbye 5, follow_yes next, \
               goodbye next",
        offers: &["early_offer accepted -"],
        texts: &[CHAT],
        ..WALK
    },
    Walk {
        caller: sipp("+447700900412", "2@2s 1@4s 3@6s 8@8s 1@10500ms 0@14s"),
        then: "early_offer 2, language 1, main 3, more 8, optout 1, main 0",
        offers: &["early_offer declined -"],
        end: FORWARDED,
        asks_for: &["queue"],
        heard: &["confirm-opt-out"],
        ..WALK
    },
];

/// The same, soon after.
pub const COME_AGAIN: &[Walk] = &[
    Walk {
        caller: sipp("+447700900411", ""),
        end: FORWARDED,
        asks_for: &["queue"],
        texts: &[CHAT],
        ..WALK
    },
    Walk {
        caller: tones("+447700900412", "1@2s 2@4s 1@6s"),
        then: "language 1, main 2, billing 1, chat_offer next",
        offers: &["chat_offer suppressed declined_before"],
        end: FORWARDED,
        asks_for: &["queue"],
        ..WALK
    },
];

const NEVER_SENT: &[&str] = &["sent", "sent-stay-or-hang-up"];

/// Texts that fail, are slow, get lost.
pub const FAIL: &[Walk] = &[
    Walk { caller: sipp("+447700900421", "1@3s 1@6s"), heard: &["may-still-arrive"], ..TEXT_FAILS },
    Walk {
        caller: baresip("+447700900422", "1@3s 1@6s"),
        texts: &[CHAT],
        heard: &["may-still-arrive"],
        ..TEXT_FAILS
    },
    Walk { caller: sipp("+447700900423", "1@3s 1@6s"), heard: &["may-still-arrive"], ..TEXT_FAILS },
    Walk {
        caller: sipp("+447700900425", "1@3s 1@6s"),
        then: "early_offer 1, choose_channel 1, send_sms error, opted_out next",
        heard: &["you-opted-out"],
        ..TEXT_FAILS
    },
    Walk {
        caller: tones("+447700900424", "1@3s 1@6s 5@12s"),
        then: "early_offer 1, choose_channel 1, send_sms next, sent_goodbye 5, follow_yes next, \
               goodbye next",
        offers: &["early_offer accepted -"],
        texts: &[CHAT],
        ..WALK
    },
];

const TEXT_FAILS: Walk = Walk {
    then: "early_offer 1, choose_channel 1, send_sms error",
    offers: &["early_offer accepted -"],
    end: FORWARDED,
    asks_for: &["queue"],
    unheard: NEVER_SENT,
    ..WALK
};

#[test]
fn kh_01_callers_who_accept_get_their_text_and_no_agent_is_called() {
    let line = Line::open();
    let pbxs = line.pbx();
    let order = json!({ "order_ref": "A-17", "order_state": "shipped" });
    line.knows("+447700900403", order);
    line.web.says_to("/messages", "447700900405", Says::Status(400));
    line.walk(SERVED, &pbxs);
    let whatsapp = |to: &str| {
        let asked = line.web.asked();
        asked.iter().filter(|one| one.path.ends_with("/messages") && one.body.contains(to)).count()
    };
    assert_eq!((whatsapp("447700900402"), whatsapp("447700900405")), (1, 1));
    // The follow-up that was agreed to waits for its time.
    let due = "SELECT COUNT(*) FROM message WHERE purpose = 'follow_up' AND state = 'queued'";
    assert_eq!(line.database.number(due), 1, "only who asked about an order is followed up");
}

/// Whoever was deflected and calls again gets a person, as does who declined and opted out.
#[test]
fn who_comes_back_or_wants_no_texts_gets_a_person() {
    let line = Line::open();
    let pbxs = line.pbx();
    line.walk(COME_FIRST, &pbxs);
    line.walk(COME_AGAIN, &pbxs);
}

/// Nobody is told a lie, everybody comes to a person.
#[test]
fn a_text_that_fails_or_may_have_failed_is_told_and_leads_to_a_person() {
    let line = Line::open();
    let pbxs = line.pbx();
    line.twilio.does("+447700900421", Does::Refuse(503, 20503, None));
    line.twilio.does("+447700900422", Does::TakeAndReset);
    line.twilio.does("+447700900423", Does::Garbage);
    line.twilio.does("+447700900424", Does::Slow(Duration::from_millis(1_500)));
    line.twilio.does("+447700900425", Does::Refuse(400, 21610, None));
    line.twilio.hides_its_list(true);
    line.walk(FAIL, &pbxs);
}
