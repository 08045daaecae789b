//! The line as the documents print it, run: a text taken, people asked for, an offer in line.

use serde_json::json;

use crate::{
    full_line::Line,
    full_people::{IN_LINE, PEOPLE, waits_in_line},
    full_phones::Caller,
    full_texts::SERVED,
    full_walks::Walk,
};

/// By the offer, the channel and the yes to a later message; by the order's page; in Spanish.
const TEXTED: [Walk; 3] = [by("+447700900451", SERVED[0]), ORDER, SERVED[5]];
const ORDER: Walk = by("+447700900453", SERVED[2]);
/// Premium; the operator's key; a dispute; to the old IVR.
const PUT_THROUGH: [Walk; 4] = [PREMIUM, PEOPLE[1], PEOPLE[2], PEOPLE[8]];
const PREMIUM: Walk = PEOPLE[0];

/// The same by somebody whose last digits nobody else has.
const fn by(from: &'static str, walk: Walk) -> Walk {
    Walk { caller: Caller { from, ..walk.caller }, ..walk }
}

#[test]
fn kh_01_the_line_as_printed_texts_who_accepts_and_puts_through_who_wants_a_person() {
    let line = Line::printed();
    let pbxs = line.pbx();
    let order = json!({ "order_ref": "A-17", "order_state": "shipped" });
    line.knows(ORDER.caller.from, order);
    line.knows(PREMIUM.caller.from, json!({ "customer_type": "premium" }));
    line.walk(&[&TEXTED[..], &PUT_THROUGH].concat(), &pbxs);
    // What a system told of a customer goes from level L2 on only: `if_missing` takes the page's place.
    let texts = line.texts(ORDER.caller.from);
    assert!(texts[0].contains("https://community.example.com/start"), "{texts:?}");
}

#[test]
fn ic_04_the_line_as_printed_offers_a_text_in_the_queue_and_keeps_the_place() {
    let line = Line::printed();
    waits_in_line(&line, &IN_LINE[..2]);
}
