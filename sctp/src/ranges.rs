//! A set of TSNs as sorted ranges: what the receiver has got, and what the sender knows to have arrived.

use std::collections::VecDeque;
use std::ops::Range;

/// Sorted, disjoint ranges that do not touch, of unwrapped TSNs (`crate::wire::tsn`).
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Ranges(VecDeque<Range<u64>>);

impl Ranges {
    /// Adds `range` and hands each part of it that was not in the set yet to `fresh`, in order.
    ///
    /// Appending at the end, the common case, takes constant time.
    pub(crate) fn insert(&mut self, range: Range<u64>, mut fresh: impl FnMut(Range<u64>)) {
        if range.is_empty() {
            return;
        }
        match self.0.back_mut() {
            Some(last) if range.start < last.end => {}
            Some(last) if range.start == last.end => {
                last.end = range.end;
                return fresh(range);
            }
            Some(_) | None => {
                self.0.push_back(range.clone());
                return fresh(range);
            }
        }

        // Those that overlap it or touch it become one with it.
        let first = self.0.partition_point(|known| known.end < range.start);
        let mut merged = range.clone();
        let mut missing = range.start;
        let mut after = first;
        while let Some(known) = self.0.get(after).filter(|known| known.start <= range.end) {
            if missing < known.start {
                fresh(missing..known.start);
            }
            missing = missing.max(known.end);
            merged = merged.start.min(known.start)..merged.end.max(known.end);
            after += 1;
        }
        if missing < range.end {
            fresh(missing..range.end);
        }
        match self.0.get_mut(first).filter(|_| after > first) {
            Some(known) => {
                *known = merged;
                self.0.drain(first + 1..after);
            }
            None => self.0.insert(first, merged),
        }
    }

    /// Forgets everything below `start`.
    pub(crate) fn remove_below(&mut self, start: u64) {
        while let Some(first) = self.0.front_mut() {
            if first.end > start {
                first.start = first.start.max(start);
                return;
            }
            self.0.pop_front();
        }
    }

    pub(crate) fn contains(&self, value: u64) -> bool {
        // New numbers lie above all others, mostly.
        if self.0.back().is_none_or(|last| value >= last.end) {
            return false;
        }
        let index = self.0.partition_point(|known| known.end <= value);
        self.0.get(index).is_some_and(|known| known.start <= value)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn first(&self) -> Option<&Range<u64>> {
        self.0.front()
    }

    pub(crate) fn last(&self) -> Option<&Range<u64>> {
        self.0.back()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Range<u64>> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use crate::ranges::Ranges;

    fn ranges(list: &[(u64, u64)]) -> Ranges {
        let mut ranges = Ranges::default();
        for &(start, end) in list {
            ranges.insert(start..end, |_| {});
        }
        ranges
    }

    fn check(list: &[(u64, u64)], expect: &[(u64, u64)]) {
        let got: Vec<_> = ranges(list).iter().map(|range| (range.start, range.end)).collect();
        assert_eq!(got, expect, "{list:?}");
    }

    #[test]
    fn touching_ranges_become_one() {
        check(&[(1, 2), (2, 3)], &[(1, 3)]);
        check(&[(5, 6), (1, 2)], &[(1, 2), (5, 6)]);
        check(&[(5, 6), (4, 5)], &[(4, 6)]);
        check(&[(1, 2), (3, 4), (2, 3)], &[(1, 4)]);
        check(&[(1, 3), (5, 7), (9, 12), (2, 10)], &[(1, 12)]);
        check(&[(1, 3), (1, 3), (3, 3)], &[(1, 3)]);
    }

    #[test]
    fn only_what_is_new_is_told() {
        let mut told = Vec::new();
        ranges(&[(2, 4), (6, 8)]).insert(1..10, |fresh| told.push((fresh.start, fresh.end)));
        assert_eq!(told, [(1, 2), (4, 6), (8, 10)]);
    }

    /// Every operation against a set of single numbers.
    #[test]
    fn it_is_a_set() {
        for seed in 0..40 {
            let random = &mut StdRng::seed_from_u64(seed);
            let (mut ranges, mut model) = (Ranges::default(), BTreeSet::new());
            for _ in 0..200 {
                let start = random.random_range(0..120);
                let range = start..start + random.random_range(0..10);
                if random.random_range(0..20) == 0 {
                    ranges.remove_below(start);
                    model = model.split_off(&start);
                } else {
                    let mut told = Vec::new();
                    ranges.insert(range.clone(), |fresh| {
                        assert!(!fresh.is_empty());
                        told.extend(fresh);
                    });
                    let new: Vec<u64> = range.filter(|&value| model.insert(value)).collect();
                    assert_eq!(told, new, "seed {seed}");
                }
                let all: Vec<u64> = ranges.iter().cloned().flatten().collect();
                assert!(all.iter().eq(model.iter()), "seed {seed}: {ranges:?}");
                assert!((0..130).all(|value| ranges.contains(value) == model.contains(&value)));
                let apart = |(a, b): (&std::ops::Range<u64>, &std::ops::Range<u64>)| a.end < b.start;
                assert!(ranges.iter().zip(ranges.iter().skip(1)).all(apart), "seed {seed}: {ranges:?}");
            }
        }
    }
}
