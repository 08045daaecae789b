//! What is not ours to keep stands in a record for what it decides: another value that answers
//! every rule of the flow alike.

use std::collections::BTreeMap;

use crate::{
    call::{Facts, FetchOutcome, FetchRequest, Input, offers},
    flow::{
        model::{Fact, FieldTest, Flow, PromptItem},
        play,
    },
    key::Key,
};

/// A caller's number is known this far where the flow asks no further: `+` and a country.
const REGION: usize = 3;
/// Digits of a prefix that the flow asks for, at most.
const PREFIX: usize = 8;

/// Veils what one flow is told.
#[derive(Debug, Clone, Copy)]
pub struct Veil<'a> {
    flow: &'a Flow,
}

impl<'a> Veil<'a> {
    /// For calls of `flow`.
    #[must_use]
    pub fn of(flow: &'a Flow) -> Self {
        Self { flow }
    }

    /// The facts of a call as they may be kept.
    #[must_use]
    pub fn facts(self, facts: &Facts) -> Facts {
        let mut kept = facts.clone();
        kept.caller = facts.caller.as_deref().map(|number| self.number(number));
        kept.secrets.clear();
        // A hash of the number tells the number to whoever tries them all.
        kept.caller_seed = offers::seed_alike(self.flow, facts.caller_seed);
        let known = facts.fields.iter();
        // Nothing that is known on arrival names a sound.
        kept.fields =
            known.map(|(name, value)| (name.clone(), self.number_or_shape(name, value))).collect();
        let veiled = |(name, value): (&String, &String)| {
            let listed = self.header_is_listed(name, value);
            (name.clone(), if listed { value.clone() } else { shape(value) })
        };
        kept.headers = facts.headers.iter().map(veiled).collect();
        kept
    }

    /// An input as it may be kept; `None`: not at all. `hidden`: keys that come now may be digits
    /// of a field, or the caller's own affair.
    #[must_use]
    pub fn input(self, input: &Input, hidden: bool) -> Option<Input> {
        match input {
            Input::KeyDown(_) if hidden => None,
            Input::Key(key) if hidden => Some(Input::Key(veiled(*key))),
            Input::Fetched { id, outcome: FetchOutcome::Values(values) } => {
                let outcome = FetchOutcome::Values(self.values(values));
                Some(Input::Fetched { id: *id, outcome })
            }
            Input::AgentSaid(values) => Some(Input::AgentSaid(self.values(values))),
            other => Some(other.clone()),
        }
    }

    fn values(self, values: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        values.iter().map(|(name, value)| (name.clone(), self.value(name, value))).collect()
    }

    /// A value that all rules and sounds of the flow answer alike.
    fn value(self, field: &str, value: &str) -> String {
        // What the destination of a link says of itself: an address stays one.
        if !self.flow.is_account_data(field) {
            match (field, value.strip_prefix("https://")) {
                (FetchRequest::VALID, _) => return value.to_owned(),
                (FetchRequest::URL, Some(rest)) => return format!("https://{}", shape(rest)),
                _ => {}
            }
        }
        // A flag tells nobody who it is about.
        if self.has_sound(field, value) || matches!(value, "true" | "false") {
            return value.to_owned();
        }
        self.number_or_shape(field, value)
    }

    fn number_or_shape(self, field: &str, value: &str) -> String {
        let tests: Vec<&FieldTest> = self.tests_of(field).collect();
        let listed = tests.iter().any(|test| match test {
            FieldTest::Equals(list) => list.iter().any(|one| one == value),
            FieldTest::AtMost(_) | FieldTest::AtLeast(_) => false,
        });
        if listed {
            return value.to_owned();
        }
        let Ok(number) = value.trim().parse::<f64>() else { return shape(value) };
        let bounds = tests.iter().filter_map(|test| match test {
            FieldTest::AtMost(bound) | FieldTest::AtLeast(bound) => Some(*bound),
            FieldTest::Equals(_) => None,
        });
        let answers = |number: f64| -> Vec<bool> {
            let answer = |test: &&FieldTest| match test {
                FieldTest::AtMost(bound) => number <= *bound,
                FieldTest::AtLeast(bound) => number >= *bound,
                FieldTest::Equals(list) => list.contains(&number.to_string()),
            };
            tests.iter().map(answer).collect()
        };
        let wanted = answers(number);
        let mut near = bounds.flat_map(|bound| [bound, bound - 1.0, bound + 1.0]);
        near.find(|near| answers(*near) == wanted).map_or_else(|| shape(value), |n| n.to_string())
    }

    fn tests_of(self, asked: &str) -> impl Iterator<Item = &'a FieldTest> {
        self.flow.rules.iter().filter_map(move |rule| match &rule.fact {
            Fact::Field { field, test } if field == asked => Some(test),
            _ => None,
        })
    }

    fn has_sound(self, field: &str, value: &str) -> bool {
        let mut does = self.flow.steps.iter().map(|step| step.does.clone());
        does.any(|mut does| {
            let lists = does.prompt_lists_mut();
            let mut items = lists.iter().flat_map(|list| play::items(list));
            items.any(|item| match item {
                PromptItem::Clip(clip) => {
                    clip.field == field
                        && clip.there.values().any(|there| there.contains(&value.to_lowercase()))
                }
                _ => false,
            })
        })
    }

    fn header_is_listed(self, asked: &str, value: &str) -> bool {
        self.flow.rules.iter().any(|rule| match &rule.fact {
            Fact::Header { name, equals: Some(list) } => {
                name.eq_ignore_ascii_case(asked) && list.iter().any(|one| one == value)
            }
            _ => false,
        })
    }

    /// A number that begins as far as the flow asks.
    fn number(self, number: &str) -> String {
        let asked = self.flow.rules.iter().filter_map(|rule| match &rule.fact {
            Fact::CallerPrefix(list) => Some(list),
            _ => None,
        });
        let fits = |prefix: &&String| number.starts_with(prefix.as_str());
        let asked = asked.flatten().filter(fits).map(String::len).max().unwrap_or(0);
        let kept = asked.clamp(REGION, PREFIX).min(number.len());
        let hidden = "0".repeat(number.len() - kept);
        format!("{}{hidden}", &number[..kept])
    }
}

/// A digit is hidden, what ends and corrects an entry is not.
fn veiled(key: Key) -> Key {
    if key == Key::HASH || key == Key::STAR { key } else { Key::ZERO }
}

/// As long and of the same kind, so that what is sayable stays so.
fn shape(value: &str) -> String {
    let hide = |c: char| match c {
        '0'..='9' => '1',
        c if c.is_alphabetic() => 'x',
        c => c,
    };
    value.chars().map(hide).collect()
}
