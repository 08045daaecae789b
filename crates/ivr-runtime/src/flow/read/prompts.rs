//! `play` and the prompts of a text.

use toml::{Spanned, de::DeValue};

use crate::{
    diagnose::{Code, Table, Text},
    flow::model::{PromptItem, PromptList},
};

/// Spoken values; known, and refused.
const NOT_YET: [&str; 2] = ["say:", "clip:"];

/// `play`: a file name, a list of them, or groups that need fields.
pub(super) fn play(table: &Table<'_>) -> PromptList {
    list(table, "play")
}

/// As [`play`], under another key.
pub(super) fn list<'a>(table: &Table<'a>, key: &'a str) -> PromptList {
    table.require(key, Code::E00);
    let Some(value) = table.value(key) else { return Vec::new() };
    let list = prompts(table, value);
    let empty_list = value.get_ref().as_array().is_some_and(|list| list.iter().next().is_none());
    if empty_list {
        table.note(Code::E00, key, format!("`{key}` is empty"), "name a sound");
    }
    list
}

/// A prompt of a text step: `default` where it is missing, nothing for `none`.
pub(super) fn prompt_or<'a>(table: &Table<'a>, key: &'a str, default: &str) -> Option<PromptList> {
    let named = |name: &str| vec![PromptItem::Sound(name.to_owned())];
    match table.text(key) {
        None => Some(named(default)),
        Some(text) if text.value == "none" => None,
        Some(text) => Some(sound(table, &text).into_iter().collect()),
    }
}

fn prompts(table: &Table<'_>, value: &Spanned<DeValue<'_>>) -> PromptList {
    match value.get_ref() {
        DeValue::Array(list) => list.iter().flat_map(|item| entry(table, item)).collect(),
        _ => entry(table, value).into_iter().collect(),
    }
}

fn entry(table: &Table<'_>, value: &Spanned<DeValue<'_>>) -> Option<PromptItem> {
    match value.get_ref() {
        DeValue::Table(group) => {
            let group = Table::new(table.notes(), "a group of prompts", group, value.span());
            let play = match group.value("play") {
                Some(list) if list.get_ref().as_array().is_some() => prompts(&group, list),
                Some(one) if one.get_ref().as_str().is_some() => prompts(&group, one),
                Some(other) => {
                    group.wrong_type("play", other, "a sound or a list of sounds");
                    Vec::new()
                }
                None => {
                    let help = "write `{ play = […], needs = […] }`";
                    group.notes().note(Code::E00, group.span(), "the group plays nothing", help);
                    Vec::new()
                }
            };
            let nested = play.iter().any(|item| matches!(item, PromptItem::Group { .. }));
            if nested {
                group.note(Code::E00, "play", "a group in a group", "put their sounds in one list");
            }
            let needs = group.texts_owned("needs");
            group.unknown_keys();
            Some(PromptItem::Group { play, needs })
        }
        _ => sound(table, &table.text_of("play", value)?),
    }
}

/// A sound by its file name; folders and the suffix are left out.
fn sound(table: &Table<'_>, text: &Text) -> Option<PromptItem> {
    if let Some(form) = NOT_YET.into_iter().find(|form| text.value.starts_with(form)) {
        let message = format!("`{form}…` prompts are not available yet");
        table.notes().note(Code::N01, text.span.clone(), message, "name a sound file");
        return None;
    }
    let name = text.value.strip_suffix(".wav").unwrap_or(&text.value);
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(plain) || name.starts_with('.') {
        let message = format!("`{}` is no name of a sound", text.value);
        let help = "write the file's name alone, such as `welcome.wav`";
        table.notes().note(Code::E07, text.span.clone(), message, help);
        return None;
    }
    Some(PromptItem::Sound(name.to_owned()))
}
