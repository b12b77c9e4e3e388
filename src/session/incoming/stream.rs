//! Entries whose size comes last, chunks that wait for their proofs, and what is missing.

use crate::session::incoming::{Chunk, Claim, Incoming};
use crate::wire::peer::{Entry, EntryKind, Hash};
use crate::wire::{CHUNK_BYTES, MAX_ENTRY_BYTES, chunk_count};

impl Incoming {
    /// Whether it is a stream that has not ended.
    pub fn is_open(&self) -> bool {
        self.size.is_none()
    }

    /// What it is by now: a stream that has ended is a file.
    pub fn known(&self) -> Entry {
        let kind = match (&self.item.kind, self.size) {
            (&EntryKind::Stream { mtime }, Some(size)) => EntryKind::File { size, mtime, executable: false },
            (kind, _) => kind.clone(),
        };
        Entry { path: self.item.path.clone(), kind }
    }

    /// The sender's word that a stream has ended, and after how much. Gives its last chunk, if that is a
    /// short one and has come.
    pub fn take_end(&mut self, size: u64, digest: Hash) -> (Claim, Option<Chunk>) {
        // It may overtake parts of a packed chunk, which then has to fit what it says.
        let cut = self.packed.filter(|_| !self.short).is_some_and(|it| {
            let end = self.next + u64::from(it.plain);
            end > size || (end < size && !end.is_multiple_of(u64::from(CHUNK_BYTES)))
        });
        let sane = self.is_open() && size <= MAX_ENTRY_BYTES && self.next <= size && !cut;
        if !sane || u64::from(self.claimed) != chunk_count(size) {
            return (Claim::Impossible, None);
        }
        self.size = Some(size);
        let whole = self.next == size && !self.parts.is_empty();
        if self.short && !whole {
            return (Claim::Impossible, None);
        }
        self.short = false;
        let index = u32::try_from(size / u64::from(CHUNK_BYTES)).ok().filter(|_| whole);
        let chunk = index.map(|index| self.take_chunk(index));
        (self.take_digest(digest), chunk)
    }

    /// Keeps a complete chunk until its proof is there.
    pub fn hold(&mut self, chunk: Chunk) {
        self.unwritten.insert(chunk.index, chunk);
    }

    /// The next chunk that was held and has its proof by now, and that proof.
    pub fn release(&mut self) -> Option<(Chunk, Hash)> {
        let (&index, _) = self.unwritten.first_key_value()?;
        let proof = *self.theirs.get(&index)?;
        Some((self.unwritten.pop_first()?.1, proof))
    }

    /// The digest over what is proven so far.
    pub(super) fn own_digest(&self) -> Hash {
        let digest = self.digest.clone();
        if self.item.kind.is_stream() { digest.finish_stream(self.size()) } else { digest.finish() }
    }

    /// Bytes of it that have neither come in nor been found here.
    pub fn bytes_missing(&self) -> u64 {
        if self.item.kind.is_stream() {
            return 0;
        }
        let checked = u64::from(self.held_back()).min(self.compared) * u64::from(CHUNK_BYTES);
        let start = self.start();
        self.size().saturating_sub(start).saturating_sub(self.next - start) + start.saturating_sub(checked)
    }
}
