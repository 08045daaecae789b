//! Reads tables of `carom.toml` and notes everything that is wrong with them, at its place.
//!
//! A section asks a [`Table`] for its keys; whatever was not asked for when the section is
//! [finished](Table::finish) is an unknown key.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt::Display,
    ops::{Range, RangeInclusive},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::secret::{Secret, SecretRef};

/// Where something stands in the file, in bytes.
pub(super) type Span = Range<usize>;

/// Something wrong, at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// `E01`, `E13`, …
    pub code: &'static str,
    /// Where.
    pub span: Span,
    /// What and why.
    pub message: String,
    /// How to mend it; may be empty.
    pub help: String,
}

/// The file being read.
pub(super) struct File<'a> {
    /// What relative paths are relative to.
    pub base: &'a Path,
    problems: RefCell<Vec<Problem>>,
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// A table being read.
pub(super) struct Table<'a> {
    file: &'a File<'a>,
    /// As in `[[trunk]]`, for messages.
    title: String,
    span: Span,
    table: &'a DeTable<'a>,
    known: Vec<String>,
    open: bool,
}

impl<'a> File<'a> {
    pub(super) fn new(base: &'a Path) -> Self {
        Self { base, problems: RefCell::default() }
    }

    pub(super) fn problem(&self, code: &'static str, span: Span, message: String, help: &str) {
        let help = help.to_owned();
        self.problems.borrow_mut().push(Problem { code, span, message, help });
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// The whole file as a table.
    pub(super) fn root(&'a self, tree: &'a Spanned<DeTable<'a>>) -> Table<'a> {
        Table {
            file: self,
            title: "the file".to_owned(),
            span: 0..0,
            table: tree.get_ref(),
            known: Vec::new(),
            open: false,
        }
    }
}

impl<'a> Table<'a> {
    /// What relative paths are relative to.
    pub(super) fn base(&self) -> &'a Path {
        self.file.base
    }

    /// Where the table begins.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The table as it was written, for the readers of the flow language.
    pub(super) fn raw(&self) -> &'a DeTable<'a> {
        self.table
    }

    fn value(&mut self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        if !self.known.iter().any(|k| k == key) {
            self.known.push(key.to_owned());
        }
        self.table.get(key)
    }

    fn key_span(&self, key: &str) -> Span {
        self.table.get_key_value(key).map_or(self.span.clone(), |(key, _)| key.span())
    }

    /// Notes an error at the key, or at the table where the key is missing.
    pub(super) fn error_at(&self, key: &str, message: String, help: &str) {
        let span = self.table.get(key).map_or(self.span.clone(), Spanned::span);
        self.file.problem("E00", span, message, help);
    }

    /// Notes an error at a place that a rule of the whole file found.
    pub(super) fn error_here(&self, code: &'static str, span: Span, message: String, help: &str) {
        self.file.problem(code, span, message, help);
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let message = format!("`{key}` is {}; it takes {wanted}", type_of(value.get_ref()));
        self.file.problem("E00", value.span(), message, "");
    }

    /// Reads a key that must be there.
    pub(super) fn required<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        if self.value(key).is_none() {
            let message = format!("{} has no `{key}`", self.title);
            self.file.problem("E00", self.span.clone(), message, &format!("add `{key} = …`"));
            return None;
        }
        read(self)
    }

    /// Refuses a key whose feature is not built.
    pub(super) fn not_yet(&mut self, key: &str, feature: &str) {
        if self.value(key).is_some() {
            let span = self.key_span(key);
            self.file.problem(
                "N01",
                span,
                format!("`{key}` is for {feature}, which is not available yet"),
                "remove it",
            );
        }
    }

    /// Refuses `true` for a feature that is not built.
    pub(super) fn not_yet_if_true(&mut self, key: &str, feature: &str) {
        if self.flag(key) == Some(true) {
            self.not_yet(key, feature);
        }
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str) -> Option<At<&'a str>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => {
                Some(At { value: text.as_ref(), span: value.span() })
            }
            DeValue::String(_) => {
                let message = format!("`{key}` is empty");
                self.file.problem("E00", value.span(), message, "");
                None
            }
            _ => {
                self.wrong_type(key, value, "a text in quotes");
                None
            }
        }
    }

    /// A text that names one of `names`, each of them a `[kind.X]` of the file (E01).
    pub(super) fn reference(
        &mut self,
        key: &str,
        kind: &str,
        names: &[String],
    ) -> Option<At<&'a str>> {
        let text = self.text(key)?;
        if names.iter().any(|name| name == text.value) {
            return Some(text);
        }
        let message = format!("`{key}`: there is no `[{kind}.{}]`", text.value);
        let help = match closest(text.value, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add a `[{kind}.{}]`", text.value),
        };
        self.file.problem("E01", text.span, message, &help);
        None
    }

    /// A text that is read by its type's own rules.
    pub(super) fn parsed<T: FromStr>(&mut self, key: &str) -> Option<T>
    where
        T::Err: Display,
    {
        let text = self.text(key)?;
        self.parse(key, &text)
    }

    /// A list of such texts, not empty.
    pub(super) fn parsed_list<T: FromStr>(&mut self, key: &str) -> Option<Vec<T>>
    where
        T::Err: Display,
    {
        let texts = self.texts(key)?;
        if texts.is_empty() {
            self.error_at(key, format!("`{key}` is an empty list"), "");
            return None;
        }
        // All of them are looked at, so that all errors are told.
        let parsed: Vec<Option<T>> = texts.iter().map(|text| self.parse(key, text)).collect();
        parsed.into_iter().collect()
    }

    fn parse<T: FromStr>(&self, key: &str, text: &At<&str>) -> Option<T>
    where
        T::Err: Display,
    {
        match text.value.parse() {
            Ok(value) => Some(value),
            Err(why) => {
                let message = format!("`{key}`: {}", explain::<T>(text.value, &why.to_string()));
                self.file.problem("E00", text.span.clone(), message, "");
                None
            }
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &str) -> Option<Vec<At<&'a str>>> {
        let value = self.value(key)?;
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of texts");
            return None;
        };
        let mut texts = Vec::new();
        for item in list.iter() {
            match item.get_ref().as_str() {
                Some(text) => texts.push(At { value: text, span: item.span() }),
                None => self.wrong_type(key, item, "texts in quotes"),
            }
        }
        Some(texts)
    }

    /// A whole number.
    pub(super) fn number(&mut self, key: &str, allowed: RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, value, "a whole number");
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix());
        match number {
            Ok(number) if allowed.contains(&number) => Some(number),
            _ => {
                let (least, most) = (allowed.start(), allowed.end());
                let message =
                    format!("`{key}` is {}; it takes {least} to {most}", integer.as_str());
                self.file.problem("E00", value.span(), message, "");
                None
            }
        }
    }

    /// A number of seconds.
    pub(super) fn seconds(&mut self, key: &str, allowed: RangeInclusive<u64>) -> Option<Duration> {
        self.number(key, allowed).map(Duration::from_secs)
    }

    /// A number of minutes.
    pub(super) fn minutes(&mut self, key: &str, allowed: RangeInclusive<u64>) -> Option<Duration> {
        self.number(key, allowed).map(|n| Duration::from_secs(n * 60))
    }

    /// A number of hours.
    pub(super) fn hours(&mut self, key: &str, allowed: RangeInclusive<u64>) -> Option<Duration> {
        self.number(key, allowed).map(|n| Duration::from_secs(n * 3_600))
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, value, "true or false");
        }
        flag
    }

    /// One of several words; those in `not_yet` are known and refused.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &str,
        words: &[(&str, T)],
        not_yet: &[&str],
    ) -> Option<T> {
        let text = self.text(key)?;
        self.choose(key, &text, words, not_yet)
    }

    /// A list of such words, not empty.
    pub(super) fn choices<T: Copy>(
        &mut self,
        key: &str,
        words: &[(&str, T)],
        not_yet: &[&str],
    ) -> Option<Vec<T>> {
        let texts = self.texts(key)?;
        if texts.is_empty() {
            self.error_at(key, format!("`{key}` is an empty list"), "");
            return None;
        }
        let chosen: Vec<Option<T>> =
            texts.iter().map(|text| self.choose(key, text, words, not_yet)).collect();
        chosen.into_iter().collect()
    }

    fn choose<T: Copy>(
        &self,
        key: &str,
        text: &At<&str>,
        words: &[(&str, T)],
        not_yet: &[&str],
    ) -> Option<T> {
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(*value);
        }
        let usable =
            words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        if not_yet.contains(&text.value) {
            let message = format!("`{key} = \"{}\"` is not available yet", text.value);
            self.file.problem("N01", text.span.clone(), message, &format!("usable now: {usable}"));
            return None;
        }
        let all = words.iter().map(|(word, _)| *word).chain(not_yet.iter().copied());
        let help = match closest(text.value, all) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("usable: {usable}"),
        };
        let message = format!("`{key}` does not know `{}`", text.value);
        self.file.problem("E00", text.span.clone(), message, &help);
        None
    }

    /// A reference to a secret, not looked up.
    pub(super) fn secret(&mut self, key: &str) -> Option<SecretRef> {
        let text = self.text(key)?;
        match SecretRef::parse(text.value, self.base()) {
            Ok(reference) => Some(reference),
            Err(why) => {
                self.secret_problem(key, text.span, &why.to_string());
                None
            }
        }
    }

    /// The secret that a reference leads to.
    pub(super) fn secret_value(&mut self, key: &str) -> Option<Secret> {
        let reference = self.secret(key)?;
        match reference.resolve() {
            Ok(secret) => Some(secret),
            Err(why) => {
                let span = self.table.get(key).map_or(self.span.clone(), Spanned::span);
                self.secret_problem(key, span, &why.to_string());
                None
            }
        }
    }

    /// A secret, or a text that need not be secret.
    pub(super) fn secret_or_text(&mut self, key: &str) -> Option<Secret> {
        let text = self.text(key)?;
        if text.value.starts_with("env:") || text.value.starts_with("file:") {
            return self.secret_value(key);
        }
        Some(text.value.to_owned().into())
    }

    fn secret_problem(&self, key: &str, span: Span, why: &str) {
        let help = "write `\"env:NAME\"` or `\"file:PATH\"`, and put the secret there";
        self.file.problem("E13", span, format!("`{key}`: {why}"), help);
    }

    /// A database: a secret or `sqlite:PATH`, `postgres://…` without a password.
    pub(super) fn database(&mut self, key: &str) -> Option<Secret> {
        let text = self.text(key)?;
        if let Some(path) = text.value.strip_prefix("sqlite:") {
            let path = path.trim_start_matches("//");
            if path == ":memory:" {
                return Some("sqlite::memory:".to_owned().into());
            }
            return Some(format!("sqlite:{}", self.base().join(path).display()).into());
        }
        let url = self.secret_or_text(key)?;
        let known = ["postgres://", "postgresql://", "sqlite:"];
        if !known.iter().any(|scheme| url.reveal().starts_with(scheme)) {
            self.error_at(
                key,
                format!("`{key}` is no database that is known"),
                "write `\"sqlite:PATH\"`, or a reference to a `postgres://…` address",
            );
            return None;
        }
        let authority = url.reveal().split_once("://").map_or("", |(_, rest)| rest);
        let user = authority.split_once('@').map_or("", |(user, _)| user);
        if text.value == url.reveal() && user.contains(':') {
            self.secret_problem(key, text.span, "a password stands here in the open");
            return None;
        }
        Some(url)
    }

    /// An https address (http on the loopback), without a slash at its end.
    pub(super) fn web_address(&mut self, key: &str) -> Option<String> {
        let text = self.text(key)?;
        let host = |rest: &str| {
            rest.split(['/', '?', '#'])
                .next()
                .unwrap_or("")
                .trim_end_matches(|c: char| c.is_ascii_digit() || c == ':')
                .to_owned()
        };
        let ok = match text.value.split_once("://") {
            Some(("https", rest)) => !rest.is_empty(),
            Some(("http", rest)) => {
                rest.starts_with("127.") || rest.starts_with("[::1]") || host(rest) == "localhost"
            }
            _ => false,
        };
        if ok {
            return Some(text.value.trim_end_matches('/').to_owned());
        }
        let message = format!("`{key}` is no https address");
        self.file.problem(
            "E13",
            text.span,
            message,
            "write `\"https://…\"`; plain http is for 127.0.0.1 only",
        );
        None
    }

    /// A path, relative to the file.
    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.text(key).map(|text| self.base().join(text.value))
    }

    /// An ISO 3166 country code.
    pub(super) fn country(&mut self, key: &str) -> Option<String> {
        let text = self.text(key)?;
        self.one_country(key, &text)
    }

    /// A list of them.
    pub(super) fn countries(&mut self, key: &str) -> Option<Vec<String>> {
        let texts = self.texts(key)?;
        let codes: Vec<_> = texts.iter().map(|text| self.one_country(key, text)).collect();
        codes.into_iter().collect()
    }

    fn one_country(&self, key: &str, text: &At<&str>) -> Option<String> {
        if text.value.len() == 2 && text.value.bytes().all(|b| b.is_ascii_uppercase()) {
            return Some(text.value.to_owned());
        }
        let message = format!("`{key}`: `{}` is no country code", text.value);
        self.file.problem("E00", text.span.clone(), message, "two capitals, such as `\"GB\"`");
        None
    }

    /// Notes a key of this table that is no E.164 number.
    pub(super) fn e164(&self, number: &str) {
        let digits = number.strip_prefix('+').unwrap_or("");
        let ok = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if !ok {
            let message = format!("`{number}` is no E.164 number such as `+442079460018`");
            self.file.problem("E08", self.span.clone(), message, "");
        }
    }

    /// A text for all languages, or one for each: language → text; `""` for all.
    pub(super) fn text_by_language(&mut self, key: &str) -> BTreeMap<String, String> {
        let Some(value) = self.value(key) else { return BTreeMap::new() };
        if value.get_ref().is_str() {
            let text = self.text(key).map(|t| t.value.to_owned());
            return text.map(|text| (String::new(), text)).into_iter().collect();
        }
        let Some(mut texts) = self.table(key) else { return BTreeMap::new() };
        let languages: Vec<String> = texts.keys();
        languages
            .into_iter()
            .filter_map(|language| {
                let text = texts.text(&language)?.value.to_owned();
                Some((language, text))
            })
            .collect()
    }

    /// Names of the keys, in file order.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.table.iter().map(|(key, _)| key).collect();
        keys.sort_by_key(|key| key.span().start);
        keys.into_iter().map(|key| key.get_ref().to_string()).collect()
    }

    /// A table under this key.
    pub(super) fn table(&mut self, key: &str) -> Option<Table<'a>> {
        let value = self.value(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, value, "a table");
            return None;
        };
        let key_span = self.key_span(key);
        Some(self.sub(format!("`[{key}]`"), table, &value.span(), key_span))
    }

    /// Names of the tables under `[key.X]`, in file order.
    pub(super) fn names_under(&mut self, key: &str) -> Vec<String> {
        self.table(key).map(|outer| outer.keys()).unwrap_or_default()
    }

    /// The tables under `[key.X]`, by X, in file order.
    pub(super) fn tables(&mut self, key: &str) -> Vec<(String, Table<'a>)> {
        let Some(outer) = self.table(key) else { return Vec::new() };
        let mut tables = Vec::new();
        for name in outer.keys() {
            let Some((spanned_key, value)) = outer.table.get_key_value(name.as_str()) else {
                continue;
            };
            match value.get_ref().as_table() {
                Some(table) => {
                    let title = format!("`[{key}.{name}]`");
                    let sub = self.sub(title, table, &value.span(), spanned_key.span());
                    tables.push((name, sub));
                }
                None => self.wrong_type(&name, value, "a table"),
            }
        }
        tables
    }

    /// The tables of `[[key]]`; `None` where there are none.
    pub(super) fn array_of_tables(&mut self, key: &str) -> Option<Vec<Table<'a>>> {
        let value = self.value(key)?;
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type(key, value, &format!("tables, each begun by `[[{key}]]`"));
            return None;
        };
        let mut tables = Vec::new();
        for item in list.iter() {
            match item.get_ref().as_table() {
                Some(table) => {
                    let title = format!("`[[{key}]]`");
                    tables.push(self.sub(title, table, &item.span(), item.span()));
                }
                None => self.wrong_type(key, item, &format!("tables, each begun by `[[{key}]]`")),
            }
        }
        Some(tables)
    }

    fn sub(&self, title: String, table: &'a DeTable<'a>, span: &Span, or: Span) -> Table<'a> {
        // A table made by dotted headers only has no place of its own.
        let span = if span.is_empty() { or } else { span.clone() };
        Table { file: self.file, title, span, table, known: Vec::new(), open: false }
    }

    /// Says nothing of keys not asked for: what they mean is not known.
    pub(super) fn ignore_rest(&mut self) {
        self.open = true;
    }

    /// Notes every key that was not asked for.
    pub(super) fn finish(self) {
        if self.open {
            return;
        }
        for (key, _) in self.table.iter() {
            let name = key.get_ref().as_ref();
            if self.known.iter().any(|known| known == name) {
                continue;
            }
            let help = match closest(name, self.known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("{} takes: {}", self.title, self.known.join(", ")),
            };
            let message = format!("{} does not know the key `{name}`", self.title);
            self.file.problem("E00", key.span(), message, &help);
        }
    }
}

/// Types of the standard library say little about what was wrong.
fn explain<T>(text: &str, why: &str) -> String {
    let kind = std::any::type_name::<T>();
    if kind.ends_with("SocketAddr") {
        return format!("`{text}` is no address and port such as `127.0.0.1:5060`");
    }
    if kind.ends_with("IpAddr") {
        return format!("`{text}` is no IP address");
    }
    why.to_owned()
}

fn type_of(value: &DeValue<'_>) -> &'static str {
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

/// The word nearest to `word`, if it is near enough to be meant.
pub(super) fn closest<'w>(word: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let near = words.map(|w| (distance(word, w), w)).min_by_key(|(d, _)| *d);
    near.filter(|(d, w)| *d <= 1 + w.len() / 4).map(|(_, w)| w)
}

/// Letters to change, add, remove or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}
