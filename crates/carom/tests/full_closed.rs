//! The shipped line when nobody is there: closed by its operator, or without a free agent.

use std::fs;

use carom_blackbox::{Ear, PCMA, Scenario, eventually, web::Says};
use serde_json::json;

use crate::full_line::{Line, WEST, caller, said};

#[test]
fn callers_of_a_closed_line_take_a_text_book_a_callback_or_leave_a_message() {
    let line = Line::open();
    let [pbx, _old] = line.pbx();
    let closed = ["hours", "close", "west", "--until", "23:59", "--because", "fire alarm"];
    let told = line.engine.cli(&closed);
    assert!(told.status.success(), "{told:?}");
    let speaker = Ear::at(line.place.ip(5));
    let sipp = Scenario::new("carrier-waits", line.place.ip(5)).ear(&speaker);
    let sipp = sipp.key("called", WEST).key("caller", "+447700900604").call(&line.place);
    let to = speaker.meets();
    std::thread::scope(|scope| {
        let line = &line;
        let callers = scope.spawn(|| {
            line.ring(&[
                caller("+447700900601", "1@3s 1@6s 5@10s").calls(WEST),
                // A callback to the own number, read back.
                caller("+447700900602", "2@3s 1@6s 1@12s").calls(WEST),
                // The same line, by the number whose hours are others.
                caller("+447700900603", "0@3s"),
            ])
        });
        // No callback either: a message, spoken after the tone.
        speaker.listens(150);
        speaker.presses(to, 2);
        speaker.listens(150);
        speaker.presses(to, 9);
        speaker.listens(50);
        speaker.presses(to, 9);
        speaker.listens(100);
        speaker.speaks(to, PCMA, 0x2a, 150);
        speaker.presses(to, 11);
        callers.join().unwrap();
    });
    sipp.succeeds();
    line.engine.idle();
    let written = "SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL";
    eventually("all are written", || (line.database.number(written) == 4).then_some(()));
    for (from, end) in [
        ("+447700900601", "deflected no_human -"),
        ("+447700900602", "callback_booked no_human -"),
        ("+447700900604", "voicemail no_human -"),
    ] {
        assert_eq!(line.end(from), end, "{from}: {:?}", line.path(from));
        assert_eq!(line.invites(&pbx, from), [""; 0], "{from}: closed");
    }
    assert_eq!(line.texts("+447700900601").len(), 1);
    assert_eq!(line.invites(&pbx, "+447700900603").len(), 1, "London is open");
    assert_eq!(line.database.number("SELECT COUNT(*) FROM callback WHERE state = 'booked'"), 1);
    let files = fs::read_dir(line.place.folder().join("var/voicemail")).unwrap().count();
    assert_eq!((line.database.number("SELECT COUNT(*) FROM voicemail"), files), (1, 1));
}

#[test]
fn without_a_free_agent_a_caller_is_offered_a_text_and_a_callback_before_the_queue() {
    let line = Line::open();
    let [pbx, _old] = line.pbx();
    line.web.says_to("/queue", "", Says::Json(said(json!({ "agents": { "ready": 0 } }))));
    line.web.says(Says::Json(said(json!({ "agents": { "ready": 0 } }))));
    carom_blackbox::go_on_for(2_500);
    line.ring(&[
        caller("+447700900611", "1@3s 1@6s 5@10s"),
        caller("+447700900612", "2@3s 1@6s 1@12s"),
        caller("+447700900613", "0@3s"),
    ]);
    assert_eq!(line.end("+447700900611"), "deflected no_human -");
    assert_eq!(line.end("+447700900612"), "callback_booked no_human -");
    assert!(line.end("+447700900613").starts_with("forwarded "));
    assert_eq!(line.invites(&pbx, "+447700900613").len(), 1);
    for from in ["+447700900611", "+447700900612", "+447700900613"] {
        assert!(line.path(from)[3].starts_with("no_agents_offer "), "{:?}", line.path(from));
    }
}
