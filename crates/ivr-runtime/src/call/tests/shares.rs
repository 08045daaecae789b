//! Shares of callers: offers to a tenth of them, and the control group that hears none.

use super::*;
use crate::flow::{
    AnyPrompt, Shared, load,
    model::{Does, Fact, FieldTest, Share},
};

#[test]
fn dp_22_a_share_of_ten_reaches_a_tenth_and_always_the_same_callers() {
    let offered = |share: u8, caller_seed: u64| {
        let draft = offering(|_, offer| offer.share = share.into());
        let facts = Facts { caller_seed, ..facts() };
        Phone::call_with(draft, facts, Obedient::default()).suppressed().is_empty()
    };
    let mut reached = 0;
    for seed in 0..1_000 {
        let ten = offered(10, seed);
        assert_eq!(ten, offered(10, seed), "stable per caller");
        assert!(!ten || offered(50, seed), "a wider ramp keeps the callers it had");
        reached += u32::from(ten);
    }
    assert!((70..=130).contains(&reached), "{reached} of 1,000");
}

#[test]
fn the_control_group_hears_no_offer_and_is_marked_before_the_first_step() {
    let (mut holdouts, mut offered) = (0, 0);
    for caller_seed in 0..1_000 {
        let mut draft = offering(|_, _| {});
        draft.flow.holdout_percent = 10;
        let facts = Facts { caller_seed, ..facts() };
        let phone = Phone::call_with(draft, facts, Obedient::default());
        let Some(Record::Arm { holdout }) = phone.0.records().next() else { panic!("no arm") };
        holdouts += u32::from(*holdout);
        let suppressed = phone.suppressed();
        offered += u32::from(suppressed.is_empty());
        assert_eq!(*holdout, suppressed == ["holdout"]);
    }
    assert_eq!(holdouts + offered, 1_000);
    assert!((70..=130).contains(&holdouts), "{holdouts} of 1,000");
}

#[test]
fn dp_22_a_share_grows_by_dates_and_keeps_the_callers_it_had() {
    const DAY_MS: i64 = 86_400_000;
    let offered = |day: i64, caller_seed: u64| {
        let first = facts().start_ms;
        let share = Share(vec![(first, 10), (first + 14 * DAY_MS, 50)]);
        let draft = offering(|_, offer| offer.share = share);
        let facts = Facts { caller_seed, start_ms: first + day * DAY_MS, ..facts() };
        Phone::call_with(draft, facts, Obedient::default()).suppressed() != ["share"]
    };
    let count = |day| (0..1_000).filter(|seed| offered(day, *seed)).count();
    assert_eq!(count(-1), 0, "not before the first day");
    let (tenth, half) = (count(0), count(14));
    assert!((70..130).contains(&tenth) && (450..550).contains(&half), "{tenth} {half}");
    assert!((0..1_000).filter(|seed| offered(13, *seed)).all(|seed| offered(20, seed)));
}

#[test]
fn dp_22_a_list_of_shares_grows_step_by_step_from_its_day_on() {
    const RAMP: &str = r#"
version = 1
[flow]
name = "Ramp"
default = true
start = "ask"
human = "agents"
[target.agents]
sip = "sip:agents@127.0.0.1:5080"
answered_means = "human"
[link.chat]
url = "https://help.example.com/chat"
[step.ask]
do = "offer"
link = "chat"
share = SHARE
play = "offer.wav"
press = { 1 = "text_me" }
accept = ["1"]
no_input = "agents"
if_not_offered = "agents"
[step.text_me]
do = "text"
link = "chat"
message = "Example: {link}"
then = "hangup"
if_fails = "agents"
"#;
    const DAY_MS: i64 = 86_400_000;
    let share = |keys: &str| {
        let flow = RAMP.replace("SHARE", keys);
        let checked = load(&flow, "ramp.toml", &Shared::default(), &AnyPrompt);
        let flow = checked.flow.unwrap_or_else(|| panic!("{:#?}", checked.findings));
        flow.steps.iter().find_map(|step| match &step.does {
            Does::Offer(offer) => Some(offer.share.clone()),
            _ => None,
        })
    };
    let day = "2026-12-01T00:00:00Z".parse::<jiff::Timestamp>().expect("a day").as_millisecond();
    let weekly = share("[10, 25, 50]\nshare_from = \"2026-12-01\"").expect("an offer");
    let at = |day_no: i64| weekly.at(day + day_no * DAY_MS);
    assert_eq!([-1, 0, 6, 7, 13, 14, 1_000].map(at), [0, 10, 10, 25, 25, 50, 50]);
    assert_eq!(weekly.at(day - 1), 0, "to the millisecond");
    let daily = share("[1, 100]\nshare_from = \"2026-12-01\"\nshare_step_days = 1");
    let table = share("{ \"2026-12-01\" = 1, \"2026-12-02\" = 100 }");
    assert_eq!(daily, table);
}

#[test]
fn kh_05_all_but_the_control_group_and_those_a_rule_excludes_hear_the_offer() {
    let visits = Fact::Field { field: "site_visits".into(), test: FieldTest::AtLeast(3.0) };
    let (mut heard, mut held_out, mut excluded) = (0, 0, 0);
    for seed in 0..100 {
        let draft = offering(|_, offer| offer.stage = "every-call".into());
        let mut draft = draft.rule("failed_there", visits.clone());
        draft.flow.holdout_percent = 10;
        let rule = draft.rule_id("failed_there");
        for step in &mut draft.flow.steps {
            if let Does::Offer(offer) = &mut step.does {
                offer.never_if.push(rule);
            }
        }
        let mut facts = Facts { caller_seed: seed, ..facts() };
        facts.fields.insert("site_visits".into(), (seed % 5).to_string());
        let mut phone = Phone::call_with(draft, facts, Obedient::default());
        phone.wait(1);
        let control =
            phone.0.records().any(|record| matches!(record, Record::Arm { holdout: true }));
        let ruled_out = seed % 5 >= 3;
        let (response, reason) = match (control, ruled_out) {
            (true, _) => (OfferResponse::Suppressed, Some("holdout".to_owned())),
            (false, true) => (OfferResponse::Suppressed, Some("never_if:failed_there".to_owned())),
            (false, false) => (OfferResponse::Pending, None),
        };
        let is_heard = reason.is_none();
        assert_eq!(phone.offers(), [("every-call".into(), response, None, reason)], "seed {seed}");
        assert_eq!(phone.heard().contains(&"offer-text"), is_heard, "seed {seed}");
        heard += usize::from(is_heard);
        held_out += usize::from(control);
        excluded += usize::from(ruled_out && !control);
    }
    assert!((3..20).contains(&held_out), "{held_out} of 100 in a control group of 10 %");
    assert!(heard > 40 && excluded > 25, "{heard} {excluded}");
}
