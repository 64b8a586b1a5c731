//! The few of many with the highest score; of equal ones those that came first.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

pub struct Top<T> {
    most: usize,
    pushed: u64,
    heap: BinaryHeap<Entry<T>>,
}

/// The lowest is on top of the heap.
struct Entry<T> {
    rank: (Reverse<u64>, u64),
    value: T,
}

impl<T> Top<T> {
    pub fn new(most: usize) -> Top<T> {
        Top {
            most,
            pushed: 0,
            heap: BinaryHeap::with_capacity(most + 1),
        }
    }

    /// Nothing without a score is kept. `value` is asked for only when it is.
    pub fn push(&mut self, score: u64, value: impl FnOnce() -> T) {
        let full = self.heap.len() >= self.most;
        let least = self.heap.peek().map_or(0, |entry| entry.rank.0.0);
        if score == 0 || full && score <= least {
            return;
        }
        if full {
            self.heap.pop();
        }
        self.pushed += 1;
        self.heap.push(Entry {
            rank: (Reverse(score), self.pushed),
            value: value(),
        });
    }

    /// Highest score first.
    pub fn take(self) -> Vec<T> {
        let entries = self.heap.into_sorted_vec();
        entries.into_iter().map(|entry| entry.value).collect()
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank.cmp(&other.rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_stay_in_their_order_and_none_without_a_score() {
        let mut top = Top::new(3);
        for (score, name) in [(5, "a"), (0, "b"), (9, "c"), (5, "d"), (7, "e"), (5, "f")] {
            top.push(score, || name);
        }
        assert_eq!(top.take(), ["c", "e", "a"]);
    }
}
