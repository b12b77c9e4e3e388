//! One announced entry on its way in: its bytes, the hashes of what is on the disk, the sender's proofs.
//!
//! Bytes and proofs travel on different channels and may come in either order; an entry is verified
//! once every chunk's own hash equals the sender's and the digest over them does too.
//!
//! Of chunks that seemed to be here already the sender held the bytes back and proves them only; what is
//! here is hashed again and compared like the rest. Those that differ are fetched in a second round,
//! after the sender's word for the whole entry.

mod blocks;
mod claim;
mod stream;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::crypto::digest::EntryDigest;
pub use crate::session::incoming::blocks::Chunk;
pub use crate::session::incoming::claim::{Claim, Progress};
use crate::session::receiver::jobs::{Otherwise, Plan};
use crate::wire::block::Packed;
use crate::wire::peer::{Entry, Hash, SourceFault};
use crate::wire::{CHUNK_BYTES, MAX_ENTRY_BYTES, chunk_count, chunk_length};

/// Chunks of an entry that may be written before the sender's hashes of them come; they follow at once.
const MAX_UNPROVEN: usize = 1024;

/// Chunks that are fetched one by one; with more, what is here is another file.
const MAX_FETCHED: usize = 1024;

/// An entry that is not settled yet.
pub struct Incoming {
    /// What it is.
    pub item: Entry,
    plan: Option<Plan>,
    /// Where the next block goes; blocks of an entry come in order.
    next: u64,
    parts: Vec<Bytes>,
    /// What the parts are, if they are of a packed chunk.
    packed: Option<Packed>,
    /// Up to here chunks are written and hashed, not counting the second round.
    written: u64,
    /// Held-back chunks whose check was asked for, and those whose check was answered.
    asked: u32,
    checked: u32,
    digest: EntryDigest,
    /// The size; nobody knows that of a stream before it has ended.
    size: Option<u64>,
    /// A block of a stream came that only its last can be.
    short: bool,
    /// Complete chunks that wait for their proofs, where nothing may be written without.
    unwritten: BTreeMap<u32, Chunk>,
    /// Hashes of what is here; nothing for a chunk that is not.
    ours: BTreeMap<u32, Option<Hash>>,
    theirs: BTreeMap<u32, Hash>,
    claimed: u32,
    compared: u64,
    /// Bytes that the sender held back and that are here indeed.
    here: u64,
    vouched: Option<Hash>,
    /// Why, and how many bytes went out before: of the first round where they would lie, of the second
    /// round by their number.
    fault: Option<(SourceFault, u64)>,
    /// Chunks that are not here as the sender proves them, and what they must become.
    differing: BTreeMap<u32, Hash>,
    /// More of them than are worth fetching.
    hopeless: bool,
    /// Second round: chunks asked for whose blocks have not come, and come but not written.
    due: VecDeque<u32>,
    writing: VecDeque<u32>,
    fetched: u64,
}

impl Incoming {
    /// An entry that was just announced.
    pub fn new(item: Entry) -> Self {
        let stream = item.kind.is_stream();
        Self {
            size: (!stream).then_some(item.kind.size()),
            short: false,
            unwritten: BTreeMap::new(),
            digest: if stream { EntryDigest::of_stream() } else { EntryDigest::new(item.kind.size()) },
            item,
            plan: None,
            next: 0,
            parts: Vec::new(),
            packed: None,
            written: 0,
            asked: 0,
            checked: 0,
            ours: BTreeMap::new(),
            theirs: BTreeMap::new(),
            claimed: 0,
            compared: 0,
            here: 0,
            vouched: None,
            fault: None,
            differing: BTreeMap::new(),
            hopeless: false,
            due: VecDeque::new(),
            writing: VecDeque::new(),
            fetched: 0,
        }
    }

    /// Its size in bytes; the most that it can have while nobody knows.
    pub fn size(&self) -> u64 {
        self.size.unwrap_or(MAX_ENTRY_BYTES)
    }

    /// Its name can be had: what of its bytes is asked for.
    pub fn plan(&mut self, plan: Plan) {
        self.plan = Some(plan);
        self.next = self.start();
        self.written = self.next;
    }

    /// Whether its bytes were asked for.
    pub fn planned(&self) -> bool {
        self.plan.is_some()
    }

    /// What is to be done if [`Claim::Differs`].
    pub fn otherwise(&self) -> Otherwise {
        match self.plan {
            Some(Plan::Here { otherwise, .. }) => otherwise,
            Some(Plan::All | Plan::Settled(_)) | None => Otherwise::Fetch,
        }
    }

    /// Bytes that did not have to travel so far.
    pub fn here(&self) -> u64 {
        self.here
    }

    /// Whether more differs than is worth fetching chunk by chunk.
    pub fn hopeless(&self) -> bool {
        self.hopeless
    }

    /// Leading chunks whose bytes the sender holds back.
    pub fn held_back(&self) -> u32 {
        match self.plan {
            Some(Plan::Here { chunks, .. }) => chunks,
            Some(Plan::All | Plan::Settled(_)) | None => 0,
        }
    }

    fn start(&self) -> u64 {
        (u64::from(self.held_back()) * u64::from(CHUNK_BYTES)).min(self.size())
    }

    /// The differing chunks, which are now asked for; the second round begins.
    pub fn fetch(&mut self) -> Vec<u32> {
        self.due = self.differing.keys().copied().collect();
        self.due.iter().copied().collect()
    }

    /// Whether this chunk is the one whose writing ends next; chunks of an entry are written in order.
    pub fn writes_next(&self, index: u32) -> bool {
        match self.writing.front() {
            Some(next) => *next == index,
            None => self.written == u64::from(index) * u64::from(CHUNK_BYTES) && self.written < self.next,
        }
    }

    /// A chunk was written and hashed.
    pub fn wrote(&mut self, index: u32, hash: Hash) -> Claim {
        if self.writing.pop_front().is_some() {
            return match self.differing.remove(&index) == Some(hash) {
                true => self.compare(),
                false => Claim::Mismatch,
            };
        }
        self.written += chunk_length(self.size(), index);
        self.ours.insert(index, Some(hash));
        if self.ours.len() > MAX_UNPROVEN {
            return Claim::Unproven;
        }
        self.compare()
    }

    /// Whether this chunk is the one whose check ends next.
    pub fn checks_next(&self, index: u32) -> bool {
        self.checked == index && index < self.held_back()
    }

    /// What is here of a chunk was hashed.
    pub fn checked(&mut self, index: u32, hash: Option<Hash>) -> Claim {
        self.checked += 1;
        self.ours.insert(index, hash);
        self.compare()
    }

    /// The next chunk of what is here that has to be checked.
    pub fn ask_check(&mut self) -> Option<u32> {
        let index = self.asked;
        (index < self.held_back()).then(|| self.asked += 1)?;
        Some(index)
    }

    /// Checks asked for that are not compared yet.
    pub fn unproven_checks(&self) -> usize {
        usize::try_from(u64::from(self.asked).saturating_sub(self.compared)).unwrap_or(usize::MAX)
    }

    /// The sender's hash of a chunk. Each is said once, in order.
    pub fn take_hash(&mut self, index: u32, hash: Hash) -> Claim {
        let chunks = chunk_count(self.size());
        let in_turn = self.planned() && index == self.claimed && u64::from(index) < chunks;
        if !in_turn || self.vouched.is_some() || self.fault.is_some() {
            return Claim::Impossible;
        }
        self.claimed += 1;
        self.theirs.insert(index, hash);
        self.compare()
    }

    /// The sender's word that the entry is whole.
    pub fn take_digest(&mut self, digest: Hash) -> Claim {
        let is_file = self.item.kind.is_file() && !self.is_open();
        let chunks = chunk_count(self.size());
        let complete = is_file && self.planned() && u64::from(self.claimed) == chunks;
        if !complete || self.vouched.is_some() || self.fault.is_some() {
            return Claim::Impossible;
        }
        self.vouched = Some(digest);
        self.compare()
    }

    /// The sender gives the entry up, having sent so many bytes of it.
    pub fn take_fault(&mut self, fault: SourceFault, sent: u64) -> Claim {
        let sane = self.item.kind.is_file() && self.planned() && self.fault.is_none();
        let whole_chunks = sent.is_multiple_of(u64::from(CHUNK_BYTES)) || sent == self.size();
        let possible = match self.vouched {
            // Only what it was asked for again can fail by now; the last chunk may be a short one.
            Some(_) => sent >= self.fetched && !(self.due.is_empty() && self.writing.is_empty()),
            None => whole_chunks && sent <= self.size() && (sent >= self.next || self.next == self.start()),
        };
        if !sane || !possible {
            return Claim::Impossible;
        }
        self.fault = Some((fault, sent));
        self.compare()
    }

    /// The entry's digest, once all its bytes are here and proven.
    pub fn verified(&self) -> Option<Hash> {
        let whole = self.compared == chunk_count(self.size()) && self.differing.is_empty();
        (self.planned() && whole && !self.hopeless).then_some(self.vouched).flatten()
    }

    fn compare(&mut self) -> Claim {
        let mut progress = Progress::default();
        while let (Some(ours), Some(theirs)) = (self.ours.first_entry(), self.theirs.first_entry())
            && ours.key() == theirs.key()
        {
            let index = *ours.key();
            let (ours, theirs) = (ours.remove(), theirs.remove());
            let equal = ours == Some(theirs);
            if index < self.held_back() {
                let bytes = chunk_length(self.size(), index);
                progress.checks += 1;
                progress.held_back += bytes;
                progress.here += if equal { bytes } else { 0 };
                self.here += if equal { bytes } else { 0 };
                self.hopeless |= !equal && self.differing.len() == MAX_FETCHED;
                if !equal && !self.hopeless {
                    self.differing.insert(index, theirs);
                }
            } else if !equal {
                return Claim::Mismatch;
            }
            self.digest.push(&theirs);
            self.compared += 1;
            progress.matched += 1;
        }
        if let Some((fault, sent)) = self.fault {
            let done = match self.vouched {
                Some(_) => self.writing.is_empty() && self.parts.is_empty() && self.fetched == sent,
                None => self.written.max(self.start()) >= sent && self.all_claims_compared(sent),
            };
            progress.matched += if done { self.theirs.len() } else { 0 };
            return if done { Claim::Failed(fault, progress) } else { Claim::Fine(progress) };
        }
        if self.compared < chunk_count(self.size()) {
            return Claim::Fine(progress);
        }
        match self.vouched {
            Some(digest) if digest != self.own_digest() => Claim::Mismatch,
            // In the second round they are on their way.
            Some(_) if self.due.is_empty() && self.writing.is_empty() && self.verified().is_none() => {
                Claim::Differs(progress)
            }
            Some(_) | None => Claim::Fine(progress),
        }
    }

    /// Whether the chunks below `sent` whose bytes were held back are compared.
    fn all_claims_compared(&self, sent: u64) -> bool {
        let chunks = sent.div_ceil(u64::from(CHUNK_BYTES)).min(u64::from(self.held_back()));
        self.compared >= chunks
    }
}
