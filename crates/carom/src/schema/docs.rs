//! What the documents say of each key: the hover text of editors.

use std::collections::BTreeMap;

const FLOWS: &str = include_str!("../../../../docs/flow-language.md");
const CONFIG: &str = include_str!("../../../../docs/configuration.md");

/// Words by table and key.
pub(super) struct Words(BTreeMap<(String, String), String>);

impl Words {
    /// Those of docs/flow-language.md.
    pub fn of_flows() -> Self {
        Self::read(FLOWS)
    }

    /// Those of docs/configuration.md.
    pub fn of_config() -> Self {
        Self::read(CONFIG)
    }

    /// What a key of a table is, and its default.
    pub fn of(&self, table: &str, key: &str) -> Option<&str> {
        let of = |table: &str| self.0.get(&(table.to_owned(), key.to_owned()));
        of(table).or_else(|| of("every step")).map(String::as_str)
    }

    /// Reads the table of keys: `| of | key | type, unit | default |`, and maybe more.
    fn read(document: &str) -> Self {
        let rows = document.lines().skip_while(|line| !line.starts_with("| of | key |")).skip(2);
        let mut of = String::new();
        let mut words = BTreeMap::new();
        for row in rows.take_while(|line| line.starts_with('|')) {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [table, keys, what, default, ..] = cells[..] else { continue };
            if !table.is_empty() {
                of = table.replace(['*', '`'], "");
            }
            let told = match default {
                "!" => format!("{what}. Required."),
                "–" | "" => format!("{what}."),
                default => format!("{what}. Default: {default}."),
            };
            for key in keys.split('`').skip(1).step_by(2) {
                words.insert((of.clone(), key.to_owned()), told.clone());
            }
        }
        Self(words)
    }
}
