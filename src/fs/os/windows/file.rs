//! Open files at the Windows door, and what a handle of any kind tells and takes.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::windows::fs::FileExt;
use std::time::{Duration, SystemTime};

use winapi_util::file;

use crate::fs::facts::{FileId, Form, Result, Stat};
use crate::fs::os::calls::{FileCalls, HandleCalls};
use crate::fs::os::windows::{unsupported, user};
use crate::wire::peer::Mtime;

/// An open file.
#[derive(Debug)]
pub(super) struct OpenFile(pub(super) fs::File);

impl HandleCalls for OpenFile {
    fn stat(&self) -> Result<Stat> {
        translate(&self.0)
    }

    fn set_mtime(&self, mtime: Mtime) -> Result<()> {
        set_mtime(&self.0, mtime)
    }

    fn set_mode(&self, _: u32) -> Result<()> {
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(self.0.sync_all()?)
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
        Ok(self.0.sync_data()?)
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
