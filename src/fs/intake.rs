//! What a person asked for of what comes, and how it is kept.

use crate::fs::conflict::OnConflict;
use crate::fs::globs::{Globs, Named};
use crate::wire::peer::{Entry, EntryKind};

/// How a receive folder is used.
#[derive(Debug, Clone)]
pub struct SinkOptions {
    /// What happens when a name is taken.
    pub on_conflict: OnConflict,
    /// What happens with the stages of earlier sessions.
    pub stages: Stages,
    /// Whether a journal is kept. Without one nothing can be resumed and nothing is synced but files that
    /// are whole: to measure what the journal costs.
    pub journal: bool,
    /// What is wanted: what these match, and what lies in folders that they match. Without any, everything.
    pub only: Globs,
    /// Which files that are here may be the sender's already.
    pub alike: Alike,
    /// What becomes of modification times.
    pub times: Times,
    /// The permission bits of received files, at most `0o777`; the ordinary ones when not said.
    pub mode: Option<u32>,
}

impl Default for SinkOptions {
    fn default() -> Self {
        Self {
            on_conflict: OnConflict::default(),
            stages: Stages::default(),
            journal: true,
            only: Globs::default(),
            alike: Alike::default(),
            times: Times::default(),
            mode: None,
        }
    }
}

impl SinkOptions {
    /// Whether the person wants an entry. One that is not wanted leaves no trace; a folder of that kind is made
    /// only for what is wanted in it.
    pub(crate) fn wants(&self, entry: &Entry) -> bool {
        let named = match entry.kind {
            EntryKind::Folder { .. } => Named::Folder,
            EntryKind::File { .. } | EntryKind::Stream { .. } | EntryKind::Link { .. } => Named::Other,
        };
        self.only.is_empty() || self.only.cover(&entry.path, named)
    }
}

/// Whether the stages of earlier sessions are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stages {
    /// What is in them is gone on with.
    #[default]
    Resume,
    /// They stay as they are.
    Fresh,
}

/// Which files that have a name already may be what the sender has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Alike {
    /// Those of the same size and time. Their bytes are compared.
    #[default]
    SizeAndTime,
    /// Those of the same size. Their bytes are compared; their times stay.
    Size,
    /// Those of the same size and time, which are taken for the same without a look at their bytes.
    Unread,
}

/// What becomes of modification times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Times {
    /// They are those of the sender.
    #[default]
    Keep,
    /// They are those of the arrival.
    Arrival,
}
