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
        /// If they are packed: how many bytes they hold. Whether they do is yet to be seen.
        packed: Option<u32>,
        /// What they must hash to, or nothing is written; told where written bytes cannot be taken back.
        proof: Option<Hash>,
    },
    /// Hash what is here of a chunk that [`Plan::Here`] spoke of.
    Check {
        /// Of which entry.
        entry: u32,
        /// Which chunk.
        index: u32,
    },
    /// What is here of this entry is not it: all of its chunks will be written. No answer.
    Restart {
        /// Which.
        entry: u32,
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

/// What can be done about an entry, as far as the disk tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// All of its bytes are needed.
    All,
    /// Some of it seems to be here.
    Here {
        /// How many leading chunks.
        chunks: u32,
        /// What to do when it turns out to be something else.
        otherwise: Otherwise,
    },
    /// It ends like this without being sent.
    Settled(Outcome),
}

/// What to do about an entry when what is here of it is not what the sender has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// Get the chunks that differ: it is an unfinished file of ours.
    Fetch,
    /// Get all of it: it is a finished file, which stays whole until it is replaced, or another entry's.
    Restart,
    /// Leave it at that: it is somebody's file with this name.
    Settle(Outcome),
}

/// A written chunk of an unfinished entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenChunk {
    /// Of which entry.
    pub entry: u32,
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
    /// To [`Job::Plan`].
    Planned {
        /// Number of the first.
        first: u32,
        /// One for each entry.
        plans: Vec<Plan>,
    },
    /// To [`Job::Check`].
    Checked {
        /// Of which entry.
        entry: u32,
        /// Which chunk.
        index: u32,
        /// What is here; nothing when the chunk is not, or not whole.
        hash: Option<Hash>,
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
    /// To [`Job::Write`] of what does not unpack: nothing was written.
    Unpackable {
        /// Of which entry.
        entry: u32,
    },
    /// To [`Job::Checkpoint`].
    Checkpointed,
    /// To [`Job::Commit`].
    Committed {
        /// Number of the batch's first entry.
        first: u32,
        /// One for each, in order.
        outcomes: Vec<Outcome>,
    },
    /// To [`Job::Finish`].
    Finished,
    /// To any: the disk does not go on.
    Fault(AbortReason),
}
