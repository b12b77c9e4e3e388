//! The folders that a session met: which it made, and which cannot be lost any more.

use std::collections::{HashSet, VecDeque};

use crate::fs::os::FileId;
use crate::wire::path::MAX_PATH_BYTES;

/// What a session knows of the folders that it met: which of them it made, and which cannot be lost.
#[derive(Debug, Default)]
pub(crate) struct MetFolders {
    pub made: MadeFolders,
    /// Those whose names were synced. A folder that was there may come from a run that was cut off before
    /// it synced anything, so nothing in it is promised before its name is durable too.
    durable: HashSet<FileId>,
}

impl MetFolders {
    /// Folders that are remembered; more are synced again.
    const MOST_DURABLE: usize = 1 << 16;

    /// Whether its name was synced.
    pub fn is_durable(&self, id: FileId) -> bool {
        self.durable.contains(&id)
    }

    /// Remembers folders whose names were synced.
    pub fn add_durable(&mut self, ids: Vec<FileId>) {
        if self.durable.len() + ids.len() > Self::MOST_DURABLE {
            self.durable.clear();
        }
        self.durable.extend(ids.into_iter().take(Self::MOST_DURABLE));
    }
}

/// Folders that this session made and whose own entry has not come yet.
///
/// Only their times are set by that entry; a folder that was there before keeps its own. Entries come
/// depth first, so these are at most the folders above one path; a peer that sends another order
/// makes the oldest ones be forgotten, and loses nothing but their times. Nothing on disk marks them:
/// an interrupted transfer leaves ordinary folders.
#[derive(Debug, Default)]
pub(crate) struct MadeFolders(VecDeque<FileId>);

impl MadeFolders {
    const MOST: usize = MAX_PATH_BYTES / 2 + 1;

    /// Remembers one.
    pub fn add(&mut self, id: FileId) {
        if self.0.len() == Self::MOST {
            self.0.pop_front();
        }
        self.0.push_back(id);
    }

    /// Whether this session made it.
    pub fn has(&self, id: FileId) -> bool {
        self.0.contains(&id)
    }

    /// Forgets one; whether this session made it.
    pub fn remove(&mut self, id: FileId) -> bool {
        let place = self.0.iter().rposition(|it| *it == id);
        place.and_then(|place| self.0.remove(place)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use crate::fs::met::MadeFolders;
    use crate::fs::os::FileId;

    #[test]
    fn made_folders_are_bounded_and_forgotten_once_removed() {
        let id = |inode| FileId { device: 1, inode };
        let mut made = MadeFolders::default();
        (0..10_000).for_each(|inode| made.add(id(inode)));
        assert_eq!(made.0.len(), MadeFolders::MOST);
        assert!(made.remove(id(9_999)) && !made.remove(id(9_999)) && !made.remove(id(0)));
    }
}
