//! The manifest: what is offered, and the entries that it is made of.
//!
//! Decoded values are legal: names cannot escape ([`RelPath`], [`LinkTarget`]) and times are times.

use serde::{Deserialize, Serialize};

use crate::wire::path::{LinkTarget, RelPath};

/// What a sender offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The first top-level names, at most [`Offer::MAX_ITEMS`].
    pub items: Vec<OfferItem>,
    /// Top-level names that are not listed.
    pub more: u32,
    /// As far as counted.
    pub totals: Totals,
}

impl Offer {
    /// Whether it is a text and nothing else.
    pub fn is_text(&self) -> bool {
        matches!(&self.items[..], [item] if item.text().is_some()) && self.more == 0
    }

    /// Most top-level names that an offer lists; the rest is a number.
    pub const MAX_ITEMS: usize = 12;
}

/// One top-level name of an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferItem {
    /// The name.
    pub name: RelPath,
    /// Whether it is a folder.
    pub folder: bool,
    /// Its size in bytes, where it is a file; [`OfferItem::UNKNOWN_SIZE`] for a stream, and more than a file can have for a text
    /// ([`OfferItem::of_text`]).
    pub size: u64,
}

impl OfferItem {
    /// Stands for the size of what is read until it ends. Over [`crate::wire::MAX_ENTRY_BYTES`], so no file has it.
    pub const UNKNOWN_SIZE: u64 = u64::MAX;

    /// Most bytes of a text.
    pub const MAX_TEXT_BYTES: usize = 64 * 1024;

    /// Added to the number of a text's characters it is over [`crate::wire::MAX_ENTRY_BYTES`], too.
    const TEXT: u64 = 1 << 63;

    /// A text of so many characters, which is sent as a stream and is to be shown rather than kept.
    pub fn of_text(name: RelPath, characters: u64) -> Self {
        Self { name, folder: false, size: Self::TEXT | characters.min(Self::MAX_TEXT_BYTES as u64) }
    }

    /// The characters of a text, as its sender says.
    pub fn text(&self) -> Option<u64> {
        let characters = self.size.checked_sub(Self::TEXT).filter(|_| !self.folder);
        characters.filter(|it| *it <= Self::MAX_TEXT_BYTES as u64)
    }

    /// Whether nobody knows its size before it has ended.
    pub fn is_stream(&self) -> bool {
        !self.folder && (self.size == Self::UNKNOWN_SIZE || self.text().is_some())
    }
}

/// How much there is to send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Regular files.
    pub files: u64,
    /// Folders.
    pub folders: u64,
    /// Symbolic links.
    pub links: u64,
    /// Bytes in regular files, and in streams that have ended.
    pub bytes: u64,
    /// Whether the walk and all streams have ended and these are final.
    pub complete: bool,
}

/// A thing to make in the receive folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where.
    pub path: RelPath,
    /// What.
    pub kind: EntryKind,
}

/// What an entry is. Folders come after all that they hold, links after all files and folders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// Modification time.
        mtime: Mtime,
        /// Whether its owner may execute it; no other mode bit travels.
        executable: bool,
    },
    /// A folder.
    Folder {
        /// Modification time.
        mtime: Mtime,
    },
    /// A symbolic link.
    Link {
        /// Where it points.
        target: LinkTarget,
    },
    /// A regular file of which nobody knows the size before it has ended: what comes out of a pipe.
    Stream {
        /// Modification time.
        mtime: Mtime,
    },
}

impl EntryKind {
    /// Its bytes as far as announced; none for folders, links and streams.
    pub fn size(&self) -> u64 {
        match self {
            Self::File { size, .. } => *size,
            Self::Folder { .. } | Self::Link { .. } | Self::Stream { .. } => 0,
        }
    }

    /// Whether it is a regular file, of known size or not.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File { .. } | Self::Stream { .. })
    }

    /// Whether its size is not announced.
    pub fn is_stream(&self) -> bool {
        matches!(self, Self::Stream { .. })
    }
}

/// A modification time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "(i64, u32)", into = "(i64, u32)")]
pub struct Mtime {
    seconds: i64,
    nanoseconds: u32,
}

impl Mtime {
    /// The time `seconds` after 1970-01-01 UTC (before it, when negative) and `nanoseconds` later.
    pub fn new(seconds: i64, nanoseconds: u32) -> Option<Self> {
        (nanoseconds < 1_000_000_000).then_some(Self { seconds, nanoseconds })
    }

    /// Whole seconds since 1970-01-01 UTC.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds after that, below 10^9.
    pub fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }
}

impl TryFrom<(i64, u32)> for Mtime {
    type Error = &'static str;

    fn try_from((seconds, nanoseconds): (i64, u32)) -> Result<Self, Self::Error> {
        Self::new(seconds, nanoseconds).ok_or("nanoseconds past a second")
    }
}

impl From<Mtime> for (i64, u32) {
    fn from(mtime: Mtime) -> Self {
        (mtime.seconds, mtime.nanoseconds)
    }
}

impl Entry {
    /// How many bytes this entry takes in a batch, rounded up.
    pub fn encoded_bytes(&self) -> usize {
        let target = match &self.kind {
            EntryKind::Link { target } => target.as_str().len(),
            EntryKind::File { .. } | EntryKind::Folder { .. } | EntryKind::Stream { .. } => 0,
        };
        self.path.as_str().len() + target + 64
    }
}
