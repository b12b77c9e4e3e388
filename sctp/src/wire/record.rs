//! Records of type, length and value, padded to four bytes: the shape of chunks (RFC 9260 §3.2), of parameters
//! (§3.2.1) and of error causes (§3.3.10) alike.
//!
//! ```text
//!  0                   2                   4                          length
//! +-------------------+-------------------+--------------------------+---------
//! |     type, u16     |    length, u16    |          value…          | 0 to 3 padding
//! +-------------------+-------------------+--------------------------+---------
//! ```
//!
//! `length` counts the header and not the padding. A chunk's type is its first byte, its flags the second one.

use bytes::{Buf, Bytes};

use crate::wire::PacketError;

/// Type and length, in bytes.
pub(super) const HEADER_BYTES: usize = 4;

/// Records begin at multiples of so many bytes (RFC 9260 §3.2).
const ALIGNMENT: usize = 4;

/// One record; its value is a slice of the datagram, without the padding.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) kind: u16,
    pub(super) value: Bytes,
}

/// Whether one who does not know a type must leave what follows it unread: the highest bit is not set (RFC 9260 §3.2,
/// §3.2.1). The second highest asks for a report, which is left out: data channels have nobody who would read it.
pub(super) fn stops(kind: u16) -> bool {
    kind & 0x8000 == 0
}

/// The records of a buffer; after an error there is nothing more.
#[derive(Debug)]
pub(super) struct Records<'a> {
    bytes: &'a Bytes,
    at: usize,
}

/// Cuts `bytes` into records. The padding of the last one may be missing.
pub(super) fn records(bytes: &Bytes) -> Records<'_> {
    Records { bytes, at: 0 }
}

impl Records<'_> {
    /// Whether nothing is left.
    pub(super) fn is_done(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Passes over all that is left.
    pub(super) fn stop(&mut self) {
        self.at = self.bytes.len();
    }

    fn read(&mut self) -> Result<Record, PacketError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let mut fields = rest;
        let kind = fields.try_get_u16()?;
        let length = usize::from(fields.try_get_u16()?);
        if length < HEADER_BYTES || length > rest.len() {
            return Err(PacketError::BadLength);
        }
        let value = self.bytes.slice(self.at + HEADER_BYTES..self.at + length);
        self.at += length.next_multiple_of(ALIGNMENT);
        Ok(Record { kind, value })
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, PacketError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done() {
            return None;
        }
        let record = self.read();
        if record.is_err() {
            self.stop();
        }
        Some(record)
    }
}

/// Appends a record whose value `write` appends, after the padding of what came before.
///
/// The padding of the last one is the caller's: a chunk's length does not count it (RFC 9260 §3.2).
pub(super) fn put(buffer: &mut Vec<u8>, kind: u16, write: impl FnOnce(&mut Vec<u8>)) {
    pad(buffer);
    let start = buffer.len();
    buffer.extend_from_slice(&kind.to_be_bytes());
    buffer.extend_from_slice(&[0; 2]);
    write(buffer);
    let length = length_field(buffer.len() - start);
    if let Some(place) = buffer.get_mut(start + 2..start + HEADER_BYTES) {
        place.copy_from_slice(&length);
    }
}

/// Fills up to the alignment. Packets begin aligned, so the buffer's length tells.
pub(super) fn pad(buffer: &mut Vec<u8>) {
    buffer.resize(buffer.len().next_multiple_of(ALIGNMENT), 0);
}

/// A length as it is written. All that we write comes from a datagram or is bounded by one, so it fits.
pub(super) fn length_field(length: usize) -> [u8; 2] {
    debug_assert!(length <= usize::from(u16::MAX), "a record of {length} bytes");
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// The rest of a value as numbers of 16 bits.
pub(super) fn rest_u16(mut fields: &[u8]) -> Result<Vec<u16>, PacketError> {
    let mut numbers = Vec::with_capacity(fields.len() / size_of::<u16>());
    while fields.has_remaining() {
        numbers.push(fields.try_get_u16().map_err(|_| PacketError::BadLength)?);
    }
    Ok(numbers)
}
