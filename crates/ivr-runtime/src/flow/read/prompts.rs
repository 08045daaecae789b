//! `play` and the prompts of a text.

use std::collections::BTreeMap;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    diagnose::{Code, Notes, Span, Table, Takes, Text},
    flow::model::{Clip, PromptItem, PromptList, Spoken},
    speech::Way,
    step::text,
};

/// `play`: a file name, a list of them, or groups that need fields.
pub(super) fn play(table: &Table<'_>) -> PromptList {
    list(table, "play")
}

/// As [`play`], under another key.
pub(super) fn list<'a>(table: &Table<'a>, key: &'a str) -> PromptList {
    table.takes(key, Takes::Form("prompts"));
    table.require(key, Code::E00);
    let Some(value) = table.value(key) else { return Vec::new() };
    let list = prompts(table, key, value);
    let empty_list = value.get_ref().as_array().is_some_and(|list| list.iter().next().is_none());
    if empty_list {
        table.note(Code::E00, key, format!("`{key}` is empty"), "name a sound");
    }
    list
}

/// `play_again`: what each try after the first plays, in the form of [`play`]. No more than a
/// step of so many `tries` can play.
pub(super) fn play_again(table: &Table<'_>, tries: u8) -> Vec<PromptList> {
    let key = "play_again";
    table.takes(key, Takes::Form("prompts_by_try"));
    let Some(value) = table.value(key) else { return Vec::new() };
    let Some(list) = value.get_ref().as_array() else {
        table.wrong_type(key, value, "a list, with the prompts of one try each");
        return Vec::new();
    };
    let silent = |entry: &Spanned<DeValue<'_>>| {
        entry.get_ref().as_array().is_some_and(|list| list.is_empty())
    };
    let nothing = list.iter().find(|entry| silent(entry));
    if nothing.is_some() || list.is_empty() {
        let place = nothing.unwrap_or(value).span();
        let help = "name a sound, or leave it out";
        table.notes().note(Code::E00, place, "a try of `play_again` plays nothing", help);
    }
    if let Some(unheard) = list.get(usize::from(tries.saturating_sub(1))) {
        let message = format!("with `tries = {tries}` this is never played");
        let help = "leave it out, or set `tries` to one more than there are entries";
        table.notes().note(Code::E00, unheard.span(), message, help);
    }
    list.iter().map(|entry| prompts(table, key, entry)).collect()
}

/// A prompt of a text step: `default` where it is missing, nothing for `none`.
pub(super) fn prompt_or<'a>(table: &Table<'a>, key: &'a str, default: &str) -> Option<PromptList> {
    table.takes(key, Takes::Form("prompt"));
    let named = |name: &str| vec![PromptItem::Sound(name.to_owned())];
    let Some(value) = table.value(key) else { return Some(named(default)) };
    if let DeValue::Table(lists) = value.get_ref() {
        return Some(vec![by_language(table.notes(), lists, value.span())]);
    }
    match table.text_of(key, value) {
        None => Some(named(default)),
        Some(text) if text.value == "none" => None,
        Some(text) => Some(sound(table, &text).into_iter().collect()),
    }
}

/// What is said of a text that was sent: what it is and how to come back, from whom it comes, and how
/// long it is good, as far as that is known (EX-16).
pub(super) fn sent(table: &Table<'_>) -> Option<PromptList> {
    let named = prompt_or(table, "sent_prompt", "sent");
    if table.has("sent_prompt") {
        return named;
    }
    let sound = |name: &str| PromptItem::Sound(name.to_owned());
    let say = |way, field: &str| PromptItem::Say { way, value: Spoken::Field(field.to_owned()) };
    let where_known = |field: &str, play| PromptItem::Group { play, needs: vec![field.to_owned()] };
    Some(vec![
        sound("sent"),
        where_known(text::FROM, vec![sound("sent-from"), say(Way::Phone, text::FROM)]),
        where_known(text::NAMED, vec![sound("sent-by-name")]),
        where_known(text::MINUTES, vec![sound("sent-valid"), say(Way::Minutes, text::MINUTES)]),
        where_known(text::ONE_DAY, vec![sound("sent-one-day")]),
        where_known(
            text::DAYS,
            vec![sound("sent-valid"), say(Way::Number, text::DAYS), sound("sent-days")],
        ),
    ])
}

fn prompts(table: &Table<'_>, key: &str, value: &Spanned<DeValue<'_>>) -> PromptList {
    match value.get_ref() {
        DeValue::Array(list) => list.iter().flat_map(|item| entry(table, key, item)).collect(),
        _ => entry(table, key, value).into_iter().collect(),
    }
}

fn entry(table: &Table<'_>, key: &str, value: &Spanned<DeValue<'_>>) -> Option<PromptItem> {
    match value.get_ref() {
        DeValue::Table(lists) if names_languages(lists) => {
            Some(by_language(table.notes(), lists, value.span()))
        }
        DeValue::Table(group) => {
            let group = Table::new(table.notes(), "a group of prompts", group, value.span());
            group.takes("play", Takes::Form("sounds"));
            let play = match group.value("play") {
                Some(list) if list.get_ref().as_array().is_some() => prompts(&group, "play", list),
                Some(one) if one.get_ref().as_str().is_some() => prompts(&group, "play", one),
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
        _ => sound(table, &table.text_of(key, value)?),
    }
}

/// Whether the keys of a table are languages, not those of a group.
fn names_languages(table: &DeTable<'_>) -> bool {
    table.keys().any(|key| key.get_ref().len() == 2 || key.get_ref().contains('-'))
}

/// `{ en-GB = "…", es-ES = ["…", "…"] }`.
fn by_language<'a>(notes: &'a Notes, lists: &'a DeTable<'a>, span: Span) -> PromptItem {
    let lists = Table::new(notes, "a prompt by language", lists, span);
    let mut each = BTreeMap::new();
    for language in lists.keys() {
        let Some(value) = lists.value(language) else { continue };
        let sounds = match value.get_ref() {
            DeValue::Array(list) if !list.is_empty() => {
                list.iter().filter_map(|item| lists.text_of(language, item)).collect()
            }
            DeValue::String(_) => lists.text_of(language, value).into_iter().collect(),
            _ => {
                lists.wrong_type(language, value, "a sound or a list of sounds");
                Vec::new()
            }
        };
        let play = sounds.iter().filter_map(|text| sound(&lists, text)).collect();
        each.insert(language.to_owned(), play);
    }
    PromptItem::ByLanguage(each)
}

/// A sound by its file name, or a value to be spoken.
fn sound(table: &Table<'_>, text: &Text) -> Option<PromptItem> {
    if let Some(what) = text.value.strip_prefix("say:") {
        return say(table, text, what);
    }
    if let Some(what) = text.value.strip_prefix("clip:") {
        return clip(table, text, what);
    }
    if let Some(what) = text.value.strip_prefix("tts:") {
        return tts(table, text, what.trim());
    }
    let name = text.value.strip_suffix(".wav").unwrap_or(&text.value);
    if !is_name(name) {
        let message = format!("`{}` is no name of a sound", text.value);
        let help = "write the file's name alone, such as `welcome.wav`";
        table.notes().note(Code::E07, text.span.clone(), message, help);
        return None;
    }
    Some(PromptItem::Sound(name.to_owned()))
}

/// `{field}`, `WAY:{field}`, and the same with a value in place of the field.
fn say(table: &Table<'_>, text: &Text, what: &str) -> Option<PromptItem> {
    let named = what.split_once(':').filter(|(way, _)| is_word(way));
    let (way, what) = match named {
        None => (Way::Plain, what),
        Some((name, what)) => match Way::parse(name) {
            Some(way) => (way, what),
            None => {
                let ways = Way::NAMED.map(|(name, _)| format!("`{name}`")).join(", ");
                let message = format!("`{name}` is no way of speaking");
                table.notes().note(
                    Code::E00,
                    text.span.clone(),
                    message,
                    format!("it takes {ways}"),
                );
                return None;
            }
        },
    };
    let value = match in_braces(what) {
        Some(field) => Spoken::Field(field.to_owned()),
        None if !what.is_empty() && !what.contains(['{', '}']) => Spoken::Text(what.to_owned()),
        None => {
            let help = "write `say:{field}`, or `say:digits:{field}`";
            return no_field(table, text, help);
        }
    };
    Some(PromptItem::Say { way, value })
}

fn clip(table: &Table<'_>, text: &Text, what: &str) -> Option<PromptItem> {
    match in_braces(what) {
        Some(field) => {
            let clip = Clip { field: field.to_owned(), there: BTreeMap::new() };
            Some(PromptItem::Clip(clip))
        }
        None => no_field(table, text, "write `clip:{field}`"),
    }
}

fn tts(table: &Table<'_>, text: &Text, what: &str) -> Option<PromptItem> {
    if what.is_empty() {
        let help = "write `tts:` and the text, such as `tts:We are closed today.`";
        table.notes().note(Code::E00, text.span.clone(), "`tts:` says nothing", help);
        return None;
    }
    Some(PromptItem::Tts(what.to_owned()))
}

fn no_field<T>(table: &Table<'_>, text: &Text, help: &str) -> Option<T> {
    let message = format!("`{}` names no field", text.value);
    table.notes().note(Code::E00, text.span.clone(), message, help);
    None
}

fn in_braces(text: &str) -> Option<&str> {
    let field = text.strip_prefix('{')?.strip_suffix('}')?;
    is_word(field).then_some(field)
}

/// A name of a field or a way.
fn is_word(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain)
}

/// A sound of the prompt set, or of a folder in it.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let part = |part: &str| !part.is_empty() && part.chars().all(plain) && !part.starts_with('.');
    text.split('/').count() <= 2 && text.split('/').all(part)
}
