//! The sender's disk, in memory. It checks what a machine may ask of a disk.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::BytesMut;
use p2pcp::crypto::digest::chunk_hash;
use p2pcp::session::sender;
use p2pcp::wire::block::{self, HEADER_BYTES, PAYLOAD_BYTES};
use p2pcp::wire::peer::{BATCH_BYTES, Hash, SourceFault, Totals};
use p2pcp::wire::{CHUNK_BYTES, chunk_length};

use crate::session::tree::Tree;
use crate::support::rng::Rng;

/// What the sender reads from.
pub struct Source<'t> {
    tree: &'t Tree,
    announced: usize,
    skipped: bool,
    counted: u64,
    forgotten: BTreeSet<u32>,
    next: BTreeMap<u32, u32>,
    /// Chunks that were read twice.
    again: BTreeSet<(u32, u32)>,
}

impl<'t> Source<'t> {
    /// Nothing announced yet.
    pub fn new(tree: &'t Tree) -> Self {
        Self {
            tree,
            announced: 0,
            skipped: false,
            counted: 0,
            forgotten: BTreeSet::new(),
            next: BTreeMap::new(),
            again: BTreeSet::new(),
        }
    }

    /// Does a job.
    pub fn perform(&mut self, job: &sender::Job, rng: &mut Rng) -> Option<sender::Done> {
        match *job {
            sender::Job::Survey => Some(sender::Done::Surveyed(self.survey())),
            sender::Job::Walk { max } => Some(sender::Done::Walked(self.walk(max, rng))),
            sender::Job::Check { entry } => {
                assert_eq!(self.size(entry), 0, "entry {entry} has bytes to read, not to check");
                let result = self.read(entry, 0).map(|_| (Vec::new(), Hash::default()));
                Some(sender::Done::Read { entry, index: 0, result, spent: Duration::ZERO })
            }
            sender::Job::Read { entry, index, .. } => {
                assert!(
                    chunk_length(self.size(entry), index) > 0,
                    "chunk {index} of {entry} is past its end"
                );
                let result = self.read(entry, index);
                Some(sender::Done::Read { entry, index, result, spent: Duration::ZERO })
            }
            sender::Job::Stream { .. } => panic!("these trees have no streams"),
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
        let item = &self.tree.items[entry as usize];
        let next = self.next.entry(entry).or_default();
        if *next == index {
            *next += 1;
        } else {
            assert!(index < *next, "chunks of {entry} are read in order");
            assert!(self.again.insert((entry, index)), "chunk {index} of {entry} is read a third time");
            if let Some((_, fault)) = item.late_trouble.filter(|(chunk, _)| *chunk == index) {
                return Err(fault);
            }
        }
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
    let mut frame = block::begin(block::Header { entry, length: payload.len() as u32, offset, packed: None });
    frame.extend_from_slice(payload);
    assert_eq!(frame.len(), HEADER_BYTES + payload.len());
    frame
}
