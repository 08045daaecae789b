//! Messages left: when they end, and that only what is kept counts.

use super::*;
use crate::flow::model::Voicemail;

fn leaving() -> Draft {
    Draft::new(&["message", "bye", "sorry"], &["agents"])
        .step("message", |draft| {
            Does::Voicemail(Voicemail {
                play: sound("leave"),
                max_seconds: 20,
                then: draft.go("bye"),
                if_fails: Some(draft.go("sorry")),
            })
        })
        .step("bye", |draft| Does::Say { play: sound("bye"), then: draft.go("hangup") })
        .step("sorry", |draft| Does::Say { play: sound("sorry"), then: draft.go("agents") })
}

fn world(voice: Option<VoiceOutcome>) -> Obedient {
    Obedient { voice, ..Obedient::default() }
}

const LEFT: Option<(EndReason, Handled)> = Some((EndReason::Voicemail, Handled::NoHuman));

#[test]
fn a_message_begins_after_the_tone_and_ends_at_the_hash_key() {
    let mut phone = Phone::call(leaving());
    let take = Output::TakeVoice { step: "message".into(), max_ms: 20_000, silence_ms: 5_000 };
    phone.wait_ms(5_900);
    assert_eq!((phone.heard(), phone.has(&take)), (vec!["leave", "beep"], false));
    phone.wait_ms(200);
    assert!(phone.has(&take));
    phone.wait(3).press_now('5').press_now('#').wait(1);
    assert!(phone.has(&Output::StopVoice));
    assert_eq!(phone.heard(), ["leave", "beep", "bye"]);
    phone.wait(3);
    assert_eq!(phone.end(), LEFT);
}

#[test]
fn a_key_leads_to_the_tone_at_once_and_is_no_end() {
    let mut phone = Phone::call(leaving());
    phone.press('#');
    assert_eq!(phone.heard(), ["leave", "beep"]);
    phone.wait(4);
    assert!(!phone.has(&Output::StopVoice));
}

#[test]
fn silence_or_the_longest_time_end_a_message() {
    let mut phone = Phone::call(leaving());
    phone.wait(25);
    assert_eq!(phone.end(), LEFT, "it was over by itself");

    // Nobody tells that it is over.
    let speaks = Duration::from_secs(3_600);
    let mut phone =
        Phone::call_with(leaving(), facts(), Obedient { speaks, ..Obedient::default() });
    phone.wait(6 + 21);
    assert!(!phone.has(&Output::StopVoice));
    phone.wait(2);
    assert!(phone.has(&Output::StopVoice));
    phone.wait(4);
    assert_eq!(phone.end(), LEFT);
}

#[test]
fn a_caller_who_hangs_up_has_left_what_was_said() {
    let mut phone = Phone::call(leaving());
    phone.wait(10).hang_up();
    assert_eq!(phone.end(), None, "it is not known yet whether it is kept");
    phone.hang_up().wait(1);
    assert_eq!(phone.end(), LEFT);

    let hung_up = Some((EndReason::CallerHangup, Handled::NoHuman));
    for (voice, seconds) in [
        (Some(VoiceOutcome::Nothing), 1),
        (Some(VoiceOutcome::Failed { why: "disk".into() }), 1),
        (None, 10),
    ] {
        let mut phone = Phone::call_with(leaving(), facts(), world(voice.clone()));
        phone.wait(10).hang_up().wait(seconds);
        assert_eq!(phone.end(), hung_up, "{voice:?}");
    }
    let mut phone = Phone::call(leaving());
    phone.wait(2).hang_up();
    assert_eq!(phone.end(), hung_up, "before the tone");
}

#[test]
fn a_message_that_is_not_kept_takes_the_way_out() {
    for (voice, seconds) in [(Some(VoiceOutcome::Failed { why: "disk".into() }), 1), (None, 11)] {
        let mut phone = Phone::call_with(leaving(), facts(), world(voice));
        phone.wait(8).press_now('#').wait(seconds);
        assert_eq!(phone.heard(), ["leave", "beep", "sorry"]);
        phone.wait(4);
        assert_eq!(phone.forwards(), ["agents"]);
    }
}

#[test]
fn nothing_said_is_no_message() {
    let mut phone = Phone::call_with(leaving(), facts(), world(Some(VoiceOutcome::Nothing)));
    phone.wait(30);
    assert_eq!(phone.heard(), ["leave", "beep", "bye"]);
    // The flow had nothing more to say; it is no message, and nothing counts as deflected.
    assert_eq!(phone.end(), Some((EndReason::AnsweredInIvr, Handled::NoHuman)));
}

#[test]
fn a_drain_in_the_middle_of_a_message_stops_it() {
    let mut phone = Phone::call(leaving());
    phone.wait(8);
    phone.0.input(Input::OperatorBridge);
    assert!(phone.has(&Output::StopVoice));
    assert_eq!(phone.forwards(), ["agents"]);
}
