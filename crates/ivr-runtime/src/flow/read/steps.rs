//! `[step.X]`, one function a kind.

use std::collections::BTreeMap;

use super::{
    Reader,
    agent::agent,
    ask,
    head::key,
    message::{max_segments, message},
    prompts,
    share::share,
};
use crate::{
    diagnose::{Code, Table, Takes, Text},
    flow::{
        Sender,
        model::{self, AskNumber, ConfirmNumber, Deliver, Does, Go, Menu, Offer, Step},
        numbers,
    },
    key::Key,
};

#[derive(Debug, Clone, Copy)]
enum Kind {
    Say,
    Menu,
    Answer,
    Offer,
    Decide,
    Set,
    Text,
    Collect,
    Lookup,
    Action,
    Wait,
    Agent,
    OptOut,
    Voicemail,
    Callback,
}

const KINDS: [(&str, Kind); 15] = [
    ("say", Kind::Say),
    ("menu", Kind::Menu),
    ("answer", Kind::Answer),
    ("offer", Kind::Offer),
    ("decide", Kind::Decide),
    ("set", Kind::Set),
    ("text", Kind::Text),
    ("collect", Kind::Collect),
    ("lookup", Kind::Lookup),
    ("action", Kind::Action),
    ("wait", Kind::Wait),
    ("agent", Kind::Agent),
    ("opt-out", Kind::OptOut),
    ("voicemail", Kind::Voicemail),
    ("callback", Kind::Callback),
];

/// Reads `[step.X]`.
pub(super) fn step(name: Text, table: &Table<'_>, reader: &Reader<'_>) -> Step {
    let fallback = table.flag("fallback").unwrap_or(true);
    table.require("do", Code::E00);
    let Some(kind) = table.choice("do", &KINDS, &[]) else {
        // What its other keys mean is not known. It keeps its place; the flow is not served.
        let does = Does::Decide { case: Vec::new(), otherwise: Go::HangUp };
        return Step { name: name.value, fallback, does };
    };
    let does = match kind {
        Kind::Say => Does::Say {
            play: prompts::play(table),
            then: reader.required_go(table, "then", Code::E00),
        },
        Kind::Menu => Does::Menu(menu(table, reader, 3)),
        Kind::Answer => Does::Answer {
            menu: menu(table, reader, 3),
            needs: table.texts_owned("needs"),
            if_missing: reader.go(table, "if_missing"),
        },
        Kind::Offer => Does::Offer(offer(table, reader)),
        Kind::Decide => Does::Decide {
            case: cases(table, reader),
            otherwise: reader.required_go(table, "otherwise", Code::E00),
        },
        Kind::Set => set(table, reader),
        Kind::Text => Does::Text(text(table, reader)),
        Kind::Collect => Does::Collect(ask::collect(table, reader)),
        Kind::Lookup => Does::Lookup(ask::lookup(table, reader)),
        Kind::Action => Does::Action(ask::action(table, reader)),
        Kind::Wait => Does::Wait(wait(table, reader)),
        Kind::Agent => Does::Agent(agent(table, reader)),
        Kind::OptOut => opt_out(table, reader),
        Kind::Callback => Does::Callback(callback(table, reader)),
        Kind::Voicemail => Does::Voicemail(voicemail(table, reader)),
    };
    table.unknown_keys();
    Step { name: name.value, fallback, does }
}

fn menu(table: &Table<'_>, reader: &Reader<'_>, tries: u8) -> Menu {
    let no_input = reader.required_go(table, "no_input", Code::E04);
    let star = if table.has("repeat_key") { None } else { Some(Key::STAR) };
    let press = press(table, reader);
    // At most 5, so it fits.
    let tries = table.number_or("tries", 1..=5, Code::E05).map_or(tries, |n| n as u8);
    Menu {
        play: prompts::play(table),
        play_again: prompts::play_again(table, tries),
        // A key that the menu itself uses is no repeat key unless it is said so.
        repeat_key: key_of(table, "repeat_key").or(star.filter(|key| !press.contains_key(key))),
        press,
        tries,
        timeout_ms: table.number("timeout_ms", 5_000..=60_000).unwrap_or(8_000),
        no_input,
        wrong: reader.go(table, "wrong").unwrap_or(no_input),
        barge_in: table.flag("barge_in").unwrap_or(true),
        flush: table.flag("flush").unwrap_or(false),
        intent: table.text("intent").map(|text| text.value),
    }
}

fn press(table: &Table<'_>, reader: &Reader<'_>) -> BTreeMap<Key, Go> {
    table.require("press", Code::E00);
    let Some(press) = table.table("press", "`press`") else { return BTreeMap::new() };
    let mut keys = BTreeMap::new();
    for label in press.keys() {
        let Some(name) = press.text(label) else { continue };
        let go = reader.go_to(&name);
        let label = Text { value: label.to_owned(), span: press.key_place(label) };
        if let Some(key) = key(table, &label) {
            keys.insert(key, go);
        }
    }
    keys
}

pub(super) fn key_of<'a>(table: &Table<'a>, name: &'a str) -> Option<Key> {
    table.text(name).and_then(|text| key(table, &text))
}

fn offer(table: &Table<'_>, reader: &Reader<'_>) -> Offer {
    table.require("accept", Code::E15);
    let accept = table.texts("accept").unwrap_or_default();
    let rules = |key| reader.rules_to(&table.texts(key).unwrap_or_default());
    let link = table.required_text("link").and_then(|name| reader.link_to(&name));
    Offer {
        menu: menu(table, reader, 1),
        stage: table.text("stage").map_or_else(|| "use-case".to_owned(), |text| text.value),
        link: link.unwrap_or(model::LinkId(0)),
        only_if: rules("only_if"),
        never_if: rules("never_if"),
        needs_intent: table.flag("needs_intent").unwrap_or(false),
        again: table.flag("again").unwrap_or(false),
        share: share(table),
        accept: accept.iter().filter_map(|text| key(table, text)).collect(),
        if_not_offered: reader.required_go(table, "if_not_offered", Code::E00),
    }
}

fn cases(table: &Table<'_>, reader: &Reader<'_>) -> Vec<(model::RuleId, Go)> {
    table.takes("case", Takes::Form("cases"));
    table.require("case", Code::E00);
    let Some(value) = table.value("case") else { return Vec::new() };
    let Some(list) = value.get_ref().as_array() else {
        table.wrong_type("case", value, "a list of `{ if = …, go = … }`");
        return Vec::new();
    };
    let mut cases = Vec::new();
    for item in list.iter() {
        let Some(case) = item.get_ref().as_table() else {
            table.wrong_type("case", item, "a list of `{ if = …, go = … }`");
            continue;
        };
        let case = Table::new(table.notes(), "a case", case, item.span());
        let rule = case.required_text("if").and_then(|name| reader.rule_to(&name));
        let go = reader.required_go(&case, "go", Code::E00);
        case.finish();
        cases.extend(rule.map(|rule| (rule, go)));
    }
    cases
}

fn set(table: &Table<'_>, reader: &Reader<'_>) -> Does {
    let value = |key| table.text(key).map(|text| text.value);
    Does::Set {
        intent: value("intent"),
        language: value("language"),
        consent: value("consent"),
        flag: value("flag"),
        then: reader.required_go(table, "then", Code::E00),
    }
}

fn text(table: &Table<'_>, reader: &Reader<'_>) -> model::Text {
    let confirm = [
        ("never", ConfirmNumber::Never),
        ("if-not-mobile", ConfirmNumber::IfNotMobile),
        ("always", ConfirmNumber::Always),
    ];
    let written = table.has("confirm_number");
    let unsure = prompts::prompt_or(table, "unsure_prompt", "may-still-arrive");
    if unsure.is_none() {
        let help = "it is the only word a caller gets of a text that may still arrive";
        table.note(Code::E00, "unsure_prompt", "`unsure_prompt` can't be `none`", help);
    }
    model::Text {
        via: via(table, reader),
        links: links(table, reader),
        message: message(table),
        purpose: table.text("purpose").map_or_else(|| "link".to_owned(), |text| text.value),
        confirm_number: table.choice("confirm_number", &confirm, &[]).unwrap_or_default(),
        ask: Some(AskNumber { written, ..numbers::prompts() }),
        accept_within_ms: table.number("accept_within_ms", 500..=60_000).unwrap_or(8_000),
        attempt_ms: table.number("attempt_ms", 200..=60_000).unwrap_or(2_500),
        allow_one_duplicate: table.flag("allow_one_duplicate").unwrap_or(false),
        keep_waiting: table.flag("keep_waiting").unwrap_or(false),
        sent_when_queued: table
            .choice("say_sent_when", &[("accepted", false), ("queued", true)], &[])
            .unwrap_or(false),
        valid_minutes: table.number("valid_minutes", 1..=1_440).unwrap_or(15),
        repeat_after_minutes: table.number("repeat_after_minutes", 0..=10_080).unwrap_or(10),
        max_segments: max_segments(table),
        wait_prompt: prompts::prompt_or(table, "wait_prompt", "one-moment"),
        sent_prompt: prompts::sent(table),
        failed_prompt: prompts::prompt_or(table, "failed_prompt", "not-sent"),
        unsure_prompt: unsure.unwrap_or_default(),
        then: reader.required_go(table, "then", Code::E00),
        if_fails: reader.go(table, "if_fails"),
        if_ambiguous: reader.go(table, "if_ambiguous"),
        if_opted_out: reader.go(table, "if_opted_out"),
        if_limited: reader.go(table, "if_limited"),
    }
}

/// Left out: all senders, in file order.
pub(super) fn via(table: &Table<'_>, reader: &Reader<'_>) -> Vec<String> {
    let known = &reader.senders;
    let Some(names) = table.texts("via") else {
        return known.iter().map(|sender| sender.name.clone()).collect();
    };
    if names.is_empty() {
        table.note(Code::E10, "via", "`via` is empty", "leave it out for all senders");
    }
    for name in &names {
        let is = |sender: &&Sender| sender.name == name.value;
        if known.iter().any(|sender| is(&sender)) {
            continue;
        }
        if let Some(other) = reader.shared.senders.iter().find(is) {
            let of = other.business.as_deref().unwrap_or_default();
            let message = format!("`[sender.{}]` is of business `{of}`", other.name);
            let help = "name a sender of the flow's business, or one without `business`";
            table.notes().note(Code::E10, name.span.clone(), message, help);
        } else {
            reader.unknown("sender", name, known.iter().map(|sender| sender.name.as_str()));
        }
    }
    names.into_iter().map(|name| name.value).collect()
}

pub(super) fn links(table: &Table<'_>, reader: &Reader<'_>) -> Vec<model::LinkId> {
    let one = table.text("link");
    let several = table.texts("links");
    match (&one, &several) {
        (None, None) => {
            table.require("link", Code::E00);
        }
        (Some(_), Some(_)) => {
            table.note(
                Code::E00,
                "links",
                "`link` and `links` exclude each other",
                "leave one out",
            );
        }
        (None, Some(list)) if list.is_empty() => {
            table.note(Code::E00, "links", "`links` is empty", "name the links of the page");
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
    let all = one.into_iter().chain(several.into_iter().flatten());
    all.filter_map(|name| reader.link_to(&name)).collect()
}

fn wait(table: &Table<'_>, reader: &Reader<'_>) -> model::Wait {
    let target = table.required_text("target").and_then(|name| reader.target_to(&name));
    let offer = table.text("offer").and_then(|name| reader.step_to(&name));
    model::Wait {
        target: target.unwrap_or(model::TargetId(0)),
        music: prompts::prompt_or(table, "music", "hold").unwrap_or_default(),
        retry_every_seconds: table.number("retry_every_seconds", 5..=600).unwrap_or(30),
        give_up_minutes: table.number_or("give_up_minutes", 1..=240, Code::E05).unwrap_or(10),
        offer,
        offer_after_seconds: table.number("offer_after_seconds", 5..=3_600).unwrap_or(60),
        then: reader.go(table, "then"),
        if_fails: reader.go(table, "if_fails"),
    }
}

fn voicemail(table: &Table<'_>, reader: &Reader<'_>) -> model::Voicemail {
    model::Voicemail {
        play: prompts::play(table),
        max_seconds: table.number_or("max_seconds", 5..=600, Code::E05).unwrap_or(120),
        then: reader.go(table, "then").unwrap_or(Go::HangUp),
        if_fails: reader.go(table, "if_fails"),
    }
}

fn callback(table: &Table<'_>, reader: &Reader<'_>) -> model::Callback {
    let confirm = [
        ("always", ConfirmNumber::Always),
        ("never", ConfirmNumber::Never),
        ("if-not-mobile", ConfirmNumber::IfNotMobile),
    ];
    let target = table.text("target").and_then(|name| reader.target_to(&name));
    let per_hour = table.table("capacity", "`capacity`").and_then(|capacity| {
        let per_hour = capacity.number("per_hour", 1..=1_000);
        capacity.finish();
        per_hour
    });
    model::Callback {
        play: prompts::play(table),
        per_hour,
        confirm_number: table
            .choice("confirm_number", &confirm, &[])
            .unwrap_or(ConfirmNumber::Always),
        target,
        // At most 5, so it fits.
        tries: table.number_or("tries", 1..=5, Code::E05).map_or(3, |n| n as u8),
        deliver: deliver(table),
        then: reader.required_go(table, "then", Code::E00),
        no_input: reader.go(table, "no_input"),
        if_fails: reader.go(table, "if_fails"),
    }
}

/// `deliver = "webhook"` goes with `url` and `secret`, and they with nothing else.
fn deliver(table: &Table<'_>) -> Option<Deliver> {
    let ways = [("dial", false), ("webhook", true)];
    let by_webhook = table.choice("deliver", &ways, &[]).unwrap_or(false);
    let (url, secret) = (ask::web_address(table, "url"), ask::secret(table, "secret"));
    for key in ["url", "secret"] {
        match (by_webhook, table.has(key)) {
            (true, false) => {
                let message = format!("`deliver = \"webhook\"` needs a `{key}`");
                table.note(Code::E00, "deliver", message, format!("add `{key} = …`"));
            }
            (false, true) => {
                let message = format!("`{key}` is for callbacks that another system makes");
                table.note(Code::E00, key, message, "write `deliver = \"webhook\"`");
            }
            (true, true) | (false, false) => {}
        }
    }
    if by_webhook && table.has("tries") {
        let help = "it is told until it says that it took it";
        table.note(Code::E00, "tries", "`tries` asks nothing of another system", help);
    }
    // What it lacks was noted: the flow is not served.
    by_webhook.then(|| Deliver { url: url.unwrap_or_default(), secret: secret.unwrap_or_default() })
}

fn opt_out(table: &Table<'_>, reader: &Reader<'_>) -> Does {
    let then = reader.required_go(table, "then", Code::E00);
    Does::OptOut {
        play: prompts::play(table),
        confirm: key_of(table, "confirm").or_else(|| Key::try_from('1').ok()).unwrap_or(Key::HASH),
        topic: table.text("topic").map(|text| text.value).unwrap_or_default(),
        then,
        no_input: reader.go(table, "no_input").unwrap_or(then),
        if_fails: reader.go(table, "if_fails"),
    }
}
