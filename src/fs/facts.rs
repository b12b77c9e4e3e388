//! What the system's door tells of the disk, in words that belong to no system.

use crate::wire::peer::Mtime;

/// What a failed call means for whoever has to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing has this name.
    Missing,
    /// Something has this name.
    Exists,
    /// A part of the way is a link or no folder.
    NotAFolder,
    /// A folder stands where a file would go.
    IsFolder,
    /// This file system cannot hold the name.
    BadName,
    /// No permission.
    Denied,
    /// No space.
    Full,
    /// No space for this user.
    Quota,
    /// The file system is read-only.
    ReadOnly,
    /// The file system cannot hold a file of this size.
    TooLarge,
    /// This file system cannot do it.
    Unsupported,
    /// Anything else.
    Other,
}

/// A failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OsError {
    /// For decisions.
    pub kind: Kind,
    /// The system's number, for people.
    pub code: i32,
}

/// The result of a call.
pub(crate) type Result<T> = std::result::Result<T, OsError>;

/// What something on disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A named pipe.
    Fifo,
    /// A socket.
    #[cfg_attr(windows, expect(dead_code, reason = "there a socket is a file like others"))]
    Socket,
    /// A block or character device, or something stranger.
    Device,
}

/// Which thing on disk: equal for two names of one file, different for two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FileId {
    /// The file system.
    pub device: u64,
    /// The file in it.
    pub inode: u64,
}

/// What the system says about something on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// What it is.
    pub form: Form,
    /// Which one it is.
    pub id: FileId,
    /// Bytes, where it is a file.
    pub size: u64,
    /// When its content last changed.
    pub mtime: Mtime,
    /// When anything of it last changed; unlike `mtime` nobody can set it.
    pub ctime: Mtime,
    /// Permission bits, `0o7777`.
    pub mode: u32,
    /// The number of the user that it belongs to.
    pub owner: u32,
    /// How many names it has; 0 for an open file whose last name is gone.
    pub links: u64,
}

/// The answer to an attempt to lock a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// It is locked for as long as the handle is open.
    Taken,
    /// Another handle holds the lock.
    Busy,
    /// This file system has no locks for folders.
    Unsupported,
}

/// How a file is given a name that nothing else may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placing {
    /// By a rename that does not replace.
    Rename,
    /// By a second hard link, after which the first name goes.
    Link,
    /// Not at all on this file system.
    Impossible,
}

/// Whether a lock that another holds is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// It is [`Lock::Busy`] at once.
    No,
    /// Until it is free.
    Yes,
}
