//! A line that takes no calls any more.

use super::*;
use crate::flow::{AnyPrompt, Shared, load};

/// Takes no calls: says so, and offers the text.
const DIGITAL_ONLY: &str = r#"
version = 1
[flow]
name         = "Test"
numbers      = ["+442079460019"]
start        = "notice"
human        = "agents"
digital_only = "acknowledged"
[target.agents]
sip            = "sip:queue@pbx.example.net"
answered_means = "human"
[link.chat]
url = "https://help.example.com/chat"
[step.notice]
do   = "say"
play = "no-calls-any-more.wav"
then = "ask"
[step.ask]
do       = "offer"
stage    = "every-call"
link     = "chat"
play     = "offer-text.wav"
press    = { 1 = "text_me", 2 = "hangup" }
accept   = ["1"]
no_input = "hangup"
if_not_offered = "hangup"
[step.text_me]
do       = "text"
link     = "chat"
message  = "Example: {link}"
then     = "hangup"
if_fails = "agents"
"#;

#[test]
fn kh_22_a_digital_only_line_says_so_offers_the_text_and_rings_nobody_but_for_protected_calls() {
    let checked = load(DIGITAL_ONLY, "flow.toml", &Shared::default(), &AnyPrompt);
    let flow = Arc::new(checked.flow.unwrap_or_else(|| panic!("{:#?}", checked.findings)));
    let call = |facts| {
        let call = Call::new(Duration::ZERO, Arc::clone(&flow), facts);
        let mut phone = Phone(Stage::new(call, Obedient::default(), Duration::ZERO));
        phone.wait(1);
        phone
    };
    let mut texted = call(facts());
    assert_eq!(texted.heard(), ["no-calls-any-more"]);
    texted.wait(3).press('1').wait(20);
    assert_eq!(texted.heard()[..2], ["no-calls-any-more", "offer-text"]);
    assert_eq!(texted.texts().len(), 1);
    assert_eq!(texted.end(), Some((EndReason::Deflected, Handled::NoHuman)));

    // The key that is an operator's on other lines, pressed whenever a caller may.
    for seconds in [0, 3, 6] {
        let mut caller = call(facts());
        caller.wait(seconds).press('0').wait(60);
        assert!(caller.forwards().is_empty(), "{seconds} s: {:?}", caller.path());
        assert!(caller.end().is_some(), "{seconds} s: {:?}", caller.path());
    }

    let mut protected = call(Facts { call_is: vec!["psap-callback".into()], ..facts() });
    protected.wait(3);
    assert_eq!(protected.forwards(), ["agents"]);
    assert!(protected.heard().is_empty());
}
