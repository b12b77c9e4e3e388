//! Open files at the Windows door, and what a handle of any kind tells and takes.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::windows::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use winapi_util::file;

use crate::fs::facts::{FileId, Form, Kind, OsError, Result, Stat};
use crate::fs::os::calls::{FileCalls, HandleCalls};
use crate::fs::os::windows::{FILE_FLAG_OPEN_REPARSE_POINT, reading, unsupported, user};
use crate::wire::peer::Mtime;

/// An open file, and where it was opened.
#[derive(Debug)]
pub(super) struct OpenFile(pub(super) fs::File, pub(super) PathBuf);

impl OpenFile {
    /// A handle that may change the file, where this one may only read it: syncing and times need one on Windows.
    fn changing(&self) -> Result<fs::File> {
        let again = reading(FILE_FLAG_OPEN_REPARSE_POINT).write(true).open(&self.1)?;
        match translate(&again)?.id == translate(&self.0)?.id {
            true => Ok(again),
            false => Err(OsError { kind: Kind::Missing, code: 0 }),
        }
    }

    fn changed<T>(&self, change: impl Fn(&fs::File) -> Result<T>) -> Result<T> {
        match change(&self.0) {
            Err(OsError { kind: Kind::Denied, .. }) => change(&self.changing()?),
            done => done,
        }
    }
}

impl HandleCalls for OpenFile {
    fn stat(&self) -> Result<Stat> {
        translate(&self.0)
    }

    fn set_mtime(&self, mtime: Mtime) -> Result<()> {
        self.changed(|handle| set_mtime(handle, mtime))
    }

    fn set_mode(&self, _: u32) -> Result<()> {
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.changed(|handle| Ok(handle.sync_all()?))
    }

    fn sync_file_system(&self) -> Result<()> {
        Err(unsupported())
    }
}

impl FileCalls for OpenFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|it| !it.is_empty()) {
            match self.0.seek_read(rest, offset + done as u64)? {
                0 => break,
                count => done += count,
            }
        }
        Ok(done)
    }

    fn write_at(&self, mut bytes: &[u8], mut offset: u64) -> Result<()> {
        while !bytes.is_empty() {
            match self.0.seek_write(bytes, offset)? {
                0 => return Err(io::Error::from(ErrorKind::WriteZero).into()),
                count => {
                    bytes = bytes.get(count..).unwrap_or_default();
                    offset += count as u64;
                }
            }
        }
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        self.changed(|handle| Ok(handle.sync_data()?))
    }

    fn truncate(&self, size: u64) -> Result<()> {
        Ok(self.0.set_len(size)?)
    }
}

/// Sets the modification time.
pub(super) fn set_mtime(handle: &fs::File, mtime: Mtime) -> Result<()> {
    let seconds = Duration::from_secs(mtime.seconds().unsigned_abs());
    let whole = match mtime.seconds() < 0 {
        true => SystemTime::UNIX_EPOCH.checked_sub(seconds),
        false => SystemTime::UNIX_EPOCH.checked_add(seconds),
    };
    let time = whole.and_then(|it| it.checked_add(Duration::from_nanos(mtime.nanoseconds().into())));
    Ok(handle.set_modified(time.ok_or_else(unsupported)?)?)
}

/// What an open file or folder is, or a link that was opened as one.
pub(super) fn translate(handle: &fs::File) -> Result<Stat> {
    let (metadata, facts) = (handle.metadata()?, file::information(handle)?);
    let form = match metadata.file_type() {
        it if it.is_symlink() => Form::Link,
        it if it.is_dir() => Form::Folder,
        _ => Form::File,
    };
    let mtime = mtime_of(metadata.modified()?);
    let mode = match (form, metadata.permissions().readonly()) {
        (Form::Folder, _) => 0o755,
        (_, true) => 0o444,
        (_, false) => 0o644,
    };
    let id = FileId { device: facts.volume_serial_number(), inode: facts.file_index() };
    let (owner, links) = (user(), facts.number_of_links());
    Ok(Stat { form, id, size: metadata.len(), mtime, ctime: mtime, mode, owner, links })
}

fn mtime_of(time: SystemTime) -> Mtime {
    let (seconds, nanoseconds) = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => (i64::try_from(after.as_secs()).ok(), after.subsec_nanos()),
        // Nanoseconds count forwards from the second below.
        Err(before) => match (before.duration().as_secs(), before.duration().subsec_nanos()) {
            (seconds, 0) => (0_i64.checked_sub_unsigned(seconds), 0),
            (seconds, nanoseconds) => (0_i64.checked_sub_unsigned(seconds + 1), 1_000_000_000 - nanoseconds),
        },
    };
    seconds.and_then(|it| Mtime::new(it, nanoseconds)).unwrap_or_default()
}
