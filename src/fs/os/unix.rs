//! The Unix door: every system call of `fs`, and nothing that decides.
//!
//! A door for another system stands beside this file with the same names and tells the same facts
//! ([`crate::fs::facts`]).

use std::any::Any;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;

use crate::fs::facts::{FileId, Form, Kind, Lock, OsError, Result, Stat, Waiting};
use crate::fs::os::calls::{FileCalls, FolderCalls, HandleCalls};
use crate::wire::peer::Mtime;

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

/// The number of the user that new files of this process belong to.
pub(crate) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The absolute path without links, `.` and `..`.
pub(crate) fn real_path(path: &Path) -> Result<PathBuf> {
    path.canonicalize().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO).into())
}

/// Makes a folder where the person asked for one.
pub(crate) fn make_folder_path(path: &Path) -> Result<()> {
    Ok(rustix::fs::mkdir(path, Mode::from_raw_mode(0o777))?)
}

/// What is said of a call that a file system does not have.
pub(crate) fn unsupported() -> OsError {
    Errno::OPNOTSUPP.into()
}

/// Opens a folder at a path, following links.
pub(crate) fn open_folder(path: &Path) -> Result<Box<dyn FolderCalls>> {
    Ok(Box::new(Open(rustix::fs::open(path, FOLDER, Mode::empty())?)))
}

/// Opens a file at a path for reading, following links.
pub(crate) fn open_file(path: &Path) -> Result<Box<dyn FileCalls>> {
    Ok(Box::new(Open(rustix::fs::open(path, READING.union(OFlags::CLOEXEC), Mode::empty())?)))
}

/// What standard input is, which waits for bytes from here on.
pub(crate) fn stdin() -> Result<Stat> {
    let stat = rustix::fs::fstat(std::io::stdin())?;
    wait_for_bytes(std::io::stdin())?;
    Ok(translate(&stat))
}

/// What standard output is, which waits for room from here on.
pub(crate) fn stdout() -> Result<Stat> {
    let stat = rustix::fs::fstat(std::io::stdout())?;
    wait_for_bytes(std::io::stdout())?;
    Ok(translate(&stat))
}

/// Makes durable what was written to standard output, which is a file.
pub(crate) fn sync_stdout() -> Result<()> {
    Ok(rustix::fs::fsync(std::io::stdout())?)
}

/// Programs that had it before may have left it so that it does not.
fn wait_for_bytes(pipe: impl std::os::fd::AsFd) -> Result<()> {
    let flags = rustix::fs::fcntl_getfl(&pipe)?;
    if flags.contains(OFlags::NONBLOCK) {
        rustix::fs::fcntl_setfl(&pipe, flags.difference(OFlags::NONBLOCK))?;
    }
    Ok(())
}

/// Whether [`HandleCalls::sync_file_system`] works here.
pub(crate) const SYNCS_FILE_SYSTEMS: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// An open file or folder.
#[derive(Debug)]
struct Open(OwnedFd);

impl HandleCalls for Open {
    fn stat(&self) -> Result<Stat> {
        Ok(translate(&rustix::fs::fstat(&self.0)?))
    }

    fn set_mtime(&self, mtime: Mtime) -> Result<()> {
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: mtime.seconds(), tv_nsec: mtime.nanoseconds().into() },
        };
        Ok(rustix::fs::futimens(&self.0, &times)?)
    }

    fn set_mode(&self, mode: u32) -> Result<()> {
        Ok(rustix::fs::fchmod(&self.0, Mode::from_raw_mode(mode as rustix::fs::RawMode))?)
    }

    fn sync(&self) -> Result<()> {
        // There fsync leaves the bytes in the drive's cache; not every file system knows the other call.
        #[cfg(target_vendor = "apple")]
        if rustix::fs::fcntl_fullfsync(&self.0).is_ok() {
            return Ok(());
        }
        Ok(rustix::fs::fsync(&self.0)?)
    }

    fn sync_file_system(&self) -> Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return Ok(rustix::fs::syncfs(&self.0)?);
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        Err(Errno::NOSYS.into())
    }
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const INSIDE: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);
/// A pipe or device neither blocks nor takes over the terminal.
const READING: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
const WRITING: OFlags = OFlags::RDWR.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

impl Open {
    fn open_in(&self, name: &OsStr, flags: OFlags, mode: u32) -> Result<Box<Self>> {
        let mode = Mode::from_raw_mode(mode as rustix::fs::RawMode);
        Ok(Box::new(Self(rustix::fs::openat(&self.0, name, flags | INSIDE, mode)?)))
    }
}

impl FolderCalls for Open {
    fn duplicate(&self) -> Result<Box<dyn FolderCalls>> {
        Ok(Box::new(Self(rustix::io::fcntl_dupfd_cloexec(&self.0, 0)?)))
    }

    fn open_folder(&self, name: &OsStr) -> Result<Box<dyn FolderCalls>> {
        Ok(self.open_in(name, FOLDER, 0)?)
    }

    fn open_folder_following(&self, name: &OsStr) -> Result<Box<dyn FolderCalls>> {
        let opened = rustix::fs::openat(&self.0, name, FOLDER, Mode::empty())?;
        Ok(Box::new(Self(opened)))
    }

    fn make_folder(&self, name: &OsStr, mode: u32) -> Result<()> {
        let mode = Mode::from_raw_mode(mode as rustix::fs::RawMode);
        Ok(rustix::fs::mkdirat(&self.0, name, mode)?)
    }

    fn open_file(&self, name: &OsStr) -> Result<Box<dyn FileCalls>> {
        Ok(self.open_in(name, READING, 0)?)
    }

    fn open_file_following(&self, name: &OsStr) -> Result<Box<dyn FileCalls>> {
        let opened = rustix::fs::openat(&self.0, name, READING | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Box::new(Self(opened)))
    }

    fn create_file(&self, name: &OsStr) -> Result<Box<dyn FileCalls>> {
        Ok(self.open_in(name, OFlags::RDWR | OFlags::CREATE, 0o666)?)
    }

    fn open_to_write(&self, name: &OsStr) -> Result<Box<dyn FileCalls>> {
        Ok(self.open_in(name, WRITING, 0)?)
    }

    fn lock(&self, waiting: Waiting) -> Lock {
        let operation = match waiting {
            Waiting::No => FlockOperation::NonBlockingLockExclusive,
            Waiting::Yes => FlockOperation::LockExclusive,
        };
        match rustix::fs::flock(&self.0, operation) {
            Ok(()) => Lock::Taken,
            Err(Errno::WOULDBLOCK) => Lock::Busy,
            Err(_) => Lock::Unsupported,
        }
    }

    fn inspect(&self, name: &OsStr) -> Result<Stat> {
        Ok(translate(&rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    fn inspect_following(&self, name: &OsStr) -> Result<Stat> {
        Ok(translate(&rustix::fs::statat(&self.0, name, AtFlags::empty())?))
    }

    fn read_link(&self, name: &OsStr) -> Result<OsString> {
        let target = rustix::fs::readlinkat(&self.0, name, Vec::new())?;
        Ok(OsString::from_vec(target.into_bytes()))
    }

    fn make_link(&self, target: &str, name: &OsStr) -> Result<()> {
        match rustix::fs::symlinkat(target, &self.0, name) {
            // symlink(2): EPERM is what file systems without links say.
            Err(Errno::PERM) => Err(unsupported()),
            done => Ok(done?),
        }
    }

    fn rename_new(&self, name: &str, to: &dyn FolderCalls, to_name: &str) -> Result<()> {
        Ok(rename_new(&self.0, name, descriptor(to)?, to_name)?)
    }

    fn rename_over(&self, name: &str, to: &dyn FolderCalls, to_name: &str) -> Result<()> {
        Ok(rustix::fs::renameat(&self.0, name, descriptor(to)?, to_name)?)
    }

    fn hard_link(&self, name: &str, to: &dyn FolderCalls, to_name: &str) -> Result<()> {
        Ok(rustix::fs::linkat(&self.0, name, descriptor(to)?, to_name, AtFlags::empty())?)
    }

    fn remove_file(&self, name: &OsStr) -> Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    fn remove_folder(&self, name: &OsStr) -> Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    fn names(&self) -> Result<Box<dyn Iterator<Item = Result<OsString>>>> {
        let mut dir = Dir::read_from(&self.0)?;
        Ok(Box::new(std::iter::from_fn(move || {
            let item = dir.read()?;
            Some(item.map(|it| OsString::from_vec(it.file_name().to_bytes().to_vec())).map_err(OsError::from))
        })))
    }

    fn free_bytes(&self) -> Result<u64> {
        let space = rustix::fs::fstatvfs(&self.0)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }
}

/// The descriptor of the folder that a name goes to; one behind another door is on another disk.
fn descriptor(folder: &dyn FolderCalls) -> rustix::io::Result<&OwnedFd> {
    let any: &dyn Any = folder;
    any.downcast_ref::<Open>().map(|open| &open.0).ok_or(Errno::XDEV)
}

impl FileCalls for Open {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
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

    fn write_at(&self, mut bytes: &[u8], mut offset: u64) -> Result<()> {
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

    fn sync_data(&self) -> Result<()> {
        #[cfg(target_vendor = "apple")]
        return self.sync();
        #[cfg(not(target_vendor = "apple"))]
        Ok(rustix::fs::fdatasync(&self.0)?)
    }

    fn truncate(&self, size: u64) -> Result<()> {
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
        ctime: Mtime::new(stat.st_ctime as i64, stat.st_ctime_nsec as u32).unwrap_or_default(),
        mode: stat.st_mode as u32 & 0o7777,
        owner: stat.st_uid,
        links: stat.st_nlink as u64,
    }
}
