//! What happens when a name is taken.

use crate::fs::os::{Form, Kind, OsError, Stat};
use crate::wire::peer::{EntryKind, Mtime, Outcome};

/// What to do with a file whose name is taken. Folders are merged, and never replaced by anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// What is there stays, and the transfer has failed for this entry.
    #[default]
    Refuse,
    /// The new file takes the place of a file, link or the like, in one step.
    Overwrite,
    /// As `Overwrite`, but only where a file is there that changed earlier; what is not replaced stays, and that is
    /// fine.
    Update,
    /// The new file or link is called `name (1).ext`.
    Rename,
    /// What is there stays, and that is fine.
    Skip,
}

impl OnConflict {
    /// The outcome of an entry whose name is taken.
    pub(crate) fn taken(self) -> Outcome {
        match self {
            Self::Skip | Self::Update => Outcome::Skipped,
            Self::Refuse | Self::Overwrite | Self::Rename => Outcome::Exists,
        }
    }

    /// The outcome that a failed call means for its entry, unless it ends everything.
    pub(crate) fn settle(self, error: OsError) -> Option<Outcome> {
        match error.kind {
            Kind::Exists | Kind::IsFolder => Some(self.taken()),
            // On the way there is a link or a file: never through it.
            Kind::NotAFolder => Some(Outcome::Exists),
            Kind::BadName | Kind::Unsupported => {
                log::warn!("the file system refused an entry: error {}", error.code);
                Some(Outcome::Refused)
            }
            Kind::Missing
            | Kind::Denied
            | Kind::Full
            | Kind::Quota
            | Kind::ReadOnly
            | Kind::TooLarge
            | Kind::Other => None,
        }
    }

    /// The outcome of an entry where `there` has its name; `None` is to go on.
    pub(crate) fn meets(self, kind: &EntryKind, there: &Stat) -> Option<Outcome> {
        match (kind, there.form, self) {
            (EntryKind::Folder { .. }, Form::Folder, _) => None,
            (EntryKind::Folder { .. }, _, _) => Some(Outcome::Exists),
            (EntryKind::File { .. } | EntryKind::Stream { .. } | EntryKind::Link { .. }, _, Self::Rename) => {
                None
            }
            (EntryKind::File { .. } | EntryKind::Stream { .. }, form, Self::Overwrite)
                if form != Form::Folder =>
            {
                None
            }
            (EntryKind::File { mtime, .. } | EntryKind::Stream { mtime }, Form::File, Self::Update)
                if is_newer(*mtime, there.mtime) =>
            {
                None
            }
            (EntryKind::File { .. } | EntryKind::Stream { .. } | EntryKind::Link { .. }, _, _) => {
                Some(self.taken())
            }
        }
    }
}

/// Whether a file of the time `mtime` is newer than one that is here.
fn is_newer(mtime: Mtime, here: Mtime) -> bool {
    // Not every file system keeps fractions of a second: without them a file would be newer than its own copy.
    match here.nanoseconds() {
        0 => mtime.seconds() > here.seconds(),
        _ => mtime > here,
    }
}
