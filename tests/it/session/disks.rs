//! Both disks of a simulation, in memory. They check what a machine may ask of a disk.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use p2pcp::crypto::digest::{EntryDigest, chunk_hash};
use p2pcp::session::{receiver, sender};
use p2pcp::wire::block::{self, HEADER_BYTES, PAYLOAD_BYTES};
use p2pcp::wire::path::RelPath;
use p2pcp::wire::peer::{AbortReason, BATCH_BYTES, Entry, Hash, Outcome, SourceFault, Totals};
use p2pcp::wire::{CHUNK_BYTES, chunk_count, chunk_length};

use crate::session::rng::Rng;
use crate::session::tree::Tree;

/// What the sender reads from.
pub struct Source<'t> {
    tree: &'t Tree,
    announced: usize,
    skipped: bool,
    counted: u64,
    forgotten: BTreeSet<u32>,
    next: BTreeMap<u32, u32>,
}

impl<'t> Source<'t> {
    /// Nothing announced yet.
    pub fn new(tree: &'t Tree) -> Self {
        let (forgotten, next) = (BTreeSet::new(), BTreeMap::new());
        Self { tree, announced: 0, skipped: false, counted: 0, forgotten, next }
    }

    /// Does a job.
    pub fn perform(&mut self, job: &sender::Job, rng: &mut Rng) -> Option<sender::Done> {
        match *job {
            sender::Job::Survey => Some(sender::Done::Surveyed(self.survey())),
            sender::Job::Walk { max } => Some(sender::Done::Walked(self.walk(max, rng))),
            sender::Job::Check { entry } => {
                assert_eq!(self.size(entry), 0, "entry {entry} has bytes to read, not to check");
                let result = self.read(entry, 0).map(|_| (Vec::new(), Hash::default()));
                Some(sender::Done::Read { entry, index: 0, result })
            }
            sender::Job::Read { entry, index } => {
                assert!(
                    chunk_length(self.size(entry), index) > 0,
                    "chunk {index} of {entry} is past its end"
                );
                Some(sender::Done::Read { entry, index, result: self.read(entry, index) })
            }
            sender::Job::Forget { entry } => {
                assert!(self.forgotten.insert(entry), "entry {entry} is forgotten twice");
                None
            }
        }
    }

    /// How long a chunk is.
    pub fn chunk_bytes(&self, entry: u32, index: u32) -> u64 {
        chunk_length(self.tree.items[entry as usize].entry.kind.size(), index)
    }

    fn size(&self, entry: u32) -> u64 {
        assert!(!self.forgotten.contains(&entry), "entry {entry} is read after it was forgotten");
        assert!((entry as usize) < self.announced, "entry {entry} is read before it was announced");
        self.tree.items[entry as usize].entry.kind.size()
    }

    fn survey(&mut self) -> Totals {
        self.counted += 1;
        let totals = self.tree.totals();
        match self.counted {
            1 => Totals { complete: false, bytes: totals.bytes / 2, files: totals.files / 2, ..totals },
            _ => totals,
        }
    }

    /// At most `max` entries that fit one frame, as few as none, as a real walk gives them.
    fn walk(&mut self, max: usize, rng: &mut Rng) -> sender::Walked {
        let max = if rng.once_in(4) { rng.place(max) } else { max };
        let mut walked = sender::Walked::default();
        let mut encoded_bytes = 0;
        while walked.entries.len() < max
            && encoded_bytes < BATCH_BYTES
            && let Some(item) = self.tree.items.get(self.announced)
        {
            encoded_bytes += item.entry.encoded_bytes();
            walked.entries.push(item.entry.clone());
            self.announced += 1;
        }
        if !self.skipped {
            self.skipped = true;
            walked.skipped =
                (0..self.tree.skipped).map(|it| (format!("odd{it}"), "odd".to_owned())).collect();
        }
        walked.done = self.announced == self.tree.items.len();
        walked
    }

    fn read(&mut self, entry: u32, index: u32) -> Result<(Vec<BytesMut>, Hash), SourceFault> {
        let next = self.next.entry(entry).or_default();
        assert_eq!(*next, index, "chunks of {entry} are read in order");
        *next += 1;
        let item = &self.tree.items[entry as usize];
        let start = index as usize * CHUNK_BYTES as usize;
        let end = item.content().len().min(start + CHUNK_BYTES as usize);
        let mut chunk = item.content()[start..end].to_vec();
        if let Some(trouble) = item.trouble {
            if trouble.chunk == index {
                return Err(trouble.fault);
            }
            if trouble.rewritten && trouble.chunk > index {
                chunk[0] ^= 1;
            }
        }
        Ok((frames(entry, start as u64, &chunk), chunk_hash(&chunk)))
    }
}

/// A chunk as frames for the bulk channel.
pub fn frames(entry: u32, start: u64, chunk: &[u8]) -> Vec<BytesMut> {
    let pieces = (start..).step_by(PAYLOAD_BYTES).zip(chunk.chunks(PAYLOAD_BYTES));
    pieces.map(|(offset, piece)| frame(entry, offset, piece)).collect()
}

/// One frame for the bulk channel.
pub fn frame(entry: u32, offset: u64, payload: &[u8]) -> BytesMut {
    let mut frame = block::begin(block::Header { entry, length: payload.len() as u32, offset });
    frame.extend_from_slice(payload);
    assert_eq!(frame.len(), HEADER_BYTES + payload.len());
    frame
}

struct Staged {
    hash: Hash,
    /// Whether its bytes are the source's.
    genuine: bool,
    journaled: bool,
}

/// What the receiver writes to.
pub struct Sink<'t> {
    tree: &'t Tree,
    planned: BTreeMap<u32, Entry>,
    stage: BTreeMap<u32, Vec<Staged>>,
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
    /// An empty folder.
    pub fn new(tree: &'t Tree) -> Self {
        Self {
            tree,
            planned: BTreeMap::new(),
            stage: BTreeMap::new(),
            paths: BTreeSet::new(),
            kept: BTreeSet::new(),
            finished: false,
            fault: None,
            jobs: 0,
            garbled: false,
        }
    }

    /// Does a job, or fails.
    pub fn perform(&mut self, job: receiver::Job) -> Option<receiver::Done> {
        self.jobs += 1;
        assert!(!self.finished, "nothing comes after the stage was cleared away: {job:?}");
        let writes = matches!(job, receiver::Job::Plan { .. } | receiver::Job::Write { .. });
        let fails = self.fault.is_some_and(|(nth, _)| nth + 1 == self.jobs || nth < self.jobs && writes);
        match job {
            job if fails => self.fail(job),
            receiver::Job::Plan { first, entries } => Some(self.plan(first, entries)),
            receiver::Job::Write { entry, index, parts } => {
                let hash = self.write(entry, index, &parts);
                Some(receiver::Done::Wrote { entry, index, hash })
            }
            receiver::Job::Checkpoint(chunks) => {
                for chunk in chunks {
                    let staged = self.stage.get_mut(&chunk.entry).expect("a checkpoint of what is staged");
                    let staged = &mut staged[chunk.index as usize];
                    assert_eq!(staged.hash, chunk.hash, "a checkpoint says what was written");
                    assert!(!staged.journaled, "a chunk is journaled once");
                    staged.journaled = true;
                }
                Some(receiver::Done::Checkpointed)
            }
            receiver::Job::Commit(batch) => {
                assert!(!batch.is_empty());
                let first = batch[0].entry;
                let outcomes = batch.iter().map(|it| self.commit(it)).collect();
                Some(receiver::Done::Committed { first, outcomes })
            }
            receiver::Job::Check { .. } | receiver::Job::Restart { .. } => panic!("nothing is here: {job:?}"),
            receiver::Job::Discard { entry } => {
                self.stage.remove(&entry);
                self.planned.remove(&entry).expect("what is discarded was planned");
                None
            }
            receiver::Job::Finish => {
                self.finished = true;
                Some(receiver::Done::Finished)
            }
        }
    }

    /// A commit fails half way, and forgetting cannot fail.
    fn fail(&mut self, job: receiver::Job) -> Option<receiver::Done> {
        let (nth, reason) = self.fault?;
        match job {
            receiver::Job::Commit(batch) => batch.iter().take(batch.len() / 2).for_each(|it| {
                self.commit(it);
            }),
            receiver::Job::Discard { .. } => {
                self.fault = Some((nth + 1, reason));
                self.jobs -= 1;
                return self.perform(job);
            }
            _ => (),
        }
        Some(receiver::Done::Fault(reason))
    }

    fn plan(&mut self, first: u32, entries: Vec<Entry>) -> receiver::Done {
        let mut plans = Vec::new();
        for (number, entry) in (first..).zip(entries) {
            let outcome = self.tree.items[number as usize].refused;
            if outcome.is_none() {
                assert!(self.planned.insert(number, entry).is_none(), "entry {number} is planned twice");
            }
            plans.push(outcome.map_or(receiver::Plan::All, receiver::Plan::Settled));
        }
        receiver::Done::Planned { first, plans }
    }

    fn write(&mut self, entry: u32, index: u32, parts: &[Bytes]) -> Hash {
        let size = self.planned.get(&entry).expect("only what is planned is written").kind.size();
        let staged = self.stage.entry(entry).or_default();
        assert_eq!(staged.len(), index as usize, "chunks of {entry} are written in order");
        let bytes = parts.concat();
        assert_eq!(bytes.len() as u64, chunk_length(size, index), "whole chunks are written");
        let start = index as usize * CHUNK_BYTES as usize;
        let source = self.tree.items[entry as usize].content();
        let genuine = source.get(start..start + bytes.len()) == Some(&bytes);
        let hash = chunk_hash(&bytes);
        staged.push(Staged { hash, genuine, journaled: false });
        hash
    }

    fn commit(&mut self, commit: &receiver::Commit) -> Outcome {
        let receiver::Commit { entry: number, item, digest } = commit;
        let planned = self.planned.remove(number).expect("only what is planned gets a name, once");
        assert_eq!(planned, *item, "entry {number} is named as it was planned");
        let truth = &self.tree.items[*number as usize];
        let staged = self.stage.remove(number).unwrap_or_default();
        if item.kind.is_file() {
            let size = item.kind.size();
            assert_eq!(staged.len() as u64, chunk_count(size), "entry {number} is named before it is whole");
            let mut ours = EntryDigest::new(size);
            staged.iter().for_each(|it| ours.push(&it.hash));
            assert_eq!(ours.finish(), *digest, "entry {number} is named with a digest that is not its own");
            assert_eq!(size, truth.entry.kind.size(), "entry {number} has the source's size");
            assert!(staged.iter().all(|it| it.genuine), "entry {number} gets a name and has other bytes");
            assert!(truth.trouble.is_none(), "entry {number} failed at the source and gets a name");
        } else {
            assert_eq!(*digest, Hash::default());
        }
        if !self.garbled {
            assert_eq!(*item, truth.entry);
            self.check_order(*number, item);
        }
        if let Some(outcome) = truth.too_late {
            return outcome;
        }
        if !self.paths.insert(item.path.clone()) {
            return Outcome::Exists;
        }
        self.kept.insert(*number);
        Outcome::Kept { digest: *digest }
    }

    /// A folder gets its time only when nothing is made in it any more; a link, when nothing could
    /// be written through it.
    fn check_order(&self, number: u32, item: &Entry) {
        if !item.kind.is_file() {
            let before = self.planned.range(..number).next();
            assert_eq!(before, None, "entry {number} is named before an earlier one");
        }
    }
}

/// The same answer once more. The sender's `Walked` says nothing of which job it answers, and relies on hands
/// that answer once.
pub fn again(done: &receiver::Done) -> Option<receiver::Done> {
    match done {
        receiver::Done::Planned { first, plans } => {
            Some(receiver::Done::Planned { first: *first, plans: plans.clone() })
        }
        receiver::Done::Wrote { entry, index, hash } => {
            Some(receiver::Done::Wrote { entry: *entry, index: *index, hash: *hash })
        }
        receiver::Done::Committed { first, outcomes } => {
            Some(receiver::Done::Committed { first: *first, outcomes: outcomes.clone() })
        }
        receiver::Done::Checked { entry, index, hash } => {
            Some(receiver::Done::Checked { entry: *entry, index: *index, hash: *hash })
        }
        receiver::Done::Checkpointed => Some(receiver::Done::Checkpointed),
        receiver::Done::Finished => Some(receiver::Done::Finished),
        receiver::Done::Fault(reason) => Some(receiver::Done::Fault(*reason)),
    }
}
