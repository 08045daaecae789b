//! A map of a few entries, which a node of a B-tree would have room for many more of.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Values by name, sorted, each with the room that it needs. A look-up takes some comparisons, an
/// insertion moves what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Few<V>(Vec<(String, V)>);

impl<V> Few<V> {
    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&V> {
        self.place(name).ok().and_then(|at| self.0.get(at)).map(|(_, value)| value)
    }

    /// Puts a value under a name, in place of the one there.
    pub fn insert(&mut self, name: String, value: V) {
        match self.place(&name) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => {
                self.0.reserve_exact(1);
                self.0.insert(at, (name, value));
            }
        }
    }

    /// Takes a name out.
    pub fn remove(&mut self, name: &str) {
        if let Ok(at) = self.place(name) {
            self.0.remove(at);
        }
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.0 = Vec::new();
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &V)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(name))
    }
}

impl<V> Default for Few<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Extend<(String, V)> for Few<V> {
    fn extend<T: IntoIterator<Item = (String, V)>>(&mut self, entries: T) {
        entries.into_iter().for_each(|(name, value)| self.insert(name, value));
    }
}

impl<V> FromIterator<(String, V)> for Few<V> {
    fn from_iter<T: IntoIterator<Item = (String, V)>>(entries: T) -> Self {
        let mut few = Self::default();
        few.extend(entries);
        few
    }
}

impl<V, const N: usize> From<[(String, V); N]> for Few<V> {
    fn from(entries: [(String, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<V: Serialize> Serialize for Few<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Few<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(|all| all.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_a_map_is_and_saved_as_one() {
        let (mut few, mut map) = (Few::default(), BTreeMap::new());
        for (name, value) in [("b", 1), ("a", 2), ("c", 3), ("a", 4), ("aa", 5)] {
            few.insert(name.to_owned(), value);
            map.insert(name.to_owned(), value);
        }
        few.remove("b");
        few.remove("none");
        map.remove("b");
        assert!(few.iter().eq(map.iter()), "{few:?}");
        assert_eq!((few.get("a"), few.get("b"), few.len()), (Some(&4), None, 3));
        let saved = serde_json::to_value(&few).unwrap();
        assert_eq!(saved, serde_json::to_value(&map).unwrap());
        assert_eq!(serde_json::from_value::<Few<i32>>(saved).unwrap(), few);
        few.clear();
        assert!(few.is_empty());
    }
}
