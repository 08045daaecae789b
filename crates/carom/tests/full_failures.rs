//! Parts around the shipped line fail, one after the other: nobody is trapped, nobody told a lie.

use carom_blackbox::{eventually_within, twilio::Does, web::Says};
use serde_json::json;

use crate::{
    full_line::{Line, said},
    full_phones::{baresip, caller, sipp, tones},
    full_walks::{CHAT, FORWARDED, WALK, Walk, came_so, were_served_so},
};

/// Nothing is known of the caller, nor whether somebody is there for a chat.
pub const CRM: &[Walk] = &[
    Walk {
        caller: sipp("+447700900701", "1@4s 1@7s 5@11s"),
        then: "early_offer 1, choose_channel 1, send_sms next, sent_goodbye 5, follow_yes next, \
               goodbye next",
        offers: &["early_offer accepted -"],
        texts: &[CHAT],
        ..UNKNOWN
    },
    Walk {
        caller: baresip("+447700900702", "1@4s 1@7s 5@11s"),
        then: "early_offer 1, choose_channel 1, send_sms next, sent_goodbye 5, follow_yes next, \
               goodbye next",
        offers: &["early_offer accepted -"],
        texts: &[CHAT],
        ..UNKNOWN
    },
    Walk {
        caller: sipp("+447700900703", "0@4s"),
        then: "early_offer 0",
        offers: &["early_offer declined -"],
        end: FORWARDED,
        asks_for: &["queue"],
        ..UNKNOWN
    },
    Walk {
        caller: tones("+447700900704", "2@4s 1@6s 1@8500ms"),
        then: "early_offer 2, language 1, main 1, orders error",
        offers: &["early_offer declined -"],
        end: FORWARDED,
        asks_for: &["queue"],
        ..UNKNOWN
    },
    Walk {
        caller: sipp("+447700900705", "1@3s 0@6s"),
        offers: &["early_offer suppressed not_available"],
        ..NO_CHAT
    },
    Walk {
        caller: caller("+447700900706", "1@3s 0@6s"),
        offers: &["early_offer suppressed check_failed"],
        ..NO_CHAT
    },
];

const UNKNOWN: Walk = Walk { arrives: "greet next, who error, sort next", ..WALK };

const NO_CHAT: Walk = Walk {
    then: "early_offer next, language 1, main 0",
    end: FORWARDED,
    asks_for: &["queue"],
    unheard: &["offer-text"],
    ..WALK
};

const TOLD: &[&str] = &["sent", "sent-stay-or-hang-up", "may-still-arrive", "not-sent"];

/// No provider takes a text.
pub const PROVIDERS: &[Walk] = &[
    Walk {
        caller: sipp("+447700900711", "1@3s 1@6s"),
        then: "early_offer 1, choose_channel 1, send_sms error",
        ..NOT_SENT
    },
    Walk {
        caller: baresip("+447700900712", "1@3s 2@6s"),
        then: "early_offer 1, choose_channel 2, send_whatsapp error",
        ..NOT_SENT
    },
    Walk {
        caller: sipp("+447700900713", "1@3s 3@6s"),
        then: "early_offer 1, choose_channel 3, send_other error",
        ..NOT_SENT
    },
];

const NOT_SENT: Walk = Walk {
    offers: &["early_offer accepted -"],
    end: FORWARDED,
    asks_for: &["queue"],
    heard: &["may-still-arrive"],
    unheard: &["sent", "sent-stay-or-hang-up"],
    ..WALK
};

/// Nobody listens at the PBX.
pub const DEAD_PBX: &[Walk] = &[
    Walk { caller: baresip("+447700900721", "0@3s"), then: "early_offer 0", ..SORRY },
    Walk {
        caller: sipp("+447700900722", "2@3s 1@5s 9@7500ms"),
        then: "early_offer 2, language 1, main 9",
        ..SORRY
    },
    Walk {
        caller: caller("+447700900723", "1@3s 1@6s 5@10s"),
        then: "early_offer 1, choose_channel 1, send_sms next, sent_goodbye 5, follow_yes next, \
               goodbye next",
        offers: &["early_offer accepted -"],
        texts: &[CHAT],
        unheard: &["apology"],
        ..WALK
    },
];

const SORRY: Walk = Walk {
    offers: &["early_offer declined -"],
    end: "apology no_human pbx",
    heard: &["apology"],
    ..WALK
};

/// Before the database is locked.
pub const NOT_YET: &[Walk] = &[Walk {
    caller: sipp("+447700900731", "0@2s"),
    then: "early_offer 0",
    offers: &["early_offer declined -"],
    end: FORWARDED,
    asks_for: &["queue"],
    ..WALK
}];

/// Another process keeps the database to itself.
pub const LOCKED: &[Walk] = &[
    Walk {
        caller: sipp("+447700900732", "1@3s 1@6s"),
        then: "early_offer 1, choose_channel 1, send_sms error",
        offers: &["early_offer accepted -"],
        end: FORWARDED,
        asks_for: &["queue"],
        // Nothing of it was begun.
        heard: &["not-sent"],
        unheard: &["sent", "sent-stay-or-hang-up", "may-still-arrive"],
        ..WALK
    },
    Walk {
        caller: baresip("+447700900733", "0@3s"),
        then: "early_offer 0",
        offers: &["early_offer declined -"],
        end: FORWARDED,
        asks_for: &["queue"],
        unheard: TOLD,
        ..WALK
    },
];

/// No file takes a byte more.
pub const FULL_DISK: &[Walk] = &[
    Walk {
        caller: sipp("+447700900741", "1@4s 1@7s"),
        then: "early_offer 1, choose_channel 1, send_sms error",
        end: FORWARDED,
        asks_for: &["queue"],
        heard: &["not-sent"],
        unheard: &["sent", "sent-stay-or-hang-up", "may-still-arrive"],
        ..WALK
    },
    Walk {
        caller: tones("+447700900742", "0@4s"),
        then: "early_offer 0",
        end: FORWARDED,
        asks_for: &["queue"],
        ..WALK
    },
    Walk {
        caller: sipp("+447700900743", "2@4s 1@6s 3@8500ms 0@11s"),
        then: "early_offer 2, language 1, main 3, more 0",
        end: FORWARDED,
        asks_for: &["queue"],
        unheard: TOLD,
        ..WALK
    },
];

#[test]
fn a_crm_that_is_slow_down_or_confused_costs_its_callers_their_facts_and_no_more() {
    let line = Line::open();
    let pbxs = line.pbx();
    let premium = said(json!({ "customer_type": "premium" }));
    let cases = [
        ("+447700900701", Says::Late(4_000, premium), "timeout"),
        ("+447700900702", Says::Status(500), "status_500"),
        ("+447700900703", Says::Reset, "unreachable"),
        ("+447700900704", Says::Json("<html>Sign in".into()), "garbage"),
    ];
    for (from, says, _) in &cases {
        line.web.says_to("/caller/", from, says.clone());
    }
    // LivePerson says that nobody is there, or nothing: no offer.
    line.web.says_to("/eligibility", "7700900705", Says::Json(said(json!({ "eligible": false }))));
    line.web.says_to("/eligibility", "7700900706", Says::Status(503));
    line.walk(CRM, &pbxs);
    for (from, _, why) in &cases {
        let told = line.engine.cli(&["calls", &line.id(from)]).out;
        assert!(told.contains(&format!("left by error, {why}")), "{from}: {told}");
    }
}

#[test]
fn with_every_provider_down_callers_are_told_so_and_put_through() {
    let line = Line::open();
    let pbxs = line.pbx();
    line.twilio.always(Does::Reset);
    line.twilio.hides_its_list(true);
    line.web.says_to("/messages", "", Says::Status(503));
    line.walk(PROVIDERS, &pbxs);
}

#[test]
fn with_a_dead_pbx_callers_hear_an_apology_and_texts_still_go_out() {
    Line::open().walk(DEAD_PBX, &[]);
}

#[test]
fn with_the_database_locked_callers_get_their_person_and_the_rows_come_later() {
    let line = Line::open();
    let pbxs = line.pbx();
    line.walk(NOT_YET, &pbxs);
    let locked = line.database.lock();
    line.call(LOCKED);
    were_served_so(LOCKED, &line, &pbxs);
    drop(locked);
    let written = "SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL";
    eventually_within(std::time::Duration::from_secs(30), "all are written", || {
        (line.database.number(written) == 3).then_some(())
    });
    came_so(LOCKED, &line, &pbxs);
}

/// The process may write no byte more to any file (`RLIMIT_FSIZE`), as on a full disk.
#[test]
fn with_a_full_disk_no_text_is_promised_and_callers_get_their_person() {
    let line = Line::open();
    let pbxs = line.pbx();
    line.engine.fill_disk();
    line.call(FULL_DISK);
    were_served_so(FULL_DISK, &line, &pbxs);
    for walk in FULL_DISK {
        assert_eq!(line.told_path(walk.caller.from), walk.path(), "{}", walk.caller.from);
    }
}
