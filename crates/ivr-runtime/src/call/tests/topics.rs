//! What a caller is about decides where they are led: by key, by topic, by who they are.

use super::*;
use crate::{
    flow::{AnyPrompt, Sender, Shared, load},
    speech::Way,
};

const FLOW: &str = r#"
version = 1
[flow]
name          = "Topics"
numbers       = ["+442079460019"]
start         = "main"
human         = "agents"
media_intents = ["damage"]
[target.agents]
sip            = "sip:queue@pbx.example.net"
answered_means = "human"
[target.disputes]
sip            = "sip:disputes@pbx.example.net"
answered_means = "human"
[link.chat]
url = "https://help.example.com/chat"
[link.orders]
url = "https://help.example.com/orders"
[link.premium]
url = "https://help.example.com/premium"
[rule.premium]
customer_type = ["premium"]
[rule.about_orders]
intent = ["orders"]
[rule.complex]
intent = ["billing_dispute"]
[step.main]
do       = "menu"
play     = "main.wav"
press    = { 1 = "text_me", 2 = "damage", 3 = "orders", 4 = "who", 5 = "dispute" }
no_input = "agents"
[step.text_me]
do       = "text"
link     = "chat"
message  = "Example: {link}"
then     = "hangup"
if_fails = "agents"
[step.damage]
do     = "set"
intent = "damage"
then   = "channel_offer"
[step.orders]
do     = "set"
intent = "orders"
then   = "choose"
[step.who]
do         = "lookup"
url        = "https://crm.example.net/caller"
save       = ["customer_type"]
then       = "choose"
if_fails   = "choose"
[step.choose]
do        = "decide"
case      = [{ if = "premium", go = "text_premium" }, { if = "about_orders", go = "text_orders" }]
otherwise = "text_chat"
[step.text_chat]
do       = "text"
link     = "chat"
message  = "Example: {link}"
then     = "agents"
[step.text_premium]
do       = "text"
link     = "premium"
message  = "Example: {link}"
then     = "agents"
[step.text_orders]
do       = "text"
link     = "orders"
message  = "Example: {link}"
then     = "agents"
[step.dispute]
do     = "set"
intent = "billing_dispute"
then   = "dispute_offer"
[step.dispute_offer]
do             = "offer"
link           = "chat"
never_if       = ["complex"]
play           = "offer.wav"
press          = { 1 = "text_me" }
accept         = ["1"]
no_input       = "disputes"
if_not_offered = "disputes"
[step.channel_offer]
do             = "offer"
link           = "chat"
play           = "offer.wav"
press          = { 1 = "which" }
accept         = ["1"]
no_input       = "agents"
if_not_offered = "agents"
[step.which]
do       = "menu"
play     = [
  { play = "press-1-for-sms.wav", needs = ["channel_sms"] },
  { play = "press-2-for-whatsapp.wav", needs = ["channel_whatsapp"] },
]
press    = { 1 = "by_sms", 2 = "by_whatsapp", 3 = "by_either" }
no_input = "agents"
[step.by_sms]
do       = "text"
via      = ["uk"]
link     = "chat"
message  = "Example: {link}"
then     = "hangup"
if_fails = "agents"
[step.by_whatsapp]
do       = "text"
via      = ["wa"]
link     = "chat"
message  = "Example: {link}"
then     = "hangup"
if_fails = "agents"
[step.by_either]
do       = "text"
via      = ["uk", "wa"]
link     = "chat"
message  = "Example: {link}"
then     = "hangup"
if_fails = "agents"
"#;

#[test]
fn kh_01_a_key_leads_to_the_digital_channel_and_no_agent_leg_is_set_up() {
    let mut phone = phone(FLOW, Obedient::default());
    phone.press('1').wait(30);
    assert_eq!(urls(&phone), ["https://help.example.com/chat"]);
    let legs = |output: &Output| matches!(output, Output::Forward { .. });
    assert!(!phone.0.outputs().iter().any(legs), "no leg to anybody");
    assert_eq!(phone.end(), Some((EndReason::Deflected, Handled::NoHuman)));
}

#[test]
fn ex_26_a_topic_that_needs_a_picture_is_offered_channels_that_carry_one() {
    // Without such a topic both are spoken and taken.
    let plain = FLOW.replace("media_intents = [\"damage\"]", "");
    let mut phone = phone(&plain, Obedient::default());
    phone.press('2').press('1').wait(1);
    assert_eq!(phone.heard()[2..], ["press-1-for-sms", "press-2-for-whatsapp"]);
    phone.press('1').wait(5);
    assert_eq!(vias(&phone), [["uk"]]);

    // With it, the SMS is neither spoken nor taken.
    let mut phone = self::phone(FLOW, Obedient::default());
    phone.press('2').press('1').wait(1);
    assert_eq!(phone.heard()[2..], ["press-2-for-whatsapp"]);
    phone.press('1').wait(1);
    assert_eq!(phone.heard()[3..], ["press-2-for-whatsapp"], "1 is no key of this call");
    assert!(phone.texts().is_empty());
    phone.press('2').wait(5);
    assert_eq!(vias(&phone), [["wa"]]);

    // Of several senders of one text, only those that carry it are asked.
    let mut phone = self::phone(FLOW, Obedient::default());
    phone.press('2').press('1').press('3').wait(5);
    assert_eq!(vias(&phone), [["wa"]]);
}

#[test]
fn ex_26_no_offer_and_no_text_where_nothing_behind_it_carries_the_picture() {
    // The offer leads to an SMS alone.
    let flow = FLOW.replace("press          = { 1 = \"which\" }", "press = { 1 = \"by_sms\" }");
    let flow = flow.replace("3 = \"by_either\" }", "3 = \"by_either\", 4 = \"channel_offer\" }");
    let flow = flow.replace("4 = \"who\"", "4 = \"who\", 6 = \"which\"");
    let mut phone = phone(&flow, Obedient::default());
    phone.press('2').wait(5);
    assert_eq!(phone.suppressed(), ["no_media"]);
    assert_eq!((phone.heard(), phone.forwards()), (vec!["main"], vec!["agents"]));
    // A step that a key does not lead to straight away: the text fails before anybody is asked.
    let flow = FLOW.replace("press = { 1 = \"by_sms\"", "press = { 1 = \"late\"")
        + "[step.late]\ndo = \"say\"\nplay = \"moment.wav\"\nthen = \"by_sms\"\n";
    let flow = flow.replace("{ 1 = \"by_sms\", 2", "{ 1 = \"late\", 2");
    let mut phone = self::phone(&flow, Obedient::default());
    phone.press('2').press('1').press('1').wait(20);
    assert!(phone.texts().is_empty());
    assert_eq!(phone.notes().last(), Some(&"no_media"));
    assert_eq!(phone.forwards(), ["agents"]);
}

#[test]
fn ex_26_a_configuration_in_which_nothing_carries_pictures_is_refused() {
    let senders = vec![crate::sim::draft::sender("uk", "sms", false)];
    let flow = FLOW.replace("via      = [\"wa\"]", "").replace("\"uk\", \"wa\"", "\"uk\"");
    let checked = load(&flow, "flow.toml", &shared(senders), &AnyPrompt);
    let told: Vec<_> = checked.findings.iter().map(|found| format!("{found:?}")).collect();
    let told = told.join("\n");
    assert!(checked.flow.is_none() && told.contains("no sender carries the pictures"), "{told}");
}

#[test]
fn lp_05_the_link_is_the_one_of_the_caller_s_type_and_else_of_their_topic() {
    let crm = |kind: &str| {
        let values = [("customer_type".to_owned(), kind.to_owned())].into();
        let fetched = [("who".to_owned(), FetchOutcome::Values(values))].into();
        Obedient { fetched, ..Obedient::default() }
    };
    for (key, world, url) in [
        ('4', crm("premium"), "https://help.example.com/premium"),
        ('4', crm("basic"), "https://help.example.com/chat"),
        ('4', Obedient::default(), "https://help.example.com/chat"),
        ('3', Obedient::default(), "https://help.example.com/orders"),
    ] {
        let mut phone = phone(FLOW, world);
        phone.press(key).wait(20);
        assert_eq!(urls(&phone), [url], "{key}: {:?}", phone.path());
    }
}

#[test]
fn dp_20_a_high_stakes_topic_is_offered_nothing_and_goes_to_its_own_people() {
    let mut phone = phone(FLOW, Obedient::default());
    phone.press('5').wait(5);
    assert_eq!(phone.suppressed(), ["never_if:complex"]);
    assert_eq!((phone.heard(), phone.texts().len()), (vec!["main"], 0), "nothing was offered");
    assert_eq!(phone.forwards(), ["disputes"]);
}

fn shared(senders: Vec<Sender>) -> Shared {
    let public_url = Some("https://c.example.com".into());
    Shared { senders, public_url, ..Shared::default() }
}

fn phone(flow: &str, world: Obedient) -> Phone {
    let sender = crate::sim::draft::sender;
    let mut pool = sender("pool", "sms", false);
    pool.from = "MG0123456789abcdef0123456789abcdef".into();
    let senders = vec![sender("uk", "sms", false), sender("wa", "whatsapp", true), pool];
    let checked = load(flow, "flow.toml", &shared(senders), &AnyPrompt);
    let flow = checked.flow.unwrap_or_else(|| panic!("{:#?}", checked.findings));
    let call = Call::new(Duration::ZERO, Arc::new(flow), facts());
    let mut phone = Phone(Stage::new(call, world, Duration::ZERO));
    phone.wait_ms(0);
    phone
}

fn vias(phone: &Phone) -> Vec<Vec<&str>> {
    let texts = phone.texts().into_iter();
    texts.map(|text| text.via.iter().map(String::as_str).collect()).collect()
}

fn urls(phone: &Phone) -> Vec<String> {
    let links = phone.texts().into_iter().flat_map(|text| text.links.iter());
    links.map(|link| link.url.clone()).collect()
}

#[test]
fn dp_19_each_transition_is_said_before_the_next_thing_happens() {
    let failed = TextOutcome::Failed { class: "ProviderDown".into() };
    let accepted = TextOutcome::Accepted { sender: "uk".into() };
    for (outcome, told, forwards) in [
        (accepted, "sent", &[][..]),
        (failed, "not-sent", &["agents"]),
        (TextOutcome::Ambiguous, "may-still-arrive", &["agents"]),
    ] {
        let mut phone = phone(FLOW, saying(outcome));
        phone.press('1').wait(90);
        assert_eq!(phone.heard()[..3], ["main", "one-moment", told]);
        assert_eq!(phone.forwards(), forwards);
        let outputs = phone.0.outputs();
        let said = outputs.iter().rposition(|output| matches!(output, Output::Play { .. }));
        let next = |output: &Output| matches!(output, Output::Forward { .. } | Output::HangUp);
        assert!(said < outputs.iter().position(next), "said first, and then done");
    }
    // Nobody can be reached: that is said too.
    let dead = TargetOutcome::Failed { status: Some(503) };
    let mut phone = phone(FLOW, target_says(&[("agents", dead)]));
    phone.press('0').wait(30);
    assert_eq!(phone.heard(), ["main", "apology"]);
}

/// Names of the fragments of a value, as they are heard.
fn spoken(way: Way, value: &str) -> Vec<String> {
    crate::speech::say(crate::speech::Language::EnGb, way, value).unwrap()
}

#[test]
fn ex_16_who_was_sent_a_text_hears_from_whom_and_for_how_long_as_far_as_that_is_so() {
    let page = FLOW.replace("[link.chat]", "[link.chat]\ntracked = true\nexpires_hours = 48");
    let from = || {
        let number = spoken(Way::Phone, "+447700900999");
        [vec!["sent-from".to_owned()], number].concat()
    };
    let named = || vec!["sent-by-name".to_owned()];
    let page = |hours: u32| page.replace("= 48", &format!("= {hours}"));
    let valid = |prompts: &[&str]| prompts.iter().map(|name| (*name).to_owned()).collect();
    let days: Vec<String> = valid(&["sent-valid", "f-2", "sent-days"]);
    for (flow, sender, said) in [
        (FLOW.to_owned(), "uk", from()),
        (FLOW.to_owned(), "wa", named()),
        (page(48), "uk", [from(), days].concat()),
        (page(24), "wa", [named(), valid(&["sent-one-day"])].concat()),
        (page(3), "wa", [named(), valid(&["sent-valid", "f-3", "f-hour-many"])].concat()),
        // It went out a moment ago, by whichever sender, and its link is as old as that.
        (page(71), "", valid(&["another-mobile"])),
        (page(24), "", valid(&["another-mobile"])),
        // A service picks one of many numbers.
        (FLOW.to_owned(), "pool", vec![]),
    ] {
        let outcome = match sender {
            "" => TextOutcome::Duplicate,
            sender => TextOutcome::Accepted { sender: sender.into() },
        };
        let mut phone = phone(&flow, saying(outcome));
        phone.press('1').wait(120);
        assert_eq!(phone.heard()[2], "sent");
        assert_eq!(phone.heard()[3..], said, "{sender}");
    }
}
