//! One announced entry on its way in: its bytes, the hashes of what was written, the sender's proofs.
//!
//! Bytes and proofs travel on different channels and may come in either order; an entry is verified
//! once every chunk's own hash equals the sender's and the digest over them does too.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::crypto::digest::EntryDigest;
use crate::wire::block::{Header, MIN_PAYLOAD_BYTES};
use crate::wire::peer::{Entry, Hash, SourceFault};
use crate::wire::{CHUNK_BYTES, chunk_count, chunk_length};

/// A complete chunk: its number and its bytes in order.
pub type Chunk = (u32, Vec<Bytes>);

/// What the bytes and proofs of an entry say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// They agree so far.
    Fine {
        /// Loose hashes that found their bytes.
        matched: usize,
    },
    /// The sender gave the entry up and all that it had sent of it is in.
    Failed {
        /// Why.
        fault: SourceFault,
        /// Loose hashes that are forgotten.
        matched: usize,
    },
    /// The sender said something about the entry that cannot be.
    Impossible,
    /// A hash of what was written is not what the sender says.
    Mismatch,
    /// More is written than the sender has vouched for.
    Unproven,
}

/// Chunks of an entry that may be written before the sender's hashes of them come; they follow at once.
const MAX_UNPROVEN: usize = 1024;

/// An entry that is not settled yet.
pub struct Incoming {
    /// What it is.
    pub item: Entry,
    planned: bool,
    /// Bytes in, over all chunks; blocks of an entry come in order.
    received: u64,
    parts: Vec<Bytes>,
    /// Chunks written and hashed.
    written: u64,
    digest: EntryDigest,
    ours: BTreeMap<u32, Hash>,
    theirs: BTreeMap<u32, Hash>,
    claimed: u32,
    compared: u64,
    vouched: Option<Hash>,
    fault: Option<(SourceFault, u64)>,
}

impl Incoming {
    /// An entry that was just announced.
    pub fn new(item: Entry) -> Self {
        let size = item.kind.size();
        Self {
            item,
            planned: false,
            received: 0,
            parts: Vec::new(),
            written: 0,
            digest: EntryDigest::new(size),
            ours: BTreeMap::new(),
            theirs: BTreeMap::new(),
            claimed: 0,
            compared: 0,
            vouched: None,
            fault: None,
        }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.item.kind.size()
    }

    /// Bytes of it that have not come in.
    pub fn bytes_missing(&self) -> u64 {
        self.size().saturating_sub(self.received)
    }

    /// Its name is free and its bytes are asked for.
    pub fn plan(&mut self) {
        self.planned = true;
    }

    /// Whether its bytes were asked for.
    pub fn planned(&self) -> bool {
        self.planned
    }

    /// Takes a block; `None` if it is not the one that comes next. Gives the chunk that it completes.
    pub fn take_block(&mut self, header: Header, payload: Bytes) -> Option<Option<Chunk>> {
        let end = header.offset + u64::from(header.length);
        if !self.planned || header.offset != self.received || end > self.size() {
            return None;
        }
        let chunk_end = end.is_multiple_of(u64::from(CHUNK_BYTES)) || end == self.size();
        if !chunk_end && payload.len() < MIN_PAYLOAD_BYTES {
            return None;
        }
        if self.fault.is_some_and(|(_, sent)| end > sent) {
            return None;
        }
        self.received = end;
        self.parts.push(payload);
        if !chunk_end {
            return Some(None);
        }
        let index = u32::try_from(header.offset / u64::from(CHUNK_BYTES)).ok()?;
        Some(Some((index, std::mem::take(&mut self.parts))))
    }

    /// Whether this chunk is the one whose writing ends next; chunks of an entry are written in order.
    pub fn writes_next(&self, index: u32) -> bool {
        self.written == u64::from(index) * u64::from(CHUNK_BYTES)
    }

    /// A chunk was written and hashed.
    pub fn wrote(&mut self, index: u32, hash: Hash) -> Claim {
        self.written += chunk_length(self.size(), index);
        self.ours.insert(index, hash);
        if self.ours.len() > MAX_UNPROVEN {
            return Claim::Unproven;
        }
        self.compare()
    }

    /// The sender's hash of a chunk. Each is said once, in order.
    pub fn take_hash(&mut self, index: u32, hash: Hash) -> Claim {
        let chunks = chunk_count(self.size());
        let in_turn = self.planned && index == self.claimed && u64::from(index) < chunks;
        if !in_turn || self.vouched.is_some() || self.fault.is_some() {
            return Claim::Impossible;
        }
        self.claimed += 1;
        self.theirs.insert(index, hash);
        self.compare()
    }

    /// The sender's word that the entry is whole.
    pub fn take_digest(&mut self, digest: Hash) -> Claim {
        let is_file = self.item.kind.is_file();
        let chunks = chunk_count(self.size());
        let complete = is_file && self.planned && u64::from(self.claimed) == chunks;
        if !complete || self.vouched.is_some() || self.fault.is_some() {
            return Claim::Impossible;
        }
        self.vouched = Some(digest);
        self.compare()
    }

    /// The sender gives the entry up, having sent so many bytes of it.
    pub fn take_fault(&mut self, fault: SourceFault, sent: u64) -> Claim {
        let is_file = self.item.kind.is_file();
        let sane = is_file && self.planned && sent >= self.received && sent <= self.size();
        let whole_chunks = sent.is_multiple_of(u64::from(CHUNK_BYTES)) || sent == self.size();
        if !sane || !whole_chunks || self.vouched.is_some() || self.fault.is_some() {
            return Claim::Impossible;
        }
        self.fault = Some((fault, sent));
        self.compare()
    }

    /// The entry's digest, once all its bytes are written and proven.
    pub fn verified(&self) -> Option<Hash> {
        let chunks = chunk_count(self.size());
        (self.planned && self.compared == chunks).then_some(self.vouched).flatten()
    }

    fn compare(&mut self) -> Claim {
        let mut matched = 0;
        while let (Some(ours), Some(theirs)) = (self.ours.first_entry(), self.theirs.first_entry())
            && ours.key() == theirs.key()
        {
            let (ours, theirs) = (ours.remove(), theirs.remove());
            if ours != theirs {
                return Claim::Mismatch;
            }
            self.digest.push(&ours);
            self.compared += 1;
            matched += 1;
        }
        if let Some((fault, sent)) = self.fault {
            return match self.written == sent {
                true => Claim::Failed { fault, matched: matched + self.theirs.len() },
                false => Claim::Fine { matched },
            };
        }
        let chunks = chunk_count(self.size());
        if self.compared == chunks
            && self.vouched.is_some_and(|digest| digest != self.digest.clone().finish())
        {
            return Claim::Mismatch;
        }
        Claim::Fine { matched }
    }
}
