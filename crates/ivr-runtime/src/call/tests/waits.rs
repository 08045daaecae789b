//! `wait`: a place in line, the one offer in it, and what it is kept through.

use super::*;
use crate::flow::{AnyPrompt, Shared, load};

pub(super) const FLOW: &str = r#"
version = 1
[flow]
name    = "Test"
numbers = ["+442079460019"]
start   = "line"
human   = "agents"
[target.agents]
sip            = "sip:queue@pbx.example.net"
answered_means = "queue"
human_signal   = "reinvite"
[target.other]
sip            = "sip:other@pbx.example.net"
answered_means = "human"
[link.chat]
url = "https://help.example.com/chat"
[step.line]
do                  = "wait"
target              = "agents"
retry_every_seconds = 20
give_up_minutes     = 2
offer_after_seconds = 5
offer               = "queue_offer"
then                = "callback"
if_fails            = "other"
[step.queue_offer]
do             = "offer"
stage          = "in-queue"
link           = "chat"
play           = "queue-offer.wav"
press          = { 1 = "queue_text", 2 = "line" }
accept         = ["1"]
no_input       = "line"
if_not_offered = "line"
[step.queue_text]
do       = "text"
link     = "chat"
message  = "Example: {link}"
then     = "hangup"
if_fails = "line"
[step.callback]
do   = "say"
play = "callback.wav"
then = "other"
"#;

fn phone(flow: &str, facts: Facts, world: Obedient) -> Phone {
    let checked = load(flow, "flow.toml", &Shared::default(), &AnyPrompt);
    let flow = checked.flow.unwrap_or_else(|| panic!("{:#?}", checked.findings));
    let call = Call::new(Duration::ZERO, Arc::new(flow), facts);
    let mut phone = Phone(Stage::new(call, world, Duration::ZERO));
    phone.wait_ms(0);
    phone
}

/// What happens to the target leg and the caller's ear, in order.
impl Phone {
    pub(super) fn line(&self) -> Vec<&'static str> {
        let ears = self.0.outputs().iter().filter_map(|output| match output {
            Output::Hold { .. } => Some("music"),
            Output::Play { .. } => Some("prompt"),
            Output::Forward { quiet: true, .. } => Some("call"),
            Output::Forward { quiet: false, .. } => Some("forward"),
            Output::Rebridge => Some("queue"),
            Output::Unbridge => Some("off"),
            Output::StopForward => Some("drop"),
            Output::HangUp => Some("bye"),
            _ => None,
        });
        ears.collect()
    }
}

#[test]
fn ic_04_after_a_while_in_the_queue_the_offer_plays_once_and_the_place_is_kept() {
    let mut phone = phone(FLOW, facts(), Obedient::default());
    phone.wait_ms(4_999);
    assert_eq!(phone.line(), ["music", "call", "queue"]);
    phone.wait_ms(1);
    assert_eq!(phone.line()[3..], ["off", "prompt"]);
    // Declined: back into the same place, and not asked again.
    phone.press('2').wait(10);
    assert_eq!(phone.line()[5..], ["queue"]);
    assert_eq!(phone.path(), ["line next", "queue_offer 2", "line …"]);
    // 20 s after its answer the queue says that a person is there.
    phone.wait(10).wait(300);
    assert!(phone.0.call.is_bridged());
    phone.hang_up();
    assert_eq!(phone.end(), Some((EndReason::Forwarded, Handled::Human)));
    let (declined, key) = (OfferResponse::Declined, Some(key('2')));
    assert_eq!(phone.offers(), [("in-queue".into(), declined, key, None)]);
}

#[test]
fn ic_04_the_place_is_kept_when_the_text_fails_and_given_up_only_when_it_was_accepted() {
    let failed = TextOutcome::Failed { class: "ProviderDown".into() };
    let mut unlucky = phone(FLOW, facts(), saying(failed));
    unlucky.wait(5).press('1').wait(10);
    // One moment, not sent; and the queue again.
    assert_eq!(unlucky.line()[3..], ["off", "prompt", "prompt", "prompt", "queue"]);
    assert!(!unlucky.has(&Output::StopForward));

    let mut lucky = phone(FLOW, facts(), Obedient::default());
    lucky.wait(5).press('1').wait_ms(900);
    assert!(!lucky.has(&Output::StopForward), "not yet accepted");
    lucky.wait(10);
    assert_eq!(lucky.line()[3..], ["off", "prompt", "prompt", "prompt", "bye", "drop"]);
    assert_eq!(lucky.end(), Some((EndReason::Deflected, Handled::NoHuman)));
}

#[test]
fn ic_05_a_text_may_be_tried_in_line_and_the_caller_may_leave_at_will() {
    let flow = FLOW.replace("then     = \"hangup\"", "then = \"line\"\nkeep_waiting = true");
    let mut phone = phone(&flow, facts(), Obedient::default());
    phone.wait(5).press('1').wait(9);
    assert_eq!(phone.line()[3..], ["off", "prompt", "prompt", "prompt", "queue"]);
    phone.hang_up();
    assert_eq!(phone.end(), Some((EndReason::Deflected, Handled::NoHuman)));
}

#[test]
fn no_offer_and_no_text_plays_over_a_person() {
    for (keys, seconds, left) in [("", 22, "queue_offer"), ("1", 22, "queue_text")] {
        let flow = FLOW.replace("offer_after_seconds = 5", "offer_after_seconds = 18");
        let mut phone = phone(&flow, facts(), Obedient::default());
        phone.wait(18);
        keys.chars().for_each(|label| {
            phone.press(label);
        });
        let so_far = phone.line().len();
        phone.0.pass(Duration::from_secs(seconds).saturating_sub(phone.0.now));
        let line = phone.line();
        let after = &line[so_far..];
        assert_eq!(after[after.len() - 1..], ["queue"], "{keys}: {line:?}");
        assert!(phone.has(&Output::StopPlay));
        assert!(phone.path().contains(&format!("{left} next")), "{:?}", phone.path());
        phone.hang_up();
        assert_eq!(phone.end(), Some((EndReason::Forwarded, Handled::Human)), "{keys}");
    }
}

#[test]
fn ic_04_once_a_person_may_be_there_unheard_of_nothing_plays_and_nothing_ends_the_wait() {
    // Before the offer is due; while it plays; and while its text is sent.
    for (lost_at, keys, left) in
        [(3, "", "line next"), (6, "", "queue_offer next"), (7, "1", "queue_text next")]
    {
        // The world would send a person after 20 s.
        let targets = [("agents".into(), None)].into();
        let mut phone = phone(FLOW, facts(), Obedient { targets, ..Obedient::default() });
        phone.0.input(Input::Target(TargetOutcome::Answered { human: false }));
        phone.0.pass(Duration::from_secs(lost_at));
        keys.chars().for_each(|label| {
            phone.press_now(label);
        });
        phone.0.input(Input::Target(TargetOutcome::SignalLost));
        assert_eq!(phone.line().last(), Some(&"queue"), "{lost_at} {keys}");
        assert!(phone.path().iter().any(|step| step.contains(left)), "{:?}", phone.path());
        let so_far = phone.line();
        // Longer than the offer, `give_up_minutes` and `max_minutes` are waited for.
        phone.wait(3_600);
        assert_eq!(phone.line(), so_far, "{lost_at} {keys}");
        phone.hang_up();
        assert_eq!(phone.end(), Some((EndReason::Forwarded, Handled::Unknown)));
    }
}

#[test]
fn ic_04_a_person_who_is_told_of_after_all_is_one() {
    let mut phone = phone(FLOW, facts(), Obedient::default());
    phone.wait(3);
    phone.0.input(Input::Target(TargetOutcome::SignalLost));
    phone.wait(30).hang_up();
    assert_eq!(phone.end(), Some((EndReason::Forwarded, Handled::Human)));
}

#[test]
fn while_the_target_is_busy_the_caller_hears_music_and_it_is_tried_again_and_again() {
    let busy = target_says(&[("agents", TargetOutcome::Busy { status: 486 })]);
    let mut phone = phone(FLOW, Facts { withheld: true, ..facts() }, busy);
    phone.wait(119);
    let line = phone.line();
    // At 0, 22, 44, 66, 88 and 110 s; the music goes on all the time.
    assert_eq!(line, ["music", "call", "call", "call", "call", "call", "call"]);
    assert_eq!(phone.suppressed(), ["withheld"], "and no break for an offer that is not made");
    phone.wait(5);
    assert_eq!(phone.heard().last(), Some(&"callback"), "it gives up");
    phone.wait(10);
    assert_eq!(phone.forwards(), ["agents", "other"]);
}

#[test]
fn a_target_that_cannot_be_reached_and_one_that_is_closed_take_the_way_out() {
    let dead = target_says(&[("agents", TargetOutcome::Failed { status: Some(503) })]);
    let mut phone = phone(FLOW, facts(), dead);
    phone.wait(5);
    assert_eq!(phone.forwards(), ["agents", "other"]);
    assert_eq!(phone.line(), ["music", "call", "forward"]);
}

#[test]
fn a_target_that_is_closed_leads_where_it_says_unless_the_step_says_otherwise() {
    let hours = "hours = \"office\"\nwhen_closed = \"callback\"\nanswered_means = \"queue\"";
    let office = "[hours.office]\nzone = \"Europe/London\"\nmon-fri = \"09:00-17:00\"\n";
    let other = "sip:other@pbx.example.net\"";
    let last = format!("{other}\nfallback = false\nif_fails = \"hangup\"");
    let closed = FLOW.replace("answered_means = \"queue\"", hours).replace(other, &last) + office;
    let own = "if_fails            = \"other\"\n";
    for (flow, path, forwards) in [
        (closed.replace(own, ""), vec!["line error", "callback next"], vec!["other"]),
        (closed, vec!["line error"], vec!["other"]),
    ] {
        // It is midnight.
        let mut phone = phone(&flow, facts(), Obedient::default());
        phone.wait(5);
        assert_eq!(phone.path(), path);
        assert_eq!(phone.forwards(), forwards);
        assert!(phone.notes().contains(&"closed"));
    }
}

#[test]
fn ic_04_a_target_that_failed_once_and_then_took_the_call_is_there_for_whoever_leaves_the_line() {
    let missing_prompts = vec!["callback".to_owned()];
    let targets = [("agents".into(), None)].into();
    let world = Obedient { targets, missing_prompts, ..Obedient::default() };
    let mut phone = phone(FLOW, facts(), world);
    phone.wait(6);
    phone.0.input(Input::Target(TargetOutcome::Failed { status: Some(503) }));
    phone.wait(21);
    assert_eq!(phone.path(), ["line next", "queue_offer timeout", "line …"]);
    phone.0.input(Input::Target(TargetOutcome::Answered { human: false }));
    assert_eq!(phone.line().last(), Some(&"queue"), "{:?}", phone.line());
    // Nobody comes, and what is said then can't be played: back to the person that was waited for.
    phone.wait(94);
    assert_eq!(phone.path().last().map(String::as_str), Some("callback error"));
    assert_eq!(phone.line().last(), Some(&"queue"), "{:?}", phone.line());
    assert!(!phone.has(&Output::StopForward), "the place is kept");
}

#[test]
fn a_queue_that_drops_the_caller_is_called_again() {
    let mut phone = phone(FLOW, facts(), Obedient::default());
    phone.wait(3);
    phone.0.input(Input::Target(TargetOutcome::Ended { by_caller: false }));
    assert_eq!(phone.line()[3..], ["music"]);
    phone.wait(2).press('2').wait(20);
    let line = phone.line();
    assert_eq!(line[4..], ["prompt", "music", "call", "queue"], "{line:?}");
    assert_eq!(phone.end(), None);
}

#[test]
fn ic_01_the_operator_key_in_an_offer_leads_back_into_the_line() {
    let mut phone = phone(FLOW, facts(), Obedient::default());
    phone.wait(5).press('0').wait(1);
    let line = phone.line();
    assert_eq!(line[3..], ["off", "prompt", "queue"], "the place is kept: {line:?}");
    assert!(!phone.has(&Output::StopForward));
}

#[test]
fn ic_01_who_stays_on_the_phone_keeps_the_place_and_is_not_asked_again_in_this_call() {
    // By the key, by the operator's key, by silence.
    for (keys, answer) in [
        ("2", OfferResponse::Declined),
        ("0", OfferResponse::Declined),
        ("", OfferResponse::Timeout),
    ] {
        let mut phone = phone(FLOW, facts(), Obedient::default());
        phone.wait(5);
        keys.chars().for_each(|label| {
            phone.press(label);
        });
        phone.wait(11);
        // The queue drops the caller, who is long enough in line again for another offer. To who
        // asked for the operator it is the person called: there its BYE ends the call.
        if keys != "0" {
            phone.0.input(Input::Target(TargetOutcome::Ended { by_caller: false }));
        }
        phone.wait(35);
        assert_eq!(
            phone.heard().iter().filter(|name| **name == "queue-offer").count(),
            1,
            "{keys}"
        );
        let answers: Vec<_> = phone.offers().into_iter().map(|offer| offer.1).collect();
        assert_eq!(answers, [answer], "{keys}");
        assert_eq!(phone.line().last(), Some(&"queue"), "{keys}: {:?}", phone.line());
        assert!(!phone.has(&Output::StopForward), "{keys}");
    }
}

#[test]
fn kh_04_an_offer_while_waiting_behaves_as_elsewhere_and_its_record_names_the_stage() {
    // The same offer, met first; that in line is far off.
    let elsewhere = FLOW
        .replace("start   = \"line\"", "start   = \"queue_offer\"")
        .replace("\"in-queue\"", "\"every-call\"")
        .replace("offer_after_seconds = 5", "offer_after_seconds = 100");
    let untextable = || Facts { can_receive_text: Some(false), ..facts() };
    for (facts, keys, seconds) in [
        (facts(), "1", 10),
        (facts(), "2", 1),
        (facts(), "0", 1),
        (facts(), "7", 30),
        (facts(), "", 30),
        (untextable(), "", 1),
    ] {
        let [told, asked] = [(FLOW, 5), (elsewhere.as_str(), 0)].map(|(flow, after)| {
            let mut phone = phone(flow, facts.clone(), Obedient::default());
            phone.wait(after);
            keys.chars().for_each(|label| {
                phone.press(label);
            });
            phone.wait(seconds);
            let [(stage, response, key, reason)] = &phone.offers()[..] else {
                panic!("{keys}: {:?}", phone.offers())
            };
            let heard: Vec<_> = phone.heard().into_iter().map(str::to_owned).collect();
            let texts: Vec<_> = phone.texts().iter().map(|text| text.message.clone()).collect();
            (stage.clone(), (*response, *key, reason.clone(), heard, texts, phone.end()))
        });
        assert_eq!((told.0.as_str(), asked.0.as_str()), ("in-queue", "every-call"));
        assert_eq!(told.1, asked.1, "{keys}");
    }
}

#[test]
fn max_minutes_and_a_drain_take_no_place_away() {
    let short = FLOW.replace("human   = \"agents\"", "human = \"agents\"\nmax_minutes = 1");
    let short = short.replace("reinvite", "header:X-Agent");
    let mut phone = phone(&short, facts(), Obedient::default());
    phone.wait(5).press('2').wait_ms(100);
    phone.0.world.targets.clear();
    phone.0.input(Input::OperatorBridge);
    assert!(phone.0.call.is_bridged());
    assert!(!phone.has(&Output::StopForward));
    phone.wait(600).hang_up();
    assert_eq!(phone.end(), Some((EndReason::Forwarded, Handled::Human)));
}

#[test]
fn ex_27_who_has_waited_long_enough_is_offered_a_callback_then_a_message_and_never_dropped() {
    let steps = r#"
[step.callback]
do       = "callback"
play     = "callback.wav"
then     = "hangup"
no_input = "box"
if_fails = "box"
[step.box]
do       = "voicemail"
play     = "box.wav"
if_fails = "other"
"#;
    let flow = FLOW.split("[step.callback]").next().unwrap_or_default().to_owned() + steps;
    let shared = Shared { calls_back: true, ..Shared::default() };
    let checked = load(&flow, "flow.toml", &shared, &AnyPrompt);
    let flow = Arc::new(checked.flow.unwrap_or_else(|| panic!("{:#?}", checked.findings)));
    let busy = || target_says(&[("agents", TargetOutcome::Busy { status: 486 })]);
    let after_the_wait = |world: Obedient| {
        let facts = Facts { country: "GB".into(), ..facts() };
        let call = Call::new(Duration::ZERO, Arc::clone(&flow), facts);
        let mut phone = Phone(Stage::new(call, world, Duration::ZERO));
        phone.wait(125);
        assert_eq!(phone.heard().last(), Some(&"callback"), "{:?}", phone.path());
        phone
    };
    let mut booked = after_the_wait(busy());
    booked.press('1').press('1').wait(30);
    assert_eq!(booked.end(), Some((EndReason::CallbackBooked, Handled::NoHuman)));

    let full = Obedient { callback: Some(CallbackOutcome::Full), ..busy() };
    let mut left = after_the_wait(full);
    left.press('1').press('1').wait(40);
    assert!(left.heard().contains(&"box"), "{:?}", left.heard());
    assert_eq!(left.end(), Some((EndReason::Voicemail, Handled::NoHuman)));

    // No callback, no message: a person all the same.
    let none = Obedient { callback: None, voice: None, ..busy() };
    let mut forwarded = after_the_wait(none);
    forwarded.press('1').press('1').wait(200);
    assert_eq!(forwarded.forwards().last(), Some(&"other"), "{:?}", forwarded.path());
}
