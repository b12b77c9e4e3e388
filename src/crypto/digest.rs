//! Digests of files: SHA-256 of each chunk, and one digest of an entry over its size and chunk hashes.
//!
//! Chunks are hashed apart so that a resumed transfer checks and repeats single chunks; the entry
//! digest ties them to an order, a number and a size. It is not the `sha256sum` of the file.

use sha2::{Digest, Sha256};

use crate::crypto::lv;

/// SHA-256 of something (FIPS 180-4).
pub type Hash = [u8; 32];

/// Domain separation of entry digests.
const ENTRY_DOMAIN: &[u8] = b"p2pcp/1 file";

/// The same for the digests of streams.
const STREAM_DOMAIN: &[u8] = b"p2pcp/1 stream";

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// The hash of one chunk: SHA-256 of its bytes, which are `wire::CHUNK_BYTES` long but for the last.
pub fn chunk_hash(chunk: &[u8]) -> Hash {
    sha256(chunk)
}

/// The digest of an entry in the making:
/// `SHA-256(lv("p2pcp/1 file", size as u64, big endian) || chunk hashes in order)`.
///
/// An empty file has no chunks. The caller pushes one hash for each chunk, in order.
#[derive(Clone)]
pub struct EntryDigest(Sha256);

impl EntryDigest {
    /// Begins the digest of an entry of `size` bytes.
    pub fn new(size: u64) -> Self {
        Self(Sha256::new_with_prefix(lv(&[ENTRY_DOMAIN, &size.to_be_bytes()])))
    }

    /// Adds the next chunk's hash.
    pub fn push(&mut self, chunk: &Hash) {
        self.0.update(chunk);
    }

    /// The digest.
    pub fn finish(self) -> Hash {
        self.0.finalize().into()
    }

    /// Begins the digest of an entry of which nobody knows the size:
    /// `SHA-256(lv("p2pcp/1 stream") || chunk hashes in order || size as u64, big endian)`.
    pub fn of_stream() -> Self {
        Self(Sha256::new_with_prefix(lv(&[STREAM_DOMAIN])))
    }

    /// The digest of a stream that turned out to have `size` bytes.
    pub fn finish_stream(mut self, size: u64) -> Hash {
        self.0.update(size.to_be_bytes());
        self.finish()
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use serde_json::Value;

    use crate::crypto::digest::{EntryDigest, Hash, chunk_hash, sha256};

    const CHUNK_BYTES: usize = 1 << 20;

    fn digest(bytes: &[u8]) -> Hash {
        let mut digest = EntryDigest::new(bytes.len() as u64);
        bytes.chunks(CHUNK_BYTES).for_each(|chunk| digest.push(&chunk_hash(chunk)));
        digest.finish()
    }

    #[test]
    fn shared_figures_are_reproduced() {
        let figures: Value =
            serde_json::from_str(include_str!("../../fixtures/vectors/digest.json")).unwrap();
        let files = figures["files"].as_array().unwrap();
        assert_eq!(files.len(), 6);
        for file in files {
            let size = file["size"].as_u64().unwrap();
            // Byte number i of every file is i mod 251, a period that no chunk border divides.
            let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let hex = |hash: Hash| Value::String(HEXLOWER.encode(&hash));
            let chunks: Vec<Value> = bytes.chunks(CHUNK_BYTES).map(|it| hex(chunk_hash(it))).collect();
            assert_eq!(Value::Array(chunks), file["chunks"], "{size} bytes");
            assert_eq!(hex(digest(&bytes)), file["entry"], "{size} bytes");
            assert_eq!(hex(sha256(&bytes)), file["sha256"], "{size} bytes");
        }
    }

    #[test]
    fn size_order_and_number_of_chunks_count() {
        let of = |size, chunks: &[u8]| {
            let mut digest = EntryDigest::new(size);
            chunks.iter().for_each(|&chunk| digest.push(&[chunk; 32]));
            digest.finish()
        };
        let base = of(9, &[1, 2]);
        assert_eq!(base, of(9, &[1, 2]));
        for other in [of(10, &[1, 2]), of(9, &[2, 1]), of(9, &[1]), of(9, &[1, 2, 2])] {
            assert_ne!(base, other);
        }
    }
}
