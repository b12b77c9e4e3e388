//! SHA-256 over bytes that arrive in parts, or lie in a file.

#[cfg(target_arch = "x86_64")]
mod four;

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

/// How many whole chunks [`hash_each`] takes at once: one where more are no gain.
pub(crate) fn hashed_together() -> usize {
    #[cfg(target_arch = "x86_64")]
    if four::is_possible() {
        return four::LANES;
    }
    1
}

/// The hashes of messages, each of which comes in parts. Faster than one after the other for [`hashed_together`] of
/// messages whose parts are alike.
pub(crate) fn hash_each(messages: &[Vec<&[u8]>]) -> Vec<Hash> {
    #[cfg(target_arch = "x86_64")]
    if let (fours, rest) = messages.as_chunks()
        && let Some(fours) = fours.iter().map(four::hash_four).collect::<Option<Vec<_>>>()
    {
        return fours.into_iter().flatten().chain(rest.iter().map(|it| hash_parts(it))).collect();
    }
    messages.iter().map(|it| hash_parts(it)).collect()
}

/// The hash of all `parts` in order.
pub(crate) fn hash_parts<T: AsRef<[u8]>>(parts: &[T]) -> Hash {
    let mut hasher = ChunkHasher::default();
    parts.iter().for_each(|part| hasher.update(part.as_ref()));
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
    use crate::fs::hash::{ChunkHasher, hash, hash_each, hashed_together};

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

    #[test]
    fn several_messages_hash_as_each_does_alone() {
        let bytes: Vec<u8> = (0..4096).map(|at| (at * at % 251) as u8).collect();
        let alike = |parts: &[usize]| -> Vec<Vec<&[u8]>> {
            let message = |from: usize| parts.iter().map(|&length| &bytes[from..from + length]).collect();
            (0..11).map(message).collect()
        };
        // Whole blocks, none, no parts, and what no instruction takes as it is.
        let mut cases: Vec<_> = [&[64, 640, 128][..], &[64], &[0], &[], &[63], &[64, 1, 63], &[65, 128]]
            .into_iter()
            .map(|parts| (format!("parts of {parts:?}"), alike(parts)))
            .collect();
        let of_unequal_lengths = (1..=8).map(|blocks| vec![&bytes[..blocks * 64]]).collect();
        let of_unequal_parts = (0..=8).map(|at| vec![&bytes[..at * 64], &bytes[at * 64..512]]).collect();
        let of_unequal_numbers = (0..=8).map(|parts| vec![&bytes[..64]; parts]).collect();
        cases.push(("unequal lengths".to_owned(), of_unequal_lengths));
        cases.push(("unequal parts".to_owned(), of_unequal_parts));
        cases.push(("unequal numbers of parts".to_owned(), of_unequal_numbers));
        for (case, messages) in cases {
            let each: Vec<_> = messages.iter().map(|parts| hash(&parts.concat())).collect();
            assert_eq!(hash_each(&messages), each, "{case}");
        }
    }

    #[test]
    fn processors_with_instructions_for_it_hash_four_at_once() {
        #[cfg(target_arch = "x86_64")]
        let expected = if is_x86_feature_detected!("sha") { 4 } else { 1 };
        #[cfg(not(target_arch = "x86_64"))]
        let expected = 1;
        assert_eq!(hashed_together(), expected);
    }
}
