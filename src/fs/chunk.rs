//! One chunk of a file, as frames that the network sends.

use bytes::BytesMut;

use crate::fs::hash::hash_each;
use crate::fs::os::{File, Kind, OsError};
use crate::wire::block::{self, HEADER_BYTES, PAYLOAD_BYTES};
use crate::wire::peer::{Hash, SourceFault};

/// One chunk, ready to be sent.
#[derive(Debug)]
pub struct ChunkRead {
    /// Block frames ([`crate::wire::block`]) in order: a header and at most [`PAYLOAD_BYTES`] each.
    pub frames: Vec<BytesMut>,
    /// SHA-256 over the payloads.
    pub hash: Hash,
}

impl ChunkRead {
    /// Chunks from their frames: hashes them.
    pub(crate) fn of(chunks: Vec<Vec<BytesMut>>) -> impl Iterator<Item = Self> {
        let payloads: Vec<Vec<&[u8]>> = chunks
            .iter()
            .map(|frames| frames.iter().map(|it| it.get(HEADER_BYTES..).unwrap_or_default()).collect())
            .collect();
        let hashes = hash_each(&payloads);
        chunks.into_iter().zip(hashes).map(|(frames, hash)| Self { frames, hash })
    }
}

/// What a failed call means for an entry that was there when it was listed.
pub(crate) fn fault(error: OsError) -> SourceFault {
    match error.kind {
        Kind::Missing => SourceFault::Gone,
        Kind::Denied => SourceFault::Denied,
        Kind::NotAFolder | Kind::IsFolder => SourceFault::Changed,
        Kind::Exists
        | Kind::BadName
        | Kind::Full
        | Kind::Quota
        | Kind::ReadOnly
        | Kind::TooLarge
        | Kind::Unsupported
        | Kind::Other => SourceFault::Io,
    }
}

/// Reads the bytes of `entry` from `start` to `end`, which lie in one chunk.
pub(crate) fn read_frames(
    file: &File,
    entry: u32,
    start: u64,
    end: u64,
) -> Result<Vec<BytesMut>, SourceFault> {
    let mut frames = Vec::with_capacity((end - start).div_ceil(PAYLOAD_BYTES as u64) as usize);
    for offset in (start..end).step_by(PAYLOAD_BYTES) {
        let length = (end - offset).min(PAYLOAD_BYTES as u64) as u32;
        let mut frame = block::begin(block::Header { entry, length, offset, packed: None });
        frame.resize(HEADER_BYTES + length as usize, 0);
        let payload = frame.get_mut(HEADER_BYTES..).unwrap_or_default();
        if file.read_at(payload, offset).map_err(fault)? < payload.len() {
            return Err(SourceFault::Changed);
        }
        frames.push(frame);
    }
    Ok(frames)
}
