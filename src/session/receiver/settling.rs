//! From written chunks to settled entries: verify, journal, commit, tell.

use std::time::{Duration, Instant};

use crate::session::incoming::Claim;
use crate::session::receiver::{Commit, Job, Receiver, State, WrittenChunk};
use crate::session::{Event, Failure, Violation};
use crate::wire::peer::{Hash, Outcome, PeerMessage, Settled};
use crate::wire::{CHUNK_BYTES, DEFAULT_WINDOW_BYTES, chunk_length};

/// Written and not yet journaled bytes of unfinished entries, at which a checkpoint is due.
const CHECKPOINT_BYTES: u64 = 64 << 20;

/// Time after which a checkpoint is due.
pub(super) const CHECKPOINT_AFTER: Duration = Duration::from_secs(2);

/// Written bytes after which the sender is told.
const ACK_BYTES: u64 = DEFAULT_WINDOW_BYTES as u64 / 16;

/// Settled entries in one message; 1,000 of them are 40 KB.
const SETTLED_BATCH: usize = 1000;

impl Receiver {
    pub(super) fn handle_wrote(
        &mut self,
        now: Instant,
        entry: u32,
        index: u32,
        hash: Hash,
    ) -> Result<(), Failure> {
        let Some(incoming) = self.outstanding.get_mut(&entry).filter(|it| it.writes_next(index)) else {
            return Ok(());
        };
        let size = incoming.size();
        self.written += chunk_length(size, index);
        let claim = incoming.wrote(index, hash);
        if size > u64::from(CHUNK_BYTES) && !incoming.item.kind.is_stream() {
            self.unjournaled.push(WrittenChunk { entry, index, hash });
            self.unjournaled_since.get_or_insert(now);
        }
        self.acknowledge_soon(now);
        self.judge(now, entry, claim)
    }

    /// Tells the sender once enough was written to be worth it.
    pub(super) fn acknowledge_soon(&mut self, now: Instant) {
        if self.written - self.acked.1 >= ACK_BYTES {
            self.acknowledge(now);
        }
    }

    pub(super) fn acknowledge(&mut self, now: Instant) {
        if self.acked != (self.received, self.written) {
            self.acked = (self.received, self.written);
            self.acked_at = now;
            self.out.send(&PeerMessage::Ack { received: self.received, written: self.written });
            self.summary.bytes = self.written - self.held_back;
            self.out.emit(Event::Moved(self.received - self.held_back));
        }
    }

    /// Acts on what an entry's bytes and proofs say together.
    pub(super) fn judge(&mut self, now: Instant, entry: u32, claim: Claim) -> Result<(), Failure> {
        match claim {
            Claim::Fine(progress) => {
                self.note(now, progress);
                if self.outstanding.get(&entry).is_some_and(|it| it.verified().is_some()) {
                    self.verified.insert(entry);
                }
                Ok(())
            }
            Claim::Differs(progress) => {
                self.note(now, progress);
                self.mend(entry);
                Ok(())
            }
            Claim::Failed(fault, progress) => {
                self.note(now, progress);
                self.let_go(entry, Outcome::SourceFailed(fault));
                Ok(())
            }
            Claim::Unproven => Err(Violation::TooMuch("bytes without proof").into()),
            Claim::Impossible => Err(Violation::FalseClaim(entry).into()),
            Claim::Mismatch => {
                let path = self.outstanding.get(&entry).map(|it| it.item.path.clone());
                Err(path.map_or(Failure::from(Violation::UnknownEntry(entry)), Failure::Integrity))
            }
        }
    }

    /// Starts the next commit: verified files in any order; folders and links only once nothing that
    /// was announced before them is missing. One commit is under way at a time, so that those which
    /// become ready meanwhile share the next one's syncs.
    pub(super) fn commit_on(&mut self) {
        if !self.committing.is_empty() || self.state != State::Writing {
            return;
        }
        let mut ready = std::mem::take(&mut self.verified);
        for (&entry, incoming) in &self.outstanding {
            let in_turn = !incoming.item.kind.is_file() && incoming.planned();
            if in_turn {
                ready.insert(entry);
            } else if !ready.contains(&entry) {
                break;
            }
        }
        let batch: Vec<Commit> = ready
            .into_iter()
            .filter_map(|entry| {
                let incoming = self.outstanding.get(&entry)?;
                let digest = incoming.verified().unwrap_or_default();
                Some(Commit { entry, item: incoming.known(), digest })
            })
            .collect();
        if !batch.is_empty() {
            self.committing = batch.iter().map(|it| it.entry).collect();
            self.unjournaled.retain(|it| self.committing.binary_search(&it.entry).is_err());
            self.out.disk(Job::Commit(batch));
        }
    }

    pub(super) fn checkpoint_on(&mut self, now: Instant) {
        let bytes = self.unjournaled.len() as u64 * u64::from(CHUNK_BYTES);
        if self.unjournaled.is_empty() {
            self.unjournaled_since = None;
        }
        let due = bytes >= CHECKPOINT_BYTES
            || self.unjournaled_since.is_some_and(|since| now >= since + CHECKPOINT_AFTER);
        if due && !self.checkpointing && !self.unjournaled.is_empty() {
            self.checkpointing = true;
            self.unjournaled_since = None;
            let chunks = std::mem::take(&mut self.unjournaled);
            self.out.disk(Job::Checkpoint(chunks));
        }
    }

    pub(super) fn settle(&mut self, settled: Vec<Settled>) {
        for batch in settled.chunks(SETTLED_BATCH) {
            for it in batch {
                let Some(incoming) = self.outstanding.remove(&it.entry) else { continue };
                self.manifest_bytes -= incoming.item.encoded_bytes();
                self.receipt.settle(it);
                if !matches!(it.outcome, Outcome::Kept { .. }) {
                    self.summary.spared -= incoming.here();
                }
                self.summary.count(it.outcome, &incoming.item.kind);
                let (file, spared) = (incoming.item.kind.is_file(), incoming.bytes_missing());
                self.out.emit(Event::Settled { path: incoming.item.path, outcome: it.outcome, file, spared });
            }
            self.out.send(&PeerMessage::Settled(batch.to_vec()));
        }
    }
}
