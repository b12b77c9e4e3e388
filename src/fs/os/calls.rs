//! What the system's door must do for one open handle: the calls behind [`Folder`] and [`File`].
//!
//! Here they are traits so that a test can put a disk in place of the system that forgets, at any
//! moment, all that was not synced. They decide nothing; each is one system call, and the rules of
//! [`crate::fs::os`] hold: one path component, no link followed but where it is said, nothing replaced but where it is said.
//!
//! [`Folder`]: crate::fs::os::Folder
//! [`File`]: crate::fs::os::File

use std::any::Any;
use std::ffi::{OsStr, OsString};
use std::fmt::Debug;

use crate::fs::facts::{Lock, Result, Stat, Waiting};
use crate::wire::peer::Mtime;

/// Calls on whatever is open.
pub(crate) trait HandleCalls: Any + Debug + Send + Sync {
    /// See [`crate::fs::os::stat`].
    fn stat(&self) -> Result<Stat>;
    /// See [`crate::fs::os::set_mtime`].
    fn set_mtime(&self, mtime: Mtime) -> Result<()>;
    /// See [`crate::fs::os::set_mode`].
    fn set_mode(&self, mode: u32) -> Result<()>;
    /// See [`crate::fs::os::sync`].
    fn sync(&self) -> Result<()>;
    /// See [`crate::fs::os::sync_file_system`].
    fn sync_file_system(&self) -> Result<()>;
}

/// Calls on an open folder, named as those of [`crate::fs::os::Folder`].
pub(crate) trait FolderCalls: HandleCalls {
    /// Another handle to the same folder.
    fn duplicate(&self) -> Result<Box<dyn FolderCalls>>;
    /// Opens a real folder in this one.
    fn open_folder(&self, name: &OsStr) -> Result<Box<dyn FolderCalls>>;
    /// Opens a folder in this one, or the one that a link in it leads to.
    fn open_folder_following(&self, name: &OsStr) -> Result<Box<dyn FolderCalls>>;
    /// Makes a folder.
    fn make_folder(&self, name: &OsStr, mode: u32) -> Result<()>;
    /// Opens a file for reading.
    fn open_file(&self, name: &OsStr) -> Result<Box<dyn FileCalls>>;
    /// Opens a file for reading, or the one that a link leads to.
    fn open_file_following(&self, name: &OsStr) -> Result<Box<dyn FileCalls>>;
    /// Opens a file for reading and writing, making it when missing.
    fn create_file(&self, name: &OsStr) -> Result<Box<dyn FileCalls>>;
    /// Opens a file that is there for reading and writing.
    fn open_to_write(&self, name: &OsStr) -> Result<Box<dyn FileCalls>>;
    /// Locks the folder against other handles that lock it.
    fn lock(&self, waiting: Waiting) -> Lock;
    /// Says what has this name.
    fn inspect(&self, name: &OsStr) -> Result<Stat>;
    /// Says what has this name, or what it leads to if it is a link.
    fn inspect_following(&self, name: &OsStr) -> Result<Stat>;
    /// Where a symbolic link points.
    fn read_link(&self, name: &OsStr) -> Result<OsString>;
    /// Makes a symbolic link.
    fn make_link(&self, target: &str, name: &OsStr) -> Result<()>;
    /// Renames a file to a name in `to` (a folder behind the same door) that nothing has.
    fn rename_new(&self, name: &str, to: &dyn FolderCalls, to_name: &str) -> Result<()>;
    /// Renames a file to a name in `to`, in place of a file that has it.
    fn rename_over(&self, name: &str, to: &dyn FolderCalls, to_name: &str) -> Result<()>;
    /// Gives a file a second name in `to` that nothing has.
    fn hard_link(&self, name: &str, to: &dyn FolderCalls, to_name: &str) -> Result<()>;
    /// Removes the name of a file or link.
    fn remove_file(&self, name: &OsStr) -> Result<()>;
    /// Removes an empty folder.
    fn remove_folder(&self, name: &OsStr) -> Result<()>;
    /// The names in it, with `.` and `..` where the system tells them.
    fn names(&self) -> Result<Box<dyn Iterator<Item = Result<OsString>>>>;
    /// Bytes that this user may still write.
    fn free_bytes(&self) -> Result<u64>;
}

/// Calls on an open file, named as those of [`crate::fs::os::File`].
pub(crate) trait FileCalls: HandleCalls {
    /// Reads until the buffer is full or the file ends.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize>;
    /// Writes all of `bytes`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()>;
    /// Makes bytes and size durable.
    fn sync_data(&self) -> Result<()>;
    /// Cuts or extends the file.
    fn truncate(&self, size: u64) -> Result<()>;
}
