//! From wanted entries to blocks and proofs.

use bytes::BytesMut;

use crate::crypto::digest::EntryDigest;
use crate::session::Event;
use crate::session::sender::{Job, Sender};
use crate::wire::path::RelPath;
use crate::wire::peer::{EntryKind, Hash, PeerMessage, Proof, SourceFault};
use crate::wire::{CHUNK_BYTES, chunk_count, chunk_length};

/// Reads that may be under way; enough to keep a disk thread busy with files of a few KiB.
const MAX_READS: usize = 64;

/// Proofs that wait for company before they are sent.
const PROOF_BATCH: usize = 256;

/// Proofs are sent at the latest after this many bytes.
const PROOF_BYTES: u64 = CHUNK_BYTES as u64;

/// An announced entry that is not settled yet.
pub(super) struct Outgoing {
    pub(super) path: RelPath,
    /// What it takes of the allowance for outstanding entries.
    pub(super) manifest_bytes: usize,
    pub(super) kind: EntryKind,
    pub(super) reading: Reading,
    pub(super) digest: EntryDigest,
    /// Payload bytes handed to the bulk channel.
    pub(super) sent: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// The receiver has not said whether it wants the bytes.
    Announced,
    /// Wanted; this chunk is read next.
    Next(u32),
    /// All reads are under way.
    Issued,
    /// The proof went out (the digest is zero for what has no bytes).
    Proven(Hash),
    /// It could not be read to the end.
    Failed(SourceFault),
}

/// A read that is under way; reads end in the order in which they were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Issued {
    entry: u32,
    index: u32,
    bytes: u64,
}

impl Sender {
    /// Issues reads while the window, in bytes, and the number under way allow.
    pub(super) fn read_on(&mut self) {
        while self.issued.len() < MAX_READS
            && let Some(&entry) = self.to_read.front()
        {
            let Some(outgoing) = self.outstanding.get_mut(&entry) else {
                self.to_read.pop_front();
                continue;
            };
            let (EntryKind::File { size, .. }, Reading::Next(index)) = (&outgoing.kind, outgoing.reading)
            else {
                self.to_read.pop_front();
                continue;
            };
            let bytes = chunk_length(*size, index);
            if self.taken - self.acked + bytes > self.window {
                break;
            }
            let last = u64::from(index) + 1 >= chunk_count(*size);
            outgoing.reading = if last { Reading::Issued } else { Reading::Next(index + 1) };
            let started = (index == 0).then(|| outgoing.path.clone());
            if last {
                self.to_read.pop_front();
            }
            self.taken += bytes;
            self.issued.push_back(Issued { entry, index, bytes });
            let job = if bytes == 0 { Job::Check { entry } } else { Job::Read { entry, index } };
            self.out.disk(job);
            if let Some(path) = started {
                self.out.emit(Event::Current(path));
            }
        }
    }

    pub(super) fn handle_read(
        &mut self,
        entry: u32,
        index: u32,
        result: Result<(Vec<BytesMut>, Hash), SourceFault>,
    ) {
        let Some(&issued) = self.issued.front().filter(|it| it.entry == entry && it.index == index) else {
            return;
        };
        self.issued.pop_front();
        let outgoing = self.outstanding.get_mut(&entry);
        match outgoing.filter(|it| !matches!(it.reading, Reading::Failed(_))) {
            Some(outgoing) => match result {
                Ok((frames, hash)) => {
                    if issued.bytes > 0 {
                        outgoing.digest.push(&hash);
                        outgoing.sent += issued.bytes;
                        self.sent += issued.bytes;
                        self.proofs.push(Proof::Chunk { entry, index, hash });
                    }
                    if u64::from(index) + 1 >= chunk_count(outgoing.kind.size()) {
                        let digest = outgoing.digest.clone().finish();
                        outgoing.reading = Reading::Proven(digest);
                        self.proofs.push(Proof::Entry { entry, digest });
                    }
                    self.proof_bytes += issued.bytes;
                    for frame in frames {
                        self.out.send_block(frame);
                    }
                }
                Err(fault) => {
                    self.taken -= issued.bytes;
                    outgoing.reading = Reading::Failed(fault);
                    self.proofs.push(Proof::Failed { entry, fault, sent: outgoing.sent });
                }
            },
            // It failed at an earlier chunk, and may even be settled: nothing of this goes out.
            None => self.taken -= issued.bytes,
        }
        let due = self.proof_bytes >= PROOF_BYTES || self.proofs.len() >= PROOF_BATCH;
        if due || self.issued.is_empty() {
            self.flush_proofs();
        }
    }

    fn flush_proofs(&mut self) {
        self.proof_bytes = 0;
        if !self.proofs.is_empty() {
            let proofs = std::mem::take(&mut self.proofs);
            self.out.send(&PeerMessage::Proofs(proofs));
        }
    }
}
