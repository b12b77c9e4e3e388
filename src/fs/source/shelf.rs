//! Chunks that were read lately, for several sources of the same paths: what one has read and hashed, the others take from here.
//!
//! Invariants: at most [`SHELF_BYTES`] are kept, and the oldest go first; a source waits for another one only while that one
//! reads the very chunk that it wants, so a slow one holds up nobody, and one that is far behind reads again itself. A chunk
//! belongs to a file of one identity, size and times, and so to what a source announced: what was read before a file
//! changed is never taken for what it is now.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::fs::chunk::ChunkRead;
use crate::fs::os::FileId;
use crate::fs::source::Source;
use crate::wire::CHUNK_BYTES;
use crate::wire::block::{self, HEADER_BYTES};
use crate::wire::peer::{Hash, Mtime, SourceFault};

/// What is kept, in bytes: so far can sources be apart and still read once. At 100 MiB/s that is half a second.
pub(crate) const SHELF_BYTES: usize = 64 << 20;

/// What a chunk costs beside its bytes, roughly: small files are many.
const BESIDE_BYTES: usize = 512;

/// Which chunk of which version of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    id: FileId,
    size: u64,
    mtime: Mtime,
    ctime: Mtime,
    index: u32,
}

/// A chunk whose frames have no header, as each source numbers for itself.
#[derive(Debug)]
struct Kept {
    payloads: Vec<Bytes>,
    hash: Hash,
}

#[derive(Debug)]
enum Slot {
    /// Somebody reads it.
    Reading,
    Kept(Arc<Kept>),
}

/// What sources that share it have read lately.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    state: Mutex<State>,
    /// A chunk is no longer being read.
    read: Condvar,
}

#[derive(Debug, Default)]
struct State {
    slots: HashMap<Key, Slot>,
    /// Those that are kept, the oldest first.
    order: VecDeque<Key>,
    bytes: usize,
    #[cfg(test)]
    reads: u64,
}

impl Source {
    /// Another source of the same paths, which begins at their beginning. Whichever of them reads a chunk first reads
    /// and hashes it for all that come soon after.
    pub fn another(&mut self) -> Self {
        let shelf = self.shelf.get_or_insert_default().clone();
        Self { shelf: Some(shelf), ..Self::over(self.roots.clone(), self.selection.clone(), None) }
    }

    /// Reads chunk `index` (its offset in [`CHUNK_BYTES`]) of an announced file.
    ///
    /// One file is open at a time, so chunks are best read in order; they may be read again in any order.
    ///
    /// # Errors
    /// [`SourceFault::Changed`] as the head of this file says; `Gone`, `Denied` or `Io` when it cannot be
    /// read, and `Io` for a chunk that no announced file has.
    pub fn read_chunk(&mut self, entry: u32, index: u32) -> Result<ChunkRead, SourceFault> {
        // The last one of several reads for itself.
        let Some(shelf) = self.shelf.clone().filter(|it| Arc::strong_count(it) > 2) else {
            return self.read_alone(entry, index);
        };
        let announced = self.announced.get(&entry).ok_or(SourceFault::Io)?;
        let (size, mtime, ctime) = announced.file.ok_or(SourceFault::Io)?;
        let key = Key { id: announced.id, size, mtime, ctime, index };
        if let Some(kept) = shelf.take(key) {
            return Ok(kept.read_as(entry, index));
        }
        let mut turn = Turn { shelf: &shelf, key, kept: None };
        let chunk = self.read_alone(entry, index)?;
        turn.kept = Some(Kept::of(&chunk));
        Ok(chunk)
    }

    /// Reads several chunks as [`Source::read_chunk`] reads one. They are hashed together, which is faster.
    pub fn read_chunks(&mut self, wanted: &[(u32, u32)]) -> Vec<Result<ChunkRead, SourceFault>> {
        if self.shelf.is_some() {
            return wanted.iter().map(|&(entry, index)| self.read_chunk(entry, index)).collect();
        }
        let (mut read, mut faults) = (Vec::with_capacity(wanted.len()), Vec::with_capacity(wanted.len()));
        for &(entry, index) in wanted {
            faults.push(self.read_from_disk(entry, index).map(|frames| read.push(frames)).err());
        }
        let mut read = ChunkRead::of(read);
        faults
            .into_iter()
            .map(|fault| fault.map_or_else(|| read.next().ok_or(SourceFault::Io), Err))
            .collect()
    }

    fn read_alone(&mut self, entry: u32, index: u32) -> Result<ChunkRead, SourceFault> {
        let frames = self.read_from_disk(entry, index)?;
        ChunkRead::of(vec![frames]).next().ok_or(SourceFault::Io)
    }
}

impl Kept {
    fn of(chunk: &ChunkRead) -> Self {
        let payload = |frame: &[u8]| Bytes::copy_from_slice(frame.get(HEADER_BYTES..).unwrap_or_default());
        Self { payloads: chunk.frames.iter().map(|it| payload(it)).collect(), hash: chunk.hash }
    }

    fn bytes(&self) -> usize {
        BESIDE_BYTES + self.payloads.iter().map(Bytes::len).sum::<usize>()
    }

    fn read_as(&self, entry: u32, index: u32) -> ChunkRead {
        let mut offset = u64::from(index) * u64::from(CHUNK_BYTES);
        let frame = |payload: &Bytes| {
            let length = u32::try_from(payload.len()).unwrap_or(CHUNK_BYTES);
            let mut frame = block::begin(block::Header { entry, length, offset, packed: None });
            frame.extend_from_slice(payload);
            offset += u64::from(length);
            frame
        };
        ChunkRead { frames: self.payloads.iter().map(frame).collect(), hash: self.hash }
    }
}

impl Shelf {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is whole in itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The chunk, if it is kept; otherwise it is for the caller to read, and [`Turn`] to say how that went.
    fn take(&self, key: Key) -> Option<Arc<Kept>> {
        let mut state = self.state();
        loop {
            match state.slots.get(&key) {
                Some(Slot::Kept(kept)) => return Some(kept.clone()),
                Some(Slot::Reading) => {
                    state = self.read.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                None => {
                    state.slots.insert(key, Slot::Reading);
                    #[cfg(test)]
                    {
                        state.reads += 1;
                    }
                    return None;
                }
            }
        }
    }

    /// Chunks that were read from the disk.
    #[cfg(test)]
    fn reads(&self) -> u64 {
        self.state().reads
    }
}

impl State {
    fn keep(&mut self, key: Key, kept: Kept) {
        self.bytes += kept.bytes();
        self.slots.insert(key, Slot::Kept(Arc::new(kept)));
        self.order.push_back(key);
        while self.bytes > SHELF_BYTES
            && let Some(oldest) = self.order.pop_front()
        {
            if let Some(Slot::Kept(kept)) = self.slots.remove(&oldest) {
                self.bytes -= kept.bytes();
            }
        }
    }
}

/// The turn of one source to read a chunk. When it ends, others that wait for it take it, or try themselves.
struct Turn<'a> {
    shelf: &'a Shelf,
    key: Key,
    kept: Option<Kept>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.shelf.state();
        match self.kept.take() {
            Some(kept) => state.keep(self.key, kept),
            None => drop(state.slots.remove(&self.key)),
        }
        drop(state);
        self.shelf.read.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use crate::fs::source::shelf::{SHELF_BYTES, Shelf};
    use crate::fs::{Selection, Source};
    use crate::wire::CHUNK_BYTES;
    use crate::wire::block;
    use crate::wire::peer::SourceFault;

    const CHUNK: usize = CHUNK_BYTES as usize;

    fn sources<const N: usize>(path: &Path) -> [Source; N] {
        let mut first = Source::open(&[PathBuf::from(path)], Selection::default()).unwrap();
        let others: [Source; N] = std::array::from_fn(|_| first.another());
        others
    }

    fn shelf(source: &Source) -> &Shelf {
        source.shelf.as_ref().unwrap()
    }

    /// The bytes of a chunk, whose frames must say where they belong.
    fn read(source: &mut Source, entry: u32, index: u32) -> Vec<u8> {
        let chunk = source.read_chunk(entry, index).unwrap();
        let mut bytes = Vec::new();
        for frame in chunk.frames {
            let (header, payload) = block::parse(frame.freeze()).unwrap();
            assert_eq!(header.entry, entry);
            assert_eq!(header.offset, u64::from(index) * u64::from(CHUNK_BYTES) + bytes.len() as u64);
            bytes.extend_from_slice(&payload);
        }
        assert_eq!(crate::fs::hash::hash(&bytes), chunk.hash);
        bytes
    }

    fn pattern(size: usize) -> Vec<u8> {
        (0..size).map(|at| (at.wrapping_mul(at / 251 + 7) >> 3) as u8).collect()
    }

    #[test]
    fn what_several_read_at_once_is_read_from_the_disk_once() {
        let root = tempfile::tempdir().unwrap();
        let (large, small) = (pattern(5 * CHUNK + 17), pattern(300));
        fs::write(root.path().join("large"), &large).unwrap();
        fs::write(root.path().join("small"), &small).unwrap();
        let mut all = sources::<3>(root.path());
        std::thread::scope(|scope| {
            for source in &mut all {
                scope.spawn(|| {
                    for (entry, found) in (0..).zip(source.next_batch(9).entries) {
                        let Some(expected) = (match found.path.as_str().rsplit('/').next() {
                            Some("large") => Some(&large),
                            Some("small") => Some(&small),
                            _ => None,
                        }) else {
                            continue;
                        };
                        for (index, chunk) in (0..).zip(expected.chunks(CHUNK)) {
                            assert!(read(source, entry, index) == chunk, "{} {index}", found.path);
                        }
                    }
                });
            }
        });
        assert_eq!(shelf(&all[0]).reads(), 7);
    }

    #[test]
    fn who_is_far_behind_reads_again_and_holds_up_nobody() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("f");
        let chunks = u32::try_from(SHELF_BYTES / CHUNK).unwrap() + 2;
        fs::File::create(&path).unwrap().set_len(u64::from(chunks) * u64::from(CHUNK_BYTES)).unwrap();
        let [mut ahead, mut behind] = sources(&path);
        ahead.next_batch(9);
        behind.next_batch(9);
        (0..chunks).for_each(|index| drop(ahead.read_chunk(0, index).unwrap()));
        assert_eq!(shelf(&ahead).reads(), u64::from(chunks));
        let kept = shelf(&ahead).state().bytes;
        assert!((SHELF_BYTES - 2 * CHUNK..=SHELF_BYTES).contains(&kept), "{kept} bytes are kept");
        assert_eq!(read(&mut behind, 0, chunks - 1), vec![0; CHUNK]);
        assert_eq!(shelf(&ahead).reads(), u64::from(chunks));
        assert_eq!(read(&mut behind, 0, 0), vec![0; CHUNK]);
        assert_eq!(shelf(&ahead).reads(), u64::from(chunks) + 1);
    }

    #[test]
    fn what_a_file_was_is_not_taken_for_what_it_is() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("f");
        fs::write(&path, "as it was").unwrap();
        // A file that is named itself is what it was when it was named; in a folder it is found later.
        let [mut first, mut second, mut third] = sources(root.path());
        first.next_batch(9);
        third.next_batch(9);
        assert_eq!(read(&mut first, 0, 0), b"as it was");
        fs::write(&path, "as it is now").unwrap();
        second.next_batch(9);
        assert_eq!(read(&mut second, 0, 0), b"as it is now");
        // The same version as a whole: no source gets a mixture.
        assert_eq!(read(&mut third, 0, 0), b"as it was");
    }

    #[test]
    fn a_read_that_failed_is_for_the_next_to_try() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("f");
        fs::write(&path, "abc").unwrap();
        let mut both = sources::<2>(root.path());
        both.iter_mut().for_each(|it| drop(it.next_batch(9)));
        fs::rename(&path, root.path().join("g")).unwrap();
        for source in &mut both {
            assert_eq!(source.read_chunk(0, 0).unwrap_err(), SourceFault::Gone);
        }
        assert_eq!(shelf(&both[0]).reads(), 2);
    }

    #[test]
    fn the_last_one_of_several_keeps_nothing() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("f");
        fs::write(&path, "abc").unwrap();
        let [mut last, gone] = sources(&path);
        drop(gone);
        last.next_batch(9);
        assert_eq!(read(&mut last, 0, 0), b"abc");
        assert_eq!((shelf(&last).reads(), shelf(&last).state().bytes), (0, 0));
    }
}
