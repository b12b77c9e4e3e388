//! The only door to the file system: [`Source`] reads what is sent, [`Sink`] writes what is received.
//!
//! ```text
//! source ─► walk ──┐                 os: system calls, one component each, no link followed
//!    └────► dir ───┼─► os            dir: the way to a folder below a root
//! sink ──► commit ─┤                 walk: a tree as entries; source: their bytes, and whether they changed
//!   ├────► stage ──┤                 stage: where unfinished bytes live; journal: whose they are, what is durable
//!   └─► earlier ───┴─► journal       earlier: stages of earlier sessions, to go on with
//!                                    finish, commit: from the stage to the final name
//! ```
//!
//! Beside them: `pipe` reads standard input and writes standard output, `note` keeps a text in memory; `root`, `selection`, `globs` and `gitignore` say what a walk finds, `skip` why not;
//! `landing` says where it goes; `leftover` tells of stages and removes them, `space` counts bytes.
//!
//! Invariants: under its final name a file is absent, untouched or whole; nothing is replaced unless
//! the person asked ([`OnConflict::Overwrite`]); no path from a peer is resolved by the kernel in one
//! go, and no link in the receive folder is followed; memory does not grow with the number of entries,
//! except by the names of one folder at a time (and of those above it) while it is walked.
//!
//! All calls block. Nothing here knows of networks, tasks or clocks.

#[cfg(test)]
mod change_tests;
mod chunk;
mod commit;
mod conflict;
#[cfg(test)]
mod conflict_tests;
#[cfg(test)]
mod crash_tests;
mod dir;
mod earlier;
mod facts;
mod finish;
mod foresight;
mod gitignore;
mod globs;
mod hash;
pub mod host;
mod intake;
#[cfg(test)]
mod intake_tests;
pub mod journal;
#[cfg(test)]
mod journal_tests;
mod landing;
mod leftover;
#[cfg(test)]
mod leftover_tests;
mod met;
#[cfg(test)]
mod named_tests;
mod note;
mod os;
mod pipe;
mod plan;
#[cfg(test)]
mod resume_tests;
mod root;
mod selection;
#[cfg(test)]
mod selection_tests;
mod settings;
mod sink;
#[cfg(test)]
mod sink_tests;
mod skip;
mod source;
#[cfg(test)]
mod source_tests;
mod space;
mod stage;
mod survey;
mod walk;

use std::path::PathBuf;

use crate::fs::os::{Kind, OsError};
use crate::wire::path::{NameError, RelPath};

pub use crate::fs::chunk::ChunkRead;
pub use crate::fs::commit::{Commit, Committed};
pub use crate::fs::conflict::OnConflict;
pub use crate::fs::foresight::{Met, met_here};
pub use crate::fs::globs::{Glob, GlobError, Globs};
pub(crate) use crate::fs::hash::{hash_parts, hashed_together};
pub use crate::fs::intake::{Alike, SinkOptions, Stages, Times};
pub use crate::fs::landing::{Landing, Naming, file_name};
pub use crate::fs::leftover::{Leftover, LeftoverState, Unusable, is_folder, leftovers};
pub use crate::fs::note::Note;
pub use crate::fs::pipe::{DASH, Inlet, Outlet, StreamRead, stdin_is_piped};
pub use crate::fs::plan::{Otherwise, Plan};
pub use crate::fs::selection::{Ignores, Links, Selection};
pub use crate::fs::settings::{read_at_most, read_settings, write_page};
pub use crate::fs::sink::{Sink, WrittenChunk};
pub use crate::fs::skip::{SkipReason, Skipped};
pub use crate::fs::source::{Batch, Source};
pub use crate::fs::space::{bytes_here, free_bytes};
pub use crate::fs::survey::{Listed, Survey};

/// Why nothing more can be written. It ends the session; what has its name stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiskFault {
    /// No space left.
    #[error("no space left for `{}`", .path.display())]
    Full {
        /// What was being written.
        path: PathBuf,
    },
    /// What is offered does not fit what is free.
    #[error("there is not enough room in `{}`: {needed} bytes are needed, {free} are free", .path.display())]
    NoRoom {
        /// The receive folder.
        path: PathBuf,
        /// Bytes still to come.
        needed: u64,
        /// Bytes that may be written.
        free: u64,
    },
    /// The user's share of the disk is used up.
    #[error("the disk quota is used up; `{}` does not fit", .path.display())]
    Quota {
        /// What was being written.
        path: PathBuf,
    },
    /// No permission.
    #[error("no permission to write `{}`", .path.display())]
    Denied {
        /// What was being written.
        path: PathBuf,
    },
    /// A read-only file system.
    #[error("`{}` is on a read-only file system", .path.display())]
    ReadOnly {
        /// What was being written.
        path: PathBuf,
    },
    /// The receive folder, or something above it, is no folder.
    #[error("`{}` is not a folder", .path.display())]
    NotAFolder {
        /// What is none.
        path: PathBuf,
    },
    /// The file system has a limit below this file's size.
    #[error("`{}` is larger than this file system allows", .path.display())]
    TooLarge {
        /// What was being written.
        path: PathBuf,
    },
    /// The file system can neither rename without replacing nor make hard links, so that files could
    /// only be given names at the risk of replacing others.
    #[error("the file system of `{}` cannot name a file without replacing another", .path.display())]
    Unsupported {
        /// What was to be named.
        path: PathBuf,
    },
    /// Nobody reads standard output any more.
    #[error("whatever read the output stopped reading")]
    OutputClosed,
    /// It is not one file, and so has no place on standard output.
    #[error("only one file or stream can be written to a pipe; this is more")]
    NotOneFile,
    /// The stage is not as p2pcp left it.
    #[error("`{}` was changed by somebody else", .path.display())]
    Damaged {
        /// What was found changed.
        path: PathBuf,
    },
    /// Any other failure.
    #[error("`{}`: {}", .path.display(), std::io::Error::from_raw_os_error(*.code))]
    Failed {
        /// What was being written or read.
        path: PathBuf,
        /// The system's error number.
        code: i32,
    },
}

impl DiskFault {
    /// What a failed call on `path` means for a receiver.
    pub(crate) fn new(error: OsError, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        match error.kind {
            Kind::Full => Self::Full { path },
            Kind::Quota => Self::Quota { path },
            Kind::Denied => Self::Denied { path },
            Kind::ReadOnly => Self::ReadOnly { path },
            Kind::NotAFolder => Self::NotAFolder { path },
            Kind::TooLarge => Self::TooLarge { path },
            Kind::Missing
            | Kind::Exists
            | Kind::IsFolder
            | Kind::BadName
            | Kind::Unsupported
            | Kind::Other => Self::Failed { path, code: error.code },
        }
    }
}

/// Why the paths that the person named cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// No path was named.
    #[error("there is nothing to send")]
    Nothing,
    /// All paths that were named are excluded, or files that are too large.
    #[error("there is nothing to send: all that was named is excluded or too large")]
    AllExcluded,
    /// The `.gitignore` files above this path cannot be read.
    #[error("a .gitignore above `{}` cannot be read", .path.display())]
    Rules {
        /// As it was named.
        path: PathBuf,
    },
    /// There is nothing at this path, or a link there points nowhere.
    #[error("`{}` does not exist", .path.display())]
    Missing {
        /// As it was named.
        path: PathBuf,
    },
    /// It may not be looked at.
    #[error("no permission to read `{}`", .path.display())]
    Denied {
        /// As it was named.
        path: PathBuf,
    },
    /// It is neither a file nor a folder.
    #[error("`{}` is neither a file nor a folder", .path.display())]
    NotSendable {
        /// As it was named.
        path: PathBuf,
    },
    /// It is the root of the file system, which has no name.
    #[error("`{}` has no name to send it under", .path.display())]
    Nameless {
        /// As it was named.
        path: PathBuf,
    },
    /// Its name cannot travel.
    #[error("`{}` cannot be sent under its name: {why}", .path.display())]
    BadName {
        /// As it was named.
        path: PathBuf,
        /// What is wrong with the name.
        why: NameError,
    },
    /// Two paths end in the same name, which the receive folder can hold only once.
    #[error("`{}` and `{}` would both be sent as `{name}`", .first.display(), .second.display())]
    SameName {
        /// The name that both have.
        name: RelPath,
        /// The path that was named first.
        first: PathBuf,
        /// The path that was named later.
        second: PathBuf,
    },
    /// Any other failure.
    #[error("`{}`: {}", .path.display(), std::io::Error::from_raw_os_error(*.code))]
    Failed {
        /// As it was named.
        path: PathBuf,
        /// The system's error number.
        code: i32,
    },
}

impl SourceError {
    /// What a failed call on `path` means for a sender.
    pub(crate) fn new(error: OsError, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        match error.kind {
            Kind::Missing | Kind::NotAFolder => Self::Missing { path },
            Kind::Denied => Self::Denied { path },
            Kind::Exists
            | Kind::IsFolder
            | Kind::BadName
            | Kind::Full
            | Kind::Quota
            | Kind::ReadOnly
            | Kind::TooLarge
            | Kind::Unsupported
            | Kind::Other => Self::Failed { path, code: error.code },
        }
    }
}
