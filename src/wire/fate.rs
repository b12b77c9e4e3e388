//! What the peers say about single entries: wanted, proven, failed, settled.

use serde::{Deserialize, Serialize};

use crate::wire::peer::Hash;

/// Whether the receiver wants an entry's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Want {
    /// All of them (none, for what has none).
    All,
    /// None: the entry is settled already, see the `Settled` that goes before.
    Nothing,
    /// A file's bytes from this chunk on. Those before seem to be here: of them only the proofs are
    /// wanted, against which the receiver holds what it has.
    From {
        /// The first chunk whose bytes are wanted, at least 1 and at most the number of chunks.
        chunk: u32,
    },
}

/// What the sender vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proof {
    /// A chunk's hash.
    Chunk {
        /// Of which entry.
        entry: u32,
        /// Which chunk: its offset in MiB.
        index: u32,
        /// SHA-256 of its bytes.
        hash: Hash,
    },
    /// An entry was read to its end and did not change meanwhile.
    Entry {
        /// Which.
        entry: u32,
        /// SHA-256 over its size and chunk hashes, see `docs/PROTOCOL.md`.
        digest: Hash,
    },
    /// An entry cannot be sent.
    Failed {
        /// Which.
        entry: u32,
        /// Why.
        fault: SourceFault,
        /// How far its chunks went out before, or were held back; after the proof, bytes sent again.
        sent: u64,
    },
    /// A stream was read to its end: as [`Proof::Entry`], with the size that nobody knew before.
    End {
        /// Which.
        entry: u32,
        /// How many bytes it has; its last chunk may be a short one.
        size: u64,
        /// SHA-256 over its chunk hashes and size, see `docs/PROTOCOL.md`.
        digest: Hash,
    },
}

/// Why the sender could not send an entry that it had announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum SourceFault {
    /// It is gone.
    #[error("it was deleted while being sent")]
    Gone,
    /// It has another size, time or content than at the start.
    #[error("it changed while being sent")]
    Changed,
    /// It cannot be read.
    #[error("the sender may not read it")]
    Denied,
    /// Any other error while reading.
    #[error("the sender could not read it")]
    Io,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Which.
    pub entry: u32,
    /// What.
    pub outcome: Outcome,
}

/// How an entry ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// It is there, verified and durable.
    Kept {
        /// The receiver's own digest of what it wrote; zero for folders and links.
        digest: Hash,
    },
    /// Its name was taken, and what was there stays.
    Exists,
    /// Its name was taken, and the receiver chose to skip such entries.
    Skipped,
    /// The receiver's file system cannot hold its name or kind.
    Refused,
    /// The sender said that it failed.
    SourceFailed(SourceFault),
    /// The receiver does not want it: it asked for others, or takes what it has for the same.
    Unwanted,
}
