//! E09: a message is there in every language, says who sends it, holds its link once and is not
//! too long to be sent.

use message_text::{Encoding, MAX_SEGMENTS, Segments, segments};

use super::{Lint, graph};
use crate::{
    diagnose::{Code, Span},
    flow::model::{Does, Link, Step, Text},
};

/// Characters of a token in an address of ours: 128 bits in base64url.
const TOKEN_LEN: usize = 22;

pub(super) fn check(lint: &Lint<'_>) {
    for (_, step) in graph::steps(lint.flow) {
        if let Does::Text(text) = &step.does {
            languages(lint, step, text);
            for (language, message) in &text.message {
                content(lint, text, message, place(lint, step, language));
            }
        }
    }
}

fn languages(lint: &Lint<'_>, step: &Step, text: &Text) {
    // One text for all languages has no name.
    if text.message.is_empty() || text.message.contains_key("") {
        return;
    }
    for language in &lint.flow.languages {
        if !text.message.contains_key(language) {
            let message = format!("there is no message in {language}");
            let help = "add it: a caller of that language gets no text otherwise";
            lint.note(Code::E09, lint.step_place(step, "message"), message, help);
        }
    }
    for language in text.message.keys() {
        if !lint.flow.languages.contains(language) {
            let message = format!("`{language}` is not among the flow's languages");
            let help = format!("there are: {}", lint.flow.languages.join(", "));
            lint.note(Code::E09, place(lint, step, language), message, help);
        }
    }
}

fn content(lint: &Lint<'_>, text: &Text, message: &str, place: Span) {
    let links = message.matches("{link}").count();
    if links != 1 && !text.links.is_empty() {
        let why = format!("the message holds `{{link}}` {links} times; it takes it once");
        lint.note(Code::E09, place.clone(), why, "the link is put where `{link}` stands");
    }
    if let Some(brand) = brand(lint)
        && !message.contains("{brand}")
        && !message.to_lowercase().contains(&brand.to_lowercase())
    {
        let why = format!("the message does not say that it is from {brand}");
        lint.note(Code::E09, place.clone(), why, format!("begin it with `{brand}: …`"));
    }
    let shortest = segments(&shortest(lint, text, message));
    if shortest.count > usize::from(MAX_SEGMENTS) {
        let count = shortest.count;
        let why =
            format!("the message is {count} SMS long; one of more than {MAX_SEGMENTS} is not sent");
        lint.note(Code::E09, place, why, shorter(&shortest));
    }
}

/// The message as it is at least: with brand and link, every other field empty.
fn shortest(lint: &Lint<'_>, text: &Text, message: &str) -> String {
    let links = text.links.iter().filter_map(|link| lint.flow.links.get(usize::from(link.0)));
    let of_ours = lint.shared.public_url.as_deref().unwrap_or("https://c.example");
    let of_ours = format!("{of_ours}/l/{}", "x".repeat(TOKEN_LEN));
    let address = |link: &Link| {
        let ours = link.has_page() || text.links.len() > 1;
        if ours { of_ours.clone() } else { without_fields(&link.url) }
    };
    let link = links.map(address).min_by_key(String::len);
    let message = message
        .replace("{link}", &link.unwrap_or_default())
        .replace("{brand}", brand(lint).unwrap_or_default());
    without_fields(&message)
}

fn without_fields(template: &str) -> String {
    let mut parts = template.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('}').map_or(part, |(_, rest)| rest))
}

fn shorter(counted: &Segments) -> String {
    match (counted.encoding, counted.offending) {
        (Encoding::Ucs2, Some(c)) => {
            format!(
                "`{c}` makes each SMS 67 characters instead of 153: write it without, or shorten it"
            )
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

fn place(lint: &Lint<'_>, step: &Step, language: &str) -> Span {
    let table =
        lint.value("step", &step.name, "message").and_then(|value| value.get_ref().as_table());
    let text = table.and_then(|table| table.get(language));
    text.map_or_else(|| lint.step_place(step, "message"), toml::Spanned::span)
}
