//! The frame of the bulk channel: a 16-byte header, then file bytes.
//!
//! ```text
//!  0                   4                   8                                      16
//! +-------------------+-------------------+---------------------------------------+----------
//! |   entry, u32 le   |   length, u32 le  |             offset, u64 le            | payload…
//! +-------------------+-------------------+---------------------------------------+----------
//! ```
//!
//! `length` is the payload's and must agree with the frame's. A block lies inside one chunk of its
//! entry, so that chunks can travel on several lanes without meeting.

use bytes::{Bytes, BytesMut};

use crate::wire::{CHUNK_BYTES, MAX_ENTRY_BYTES};

/// Bytes of the header.
pub const HEADER_BYTES: usize = 16;

/// Largest payload that p2pcp sends in one block.
///
/// A divisor of the chunk. RFC 8831 §6.6 advises 16 KiB while interleaving is absent; blocks have a
/// channel of their own, and over loopback 128 KiB moves three times as much as 16 KiB.
pub const PAYLOAD_BYTES: usize = 128 * 1024;

/// Largest payload that a peer may send in one block: the `a=max-message-size` of 256 KiB, less the
/// header.
pub const MAX_PAYLOAD_BYTES: usize = 256 * 1024 - HEADER_BYTES;

/// Smallest payload of a block that does not end its chunk: a bound on what one buffered chunk costs.
pub const MIN_PAYLOAD_BYTES: usize = 16 * 1024;

const _: () = assert!((CHUNK_BYTES as usize).is_multiple_of(PAYLOAD_BYTES));
const _: () = assert!(PAYLOAD_BYTES <= MAX_PAYLOAD_BYTES);

/// Where a block's payload belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The entry's number in the manifest.
    pub entry: u32,
    /// Payload bytes.
    pub length: u32,
    /// First byte's place in the entry.
    pub offset: u64,
}

/// Why a frame is not a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Shorter than a header, empty, or longer than a message may be.
    #[error("a block of {0} bytes")]
    Size(usize),
    /// The header speaks of another length than the frame has.
    #[error("a block whose length field says {said} over {got} bytes")]
    Length {
        /// What the header says.
        said: u32,
        /// What came.
        got: usize,
    },
    /// The block lies across the end of a chunk or past any file's end.
    #[error("a block that is not inside one chunk")]
    Range,
}

/// Starts a frame: a buffer with the header in place and room for the payload after it.
pub fn begin(header: Header) -> BytesMut {
    let mut frame = BytesMut::with_capacity(HEADER_BYTES + header.length as usize);
    frame.extend_from_slice(&header.entry.to_le_bytes());
    frame.extend_from_slice(&header.length.to_le_bytes());
    frame.extend_from_slice(&header.offset.to_le_bytes());
    frame
}

/// Parses a frame into its header and payload, without copying.
///
/// # Errors
/// [`BlockError`] for anything that p2pcp would not send.
pub fn parse(mut frame: Bytes) -> Result<(Header, Bytes), BlockError> {
    let size = frame.len();
    if size <= HEADER_BYTES || size > HEADER_BYTES + MAX_PAYLOAD_BYTES {
        return Err(BlockError::Size(size));
    }
    let payload = frame.split_off(HEADER_BYTES);
    let mut reader = frame.as_ref();
    let header = Header {
        entry: bytes::Buf::get_u32_le(&mut reader),
        length: bytes::Buf::get_u32_le(&mut reader),
        offset: bytes::Buf::get_u64_le(&mut reader),
    };
    if header.length as usize != payload.len() {
        return Err(BlockError::Length { said: header.length, got: payload.len() });
    }
    let in_chunk = header.offset % u64::from(CHUNK_BYTES) + u64::from(header.length);
    if in_chunk > u64::from(CHUNK_BYTES) || header.offset > MAX_ENTRY_BYTES - u64::from(header.length) {
        return Err(BlockError::Range);
    }
    Ok((header, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(entry: u32, length: u32, offset: u64, payload: usize) -> Bytes {
        let mut frame = begin(Header { entry, length, offset });
        frame.resize(HEADER_BYTES + payload, 7);
        frame.freeze()
    }

    #[test]
    fn a_block_round_trips_without_copying() {
        let sent = frame(3, 5, 1 << 40, 5);
        let (header, payload) = parse(sent.clone()).unwrap();
        assert_eq!(header, Header { entry: 3, length: 5, offset: 1 << 40 });
        assert_eq!(payload.as_ptr(), sent[HEADER_BYTES..].as_ptr());
    }

    #[test]
    fn the_layout_is_little_endian_as_documented() {
        let sent = frame(0x0403_0201, 1, 0x0807_0605_0403_0201, 1);
        assert_eq!(sent[..], [1, 2, 3, 4, 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 7]);
    }

    #[test]
    fn lies_are_refused() {
        for size in [0, 1, 15, 16] {
            assert_eq!(parse(Bytes::from(vec![0; size])), Err(BlockError::Size(size)));
        }
        assert!(matches!(parse(frame(0, 4, 0, 5)), Err(BlockError::Length { said: 4, got: 5 })));
        assert_eq!(parse(frame(0, 2, u64::from(CHUNK_BYTES) - 1, 2)), Err(BlockError::Range));
        assert_eq!(parse(frame(0, 1, u64::MAX, 1)), Err(BlockError::Range));
        assert!(matches!(parse(frame(0, 1, 0, MAX_PAYLOAD_BYTES + 1)), Err(BlockError::Size(_))));
    }
}
