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
//!
//! A part of a packed chunk has the highest bit of `length` set, and eight bytes more of header. Its payload is a part
//! of one Zstandard frame (RFC 8878), which is the whole chunk, and `offset` is where the chunk begins and how many
//! bytes of that frame are before this part:
//!
//! ```text
//! +-------------------+-------------------+---------------------------------------+-------------+-------------+----------
//! |   entry, u32 le   | 2^31 + length     | chunk * 2^20 + place in the packed    | plain, u32  | packed, u32 | payload…
//! +-------------------+-------------------+---------------------------------------+-------------+-------------+----------
//! ```

use bytes::{Bytes, BytesMut};

use crate::wire::{CHUNK_BYTES, MAX_ENTRY_BYTES};

/// Bytes of the header.
pub const HEADER_BYTES: usize = 16;

/// Bytes of the header of a part of a packed chunk.
pub const PACKED_HEADER_BYTES: usize = HEADER_BYTES + 8;

/// In the field of the length: this is a part of a packed chunk.
const PACKED: u32 = 1 << 31;

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
    /// First byte's place in the entry; of a packed chunk where that begins, and the place in its packed bytes.
    pub offset: u64,
    /// Whether the payload is a part of a packed chunk, and of what.
    pub packed: Option<Packed>,
}

/// A chunk that travels packed, whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Bytes of the chunk, 1 to [`CHUNK_BYTES`].
    pub plain: u32,
    /// Bytes that it is packed into: fewer.
    pub packed: u32,
}

impl Header {
    /// Number of the chunk that it lies in.
    pub fn chunk(&self) -> Option<u32> {
        u32::try_from(self.offset / u64::from(CHUNK_BYTES)).ok()
    }
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
    /// A packed chunk that is as long as it was, or longer, or longer than a chunk can be.
    #[error("a chunk of {} bytes, packed into {}", _0.plain, _0.packed)]
    Packed(Packed),
}

/// Starts a frame: a buffer with the header in place and room for the payload after it.
pub fn begin(header: Header) -> BytesMut {
    let mut frame = BytesMut::with_capacity(PACKED_HEADER_BYTES + header.length as usize);
    let mark = if header.packed.is_some() { PACKED } else { 0 };
    frame.extend_from_slice(&header.entry.to_le_bytes());
    frame.extend_from_slice(&(header.length | mark).to_le_bytes());
    frame.extend_from_slice(&header.offset.to_le_bytes());
    if let Some(Packed { plain, packed }) = header.packed {
        frame.extend_from_slice(&plain.to_le_bytes());
        frame.extend_from_slice(&packed.to_le_bytes());
    }
    frame
}

/// Payload bytes of a frame of our own.
pub fn payload_bytes(frame: &[u8]) -> u64 {
    let length = frame.get(4..8).and_then(|it| it.try_into().ok()).map_or(0, u32::from_le_bytes);
    u64::from(length & !PACKED)
}

/// Parses a frame into its header and payload, without copying.
///
/// # Errors
/// [`BlockError`] for anything that p2pcp would not send.
pub fn parse(mut frame: Bytes) -> Result<(Header, Bytes), BlockError> {
    let size = frame.len();
    let mut reader = frame.as_ref();
    if size <= HEADER_BYTES {
        return Err(BlockError::Size(size));
    }
    let entry = bytes::Buf::get_u32_le(&mut reader);
    let marked = bytes::Buf::get_u32_le(&mut reader);
    let offset = bytes::Buf::get_u64_le(&mut reader);
    let (length, header_bytes) = match marked & PACKED {
        0 => (marked, HEADER_BYTES),
        _ => (marked & !PACKED, PACKED_HEADER_BYTES),
    };
    if size <= header_bytes || size > HEADER_BYTES + MAX_PAYLOAD_BYTES {
        return Err(BlockError::Size(size));
    }
    let packed = (header_bytes == PACKED_HEADER_BYTES).then(|| {
        let plain = bytes::Buf::get_u32_le(&mut reader);
        Packed { plain, packed: bytes::Buf::get_u32_le(&mut reader) }
    });
    let payload = frame.split_off(header_bytes);
    if length as usize != payload.len() {
        return Err(BlockError::Length { said: length, got: payload.len() });
    }
    if let Some(it) = packed.filter(|it| it.packed >= it.plain || it.plain > CHUNK_BYTES) {
        return Err(BlockError::Packed(it));
    }
    let room = packed.map_or(CHUNK_BYTES, |it| it.packed);
    let place = offset % u64::from(CHUNK_BYTES);
    let end = match packed {
        None => offset.checked_add(u64::from(length)),
        Some(it) => (offset - place).checked_add(u64::from(it.plain)),
    };
    if place + u64::from(length) > u64::from(room) || end.is_none_or(|end| end > MAX_ENTRY_BYTES) {
        return Err(BlockError::Range);
    }
    Ok((Header { entry, length, offset, packed }, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(entry: u32, length: u32, offset: u64, payload: usize) -> Bytes {
        let mut frame = begin(Header { entry, length, offset, packed: None });
        frame.resize(HEADER_BYTES + payload, 7);
        frame.freeze()
    }

    fn part(plain: u32, packed: u32, offset: u64, length: u32) -> Bytes {
        let packed = Some(Packed { plain, packed });
        let mut frame = begin(Header { entry: 9, length, offset, packed });
        frame.resize(PACKED_HEADER_BYTES + length as usize, 7);
        frame.freeze()
    }

    #[test]
    fn a_block_round_trips_without_copying() {
        let sent = frame(3, 5, 1 << 40, 5);
        let (header, payload) = parse(sent.clone()).unwrap();
        assert_eq!(header, Header { entry: 3, length: 5, offset: 1 << 40, packed: None });
        assert_eq!(payload.as_ptr(), sent[HEADER_BYTES..].as_ptr());
    }

    #[test]
    fn a_part_of_a_packed_chunk_round_trips_without_copying() {
        let sent = part(1 << 20, 500, (3 << 20) + 495, 5);
        let (header, payload) = parse(sent.clone()).unwrap();
        let packed = Some(Packed { plain: 1 << 20, packed: 500 });
        assert_eq!(header, Header { entry: 9, length: 5, offset: (3 << 20) + 495, packed });
        assert_eq!(header.chunk(), Some(3));
        assert_eq!(payload.as_ptr(), sent[PACKED_HEADER_BYTES..].as_ptr());
    }

    #[test]
    fn the_layout_is_little_endian_as_documented() {
        let sent = frame(0x0403_0201, 1, 0x0807_0605_0403_0201, 1);
        assert_eq!(sent[..], [1, 2, 3, 4, 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 7]);
        let sent = part(0x0102, 2, 1, 1);
        assert_eq!(sent[..16], [9, 0, 0, 0, 1, 0, 0, 0x80, 1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(sent[16..], [2, 1, 0, 0, 2, 0, 0, 0, 7]);
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

    #[test]
    fn lies_about_packed_chunks_are_refused() {
        let longer = |plain, packed| Err(BlockError::Packed(Packed { plain, packed }));
        assert_eq!(parse(part(5, 5, 0, 5)), longer(5, 5), "packing must make it shorter");
        assert_eq!(parse(part(0, 0, 0, 1)), longer(0, 0));
        assert_eq!(parse(part(CHUNK_BYTES + 1, 9, 0, 9)), longer(CHUNK_BYTES + 1, 9));
        assert_eq!(parse(part(100, 9, 1, 9)), Err(BlockError::Range), "past the packed bytes");
        assert_eq!(
            parse(part(100, 9, MAX_ENTRY_BYTES - 98, 9)),
            Err(BlockError::Range),
            "past any file's end"
        );
        assert_eq!(parse(part(100, 9, u64::MAX - 99, 9)), Err(BlockError::Range));
        for size in 17..=PACKED_HEADER_BYTES {
            let cut = part(100, 9, 0, 9).slice(..size);
            assert_eq!(parse(cut), Err(BlockError::Size(size)), "a header that is not whole");
        }
        let length = MAX_PAYLOAD_BYTES as u32;
        assert!(
            matches!(parse(part(CHUNK_BYTES, length, 0, length)), Err(BlockError::Size(_))),
            "a frame too long"
        );
    }
}
