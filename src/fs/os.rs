//! The system's door as `fs` sees it: open folders and files, and nothing that decides.
//!
//! Below a [`Folder`] no call takes more than one path component and none follows a symbolic link, but for
//! those that say so in their names and only read, so whoever holds a handle cannot be led out of it. Errors keep the system's number for people and a
//! [`Kind`] for decisions. What the calls do is behind [`calls`]: `unix` and `windows` are the real
//! ones, under the same names; tests of crashes have a disk of their own there.

mod calls;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
#[cfg(any(windows, test))]
mod windows_names;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::wire::peer::Mtime;

pub(crate) use crate::fs::facts::{FileId, Form, Kind, Lock, OsError, Placing, Result, Stat, Waiting};
pub(crate) use crate::fs::os::calls::{FileCalls, FolderCalls, HandleCalls};
#[cfg(unix)]
use crate::fs::os::unix as system;
#[cfg(windows)]
use crate::fs::os::windows as system;
pub(crate) use system::{
    SYNCS_FILE_SYSTEMS, inspect_path, make_folder_path, real_path, stdin, stdout, sync_stdout, user,
};

/// An open folder or file.
pub(crate) trait Handle {
    /// What the system can do with it.
    fn calls(&self) -> &dyn HandleCalls;
}

/// Says what an open handle is.
pub(crate) fn stat(handle: &impl Handle) -> Result<Stat> {
    handle.calls().stat()
}

/// Sets the modification time; the access time stays.
pub(crate) fn set_mtime(handle: &impl Handle, mtime: Mtime) -> Result<()> {
    handle.calls().set_mtime(mtime)
}

/// Sets the permission bits.
pub(crate) fn set_mode(handle: &impl Handle, mode: u32) -> Result<()> {
    handle.calls().set_mode(mode)
}

/// Makes a file or folder durable, with all that is needed to find its bytes again.
pub(crate) fn sync(handle: &impl Handle) -> Result<()> {
    handle.calls().sync()
}

/// Makes the whole file system of `handle` durable in one call.
///
/// Linux reports lost writes here since 5.8; older ones only when each file is synced.
pub(crate) fn sync_file_system(handle: &impl Handle) -> Result<()> {
    handle.calls().sync_file_system()
}

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder(Box<dyn FolderCalls>);

impl Handle for Folder {
    fn calls(&self) -> &dyn HandleCalls {
        &*self.0
    }
}

impl Folder {
    /// Opens a folder that the person named, following links.
    pub fn open(path: &Path) -> Result<Self> {
        system::open_folder(path).map(Self)
    }

    /// A folder of another door than the system's.
    #[cfg(test)]
    pub fn behind(calls: Box<dyn FolderCalls>) -> Self {
        Self(calls)
    }

    /// Another handle to the same folder.
    pub fn duplicate(&self) -> Result<Self> {
        self.0.duplicate().map(Self)
    }

    /// Opens the real folder called `name` in this one.
    pub fn open_folder(&self, name: impl AsRef<OsStr>) -> Result<Self> {
        self.0.open_folder(name.as_ref()).map(Self)
    }

    /// As [`Folder::open_folder`], but what a link leads to, wherever it is: for what a person sends.
    pub fn open_folder_following(&self, name: impl AsRef<OsStr>) -> Result<Self> {
        self.0.open_folder_following(name.as_ref()).map(Self)
    }

    /// Makes a folder; `mode` is cut by the umask.
    pub fn make_folder(&self, name: impl AsRef<OsStr>, mode: u32) -> Result<()> {
        self.0.make_folder(name.as_ref(), mode)
    }

    /// Opens a file for reading; a pipe or device in its place neither blocks nor takes over the terminal.
    pub fn open_file(&self, name: impl AsRef<OsStr>) -> Result<File> {
        self.0.open_file(name.as_ref()).map(File)
    }

    /// As [`Folder::open_file`], but what a link leads to, wherever it is: for what a person sends.
    pub fn open_file_following(&self, name: impl AsRef<OsStr>) -> Result<File> {
        self.0.open_file_following(name.as_ref()).map(File)
    }

    /// Opens a file for reading and writing, making it with the ordinary mode if it is missing.
    pub fn create_file(&self, name: impl AsRef<OsStr>) -> Result<File> {
        self.0.create_file(name.as_ref()).map(File)
    }

    /// Opens a file that is there for reading and writing, with the care of [`Folder::open_file`].
    pub fn open_to_write(&self, name: impl AsRef<OsStr>) -> Result<File> {
        self.0.open_to_write(name.as_ref()).map(File)
    }

    /// Locks the folder (flock(2)) against all other handles, also of this process, while this one is open.
    pub fn lock(&self, waiting: Waiting) -> Lock {
        self.0.lock(waiting)
    }

    /// Says what `name` is, without following it.
    pub fn inspect(&self, name: impl AsRef<OsStr>) -> Result<Stat> {
        self.0.inspect(name.as_ref())
    }

    /// Says what `name` is, or what it leads to if it is a link.
    pub fn inspect_following(&self, name: impl AsRef<OsStr>) -> Result<Stat> {
        self.0.inspect_following(name.as_ref())
    }

    /// Where the symbolic link `name` points.
    pub fn read_link(&self, name: impl AsRef<OsStr>) -> Result<OsString> {
        self.0.read_link(name.as_ref())
    }

    /// Makes a symbolic link; never replaces.
    pub fn make_link(&self, target: &str, name: impl AsRef<OsStr>) -> Result<()> {
        self.0.make_link(target, name.as_ref())
    }

    /// Gives the file `name` of this folder the name `to_name` in `to`, if nothing has it.
    pub fn move_new(&self, name: &str, to: &Folder, to_name: &str, placing: Placing) -> Result<()> {
        match placing {
            Placing::Rename => self.0.rename_new(name, &*to.0, to_name),
            Placing::Link => {
                self.0.hard_link(name, &*to.0, to_name)?;
                // The new name is given; an old one that stays goes with its folder.
                self.remove_file(name).ok();
                Ok(())
            }
            Placing::Impossible => Err(system::unsupported()),
        }
    }

    /// Gives the file `name` of this folder the name `to_name` in `to`, in place of a file that has it.
    pub fn move_over(&self, name: &str, to: &Folder, to_name: &str) -> Result<()> {
        self.0.rename_over(name, &*to.0, to_name)
    }

    /// Finds out how files of this folder can be given names, by moving an empty one about.
    pub fn probe_placing(&self) -> Result<Placing> {
        const NAMES: [&str; 2] = ["probe", "probed"];
        // A run that was cut off here may have left them.
        for name in NAMES {
            self.remove_file(name).ok();
        }
        drop(self.create_file(NAMES[0])?);
        let placing = [Placing::Rename, Placing::Link]
            .into_iter()
            .find(|&way| self.move_new(NAMES[0], self, NAMES[1], way).is_ok())
            .unwrap_or(Placing::Impossible);
        for name in NAMES {
            self.remove_file(name).ok();
        }
        Ok(placing)
    }

    /// Removes the name of a file or link.
    pub fn remove_file(&self, name: impl AsRef<OsStr>) -> Result<()> {
        self.0.remove_file(name.as_ref())
    }

    /// Removes an empty folder.
    pub fn remove_folder(&self, name: impl AsRef<OsStr>) -> Result<()> {
        self.0.remove_folder(name.as_ref())
    }

    /// The names in this folder in the system's order, without `.` and `..`.
    pub fn names(&self) -> Result<impl Iterator<Item = Result<OsString>>> {
        let names = self.0.names()?;
        Ok(names.filter(|name| !name.as_ref().is_ok_and(|it| it == "." || it == "..")))
    }

    /// Bytes that this user may still write here.
    pub fn free_bytes(&self) -> Result<u64> {
        self.0.free_bytes()
    }
}

/// An open file.
#[derive(Debug)]
pub(crate) struct File(Box<dyn FileCalls>);

impl Handle for File {
    fn calls(&self) -> &dyn HandleCalls {
        &*self.0
    }
}

impl File {
    /// Opens for reading what the person named, following links and never blocking.
    pub fn open(path: &Path) -> Result<Self> {
        system::open_file(path).map(Self)
    }

    /// Fills `buffer` from `offset` on; the answer is smaller than the buffer only at the file's end.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.0.read_at(buffer, offset)
    }

    /// Writes all of `bytes` at `offset`.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.0.write_at(bytes, offset)
    }

    /// Makes the bytes durable, and the size; times may be lost.
    pub fn sync_data(&self) -> Result<()> {
        self.0.sync_data()
    }

    /// Cuts the file to `size` bytes.
    pub fn truncate(&self, size: u64) -> Result<()> {
        self.0.truncate(size)
    }
}

#[cfg(test)]
mod tests {
    use crate::fs::os::{Folder, Kind, Placing, Stat, stat};

    #[test]
    fn neither_way_of_placing_replaces_anything() {
        for placing in [Placing::Rename, Placing::Link] {
            let root = tempfile::tempdir().unwrap();
            let folder = Folder::open(root.path()).unwrap();
            std::fs::write(root.path().join("new"), "new").unwrap();
            std::fs::write(root.path().join("file"), "old").unwrap();
            std::fs::create_dir(root.path().join("folder")).unwrap();
            std::os::unix::fs::symlink("nowhere", root.path().join("link")).unwrap();
            for taken in ["file", "folder", "link"] {
                let moved = folder.move_new("new", &folder, taken, placing);
                assert_eq!(moved.unwrap_err().kind, Kind::Exists, "{taken} by {placing:?}");
            }
            let Stat { id, .. } = folder.inspect("new").unwrap();
            folder.move_new("new", &folder, "free", placing).unwrap();
            assert_eq!(folder.inspect("free").unwrap().id, id);
            assert_eq!(folder.inspect("new").unwrap_err().kind, Kind::Missing);
            assert_eq!(std::fs::read(root.path().join("file")).unwrap(), b"old");
        }
    }

    #[test]
    fn probing_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path()).unwrap();
        // Both names were left by a run that was cut off.
        for name in ["probe", "probed"] {
            std::fs::write(root.path().join(name), "").unwrap();
        }
        assert_ne!(folder.probe_placing().unwrap(), Placing::Impossible);
        assert_eq!(folder.names().unwrap().count(), 0);
        assert_eq!(stat(&folder).unwrap().id, stat(&folder.duplicate().unwrap()).unwrap().id);
    }
}
