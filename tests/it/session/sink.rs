//! The receiver's hands on its disk, in memory. They check what a machine may ask of a disk.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use p2pcp::crypto::digest::{EntryDigest, chunk_hash};
use p2pcp::session::receiver::{Commit, Done, Job, Otherwise, Plan, WrittenChunk};
use p2pcp::wire::path::RelPath;
use p2pcp::wire::peer::{AbortReason, Entry, Hash, Outcome};
use p2pcp::wire::{chunk_count, chunk_length};

use crate::session::disk::{Disk, NamedFile, Policy, StagedChunk, StagedFile, facts};
use crate::session::tree::{Item, Tree};

/// A file or other entry under way.
struct UnderWay {
    item: Entry,
    otherwise: Otherwise,
    /// Leading chunks that were said to be here; those may be written again.
    here: u32,
    /// Written again already.
    again: BTreeSet<u32>,
}

/// What the receiver writes to.
pub struct Sink<'t> {
    tree: &'t Tree,
    pub disk: Disk,
    policy: Policy,
    under_way: BTreeMap<u32, UnderWay>,
    /// Entries that end without bytes are not asked about again.
    discarded: BTreeSet<u32>,
    paths: BTreeSet<RelPath>,
    /// Entries that have their names, durably.
    pub kept: BTreeSet<u32>,
    /// Whether the stage was cleared away.
    pub finished: bool,
    /// The job that fails, counted from 0, and how.
    pub fault: Option<(usize, AbortReason)>,
    /// Jobs begun.
    pub jobs: usize,
    /// Whether names may have been garbled on the way, so that the order of entries is not known.
    pub garbled: bool,
}

impl<'t> Sink<'t> {
    /// A receive folder in which this is already.
    pub fn new(tree: &'t Tree, disk: Disk, policy: Policy) -> Self {
        Self {
            tree,
            disk,
            policy,
            under_way: BTreeMap::new(),
            discarded: BTreeSet::new(),
            paths: BTreeSet::new(),
            kept: BTreeSet::new(),
            finished: false,
            fault: None,
            jobs: 0,
            garbled: false,
        }
    }

    /// Does a job, or fails.
    pub fn perform(&mut self, job: Job) -> Option<Done> {
        self.jobs += 1;
        assert!(!self.finished, "nothing comes after the stage was cleared away: {job:?}");
        let writes = matches!(job, Job::Plan { .. } | Job::Write { .. });
        let fails = self.fault.is_some_and(|(nth, _)| nth + 1 == self.jobs || nth < self.jobs && writes);
        match job {
            job if fails => self.fail(job),
            Job::Plan { first, entries } => Some(self.plan(first, entries)),
            Job::Write { entry, index, parts, .. } => {
                let hash = self.write(entry, index, &parts);
                Some(Done::Wrote { entry, index, hash })
            }
            Job::Check { entry, index } => {
                Some(Done::Checked { entry, index, hash: self.check(entry, index) })
            }
            Job::Restart { entry } => {
                self.restart(entry);
                None
            }
            Job::Checkpoint(chunks) => {
                chunks.iter().for_each(|it| self.checkpoint(it));
                Some(Done::Checkpointed)
            }
            Job::Commit(batch) => {
                let first = batch.first().expect("a commit of something").entry;
                Some(Done::Committed { first, outcomes: batch.iter().map(|it| self.commit(it)).collect() })
            }
            Job::Discard { entry } => {
                let under_way = self.under_way.remove(&entry).expect("what is discarded was planned");
                if matches!(under_way.otherwise, Otherwise::Fetch) {
                    self.disk.stage.remove(&under_way.item.path);
                }
                assert!(self.discarded.insert(entry));
                None
            }
            Job::Finish => {
                let left: Vec<_> = self.under_way.keys().collect();
                assert!(left.is_empty(), "{left:?} are under way when the stage is cleared away");
                self.finished = true;
                Some(Done::Finished)
            }
        }
    }

    /// The process dies while the job is under way: nothing of it is answered, and perhaps it was not done.
    pub fn die_in(&mut self, job: Job, done: usize) {
        match job {
            Job::Commit(batch) => batch.iter().take(done).for_each(|it| {
                self.commit(it);
            }),
            Job::Write { .. } | Job::Discard { .. } | Job::Restart { .. } | Job::Checkpoint(_)
                if done > 0 =>
            {
                self.perform(job);
            }
            _ => (),
        }
    }

    /// A commit fails half way, and forgetting cannot fail.
    fn fail(&mut self, job: Job) -> Option<Done> {
        let (nth, reason) = self.fault?;
        match job {
            Job::Commit(batch) => batch.iter().take(batch.len() / 2).for_each(|it| {
                self.commit(it);
            }),
            Job::Discard { .. } | Job::Restart { .. } => {
                self.fault = Some((nth + 1, reason));
                self.jobs -= 1;
                return self.perform(job);
            }
            _ => (),
        }
        Some(Done::Fault(reason))
    }

    fn item(&self, number: u32) -> &'t Item {
        &self.tree.items[number as usize]
    }

    fn plan(&mut self, first: u32, entries: Vec<Entry>) -> Done {
        let mut plans = Vec::new();
        for (number, item) in (first..).zip(entries) {
            let plan = match self.item(number).refused {
                Some(outcome) => Plan::Settled(outcome),
                None => self.disk.plan(&item, self.policy),
            };
            let (here, otherwise) = match plan {
                Plan::Here { chunks, otherwise } => (chunks, otherwise),
                Plan::All | Plan::Settled(_) => (0, Otherwise::Fetch),
            };
            if !matches!(plan, Plan::Settled(_)) {
                if here == 0 {
                    self.begin(&item);
                }
                let under_way = UnderWay { item, otherwise, here, again: BTreeSet::new() };
                assert!(
                    self.under_way.insert(number, under_way).is_none(),
                    "entry {number} is planned twice"
                );
            }
            plans.push(plan);
        }
        Done::Planned { first, plans }
    }

    /// An empty file in the stage, whatever was there.
    fn begin(&mut self, item: &Entry) {
        if let Some((size, mtime)) = facts(item) {
            self.disk.stage.insert(item.path.clone(), StagedFile { size, mtime, chunks: Vec::new() });
        }
    }

    fn check(&mut self, entry: u32, index: u32) -> Option<Hash> {
        let Some(under_way) = self.under_way.get(&entry) else {
            assert!(self.discarded.contains(&entry), "a check of {entry}, which is not under way");
            return None;
        };
        assert!(index < under_way.here, "chunk {index} of {entry} was not said to be here");
        self.disk.chunk(&under_way.item, under_way.otherwise, index).map(chunk_hash)
    }

    fn restart(&mut self, entry: u32) {
        let truth = self.item(entry);
        let Some(under_way) = self.under_way.get_mut(&entry) else {
            // Another thread of the disk forgets, and may be faster.
            assert!(self.discarded.contains(&entry), "{entry}, which is not under way, is started again");
            return;
        };
        let (here, otherwise) = (under_way.here, under_way.otherwise);
        (under_way.here, under_way.otherwise) = (0, Otherwise::Fetch);
        let item = under_way.item.clone();
        if !self.garbled {
            let differing = self.disk.differing(truth, here, otherwise);
            assert!(!differing.is_empty(), "entry {entry} is here as it should be and is started again");
        }
        self.begin(&item);
    }

    fn checkpoint(&mut self, chunk: &WrittenChunk) {
        // What was committed or discarded meanwhile needs no checkpoint.
        let Some(under_way) = self.under_way.get(&chunk.entry) else { return };
        let Some(staged) = self.disk.stage.get_mut(&under_way.item.path) else { return };
        let Some(staged) = staged.chunks.get_mut(chunk.index as usize) else { return };
        assert_eq!(staged.hash, chunk.hash, "a checkpoint says what was written");
        assert!(!staged.synced, "a chunk is journaled once");
        staged.synced = true;
    }

    fn write(&mut self, entry: u32, index: u32, parts: &[Bytes]) -> Hash {
        let truth = self.item(entry);
        let under_way = self.under_way.get_mut(&entry).expect("only what is planned is written");
        assert_eq!(under_way.otherwise, Otherwise::Fetch, "entry {entry} is written over what has its name");
        let path = &under_way.item.path;
        let bytes = parts.concat();
        let size = under_way.item.kind.size();
        assert_eq!(bytes.len() as u64, chunk_length(size, index), "whole chunks are written");
        let staged = self.disk.stage.get_mut(path).expect("what is written was begun");
        let hash = chunk_hash(&bytes);
        let chunk = StagedChunk { hash, bytes, synced: false };
        match staged.chunks.get_mut(index as usize) {
            Some(here) => {
                assert!(index < under_way.here, "chunk {index} of {entry} is written twice");
                assert!(under_way.again.insert(index), "chunk {index} of {entry} is written again and again");
                let differed = here.bytes != truth.chunk(index);
                assert!(differed || self.garbled, "chunk {index} of {entry} was what it should be");
                *here = chunk;
            }
            None => {
                assert_eq!(staged.chunks.len(), index as usize, "chunks of {entry} are written in order");
                staged.chunks.push(chunk);
            }
        }
        hash
    }

    fn commit(&mut self, commit: &Commit) -> Outcome {
        let Commit { entry: number, item, digest } = commit;
        let under_way = self.under_way.remove(number).expect("only what is planned gets a name, once");
        assert_eq!(under_way.item, *item, "entry {number} is named as it was planned");
        let truth = self.item(*number);
        if !self.garbled {
            assert_eq!(*item, truth.entry);
            self.check_order(*number, item);
        }
        let Some((size, mtime)) = facts(item) else {
            assert_eq!(*digest, Hash::default());
            return self.name(*number, item, *digest, |_| ());
        };
        let named = !matches!(under_way.otherwise, Otherwise::Fetch);
        let chunks: Vec<Vec<u8>> = match named {
            true => self.disk.named[&item.path].chunks.clone(),
            false => {
                let staged = self.disk.stage.remove(&item.path).expect("what is named was staged");
                staged.chunks.into_iter().map(|it| it.bytes).collect()
            }
        };
        assert_eq!(chunks.len() as u64, chunk_count(size), "entry {number} is named before it is whole");
        let mut ours = EntryDigest::new(size);
        chunks.iter().for_each(|it| ours.push(&chunk_hash(it)));
        assert_eq!(ours.finish(), *digest, "entry {number} is named with a digest that is not its own");
        assert_eq!(size, truth.entry.kind.size(), "entry {number} has the source's size");
        let genuine = (0..).zip(&chunks).all(|(index, it)| it == truth.chunk(index));
        assert!(genuine, "entry {number} gets a name and has other bytes");
        assert!(truth.trouble.is_none(), "entry {number} failed at the source and gets a name");
        self.name(*number, item, *digest, |disk| {
            disk.named.insert(item.path.clone(), NamedFile { size, mtime, chunks });
        })
    }

    fn name(&mut self, number: u32, item: &Entry, digest: Hash, give: impl FnOnce(&mut Disk)) -> Outcome {
        if let Some(outcome) = self.item(number).too_late {
            return outcome;
        }
        if !self.paths.insert(item.path.clone()) {
            return Outcome::Exists;
        }
        give(&mut self.disk);
        self.kept.insert(number);
        Outcome::Kept { digest }
    }

    /// A folder gets its time only when nothing is made in it any more; a link, when nothing could
    /// be written through it.
    fn check_order(&self, number: u32, item: &Entry) {
        if !item.kind.is_file() {
            let before = self.under_way.range(..number).next().map(|(number, _)| number);
            assert_eq!(before, None, "entry {number} is named before an earlier one");
        }
    }
}

/// The same answer once more. The sender's `Walked` says nothing of which job it answers, and relies on hands
/// that answer once.
pub fn again(done: &Done) -> Done {
    match done {
        Done::Planned { first, plans } => Done::Planned { first: *first, plans: plans.clone() },
        Done::Wrote { entry, index, hash } => Done::Wrote { entry: *entry, index: *index, hash: *hash },
        Done::Checked { entry, index, hash } => Done::Checked { entry: *entry, index: *index, hash: *hash },
        Done::Committed { first, outcomes } => Done::Committed { first: *first, outcomes: outcomes.clone() },
        Done::Checkpointed => Done::Checkpointed,
        Done::Finished => Done::Finished,
        Done::Unpackable { entry } => Done::Unpackable { entry: *entry },
        Done::Fault(reason) => Done::Fault(*reason),
    }
}
