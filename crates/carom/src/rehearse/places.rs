//! Where the keys of tests stand in their file, and the names in them.

use std::{collections::BTreeMap, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Lines of one test, from 1: of its keys, and of the names in them.
#[derive(Debug, Clone, Default)]
pub struct Places(BTreeMap<(String, String), usize>);

impl Places {
    /// Of each `[[test]]` of a file, in order; none where it is no TOML.
    pub fn of(text: &str) -> Vec<Self> {
        let Ok(tree) = DeTable::parse(text) else { return Vec::new() };
        let tests = tree.get_ref().get("test").and_then(|tests| tests.get_ref().as_array());
        let line = |at: usize| text[..at].matches('\n').count() + 1;
        let of = |test: &Spanned<DeValue<'_>>| {
            let mut places = Self::default();
            if let Some(table) = test.get_ref().as_table() {
                places.take(table, &line);
            }
            places
        };
        tests.map(|tests| tests.iter()).into_iter().flatten().map(of).collect()
    }

    fn take(&mut self, test: &DeTable<'_>, line: &dyn Fn(usize) -> usize) {
        for (key, value) in test {
            let mut add = |name: &str, at: usize| {
                self.0.entry((key.get_ref().to_string(), name.to_owned())).or_insert(line(at));
            };
            add("", key.span().start);
            match value.get_ref() {
                DeValue::Table(names) => {
                    for (name, _) in names {
                        add(name.get_ref(), name.span().start);
                    }
                }
                DeValue::Array(names) => {
                    for name in names {
                        add(name.get_ref().as_str().unwrap_or_default(), name.span().start);
                    }
                }
                DeValue::String(name) => add(name, value.span().start),
                _ => {}
            }
        }
    }

    /// `FILE:LINE: KEY: WHY`, of a name in the key, or of the key itself where the name is none.
    pub fn told(&self, file: &Path, key: &str, name: &str, why: &str) -> String {
        let line = |name: &str| self.0.get(&(key.to_owned(), name.to_owned()));
        let line = line(name).or_else(|| line("")).map_or_else(String::new, |n| format!(":{n}"));
        format!("{}{line}: `{key}`: {why}", file.display())
    }
}
