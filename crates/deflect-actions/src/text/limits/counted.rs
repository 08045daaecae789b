//! Ids of texts under what they are counted by.
//!
//! A number has few texts, and there are many numbers; a line or a country has most texts of the
//! day, and each new text asks how many.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::texts::Id;

/// Ids, each once under a hash.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Of one person.
    few: BTreeSet<(u64, Id)>,
    /// Of many, oldest first.
    many: HashMap<u64, VecDeque<Id>>,
}

impl Counted {
    /// Puts an id under the hash of one person.
    pub fn insert(&mut self, person: u64, id: Id) {
        self.few.insert((person, id));
    }

    /// Takes it back.
    pub fn remove(&mut self, person: u64, id: Id) {
        self.few.remove(&(person, id));
    }

    /// How many there are under the hash of one person from an id on, as far as `most`: a number may
    /// be many people's.
    pub fn count(&self, person: u64, from: Id, most: usize) -> usize {
        self.few.range((person, from)..=(person, Id::MAX)).take(most).count()
    }

    /// Puts an id under the hash of many. The newest come last, nearly always.
    pub fn insert_of_many(&mut self, group: u64, id: Id) {
        let ids = self.many.entry(group).or_default();
        let at = match ids.back() {
            Some(last) if *last >= id => ids.partition_point(|one| *one < id),
            _ => ids.len(),
        };
        if ids.get(at) != Some(&id) {
            ids.insert(at, id);
        }
    }

    /// Takes it back. The oldest go first, nearly always.
    pub fn remove_of_many(&mut self, group: u64, id: Id) {
        let Some(ids) = self.many.get_mut(&group) else { return };
        if let Ok(at) = ids.binary_search(&id) {
            ids.remove(at);
        }
        if ids.is_empty() {
            self.many.remove(&group);
        } else if ids.len() < ids.capacity() / 4 {
            ids.shrink_to(ids.capacity() / 2);
        }
    }

    /// How many there are under the hash of many from an id on.
    pub fn count_of_many(&self, group: u64, from: Id) -> usize {
        self.many.get(&group).map_or(0, |ids| ids.len() - ids.partition_point(|id| *id < from))
    }

    /// Those under the hash of many from an id on, oldest first.
    pub fn ids_of_many(&self, group: u64, from: Id) -> Vec<Id> {
        let Some(ids) = self.many.get(&group) else { return Vec::new() };
        ids.range(ids.partition_point(|id| *id < from)..).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_counts_once_in_whatever_order_it_comes() {
        let mut counted = Counted::default();
        for id in [5, 1, 9, 5, 7, 1, 9] {
            counted.insert_of_many(3, id);
            counted.insert(3, id);
        }
        assert_eq!(counted.ids_of_many(3, 0), [1, 5, 7, 9]);
        for (from, expected) in [(0, 4), (1, 4), (2, 3), (9, 1), (10, 0)] {
            assert_eq!(counted.count_of_many(3, from), expected, "from {from}");
            assert_eq!(counted.count(3, from, 9), expected, "from {from}");
        }
        assert_eq!((counted.count_of_many(4, 0), counted.count(4, 0, 9)), (0, 0));
        for id in [1, 7, 8] {
            counted.remove_of_many(3, id);
            counted.remove(3, id);
        }
        assert_eq!((counted.ids_of_many(3, 0), counted.count(3, 0, 9)), (vec![5, 9], 2));
        for id in [5, 9] {
            counted.remove_of_many(3, id);
        }
        assert!(counted.many.is_empty(), "{counted:?}");
    }
}
