//! What is on disk and not sent, and why.

use std::path::PathBuf;

use crate::fs::os::{Kind, OsError};
use crate::wire::path::NameError;

/// Something on disk that is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Where it is on this machine. Names in it may hold anything: clean it before showing it.
    pub path: PathBuf,
    /// Why it is not sent.
    pub why: SkipReason,
}

/// Why something on disk is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SkipReason {
    /// A block or character device.
    #[error("it is a device")]
    Device,
    /// A named pipe.
    #[error("it is a named pipe")]
    Fifo,
    /// A socket.
    #[error("it is a socket")]
    Socket,
    /// Its name cannot travel.
    #[error("its name cannot be sent: {0}")]
    Name(NameError),
    /// A symbolic link that could lead out of what is sent.
    #[error("it is a link that cannot be sent: {0}")]
    Link(NameError),
    /// The stage of an unfinished transfer; not a loss.
    #[error("it belongs to an unfinished transfer")]
    Stage,
    /// No permission to list it.
    #[error("no permission to read it")]
    Denied,
    /// The disk failed, or it changed into something else meanwhile.
    #[error("it could not be read")]
    Failed,
    /// It has more bytes than the person wanted to send.
    #[error("it is larger than --max-size")]
    Large,
    /// A symbolic link that was to be followed and leads nowhere.
    #[error("it is a link that leads nowhere")]
    Dangling,
    /// A symbolic link that was to be followed and leads to a folder that it lies in.
    #[error("it is a link that leads back to where it lies")]
    Cycle,
    /// The rules that govern it cannot be read.
    #[error("a .gitignore for it cannot be read")]
    Rules,
    /// The manifest is full ([`crate::wire::MAX_ENTRIES`]); nothing from here on is sent.
    #[error("one transfer cannot hold more entries")]
    TooMany,
}

impl SkipReason {
    /// Whether the receiver misses something that the person wanted to send.
    pub fn is_loss(self) -> bool {
        !matches!(self, Self::Stage | Self::Large)
    }

    /// Whether it is not even worth telling.
    pub fn is_silent(self) -> bool {
        self == Self::Stage
    }
}

impl From<OsError> for SkipReason {
    fn from(error: OsError) -> Self {
        if error.kind == Kind::Denied { Self::Denied } else { Self::Failed }
    }
}
