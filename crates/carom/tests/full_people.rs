//! Callers of the shipped line who want, or need, a person.

use std::thread;

use carom_blackbox::{Ear, Scenario, eventually, twilio::Does, web::Says};
use serde_json::json;

use crate::full_line::{LINE, Line, caller};

#[test]
fn dp_20_whoever_wants_or_needs_a_person_is_put_through_with_the_way_so_far() {
    let line = Line::open();
    let [pbx, old] = line.pbx();
    line.knows("+447700900501", json!({ "customer_type": "premium" }));
    let callers = [
        // Premium: at once, unanswered until the PBX answers.
        caller("+447700900501", ""),
        // The operator's key in the offer.
        caller("+447700900502", "0@3s"),
        // A dispute is never offered anything.
        caller("+447700900503", "2@3s 1@5s 2@7500ms 2@10s"),
        // An order that nobody knows of.
        caller("+447700900504", "2@3s 1@5500ms 1@8s"),
        // Keys that mean nothing, at every prompt.
        caller("+447700900505", "7@2s 7@4s 7@5s 7@6s 7@8s 7@9s"),
        // A landline, and no number at all: no offer.
        caller("+442079460106", "1@3s 0@6s"),
        caller("anonymous", "1@3s 0@6s"),
        // Out of the way through the further menu.
        caller("+447700900508", "2@3s 1@5s 3@7500ms 0@10s"),
    ];
    let old_ivr = caller("+447700900509", "2@3s 1@5s 9@7500ms");
    line.ring(&callers);
    line.ring(&[old_ivr]);
    for caller in callers.iter().filter(|caller| caller.from != "anonymous") {
        let from = caller.from;
        assert!(line.end(from).starts_with("forwarded "), "{from}: {:?}", line.path(from));
        let invites = line.invites(&pbx, from);
        assert!(invites.len() == 1 && invites[0].contains("sip:queue@"), "{from}: {invites:?}");
        assert_eq!(line.texts(from), [""; 0], "{from}");
    }
    let told = pbx.messages();
    let contexts = told.matches("X-Carom-Context: http://").count();
    assert!(contexts >= callers.len(), "each with its page: {contexts}");
    assert_eq!(line.path("+447700900501"), ["greet next", "who next", "sort next"]);
    assert_eq!(line.offers("+447700900503"), ["early_offer declined -"]);
    assert_eq!(line.path("+447700900503").last().unwrap(), "dispute next");
    assert_eq!(line.path("+447700900504").last().unwrap(), "orders error");
    assert_eq!(line.offers("+442079460106"), ["early_offer suppressed only_if:textable"]);
    assert_eq!(line.path("+447700900508").last().unwrap(), "more 0");
    let invites = line.invites(&old, "+447700900509");
    assert!(invites.len() == 1 && invites[0].contains("sip:8000@"), "{invites:?}");
}

/// A call that must not be offered anything, by SIPp, and emergency digits by our softphone.
#[test]
fn a_protected_call_and_an_emergency_number_reach_a_person_without_any_offer() {
    let line = Line::open();
    let [pbx, _old] = line.pbx();
    let sipp = Scenario::new("carrier-waits", line.place.ip(5)).line("Priority: psap-callback");
    let sipp = sipp.key("called", LINE).key("caller", "+447700900511").call(&line.place);
    sipp.succeeds();
    line.ring(&[caller("+447700900512", "9@3s 9@3400ms 9@3800ms")]);
    let written = "SELECT COUNT(*) FROM call WHERE ended_ms IS NOT NULL";
    eventually("both are written", || (line.database.number(written) == 2).then_some(()));
    assert!(line.end("+447700900511").starts_with("emergency_bypass "));
    assert_eq!(line.path("+447700900511"), [""; 0], "straight through");
    assert_eq!(line.offers("+447700900511"), [""; 0]);
    assert!(line.heard_prompt("+447700900512", "en-GB", "emergency-typed"));
    for from in ["+447700900511", "+447700900512"] {
        assert_eq!(line.invites(&pbx, from).len(), 1, "{from}");
    }
}

#[test]
fn answers_of_the_line_count_and_an_outage_is_told_first() {
    let line = Line::open();
    let [pbx, _old] = line.pbx();
    line.ring(&[caller("+447700900521", "2@3s 1@5s 3@7500ms 1@10s").leaves("24s")]);
    assert!(line.engine.cli(&["flag", "set", "outage"]).status.success());
    let callers = [
        caller("+447700900522", "1@4s 5@9s"),
        caller("+447700900523", "0@4s"),
        caller("+447700900524", "").leaves("4s"),
    ];
    line.ring(&callers);
    assert_eq!(line.end("+447700900521"), "answered_in_ivr no_human -");
    assert!(line.heard_prompt("+447700900521", "en-GB", "opening-hours"));
    for caller in &callers {
        assert!(line.heard_prompt(caller.from, "en-GB", "outage"), "{}", caller.from);
    }
    assert_eq!(line.end("+447700900522"), "deflected no_human -");
    let texts = line.texts("+447700900522");
    assert!(texts.len() == 1 && texts[0].contains("we know about the fault"), "{texts:?}");
    assert_eq!(line.invites(&pbx, "+447700900523").len(), 1);
    assert!(line.end("+447700900524").starts_with("caller_hangup "));
}

/// The PBX's queue takes the call after a while, and its line is kept while the offer plays.
#[test]
fn an_offer_on_a_bridged_call_keeps_the_place_in_line_whatever_the_caller_does() {
    let cases = [
        InLine {
            from: "+447700900531",
            keys: "0@3s 0@16s",
            leaves: "22s",
            offer: "declined",
            then: &["queue_offer 0", "busy_choice hangup"],
            end: "forwarded no_human agents",
            ..IN_LINE
        },
        InLine {
            from: "+447700900532",
            keys: "0@3s 1@16s",
            leaves: "28s",
            offer: "accepted",
            then: &["queue_offer 1", "queue_text next", "busy_choice hangup"],
            heard: &["sent"],
            texts: 1,
            end: "deflected no_human agents",
            ..IN_LINE
        },
        // No provider answers.
        InLine {
            from: "+447700900533",
            keys: "0@3s 1@16s",
            leaves: "34s",
            fails: true,
            offer: "accepted",
            then: &["queue_offer 1", "queue_text error", "busy_choice hangup"],
            heard: &["may-still-arrive"],
            end: "forwarded no_human agents",
            ..IN_LINE
        },
        InLine {
            from: "+447700900534",
            keys: "0@3s",
            leaves: "15s",
            offer: "hangup",
            then: &["queue_offer hangup"],
            end: "caller_hangup no_human agents",
            ..IN_LINE
        },
    ];
    thread::scope(|scope| {
        for case in &cases {
            scope.spawn(|| case.passes());
        }
    });
}

/// A caller in the PBX's queue, which nobody leaves for a person.
struct InLine {
    from: &'static str,
    keys: &'static str,
    leaves: &'static str,
    /// Whether no provider takes the text.
    fails: bool,
    /// The answer to the offer.
    offer: &'static str,
    /// The steps from the offer on, each with its exit.
    then: &'static [&'static str],
    /// What is said of the text.
    heard: &'static [&'static str],
    /// Texts that came.
    texts: usize,
    end: &'static str,
}

const IN_LINE: InLine = InLine {
    from: "",
    keys: "",
    leaves: "",
    fails: false,
    offer: "",
    then: &[],
    heard: &[],
    texts: 0,
    end: "",
};

impl InLine {
    fn passes(&self) {
        let from = self.from;
        let line = Line::open();
        if self.fails {
            line.twilio.always(Does::Reset);
            line.twilio.hides_its_list(true);
            line.web.says_to("/messages", "", Says::Status(503));
        }
        let queue = Ear::at(line.place.pbx());
        // The target, and the first try of the line at it.
        let busy = Scenario::new("pbx-rejects", line.place.pbx()).key("status", "486 Busy Here");
        let busy = busy.args(&["-m", "2"]).listen(&line.place);
        let messages = thread::scope(|scope| {
            let line = &line;
            let call = scope.spawn(|| line.ring(&[caller(from, self.keys).leaves(self.leaves)]));
            busy.succeeds();
            let pbx = Scenario::new("pbx-answers", line.place.pbx()).ear(&queue);
            let pbx = pbx.listen_once(&line.place);
            call.join().unwrap();
            pbx.succeeds()
        });
        assert_eq!(messages.matches("\nINVITE sip:queue@").count(), 1, "one place: {messages}");
        assert_eq!(messages.matches("\nBYE sip:").count(), 1, "left once: {messages}");
        let path = line.path(from);
        let offered = path.iter().position(|step| step.starts_with("queue_offer ")).unwrap();
        assert_eq!(path[offered..], *self.then, "{path:?}");
        assert!(line.heard_prompt(from, "en-GB", "queue-offer"), "{path:?}");
        let answer = format!("queue_offer {} -", self.offer);
        assert_eq!(line.offers(from), ["early_offer declined -".to_owned(), answer]);
        for prompt in ["sent", "not-sent", "may-still-arrive"] {
            let told = self.heard.contains(&prompt);
            assert_eq!(line.heard_prompt(from, "en-GB", prompt), told, "{from}: {prompt}");
        }
        assert_eq!(line.texts(from).len(), self.texts, "{path:?}");
        assert_eq!(line.end(from), self.end, "{path:?}");
    }
}
