//! Links whose destination is asked before they are offered, and what a link hands over.

use std::collections::BTreeMap;

use super::*;
use crate::{
    flow::{AnyPrompt, Shared, load, model::Level},
    sim::LinkIs,
};

const FLOW: &str = r#"
version = 1
[flow]
name    = "Test"
numbers = ["+442079460019"]
start   = "hello"
human   = "agents"
[target.agents]
sip            = "sip:queue@pbx.example.net"
answered_means = "queue"
human_signal   = "reinvite"
[target.other]
sip            = "sip:other@pbx.example.net"
answered_means = "human"
[link.chat]
kind = "http"
url  = "https://help.example.com/free"
[link.status]
kind          = "signed"
url           = "https://shop.example.com/orders/{order_ref}"
if_missing    = "pages"
context       = ["customer_id", "path", "language"]
context_level = "L2"
[link.pages]
url = "https://help.example.com/pages"
[step.hello]
do   = "set"
then = "offer"
[step.offer]
do             = "offer"
link           = "chat"
play           = "offer.wav"
press          = { 1 = "text_me", 2 = "menu" }
accept         = ["1"]
no_input       = "menu"
if_not_offered = "menu"
[step.text_me]
do       = "text"
link     = "chat"
message  = "Example: {link}"
then     = "hangup"
if_fails = "other"
[step.menu]
do       = "menu"
play     = "menu.wav"
press    = { 1 = "text_me", 2 = "who" }
no_input = "agents"
[step.who]
do         = "lookup"
url        = "https://crm.example.net/{caller_key}"
save       = ["customer_id", "order_ref"]
auth_level = "L2"
then       = "choose"
if_fails   = "other"
[step.choose]
do       = "menu"
play     = "choose.wav"
press    = { 1 = "status" }
no_input = "agents"
[step.status]
do       = "text"
link     = "status"
message  = "Example: {link}"
then     = "hangup"
if_fails = "other"
"#;

fn phone(flow: &str, facts: Facts, world: Obedient) -> Phone {
    let public_url = Some("https://c.example.com".to_owned());
    let shared = Shared { public_url, ..Shared::default() };
    let checked = load(flow, "flow.toml", &shared, &AnyPrompt);
    let flow = checked.flow.unwrap_or_else(|| panic!("{:#?}", checked.findings));
    let facts = Facts { fields: [("caller_key".to_owned(), "k1".to_owned())].into(), ..facts };
    let call = Call::new(Duration::ZERO, Arc::new(flow), facts);
    let mut phone = Phone(Stage::new(call, world, Duration::ZERO));
    phone.wait_ms(0);
    phone
}

fn chat_is(is: LinkIs) -> Obedient {
    Obedient { links: BTreeMap::from([("chat".to_owned(), is)]), ..Obedient::default() }
}

#[test]
fn lp_02_an_offer_is_spoken_only_when_its_destination_says_that_somebody_is_there() {
    for (is, reason) in [(LinkIs::NotAvailable, "not_available"), (LinkIs::Down, "check_failed")] {
        let mut phone = phone(FLOW, facts(), chat_is(is));
        assert_eq!(phone.heard(), [] as [&str; 0], "nothing is played before it is known");
        phone.wait(1);
        assert_eq!(phone.suppressed(), [reason]);
        assert_eq!(phone.heard(), ["menu"]);
    }
    let mut phone = phone(FLOW, facts(), Obedient::default());
    assert!(!phone.has(&Output::Answer), "unanswered while it is asked");
    phone.wait(1);
    assert_eq!(phone.heard(), ["offer"]);
}

#[test]
fn lp_02_a_destination_that_says_nothing_is_waited_for_as_long_as_the_link_allows() {
    let world = || Obedient { links: BTreeMap::new(), ..Obedient::default() };
    let slow = FLOW.replace("/free\"", "/free\"\ntimeout_ms = 250");
    let mut quick = phone(&slow, facts(), world());
    quick.wait_ms(240);
    assert_eq!(quick.path(), ["hello next", "offer …"]);
    quick.wait_ms(20);
    assert_eq!(quick.suppressed(), ["check_failed"], "its answer after 300 ms is too late");
    let unknown_is_good = slow.replace("timeout_ms", "if_unknown = \"available\"\ntimeout_ms");
    let mut phone = phone(&unknown_is_good, facts(), world());
    phone.wait_ms(260);
    assert_eq!(phone.heard(), ["offer"]);
}

#[test]
fn lp_01_what_the_destination_said_is_sent_and_not_after_its_lifetime() {
    let mut phone = phone(FLOW, facts(), Obedient::default());
    phone.wait(1).press('1').wait(10);
    let text = phone.texts()[0];
    assert_eq!(text.links[0].url, "https://chat.example/here");
    assert_eq!(text.not_after_ms, Some(1_767_225_600_000 + 300 + 600_000));
    // The world's lifetime is ten minutes: over it, the destination is asked again.
    let patient = FLOW.replace("[step.offer]", "[step.offer]\ntries = 5\ntimeout_ms = 60000");
    let patient = patient.replace("name    =", "max_minutes = 60\nname    =");
    let mut late = self::phone(&patient, facts(), Obedient::default());
    let asked =
        |phone: &Phone| phone.0.outputs().iter().filter(|o| matches!(o, Output::Fetch(_))).count();
    late.wait(1);
    for _ in 0..4 {
        late.wait(63);
    }
    assert_eq!(asked(&late), 1);
    // Four tries later the offer still stands; its address is good for six minutes more.
    late.press('1').wait(10);
    assert_eq!((asked(&late), late.texts().len()), (1, 1));
}

#[test]
fn lp_01_an_address_whose_time_is_over_is_asked_for_anew_and_an_offer_uses_it_once() {
    let again = FLOW.replace(
        "then     = \"hangup\"\nif_fails = \"other\"\n[step.menu]",
        "then     = \"menu\"\nif_fails = \"other\"\n[step.menu]",
    );
    let mut phone = phone(&again, facts(), Obedient::default());
    let asked =
        |phone: &Phone| phone.0.outputs().iter().filter(|o| matches!(o, Output::Fetch(_))).count();
    phone.wait(1).press('1').wait(17);
    assert_eq!((asked(&phone), phone.texts().len()), (1, 1));
    phone.press('1').wait(10);
    assert_eq!((asked(&phone), phone.texts().len()), (2, 2), "one-time: never used twice");
}

#[test]
fn a_text_whose_destination_is_gone_by_then_is_not_sent() {
    let world = chat_is(LinkIs::NotAvailable);
    let mut phone = phone(FLOW, facts(), world);
    phone.wait(1).press('1').wait(10);
    assert!(phone.texts().is_empty());
    assert_eq!(phone.forwards(), ["other"]);
    assert!(phone.notes().contains(&"failed:not_available"), "{:?}", phone.notes());
    assert!(phone.heard().contains(&"not-sent"));
}

#[test]
fn ex_05_a_link_whose_checks_fail_is_neither_offered_nor_sent() {
    let down = Facts { links_down: vec!["chat".into()], ..facts() };
    let mut phone = phone(FLOW, down, Obedient::default());
    assert_eq!(phone.suppressed(), ["destination_down"]);
    phone.press('1').wait(10);
    assert!(phone.texts().is_empty());
    assert_eq!(phone.forwards(), ["other"]);
}

#[test]
fn a_destination_is_asked_while_the_prompt_before_its_offer_plays() {
    let flow = FLOW
        .replace("[step.hello]\ndo   = \"set\"", "[step.hello]\ndo   = \"say\"\nplay = \"hi.wav\"");
    let mut phone = phone(&flow, facts(), Obedient::default());
    phone.wait_ms(10);
    assert!(phone.0.outputs().iter().any(|o| matches!(o, Output::Fetch(_))));
    phone.wait_ms(3_000);
    assert_eq!(phone.heard(), ["hi", "offer"], "no silence between them");
}

#[test]
fn an_offer_in_line_is_asked_for_while_the_caller_hears_the_line() {
    let flow = FLOW.replace("start   = \"hello\"", "start   = \"line\"")
        + r#"
[step.line]
do                  = "wait"
target              = "agents"
offer               = "queue_offer"
offer_after_seconds = 5
[step.queue_offer]
do             = "offer"
link           = "chat"
play           = "queue-offer.wav"
press          = { 1 = "text_me" }
accept         = ["1"]
no_input       = "line"
if_not_offered = "line"
"#;
    let flow = flow.replace("[step.hello]\ndo   = \"set\"\nthen = \"offer\"\n", "");
    let flow = flow
        .split_once("[step.offer]")
        .map(|(head, rest)| {
            format!(
                "{head}{}",
                rest.split_once("[step.text_me]").map_or("", |(_, tail)| tail).replacen(
                    "do ",
                    "[step.text_me]\ndo ",
                    1
                )
            )
        })
        .unwrap_or_default();
    let flow = flow.replace(
        "then     = \"hangup\"\nif_fails = \"other\"\n[step.menu]",
        "then     = \"menu\"\nif_fails = \"other\"\n[step.menu]",
    );
    for (is, heard) in [(LinkIs::Available, true), (LinkIs::NotAvailable, false)] {
        let mut phone = phone(&flow, facts(), chat_is(is));
        phone.wait(5).wait_ms(100);
        assert!(!phone.has(&Output::Unbridge), "still in the queue");
        phone.wait(1);
        assert_eq!(phone.has(&Output::Unbridge), heard);
        assert_eq!(phone.heard().contains(&"queue-offer"), heard, "{:?}", phone.heard());
    }
}

#[test]
fn ic_03_account_data_goes_with_a_link_only_at_the_level_that_was_proved() {
    let who = |verified: &str| {
        let values = [("customer_id", "c7"), ("order_ref", "o 9"), ("verified", verified)];
        let values = values.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        Obedient {
            fetched: BTreeMap::from([("who".to_owned(), FetchOutcome::Values(values))]),
            ..chat_is(LinkIs::NotAvailable)
        }
    };
    let sent = |verified: &str| {
        let mut phone = phone(FLOW, facts(), who(verified));
        phone.wait(1).press('2').wait(5).press('1').wait(10);
        phone.texts()[0].clone()
    };
    let proved = sent("true");
    assert_eq!(proved.links[0].url, "https://shop.example.com/orders/o%209");
    assert_eq!(proved.links[0].level, Level::L2);
    let context: Vec<(&str, &str)> =
        proved.links[0].context.iter().map(|(k, v)| (k.as_str(), v.0.as_str())).collect();
    let path = "hello offer menu who choose status";
    assert_eq!(context, [("customer_id", "c7"), ("language", "en-GB"), ("path", path)]);
    let stranger = sent("false");
    assert_eq!(stranger.links[0].name, "pages", "the address itself tells the order");
    assert_eq!(stranger.links[0].url, "https://help.example.com/pages");
    assert_eq!(stranger.links[0].level, Level::L0);
    assert!(stranger.links[0].context.is_empty());
    assert_eq!(format!("{:?}", proved.links[0].context["customer_id"]), "Hidden");
}

#[test]
fn ic_03_what_proves_the_caller_is_read_by_its_type() {
    let saved = "save       = [\"customer_id\", \"order_ref\"]";
    let typed = "save       = { customer_id = \"/customer_id\", order_ref = \"/order_ref\", \
                 verified = { pointer = \"/ok\", type = \"flag\" } }";
    let flow = FLOW.replace(saved, typed);
    assert_ne!(flow, FLOW);
    for (ok, level) in [("yes", Level::L2), ("1", Level::L2), ("no", Level::L0), ("2", Level::L0)] {
        let values = [("customer_id", "c7"), ("order_ref", "o 9"), ("verified", ok)];
        let values = values.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let world = Obedient {
            fetched: BTreeMap::from([("who".to_owned(), FetchOutcome::Values(values))]),
            ..chat_is(LinkIs::NotAvailable)
        };
        let mut phone = phone(&flow, facts(), world);
        phone.wait(1).press('2').wait(5).press('1').wait(10);
        assert_eq!(phone.texts()[0].links[0].level, level, "{ok}");
    }
}

#[test]
fn nothing_of_an_account_goes_to_a_number_that_was_typed_whatever_was_proved() {
    let values = [("customer_id", "c7"), ("order_ref", "o 9"), ("verified", "true")];
    let values = values.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let world = Obedient {
        fetched: BTreeMap::from([("who".to_owned(), FetchOutcome::Values(values))]),
        ..chat_is(LinkIs::NotAvailable)
    };
    let withheld = Facts { withheld: true, country: "GB".to_owned(), ..facts() };
    let mut phone = phone(FLOW, withheld, world);
    phone.wait(1).press('2').wait(5).press('1').wait_ms(500);
    for digit in "07700900123#".chars() {
        phone.wait_ms(300).press_now(digit);
    }
    phone.press('1').wait(10);
    let text = phone.texts()[0].clone();
    assert_eq!(text.to.as_ref().map(|to| to.0.as_str()), Some("+447700900123"));
    let link = &text.links[0];
    assert_eq!((link.level, link.context.len()), (Level::L0, 0));
    assert_eq!((&*link.name, &*link.url), ("pages", "https://help.example.com/pages"));
}

#[test]
fn ic_03_a_number_on_file_gets_no_account_data_and_who_proved_nothing_no_text_with_it() {
    let who = |verified: &str| {
        let values = [("customer_id", "c7"), ("order_ref", "o9"), ("verified", verified)];
        let values = values.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        Obedient {
            fetched: BTreeMap::from([("who".to_owned(), FetchOutcome::Values(values))]),
            ..chat_is(LinkIs::NotAvailable)
        }
    };
    // L1: the number is on file, and vouched for.
    let on_file = Facts { attestation: Some("A".into()), proved: Level::L1, ..facts() };
    let mut phone = self::phone(FLOW, on_file, who("false"));
    phone.wait(1).press('2').wait(5).press('1').wait(10);
    assert_eq!(
        (&*phone.texts()[0].links[0].name, phone.texts()[0].links[0].context.len()),
        ("pages", 0)
    );
    // The text itself tells it, or a link that nothing takes the place of.
    let in_text = FLOW.replace(
        "link     = \"status\"\nmessage  = \"Example: {link}",
        "link     = \"pages\"\nmessage  = \"Example: {order_ref} {link}",
    );
    let alone = FLOW.replace("if_missing    = \"pages\"\n", "");
    for flow in [&in_text, &alone] {
        for (verified, sent) in [("true", 1), ("false", 0)] {
            let mut phone = self::phone(flow, facts(), who(verified));
            phone.wait(1).press('2').wait(5).press('1').wait(10);
            assert_eq!(phone.texts().len(), sent, "{verified}");
            if sent == 0 {
                assert!(phone.notes().contains(&"not_proved"), "{:?}", phone.notes());
                assert_eq!(
                    (phone.forwards(), phone.heard().contains(&"not-sent")),
                    (vec!["other"], true)
                );
            }
        }
    }
}

#[test]
fn ic_03_an_offer_of_account_data_is_not_made_to_who_proved_nothing() {
    let offered = FLOW
        .replace("[step.choose]\ndo       = \"menu\"", "[step.choose]\ndo       = \"offer\"\nlink = \"status\"\naccept = [\"1\"]\nif_not_offered = \"agents\"")
        .replace("if_missing    = \"pages\"\n", "");
    let who = |verified: &str| {
        let values = [("customer_id", "c7"), ("order_ref", "o9"), ("verified", verified)];
        let values = values.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        Obedient {
            fetched: BTreeMap::from([("who".to_owned(), FetchOutcome::Values(values))]),
            ..chat_is(LinkIs::NotAvailable)
        }
    };
    for (verified, why) in
        [("true", &["not_available"][..]), ("false", &["not_available", "not_proved"])]
    {
        let mut phone = self::phone(&offered, facts(), who(verified));
        phone.wait(1).press('2').wait(3);
        assert_eq!(phone.suppressed(), why);
    }
}

#[test]
fn e09_what_a_system_calls_the_caller_makes_no_text_longer_than_was_counted() {
    let long = "Example: {customer_id}, your order is on its way to you and will be with you before \
                six this evening; nobody needs to sign for it, and all about it is here {link}";
    let flow = FLOW.replace(
        "link     = \"status\"\nmessage  = \"Example: {link}",
        &format!("link     = \"pages\"\nmessage  = \"{long}"),
    );
    let sent = |flow: &str, name: &str| {
        let values = [("customer_id", name), ("order_ref", "o9"), ("verified", "true")];
        let values = values.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let world = Obedient {
            fetched: BTreeMap::from([("who".to_owned(), FetchOutcome::Values(values))]),
            ..chat_is(LinkIs::NotAvailable)
        };
        let mut phone = self::phone(flow, facts(), world);
        phone.wait(1).press('2').wait(5).press('1').wait(10);
        phone.texts()[0].message.clone()
    };
    for (name, written) in
        [("François", "Francois"), ("Siobhán O’Hara", "Siobhan O'Hara"), ("Иван", "????")]
    {
        let text = sent(&flow, name);
        assert!(text.starts_with(&format!("Example: {written}, ")), "{text}");
        assert_eq!(message_text::segments(&text).encoding, message_text::Encoding::Gsm7);
    }
    // A text that is UCS-2 by itself was counted so.
    let text = sent(
        &FLOW.replace(
            "link     = \"status\"\nmessage  = \"Example: {link}",
            "link     = \"pages\"\nmessage  = \"Example: aquí, {customer_id} {link}",
        ),
        "Иван",
    );
    assert!(text.contains("Иван"), "{text}");
}

#[test]
fn a_number_on_file_counts_only_where_the_carrier_vouches_for_it() {
    let level = |proved, attestation: Option<&str>| {
        Facts { proved, attestation: attestation.map(str::to_owned), ..facts() }.level()
    };
    assert_eq!(level(Level::L1, Some("A")), Level::L1);
    assert_eq!(level(Level::L1, Some("B")), Level::L0);
    assert_eq!(level(Level::L1, None), Level::L0);
    assert_eq!(level(Level::L2, None), Level::L2, "proved in the call");
    assert_eq!(level(Level::L0, Some("A")), Level::L0);
}

#[test]
fn ex_03_a_link_without_its_field_is_replaced_by_the_one_declared_for_that() {
    let flow = FLOW.replace(
        r#"save       = ["customer_id", "order_ref"]"#,
        r#"save = ["customer_id", "order_ref"]"#,
    );
    let values = [("customer_id", "c7"), ("verified", "true")];
    let values = values.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let world = Obedient {
        fetched: BTreeMap::from([("who".to_owned(), FetchOutcome::Values(values))]),
        ..chat_is(LinkIs::NotAvailable)
    };
    let mut phone = phone(&flow, facts(), world);
    phone.wait(1).press('2').wait(5).press('1').wait(10);
    assert_eq!(phone.texts()[0].links[0].name, "pages");
}

/// `public` of a lookup: what it names is no account data, and nothing else that it saves leaves.
#[test]
fn ic_03_a_field_that_its_lookup_calls_public_goes_along_below_level_2_and_no_other_does() {
    let public = FLOW
        .replace("\"order_ref\"]\nauth", "\"order_ref\"]\npublic = [\"order_ref\"]\nauth")
        .replace("[\"customer_id\", \"path\"", "[\"customer_id\", \"order_ref\", \"path\"");
    let values = [("customer_id", "c7"), ("order_ref", "o 9"), ("verified", "false")];
    let values: BTreeMap<_, _> = values.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let sent = |flow: &str| {
        let world = Obedient {
            fetched: BTreeMap::from([("who".to_owned(), FetchOutcome::Values(values.clone()))]),
            ..chat_is(LinkIs::NotAvailable)
        };
        let mut phone = phone(flow, facts(), world);
        phone.wait(1).press('2').wait(5).press('1').wait(10);
        let notes: Vec<String> = phone.notes().into_iter().map(str::to_owned).collect();
        (phone.texts().first().map(|text| (*text).clone()), notes)
    };
    let handed = |flow: &str| {
        let link = sent(flow).0.unwrap().links[0].clone();
        let context = link.context.into_iter().map(|(field, value)| format!("{field}={}", value.0));
        (link.url, context.collect::<Vec<_>>())
    };
    let of_all = public.replace("context_level = \"L2\"", "context_level = \"L0\"");
    let order = "https://shop.example.com/orders/o%209".to_owned();
    let path = "path=hello offer menu who choose status".to_owned();
    let along = vec!["language=en-GB".to_owned(), "order_ref=o 9".to_owned(), path];
    assert_eq!(handed(&of_all), (order.clone(), along), "the customer's id stays here");
    // A link of level L2 hands over nothing to who proved nothing, public or not.
    assert_eq!(handed(&public), (order, Vec::new()));
    // In the words of a text.
    let says = |field: &str| {
        let link = "link     = \"status\"\nmessage  = \"Example: ";
        of_all.replace(link, &format!("{link}{{{field}}} "))
    };
    assert_eq!(sent(&says("order_ref")).0.unwrap().message, "Example: o 9 {link}");
    let (text, notes) = sent(&says("customer_id"));
    assert!(text.is_none() && notes.contains(&"not_proved".to_owned()), "{notes:?}");
    // Another step that saves the field and does not call it public keeps it here.
    let twice = of_all.replace(
        "[step.choose]",
        "[step.again]\ndo = \"lookup\"\nurl = \"https://crm.example.net/orders\"\nsave = [\"order_ref\"]\n\
         then = \"choose\"\nif_fails = \"choose\"\n[step.choose]",
    );
    let twice = twice.replace("then       = \"choose\"", "then       = \"again\"");
    let (url, context) = handed(&twice);
    assert_eq!((url.as_str(), context.len()), ("https://help.example.com/pages", 0));
}
