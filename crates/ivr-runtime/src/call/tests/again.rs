//! IC-01: whoever chose the phone is not offered anything else.

use super::*;
use crate::flow::{AnyPrompt, Shared, load};

const TWICE: &str = r#"
version = 1
[flow]
name    = "Test"
numbers = ["+442079460019"]
start   = "first"
human   = "other"
[target.agents]
sip            = "sip:queue@pbx.example.net"
answered_means = "human"
if_busy        = "second"
[target.other]
sip            = "sip:other@pbx.example.net"
answered_means = "human"
[link.chat]
url = "https://help.example.com/chat"
[step.first]
do             = "offer"
link           = "chat"
play           = "first.wav"
press          = { 1 = "text", 2 = "agents", 3 = "sorry" }
accept         = ["1"]
no_input       = "sorry"
if_not_offered = "agents"
[step.sorry]
do   = "say"
play = "sorry.wav"
then = "second"
[step.second]
do             = "offer"
link           = "chat"
play           = "second.wav"
press          = { 1 = "text" }
accept         = ["1"]
no_input       = "sad"
if_not_offered = "sad"
[step.sad]
do   = "say"
play = "sad.wav"
then = "other"
[step.text]
do       = "text"
link     = "chat"
message  = "Example: {link}"
then     = "hangup"
if_fails = "sad"
"#;

#[test]
fn ic_01_who_chose_the_phone_hears_no_other_offer_in_the_call_unless_the_flow_says_so() {
    let again =
        TWICE.replace("play           = \"second.wav\"", "play = \"second.wav\"\nagain = true");
    for (flow, key, second) in [
        (TWICE, Some('2'), false), // the phone
        (TWICE, Some('3'), true),  // no, but not the phone
        (TWICE, None, true),       // no word
        (&again, Some('2'), true),
    ] {
        let shared = Shared { fallback: None, ..Shared::default() };
        let checked = load(flow, "flow.toml", &shared, &AnyPrompt);
        let flow = checked.flow.unwrap_or_else(|| panic!("{:#?}", checked.findings));
        let busy = target_says(&[("agents", TargetOutcome::Busy { status: 486 })]);
        let call = Call::new(Duration::ZERO, Arc::new(flow), facts());
        let mut phone = Phone(Stage::new(call, busy, Duration::ZERO));
        phone.wait_ms(0);
        if let Some(key) = key {
            phone.press(key);
        }
        phone.wait(60);
        assert_eq!(phone.heard().contains(&"second"), second, "{key:?}: {:?}", phone.heard());
        let why: Vec<String> = if second { vec![] } else { vec!["chose_phone".into()] };
        assert_eq!(phone.suppressed(), why, "{key:?}");
    }
}
