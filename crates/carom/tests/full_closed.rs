//! The shipped line when nobody is there: closed by its operator, or without a free agent.

use std::fs;

use carom_blackbox::{eventually, web::Says};
use serde_json::json;

use crate::{
    full_line::{Line, WEST, said},
    full_phones::{baresip, sipp, tones},
    full_walks::{CHAT, FORWARDED, WALK, Walk},
};

/// The American number is closed; at the British one no agent is free.
pub const NOBODY: &[Walk] = &[
    Walk {
        caller: sipp("+447700900601", "1@3s 1@6s 5@10s").calls(WEST),
        then: "closed_offer 1, choose_channel 1, send_sms next, sent_goodbye 5, follow_yes next, \
               goodbye next",
        offers: &["closed_offer accepted -"],
        texts: &[CHAT],
        heard: &["closed-offer", "sent-stay-or-hang-up"],
        ..WALK
    },
    Walk {
        // A callback to the own number, read back.
        caller: baresip("+447700900602", "2@3s 1@6s 1@12s").calls(WEST),
        then: "closed_offer 2, callback next, goodbye next",
        offers: &["closed_offer declined -"],
        end: "callback_booked no_human -",
        heard: &["callback", "goodbye"],
        ..WALK
    },
    Walk {
        // No callback either: a message, spoken after the tone.
        caller: tones("+447700900604", "2@3s 9@6s 9@7200ms ~@9500ms #@13s").calls(WEST),
        then: "closed_offer 2, callback 9, message_box #, goodbye next",
        offers: &["closed_offer declined -"],
        end: "voicemail no_human -",
        ..WALK
    },
    // The same line, by the number whose hours are others.
    Walk {
        caller: tones("+447700900611", "1@3s 1@6s 5@10s"),
        then: "no_agents_offer 1, choose_channel 1, send_sms next, sent_goodbye 5, \
               follow_yes next, goodbye next",
        offers: &["no_agents_offer accepted -"],
        texts: &[CHAT],
        ..WALK
    },
    Walk {
        caller: sipp("+447700900612", "2@3s 1@6s 1@12s"),
        then: "no_agents_offer 2, callback next, goodbye next",
        offers: &["no_agents_offer declined -"],
        end: "callback_booked no_human -",
        heard: &["nobody-free-offer", "callback"],
        ..WALK
    },
    Walk {
        caller: sipp("+447700900613", "0@3s"),
        then: "no_agents_offer 0",
        offers: &["no_agents_offer declined -"],
        end: FORWARDED,
        asks_for: &["queue"],
        ..WALK
    },
];

#[test]
fn where_nobody_is_there_callers_take_a_text_book_a_callback_or_leave_a_message() {
    let line = Line::open();
    let pbxs = line.pbx();
    let closed = ["hours", "close", "west", "--until", "23:59", "--because", "fire alarm"];
    let told = line.engine.cli(&closed);
    assert!(told.status.success(), "{told:?}");
    let busy = said(json!({ "agents": { "ready": 0 } }));
    line.web.says_to("/queue", "", Says::Json(busy.clone()));
    line.web.says(Says::Json(busy));
    let asked = || line.web.asked().iter().filter(|asked| asked.path == "/queue").count();
    let before = asked();
    eventually("the queue is asked twice more", || (asked() > before + 1).then_some(()));
    line.walk(NOBODY, &pbxs);
    assert_eq!(line.database.number("SELECT COUNT(*) FROM callback WHERE state = 'booked'"), 2);
    let files = fs::read_dir(line.place.folder().join("var/voicemail")).unwrap().count();
    assert_eq!((line.database.number("SELECT COUNT(*) FROM voicemail"), files), (1, 1));
}
