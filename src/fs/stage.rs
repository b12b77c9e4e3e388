//! Where unfinished bytes live: `.p2pcp-<id>/` at the top of the receive folder.
//!
//! ```text
//! .p2pcp-0123456789abcdef/    0700: nobody else sees or touches what is unfinished
//!     data/<file number>      one file for each entry under way, with its final permissions
//!     journal                 which entries these are, and what of them is durable
//! ```
//!
//! It lies inside the receive folder so that giving a file its final name is a rename and no copy. Its
//! numbers are its own: a later session that goes on in it has other numbers for the same entries.
//! While a session uses a stage it holds a lock on the folder.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::fs::DiskFault;
use crate::fs::finish::tolerate;
use crate::fs::hash::hash_chunk;
use crate::fs::journal::{ChunkRecord, FILE_NAME, Journal, JournaledFile, Record, check_ordinary};
use crate::fs::leftover;
use crate::fs::os::{self, File, Folder, Kind, OsError, Placing, SYNCS_FILE_SYSTEMS, Waiting};
use crate::wire::CHUNK_BYTES;
use crate::wire::path::STAGE_PREFIX;
use crate::wire::peer::Hash;

/// The folder of the staged files in a stage.
pub(crate) const DATA: &str = "data";

/// A folder in a stage that is made to see its mode.
pub(crate) const PROBE: &str = "probe";

/// Files or folders that are made durable one by one; more are worth a sync of the file system.
///
/// On ext4 each fsync waits for the disk (measured: about 1 ms on an SSD), one syncfs waits twice.
pub(crate) const FEW: usize = 8;

/// A stage that this session uses.
#[derive(Debug)]
pub(crate) struct Stage {
    path: PathBuf,
    name: String,
    root: Arc<Folder>,
    folder: Folder,
    data: Folder,
    /// What the umask (or a default ACL) leaves of `0o777`.
    full_mode: u32,
    placing: Placing,
    origin: Origin,
    next_file: AtomicU32,
    journal: Mutex<Journaling>,
    /// Whether the stage and its journal are found again after a power loss.
    findable: AtomicBool,
}

/// Who made a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// This session, and each file in it.
    New,
    /// An earlier one.
    Earlier,
}

/// The state of a stage's journal.
#[derive(Debug)]
enum Journaling {
    /// None is kept.
    Off,
    /// It is opened by the first record.
    Closed,
    /// It is written.
    Open(Journal),
}

impl Stage {
    /// Makes a new stage in the receive folder `root`, which is at `path`.
    pub fn create(root: &Arc<Folder>, path: &Path, id: [u8; 8], journal: bool) -> Result<Self, DiskFault> {
        let name = format!("{STAGE_PREFIX}{:016x}", u64::from_be_bytes(id));
        let path = path.join(&name);
        let made = root.make_folder(&name, 0o700).and_then(|()| {
            Self::fill(root, &name, journal).inspect_err(|_| {
                root.open_folder(&name)
                    .and_then(|folder| {
                        folder.remove_file(FILE_NAME).ok();
                        folder.remove_folder(DATA)
                    })
                    .ok();
                root.remove_folder(&name).ok();
            })
        });
        let (folder, data, journal, placing) = made.map_err(|error| DiskFault::new(error, &path))?;
        log::debug!("stage {name}: files get their names by {placing:?}");
        let stage = Self {
            path,
            name,
            root: Arc::clone(root),
            // The kernel tells the umask only to those who change it; a folder made under it shows it too.
            full_mode: os::stat(&data).map_or(0o700, |stat| stat.mode & 0o777),
            folder,
            data,
            placing,
            origin: Origin::New,
            next_file: AtomicU32::new(0),
            journal: Mutex::new(journal),
            findable: AtomicBool::new(false),
        };
        Ok(stage)
    }

    fn fill(root: &Folder, name: &str, journal: bool) -> os::Result<(Folder, Folder, Journaling, Placing)> {
        let folder = root.open_folder(name)?;
        // Whoever only looks at stages holds this for a moment.
        folder.lock(Waiting::Yes);
        folder.make_folder(DATA, 0o777)?;
        let data = folder.open_folder(DATA)?;
        let placing = data.probe_placing()?;
        let journal = if journal { Journaling::Open(Journal::create(&folder)?) } else { Journaling::Off };
        Ok((folder, data, journal, placing))
    }

    /// Goes on in the stage `folder` of an earlier session, which is called `name` and is locked.
    pub fn adopt(
        root: &Arc<Folder>,
        path: PathBuf,
        name: String,
        folder: Folder,
        data: Folder,
        journal: bool,
    ) -> os::Result<Self> {
        Ok(Self {
            path,
            name,
            root: Arc::clone(root),
            full_mode: umask_shown(&folder)?,
            placing: data.probe_placing()?,
            folder,
            data,
            origin: Origin::Earlier,
            next_file: AtomicU32::new(u32::MAX),
            journal: Mutex::new(if journal { Journaling::Closed } else { Journaling::Off }),
            findable: AtomicBool::new(false),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the staged files, named by [`Stage::file_name`].
    pub fn data(&self) -> &Folder {
        &self.data
    }

    /// The name of a file in [`Stage::data`].
    pub fn file_name(file: u32) -> String {
        file.to_string()
    }

    /// The permissions of what everybody may do as far as the umask lets them.
    pub fn full_mode(&self) -> u32 {
        self.full_mode
    }

    /// How its files can be given names that nothing else has.
    pub fn placing(&self) -> Placing {
        self.placing
    }

    /// Makes the next file of a new stage.
    pub fn make_file(&self) -> Result<(u32, File), DiskFault> {
        let file = self.next_file.fetch_add(1, Ordering::Relaxed);
        let made = self.data.create_file(Self::file_name(file));
        made.map(|made| (file, made)).map_err(|error| self.fault(error, file))
    }

    /// Opens a file that is staged already; one that is gone or no file was tampered with.
    pub fn open_file(&self, file: u32) -> Result<File, DiskFault> {
        let opened = self.data.open_to_write(Self::file_name(file));
        let opened = opened.and_then(|opened| check_ordinary(&opened).map(|_| opened));
        opened.map_err(|error| match error.kind {
            Kind::Missing | Kind::NotAFolder | Kind::IsFolder => self.damaged(file),
            _ => self.fault(error, file),
        })
    }

    /// Says in the journal to which entry a file belongs. Nothing is synced.
    pub fn journal_file(&self, file: JournaledFile) -> Result<(), DiskFault> {
        let record = [Record::File(file)];
        self.with_journal(|journal| journal.append(&record))
    }

    /// Writes one chunk to a file of this stage.
    pub fn write_chunk(&self, file: u32, to: &File, index: u32, parts: &[Bytes]) -> Result<(), DiskFault> {
        debug_assert!(parts.iter().map(Bytes::len).sum::<usize>() <= CHUNK_BYTES as usize);
        let mut offset = u64::from(index) * u64::from(CHUNK_BYTES);
        let written = parts.iter().try_for_each(|part| {
            to.write_at(part, offset)?;
            offset += part.len() as u64;
            Ok(())
        });
        written.map_err(|error| self.fault(error, file))
    }

    /// Makes the chunks durable and then says so in the journal.
    pub fn checkpoint(&self, chunks: Vec<ChunkRecord>) -> Result<(), DiskFault> {
        let mut files: Vec<u32> = chunks.iter().map(|chunk| chunk.file).collect();
        files.sort_unstable();
        files.dedup();
        if SYNCS_FILE_SYSTEMS && files.len() > FEW {
            self.sync_all()?;
        } else {
            for file in files {
                self.open_file(file)?.sync_data().map_err(|error| self.fault(error, file))?;
            }
            tolerate(os::sync(&self.data)).map_err(|error| DiskFault::new(error, &self.path))?;
        }
        let records: Vec<_> = chunks.into_iter().map(Record::Chunk).collect();
        self.with_journal(|journal| journal.append(&records).and_then(|()| journal.sync()))?;
        self.make_findable()
    }

    fn with_journal(&self, act: impl FnOnce(&mut Journal) -> os::Result<()>) -> Result<(), DiskFault> {
        let mut state = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = |error| DiskFault::new(error, self.path.join(FILE_NAME));
        if matches!(*state, Journaling::Closed) {
            *state = Journaling::Open(Journal::open(&self.folder).map_err(fault)?);
        }
        match &mut *state {
            Journaling::Open(journal) => act(journal).map_err(fault),
            Journaling::Off | Journaling::Closed => Ok(()),
        }
    }

    /// Makes the way to the journal durable, once.
    fn make_findable(&self) -> Result<(), DiskFault> {
        if !self.findable.load(Ordering::Relaxed) {
            let synced = tolerate(os::sync(&self.folder)).and_then(|()| tolerate(os::sync(&*self.root)));
            synced.map_err(|error| DiskFault::new(error, &self.path))?;
            self.findable.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The hash of a chunk of an entry of `size` bytes, if the whole chunk is in this file and can be read.
    pub fn hash_chunk(&self, file: u32, size: u64, index: u32) -> Result<Option<Hash>, DiskFault> {
        Ok(hash_chunk(&self.open_file(file)?, size, index))
    }

    /// Empties a file.
    pub fn empty(&self, file: u32) -> Result<(), DiskFault> {
        self.open_file(file)?.truncate(0).map_err(|error| self.fault(error, file))
    }

    /// Bytes in a file that may be taken up; `None` for what is none.
    pub fn held_bytes(&self, file: u32) -> Option<u64> {
        self.open_file(file)
            .and_then(|it| os::stat(&it).map_err(|error| self.fault(error, file)))
            .ok()
            .map(|it| it.size)
    }

    /// Makes all staged files durable, with the rest of their file system.
    pub fn sync_all(&self) -> Result<(), DiskFault> {
        os::sync_file_system(&self.data).map_err(|error| DiskFault::new(error, &self.path))
    }

    /// Removes a file, if it is there.
    pub fn discard(&self, file: u32) {
        match self.data.remove_file(Self::file_name(file)) {
            Ok(()) | Err(OsError { kind: Kind::Missing, .. }) => (),
            Err(error) => log::debug!("staged file {file} stays: {error:?}"),
        }
    }

    /// Whether an earlier session made it.
    pub fn is_earlier(&self) -> bool {
        self.origin == Origin::Earlier
    }

    /// Removes the stage and all that is staged.
    pub fn remove(&self) -> Result<(), DiskFault> {
        leftover::remove(&self.root, &self.name, &self.folder)
            .map_err(|error| DiskFault::new(error, &self.path))
    }

    /// What a failed call on a staged file means.
    pub fn fault(&self, error: OsError, file: u32) -> DiskFault {
        DiskFault::new(error, self.path.join(DATA).join(Self::file_name(file)))
    }

    /// The fault of a file that somebody else changed.
    pub fn damaged(&self, file: u32) -> DiskFault {
        DiskFault::Damaged { path: self.path.join(DATA).join(Self::file_name(file)) }
    }
}

/// The mode that a new folder gets here.
fn umask_shown(folder: &Folder) -> os::Result<u32> {
    folder.remove_folder(PROBE).ok();
    folder.make_folder(PROBE, 0o777)?;
    let mode = folder.inspect(PROBE).map(|stat| stat.mode & 0o777);
    folder.remove_folder(PROBE)?;
    mode
}
