//! What is received: into the stage chunk by chunk, and from there to its name when it is whole.
//!
//! A [`Sink`] is used from two threads: one plans and writes chunks, the other checkpoints and
//! commits. Nothing appears in the receive folder but by [`Sink::commit`], and the stage only on
//! first need, so a declined offer leaves no trace.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::fs::DiskFault;
use crate::fs::commit::{Commit, Committed, Committer, MadeFolders};
use crate::fs::dir::Cursor;
use crate::fs::journal::JournaledChunk;
use crate::fs::os::{self, Folder, Form, Kind, OsError, Placing};
use crate::fs::stage::Stage;
use crate::wire::peer::{Entry, EntryKind, Hash, Outcome};

/// What to do with a file whose name is taken. Folders are merged, and never replaced by anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// What is there stays, and the transfer has failed for this entry.
    #[default]
    Refuse,
    /// The new file takes the place of a file, link or the like, in one step.
    Overwrite,
    /// The new file or link is called `name (1).ext`.
    Rename,
    /// What is there stays, and that is fine.
    Skip,
}

impl OnConflict {
    /// The outcome of an entry whose name is taken.
    fn taken(self) -> Outcome {
        match self {
            Self::Skip => Outcome::Skipped,
            Self::Refuse | Self::Overwrite | Self::Rename => Outcome::Exists,
        }
    }

    /// The outcome that a failed call means for its entry, unless it ends everything.
    pub(crate) fn settle(self, error: OsError) -> Option<Outcome> {
        match error.kind {
            Kind::Exists | Kind::IsFolder => Some(self.taken()),
            // On the way there is a link or a file: never through it.
            Kind::NotAFolder => Some(Outcome::Exists),
            Kind::BadName | Kind::Unsupported => {
                log::warn!("the file system refused an entry: error {}", error.code);
                Some(Outcome::Refused)
            }
            Kind::Missing
            | Kind::Denied
            | Kind::Full
            | Kind::Quota
            | Kind::ReadOnly
            | Kind::TooLarge
            | Kind::Other => None,
        }
    }

    /// The outcome of an entry where something of this form has its name; `None` is to go on.
    fn meets(self, kind: &EntryKind, form: Form) -> Option<Outcome> {
        match (kind, form, self) {
            (EntryKind::Folder { .. }, Form::Folder, _) => None,
            (EntryKind::Folder { .. }, _, _) => Some(Outcome::Exists),
            (EntryKind::File { .. } | EntryKind::Link { .. }, _, Self::Rename) => None,
            (EntryKind::File { .. }, form, Self::Overwrite) if form != Form::Folder => None,
            (EntryKind::File { .. } | EntryKind::Link { .. }, _, _) => Some(self.taken()),
        }
    }
}

/// The receive folder.
#[derive(Debug)]
pub struct Sink {
    path: PathBuf,
    root: Arc<Folder>,
    id: [u8; 8],
    on_conflict: OnConflict,
    stage: Mutex<Option<Arc<Stage>>>,
    made: Mutex<MadeFolders>,
}

impl Sink {
    /// Opens the receive folder, making it and those above it when missing.
    ///
    /// `id` names the stage and must be random.
    ///
    /// # Errors
    /// [`DiskFault`] when it is no folder or cannot be made.
    pub fn open(folder: &Path, id: [u8; 8], on_conflict: OnConflict) -> Result<Self, DiskFault> {
        let path = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let root = Arc::new(open_or_make(path)?);
        let (stage, made) = (Mutex::default(), Mutex::default());
        Ok(Self { path: path.to_owned(), root, id, on_conflict, stage, made })
    }

    /// Bytes that may still be written to the receive folder's file system.
    ///
    /// # Errors
    /// [`DiskFault`] when the file system does not say.
    pub fn free_bytes(&self) -> Result<u64, DiskFault> {
        self.root.free_bytes().map_err(|error| DiskFault::new(error, &self.path))
    }

    /// Looks at where each entry would go and changes nothing: `None` is to go on, anything else is
    /// the entry's outcome already.
    ///
    /// # Errors
    /// [`DiskFault`] when a place cannot be looked at.
    pub fn plan(&self, entries: &[Entry]) -> Result<Vec<Option<Outcome>>, DiskFault> {
        let mut cursor = Cursor::new(Arc::clone(&self.root));
        let mut plan = |entry: &Entry| {
            let (parent, name) = entry.path.split();
            match cursor.find(parent).and_then(|folder| folder.inspect(name)) {
                Ok(there) => Ok(self.on_conflict.meets(&entry.kind, there.form)),
                Err(OsError { kind: Kind::Missing, .. }) => Ok(None),
                Err(error) => match self.on_conflict.settle(error) {
                    Some(outcome) => Ok(Some(outcome)),
                    None => Err(DiskFault::new(error, self.path.join(entry.path.as_str()))),
                },
            }
        };
        entries.iter().map(&mut plan).collect()
    }

    /// Writes chunk `index` (its offset in [`crate::wire::CHUNK_BYTES`]) of an entry into the stage;
    /// `parts` make up the whole chunk. Returns its SHA-256.
    ///
    /// # Errors
    /// [`DiskFault`]; the chunk may be written in part, and can be written again.
    pub fn write_chunk(&self, entry: u32, index: u32, parts: &[Bytes]) -> Result<Hash, DiskFault> {
        self.need_stage()?.write_chunk(entry, index, parts)
    }

    /// Makes written chunks durable, then journals them.
    ///
    /// # Errors
    /// [`DiskFault`]; then nothing of it may be taken as durable.
    pub fn checkpoint(&self, chunks: &[JournaledChunk]) -> Result<(), DiskFault> {
        if chunks.is_empty() {
            return Ok(());
        }
        self.need_stage()?.checkpoint(chunks)
    }

    /// Gives verified entries their names, in order, and returns when all of it is durable.
    ///
    /// # Errors
    /// [`DiskFault`] ends all; entries of the batch that had their names by then keep them, whole but
    /// perhaps not durable.
    pub fn commit(&self, batch: &[Commit]) -> Result<Vec<Committed>, DiskFault> {
        let files = batch.iter().any(|commit| matches!(commit.item.kind, EntryKind::File { .. }));
        let stage = if files { Some(self.need_stage()?) } else { None };
        if let Some(stage) = &stage {
            stage.finish_files(batch)?;
        }
        let mut made = lock(&self.made);
        let root = Arc::clone(&self.root);
        Committer::new(root, &self.path, stage.as_deref(), self.on_conflict, &mut made).commit(batch)
    }

    /// Drops what is staged of an entry.
    pub fn discard(&self, entry: u32) {
        if let Some(stage) = lock(&self.stage).as_ref() {
            stage.discard(entry);
        }
    }

    /// Removes the stage with all that is in it; at the end of a session that is finished or has
    /// nothing to resume.
    ///
    /// # Errors
    /// [`DiskFault`] when something of it stays.
    pub fn remove_stage(&self) -> Result<(), DiskFault> {
        match lock(&self.stage).take() {
            Some(stage) => stage.remove(&self.root).map_err(|error| DiskFault::new(error, stage.path())),
            None => Ok(()),
        }
    }

    /// Where the stage is, if it was needed so far.
    pub fn stage(&self) -> Option<PathBuf> {
        lock(&self.stage).as_ref().map(|stage| stage.path().to_owned())
    }

    fn need_stage(&self) -> Result<Arc<Stage>, DiskFault> {
        let mut stage = lock(&self.stage);
        if let Some(stage) = stage.as_ref() {
            return Ok(Arc::clone(stage));
        }
        let new = Stage::create(&self.root, &self.path, self.id)?;
        if new.placing() == Placing::Impossible && self.on_conflict != OnConflict::Overwrite {
            new.remove(&self.root).ok();
            return Err(DiskFault::Unsupported { path: self.path.clone() });
        }
        Ok(Arc::clone(stage.insert(Arc::new(new))))
    }
}

/// What the locks guard is whole after every statement, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open_or_make(path: &Path) -> Result<Folder, DiskFault> {
    let fault = |error| DiskFault::new(error, path);
    match Folder::open(path) {
        Err(OsError { kind: Kind::Missing, .. }) => (),
        opened => return opened.map_err(fault),
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => open_or_make(parent)?,
        Some(_) | None => Folder::open(Path::new(".")).map_err(fault)?,
    };
    match os::make_folder_path(path) {
        Ok(()) => os::sync(&parent).map_err(fault)?,
        Err(OsError { kind: Kind::Exists, .. }) => (),
        Err(error) => return Err(fault(error)),
    }
    Folder::open(path).map_err(fault)
}
