//! What tables of `carom.toml` hold beyond what [`diagnose::Table`] reads: addresses, secrets,
//! paths, countries, references.

use std::{
    collections::BTreeMap,
    fmt::Display,
    ops::{Deref, RangeInclusive},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use ivr_runtime::diagnose::{self, Code, Fix, Notes, Span, Takes, Text, nearest};
use message_text::is_region;
use toml::de::DeTable;

use super::secret::{Secret, SecretError, SecretRef};

/// A table being read; what it holds is asked for key by key, the rest is unknown.
pub(super) struct Table<'a> {
    table: diagnose::Table<'a>,
    base: &'a Path,
}

impl<'a> Deref for Table<'a> {
    type Target = diagnose::Table<'a>;

    fn deref(&self) -> &diagnose::Table<'a> {
        &self.table
    }
}

impl<'a> Table<'a> {
    /// The whole file as a table; paths in it are relative to `base`.
    pub(super) fn root(notes: &'a Notes, tree: &'a DeTable<'a>, base: &'a Path) -> Self {
        Self { table: diagnose::Table::new(notes, "the file", tree, 0..0), base }
    }

    /// The table as the readers of the flow language take it.
    pub(super) fn into_inner(self) -> diagnose::Table<'a> {
        self.table
    }

    /// What relative paths are relative to.
    pub(super) fn base(&self) -> &'a Path {
        self.base
    }

    pub(super) fn problem(&self, code: Code, span: &Span, message: String, help: &str) {
        self.notes().note(code, span.clone(), message, help);
    }

    /// Reads a key that must be there.
    pub(super) fn required<T>(
        &self,
        key: &'a str,
        read: impl FnOnce(&Self) -> Option<T>,
    ) -> Option<T> {
        if self.require(key, Code::E00) { read(self) } else { None }
    }

    /// A text that names one of `names`, each of them a `[kind.X]` of the file (E01).
    pub(super) fn reference(&self, key: &'a str, kind: &str, names: &[&str]) -> Option<Text> {
        let text = self.text(key)?;
        if names.contains(&text.value.as_str()) {
            return Some(text);
        }
        let message = format!("`{key}`: there is no `[{kind}.{}]`", text.value);
        let help = match nearest(&text.value, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add a `[{kind}.{}]`", text.value),
        };
        self.problem(Code::E01, &text.span, message, &help);
        None
    }

    /// A text that is read by its type's own rules.
    pub(super) fn parsed<T: FromStr>(&self, key: &'a str) -> Option<T>
    where
        T::Err: Display,
    {
        let text = self.text(key)?;
        self.parse(key, &text)
    }

    /// A list of such texts, not empty.
    pub(super) fn parsed_list<T: FromStr>(&self, key: &'a str) -> Option<Vec<T>>
    where
        T::Err: Display,
    {
        self.takes(key, Takes::Texts);
        // All of them are looked at, so that all errors are told.
        let parsed: Vec<_> =
            self.filled_list(key)?.iter().map(|text| self.parse(key, text)).collect();
        parsed.into_iter().collect()
    }

    fn parse<T: FromStr>(&self, key: &str, text: &Text) -> Option<T>
    where
        T::Err: Display,
    {
        let why = match text.value.parse() {
            Ok(value) => return Some(value),
            Err(why) => explain::<T>(&text.value, &why),
        };
        self.problem(Code::E00, &text.span, format!("`{key}`: {why}"), "");
        None
    }

    fn filled_list(&self, key: &'a str) -> Option<Vec<Text>> {
        let texts = self.texts(key)?;
        if texts.is_empty() {
            self.note(Code::E00, key, format!("`{key}` is an empty list"), "");
            return None;
        }
        Some(texts)
    }

    /// A list of words, not empty; those in `not_yet` are known and refused.
    pub(super) fn choices<T: Clone>(
        &self,
        key: &'a str,
        words: &[(&str, T)],
        not_yet: &[&str],
    ) -> Option<Vec<T>> {
        self.takes(
            key,
            Takes::WordList(words.iter().map(|(word, _)| (*word).to_owned()).collect()),
        );
        let texts = self.filled_list(key)?;
        let chosen: Vec<_> =
            texts.iter().map(|text| self.choose(key, text, words, not_yet)).collect();
        chosen.into_iter().collect()
    }

    /// A number of units of so many seconds.
    pub(super) fn duration(
        &self,
        key: &'a str,
        seconds_each: u64,
        allowed: RangeInclusive<u32>,
    ) -> Option<Duration> {
        self.number(key, allowed).map(|n| Duration::from_secs(u64::from(n) * seconds_each))
    }

    /// A reference to a secret, not looked up.
    pub(super) fn secret(&self, key: &'a str) -> Option<SecretRef> {
        self.takes(key, Takes::SECRET);
        let text = self.text(key)?;
        let reference = SecretRef::parse(&text.value, self.base);
        reference.map_err(|why| self.no_secret(key, &why)).ok()
    }

    /// A secret that is made on the first run where it is a file that is not there.
    pub(super) fn made_secret(&self, key: &'a str) -> Option<SecretRef> {
        let secret = self.secret(key)?;
        if let SecretRef::Env(_) = &secret
            && let Err(why) = secret.resolve()
        {
            self.no_secret(key, &why);
        }
        Some(secret)
    }

    /// The secret that a reference leads to.
    pub(super) fn secret_value(&self, key: &'a str) -> Option<Secret> {
        let secret = self.secret(key)?.resolve();
        secret.map_err(|why| self.no_secret(key, &why)).ok()
    }

    /// The secrets that a list of references leads to, each with its place.
    pub(super) fn secrets(&self, key: &'a str) -> Vec<(Secret, Span)> {
        let mut found = Vec::new();
        for text in self.texts(key).unwrap_or_default() {
            let secret = SecretRef::parse(&text.value, self.base).and_then(|named| named.resolve());
            match secret {
                Ok(secret) => found.push((secret, text.span)),
                Err(why) => {
                    let help = "write `\"env:NAME\"` or `\"file:PATH\"`, and put the secret there";
                    self.problem(Code::E13, &text.span, format!("`{key}`: {why}"), help);
                }
            }
        }
        found
    }

    /// A secret, or a text that need not be secret.
    pub(super) fn secret_or_text(&self, key: &'a str) -> Option<Secret> {
        let text = self.text(key)?;
        if text.value.starts_with("env:") || text.value.starts_with("file:") {
            return self.secret_value(key);
        }
        Some(text.value.into())
    }

    /// The content of a PEM file, which may be written as a secret is.
    pub(super) fn pem(&self, key: &'a str) -> Option<Vec<u8>> {
        let text = self.text(key)?;
        if text.value.starts_with("env:") {
            return self.secret_value(key).map(|secret| secret.reveal().as_bytes().to_vec());
        }
        let path = self.base.join(text.value.strip_prefix("file:").unwrap_or(&text.value));
        let told = |why| {
            let message = format!("`{key}`: {} cannot be read: {why}", path.display());
            self.note(Code::E01, key, message, "paths are relative to this file");
        };
        std::fs::read(&path).map_err(told).ok()
    }

    pub(super) fn secret_problem(&self, key: &str, why: &str) {
        let help = "write `\"env:NAME\"` or `\"file:PATH\"`, and put the secret there";
        self.note(Code::E13, key, format!("`{key}`: {why}"), help);
    }

    fn no_secret(&self, key: &str, why: &SecretError) {
        match why {
            SecretError::NotSet(_) => {
                let help = "set it where `carom` is started, or write `\"file:PATH\"`";
                self.note(Code::E13, key, format!("`{key}`: {why}"), help);
            }
            _ => self.secret_problem(key, &why.to_string()),
        }
    }

    /// A database: a secret or `sqlite:PATH`, `postgres://…` without a password.
    pub(super) fn database(&self, key: &'a str) -> Option<Secret> {
        let text = self.text(key)?;
        if let Some(path) = text.value.strip_prefix("sqlite:") {
            let path = path.trim_start_matches("//");
            let place = if path == ":memory:" { PathBuf::from(path) } else { self.base.join(path) };
            return Some(format!("sqlite:{}", place.display()).into());
        }
        let url = self.secret_or_text(key)?;
        let known = ["postgres://", "postgresql://", "sqlite:"];
        if !known.iter().any(|scheme| url.reveal().starts_with(scheme)) {
            let help = "write `\"sqlite:PATH\"`, or a reference to a `postgres://…` address";
            self.note(Code::E00, key, format!("`{key}` is no database that is known"), help);
            return None;
        }
        let authority = url.reveal().split_once("://").map_or("", |(_, rest)| rest);
        let user = authority.split_once('@').map_or("", |(user, _)| user);
        if text.value == url.reveal() && user.contains(':') {
            self.secret_problem(key, "a password stands here in the open");
            return None;
        }
        Some(url)
    }

    /// An https address (http on the loopback), without a slash at its end.
    pub(super) fn web_address(&self, key: &'a str) -> Option<String> {
        let text = self.text(key)?;
        if is_private_enough(&text.value) {
            return Some(text.value.trim_end_matches('/').to_owned());
        }
        let help = "write `\"https://…\"`; plain http is for this machine only";
        self.problem(Code::E13, &text.span, format!("`{key}` is no https address"), help);
        None
    }

    /// A folder that is there, relative to the file.
    pub(super) fn folder(&self, key: &'a str) -> Option<PathBuf> {
        let text = self.text(key)?;
        let folder = self.base.join(&text.value);
        if !folder.is_dir() {
            let message = format!("`{key}`: there is no folder {}", folder.display());
            self.problem(Code::E01, &text.span, message, "paths are relative to this file");
        }
        Some(folder)
    }

    /// A path, relative to the file.
    pub(super) fn path(&self, key: &'a str) -> Option<PathBuf> {
        self.text(key).map(|text| self.base.join(text.value))
    }

    /// An ISO 3166 country code.
    pub(super) fn country(&self, key: &'a str) -> Option<String> {
        self.takes(key, Takes::Matching("^[A-Z]{2}$"));
        let text = self.text(key)?;
        self.one_country(key, &text)
    }

    /// A list of them.
    pub(super) fn countries(&self, key: &'a str) -> Option<Vec<String>> {
        let texts = self.texts(key)?;
        let codes: Vec<_> = texts.iter().map(|text| self.one_country(key, text)).collect();
        codes.into_iter().collect()
    }

    fn one_country(&self, key: &str, text: &Text) -> Option<String> {
        if is_region(&text.value) {
            return Some(text.value.clone());
        }
        let message = format!("`{key}`: `{}` is no country code", text.value);
        let meant = match text.value.to_ascii_uppercase() {
            british if british == "UK" => Some("GB".to_owned()),
            capitals => Some(capitals).filter(|capitals| is_region(capitals)),
        };
        let help = match &meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "two capitals, such as `\"GB\"`".to_owned(),
        };
        let span = text.span.clone();
        let fix = meant.map(|meant| Fix { span: span.clone(), text: format!("\"{meant}\"") });
        self.notes().note_with_fix(Code::E00, span, message, help, fix);
        None
    }

    /// A text for all languages under `""`, or one for each.
    pub(super) fn text_by_language(&self, key: &'a str) -> BTreeMap<String, String> {
        let Some(value) = self.value(key) else { return BTreeMap::new() };
        if value.get_ref().is_str() {
            let text = self.text(key).map(|text| (String::new(), text.value));
            return text.into_iter().collect();
        }
        let Some(texts) = self.table(key) else { return BTreeMap::new() };
        let by_language =
            |language: &'a str| texts.text(language).map(|text| (language.to_owned(), text.value));
        texts.keys().into_iter().filter_map(by_language).collect()
    }

    /// A table under this key.
    pub(super) fn table(&self, key: &'a str) -> Option<Table<'a>> {
        let table = self.table.table(key, format!("`[{key}]`"))?;
        Some(Self { table, base: self.base })
    }

    /// The tables `[key.X]` with their X, in file order.
    pub(super) fn tables(&self, key: &'a str) -> Vec<(Text, Table<'a>)> {
        let base = self.base;
        let tables = self.table.tables(key).into_iter();
        tables.map(|(name, table)| (name, Table { table, base })).collect()
    }

    /// The X of all `[key.X]`.
    pub(super) fn names_under(&self, key: &'a str) -> Vec<&'a str> {
        let table = self.value(key).and_then(|value| value.get_ref().as_table());
        table.into_iter().flatten().map(|(name, _)| name.get_ref().as_ref()).collect()
    }

    /// The tables of `[[key]]`.
    pub(super) fn array_of_tables(&self, key: &'a str) -> Vec<Table<'a>> {
        self.takes(key, Takes::Tables);
        let Some(value) = self.value(key) else { return Vec::new() };
        let wanted = format!("tables, each begun by `[[{key}]]`");
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type(key, value, &wanted);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in list.iter() {
            let Some(table) = item.get_ref().as_table() else {
                self.wrong_type(key, item, &wanted);
                continue;
            };
            let table = self.item(key, format!("`[[{key}]]`"), table, item.span());
            tables.push(Self { table, base: self.base });
        }
        tables
    }

    /// Notes every key that was not asked for.
    pub(super) fn finish(self) {
        self.table.finish();
    }
}

/// Types of the standard library say little about what was wrong.
fn explain<T>(text: &str, why: &impl Display) -> String {
    match std::any::type_name::<T>().rsplit("::").next() {
        Some("SocketAddr") => format!("`{text}` is no address and port such as `127.0.0.1:5060`"),
        Some("IpAddr") => format!("`{text}` is no IP address"),
        _ => why.to_string(),
    }
}

/// https, or http that does not leave the machine.
fn is_private_enough(url: &str) -> bool {
    match url.split_once("://") {
        Some(("https", rest)) => !rest.is_empty(),
        Some(("http", rest)) => {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
            let host = match authority.rsplit_once(':') {
                Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
                _ => authority,
            };
            let loopback = |ip: std::net::IpAddr| ip.is_loopback();
            host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(loopback)
        }
        _ => false,
    }
}
