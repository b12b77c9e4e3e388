//! What a sender asks of the file system, and what it is answered.

use std::time::Duration;

use bytes::BytesMut;

use crate::session::sender::packing::Pack;
use crate::wire::peer::{Entry, Hash, SourceFault, Totals};

/// What the sender asks of the file system, answered in order by [`Done`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Count on.
    Survey,
    /// Find up to so many more entries.
    Walk {
        /// How many.
        max: usize,
    },
    /// See whether an empty file is as announced; answered like reading its chunk 0.
    Check {
        /// Which.
        entry: u32,
    },
    /// Read and hash a chunk.
    Read {
        /// Of which entry.
        entry: u32,
        /// Which chunk.
        index: u32,
        /// Whether it is packed then.
        pack: Pack,
    },
    /// Read and hash the next chunk of a stream, however long that takes.
    Stream {
        /// Of which entry.
        entry: u32,
        /// Which chunk.
        index: u32,
        /// Whether it is packed then.
        pack: Pack,
    },
    /// The entry will not be read any more. No answer.
    Forget {
        /// Which.
        entry: u32,
    },
}

/// What the file system answers.
#[derive(Debug)]
pub enum Done {
    /// To [`Job::Survey`].
    Surveyed(Totals),
    /// To [`Job::Walk`].
    Walked(Walked),
    /// To [`Job::Read`] and [`Job::Check`].
    Read {
        /// Of which entry.
        entry: u32,
        /// Which chunk.
        index: u32,
        /// The chunk as frames for the bulk channel, and its hash.
        result: Result<(Vec<BytesMut>, Hash), SourceFault>,
        /// How long reading, hashing and packing took.
        spent: Duration,
    },
    /// To [`Job::Stream`].
    Streamed {
        /// Of which entry.
        entry: u32,
        /// Its next chunk.
        result: Result<Streamed, SourceFault>,
    },
}

/// The next chunk of a stream: a whole one, or the last, which may be short or empty.
#[derive(Debug)]
pub struct Streamed {
    /// The chunk as frames for the bulk channel.
    pub frames: Vec<BytesMut>,
    /// Its bytes.
    pub bytes: u64,
    /// SHA-256 over them.
    pub hash: Hash,
    /// Whether nothing follows.
    pub last: bool,
    /// How long packing took.
    pub spent: Duration,
}

/// Some more of the manifest.
#[derive(Debug, Default)]
pub struct Walked {
    /// The entries, numbered on from those before; they fit one control frame.
    pub entries: Vec<Entry>,
    /// What cannot be sent, with the reason.
    pub skipped: Vec<(String, String)>,
    /// What the person did not want to send, with the reason.
    pub passed: Vec<(String, String)>,
    /// Whether that was all.
    pub done: bool,
}
