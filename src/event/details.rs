//! What events carry: how far it is, what was answered, what is known of an offer.

use serde::Serialize;

use crate::fs::{LeftoverState, Unusable};
use crate::wire::path::RelPath;
use crate::wire::peer::Entry;

/// What a receiving side knows of an offer beyond its top, when it is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preview {
    /// The first entries that were announced, in their order; a folder comes after what it holds.
    pub entries: Vec<Entry>,
    /// Whether these are all.
    pub complete: bool,
    /// The first of those whose names are taken here by something else.
    pub taken: Vec<RelPath>,
    /// How many of the entries are.
    pub taken_count: u64,
    /// Whether some of it can be accepted ([`crate::Transfer::accept_only`]).
    pub choosable: bool,
    /// How many files have their names here already, with their sizes and times.
    pub alike: u64,
    /// Bytes that are to be written at most, where it goes to a disk: of everything, or of the known part of what was
    /// chosen before.
    pub needed_bytes: Option<u64>,
    /// Bytes that may be written there, where the system says it.
    pub free_bytes: Option<u64>,
    /// Bytes that are lacking: a yes to all of it fails then. None if it was said to try all the same.
    pub lacking_bytes: u64,
}

impl Preview {
    /// Those of the top-level names that a listing of the receive folder would not show, as far as entries are known.
    pub fn hidden(&self) -> Vec<RelPath> {
        let mut tops: Vec<&str> = self.entries.iter().filter_map(|it| it.path.parts().next()).collect();
        tops.retain(|it| it.starts_with('.'));
        tops.dedup();
        tops.into_iter().filter_map(|it| RelPath::parse(it).ok()).collect()
    }
}

/// How far a transfer is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes that the receiver has: those that travelled, and those that it had already.
    pub bytes: u64,
    /// Bytes that it is to have from this transfer. Grows while [`Progress::complete`] is false, and shrinks by what
    /// turns out not to be wanted.
    pub total_bytes: u64,
    /// Of [`Progress::bytes`], those of interrupted transfers that were there, and were checked.
    pub resumed_bytes: u64,
    /// Regular files that are settled.
    pub files: u64,
    /// Regular files in all, as far as counted.
    pub total_files: u64,
    /// Whether everything is counted.
    pub complete: bool,
    /// The file that is being sent or received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<RelPath>,
    /// Speed of the last five seconds, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// Time left at this speed, in seconds, where it can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<u64>,
}

/// How it went for several receivers: how many there were, and of those how many did what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Tally {
    /// All of them.
    pub receivers: u32,
    /// Received everything.
    pub complete: u32,
    /// Received what could be kept, or sent; not all.
    pub partly: u32,
    /// Said no.
    pub declined: u32,
    /// Did not come, or did not have the right code.
    pub unmet: u32,
    /// Were lost.
    pub lost: u32,
    /// Were served or waited for when this side was interrupted.
    pub interrupted: u32,
    /// Anything else.
    pub failed: u32,
}

/// What a receiving side says to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Consent {
    /// Yes.
    Accepted,
    /// No.
    Declined,
    /// Nobody could be asked.
    Unattended,
    /// It would not fit the disk.
    NoRoom,
}

/// What can be done with a leftover, in words.
pub(crate) fn leftover_state(state: LeftoverState) -> String {
    match state {
        LeftoverState::Resumable => "receiving the same files here goes on with it".to_owned(),
        LeftoverState::InUse => "a p2pcp that is running uses it".to_owned(),
        LeftoverState::Unusable(why) => format!("it cannot be used: {why}"),
    }
}

/// Whether a leftover may need attention: nothing goes on with it, and there is something in it.
pub(crate) fn needs_attention(state: LeftoverState) -> bool {
    matches!(state, LeftoverState::Unusable(why) if why != Unusable::Empty)
}
