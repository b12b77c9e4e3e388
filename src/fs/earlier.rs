//! The stages that earlier sessions left, and which of their files an entry can go on with.
//!
//! A stage is found by what it holds. Nothing that it says is trusted: its journal only tells which
//! staged file may belong to which entry, and every byte is hashed again and compared with what the
//! sender has. A stage that a living process uses is left alone, and so is one that others may write to.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::fs::DiskFault;
use crate::fs::journal::{self, FILE_NAME, Head, JournaledFile, MAX_FILES, Record, Records};
use crate::fs::leftover::{self, Unusable, is_stage};
use crate::fs::os::{self, Folder, Form, Kind, Lock, OsError, Waiting};
use crate::fs::plan::{Announced, Belongs, Staged};
use crate::fs::stage::{DATA, Stage};
use crate::wire::path::RelPath;
use crate::wire::peer::Mtime;
use crate::wire::{CHUNK_BYTES, chunk_count};

/// Names of stages that are looked at.
const MAX_NAMES: usize = 4096;

/// Stages with something in them that are kept open to go on with: the newest ones.
const MAX_STAGES: usize = 64;

/// Bytes of names that are remembered of all stages together.
const MAX_PATHS_BYTES: usize = 16 << 20;

/// Records of files that are read of one stage.
const MAX_FILE_RECORDS: usize = 1 << 20;

/// Staged files that are looked at for one entry.
const MAX_CANDIDATES: usize = 64;

/// The stages of earlier sessions in a receive folder.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    stages: Vec<Found>,
    files: Vec<Candidate>,
    by_path: HashMap<RelPath, Vec<usize>>,
    by_content: HashMap<(u64, Mtime), Vec<usize>>,
    paths_bytes: usize,
}

/// A stage.
#[derive(Debug)]
struct Found {
    name: String,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nobody asked for anything in it so far.
    Untouched { folder: Folder, data: Folder },
    /// This session uses it.
    Adopted(Arc<Stage>),
    /// It cannot be used, or its files were too many to remember.
    LeftAlone,
}

/// A staged file that nothing goes on with so far.
#[derive(Debug)]
struct Candidate {
    stage: usize,
    id: u32,
    size: u64,
    mtime: Mtime,
    taken: bool,
}

/// A staged file with which an entry can go on.
#[derive(Debug)]
pub(crate) struct Claim {
    pub staged: Staged,
    /// Whole chunks in it.
    pub chunks: u32,
}

/// An open stage as an earlier session left it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub folder: Folder,
    pub data: Folder,
    /// The last record of each file that is still here and holds a chunk.
    pub files: Vec<JournaledFile>,
    /// Whether these are all.
    complete: bool,
}

impl Opened {
    /// Opens the stage called `name` in the receive folder and reads its journal.
    pub fn open(root: &Folder, name: &str) -> Result<Self, Unusable> {
        let folder = root.open_folder(name).map_err(Unusable::not_a_stage)?;
        let data = folder.open_folder(DATA).map_err(Unusable::not_a_stage)?;
        check_guarded(root, &folder, &data)?;
        let journal = match folder.open_file(FILE_NAME) {
            Ok(journal) => journal,
            Err(OsError { kind: Kind::Missing, .. }) => return Err(Unusable::NoJournal),
            Err(_) => return Err(Unusable::Damaged),
        };
        journal::check_ordinary(&journal).map_err(|_| Unusable::Damaged)?;
        let mut records = Records::new(journal);
        match records.head() {
            Head::Ours => (),
            Head::Foreign => return Err(Unusable::OtherVersion),
            Head::Damaged => return Err(Unusable::Damaged),
        }
        let (mut files, mut bytes, mut complete) = (HashMap::new(), 0, true);
        let records = records.filter_map(|record| match record {
            Record::File(file) => Some(file),
            Record::Chunk(_) | Record::Header { .. } => None,
        });
        for (count, file) in records.enumerate() {
            bytes += file.path.as_str().len();
            if count == MAX_FILE_RECORDS || files.len() == MAX_FILES || bytes > MAX_PATHS_BYTES {
                complete = false;
                break;
            }
            // Most of them have their names by now. What holds no whole chunk is nothing to go on with.
            match data.inspect(Stage::file_name(file.id)) {
                Ok(stat) if stat.form != Form::File || stat.size >= u64::from(CHUNK_BYTES) => {
                    files.insert(file.id, file);
                }
                Ok(_) | Err(_) => bytes -= file.path.as_str().len(),
            }
        }
        let mut files: Vec<_> = files.into_values().collect();
        files.sort_unstable_by_key(|file| file.id);
        Ok(Self { folder, data, files, complete })
    }

    /// Whether a file is left that could be taken up.
    pub fn is_unfinished(&self) -> bool {
        !self.files.is_empty() || !self.complete
    }

    /// Whether a chunk lies here that the journal does not name: it was damaged.
    pub fn holds_unnamed(&self) -> os::Result<bool> {
        for name in self.data.names()? {
            if self.data.inspect(name?)?.size >= u64::from(CHUNK_BYTES) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether nobody but this user, and the owner of the receive folder, can have a hand in a stage.
///
/// That owner can replace what has its final name, too; and on a file system without users everything
/// belongs to one.
fn check_guarded(root: &Folder, folder: &Folder, data: &Folder) -> Result<(), Unusable> {
    let stat = |folder| os::stat(folder).map_err(Unusable::not_a_stage);
    let (root, folder, data) = (stat(root)?, stat(folder)?, stat(data)?);
    if [folder, data].iter().any(|it| it.owner != os::user() && it.owner != root.owner) {
        return Err(Unusable::NotYours);
    }
    // A file system without permissions shows some that are the same for all.
    match folder.mode & 0o077 == 0 || (folder.mode | data.mode) & 0o022 == 0 {
        true => Ok(()),
        false => Err(Unusable::Open),
    }
}

/// The names of stages in the receive folder, the newest first.
pub(crate) fn stages(root: &Folder) -> os::Result<Vec<String>> {
    let mut names = Vec::new();
    for name in root.names()? {
        let Ok(name) = name?.into_string() else { continue };
        if !is_stage(name.as_ref()) {
            continue;
        }
        // The journal grows while a stage is used; the folder above it does not change.
        let journal = root.open_folder(&name).and_then(|stage| stage.inspect(FILE_NAME));
        let mtime = journal.or_else(|_| root.inspect(&name)).map(|stat| stat.mtime).unwrap_or_default();
        names.push((Reverse(mtime), name));
        if names.len() == MAX_NAMES {
            break;
        }
    }
    names.sort_unstable();
    Ok(names.into_iter().map(|(_, name)| name).collect())
}

impl Earlier {
    /// Looks at all stages in the receive folder, except the one called `own`.
    pub fn find(root: &Folder, own: Option<&str>) -> os::Result<Self> {
        let mut earlier = Self::default();
        let mut usable = 0;
        for name in stages(root)?.into_iter().filter(|name| own != Some(name)) {
            let state = match Opened::open(root, &name) {
                Ok(opened) if usable < MAX_STAGES && opened.is_unfinished() => {
                    usable += 1;
                    earlier.remember(opened.files);
                    State::Untouched { folder: opened.folder, data: opened.data }
                }
                Ok(_) => State::LeftAlone,
                Err(why) => {
                    log::info!("`{name}` is left alone: {why}");
                    State::LeftAlone
                }
            };
            earlier.stages.push(Found { name, state });
        }
        Ok(earlier)
    }

    /// Remembers the files of the stage that is the next in the list.
    fn remember(&mut self, files: Vec<JournaledFile>) {
        for JournaledFile { id, path, size, mtime } in files {
            self.paths_bytes += path.as_str().len();
            if self.files.len() == MAX_FILES || self.paths_bytes > MAX_PATHS_BYTES {
                return;
            }
            self.by_path.entry(path).or_default().push(self.files.len());
            self.by_content.entry((size, mtime)).or_default().push(self.files.len());
            self.files.push(Candidate { stage: self.stages.len(), id, size, mtime, taken: false });
        }
    }

    /// Finds the best staged file for an entry, and takes over its stage: the one of the same path, size
    /// and time, else of the same path, else of the same size and time; of several the one that holds most.
    /// A stage that cannot be written to is left alone.
    pub fn claim(
        &mut self,
        entry: &Announced,
        adopt: impl Fn(&str, Folder, Folder) -> Result<Stage, DiskFault>,
    ) -> Option<Claim> {
        let same = (entry.size, entry.mtime);
        let by_path = self.by_path.get(&entry.path).into_iter().flatten().map(|&it| (true, it));
        let by_content = self.by_content.get(&same).into_iter().flatten().map(|&it| (false, it));
        let candidates: Vec<_> = by_path.chain(by_content).take(MAX_CANDIDATES).collect();
        let mut best: Option<((bool, bool, u32), usize, Claim)> = None;
        for (same_path, at) in candidates {
            let Some(&Candidate { stage, id, size, mtime, taken: false }) = self.files.get(at) else {
                continue;
            };
            let Some(stage) = self.stages.get_mut(stage).and_then(|it| it.adopt(&adopt)) else {
                continue;
            };
            let held = stage.held_bytes(id).unwrap_or_default();
            let chunks = whole_chunks(held, entry.size);
            let exact = same_path && (size, mtime) == same;
            // A longer one of this path is the progress of another file.
            let fits = exact || !same_path || held <= entry.size;
            let rank = (exact, same_path, chunks);
            if chunks > 0 && fits && best.as_ref().is_none_or(|(known, ..)| *known < rank) {
                let belongs = if same_path { Belongs::Surely } else { Belongs::Perhaps };
                best = Some((rank, at, Claim { staged: Staged { stage, file: id, belongs }, chunks }));
            }
        }
        let ((exact, same_path, _), at, claim) = best?;
        if let Some(candidate) = self.files.get_mut(at) {
            candidate.taken = true;
        }
        if same_path && !exact {
            let Announced { path, size, mtime } = entry.clone();
            let record = JournaledFile { id: claim.staged.file, path, size, mtime };
            // Without it a later session knows the file by its path only, and that is enough.
            if let Err(fault) = claim.staged.stage.journal_file(record) {
                log::warn!("the journal of an earlier transfer could not be written: {fault}");
            }
        }
        Some(claim)
    }

    /// Gives a claimed file back, for an entry that it belongs to.
    pub fn give_back(&mut self, staged: &Staged) {
        let of = |it: &Found| matches!(&it.state, State::Adopted(stage) if Arc::ptr_eq(stage, &staged.stage));
        let stage = self.stages.iter().position(of);
        let mut candidates = self.files.iter_mut();
        if let Some(it) = candidates.find(|it| Some(it.stage) == stage && it.id == staged.file) {
            it.taken = false;
        }
    }

    /// Removes the stages in which nothing is left that could be taken up; what cannot be removed stays.
    pub fn sweep(self, root: &Folder, path: &Path) {
        for Found { name, state } in self.stages {
            // Opened anew: what was unfinished may be finished by now, also by another session.
            let Ok(opened) = Opened::open(root, &name) else {
                leftover::remove_if_hollow(root, &name).ok();
                continue;
            };
            let ours = match &state {
                State::Adopted(_) => true,
                State::Untouched { .. } | State::LeftAlone => opened.folder.lock(Waiting::No) == Lock::Taken,
            };
            if !ours || opened.is_unfinished() || opened.holds_unnamed().unwrap_or(true) {
                continue;
            }
            if let Err(error) = leftover::remove(root, &name, &opened.folder) {
                let fault = DiskFault::new(error, path.join(&name));
                log::warn!("what an earlier transfer left could not be removed: {fault}");
            }
        }
    }
}

impl Found {
    /// The stage, if this session may use it.
    fn adopt(
        &mut self,
        adopt: &impl Fn(&str, Folder, Folder) -> Result<Stage, DiskFault>,
    ) -> Option<Arc<Stage>> {
        let stage = match std::mem::replace(&mut self.state, State::LeftAlone) {
            State::LeftAlone => return None,
            State::Adopted(stage) => stage,
            // Where nothing can be locked, nobody knows who else uses it.
            State::Untouched { folder, .. } if folder.lock(Waiting::No) != Lock::Taken => {
                log::info!("`{}` is left alone: another transfer may use it", self.name);
                return None;
            }
            State::Untouched { folder, data } => match adopt(&self.name, folder, data) {
                Ok(stage) => Arc::new(stage),
                Err(fault) => {
                    log::warn!("`{}` is left alone: {fault}", self.name);
                    return None;
                }
            },
        };
        self.state = State::Adopted(Arc::clone(&stage));
        Some(stage)
    }
}

/// The whole leading chunks of an entry of `size` bytes that `held` bytes make.
fn whole_chunks(held: u64, size: u64) -> u32 {
    let chunks = if held >= size { chunk_count(size) } else { held / u64::from(CHUNK_BYTES) };
    u32::try_from(chunks).unwrap_or(u32::MAX)
}
