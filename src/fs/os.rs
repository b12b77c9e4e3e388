//! The Unix door: every system call of `fs`, and nothing that decides.
//!
//! A door for another system stands beside this file with the same names and tells the same facts
//! ([`crate::fs::facts`]). Below a [`Folder`] no call
//! takes more than one path component and none follows a symbolic link, so whoever holds a handle
//! cannot be led out of it. Errors keep the system's number for people and a [`Kind`] for decisions.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;

use crate::wire::peer::Mtime;

pub(crate) use crate::fs::facts::{FileId, Form, Kind, OsError, Placing, Result, Stat};

impl From<Errno> for OsError {
    fn from(errno: Errno) -> Self {
        let kind = match errno {
            Errno::NOENT | Errno::STALE => Kind::Missing,
            Errno::EXIST | Errno::NOTEMPTY => Kind::Exists,
            Errno::LOOP | Errno::NOTDIR => Kind::NotAFolder,
            Errno::ISDIR => Kind::IsFolder,
            Errno::NAMETOOLONG | Errno::INVAL | Errno::ILSEQ => Kind::BadName,
            Errno::ACCESS | Errno::PERM => Kind::Denied,
            Errno::NOSPC => Kind::Full,
            Errno::DQUOT => Kind::Quota,
            Errno::ROFS => Kind::ReadOnly,
            Errno::FBIG => Kind::TooLarge,
            Errno::NOSYS | Errno::OPNOTSUPP | Errno::XDEV => Kind::Unsupported,
            _ => Kind::Other,
        };
        Self { kind, code: errno.raw_os_error() }
    }
}

/// Says what `path` is, following links: for paths that the person named.
pub(crate) fn inspect_path(path: &Path) -> Result<Stat> {
    Ok(translate(&rustix::fs::stat(path)?))
}

/// The absolute path without links, `.` and `..`.
pub(crate) fn real_path(path: &Path) -> Result<PathBuf> {
    path.canonicalize().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO).into())
}

/// Makes a folder where the person asked for one.
pub(crate) fn make_folder_path(path: &Path) -> Result<()> {
    Ok(rustix::fs::mkdir(path, Mode::from_raw_mode(0o777))?)
}

/// Says what an open handle is.
pub(crate) fn stat(handle: &impl AsFd) -> Result<Stat> {
    Ok(translate(&rustix::fs::fstat(handle)?))
}

/// Sets the modification time; the access time stays.
pub(crate) fn set_mtime(handle: &impl AsFd, mtime: Mtime) -> Result<()> {
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: mtime.seconds(), tv_nsec: mtime.nanoseconds().into() },
    };
    Ok(rustix::fs::futimens(handle, &times)?)
}

/// Sets the permission bits.
pub(crate) fn set_mode(handle: &impl AsFd, mode: u32) -> Result<()> {
    Ok(rustix::fs::fchmod(handle, Mode::from_raw_mode(mode as rustix::fs::RawMode))?)
}

/// Makes a file or folder durable, with all that is needed to find its bytes again.
pub(crate) fn sync(handle: &impl AsFd) -> Result<()> {
    // There fsync leaves the bytes in the drive's cache; not every file system knows the other call.
    #[cfg(target_vendor = "apple")]
    if rustix::fs::fcntl_fullfsync(handle).is_ok() {
        return Ok(());
    }
    Ok(rustix::fs::fsync(handle)?)
}

/// Whether [`sync_file_system`] works here.
pub(crate) const SYNCS_FILE_SYSTEMS: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Makes the whole file system of `handle` durable in one call.
///
/// Linux reports lost writes here since 5.8; older ones only when each file is synced.
pub(crate) fn sync_file_system(handle: &impl AsFd) -> Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return Ok(rustix::fs::syncfs(handle)?);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = handle;
        Err(Errno::NOSYS.into())
    }
}

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder(OwnedFd);

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const INSIDE: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);

impl Folder {
    /// Opens a folder that the person named, following links.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self(rustix::fs::open(path, FOLDER, Mode::empty())?))
    }

    /// Another handle to the same folder.
    pub fn duplicate(&self) -> Result<Self> {
        Ok(Self(rustix::io::fcntl_dupfd_cloexec(&self.0, 0)?))
    }

    /// Opens the real folder called `name` in this one.
    pub fn open_folder(&self, name: impl AsRef<OsStr>) -> Result<Self> {
        Ok(Self(rustix::fs::openat(&self.0, name.as_ref(), FOLDER | INSIDE, Mode::empty())?))
    }

    /// Makes a folder; `mode` is cut by the umask.
    pub fn make_folder(&self, name: impl AsRef<OsStr>, mode: u32) -> Result<()> {
        let mode = Mode::from_raw_mode(mode as rustix::fs::RawMode);
        Ok(rustix::fs::mkdirat(&self.0, name.as_ref(), mode)?)
    }

    /// Opens a file for reading; a pipe or device in its place neither blocks nor takes over the terminal.
    pub fn open_file(&self, name: impl AsRef<OsStr>) -> Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | INSIDE;
        Ok(File(rustix::fs::openat(&self.0, name.as_ref(), flags, Mode::empty())?))
    }

    /// Opens a file for reading and writing, making it with the ordinary mode if it is missing.
    pub fn create_file(&self, name: impl AsRef<OsStr>) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | INSIDE;
        Ok(File(rustix::fs::openat(&self.0, name.as_ref(), flags, Mode::from_raw_mode(0o666))?))
    }

    /// Says what `name` is, without following it.
    pub fn inspect(&self, name: impl AsRef<OsStr>) -> Result<Stat> {
        Ok(translate(&rustix::fs::statat(&self.0, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW)?))
    }

    /// Where the symbolic link `name` points.
    pub fn read_link(&self, name: impl AsRef<OsStr>) -> Result<OsString> {
        let target = rustix::fs::readlinkat(&self.0, name.as_ref(), Vec::new())?;
        Ok(OsString::from_vec(target.into_bytes()))
    }

    /// Makes a symbolic link; never replaces.
    pub fn make_link(&self, target: &str, name: impl AsRef<OsStr>) -> Result<()> {
        match rustix::fs::symlinkat(target, &self.0, name.as_ref()) {
            // symlink(2): EPERM is what file systems without links say.
            Err(Errno::PERM) => Err(Errno::OPNOTSUPP.into()),
            done => Ok(done?),
        }
    }

    /// Gives the file `name` of this folder the name `to_name` in `to`, if nothing has it.
    pub fn move_new(&self, name: &str, to: &Folder, to_name: &str, placing: Placing) -> Result<()> {
        match placing {
            Placing::Rename => Ok(rename_new(&self.0, name, &to.0, to_name)?),
            Placing::Link => {
                rustix::fs::linkat(&self.0, name, &to.0, to_name, AtFlags::empty())?;
                // The new name is given; an old one that stays goes with its folder.
                self.remove_file(name).ok();
                Ok(())
            }
            Placing::Impossible => Err(Errno::OPNOTSUPP.into()),
        }
    }

    /// Gives the file `name` of this folder the name `to_name` in `to`, in place of a file that has it.
    pub fn move_over(&self, name: &str, to: &Folder, to_name: &str) -> Result<()> {
        Ok(rustix::fs::renameat(&self.0, name, &to.0, to_name)?)
    }

    /// Finds out how files of this folder can be given names, by moving an empty one about.
    pub fn probe_placing(&self) -> Result<Placing> {
        const NAMES: [&str; 2] = ["probe", "probed"];
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
        Ok(rustix::fs::unlinkat(&self.0, name.as_ref(), AtFlags::empty())?)
    }

    /// Removes an empty folder.
    pub fn remove_folder(&self, name: impl AsRef<OsStr>) -> Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name.as_ref(), AtFlags::REMOVEDIR)?)
    }

    /// The names in this folder in the system's order, without `.` and `..`.
    pub fn names(&self) -> Result<impl Iterator<Item = Result<OsString>>> {
        let mut dir = Dir::read_from(&self.0)?;
        let names = std::iter::from_fn(move || {
            let item = dir.read()?;
            Some(item.map(|it| OsString::from_vec(it.file_name().to_bytes().to_vec())).map_err(OsError::from))
        });
        Ok(names.filter(|name| !name.as_ref().is_ok_and(|it| it == "." || it == "..")))
    }

    /// Bytes that this user may still write here.
    pub fn free_bytes(&self) -> Result<u64> {
        let space = rustix::fs::fstatvfs(&self.0)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }
}

/// An open file.
#[derive(Debug)]
pub(crate) struct File(OwnedFd);

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl File {
    /// Opens for reading what the person named, following links and never blocking.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// Fills `buffer` from `offset` on; the answer is smaller than the buffer only at the file's end.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|it| !it.is_empty()) {
            match rustix::io::pread(&self.0, rest, offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(Errno::INTR) => (),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(done)
    }

    /// Writes all of `bytes` at `offset`.
    pub fn write_at(&self, mut bytes: &[u8], mut offset: u64) -> Result<()> {
        while !bytes.is_empty() {
            match rustix::io::pwrite(&self.0, bytes, offset) {
                Ok(0) => return Err(Errno::IO.into()),
                Ok(count) => {
                    bytes = bytes.get(count..).unwrap_or_default();
                    offset += count as u64;
                }
                Err(Errno::INTR) => (),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// Makes the bytes durable, and the size; times may be lost.
    pub fn sync_data(&self) -> Result<()> {
        #[cfg(target_vendor = "apple")]
        return sync(self);
        #[cfg(not(target_vendor = "apple"))]
        Ok(rustix::fs::fdatasync(&self.0)?)
    }

    /// Cuts the file to `size` bytes.
    pub fn truncate(&self, size: u64) -> Result<()> {
        Ok(rustix::fs::ftruncate(&self.0, size)?)
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_new(from: &OwnedFd, name: &str, to: &OwnedFd, to_name: &str) -> rustix::io::Result<()> {
    rustix::fs::renameat_with(from, name, to, to_name, rustix::fs::RenameFlags::NOREPLACE)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_new(_: &OwnedFd, _: &str, _: &OwnedFd, _: &str) -> rustix::io::Result<()> {
    Err(Errno::NOSYS)
}

#[allow(clippy::unnecessary_cast, reason = "the widths of these fields differ between systems")]
fn translate(stat: &rustix::fs::Stat) -> Stat {
    let form = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Form::File,
        FileType::Directory => Form::Folder,
        FileType::Symlink => Form::Link,
        FileType::Fifo => Form::Fifo,
        FileType::Socket => Form::Socket,
        _ => Form::Device,
    };
    Stat {
        form,
        id: FileId { device: stat.st_dev as u64, inode: stat.st_ino as u64 },
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mtime: Mtime::new(stat.st_mtime as i64, stat.st_mtime_nsec as u32).unwrap_or_default(),
        mode: stat.st_mode as u32 & 0o7777,
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
        assert_ne!(folder.probe_placing().unwrap(), Placing::Impossible);
        assert_eq!(folder.names().unwrap().count(), 0);
        assert_eq!(stat(&folder).unwrap().id, stat(&folder.duplicate().unwrap()).unwrap().id);
    }
}
