//! EX-30: a person on the line has a link sent.

use super::*;

fn helped() -> Draft {
    Draft::new(&["welcome", "agents_link"], &["agents"])
        .step("welcome", |draft| Does::Say { play: sound("hello"), then: draft.go("agents") })
        .step("agents_link", |draft| Does::Text(draft.text("hangup")))
        .target("agents", |draft, target| {
            let Go::Step(step) = draft.go("agents_link") else { panic!("no step") };
            target.send_link = Some(step);
        })
}

fn bridged(draft: Draft, facts: Facts) -> Phone {
    let mut phone = Phone::call_with(draft, facts, Obedient::default());
    phone.wait(6);
    assert!(phone.0.call.is_bridged());
    phone
}

fn refused(phone: &Phone) -> Vec<Option<&str>> {
    let records = phone.0.records().filter_map(|record| match record {
        Record::SendLink { why_not, .. } => Some(why_not.as_deref()),
        _ => None,
    });
    records.collect()
}

#[test]
fn ex_30_the_link_goes_out_mid_call_and_the_record_says_who_wanted_it() {
    let mut phone = bridged(helped(), facts());
    phone.0.input(Input::SendLink);
    phone.wait(2);
    let texts = phone.texts();
    assert_eq!(texts.len(), 1);
    assert_eq!((texts[0].step.as_str(), texts[0].pressed), ("agents_link", None));
    assert_eq!((&*texts[0].asked_in, &*texts[0].prompt), (AGENT_INITIATED, AGENT_INITIATED));
    let offer = ("agent".to_owned(), OfferResponse::Accepted, None, Some(AGENT_INITIATED.into()));
    assert_eq!(phone.offers(), [offer]);
    assert_eq!(refused(&phone), [None]);
    assert!(phone.0.call.is_bridged(), "they talk on");
    phone.hang_up();
    assert_eq!(phone.end().map(|(reason, _)| reason), Some(EndReason::Forwarded), "no deflection");
}

#[test]
fn ex_30_what_holds_for_every_text_holds_for_it_too() {
    let with = |change: fn(&mut Facts)| {
        let mut facts = facts();
        change(&mut facts);
        let mut phone = bridged(helped(), facts);
        phone.0.input(Input::SendLink);
        assert!(phone.texts().is_empty() && phone.offers().is_empty());
        refused(&phone).into_iter().flatten().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(with(|facts| facts.withheld = true), ["withheld"]);
    assert_eq!(with(|facts| facts.caller = None), ["withheld"]);
    assert_eq!(with(|facts| facts.can_receive_text = Some(false)), ["not_textable"]);
    assert_eq!(with(|facts| facts.opted_out = true), ["opted_out"]);
    assert_eq!(with(|facts| facts.to_confirm = true), ["number_not_confirmed"]);
    assert_eq!(with(|facts| facts.links_down = vec!["chat".into()]), ["destination_down"]);
    assert_eq!(with(|facts| facts.call_is = vec!["priority".into()]), ["protected"]);
    assert_eq!(with(|facts| facts.bypass = Some(Bypass::Overload)), ["bypassed"]);
}

#[test]
fn ex_30_a_number_that_its_trunk_wants_confirmed_may_be_confirmed_to_the_agent() {
    let mut doubted = facts();
    doubted.to_confirm = true;
    let mut phone = bridged(helped(), doubted.clone());
    phone.0.input(Input::SendLink);
    phone.0.input(Input::SendLinkConfirmed);
    assert_eq!(refused(&phone), [Some("number_not_confirmed"), None]);
    assert!(phone.texts().len() == 1 && phone.texts()[0].to.is_none());
    // A number that there is not is confirmed by nobody.
    let mut phone = bridged(helped(), Facts { withheld: true, ..doubted });
    phone.0.input(Input::SendLinkConfirmed);
    assert_eq!(refused(&phone), [Some("withheld")]);
}

#[test]
fn ex_30_without_a_bridge_or_a_text_nothing_is_sent() {
    let mut phone = Phone::call(helped());
    phone.wait(1);
    phone.0.input(Input::SendLink);
    assert_eq!(refused(&phone), [Some("not_bridged")]);
    let draft = helped().target("agents", |_, target| target.send_link = None);
    let mut phone = bridged(draft, facts());
    phone.0.input(Input::SendLink);
    assert_eq!(refused(&phone), [Some("no_link")]);
    assert!(phone.texts().is_empty());
}
