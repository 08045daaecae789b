//! E09: a message is there in every language, says who sends it, and holds its link once.

use super::{Lint, graph};
use crate::{
    diagnose::{Code, Span},
    flow::model::{Does, Step, Text},
};

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
        lint.note(Code::E09, place, why, format!("begin it with `{brand}: …`"));
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
