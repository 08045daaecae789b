//! `[link.X]`.

use super::Reader;
use crate::{
    diagnose::{Code, Table, Takes, Text},
    flow::model::{Account, Level, Link, LinkCheck, LinkKind},
    lint::urls,
};

/// `kind`, before its keys are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Static,
    Signed,
    Http,
    LivepersonC2m,
    LivepersonIvr,
    KhorosFlow,
    Telegram,
    Messenger,
    Whatsapp,
    Apple,
}

const KINDS: [(&str, Kind); 10] = [
    ("static", Kind::Static),
    ("signed", Kind::Signed),
    ("http", Kind::Http),
    ("liveperson-c2m", Kind::LivepersonC2m),
    ("liveperson-ivr", Kind::LivepersonIvr),
    ("khoros-flow", Kind::KhorosFlow),
    ("telegram", Kind::Telegram),
    ("messenger", Kind::Messenger),
    ("whatsapp", Kind::Whatsapp),
    ("apple", Kind::Apple),
];

/// Channels that their owner has closed, under the names that people try.
const RETIRED: [&str; 3] = ["google", "google-business-messages", "gbm"];

/// Keys that are of some kinds only.
const OF_KINDS: [(&str, &[Kind]); 16] = [
    ("url", &[Kind::Static, Kind::Signed, Kind::Http]),
    ("tracked", &[Kind::Static]),
    ("secret", &[Kind::Signed]),
    ("provider", &[Kind::LivepersonC2m, Kind::LivepersonIvr, Kind::KhorosFlow]),
    ("account", &[Kind::LivepersonC2m, Kind::LivepersonIvr, Kind::KhorosFlow]),
    ("skill", &[Kind::LivepersonC2m, Kind::LivepersonIvr]),
    ("handoff", &[Kind::LivepersonC2m]),
    ("event", &[Kind::KhorosFlow]),
    ("timeout_ms", &[Kind::Http, Kind::LivepersonC2m, Kind::LivepersonIvr]),
    ("if_unknown", &[Kind::Http, Kind::LivepersonC2m, Kind::LivepersonIvr]),
    ("available_at", &[Kind::Http]),
    ("url_at", &[Kind::Http]),
    ("valid_at", &[Kind::Http]),
    ("bot", &[Kind::Telegram]),
    ("page", &[Kind::Messenger]),
    ("business_id", &[Kind::Apple]),
];

/// Reads `[link.X]`.
pub(super) fn link(name: Text, table: &Table<'_>, reader: &Reader<'_>) -> Link {
    let kind = kind(table);
    if let Some(kind) = kind {
        refuse_keys_of_others(kind, table);
    } else {
        // What its keys mean is not known.
        for key in table.keys() {
            table.value(key);
        }
    }
    let url = kind.map_or_else(String::new, |kind| url(kind, table));
    let kind = kind.unwrap_or(Kind::Static);
    let staffing = [("operator", "operator"), ("self-service", "self-service")];
    let levels = [Level::L0, Level::L1, Level::L2].map(|level| (level.as_str(), level));
    if kind == Kind::Signed {
        table.require("context_level", Code::E11);
    }
    let link = Link {
        name: name.value,
        url,
        if_missing: table.text("if_missing").and_then(|name| reader.link_to(&name)),
        intents: table.texts_owned("intents"),
        staffing: table.choice("staffing", &staffing, &[]).map(str::to_owned),
        check_url: web(table, "check_url", Code::E13),
        check_seconds: table.number("check_seconds", 1..=3_600).unwrap_or(60),
        app_url: web(table, "app_url", Code::E13),
        tracked: table.flag("tracked").unwrap_or(false),
        expires_hours: table.number_or("expires_hours", 1..=168, Code::E11).unwrap_or(24),
        context: table.texts_owned("context"),
        context_level: table.choice("context_level", &levels, &[]).unwrap_or_default(),
        secret: secret(table),
        kind: with_keys(kind, table),
    };
    table.unknown_keys();
    link
}

/// `None`: none that can be used.
fn kind(table: &Table<'_>) -> Option<Kind> {
    table.takes("kind", Takes::words(&KINDS));
    if !table.has("kind") {
        table.value("kind");
        return Some(Kind::Static);
    }
    let named = table.text("kind")?;
    if RETIRED.contains(&named.value.as_str()) {
        let message = format!("`kind = \"{}\"`: this channel was closed by its owner", named.value);
        let help = "Google Business Messages ended on 31 July 2024; offer another channel";
        table.notes().note(Code::E10, named.span, message, help);
        return None;
    }
    table.choose("kind", &named, &KINDS, &[])
}

fn refuse_keys_of_others(kind: Kind, table: &Table<'_>) {
    let word = KINDS.iter().find(|(_, of)| *of == kind).map_or("", |(word, _)| word);
    let number = [("number", &[Kind::Whatsapp][..])];
    for (key, kinds) in OF_KINDS.into_iter().chain(number) {
        if !kinds.contains(&kind) {
            table.takes(key, Takes::Nothing);
        }
        if table.value(key).is_some() && !kinds.contains(&kind) {
            let takers = KINDS.iter().filter(|(_, of)| kinds.contains(of));
            let takers: Vec<_> = takers.map(|(word, _)| format!("`{word}`")).collect();
            let message = format!("a link of `kind = \"{word}\"` takes no `{key}`");
            let help = format!("it belongs to {}", takers.join(", "));
            table.notes().note(Code::E00, table.key_place(key), message, help);
        }
    }
}

/// Where it leads, or what is asked.
fn url(kind: Kind, table: &Table<'_>) -> String {
    let part = |key: &'static str, fits: fn(&str) -> bool, form: &str| {
        let part = table.required_text(key)?;
        if !fits(&part.value) {
            let message = format!("`{key}`: `{}` can't be one", part.value);
            table.notes().note(Code::E00, part.span.clone(), message, form.to_owned());
        }
        Some(part.value)
    };
    let word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    let channel = match kind {
        Kind::Static | Kind::Signed | Kind::Http => {
            table.require("url", Code::E00);
            return web(table, "url", Code::E13).unwrap_or_default();
        }
        Kind::LivepersonC2m | Kind::LivepersonIvr | Kind::KhorosFlow => return String::new(),
        Kind::Telegram => part("bot", word, "the bot's name, such as `ExampleHelpBot`")
            .map(|bot| format!("https://t.me/{bot}?start=")),
        Kind::Messenger => part("page", word, "the page's name, such as `examplehelp`")
            .map(|page| format!("https://m.me/{page}?ref=")),
        Kind::Apple => part("business_id", word, "the id that Apple gave the business")
            .map(|id| format!("https://bcrw.apple.com/urn:biz:{id}?biz-intent-id=")),
        Kind::Whatsapp => {
            let number = |text: &str| {
                message_text::E164::parse(text, "GB").is_ok_and(|n| n.as_str() == text)
            };
            part("number", number, "with its country, such as `+442079460018`")
                .map(|number| format!("https://wa.me/{}?text=", number.trim_start_matches('+')))
        }
    };
    channel.unwrap_or_default()
}

fn with_keys(kind: Kind, table: &Table<'_>) -> LinkKind {
    match kind {
        Kind::Static => LinkKind::Static,
        Kind::Signed => LinkKind::Signed,
        Kind::Http => LinkKind::Http {
            check: check(table),
            available_at: pointer(table, "available_at", "/available"),
            url_at: pointer(table, "url_at", "/url"),
            valid_at: pointer(table, "valid_at", "/valid_for_seconds"),
        },
        Kind::LivepersonIvr => LinkKind::LivepersonIvr(check(table), account(table)),
        Kind::LivepersonC2m => {
            table.require("skill", Code::E00);
            LinkKind::LivepersonC2m(check(table), account(table))
        }
        Kind::KhorosFlow => {
            table.require("event", Code::E00);
            LinkKind::KhorosFlow(account(table))
        }
        Kind::Telegram => LinkKind::Telegram,
        Kind::Messenger => LinkKind::Messenger,
        Kind::Whatsapp => LinkKind::Whatsapp,
        Kind::Apple => LinkKind::Apple,
    }
}

fn check(table: &Table<'_>) -> LinkCheck {
    let if_unknown = [("unavailable", false), ("available", true)];
    LinkCheck {
        timeout_ms: table.number("timeout_ms", 100..=5_000).unwrap_or(1_500),
        if_unknown: table.choice("if_unknown", &if_unknown, &[]).unwrap_or(false),
    }
}

fn account(table: &Table<'_>) -> Account {
    let text = |key| table.text(key).map(|text| text.value);
    Account {
        provider: table.required_text("provider").map(|name| name.value).unwrap_or_default(),
        account: text("account"),
        skill: text("skill"),
        handoff: text("handoff"),
        event: text("event"),
    }
}

fn pointer<'a>(table: &Table<'a>, key: &'a str, usual: &str) -> String {
    let Some(pointer) = table.text(key) else { return usual.to_owned() };
    if !pointer.value.starts_with('/') {
        let message = format!("`{key}`: `{}` is no JSON pointer", pointer.value);
        table.notes().note(Code::E00, pointer.span, message, "such as `/chat/url`");
    }
    pointer.value
}

/// An https address.
fn web<'a>(table: &Table<'a>, key: &'a str, code: Code) -> Option<String> {
    let url = table.text(key)?;
    if let Some((message, help)) = urls::problem(&url.value) {
        table.note(code, key, message, help);
    }
    Some(url.value)
}

fn secret(table: &Table<'_>) -> Option<String> {
    table.takes("secret", Takes::SECRET);
    let secret = table.text("secret")?;
    if !["env:", "file:"].iter().any(|kind| secret.value.starts_with(kind)) {
        let message = "a secret stands here in the open";
        table.notes().note(Code::E13, secret.span, message, "write `env:NAME` or `file:PATH`");
    }
    Some(secret.value)
}
