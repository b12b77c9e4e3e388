//! A walk that only counts or lists what would be sent.

use std::sync::{Arc, Mutex, PoisonError};

use crate::fs::skip::Skipped;
use crate::fs::walk::{Step, Walk};
use crate::wire::peer::{Entry, EntryKind, Totals};

/// A walk that only counts what will be sent. A cheap handle: clones go on with the same walk, and see the same totals.
#[derive(Debug, Clone)]
pub struct Survey {
    counting: Arc<Mutex<Counting>>,
}

#[derive(Debug)]
struct Counting {
    walk: Walk,
    totals: Totals,
}

/// What a survey met.
#[derive(Debug)]
pub enum Listed {
    /// It would be sent.
    Entry(Entry),
    /// It would not.
    Skipped(Skipped),
}

impl Survey {
    /// One that counts what is found by `walk`, and so many files besides.
    pub(crate) fn new(walk: Walk, files: u64) -> Self {
        let counting = Counting { walk, totals: Totals { files, ..Totals::default() } };
        Self { counting: Arc::new(Mutex::new(counting)) }
    }

    /// Counts on, for at most `budget` entries, and returns the totals so far.
    pub fn step(&mut self, budget: usize) -> Totals {
        self.list(budget, drop)
    }

    /// As [`Survey::step`], and tells what it meets.
    pub fn list(&mut self, budget: usize, mut tell: impl FnMut(Listed)) -> Totals {
        let mut counting = self.counting.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..budget {
            let listed = match counting.walk.next() {
                Some(Step::Found(found)) => {
                    counting.count(&found.kind);
                    Listed::Entry(Entry { path: found.path, kind: found.kind })
                }
                Some(Step::Skipped(skipped)) => Listed::Skipped(skipped),
                None => {
                    counting.totals.complete = true;
                    break;
                }
            };
            tell(listed);
        }
        counting.totals
    }
}

impl Counting {
    fn count(&mut self, kind: &EntryKind) {
        match kind {
            EntryKind::File { size, .. } => {
                self.totals.files += 1;
                self.totals.bytes = self.totals.bytes.saturating_add(*size);
            }
            EntryKind::Stream { .. } => self.totals.files += 1,
            EntryKind::Folder { .. } => self.totals.folders += 1,
            EntryKind::Link { .. } => self.totals.links += 1,
        }
    }
}
