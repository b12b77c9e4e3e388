//! SHA-256 over bytes that arrive in parts, or lie in a file.

use sha2::{Digest, Sha256};

use crate::fs::os::File;
use crate::wire::peer::Hash;
use crate::wire::{CHUNK_BYTES, chunk_length};

/// Bytes that are read at once to be hashed: they stay in the processor's cache.
const HASHED_BYTES: usize = 64 << 10;

/// A running hash of one chunk.
#[derive(Default)]
pub(crate) struct ChunkHasher(Sha256);

impl ChunkHasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all bytes taken.
    pub fn finish(self) -> Hash {
        self.0.finalize().into()
    }
}

/// The hash of `bytes`.
pub(crate) fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// The hash of all `parts` in order.
pub(crate) fn hash_parts(parts: &[bytes::Bytes]) -> Hash {
    let mut hasher = ChunkHasher::default();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finish()
}

/// The hash of chunk `index` of an entry of `size` bytes, if all of it is in `file` and can be read.
pub(crate) fn hash_chunk(file: &File, size: u64, index: u32) -> Option<Hash> {
    let start = u64::from(index) * u64::from(CHUNK_BYTES);
    let end = start + chunk_length(size, index);
    let mut hasher = ChunkHasher::default();
    let mut buffer = vec![0; HASHED_BYTES];
    for offset in (start..end).step_by(HASHED_BYTES) {
        let part = buffer
            .get_mut(..usize::try_from(end - offset).map_or(HASHED_BYTES, |it| it.min(HASHED_BYTES)))?;
        match file.read_at(part, offset) {
            Ok(read) if read == part.len() => hasher.update(part),
            Ok(_) => return None,
            Err(error) => {
                log::warn!("what is here of chunk {index} cannot be read: error {}", error.code);
                return None;
            }
        }
    }
    (end > start).then(|| hasher.finish())
}

#[cfg(test)]
mod tests {
    use crate::fs::hash::{ChunkHasher, hash};

    /// FIPS 180-4, the example of "abc".
    #[test]
    fn parts_hash_like_the_whole() {
        let mut parts = ChunkHasher::default();
        parts.update(b"a");
        parts.update(b"");
        parts.update(b"bc");
        let whole = hash(b"abc");
        assert_eq!(parts.finish(), whole);
        assert_eq!(whole[..4], [0xba, 0x78, 0x16, 0xbf]);
    }
}
