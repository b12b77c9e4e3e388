//! The receiver's disk, which outlives sessions: what has a name, and what is staged.

use std::collections::BTreeMap;

use p2pcp::session::receiver::{Otherwise, Plan};
use p2pcp::wire::path::RelPath;
use p2pcp::wire::peer::{Entry, EntryKind, Hash, Mtime, Outcome};
use p2pcp::wire::{CHUNK_BYTES, chunk_count, chunk_length};

use crate::session::tree::Item;
use crate::support::rng::Rng;

/// A chunk in the stage.
pub struct StagedChunk {
    /// As it was written.
    pub hash: Hash,
    /// None if it cannot be read.
    pub bytes: Vec<u8>,
    /// A checkpoint has made it durable.
    pub synced: bool,
}

/// An unfinished file.
pub struct StagedFile {
    pub size: u64,
    pub mtime: Mtime,
    /// Leading chunks; what is not there, a file has as a hole.
    pub chunks: Vec<StagedChunk>,
}

/// A file with its name.
pub struct NamedFile {
    pub size: u64,
    pub mtime: Mtime,
    pub chunks: Vec<Vec<u8>>,
}

/// What happens when a name is taken, as far as a session can tell the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// What is there stays.
    Refuse,
    /// The new file takes its place.
    Overwrite,
}

#[derive(Default)]
pub struct Disk {
    pub stage: BTreeMap<RelPath, StagedFile>,
    pub named: BTreeMap<RelPath, NamedFile>,
}

/// Size and time of a file.
pub fn facts(entry: &Entry) -> Option<(u64, Mtime)> {
    match entry.kind {
        EntryKind::File { size, mtime, .. } => Some((size, mtime)),
        EntryKind::Stream { .. } | EntryKind::Folder { .. } | EntryKind::Link { .. } => None,
    }
}

impl Disk {
    /// What a receive folder says of an entry, as the real one does.
    pub fn plan(&self, entry: &Entry, policy: Policy) -> Plan {
        let Some((size, mtime)) = facts(entry) else { return Plan::All };
        let chunks = chunk_count(size) as u32;
        if let Some(named) = self.named.get(&entry.path) {
            let same = (named.size, named.mtime) == (size, mtime);
            return match policy {
                _ if same && size == 0 => Plan::All,
                Policy::Refuse if same => {
                    Plan::Here { chunks, otherwise: Otherwise::Settle(Outcome::Exists) }
                }
                Policy::Overwrite if same => Plan::Here { chunks, otherwise: Otherwise::Restart },
                Policy::Refuse => Plan::Settled(Outcome::Exists),
                Policy::Overwrite => self.plan_staged(entry, size, mtime),
            };
        }
        self.plan_staged(entry, size, mtime)
    }

    fn plan_staged(&self, entry: &Entry, size: u64, mtime: Mtime) -> Plan {
        match self.stage.get(&entry.path).filter(|it| (it.size, it.mtime) == (size, mtime)) {
            Some(staged) if !staged.chunks.is_empty() => {
                Plan::Here { chunks: staged.chunks.len() as u32, otherwise: Otherwise::Fetch }
            }
            _ => Plan::All,
        }
    }

    /// What is here of a chunk of an entry that has this plan.
    pub fn chunk(&self, entry: &Entry, otherwise: Otherwise, index: u32) -> Option<&[u8]> {
        match otherwise {
            Otherwise::Fetch => {
                let staged = self.stage.get(&entry.path)?.chunks.get(index as usize)?;
                Some(&staged.bytes[..]).filter(|it| !it.is_empty())
            }
            Otherwise::Restart | Otherwise::Settle(_) => {
                Some(self.named.get(&entry.path)?.chunks.get(index as usize)?)
            }
        }
    }

    /// The chunks of `item` that seem to be here and are not what the sender will prove.
    pub fn differing(&self, item: &Item, chunks: u32, otherwise: Otherwise) -> Vec<u32> {
        let differs = |index: &u32| {
            let here = self.chunk(&item.entry, otherwise, *index);
            let rewritten = item.trouble.is_some_and(|it| it.rewritten && it.chunk > *index);
            rewritten || here != Some(item.chunk(*index))
        };
        (0..chunks).filter(differs).collect()
    }

    /// The process that wrote is gone; so is the power, perhaps, and with it what was not synced.
    pub fn crash(&mut self, power: bool, rng: &mut Rng) {
        self.stage.retain(|_, it| it.size > u64::from(CHUNK_BYTES));
        if !power {
            return;
        }
        self.stage.retain(|_, it| it.chunks.iter().any(|it| it.synced) || rng.once_in(2));
        for staged in self.stage.values_mut() {
            while staged.chunks.last().is_some_and(|it| !it.synced) && rng.once_in(2) {
                staged.chunks.pop();
            }
            for chunk in staged.chunks.iter_mut().filter(|it| !it.synced) {
                match rng.below(3) {
                    0 => chunk.bytes.fill(0),
                    1 => spoil(&mut chunk.bytes, rng),
                    _ => (),
                }
            }
        }
    }

    /// Bits rot, tails are cut off, blocks are swapped: in one of `times` staged chunks.
    pub fn damage(&mut self, times: u64, rng: &mut Rng) {
        for staged in self.stage.values_mut() {
            for at in 0..staged.chunks.len() {
                if !rng.once_in(times) {
                    continue;
                }
                match rng.below(5) {
                    0 => spoil(&mut staged.chunks[at].bytes, rng),
                    3 => staged.chunks[at].bytes.clear(),
                    1 => staged.chunks[at].bytes.fill(0),
                    2 => {
                        let other = rng.place(staged.chunks.len());
                        let (one, two) = (&staged.chunks[at].bytes, &staged.chunks[other].bytes);
                        if one.len() == two.len() {
                            let (one, two) = (one.clone(), two.clone());
                            (staged.chunks[at].bytes, staged.chunks[other].bytes) = (two, one);
                        }
                    }
                    _ => {
                        staged.chunks.truncate(at);
                        break;
                    }
                }
            }
        }
    }

    /// Somebody writes into one of `times` named files and puts its time back.
    pub fn edit(&mut self, times: u64, rng: &mut Rng) {
        for named in self.named.values_mut().filter(|it| it.size > 0) {
            if rng.once_in(times) {
                let at = rng.place(named.chunks.len());
                spoil(&mut named.chunks[at], rng);
            }
        }
    }

    /// Whether a named file is what the sender has.
    pub fn has(&self, item: &Item) -> bool {
        let chunks = |named: &NamedFile| (0..).zip(&named.chunks).all(|(it, bytes)| bytes == item.chunk(it));
        self.named.get(&item.entry.path).is_some_and(|it| it.size == item.entry.kind.size() && chunks(it))
    }
}

fn spoil(bytes: &mut [u8], rng: &mut Rng) {
    if bytes.is_empty() {
        return;
    }
    let at = rng.place(bytes.len());
    bytes[at] ^= 1 << rng.below(8);
}

/// Bytes of some chunks of a file.
pub fn bytes_of(size: u64, chunks: impl IntoIterator<Item = u32>) -> u64 {
    chunks.into_iter().map(|it| chunk_length(size, it)).sum()
}
