//! What readers ask of tables, written down: the JSON Schema of the files is made of it.

use std::ops::RangeInclusive;

/// A reader asked a table for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The table: keys from the whole file down, the first of them what the outermost is called
    /// in messages; an item of a list is called `[]`.
    pub path: Vec<String>,
    /// What was asked.
    pub what: What,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A key may be there; what it takes.
    Key(String, Takes),
    /// A key must be there.
    Required(String),
    /// All its keys, whatever they are.
    AnyKey,
}

/// What a key takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Takes {
    /// More than is said of it here.
    Something,
    /// Nothing: the key is refused.
    Nothing,
    /// A text, not blank.
    Text,
    /// A text that this regular expression finds.
    Matching(&'static str),
    /// One of several words.
    Words(Vec<String>),
    /// A list of texts.
    Texts,
    /// A list of such words.
    WordList(Vec<String>),
    /// A whole number.
    Number(RangeInclusive<u32>),
    /// A list of whole numbers, not empty.
    Numbers(RangeInclusive<u32>),
    /// A number, whole or with decimals.
    Decimal,
    /// `true` or `false`.
    Flag,
    /// A table.
    Table,
    /// A list of tables.
    Tables,
    /// A form of its own, by a name that its reader and the schema share.
    Form(&'static str),
}

impl Takes {
    /// A reference to a secret.
    pub const SECRET: Self = Self::Matching("^(env|file):.");

    /// The words of a table of words and meanings.
    pub fn words<T>(words: &[(&str, T)]) -> Self {
        Self::Words(words.iter().map(|(word, _)| (*word).to_owned()).collect())
    }
}
