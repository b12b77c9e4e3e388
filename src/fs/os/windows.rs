//! The Windows door, of calls that safe Rust has.
//!
//! Windows opens nothing from a folder's handle by such a call, so a folder here is a handle and the path that it had. Names
//! are checked to be one component, and no link is followed, but who can write above a folder can put another in its place between two calls.
//! There are no permission bits, a folder's entries have no call that syncs them (NTFS logs them), and files tell no time of
//! change but the one that programs can set. Where a file system has no hard links nothing can be placed without replacing.
//! Where a removed folder keeps its name until its last handle is closed (wine 8 does so), an empty stage is left behind.

mod file;

use std::any::Any;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::windows::fs::{OpenOptionsExt, symlink_dir, symlink_file};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use winapi_util::HandleRef;

use crate::fs::facts::{FileId, Form, Kind, Lock, OsError, Result, Stat, Waiting};
use crate::fs::os::calls::{FileCalls, FolderCalls, HandleCalls};
use crate::fs::os::windows::file::{OpenFile, set_mtime, translate};
use crate::fs::os::windows_names::{is_component, is_way};
use crate::wire::peer::Mtime;

// "File Access Rights Constants", "CreateFileW" and "System Error Codes" in Microsoft's Win32 documentation.
const FILE_ADD_FILE: u32 = 0x2;
const FILE_READ_ATTRIBUTES: u32 = 0x80;
const FILE_WRITE_ATTRIBUTES: u32 = 0x100;
const FILE_GENERIC_READ: u32 = 0x12_0089;
const FILE_SHARE_READ: u32 = 0x1;
const FILE_SHARE_DELETE: u32 = 0x4;
/// Without it folders cannot be opened.
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
/// Opens a link and not what it leads to.
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
const ERROR_SHARING_VIOLATION: i32 = 32;
const ERROR_NOT_SUPPORTED: i32 = 50;
const ERROR_INVALID_NAME: i32 = 123;
const ERROR_DIRECTORY: i32 = 267;
const ERROR_PRIVILEGE_NOT_HELD: i32 = 1314;

/// How often a lock that another holds is tried again: nothing tells when it is free.
const LOCK_EVERY: Duration = Duration::from_millis(50);

impl From<io::Error> for OsError {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::NotFound => Kind::Missing,
            ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => Kind::Exists,
            ErrorKind::NotADirectory => Kind::NotAFolder,
            ErrorKind::IsADirectory => Kind::IsFolder,
            ErrorKind::InvalidFilename | ErrorKind::InvalidInput => Kind::BadName,
            ErrorKind::PermissionDenied => Kind::Denied,
            ErrorKind::StorageFull => Kind::Full,
            ErrorKind::QuotaExceeded => Kind::Quota,
            ErrorKind::ReadOnlyFilesystem => Kind::ReadOnly,
            ErrorKind::FileTooLarge => Kind::TooLarge,
            ErrorKind::Unsupported | ErrorKind::CrossesDevices => Kind::Unsupported,
            _ => Kind::Other,
        };
        Self { kind, code: error.raw_os_error().unwrap_or(0) }
    }
}

/// Says what `path` is, following links: for paths that the person named.
pub(crate) fn inspect_path(path: &Path) -> Result<Stat> {
    translate(&looking(FILE_FLAG_BACKUP_SEMANTICS).open(path)?)
}

/// All that is here is taken to be this user's: owners are not looked at.
pub(crate) fn user() -> u32 {
    0
}

/// The absolute path without links, `.` and `..`.
pub(crate) fn real_path(path: &Path) -> Result<PathBuf> {
    Ok(path.canonicalize()?)
}

/// Makes a folder where the person asked for one.
pub(crate) fn make_folder_path(path: &Path) -> Result<()> {
    Ok(fs::create_dir(path)?)
}

/// What is said of a call that a file system does not have.
pub(crate) fn unsupported() -> OsError {
    OsError { kind: Kind::Unsupported, code: ERROR_NOT_SUPPORTED }
}

fn bad_name() -> OsError {
    OsError { kind: Kind::BadName, code: ERROR_INVALID_NAME }
}

/// Opens a folder at a path, following links.
pub(crate) fn open_folder(path: &Path) -> Result<Box<dyn FolderCalls>> {
    Ok(Box::new(OpenFolder::at(path.canonicalize()?, 0)?))
}

/// Opens a file at a path for reading, following links.
pub(crate) fn open_file(path: &Path) -> Result<Box<dyn FileCalls>> {
    Ok(Box::new(OpenFile(reading(0).open(path)?, path.canonicalize()?)))
}

/// What standard input is.
pub(crate) fn stdin() -> Result<Stat> {
    standard(&HandleRef::stdin())
}

/// What standard output is.
pub(crate) fn stdout() -> Result<Stat> {
    standard(&HandleRef::stdout())
}

/// Makes durable what was written to standard output, which is a file.
pub(crate) fn sync_stdout() -> Result<()> {
    Ok(HandleRef::stdout().as_file().sync_all()?)
}

fn standard(stream: &HandleRef) -> Result<Stat> {
    let what = winapi_util::file::typ(stream)?;
    if what.is_disk() {
        return translate(stream.as_file());
    }
    let form = if what.is_pipe() { Form::Fifo } else { Form::Device };
    let id = FileId { device: 0, inode: 0 };
    let (mtime, ctime) = (Mtime::default(), Mtime::default());
    Ok(Stat { form, id, size: 0, mtime, ctime, mode: 0o600, owner: user(), links: 1 })
}

/// Whether [`HandleCalls::sync_file_system`] works here.
pub(crate) const SYNCS_FILE_SYSTEMS: bool = false;

fn looking(flags: u32) -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.access_mode(FILE_READ_ATTRIBUTES).custom_flags(flags);
    options
}

fn reading(flags: u32) -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.read(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS | flags);
    options
}

/// An open folder.
#[derive(Debug)]
struct OpenFolder {
    handle: fs::File,
    path: PathBuf,
    /// Open for as long as the folder is locked, by this handle or one that it was duplicated from.
    lock: Arc<OnceLock<fs::File>>,
}

impl HandleCalls for OpenFolder {
    fn stat(&self) -> Result<Stat> {
        translate(&self.handle)
    }

    fn set_mtime(&self, mtime: Mtime) -> Result<()> {
        set_mtime(&self.handle, mtime)
    }

    fn set_mode(&self, _: u32) -> Result<()> {
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn sync_file_system(&self) -> Result<()> {
        Err(unsupported())
    }
}

impl OpenFolder {
    fn at(path: PathBuf, flags: u32) -> Result<Self> {
        let open = |access| {
            let flags = FILE_FLAG_BACKUP_SEMANTICS | flags;
            fs::OpenOptions::new().access_mode(access).custom_flags(flags).open(&path)
        };
        // The second: in another's folder times cannot be set.
        let handle = open(FILE_GENERIC_READ | FILE_WRITE_ATTRIBUTES).or_else(|_| open(FILE_GENERIC_READ))?;
        match translate(&handle)?.form {
            Form::Folder => Ok(Self { handle, path, lock: Arc::default() }),
            _ => Err(OsError { kind: Kind::NotAFolder, code: ERROR_DIRECTORY }),
        }
    }

    fn path_of(&self, name: impl AsRef<OsStr>) -> Result<PathBuf> {
        let name = name.as_ref();
        match is_component(name) {
            true => Ok(self.path.join(name)),
            false => Err(bad_name()),
        }
    }
}

/// A file that was opened where a link may be.
fn no_link(options: &fs::OpenOptions, path: PathBuf) -> Result<Box<dyn FileCalls>> {
    let opened = options.open(&path)?;
    match translate(&opened)?.form {
        Form::Link => Err(OsError { kind: Kind::NotAFolder, code: ERROR_DIRECTORY }),
        _ => Ok(Box::new(OpenFile(opened, path))),
    }
}

impl FolderCalls for OpenFolder {
    fn duplicate(&self) -> Result<Box<dyn FolderCalls>> {
        let handle = self.handle.try_clone()?;
        Ok(Box::new(Self { handle, path: self.path.clone(), lock: Arc::clone(&self.lock) }))
    }

    fn open_folder(&self, name: &OsStr) -> Result<Box<dyn FolderCalls>> {
        Ok(Box::new(Self::at(self.path_of(name)?, FILE_FLAG_OPEN_REPARSE_POINT)?))
    }

    fn open_folder_following(&self, name: &OsStr) -> Result<Box<dyn FolderCalls>> {
        open_folder(&self.path_of(name)?)
    }

    fn make_folder(&self, name: &OsStr, _: u32) -> Result<()> {
        Ok(fs::create_dir(self.path_of(name)?)?)
    }

    fn open_file(&self, name: &OsStr) -> Result<Box<dyn FileCalls>> {
        no_link(&reading(FILE_FLAG_OPEN_REPARSE_POINT), self.path_of(name)?)
    }

    fn open_file_following(&self, name: &OsStr) -> Result<Box<dyn FileCalls>> {
        open_file(&self.path_of(name)?)
    }

    fn create_file(&self, name: &OsStr) -> Result<Box<dyn FileCalls>> {
        let mut options = reading(FILE_FLAG_OPEN_REPARSE_POINT);
        no_link(options.write(true).create(true).truncate(false), self.path_of(name)?)
    }

    fn open_to_write(&self, name: &OsStr) -> Result<Box<dyn FileCalls>> {
        no_link(reading(FILE_FLAG_OPEN_REPARSE_POINT).write(true), self.path_of(name)?)
    }

    /// Ordinary handles to a folder do not ask for the right to write into it; the lock is a handle that does, and lets no other
    /// have it.
    fn lock(&self, waiting: Waiting) -> Lock {
        if self.lock.get().is_some() {
            return Lock::Taken;
        }
        let mut options = fs::OpenOptions::new();
        options.access_mode(FILE_ADD_FILE).share_mode(FILE_SHARE_READ | FILE_SHARE_DELETE);
        options.custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT);
        loop {
            match options.open(&self.path) {
                Ok(handle) => {
                    self.lock.set(handle).ok();
                    return Lock::Taken;
                }
                Err(error) if error.raw_os_error() != Some(ERROR_SHARING_VIOLATION) => {
                    return Lock::Unsupported;
                }
                Err(_) if waiting == Waiting::No => return Lock::Busy,
                Err(_) => std::thread::park_timeout(LOCK_EVERY),
            }
        }
    }

    fn inspect(&self, name: &OsStr) -> Result<Stat> {
        let options = looking(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT);
        translate(&options.open(self.path_of(name)?)?)
    }

    fn inspect_following(&self, name: &OsStr) -> Result<Stat> {
        inspect_path(&self.path_of(name)?)
    }

    fn read_link(&self, name: &OsStr) -> Result<OsString> {
        let target = fs::read_link(self.path_of(name)?)?.into_os_string();
        // Elsewhere a backslash is a letter like others.
        Ok(target.into_string().map_or_else(|other| other, |it| it.replace('\\', "/").into()))
    }

    fn make_link(&self, target: &str, name: &OsStr) -> Result<()> {
        if !is_way(target) {
            return Err(bad_name());
        }
        let (path, target) = (self.path_of(name)?, target.replace('/', "\\"));
        let made = match self.path.join(&target).is_dir() {
            true => symlink_dir(target, path),
            false => symlink_file(target, path),
        };
        match made {
            Err(error) if error.raw_os_error() == Some(ERROR_PRIVILEGE_NOT_HELD) => Err(unsupported()),
            done => Ok(done?),
        }
    }

    fn rename_new(&self, _: &str, _: &dyn FolderCalls, _: &str) -> Result<()> {
        Err(unsupported())
    }

    fn rename_over(&self, name: &str, to: &dyn FolderCalls, to_name: &str) -> Result<()> {
        Ok(fs::rename(self.path_of(name)?, folder(to)?.path_of(to_name)?)?)
    }

    fn hard_link(&self, name: &str, to: &dyn FolderCalls, to_name: &str) -> Result<()> {
        Ok(fs::hard_link(self.path_of(name)?, folder(to)?.path_of(to_name)?)?)
    }

    fn remove_file(&self, name: &OsStr) -> Result<()> {
        Ok(fs::remove_file(self.path_of(name)?)?)
    }

    fn remove_folder(&self, name: &OsStr) -> Result<()> {
        Ok(fs::remove_dir(self.path_of(name)?)?)
    }

    fn names(&self) -> Result<Box<dyn Iterator<Item = Result<OsString>>>> {
        let items = fs::read_dir(&self.path)?;
        Ok(Box::new(items.map(|it| it.map(|entry| entry.file_name()).map_err(OsError::from))))
    }

    fn free_bytes(&self) -> Result<u64> {
        Ok(fs4::available_space(&self.path)?)
    }
}

/// The folder that a name goes to; one behind another door is on another disk.
fn folder(folder: &dyn FolderCalls) -> Result<&OpenFolder> {
    let any: &dyn Any = folder;
    any.downcast_ref::<OpenFolder>().ok_or_else(unsupported)
}
