//! E09: a message is there in every language, says who sends it, holds its link once and is not
//! too long to be sent. E10: some number that may be texted gets it. W09: it may be longer than one SMS, which its file does not say.

use std::collections::{BTreeMap, BTreeSet};

use message_text::{Encoding, Segments, gsm7::transliterate, segments, segments_in};

use super::{Lint, bounds, graph};
use crate::{
    diagnose::{Code, Span},
    flow::{
        model::{Does, Link, LinkId},
        words::{self, Expected, Fault},
    },
    step::template,
};

/// Characters of a token in an address of ours: 128 bits in base64url.
const TOKEN_LEN: usize = 22;
/// The purpose of a text that its reader asks for by a key.
const LINK: &str = "link";
/// A message with the table it stands in.
struct Message<'a> {
    via: &'a [String],
    kind: &'a str,
    name: &'a str,
    links: &'a [LinkId],
    /// More than the link that its reader asked for.
    unasked: bool,
    texts: &'a BTreeMap<String, String>,
    max_segments: usize,
}

pub(super) fn check(lint: &Lint<'_>) {
    let of_steps = graph::steps(lint.flow).filter_map(|(_, step)| match &step.does {
        Does::Text(text) => Some(Message {
            via: &text.via,
            kind: "step",
            name: &step.name,
            links: &text.links,
            unasked: text.purpose != LINK,
            texts: &text.message,
            max_segments: text.max_segments.into(),
        }),
        _ => None,
    });
    let after = lint.flow.after_call.iter().map(|after| Message {
        via: &after.via,
        kind: "after_call",
        name: &after.name,
        links: &after.links,
        unasked: true,
        texts: &after.message,
        max_segments: after.max_segments.into(),
    });
    for message in of_steps.chain(after) {
        senders(lint, &message);
        languages(lint, &message);
        for (language, text) in message.texts {
            content(lint, &message, text, place(lint, &message, language));
        }
    }
}

/// E10: some number that may be texted can have it. That each country has a sender is a matter of
/// carom.toml.
fn senders(lint: &Lint<'_>, message: &Message<'_>) {
    let named = || lint.flow.senders.iter().filter(|sender| message.via.contains(&sender.name));
    let countries = &lint.shared.countries;
    let serves = |country: &String| named().any(|sender| sender.regions.contains(country));
    if named().next().is_some() && !countries.is_empty() && !countries.iter().any(serves) {
        let why = format!("no sender of the message serves {}", countries.join(" or "));
        let help = "name one whose `regions` have a country of `[limits] countries`";
        lint.note(Code::E10, lint.place(message.kind, message.name, "via"), why, help);
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
    let expected = Expected {
        leads: !message.links.is_empty(),
        brand: brand(lint),
        one_way: words::one_way(&lint.flow.senders, message.via),
        unasked: message.unasked,
    };
    for Fault { why, help } in words::faults(text, &expected) {
        lint.note(Code::E09, place.clone(), why, help);
    }
    length(lint, message, text, place);
}

/// Requirements §4.1: one SMS, else the file says how many.
fn length(lint: &Lint<'_>, message: &Message<'_>, text: &str, place: Span) {
    let max = message.max_segments;
    let count = |length| counted(lint, message, &written(lint, message, text, length));
    let (shortest, longest) = (count(Length::Least), count(Length::Most));
    let is_decided = lint.value(message.kind, message.name, "max_segments").is_some();
    let (code, verb, counted) = match (shortest.count, longest.count) {
        (least, _) if least > max => (Code::E09, "is", shortest),
        (_, most) if most > max => (Code::E09, "may be", longest),
        (2.., _) if !is_decided => (Code::W09, "is", shortest),
        (_, 2..) if !is_decided => (Code::W09, "may be", longest),
        (_, _) => return,
    };
    let why = format!("the message {verb} {} SMS long", counted.count);
    let mut help = shorter(&counted);
    if verb == "may be" {
        help += &counted_fields(lint, message, text);
    }
    if code == Code::E09 {
        let why = format!("{why}; one of more than {max} is not sent");
        let help = help + "; or let it be longer: `max_segments = …`, at most 10";
        lint.note(code, place, why, help);
    } else {
        let why = format!("{why}, and each costs as much as a text");
        lint.note(code, place, why, format!("{help}; or say `max_segments = {}`", longest.count));
    }
}

/// The SMS of a text by the sender that makes the most of it.
fn counted(lint: &Lint<'_>, message: &Message<'_>, text: &str) -> Segments {
    let named = lint.flow.senders.iter().filter(|sender| message.via.contains(&sender.name));
    let each = named.map(|sender| segments_in(text, sender.alphabet));
    each.max_by_key(|counted| counted.count).unwrap_or_else(|| segments(text))
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
fn counted_fields(lint: &Lint<'_>, message: &Message<'_>, text: &str) -> String {
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
                Encoding::Gsm7 if !plain.is_empty() && !plain.contains(c) => {
                    format!("write `{plain}` for it")
                }
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
