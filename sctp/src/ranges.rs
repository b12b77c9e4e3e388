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
    pub(crate) fn insert(&mut self, range: Range<u64>, fresh: impl FnMut(Range<u64>)) {
        let _ = (range, fresh);
        todo!()
    }

    /// Forgets everything below `start`.
    pub(crate) fn remove_below(&mut self, start: u64) {
        let _ = start;
        todo!()
    }

    pub(crate) fn contains(&self, value: u64) -> bool {
        let _ = value;
        todo!()
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
