//! Loaded code in memory: what was not used for longest goes first.

use std::collections::HashMap;
use std::hash::Hash;

/// Values of known weight under keys; together they weigh no more than allowed, one value apart.
#[derive(Debug)]
pub(super) struct Shelf<K, V> {
    slots: HashMap<K, Slot<V>>,
    weight: usize,
    weight_max: usize,
    /// Grows with each use.
    uses: u64,
}

#[derive(Debug)]
struct Slot<V> {
    value: V,
    weight: usize,
    used: u64,
}

impl<K: Copy + Eq + Hash, V: Clone> Shelf<K, V> {
    pub(super) fn new(weight_max: usize) -> Self {
        Self { slots: HashMap::new(), weight: 0, weight_max, uses: 0 }
    }

    pub(super) fn get(&mut self, key: K) -> Option<V> {
        let slot = self.slots.get_mut(&key)?;
        self.uses += 1;
        slot.used = self.uses;
        Some(slot.value.clone())
    }

    /// Puts a value in; gives what went for it, to be dropped where nobody waits.
    pub(super) fn put(&mut self, key: K, value: V, weight: usize) -> Vec<V> {
        self.uses += 1;
        let slot = Slot { value, weight, used: self.uses };
        self.weight += weight;
        let mut gone = Vec::new();
        if let Some(old) = self.slots.insert(key, slot) {
            self.weight -= old.weight;
            gone.push(old.value);
        }
        // One that is heavier than all is allowed stays alone: it is needed now.
        while self.weight > self.weight_max && self.slots.len() > 1 {
            let oldest = self.slots.iter().min_by_key(|(_, slot)| slot.used).map(|(key, _)| *key);
            gone.extend(oldest.and_then(|key| self.take(key)));
        }
        gone
    }

    /// Takes a value out.
    pub(super) fn take(&mut self, key: K) -> Option<V> {
        let slot = self.slots.remove(&key)?;
        self.weight -= slot.weight;
        Some(slot.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_when_all_weigh_too_much() {
        let mut shelf = Shelf::new(10);
        assert!(shelf.put(1, 'a', 4).is_empty());
        assert!(shelf.put(2, 'b', 6).is_empty(), "10 of 10");
        assert_eq!(shelf.get(1), Some('a'));
        assert_eq!(shelf.put(3, 'c', 1), ['b'], "11 of 10");
        assert_eq!((shelf.get(1), shelf.get(2), shelf.get(3)), (Some('a'), None, Some('c')));
        assert_eq!(shelf.put(4, 'd', 11), ['a', 'c']);
        assert_eq!(shelf.get(4), Some('d'));
    }

    #[test]
    fn a_value_that_is_put_again_or_taken_out_weighs_once_or_nothing() {
        let mut shelf = Shelf::new(10);
        assert!(shelf.put(1, 'a', 6).is_empty());
        assert_eq!(shelf.put(1, 'b', 6), ['a']);
        assert!(shelf.put(2, 'c', 4).is_empty());
        assert_eq!(shelf.take(1), Some('b'));
        assert!(shelf.put(3, 'd', 6).is_empty());
        assert_eq!(shelf.get(2), Some('c'));
    }
}
