//! E09: a message is there in every language, says who sends it, holds its link once and is not
//! too long to be sent.

use std::collections::{BTreeMap, BTreeSet};

use message_text::{Encoding, MAX_SEGMENTS, Segments, gsm7::transliterate, segments};

use super::{Lint, bounds, graph};
use crate::{
    diagnose::{Code, Span},
    flow::{
        Sender,
        model::{Does, Link, LinkId},
    },
    step::template,
};

/// Characters of a token in an address of ours: 128 bits in base64url.
const TOKEN_LEN: usize = 22;
/// Characters of a name that texts come from.
const LONGEST_NAME: usize = 11;
/// By which a text says how to get no more of them.
const OPT_OUT: [&str; 7] =
    ["stop", "opt out", "opt-out", "unsubscribe", "baja", "désabonn", "abmeld"];

/// A message with the table it stands in.
struct Message<'a> {
    via: &'a [String],
    kind: &'a str,
    name: &'a str,
    links: &'a [LinkId],
    texts: &'a BTreeMap<String, String>,
}

pub(super) fn check(lint: &Lint<'_>) {
    let of_steps = graph::steps(lint.flow).filter_map(|(_, step)| match &step.does {
        Does::Text(text) => Some(Message {
            via: &text.via,
            kind: "step",
            name: &step.name,
            links: &text.links,
            texts: &text.message,
        }),
        _ => None,
    });
    let after = lint.flow.after_call.iter().map(|after| Message {
        via: &after.via,
        kind: "after_call",
        name: &after.name,
        links: &after.links,
        texts: &after.message,
    });
    for message in of_steps.chain(after) {
        languages(lint, &message);
        for (language, text) in message.texts {
            content(lint, &message, text, place(lint, &message, language));
        }
    }
}

fn languages(lint: &Lint<'_>, message: &Message<'_>) {
    // One text for all languages has no name.
    if message.texts.is_empty() || message.texts.contains_key("") {
        return;
    }
    for language in &lint.flow.languages {
        if !message.texts.contains_key(language) {
            let why = format!("there is no message in {language}");
            let help = "add it: a caller of that language gets no text otherwise";
            lint.note(Code::E09, lint.place(message.kind, message.name, "message"), why, help);
        }
    }
    for language in message.texts.keys() {
        if !lint.flow.languages.contains(language) {
            let why = format!("`{language}` is not among the flow's languages");
            let help = format!("there are: {}", lint.flow.languages.join(", "));
            lint.note(Code::E09, place(lint, message, language), why, help);
        }
    }
}

fn content(lint: &Lint<'_>, message: &Message<'_>, text: &str, place: Span) {
    let links = text.matches("{link}").count();
    if links != 1 && !message.links.is_empty() {
        let why = format!("the message holds `{{link}}` {links} times; it takes it once");
        lint.note(Code::E09, place.clone(), why, "the link is put where `{link}` stands");
    }
    if let Some(brand) = brand(lint)
        && !text.contains("{brand}")
        && !text.to_lowercase().contains(&brand.to_lowercase())
    {
        let why = format!("the message does not say that it is from {brand}");
        lint.note(Code::E09, place.clone(), why, format!("begin it with `{brand}: …`"));
    }
    let named = one_way(lint, message);
    if let Some(sender) = named
        && !names_a_way_out(text)
    {
        // Nobody can answer it by STOP (requirements §4.3).
        let (name, from) = (&sender.name, &sender.from);
        let why = format!(
            "the message may come from `{from}` (`[sender.{name}]`), which nobody can answer, and \
             does not say how else to opt out"
        );
        let help = "say it with a number or an address, such as `Opt out: call 020 7946 0018`";
        lint.note(Code::E09, place.clone(), why, help);
    }
    // It was not asked for by its reader's own key a moment ago (requirements §4.5).
    if named.is_none() && message.kind == "after_call" && !text.to_uppercase().contains("STOP") {
        let why = "the message does not say how to opt out";
        lint.note(Code::E09, place.clone(), why, "end it with `Reply STOP to opt out.`");
    }
    let shortest = segments(&written(lint, message, text, Length::Least));
    let longest = segments(&written(lint, message, text, Length::Most));
    let too_long = |counted: &Segments| counted.count > usize::from(MAX_SEGMENTS);
    if too_long(&shortest) {
        let count = shortest.count;
        let why =
            format!("the message is {count} SMS long; one of more than {MAX_SEGMENTS} is not sent");
        lint.note(Code::E09, place, why, shorter(&shortest));
    } else if too_long(&longest) {
        let count = longest.count;
        let why = format!(
            "the message may be {count} SMS long; one of more than {MAX_SEGMENTS} is not sent"
        );
        let help = shorter(&longest) + &counted(lint, message, text);
        lint.note(Code::E09, place, why, help);
    }
}

/// The first sender of a message that is a name: texts from it can't be answered.
fn one_way<'a>(lint: &'a Lint<'_>, message: &Message<'_>) -> Option<&'a Sender> {
    let is_name = |sender: &&Sender| {
        sender.channel == "sms"
            && sender.from.len() <= LONGEST_NAME
            && sender.from.chars().any(|c| c.is_ascii_alphabetic())
    };
    let used = |sender: &&Sender| message.via.contains(&sender.name);
    lint.flow.senders.iter().filter(is_name).find(used)
}

/// An opt-out word in one of our languages, and somewhere to say it: a number, or an address
/// that is not the link of the message.
fn names_a_way_out(text: &str) -> bool {
    let lower = text.to_lowercase();
    let word = OPT_OUT.iter().any(|word| lower.contains(word));
    let digits = lower.chars().filter(char::is_ascii_digit).count();
    word && (digits >= 3 || lower.contains("://") || lower.contains('@') || lower.contains("www."))
}

/// How long what is not known yet is taken to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    /// Fields are empty, and the link is the shortest.
    Least,
    /// Fields and the link are the longest.
    Most,
}

/// The message with brand, link and fields.
fn written(lint: &Lint<'_>, message: &Message<'_>, text: &str, length: Length) -> String {
    let of = |field: &str| match length {
        Length::Least => 0,
        Length::Most => bounds::of(lint, field),
    };
    let mut addresses: Vec<String> =
        templates(lint, message).iter().map(|template| filled(template, of)).collect();
    addresses.sort_by_key(String::len);
    let link = match length {
        Length::Least => addresses.first(),
        Length::Most => addresses.last(),
    };
    let text = text
        .replace("{link}", link.map_or("", String::as_str))
        .replace("{brand}", brand(lint).unwrap_or_default());
    filled(&text, of)
}

/// The addresses that a message may hold: those of its link and of the links instead of it, or one
/// of ours.
fn templates(lint: &Lint<'_>, message: &Message<'_>) -> Vec<String> {
    let of_ours = lint.shared.public_url.as_deref().unwrap_or("https://c.example");
    let of_ours = || format!("{of_ours}/l/{}", "x".repeat(TOKEN_LEN));
    let mut links = message.links.to_vec();
    let mut at = 0;
    while let Some(link) = links.get(at).and_then(|id| lint.flow.links.get(usize::from(id.0))) {
        links.extend(link.if_missing.filter(|instead| !links.contains(instead)));
        at += 1;
    }
    let links = links.iter().filter_map(|id| lint.flow.links.get(usize::from(id.0)));
    let ours = |link: &Link| link.has_page() || message.links.len() > 1;
    links.map(|link| if ours(link) { of_ours() } else { link.url.clone() }).collect()
}

/// A template with letters for its fields, so many as `of` says.
fn filled(template: &str, of: impl Fn(&str) -> usize) -> String {
    let mut parts = template.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| match part.split_once('}') {
        Some((name, rest)) => text + &"x".repeat(of(name)) + rest,
        None => text + part,
    })
}

/// What is counted for each field of a message and its addresses.
fn counted(lint: &Lint<'_>, message: &Message<'_>, text: &str) -> String {
    let addresses = templates(lint, message);
    let templates = addresses.iter().map(String::as_str).chain([text]);
    let fields: BTreeSet<&str> = templates.flat_map(template::fields).collect();
    let each = fields.iter().map(|field| format!("`{field}` {}", bounds::of(lint, field)));
    let each: Vec<String> = each.collect();
    if each.is_empty() {
        return String::new();
    }
    format!("; characters counted: {}", each.join(", "))
}

fn shorter(counted: &Segments) -> String {
    match (counted.encoding, counted.offending) {
        (Encoding::Ucs2, Some(c)) => {
            let plain = transliterate(&c.to_string());
            let instead = match segments(&plain).encoding {
                Encoding::Gsm7 if !plain.is_empty() => format!("write `{plain}` for it"),
                _ => "write it without".to_owned(),
            };
            format!("`{c}` makes each SMS 67 characters instead of 153: {instead}, or shorten it")
        }
        _ => "shorten it, or the address of its link".to_owned(),
    }
}

fn brand<'a>(lint: &Lint<'a>) -> Option<&'a str> {
    let businesses = &lint.shared.businesses;
    let business = match &lint.flow.business {
        Some(key) => businesses.iter().find(|business| business.key == *key),
        None => businesses.first(),
    };
    business.map(|business| business.brand.as_str())
}

fn place(lint: &Lint<'_>, message: &Message<'_>, language: &str) -> Span {
    let value = lint.value(message.kind, message.name, "message");
    let text = value.and_then(|value| value.get_ref().as_table()?.get(language));
    text.map_or_else(|| lint.place(message.kind, message.name, "message"), toml::Spanned::span)
}
