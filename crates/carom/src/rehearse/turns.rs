//! Outcomes in turn: `"busy"`, or `["busy", "person"]`, one time after the other.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeOwned, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer},
    },
};

use super::file::TextIs;

/// What becomes of something: always the same, or one time after the other, the last for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMore<T>(Vec<T>);

/// What becomes of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextsAre {
    /// Of all.
    All(OneOrMore<TextIs>),
    /// By step; others are accepted.
    BySteps(BTreeMap<String, OneOrMore<TextIs>>),
}

impl<T> OneOrMore<T> {
    /// In turn.
    pub fn turns(&self) -> &[T] {
        &self.0
    }
}

impl Default for TextsAre {
    fn default() -> Self {
        Self::All(OneOrMore(vec![TextIs::default()]))
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for OneOrMore<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Turns(PhantomData))
    }
}

impl<'de> Deserialize<'de> for TextsAre {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Texts)
    }
}

struct Turns<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for Turns<T> {
    type Value = OneOrMore<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an outcome, or a list of them")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Self::Value, E> {
        Ok(OneOrMore(vec![T::deserialize(StrDeserializer::new(word))?]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        let turns = Vec::deserialize(SeqAccessDeserializer::new(list))?;
        if turns.is_empty() {
            return Err(serde::de::Error::custom("a list of outcomes is empty"));
        }
        Ok(OneOrMore(turns))
    }
}

struct Texts;

impl<'de> Visitor<'de> for Texts {
    type Value = TextsAre;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an outcome, a list of them, or either by step")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Self::Value, E> {
        Turns(PhantomData).visit_str(word).map(TextsAre::All)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Turns(PhantomData).visit_seq(list).map(TextsAre::All)
    }

    fn visit_map<A: MapAccess<'de>>(self, steps: A) -> Result<Self::Value, A::Error> {
        BTreeMap::deserialize(MapAccessDeserializer::new(steps)).map(TextsAre::BySteps)
    }
}
