//! Callers of the shipped line who want, or need, a person.

use std::thread;

use carom_blackbox::{Ear, Scenario, twilio::Does, web::Says};
use serde_json::json;

use crate::{
    full_line::Line,
    full_phones::{baresip, sipp, tones},
    full_walks::{CHAT, FORWARDED, WALK, Walk, came_so},
};

/// Put through, with the way so far.
pub const PEOPLE: &[Walk] = &[
    // Premium: at once, unanswered until the PBX answers.
    Walk { caller: sipp("+447700900501", ""), ..PERSON },
    Walk {
        // The operator's key in the offer.
        caller: tones("+447700900502", "0@3s"),
        then: "early_offer 0",
        offers: &["early_offer declined -"],
        ..PERSON
    },
    Walk {
        // A dispute is never offered anything.
        caller: baresip("+447700900503", "2@3s 1@5s 2@7500ms 2@10s"),
        then: "early_offer 2, language 1, main 2, billing 2, dispute next",
        offers: &["early_offer declined -"],
        ..PERSON
    },
    Walk {
        // An order that nobody knows of.
        caller: sipp("+447700900504", "2@3s 1@5500ms 1@8s"),
        then: "early_offer 2, language 1, main 1, orders error",
        offers: &["early_offer declined -"],
        ..PERSON
    },
    Walk {
        // Keys that mean nothing, at every prompt.
        caller: sipp("+447700900505", "7@2s 7@4s 7@5s 7@6s 7@8s 7@9s"),
        then: "early_offer wrong, language wrong, main wrong",
        offers: &["early_offer declined -"],
        ..PERSON
    },
    Walk {
        // A landline: no offer.
        caller: sipp("+442079460106", "1@3s 0@6s"),
        then: "early_offer next, language 1, main 0",
        offers: &["early_offer suppressed only_if:textable"],
        ..PERSON
    },
    Walk {
        // No number at all: nobody knows him, and no text could reach him.
        caller: sipp("anonymous", "1@3s 0@6s"),
        arrives: "greet next, who error, sort next",
        then: "language 1, main 0",
        ..PERSON
    },
    Walk {
        // Out of the way through the further menu.
        caller: sipp("+447700900508", "2@3s 1@5s 3@7500ms 0@10s"),
        then: "early_offer 2, language 1, main 3, more 0",
        offers: &["early_offer declined -"],
        ..PERSON
    },
    Walk {
        caller: sipp("+447700900509", "2@3s 1@5s 9@7500ms"),
        then: "early_offer 2, language 1, main 9",
        offers: &["early_offer declined -"],
        end: "forwarded unknown old_ivr",
        asks_for: &["8000"],
        ..PERSON
    },
    Walk {
        // A call that must not be offered anything goes straight through.
        caller: sipp("+447700900511", "").header("Priority: psap-callback"),
        arrives: "",
        end: "emergency_bypass no_human agents",
        ..PERSON
    },
    Walk {
        caller: sipp("+447700900512", "999@3s"),
        then: "early_offer wrong, language wrong",
        offers: &["early_offer declined -"],
        heard: &["emergency-typed"],
        ..PERSON
    },
];

const PERSON: Walk = Walk { end: FORWARDED, asks_for: &["queue"], ..WALK };

/// An outage is told first.
pub const OUTAGE: &[Walk] = &[
    Walk {
        caller: baresip("+447700900522", "1@4s 5@9s"),
        then: "outage_status 1, notify_me next, sent_goodbye 5, follow_yes next, goodbye next",
        offers: &["notify_me accepted -"],
        texts: &["Example: we know about the fault"],
        ..OUT
    },
    Walk {
        caller: sipp("+447700900523", "0@4s"),
        then: "outage_status 0",
        end: FORWARDED,
        asks_for: &["queue"],
        ..OUT
    },
    Walk {
        caller: sipp("+447700900524", "").leaves("4s"),
        then: "outage_status hangup",
        end: "caller_hangup no_human -",
        ..OUT
    },
];

const OUT: Walk = Walk { arrives: "greet next", heard: &["outage"], ..WALK };

/// In the PBX's queue, which nobody leaves for a person: an offer on a bridged call.
pub const IN_LINE: &[Walk] = &[
    Walk {
        caller: tones("+447700900531", "0@3s 0@14s").leaves("19s"),
        then: "early_offer 0, busy_choice next, queue_offer 0, busy_choice hangup",
        offers: &["early_offer declined -", "queue_offer declined -"],
        heard: &[],
        ..WAITS
    },
    Walk {
        caller: baresip("+447700900532", "0@3s 1@14s").leaves("36s"),
        then: "early_offer 0, busy_choice next, queue_offer 1, queue_text next, \
               busy_choice hangup",
        offers: &["early_offer declined -", "queue_offer accepted -"],
        texts: &[CHAT],
        end: "deflected no_human agents",
        heard: &["queue-offer", "sent"],
        unheard: &["not-sent", "may-still-arrive"],
        ..WAITS
    },
    Walk {
        // No provider answers.
        caller: sipp("+447700900533", "0@3s 1@14s").leaves("31s"),
        then: "early_offer 0, busy_choice next, queue_offer 1, queue_text error, \
               busy_choice hangup",
        offers: &["early_offer declined -", "queue_offer accepted -"],
        heard: &["queue-offer", "may-still-arrive"],
        unheard: &["sent", "not-sent"],
        ..WAITS
    },
    Walk {
        caller: sipp("+447700900534", "0@3s").leaves("14s"),
        then: "early_offer 0, busy_choice next, queue_offer hangup",
        offers: &["early_offer declined -", "queue_offer hangup -"],
        end: "caller_hangup no_human agents",
        unheard: &["sent", "not-sent", "may-still-arrive"],
        ..WAITS
    },
];

const WAITS: Walk = Walk { end: FORWARDED, asks_for: &["queue"], heard: &["queue-offer"], ..WALK };

#[test]
fn dp_20_whoever_wants_or_needs_a_person_is_put_through_with_the_way_so_far() {
    let line = Line::open();
    let pbxs = line.pbx();
    line.knows("+447700900501", json!({ "customer_type": "premium" }));
    line.walk(PEOPLE, &pbxs);
    let contexts = pbxs[0].messages().matches("X-Carom-Context: http://").count();
    let queue = PEOPLE.iter().filter(|walk| walk.asks_for == ["queue"]).count();
    assert!(contexts >= queue, "each with its page: {contexts}");
}

#[test]
fn an_outage_is_told_first_and_whoever_likes_hears_of_its_end() {
    let line = Line::open();
    let pbxs = line.pbx();
    assert!(line.engine.cli(&["flag", "set", "outage"]).status.success());
    line.walk(OUTAGE, &pbxs);
}

/// The PBX's queue takes the call after a while, and its line is kept while the offer plays.
#[test]
fn an_offer_on_a_bridged_call_keeps_the_place_in_line_whatever_the_caller_does() {
    let line = Line::open();
    line.twilio.does("+447700900533", Does::Reset);
    line.twilio.hides_its_list(true);
    line.web.says_to("/messages", "447700900533", Says::Status(503));
    waits_in_line(&line, IN_LINE);
}

/// Lets callers wait at a PBX that is busy at first.
pub fn waits_in_line(line: &Line, walks: &[Walk]) {
    let (queue, calls) = (Ear::at(line.place.pbx()), walks.len());
    // The target, and the first try of the line at it.
    let busy = Scenario::new("pbx-rejects", line.place.pbx()).key("status", "486 Busy Here");
    let busy = busy.args(&["-m", &(2 * calls).to_string()]).listen(&line.place);
    let pbx = thread::scope(|scope| {
        let ringing = scope.spawn(|| line.ring(walks));
        busy.succeeds();
        let pbx = Scenario::new("pbx-answers", line.place.pbx()).ear(&queue);
        let pbx = pbx.args(&["-m", &calls.to_string()]).listen(&line.place);
        ringing.join().unwrap();
        pbx
    });
    let left = pbx.messages().matches("\nBYE sip:").count();
    assert_eq!(left, calls, "each leaves once");
    came_so(walks, line, &[pbx]);
}
