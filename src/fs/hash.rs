//! SHA-256 over bytes that arrive in parts.

use sha2::{Digest, Sha256};

use crate::wire::peer::Hash;

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
