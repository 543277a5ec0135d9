//! A bounded queue that is fair among its keys: each key with something waiting gets its turn.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

#[derive(Debug)]
pub(super) struct FairQueue<K, T> {
    waiting: HashMap<K, VecDeque<T>>,
    turns: VecDeque<K>,
    len: usize,
    capacity: usize,
}

impl<K: Copy + Eq + Hash, T> FairQueue<K, T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { waiting: HashMap::new(), turns: VecDeque::new(), len: 0, capacity }
    }

    /// Adds to the end of the key's line; gives the item back when the queue is full, or when the key holds more than
    /// its half of it while others might come.
    pub(super) fn push(&mut self, key: K, item: T) -> Result<(), T> {
        let own = self.waiting.get(&key).map_or(0, VecDeque::len);
        if self.len >= self.capacity || own >= self.capacity.div_ceil(2) {
            return Err(item);
        }
        let line = self.waiting.entry(key).or_default();
        if line.is_empty() {
            self.turns.push_back(key);
        }
        line.push_back(item);
        self.len += 1;
        Ok(())
    }

    /// Takes from the key whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        let key = self.turns.pop_front()?;
        let line = self.waiting.get_mut(&key)?;
        let item = line.pop_front();
        if line.is_empty() {
            self.waiting.remove(&key);
        } else {
            self.turns.push_back(key);
        }
        self.len -= usize::from(item.is_some());
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_take_turns() {
        let mut queue = FairQueue::new(16);
        for n in 0..4 {
            queue.push('a', ('a', n)).unwrap();
        }
        queue.push('b', ('b', 0)).unwrap();
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [('a', 0), ('b', 0), ('a', 1), ('a', 2), ('a', 3)]);
        assert!(queue.pop().is_none());
    }

    #[test]
    fn one_key_gets_no_more_than_half_and_all_no_more_than_the_capacity() {
        let mut queue = FairQueue::new(4);
        assert!(queue.push('a', 1).is_ok() && queue.push('a', 2).is_ok());
        assert_eq!(queue.push('a', 3), Err(3));
        assert!(queue.push('b', 4).is_ok() && queue.push('b', 5).is_ok());
        assert_eq!(queue.push('c', 6), Err(6));
    }
}
