//! `collect`, `lookup` and `action`.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::{
    Reader,
    agent::TYPES,
    fields::{FIELD_HELP, OF_THE_CALL, is_field, not_a_field},
    prompts,
    steps::key_of,
};
use crate::{
    diagnose::{Code, Table, Takes, Text, nearest},
    flow::model::{
        Action, Check, Collect, FieldType, Level, Lookup, Method, PromptItem, PromptList, Request,
        Save, Spoken,
    },
    key::Key,
    lint::urls,
    speech::Way,
};

const CHECKS: [(&str, Check); 5] = [
    ("digits", Check::Digits),
    ("phone", Check::Phone),
    ("mobile", Check::Mobile),
    ("luhn", Check::Luhn),
    ("date", Check::Date),
];
/// A pattern that takes longer to read than this is refused.
const MAX_PATTERN: usize = 200;

/// `do = "collect"`.
pub(super) fn collect(table: &Table<'_>, reader: &Reader<'_>) -> Collect {
    let check = check(table);
    let exact = if check == Check::Date { 8 } else { 0 };
    // At most 32, so it fits.
    let min = table.number("min", 1..=32).map_or(exact.max(1), |n| n as u8);
    let max = table.number("max", 1..=32).map_or(if exact > 0 { exact } else { 20 }, |n| n as u8);
    if min > max {
        let message = format!("`min` is {min} and `max` is {max}");
        table.note(Code::E00, "min", message, "no input could have that many digits");
    }
    if check == Check::Date && (min, max) != (8, 8) {
        table.note(Code::E00, "check", "a date has eight digits", "leave `min` and `max` out");
    }
    let end_key = key_of(table, "end_key").or((!table.has("end_key")).then_some(Key::HASH));
    if end_key.is_some_and(|key| key.is_digit()) {
        let message = "a digit can't end the digits";
        table.note(Code::E15, "end_key", message, "write `\"#\"`");
    }
    let no_input = reader.required_go(table, "no_input", Code::E04);
    let save = field(table, "save").unwrap_or_default();
    let secret = table.flag("secret").unwrap_or(false);
    let confirm = table.flag("confirm").unwrap_or(false);
    if confirm && secret {
        let message = "a secret is not read back: whoever is near would hear it";
        table.note(Code::E00, "confirm", message, "leave one out");
    }
    let confirm = confirm.then(|| read_back(&check, &save));
    // At most 5, so it fits.
    let tries = table.number_or("tries", 1..=5, Code::E05).map_or(3, |n| n as u8);
    Collect {
        save,
        play: prompts::play(table),
        play_again: prompts::play_again(table, tries),
        min,
        max,
        end_key,
        timeout_ms: table.number("timeout_ms", 5_000..=60_000).unwrap_or(8_000),
        gap_ms: table.number("gap_ms", 1_000..=30_000).unwrap_or(4_000),
        tries,
        check,
        confirm,
        secret,
        operator: false,
        then: reader.required_go(table, "then", Code::E00),
        no_input,
        wrong: reader.go(table, "wrong").unwrap_or(no_input),
    }
}

/// The value as people say it, and the question whether it is right.
fn read_back(check: &Check, save: &str) -> PromptList {
    let way = match check {
        Check::Phone | Check::Mobile => Way::Phone,
        Check::Date => Way::Date,
        Check::Digits | Check::Luhn | Check::Pattern(_) => Way::Digits,
    };
    let value = Spoken::Field(save.to_owned());
    vec![PromptItem::Say { way, value }, PromptItem::Sound("right-or-again".to_owned())]
}

fn check(table: &Table<'_>) -> Check {
    let named = table.choice("check", &CHECKS, &[]).unwrap_or_default();
    let Some(pattern) = table.text("pattern") else { return named };
    if table.has("check") {
        let message = "`check` and `pattern` exclude each other";
        table.note(Code::E00, "pattern", message, "leave one out");
    }
    if let Err(why) = whole(&pattern.value) {
        let message = format!("`{}` is no pattern: {why}", pattern.value);
        table.notes().note(Code::E00, pattern.span, message, "such as `[0-9]{4}`");
    }
    Check::Pattern(pattern.value)
}

/// A pattern of the whole input.
pub(crate) fn whole(pattern: &str) -> Result<regex_lite::Regex, String> {
    if pattern.len() > MAX_PATTERN {
        return Err(format!("it is longer than {MAX_PATTERN} characters"));
    }
    regex_lite::Regex::new(&format!("^(?:{pattern})$")).map_err(|error| error.to_string())
}

/// `do = "lookup"`.
pub(super) fn lookup(table: &Table<'_>, reader: &Reader<'_>) -> Lookup {
    table.require("save", Code::E00);
    let levels = [Level::L1, Level::L2].map(|level| (level.as_str(), level));
    Lookup {
        request: Request { method: method(table), ..request(table, reader, 1_500) },
        cache_seconds: table.number("cache_seconds", 0..=86_400).unwrap_or(0),
        save: saves(table),
        wait_prompt: prompts::prompt_or(table, "wait_prompt", "one-moment"),
        start_early: table.flag("start_early").unwrap_or(false),
        auth_level: table.choice("auth_level", &levels, &[]),
        then: reader.required_go(table, "then", Code::E00),
        if_fails: reader.go(table, "if_fails"),
    }
}

/// `do = "action"`.
pub(super) fn action(table: &Table<'_>, reader: &Reader<'_>) -> Action {
    table.value("confirm");
    let confirm = table.has("confirm").then(|| prompts::list(table, "confirm"));
    Action {
        request: Request { method: Method::Post, ..request(table, reader, 3_000) },
        confirm,
        save: saves(table),
        wait_prompt: prompts::prompt_or(table, "wait_prompt", "one-moment"),
        then: reader.required_go(table, "then", Code::E00),
        no_input: reader.go(table, "no_input"),
        if_fails: reader.go(table, "if_fails"),
    }
}

fn request(table: &Table<'_>, reader: &Reader<'_>, timeout_ms: u32) -> Request {
    table.require("url", Code::E00);
    let url = web_address(table, "url");
    let token = secret(table, "token");
    let system = system(table, reader, url.as_deref().unwrap_or_default());
    let body = body(table);
    Request {
        method: Method::default(),
        url: url.unwrap_or_default(),
        token,
        system,
        body,
        timeout_ms: table.number("timeout_ms", 100..=10_000).unwrap_or(timeout_ms),
    }
}

/// Where the request goes, with credentials that go nowhere else.
fn system(table: &Table<'_>, reader: &Reader<'_>, url: &str) -> Option<String> {
    let name = table.text("system")?;
    let known = &reader.shared.systems;
    let Some(system) = known.iter().find(|system| system.name == name.value) else {
        reader.unknown("system", &name, known.iter().map(|system| system.name.as_str()));
        return None;
    };
    let rest = url.strip_prefix(system.url.as_str());
    if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?'])) {
        let message = format!("`url` does not lead to `[system.{}]`", system.name);
        let help = format!("its addresses begin with `{}`", system.url);
        table.note(Code::E13, "url", message, help);
    }
    if system.has_tokens && table.has("token") {
        let message = format!("`[system.{}]` has tokens of its own", system.name);
        table.note(Code::E00, "token", message, "leave one out");
    }
    Some(name.value)
}

/// An https address.
pub(super) fn web_address<'a>(table: &Table<'a>, key: &'a str) -> Option<String> {
    let url = table.text(key)?;
    if let Some((message, help)) = urls::problem(&url.value) {
        table.notes().note(Code::E13, url.span, message, help);
    }
    Some(url.value)
}

/// A reference to a secret, not looked up.
pub(super) fn secret<'a>(table: &Table<'a>, key: &'a str) -> Option<String> {
    table.takes(key, Takes::SECRET);
    let secret = table.text(key)?;
    if !["env:", "file:"].iter().any(|kind| secret.value.starts_with(kind)) {
        let message = "a secret stands here in the open";
        let help = "write `env:NAME` or `file:PATH`";
        table.notes().note(Code::E13, secret.span, message, help);
    }
    Some(secret.value)
}

/// With a body it is POST, unless it is said otherwise.
fn method(table: &Table<'_>) -> Method {
    let usual = if table.has("body") { Method::Post } else { Method::Get };
    let methods = [("GET", Method::Get), ("POST", Method::Post)];
    let method = table.choice("method", &methods, &[]).unwrap_or(usual);
    if method == Method::Get && table.has("body") {
        let help = "leave `method` out, or put the fields into `url`";
        table.note(Code::E00, "method", "GET has no body", help);
    }
    method
}

fn body(table: &Table<'_>) -> BTreeMap<String, String> {
    let Some(body) = table.table("body", "`body`") else { return BTreeMap::new() };
    let texts =
        body.keys().into_iter().filter_map(|key| Some((key.to_owned(), body.text(key)?.value)));
    texts.collect()
}

/// `"/pointer"`, or `{ pointer = "/pointer", type = "number" }`.
fn pointer<'a>(pointers: &Table<'a>, name: &'a str) -> Option<(Text, Option<FieldType>)> {
    let is_table = pointers.value(name).is_some_and(|value| value.get_ref().as_table().is_some());
    if !is_table {
        return Some((pointers.text(name)?, None));
    }
    let one = pointers.table(name, format!("`{name}`"))?;
    let pointer = one.required_text("pointer");
    let is = one.choice("type", &TYPES, &[]);
    one.finish();
    Some((pointer?, is))
}

/// What is read out of an answer, and which of it is no account data.
fn saves(table: &Table<'_>) -> Vec<Save> {
    let mut saves = fields_of(table);
    call_public(table, &mut saves);
    saves
}

/// A list of fields, each the member of that name; or a table of fields and JSON pointers.
fn fields_of(table: &Table<'_>) -> Vec<Save> {
    let Some(value) = table.value("save") else { return Vec::new() };
    if let DeValue::Table(_) = value.get_ref() {
        let Some(pointers) = table.table("save", "`save`") else { return Vec::new() };
        let mut saves = Vec::new();
        for name in pointers.keys() {
            let Some((pointer, is)) = pointer(&pointers, name) else { continue };
            let span = pointers.key_place(name);
            can_be_saved(table, &Text { value: name.to_owned(), span });
            if !pointer.value.starts_with('/') {
                let message = format!("`{}` is no JSON pointer", pointer.value);
                table.notes().note(Code::E00, pointer.span, message, "such as `/customer/id`");
            }
            saves.push(Save { is, ..Save::untyped(name, &pointer.value) });
        }
        return saves;
    }
    let names: Vec<Text> = table.texts("save").unwrap_or_default();
    if names.is_empty() {
        table.note(Code::E00, "save", "`save` is empty", "name the fields of the answer");
    }
    let mut saves = Vec::new();
    for name in names {
        can_be_saved(table, &name);
        saves.push(Save::untyped(&name.value, &format!("/{}", name.value)));
    }
    saves
}

/// `public`: which of what is saved is no account data.
fn call_public(table: &Table<'_>, saves: &mut [Save]) {
    for name in table.texts("public").unwrap_or_default() {
        if let Some(save) = saves.iter_mut().find(|save| save.field == name.value) {
            save.public = true;
            continue;
        }
        let message = format!("`public`: `save` names no field `{}`", name.value);
        let help = match nearest(&name.value, saves.iter().map(|save| save.field.as_str())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "it is a list of fields that `save` names".to_owned(),
        };
        table.notes().note(Code::E00, name.span, message, help);
    }
}

fn field<'a>(table: &Table<'a>, key: &'a str) -> Option<String> {
    let name = table.required_text(key)?;
    can_be_saved(table, &name);
    Some(name.value)
}

pub(super) fn can_be_saved(table: &Table<'_>, name: &Text) {
    let (message, help) = if !is_field(&name.value) {
        (not_a_field(&name.value), FIELD_HELP)
    } else if OF_THE_CALL.contains(&name.value.as_str()) {
        (format!("every call has a field `{}` of its own", name.value), "take another name")
    } else {
        return;
    };
    table.notes().note(Code::E00, name.span.clone(), message, help);
}
