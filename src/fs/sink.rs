//! What is received: into the stage chunk by chunk, and from there to its name when it is whole.
//!
//! A [`Sink`] is used from three threads: one plans and writes chunks, one hashes what is here, one
//! checkpoints and commits. Nothing appears in the receive folder but by [`Sink::commit`], and the stage only on
//! first need, so a declined offer leaves no trace. A sink that is dropped leaves its stage for a later
//! session; only [`Sink::finish`] removes it.

mod planning;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::fs::DiskFault;
use crate::fs::commit::{Commit, Committed, Committer};
use crate::fs::conflict::OnConflict;
use crate::fs::earlier::Earlier;
use crate::fs::finish::{Finishing, finish_files};
use crate::fs::hash::{hash_each, hash_parts};
use crate::fs::intake::{SinkOptions, Stages, Times};
use crate::fs::journal::{ChunkRecord, JournaledFile};
use crate::fs::leftover::or_here;
use crate::fs::met::MetFolders;
use crate::fs::os::{self, Folder, Kind, OsError, Placing};
use crate::fs::plan::{Announced, Belongs, Place, Staged, UnderWay};
use crate::fs::stage::Stage;
use crate::wire::peer::{EntryKind, Hash};

/// A chunk that was written, to be made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenChunk {
    /// Number of its entry.
    pub entry: u32,
    /// Which chunk: its offset in [`crate::wire::CHUNK_BYTES`].
    pub index: u32,
    /// SHA-256 of its bytes.
    pub hash: Hash,
}

/// The receive folder.
#[derive(Debug)]
pub struct Sink {
    path: PathBuf,
    root: Arc<Folder>,
    id: [u8; 8],
    options: SinkOptions,
    /// The stage that this session made.
    stage: Mutex<Option<Arc<Stage>>>,
    /// Looked for on first need.
    earlier: Mutex<Option<Earlier>>,
    /// Files that were planned and are neither committed nor discarded.
    under_way: Mutex<HashMap<u32, UnderWay>>,
    met: Mutex<MetFolders>,
}

impl Sink {
    /// Opens the receive folder, making it and those above it when missing.
    ///
    /// `id` names the stage and must be random.
    ///
    /// # Errors
    /// [`DiskFault`] when it is no folder or cannot be made.
    pub fn open(folder: &Path, id: [u8; 8], options: SinkOptions) -> Result<Self, DiskFault> {
        let path = or_here(folder);
        Ok(Self::new(path, open_or_make(path)?, id, options))
    }

    /// The open receive folder `root`, which is at `path`.
    pub(crate) fn new(path: &Path, root: Folder, id: [u8; 8], options: SinkOptions) -> Self {
        Self {
            path: path.to_owned(),
            root: Arc::new(root),
            id,
            options,
            stage: Mutex::default(),
            earlier: Mutex::default(),
            under_way: Mutex::default(),
            met: Mutex::default(),
        }
    }

    /// Writes chunk `index` (its offset in [`crate::wire::CHUNK_BYTES`]) of an entry into a stage;
    /// `parts` make up the whole chunk. Returns its SHA-256.
    ///
    /// # Errors
    /// [`DiskFault`]; the chunk may be written in part, and can be written again. A file under its final
    /// name is never written to.
    pub fn write_chunk(&self, entry: u32, index: u32, parts: &[Bytes]) -> Result<Hash, DiskFault> {
        self.stage_chunk(entry, index, parts)?;
        Ok(hash_parts(parts))
    }

    /// Writes several chunks, each as [`Sink::write_chunk`] does one. They are hashed together, which is faster.
    ///
    /// # Errors
    /// As [`Sink::write_chunk`], for the first that cannot be written.
    pub fn write_chunks(&self, chunks: &[(u32, u32, Vec<Bytes>)]) -> Result<Vec<Hash>, DiskFault> {
        for (entry, index, parts) in chunks {
            self.stage_chunk(*entry, *index, parts)?;
        }
        let parts: Vec<Vec<&[u8]>> =
            chunks.iter().map(|(_, _, parts)| parts.iter().map(AsRef::as_ref).collect()).collect();
        Ok(hash_each(&parts))
    }

    fn stage_chunk(&self, entry: u32, index: u32, parts: &[Bytes]) -> Result<(), DiskFault> {
        let under_way = lock(&self.under_way).get(&entry).cloned();
        let (place, announced) = under_way.map_or((Place::Nowhere, None), |it| (it.place, it.announced));
        match place {
            Place::Nowhere => {
                let (Staged { stage, file, .. }, to) = self.begin(entry, announced)?;
                stage.write_chunk(file, &to, index, parts)
            }
            Place::Staged(Staged { stage, file, .. }) => {
                stage.write_chunk(file, &stage.open_file(file)?, index, parts)
            }
            Place::Named(_) => Err(DiskFault::Damaged { path: self.path.clone() }),
        }
    }

    /// Makes a staged file for an entry.
    fn begin(&self, entry: u32, announced: Option<Announced>) -> Result<(Staged, os::File), DiskFault> {
        let stage = self.need_stage()?;
        let (file, made) = stage.make_file()?;
        let staged = Staged { stage, file, belongs: Belongs::Surely };
        self.put(entry, Place::Staged(staged.clone()));
        if let Some(Announced { path, size, mtime }) = announced.filter(Announced::is_journaled) {
            staged.stage.journal_file(JournaledFile { id: file, path, size, mtime })?;
        }
        Ok((staged, made))
    }

    fn put(&self, entry: u32, place: Place) {
        let mut under_way = lock(&self.under_way);
        under_way.entry(entry).or_insert(UnderWay { announced: None, place: Place::Nowhere }).place = place;
    }

    /// Makes written chunks durable, then journals them. Those of entries that were committed or discarded
    /// meanwhile, or are not worth it, are passed over.
    ///
    /// # Errors
    /// [`DiskFault`]; then nothing of it may be taken as durable.
    pub fn checkpoint(&self, chunks: &[WrittenChunk]) -> Result<(), DiskFault> {
        if !self.options.journal {
            return Ok(());
        }
        let mut stages: Vec<(Arc<Stage>, Vec<ChunkRecord>)> = Vec::new();
        {
            let under_way = lock(&self.under_way);
            for chunk in chunks {
                let Some(UnderWay {
                    announced: Some(announced),
                    place: Place::Staged(Staged { stage, file, .. }),
                }) = under_way.get(&chunk.entry)
                else {
                    continue;
                };
                if !announced.is_journaled() {
                    continue;
                }
                let record = ChunkRecord { file: *file, index: chunk.index, hash: chunk.hash };
                match stages.iter_mut().find(|(known, _)| Arc::ptr_eq(known, stage)) {
                    Some((_, records)) => records.push(record),
                    None => stages.push((Arc::clone(stage), vec![record])),
                }
            }
        }
        stages.into_iter().try_for_each(|(stage, records)| stage.checkpoint(records))
    }

    /// Gives verified entries their names, in order, and returns when all of it is durable.
    ///
    /// # Errors
    /// [`DiskFault`] ends all; entries of the batch that had their names by then keep them, whole but
    /// perhaps not durable.
    pub fn commit(&self, batch: &[Commit]) -> Result<Vec<Committed>, DiskFault> {
        let mut places = Vec::with_capacity(batch.len());
        for commit in batch {
            let known = lock(&self.under_way).get(&commit.entry).map(|it| it.place.clone());
            let place = match (&commit.item.kind, known) {
                // A file without bytes is made by nobody else.
                (EntryKind::File { size: 0, .. }, None | Some(Place::Nowhere)) => {
                    Place::Staged(self.begin(commit.entry, None)?.0)
                }
                (EntryKind::File { .. }, Some(place)) => place,
                (_, _) => Place::Nowhere,
            };
            places.push(place);
        }
        let files =
            batch.iter().zip(&places).filter_map(|(commit, place)| match (&commit.item.kind, place) {
                (&EntryKind::File { size, mtime, executable }, Place::Staged(Staged { stage, file, .. })) => {
                    let mtime = (self.options.times == Times::Keep).then_some(mtime);
                    let mode = self.options.mode;
                    Some(Finishing { stage, file: *file, size, mtime, executable, mode })
                }
                (_, _) => None,
            });
        finish_files(&files.collect::<Vec<_>>())?;
        let committer =
            Committer::new(Arc::clone(&self.root), &self.path, &self.options, &mut lock(&self.met))
                .commit(batch, &places)?;
        let mut under_way = lock(&self.under_way);
        batch.iter().for_each(|commit| drop(under_way.remove(&commit.entry)));
        Ok(committer)
    }

    /// Forgets an entry and drops what this session staged of it. What an earlier session staged stays.
    pub fn discard(&self, entry: u32) {
        let under_way = lock(&self.under_way).remove(&entry);
        if let Some(UnderWay { place: Place::Staged(Staged { stage, file, .. }), .. }) = under_way
            && !stage.is_earlier()
        {
            stage.discard(file);
        }
    }

    /// Ends a session whose entries are all settled: removes its stage, and those earlier ones of which
    /// nothing unfinished is left.
    ///
    /// # Errors
    /// [`DiskFault`] when something of the own stage stays.
    pub fn finish(&self) -> Result<(), DiskFault> {
        let own = lock(&self.stage).take().map_or(Ok(()), |stage| stage.remove());
        if self.options.stages == Stages::Resume {
            match self.find_earlier() {
                Ok(mut earlier) => {
                    earlier.take().into_iter().for_each(|it| it.sweep(&self.root, &self.path));
                }
                Err(fault) => log::warn!("what earlier transfers left was not looked at: {fault}"),
            }
        }
        own
    }

    /// Where the own stage is, if it was needed so far.
    pub fn stage(&self) -> Option<PathBuf> {
        lock(&self.stage).as_ref().map(|stage| stage.path().to_owned())
    }

    fn check_placing(&self, stage: &Stage) -> Result<(), DiskFault> {
        match stage.placing() == Placing::Impossible && self.options.on_conflict != OnConflict::Overwrite {
            true => Err(DiskFault::Unsupported { path: self.path.clone() }),
            false => Ok(()),
        }
    }

    fn need_stage(&self) -> Result<Arc<Stage>, DiskFault> {
        let mut stage = lock(&self.stage);
        if let Some(stage) = stage.as_ref() {
            return Ok(Arc::clone(stage));
        }
        let new = Stage::create(&self.root, &self.path, self.id, self.options.journal)?;
        if let Err(fault) = self.check_placing(&new) {
            new.remove().ok();
            return Err(fault);
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
