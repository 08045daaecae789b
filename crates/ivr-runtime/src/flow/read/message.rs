//! The message of a text, by language.

use std::collections::BTreeMap;

use message_text::MAX_SEGMENTS;
use toml::de::DeValue;

use crate::diagnose::{Code, Table};

/// Reads `message`: one text for all languages (under `""`), or one for each.
pub(super) fn message(table: &Table<'_>) -> BTreeMap<String, String> {
    table.require("message", Code::E09);
    let Some(value) = table.value("message") else { return BTreeMap::new() };
    let mut texts = BTreeMap::new();
    match value.get_ref() {
        DeValue::Table(_) => {
            let Some(by_language) = table.table("message", "`message`") else { return texts };
            for language in by_language.keys() {
                if let Some(text) = by_language.text(language) {
                    texts.insert(language.to_owned(), text.value);
                }
            }
        }
        DeValue::String(_) => {
            if let Some(text) = table.text("message") {
                texts.insert(String::new(), text.value);
            }
        }
        _ => table.wrong_type("message", value, "a text, or one for each language"),
    }
    texts
}

/// Reads `max_segments`: SMS that a message may be long. No provider takes a text of more than ten.
pub(super) fn max_segments(table: &Table<'_>) -> u8 {
    let written = table.number("max_segments", 1..=10);
    written.and_then(|count| u8::try_from(count).ok()).unwrap_or(MAX_SEGMENTS)
}
