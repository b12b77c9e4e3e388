//! Where unfinished bytes live: `.p2pcp-<id>/` at the top of the receive folder.
//!
//! ```text
//! .p2pcp-0123456789abcdef/    0700: nobody else sees or touches what is unfinished
//!     data/<entry number>     one file for each entry under way, with its final permissions
//!     journal                 from the first checkpoint on
//! ```
//!
//! It lies inside the receive folder so that giving a file its final name is a rename and no copy.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::fs::DiskFault;
use crate::fs::commit::Commit;
use crate::fs::hash::ChunkHasher;
use crate::fs::journal::{FILE_NAME, Journal, JournaledChunk};
use crate::fs::os::{self, Folder, Kind, OsError, Placing, SYNCS_FILE_SYSTEMS};
use crate::wire::CHUNK_BYTES;
use crate::wire::path::STAGE_PREFIX;
use crate::wire::peer::{EntryKind, Hash, Mtime};

const DATA: &str = "data";

/// Files or folders that are made durable one by one; more are worth a sync of the file system.
///
/// On ext4 each fsync waits for the disk (measured: about 1 ms on an SSD), one syncfs waits twice.
pub(crate) const FEW: usize = 8;

/// The stage of one session.
#[derive(Debug)]
pub(crate) struct Stage {
    path: PathBuf,
    name: String,
    folder: Folder,
    data: Folder,
    /// What the umask (or a default ACL) leaves of `0o777`.
    full_mode: u32,
    placing: Placing,
    journal: Mutex<Option<Journal>>,
}

impl Stage {
    /// Makes a new stage in the receive folder `root`, which is at `path`.
    pub fn create(root: &Folder, path: &Path, id: [u8; 8]) -> Result<Self, DiskFault> {
        let name = format!("{STAGE_PREFIX}{:016x}", u64::from_be_bytes(id));
        let path = path.join(&name);
        let made = root.make_folder(&name, 0o700).and_then(|()| {
            Self::fill(root, &name).inspect_err(|_| {
                root.open_folder(&name).and_then(|folder| folder.remove_folder(DATA)).ok();
                root.remove_folder(&name).ok();
            })
        });
        let (folder, data, full_mode, placing) = made.map_err(|error| DiskFault::new(error, &path))?;
        log::debug!("stage {name}: files get their names by {placing:?}");
        Ok(Self { path, name, folder, data, full_mode, placing, journal: Mutex::default() })
    }

    fn fill(root: &Folder, name: &str) -> os::Result<(Folder, Folder, u32, Placing)> {
        let folder = root.open_folder(name)?;
        // The kernel tells the umask only to those who change it; a folder made under it shows it too.
        folder.make_folder(DATA, 0o777)?;
        let data = folder.open_folder(DATA)?;
        let full_mode = os::stat(&data)?.mode & 0o777;
        let placing = data.probe_placing()?;
        Ok((folder, data, full_mode, placing))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the staged files, named by [`Stage::file_name`].
    pub fn data(&self) -> &Folder {
        &self.data
    }

    /// The name of an entry's file in [`Stage::data`].
    pub fn file_name(entry: u32) -> String {
        entry.to_string()
    }

    /// How its files can be given names that nothing else has.
    pub fn placing(&self) -> Placing {
        self.placing
    }

    /// Writes one chunk and returns its hash.
    pub fn write_chunk(&self, entry: u32, index: u32, parts: &[Bytes]) -> Result<Hash, DiskFault> {
        debug_assert!(parts.iter().map(Bytes::len).sum::<usize>() <= CHUNK_BYTES as usize);
        let mut hasher = ChunkHasher::default();
        let mut offset = u64::from(index) * u64::from(CHUNK_BYTES);
        let written = self.data.create_file(Self::file_name(entry)).and_then(|file| {
            parts.iter().try_for_each(|part| {
                hasher.update(part);
                file.write_at(part, offset)?;
                offset += part.len() as u64;
                Ok(())
            })
        });
        written.map_err(|error| self.fault(error, entry))?;
        Ok(hasher.finish())
    }

    /// Makes the chunks durable and then says so in the journal.
    ///
    /// A file that is not here any more was committed, which made it durable.
    pub fn checkpoint(&self, chunks: &[JournaledChunk]) -> Result<(), DiskFault> {
        let mut entries: Vec<u32> = chunks.iter().map(|chunk| chunk.entry).collect();
        entries.sort_unstable();
        entries.dedup();
        if SYNCS_FILE_SYSTEMS && entries.len() > FEW {
            self.sync_all()?;
        } else {
            for entry in entries {
                match self.data.open_file(Self::file_name(entry)).and_then(|file| file.sync_data()) {
                    Ok(()) | Err(OsError { kind: Kind::Missing, .. }) => (),
                    Err(error) => return Err(self.fault(error, entry)),
                }
            }
            os::sync(&self.data).map_err(|error| DiskFault::new(error, &self.path))?;
        }
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let appended = match journal.as_mut() {
            Some(journal) => journal.append(chunks),
            None => Journal::open(&self.folder)
                .and_then(|new| journal.insert(new).append(chunks))
                .and_then(|()| os::sync(&self.folder)),
        };
        appended.map_err(|error| DiskFault::new(error, self.path.join(FILE_NAME)))
    }

    /// Gives the files of a batch their times and permissions, and makes them durable.
    pub fn finish_files(&self, batch: &[Commit]) -> Result<(), DiskFault> {
        let files = || {
            batch.iter().filter_map(|commit| match commit.item.kind {
                EntryKind::File { size, mtime, executable } => Some((commit.entry, size, mtime, executable)),
                EntryKind::Folder { .. } | EntryKind::Link { .. } => None,
            })
        };
        let together = SYNCS_FILE_SYSTEMS && files().nth(FEW).is_some();
        for (entry, size, mtime, executable) in files() {
            let finished = self.finish_file(entry, size, mtime, executable, !together);
            if finished.map_err(|error| self.fault(error, entry))? != size {
                return Err(DiskFault::Damaged { path: self.path.join(DATA).join(Self::file_name(entry)) });
            }
        }
        if together { self.sync_all() } else { Ok(()) }
    }

    /// Returns the file's size, which must be `size`.
    fn finish_file(&self, entry: u32, size: u64, mtime: Mtime, exec: bool, sync: bool) -> os::Result<u64> {
        let name = Self::file_name(entry);
        let file = if size == 0 { self.data.create_file(name)? } else { self.data.open_file(name)? };
        if exec {
            tolerate(os::set_mode(&file, self.full_mode))?;
        }
        tolerate(os::set_mtime(&file, mtime))?;
        if sync {
            os::sync(&file)?;
        }
        os::stat(&file).map(|stat| stat.size)
    }

    fn sync_all(&self) -> Result<(), DiskFault> {
        os::sync_file_system(&self.data).map_err(|error| DiskFault::new(error, &self.path))
    }

    /// Removes an entry's file, if it has one.
    pub fn discard(&self, entry: u32) {
        match self.data.remove_file(Self::file_name(entry)) {
            Ok(()) | Err(OsError { kind: Kind::Missing, .. }) => (),
            Err(error) => log::debug!("staged file {entry} stays: {error:?}"),
        }
    }

    /// Removes the stage and all that is staged.
    pub fn remove(&self, root: &Folder) -> os::Result<()> {
        for name in self.data.names()? {
            self.data.remove_file(name?)?;
        }
        self.folder.remove_folder(DATA)?;
        match self.folder.remove_file(FILE_NAME) {
            Ok(()) | Err(OsError { kind: Kind::Missing, .. }) => root.remove_folder(&self.name),
            failed => failed,
        }
    }

    fn fault(&self, error: OsError, entry: u32) -> DiskFault {
        DiskFault::new(error, self.path.join(DATA).join(Self::file_name(entry)))
    }
}

/// Lets pass that a file system keeps no times or permissions: the bytes are what matters.
pub(crate) fn tolerate(done: os::Result<()>) -> os::Result<()> {
    match done {
        Err(OsError { kind: Kind::Denied | Kind::Unsupported | Kind::BadName, code }) => {
            log::debug!("a time or permission was not kept: error {code}");
            Ok(())
        }
        done => done,
    }
}
