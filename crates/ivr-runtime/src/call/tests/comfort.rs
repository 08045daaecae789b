//! Nobody waits in silence, whoever is slow.

use super::*;
use crate::{
    flow::{AnyPrompt, Shared, load},
    sim::PROMPT,
};

const FLOW: &str = r#"
version = 1
[flow]
name    = "Test"
numbers = ["+442079460019"]
start   = "hello"
human   = "agents"
[target.agents]
sip = "sip:queue@pbx.example.net"
answered_means = "human"
[link.chat]
kind         = "http"
url          = "https://help.example.com/chat"
available_at = "/available"
timeout_ms   = 5000
[step.hello]
do   = "say"
play = "hello.wav"
then = "menu"
[step.menu]
do       = "menu"
play     = "menu.wav"
press    = { 1 = "ask", 2 = "act", 3 = "text", 4 = "no", 5 = "call", 6 = "box", 7 = "offer", 8 = "mute" }
no_input = "agents"
[step.ask]
do         = "lookup"
url        = "https://crm.example.net/x"
timeout_ms = 10000
save       = ["x"]
then       = "bye"
[step.mute]
do          = "lookup"
url         = "https://crm.example.net/y"
timeout_ms  = 10000
save        = ["y"]
wait_prompt = "none"
then        = "bye"
[step.act]
do         = "action"
url        = "https://crm.example.net/x"
timeout_ms = 10000
then       = "bye"
[step.text]
do       = "text"
link     = "plain"
message  = "Example: {link}"
then     = "bye"
[link.plain]
url = "https://help.example.com/chat"
[step.no]
do   = "opt-out"
play = "no.wav"
then = "bye"
no_input = "agents"
[step.call]
do   = "callback"
play = "call.wav"
then = "bye"
[step.box]
do          = "voicemail"
play        = "box.wav"
max_seconds = 5
then        = "bye"
[step.offer]
do             = "offer"
link           = "chat"
play           = "offer.wav"
press          = { 1 = "text", 2 = "agents" }
accept         = ["1"]
no_input       = "agents"
if_not_offered = "agents"
[step.bye]
do   = "say"
play = "bye.wav"
then = "hangup"
"#;

fn call(world: Obedient) -> Phone {
    let shared = Shared { calls_back: true, ..Shared::default() };
    let checked = load(FLOW, "flow.toml", &shared, &AnyPrompt);
    let flow = checked.flow.unwrap_or_else(|| panic!("{:#?}", checked.findings));
    let facts = Facts { country: "GB".into(), ..facts() };
    let call = Call::new(Duration::ZERO, Arc::new(flow), facts);
    let mut phone = Phone(Stage::new(call, world, Duration::ZERO));
    phone.wait(4);
    phone
}

/// Somebody who answers nothing, however long one waits.
fn deaf() -> Obedient {
    Obedient {
        text: None,
        opt_out: None,
        callback: None,
        voice: None,
        unanswered: ["ask", "mute", "act", "offer"].map(str::to_owned).to_vec(),
        ..Obedient::default()
    }
}

/// The longest silence of ours in the next `seconds`, ms, while the caller can only wait.
fn longest_silence(phone: &mut Phone, seconds: u64) -> u64 {
    const STEP_MS: u64 = 50;
    // What plays since the last key.
    let plays = phone.0.outputs().iter().rev().find_map(|output| match output {
        Output::Play { prompts, .. } => Some(PROMPT * prompts.len() as u32),
        Output::StopPlay => Some(Duration::ZERO),
        _ => None,
    });
    let mut heard_until = phone.0.now + plays.unwrap_or_default();
    let mut seen = phone.0.outputs().len();
    let (mut silent, mut longest) = (0, 0);
    for _ in 0..seconds * 1_000 / STEP_MS {
        phone.wait_ms(STEP_MS);
        let now = phone.0.now;
        for output in &phone.0.outputs()[seen..] {
            match output {
                Output::Play { prompts, .. } => heard_until = now + PROMPT * prompts.len() as u32,
                Output::Hold { .. } => heard_until = Duration::MAX,
                Output::StopPlay => heard_until = now,
                _ => {}
            }
        }
        seen = phone.0.outputs().len();
        let over = phone.0.call.is_over() || phone.0.call.is_bridged();
        if over || !phone.forwards().is_empty() {
            break;
        }
        let quiet = heard_until <= now && !phone.0.call.awaits_key();
        silent = if quiet { silent + STEP_MS } else { 0 };
        longest = longest.max(silent);
    }
    longest
}

#[test]
fn nobody_waits_in_silence_for_an_answer_that_does_not_come() {
    for (keys, seconds) in [
        ("1", 11),  // a lookup
        ("2", 11),  // an action
        ("3", 10),  // a text
        ("41", 4),  // an opt-out
        ("511", 6), // a callback
        ("6", 25),  // a message
        ("7", 5),   // a link that is asked
        ("8", 11),  // a lookup that says nothing
    ] {
        let mut phone = call(deaf());
        for label in keys.chars() {
            phone.press(label);
        }
        let ms = longest_silence(&mut phone, seconds);
        assert!(ms <= 2_000, "{keys}: silent for {ms} ms, {:?}", phone.heard());
        let music = phone.0.outputs().iter().filter(|o| matches!(o, Output::Hold { .. })).count();
        assert!(music >= 1, "{keys}: {:?}", phone.heard());
    }
}

#[test]
fn the_music_stops_when_the_answer_is_there_and_who_is_quick_hears_none() {
    let mut slow = call(deaf());
    slow.press('1').wait(6);
    let outputs = slow.0.outputs();
    assert!(matches!(outputs.last(), Some(Output::Hold { .. })), "{outputs:?}");
    let id = outputs.iter().rev().find_map(|output| match output {
        Output::Fetch(request) => Some(request.id),
        _ => None,
    });
    let values = [("x".to_owned(), "1".to_owned())].into();
    let outcome = FetchOutcome::Values(values);
    slow.0.input(Input::Fetched { id: id.unwrap(), outcome });
    let after = slow.0.outputs().iter().rev().take_while(|o| !matches!(o, Output::Hold { .. }));
    let after: Vec<_> = after.filter(|o| !matches!(o, Output::Record(_))).collect();
    assert!(matches!(after[..], [Output::Play { .. }, Output::StopPlay]), "{after:?}");

    let mut quick = call(Obedient::default());
    quick.press('3').wait(5);
    assert!(!quick.0.outputs().iter().any(|output| matches!(output, Output::Hold { .. })));
}
