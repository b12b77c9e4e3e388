//! What is decided of an entry before any byte of it comes, and where its bytes lie meanwhile.

use std::sync::Arc;

use crate::fs::intake::Alike;
use crate::fs::os::{Form, Stat};
use crate::fs::stage::Stage;
use crate::wire::CHUNK_BYTES;
use crate::wire::path::RelPath;
use crate::wire::peer::{Mtime, Outcome};

/// What to do with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// All of it is wanted.
    All,
    /// The first chunks of it seem to be here. They are only to be compared with what the sender has:
    /// see [`Sink::check_chunk`](crate::fs::Sink::check_chunk).
    Here {
        /// How many; never 0.
        chunks: u32,
        /// What to do when some of them differ.
        otherwise: Otherwise,
    },
    /// Nothing of it is wanted.
    Settled(Outcome),
}

/// What to do when bytes that are here already differ from the sender's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// Fetch the chunks that differ.
    Fetch,
    /// [`Sink::restart`](crate::fs::Sink::restart), then fetch all.
    Restart,
    /// The entry ends so: its name is taken by something else.
    Settle(Outcome),
}

/// A file under way: what was announced of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Announced {
    pub path: RelPath,
    pub size: u64,
    pub mtime: Mtime,
}

impl Announced {
    /// Whether it is worth a place in the journal: what has one chunk is sent again.
    pub fn is_journaled(&self) -> bool {
        self.size > u64::from(CHUNK_BYTES)
    }

    /// Whether a file under the final name may be this one already.
    pub fn resembles(&self, there: &Stat, alike: Alike) -> bool {
        // Not every file system keeps fractions of a second.
        let times = [self.mtime, Mtime::new(self.mtime.seconds(), 0).unwrap_or_default()];
        let in_time = alike == Alike::Size || times.contains(&there.mtime);
        there.form == Form::File && there.size == self.size && in_time
    }
}

/// Where the bytes of a file under way lie.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// There are none yet.
    Nowhere,
    /// In a stage.
    Staged(Staged),
    /// Under the final name, in a file that was so when it was looked at.
    Named(Stat),
}

/// A file in a stage.
#[derive(Debug, Clone)]
pub(crate) struct Staged {
    pub stage: Arc<Stage>,
    pub file: u32,
    pub belongs: Belongs,
}

/// How sure it is that a staged file belongs to its entry, before its bytes were compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Belongs {
    /// It was made for an entry of this path.
    Surely,
    /// Only size and time are the same. It may be another entry's, and then goes back to it.
    Perhaps,
}

/// A file under way.
#[derive(Debug, Clone)]
pub(crate) struct UnderWay {
    /// Absent for what was never planned, which then cannot be resumed.
    pub announced: Option<Announced>,
    pub place: Place,
}
