//! What a receiver asks of the file system, and what it is answered.

use bytes::Bytes;

use crate::wire::peer::{AbortReason, Entry, Hash, Outcome};

/// What the receiver asks of the file system.
#[derive(Debug)]
pub enum Job {
    /// Look whether these entries can have their names.
    Plan {
        /// Number of the first.
        first: u32,
        /// The entries.
        entries: Vec<Entry>,
    },
    /// Write one whole chunk and hash it.
    Write {
        /// Of which entry.
        entry: u32,
        /// Which chunk.
        index: u32,
        /// Its bytes, in order.
        parts: Vec<Bytes>,
    },
    /// Make these chunks durable, then journal them.
    Checkpoint(Vec<WrittenChunk>),
    /// Give these entries their names, in order, and make that durable.
    Commit(Vec<Commit>),
    /// This entry will not be committed. No answer.
    Discard {
        /// Which.
        entry: u32,
    },
    /// All entries are settled: clear the stage away.
    Finish,
}

/// A verified chunk of an unfinished entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenChunk {
    /// Of which entry.
    pub entry: u32,
    /// Where the entry belongs, and what it is.
    pub item: Entry,
    /// Which chunk.
    pub index: u32,
    /// Its hash.
    pub hash: Hash,
}

/// A verified entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Which.
    pub entry: u32,
    /// Where it belongs, and what it is.
    pub item: Entry,
    /// Its digest; zero for folders and links.
    pub digest: Hash,
}

/// What the file system answers. A fault ends the session; its reason is told to the peer.
#[derive(Debug)]
pub enum Done {
    /// To [`Job::Plan`]: for each entry, how it ends without being sent, or nothing.
    Planned {
        /// Number of the first.
        first: u32,
        /// One for each entry.
        outcomes: Vec<Option<Outcome>>,
    },
    /// To [`Job::Write`].
    Wrote {
        /// Of which entry.
        entry: u32,
        /// Which chunk.
        index: u32,
        /// What was written.
        hash: Hash,
    },
    /// To [`Job::Checkpoint`].
    Checkpointed,
    /// To [`Job::Commit`]: one outcome for each, in order.
    Committed(Vec<Outcome>),
    /// To [`Job::Finish`].
    Finished,
    /// To any: the disk does not go on.
    Fault(AbortReason),
}
