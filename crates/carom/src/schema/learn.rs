//! What tables take, learned by showing their readers every key in every form.

use std::collections::BTreeMap;

use ivr_runtime::diagnose::{Asked, Takes, What};

/// Values that keys are shown with; `None`: the key is left out.
const VALUES: [Option<&str>; 8] = [
    None,
    Some("\"x\""),
    Some("1"),
    Some("true"),
    Some("{}"),
    Some("[]"),
    Some("[\"x\"]"),
    Some("[{}]"),
];
/// A key whose name is nobody's.
const ANY_KEY: &str = "x";
/// Tables in tables; more is not needed.
const DEEPEST: usize = 4;

/// What is known of all tables, by their paths.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Learned {
    tables: BTreeMap<Vec<String>, Facts>,
}

/// What is known of a table.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// By key.
    pub takes: BTreeMap<String, Vec<Takes>>,
    /// It may have any key.
    pub any_key: bool,
    /// How often it was read, and how often each key was needed.
    read: u32,
    needed: BTreeMap<String, u32>,
}

impl Facts {
    /// Keys that must always be there.
    pub fn required(&self) -> impl Iterator<Item = &str> {
        let always = self.needed.iter().filter(|(_, needed)| **needed == self.read);
        always.map(|(key, _)| key.as_str())
    }
}

impl Learned {
    /// What is known of the table at a path.
    pub fn at(&self, path: &[impl AsRef<str>]) -> Option<&Facts> {
        let path: Vec<String> = path.iter().map(|key| key.as_ref().to_owned()).collect();
        self.tables.get(&path)
    }

    /// Adds what was asked of one file.
    pub fn add(&mut self, asked: Vec<Asked>) {
        let mut read: BTreeMap<Vec<String>, BTreeMap<String, u32>> = BTreeMap::new();
        for Asked { path, what } in asked {
            let needed = read.entry(path.clone()).or_default();
            let facts = self.tables.entry(path).or_default();
            match what {
                What::Key(key, takes) => {
                    let known = facts.takes.entry(key).or_default();
                    if !known.contains(&takes) {
                        known.push(takes);
                    }
                }
                What::Required(key) => {
                    facts.takes.entry(key.clone()).or_default();
                    needed.insert(key, 1);
                }
                What::AnyKey => facts.any_key = true,
            }
        }
        for (path, needed) in read {
            let facts = self.tables.entry(path).or_default();
            facts.read += 1;
            for key in needed.into_keys() {
                *facts.needed.entry(key).or_default() += 1;
            }
        }
    }

    /// Adds what was learned elsewhere.
    pub fn merge(&mut self, other: Self) {
        for (path, facts) in other.tables {
            let here = self.tables.entry(path).or_default();
            here.any_key |= facts.any_key;
            here.read += facts.read;
            for (key, needed) in facts.needed {
                *here.needed.entry(key).or_default() += needed;
            }
            for (key, takes) in facts.takes {
                let known = here.takes.entry(key).or_default();
                known.extend(
                    takes.into_iter().filter(|takes| !known.contains(takes)).collect::<Vec<_>>(),
                );
            }
        }
    }

    /// How much is known.
    fn extent(&self) -> usize {
        let of = |facts: &Facts| facts.takes.values().map(|takes| takes.len() + 1).sum::<usize>();
        self.tables.values().map(of).sum()
    }

    /// Keys of a table with a value each, as they stand in a file; `deep`: keys that take tables
    /// have tables.
    fn keys_with(&self, path: &[String], value: &str, deep: bool, level: usize) -> Vec<String> {
        let Some(facts) = self.tables.get(path) else { return Vec::new() };
        let mut keys: Vec<&str> = facts.takes.keys().map(String::as_str).collect();
        if facts.any_key && !keys.contains(&ANY_KEY) {
            keys.push(ANY_KEY);
        }
        let with = |key: &str| {
            let takes = facts.takes.get(key).map_or(&[][..], Vec::as_slice);
            let inner = |below: &[&str]| {
                let below = below.iter().map(|key| (*key).to_owned());
                let path: Vec<String> = path.iter().cloned().chain(below).collect();
                self.keys_with(&path, value, deep, level + 1).join(", ")
            };
            let value = if !deep || level > DEEPEST {
                value.to_owned()
            } else if takes.contains(&Takes::Table) {
                format!("{{ {} }}", inner(&[key]))
            } else if takes.contains(&Takes::Tables) {
                format!("[{{ {} }}]", inner(&[key, "[]"]))
            } else {
                value.to_owned()
            };
            format!("{key:?} = {value}")
        };
        keys.into_iter().map(with).collect()
    }
}

/// Learns what the table at `path` takes. `ask` is told the keys of it, as they stand below its
/// header, and returns what was asked; `given` are keys that `ask` writes itself.
pub(super) fn learn(
    ask: &dyn Fn(&str) -> Vec<Asked>,
    path: &[&str],
    given: &[&str],
    one_by_one: bool,
) -> Learned {
    let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
    let mut learned = Learned::default();
    learned.add(ask(""));
    loop {
        let before = learned.extent();
        let known = learned.clone();
        for value in VALUES.into_iter().flatten() {
            for deep in [false, true] {
                let lines = known.keys_with(&path, value, deep, 0);
                let lines = lines.into_iter().filter(|line| {
                    !given.iter().any(|given| line.starts_with(&format!("{given:?} = ")))
                });
                if one_by_one {
                    lines.for_each(|line| learned.add(ask(&line)));
                } else {
                    learned.add(ask(&lines.collect::<Vec<_>>().join("\n")));
                }
            }
        }
        if learned.extent() == before {
            return learned;
        }
    }
}
