//! A table being read: each key is asked for once, by its type; the rest is unknown.

use std::{cell::RefCell, ops::RangeInclusive};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Asked, Code, Fix, Notes, Span, Takes, What, nearest, surely, surely_one_of};

/// A text with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What it says.
    pub value: String,
    /// Where it stands.
    pub span: Span,
}

/// A table being read.
pub struct Table<'a> {
    notes: &'a Notes,
    /// As in `[step.welcome]`, for messages.
    title: String,
    /// Its header.
    span: Span,
    table: &'a DeTable<'a>,
    known: RefCell<Vec<&'a str>>,
    /// Keys that are missing, and which problem tells so.
    missing: RefCell<Vec<(&'a str, usize)>>,
    /// Where it is in the file, while that is written down.
    path: Vec<String>,
}

impl<'a> Table<'a> {
    /// A table called `title` in messages; `span` is the place of its header.
    pub fn new(
        notes: &'a Notes,
        title: impl Into<String>,
        table: &'a DeTable<'a>,
        span: Span,
    ) -> Self {
        let title = title.into();
        let path = if notes.is_recording() { vec![title.clone()] } else { Vec::new() };
        let (known, missing) = (RefCell::default(), RefCell::default());
        Self { notes, title, span, table, known, missing, path }
    }

    /// Says what a key takes, where its reader looks at the value by itself. It goes before what
    /// the other methods say of the key.
    pub fn takes(&self, key: &str, takes: Takes) {
        self.record(|| What::Key(key.to_owned(), takes));
    }

    fn record(&self, what: impl FnOnce() -> What) {
        if self.notes.is_recording() {
            self.notes.record(Asked { path: self.path.clone(), what: what() });
        }
    }

    /// Place of its header.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// Where problems are noted.
    pub fn notes(&self) -> &'a Notes {
        self.notes
    }

    /// Place of a key's value, or of the header where it is missing.
    pub fn place(&self, key: &str) -> Span {
        self.table.get(key).map_or_else(|| self.span(), Spanned::span)
    }

    /// Notes a problem at a key's value.
    pub fn note(&self, code: Code, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.notes.note(code, self.place(key), message, help);
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The value of a key, which is known from now on.
    pub fn value(&self, key: &'a str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.takes(key, Takes::Something);
        self.known.borrow_mut().push(key);
        self.table.get(key)
    }

    /// Notes a missing key as `code`; true where it is there.
    pub fn require(&self, key: &'a str, code: Code) -> bool {
        self.record(|| What::Required(key.to_owned()));
        self.known.borrow_mut().push(key);
        if !self.has(key) {
            let message = format!("{} has no `{key}`", self.title);
            self.lacks(code, key, message, format!("add `{key} = …`"));
        }
        self.has(key)
    }

    /// Notes that a key is missing, unless one that is unknown turns out to have been meant.
    pub fn lacks(
        &self,
        code: Code,
        key: &'a str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.missing.borrow_mut().push((key, self.notes.len()));
        self.notes.note(code, self.span(), message, help);
    }

    /// A text, not empty.
    pub fn text(&self, key: &'a str) -> Option<Text> {
        self.takes(key, Takes::Text);
        self.text_of(key, self.value(key)?)
    }

    /// A text that must be there.
    pub fn required_text(&self, key: &'a str) -> Option<Text> {
        self.require(key, Code::E00);
        self.text(key)
    }

    /// A value that must be a text, not empty.
    pub fn text_of(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Text> {
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => {
                Some(Text { value: text.to_string(), span: value.span() })
            }
            DeValue::String(_) => {
                self.notes.note(Code::E00, value.span(), format!("`{key}` is empty"), "");
                None
            }
            _ => {
                self.wrong_type(key, value, "a text in quotes");
                None
            }
        }
    }

    /// A list of texts; `None` where the key is missing.
    pub fn texts(&self, key: &'a str) -> Option<Vec<Text>> {
        self.takes(key, Takes::Texts);
        let value = self.value(key)?;
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of texts, such as `[\"a\", \"b\"]`");
            return None;
        };
        let text = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => {
                let help = "leave it out, or write what is meant";
                self.notes.note(Code::E00, item.span(), format!("`{key}` has an empty text"), help);
                None
            }
            _ => self.text_of(key, item),
        };
        Some(list.iter().filter_map(text).collect())
    }

    /// A list of texts without their places, empty where the key is missing.
    pub fn texts_owned(&self, key: &'a str) -> Vec<String> {
        self.texts(key).into_iter().flatten().map(|text| text.value).collect()
    }

    /// A whole number in `range`; `code` is noted where it is outside.
    pub fn number_or(&self, key: &'a str, range: RangeInclusive<u32>, code: Code) -> Option<u32> {
        self.takes(key, Takes::Number(range.clone()));
        self.number_of(key, self.value(key)?, range, code)
    }

    fn number_of(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        range: RangeInclusive<u32>,
        code: Code,
    ) -> Option<u32> {
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, value, "a whole number");
            return None;
        };
        let number = u32::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok();
        if number.is_none_or(|number| !range.contains(&number)) {
            let (least, most) = (range.start(), range.end());
            let message = format!("`{key}` is {integer}; it takes {least} to {most}");
            self.notes.note(code, value.span(), message, "");
            return None;
        }
        number
    }

    /// A whole number in `range`.
    pub fn number(&self, key: &'a str, range: RangeInclusive<u32>) -> Option<u32> {
        self.number_or(key, range, Code::E00)
    }

    /// A list of whole numbers in `range`, not empty; those that are not in it are left out.
    pub fn numbers(&self, key: &'a str, range: &RangeInclusive<u32>) -> Option<Vec<u32>> {
        self.takes(key, Takes::Numbers(range.clone()));
        let value = self.value(key)?;
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of whole numbers, such as `[1, 2]`");
            return None;
        };
        if list.is_empty() {
            self.note(Code::E00, key, format!("`{key}` is empty"), "");
        }
        let number = |item| self.number_of(key, item, range.clone(), Code::E00);
        Some(list.iter().filter_map(number).collect())
    }

    /// A number, whole or with decimals.
    pub fn decimal(&self, key: &'a str) -> Option<f64> {
        self.takes(key, Takes::Decimal);
        let value = self.value(key)?;
        let text = match value.get_ref() {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            _ => "",
        };
        let number = text.replace('_', "").parse::<f64>().ok().filter(|number| number.is_finite());
        if number.is_none() {
            self.wrong_type(key, value, "a number");
        }
        number
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &'a str) -> Option<bool> {
        self.takes(key, Takes::Flag);
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, value, "true or false");
        }
        flag
    }

    /// One of several words; those in `not_yet` are known and refused.
    pub fn choice<T: Clone>(
        &self,
        key: &'a str,
        words: &[(&str, T)],
        not_yet: &[&str],
    ) -> Option<T> {
        self.takes(key, Takes::words(words));
        let text = self.text(key)?;
        self.choose(key, &text, words, not_yet)
    }

    /// The meaning of a text that must be one of several words.
    pub fn choose<T: Clone>(
        &self,
        key: &str,
        text: &Text,
        words: &[(&str, T)],
        not_yet: &[&str],
    ) -> Option<T> {
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(meaning.clone());
        }
        let listed = words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>();
        let listed = format!("it takes {}", listed.join(", "));
        if not_yet.contains(&text.value.as_str()) {
            let message = format!("`{key} = \"{}\"` is not available yet", text.value);
            self.notes.note(Code::N01, text.span.clone(), message, listed);
            return None;
        }
        let all = words.iter().map(|(word, _)| *word).chain(not_yet.iter().copied());
        let help = nearest(&text.value, all).map(|near| format!("did you mean `{near}`?"));
        let message = format!("`{key}` does not take `{}`", text.value);
        let sure = surely_one_of(&text.value, words.iter().map(|(word, _)| *word));
        let fix = sure.map(|word| Fix { span: text.span.clone(), text: format!("\"{word}\"") });
        let help = help.unwrap_or(listed);
        self.notes.note_with_fix(Code::E00, text.span.clone(), message, help, fix);
        None
    }

    /// A table under this key; `title` is its name in messages.
    pub fn table(&self, key: &'a str, title: impl Into<String>) -> Option<Table<'a>> {
        self.takes(key, Takes::Table);
        let value = self.value(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, value, "a table");
            return None;
        };
        let span = match value.span() {
            // A table that only stands in the headers of others has no place of its own.
            empty if empty.is_empty() => self.key_place(key),
            span => span,
        };
        Some(self.inner(&[key], title, table, span))
    }

    /// A table among a list of them under this key.
    pub fn item(
        &self,
        key: &'a str,
        title: impl Into<String>,
        table: &'a DeTable<'a>,
        span: Span,
    ) -> Table<'a> {
        self.takes(key, Takes::Tables);
        self.inner(&[key, "[]"], title, table, span)
    }

    fn inner(
        &self,
        below: &[&str],
        title: impl Into<String>,
        table: &'a DeTable<'a>,
        span: Span,
    ) -> Table<'a> {
        let mut inner = Table::new(self.notes, title, table, span);
        if self.notes.is_recording() {
            let below = below.iter().map(|key| (*key).to_owned());
            inner.path = self.path.iter().cloned().chain(below).collect();
        }
        inner
    }

    /// The tables `[key.X]` with their X, in file order.
    pub fn tables(&self, key: &'a str) -> Vec<(Text, Table<'a>)> {
        let Some(outer) = self.table(key, format!("`[{key}]`")) else { return Vec::new() };
        let mut tables = Vec::new();
        for name in outer.keys() {
            let Some((name_at, _)) = outer.table.get_key_value(name) else { continue };
            if let Some(table) = outer.table(name, format!("`[{key}.{name}]`")) {
                tables.push((Text { value: name.to_owned(), span: name_at.span() }, table));
            }
        }
        tables
    }

    /// Its keys in file order.
    pub fn keys(&self) -> Vec<&'a str> {
        self.record(|| What::AnyKey);
        self.keys_in_order()
    }

    /// Its keys in file order, which are not known by that.
    pub(crate) fn keys_in_order(&self) -> Vec<&'a str> {
        let mut keys: Vec<_> = self.table.keys().collect();
        keys.sort_by_key(|key| key.span().start);
        keys.into_iter().map(|key| key.get_ref().as_ref()).collect()
    }

    /// Place of a key itself.
    pub fn key_place(&self, key: &str) -> Span {
        self.table.get_key_value(key).map_or_else(|| self.span(), |(key, _)| key.span())
    }

    /// Notes that a value is of the wrong type.
    pub fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let message = format!("`{key}` is {}; it takes {wanted}", kind_of(value.get_ref()));
        self.notes.note(Code::E00, value.span(), message, "");
    }

    /// Notes every key that was not asked for.
    pub fn finish(self) {
        self.unknown_keys();
    }

    /// As [`finish`](Self::finish), where the table is still needed.
    pub fn unknown_keys(&self) {
        let known = self.known.borrow();
        for key in self.keys_in_order() {
            if known.contains(&key) {
                continue;
            }
            let near = nearest(key, known.iter().copied());
            let missing = self.missing.borrow();
            for (_, told) in missing.iter().filter(|(missing, _)| Some(*missing) == near) {
                self.notes.forget(*told);
            }
            let help =
                near.map_or_else(|| listing(&known), |near| format!("did you mean `{near}`?"));
            let message = format!("{} does not know the key `{key}`", self.title);
            let span = self.key_place(key);
            // One that stands there already was not meant.
            let sure = surely(key, known.iter().copied()).filter(|near| !self.has(near));
            let fix = sure.map(|near| Fix { span: span.clone(), text: near.to_owned() });
            self.notes.note_with_fix(Code::E00, span, message, help, fix);
        }
    }
}

fn listing(known: &[&str]) -> String {
    let mut keys: Vec<&str> = Vec::new();
    for key in known {
        if !keys.contains(key) {
            keys.push(key);
        }
    }
    let keys: Vec<String> = keys.into_iter().map(|key| format!("`{key}`")).collect();
    format!("known here: {}", keys.join(", "))
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
