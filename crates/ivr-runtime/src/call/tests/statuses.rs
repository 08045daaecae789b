//! What is known is said: an outage of the caller's area or line, the state of a claim.

use std::collections::BTreeMap;

use super::{asks::phone_with, *};

const OUTAGES: &str = r#"
[rule.line_down]
flag = "outage-line"
[rule.this_line]
called_number = ["+442079460019"]
[rule.north]
field  = "area"
equals = ["north"]
[rule.north_down]
flag = "outage-north"
[link.chat]
url = "https://help.example.com/chat"
[step.first]
do        = "decide"
case      = [{ if = "this_line", go = "is_line_down" }]
otherwise = "area"
[step.is_line_down]
do        = "decide"
case      = [{ if = "line_down", go = "status" }]
otherwise = "area"
[step.area]
do       = "lookup"
url      = "https://crm.example.net/{caller_number}"
save     = ["area"]
then     = "sort"
if_fails = "offer"
[step.sort]
do        = "decide"
case      = [{ if = "north", go = "is_north_down" }]
otherwise = "offer"
[step.is_north_down]
do        = "decide"
case      = [{ if = "north_down", go = "status" }]
otherwise = "offer"
[step.status]
do       = "answer"
play     = ["outage.wav", "for-a-person.wav"]
press    = { 1 = "agents" }
no_input = "hangup"
[step.offer]
do             = "offer"
link           = "chat"
play           = "offer.wav"
press          = { 1 = "text" }
accept         = ["1"]
no_input       = "agents"
if_not_offered = "agents"
[step.text]
do       = "text"
link     = "chat"
message  = "Example: {link}"
then     = "hangup"
"#;

#[test]
fn ex_18_an_outage_of_the_caller_s_area_or_line_is_said_first_with_a_way_to_a_person() {
    let (status, offer) = (&["outage", "for-a-person"][..], &["offer"][..]);
    for (flags, called, area, heard) in [
        (&[][..], "+442079460019", "north", offer),
        (&["outage-line"], "+442079460019", "south", status),
        (&["outage-line"], "+442079460018", "south", offer), // another line
        (&["outage-north"], "+442079460018", "north", status),
        (&["outage-north"], "+442079460019", "south", offer), // another area
    ] {
        let values = [("area".to_owned(), area.to_owned())].into();
        let fetched = BTreeMap::from([("area".to_owned(), FetchOutcome::Values(values))]);
        let world = Obedient { fetched, ..Obedient::default() };
        let facts = Facts {
            called: called.into(),
            flags: Some(flags.iter().map(|flag| (*flag).to_owned()).collect()),
            ..facts()
        };
        let mut phone = phone_with(OUTAGES, facts, world);
        phone.wait(1);
        assert_eq!(phone.heard(), heard, "{flags:?} {called} {area}");
        if heard == status {
            // Nothing is offered, and a person is one key away.
            phone.press('1').wait(3);
            assert_eq!((phone.offers().len(), phone.forwards()), (0, vec!["agents"]));
        }
    }
}

const CLAIM: &str = r##"
[step.first]
do       = "collect"
save     = "claim"
play     = "claim-number.wav"
min      = 4
then     = "look"
no_input = "agents"
[step.look]
do       = "lookup"
url      = "https://crm.example.net/claims/{claim}"
save     = { state = "/state", paid_on = { pointer = "/paid/on", type = "date" } }
then     = "told"
if_fails = "agents"
[step.told]
do       = "answer"
play     = ["your-claim-is.wav", "clip:{state}", { play = ["paid-on.wav", "say:date:{paid_on}"], needs = ["paid_on"] }, "more.wav"]
press    = { 1 = "papers", 2 = "hangup" }
no_input = "hangup"
[step.papers]
do         = "answer"
play       = ["papers-are.wav", "clip:{state}"]
press      = { 1 = "first", 0 = "agents" }
needs      = ["state"]
if_missing = "agents"
no_input   = "hangup"
"##;

#[test]
fn ex_24_the_state_of_a_claim_is_read_from_what_was_looked_up_by_questions_that_keys_answer() {
    for (state, paid_on, told) in [
        ("open", None, "your-claim-is state/open more"),
        (
            "paid",
            Some("2026-01-05"),
            "your-claim-is state/paid paid-on f-the f-ord-5 f-month-1 f-2026 more",
        ),
    ] {
        let pairs = [("state", Some(state)), ("paid_on", paid_on)];
        let values = pairs.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned())));
        let fetched = BTreeMap::from([("look".to_owned(), FetchOutcome::Values(values.collect()))]);
        let world = Obedient { fetched, ..Obedient::default() };
        let mut phone = phone_with(CLAIM, facts(), world);
        phone.wait(4);
        for digit in "1234#".chars() {
            phone.wait_ms(300).press_now(digit);
        }
        phone.wait(1);
        let heard = phone.heard()[1..].join(" ");
        let words = |text: &str| {
            let names = text.split(' ').filter(|name| !name.starts_with("f-"));
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(words(&heard), words(told), "{heard}");
        assert_eq!(heard.contains("f-month-1"), paid_on.is_some(), "{heard}");
        // Yes: the next question is answered from the same.
        phone.press('1').wait(1);
        assert!(phone.heard().join(" ").ends_with(&format!("papers-are state/{state}")));
        phone.press('0').wait(3);
        assert_eq!(phone.forwards(), ["agents"]);
    }
}
