//! From wanted entries to blocks and proofs.

use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::crypto::digest::EntryDigest;
use crate::session::sender::packing::Pack;
use crate::session::sender::{Job, Sender};
use crate::session::{Event, Violation};
use crate::wire::block;
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
    /// Leading chunks whose bytes are held back: the receiver seems to have them.
    pub(super) held_back: u32,
    /// Bytes of it that were read for the first time and sent or held back.
    pub(super) sent: u64,
    /// Bytes of it that were held back, less those that were asked for again.
    pub(super) spared: u64,
    /// The first chunk that may still be asked for again; they are asked for in order.
    pub(super) again: u32,
    /// Bytes of it that were sent again.
    pub(super) resent: u64,
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
    round: Round,
    pack: Pack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// The chunk is hashed and proven, and its bytes go out unless they are held back.
    First,
    /// Its bytes go out after all.
    Again,
}

impl Sender {
    pub(super) fn handle_again(&mut self, entry: u32, chunks: &[u32]) -> Result<(), Violation> {
        let outgoing = self.outstanding.get_mut(&entry).ok_or(Violation::UnknownEntry(entry))?;
        for &index in chunks {
            let proven = matches!(outgoing.reading, Reading::Proven(_));
            if !proven || !(outgoing.again..outgoing.held_back).contains(&index) {
                return Err(Violation::FalseClaim(entry));
            }
            outgoing.again = index + 1;
            let bytes = chunk_length(outgoing.kind.size(), index);
            outgoing.spared -= bytes;
            self.spared -= bytes;
            self.to_resend.push_back((entry, index));
        }
        Ok(())
    }

    pub(super) fn handle_restart(&mut self, entry: u32) -> Result<(), Violation> {
        let outgoing = self.outstanding.get_mut(&entry).ok_or(Violation::UnknownEntry(entry))?;
        let proven = matches!(outgoing.reading, Reading::Proven(_));
        if !proven || outgoing.held_back == 0 || outgoing.again > 0 {
            return Err(Violation::FalseClaim(entry));
        }
        let size = outgoing.kind.size();
        self.spared -= outgoing.spared;
        outgoing.digest = EntryDigest::new(size);
        (outgoing.held_back, outgoing.spared, outgoing.sent) = (0, 0, 0);
        outgoing.reading = Reading::Next(0);
        self.to_read.push_back(entry);
        Ok(())
    }

    /// Issues reads of chunks that were asked for again. Whether it is done with them for now.
    fn resend_on(&mut self) -> bool {
        while let Some(&(entry, index)) = self.to_resend.front() {
            let proven = |it: &&Outgoing| matches!(it.reading, Reading::Proven(_));
            if let Some(outgoing) = self.outstanding.get(&entry).filter(proven) {
                let bytes = chunk_length(outgoing.kind.size(), index);
                if self.issued.len() >= MAX_READS || self.taken - self.acked + bytes > self.window {
                    return false;
                }
                let Some(pack) = self.packing.ask(bytes) else { return false };
                self.taken += bytes;
                self.issued.push_back(Issued { entry, index, bytes, round: Round::Again, pack });
                self.out.disk(Job::Read { entry, index, pack });
            }
            self.to_resend.pop_front();
        }
        true
    }

    /// Issues reads while the window, in bytes, and the number under way allow.
    pub(super) fn read_on(&mut self) {
        while self.resend_on()
            && self.issued.len() < MAX_READS
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
            let held_back = index < outgoing.held_back || bytes == 0;
            let pack = if held_back { Some(Pack::No) } else { self.packing.ask(bytes) };
            let Some(pack) = pack else { break };
            let last = u64::from(index) + 1 >= chunk_count(*size);
            outgoing.reading = if last { Reading::Issued } else { Reading::Next(index + 1) };
            let started = (index == 0).then(|| outgoing.path.clone());
            if last {
                self.to_read.pop_front();
            }
            self.taken += bytes;
            self.issued.push_back(Issued { entry, index, bytes, round: Round::First, pack });
            let job = if bytes == 0 { Job::Check { entry } } else { Job::Read { entry, index, pack } };
            self.out.disk(job);
            if let Some(path) = started {
                self.out.emit(Event::Current(path));
            }
        }
    }

    pub(super) fn handle_read(
        &mut self,
        now: Instant,
        (entry, index): (u32, u32),
        result: Result<(Vec<BytesMut>, Hash), SourceFault>,
        spent: Duration,
    ) {
        let Some(&issued) = self.issued.front().filter(|it| it.entry == entry && it.index == index) else {
            return;
        };
        self.issued.pop_front();
        self.packing.answered(issued.pack, issued.bytes);
        let outgoing = self.outstanding.get_mut(&entry);
        match outgoing.filter(|it| !matches!(it.reading, Reading::Failed(_))) {
            Some(outgoing) => match result {
                Ok((frames, hash)) => {
                    self.sent += issued.bytes;
                    let held_back = issued.round == Round::First && index < outgoing.held_back;
                    outgoing.spared += if held_back { issued.bytes } else { 0 };
                    match issued.round {
                        Round::First => self.prove(issued, hash),
                        Round::Again => outgoing.resent += issued.bytes,
                    }
                    if held_back {
                        self.withheld += issued.bytes;
                        self.spared += issued.bytes;
                        self.out.emit(Event::Spared(self.spared));
                    } else {
                        self.send_blocks(now, frames, issued.bytes, (issued.pack, spent));
                    }
                }
                Err(fault) => {
                    self.taken -= issued.bytes;
                    outgoing.reading = Reading::Failed(fault);
                    let sent = match issued.round {
                        Round::First => outgoing.sent,
                        Round::Again => outgoing.resent,
                    };
                    self.proofs.push(Proof::Failed { entry, fault, sent });
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

    /// Sends a chunk of `bytes`, after they were counted as sent.
    pub(super) fn send_blocks(
        &mut self,
        now: Instant,
        frames: Vec<BytesMut>,
        bytes: u64,
        (pack, spent): (Pack, Duration),
    ) {
        let wire = frames.iter().map(|it| block::payload_bytes(it)).sum();
        self.summary.wire += wire;
        self.packing.read(now, pack, (bytes, wire, self.sent), spent);
        frames.into_iter().for_each(|frame| self.out.send_block(frame));
    }

    /// Vouches for a chunk that was read, and for its entry if that was the last one.
    fn prove(&mut self, Issued { entry, index, bytes, .. }: Issued, hash: Hash) {
        let Some(outgoing) = self.outstanding.get_mut(&entry) else { return };
        if bytes > 0 {
            outgoing.digest.push(&hash);
            outgoing.sent += bytes;
            self.proofs.push(Proof::Chunk { entry, index, hash });
        }
        if u64::from(index) + 1 >= chunk_count(outgoing.kind.size()) {
            let digest = outgoing.digest.clone().finish();
            outgoing.reading = Reading::Proven(digest);
            self.proofs.push(Proof::Entry { entry, digest });
        }
        self.proof_bytes += bytes;
    }

    pub(super) fn flush_proofs(&mut self) {
        self.proof_bytes = 0;
        if !self.proofs.is_empty() {
            let proofs = std::mem::take(&mut self.proofs);
            self.out.send(&PeerMessage::Proofs(proofs));
        }
    }
}
