//! DATA (RFC 9260 §3.3.1): a piece of a message.
//!
//! ```text
//!  0    1    2         4                   8         10        12                  16
//! +----+----+---------+-------------------+---------+---------+-------------------+----------
//! | 0  |IUBE| length  |        TSN        | stream  |   SSN   |       PPID        | payload…
//! +----+----+---------+-------------------+---------+---------+-------------------+----------
//! ```

use bytes::{Buf, Bytes};

use crate::wire::PacketError;
use crate::wire::chunk::kind;
use crate::wire::record::length_field;

/// The header of a DATA chunk (RFC 9260 §3.3.1), in bytes.
pub(crate) const DATA_HEADER_BYTES: usize = 16;

const ENDING: u8 = 0x01;
const BEGINNING: u8 = 0x02;
const UNORDERED: u8 = 0x04;
const IMMEDIATE: u8 = 0x08;

/// A piece of a message (RFC 9260 §3.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Data {
    pub(crate) tsn: u32,
    pub(crate) stream: u16,
    /// The stream sequence number; 0 when `unordered`.
    pub(crate) ssn: u16,
    pub(crate) ppid: u32,
    pub(crate) unordered: bool,
    pub(crate) beginning: bool,
    pub(crate) ending: bool,
    /// The I bit (RFC 7053): acknowledge without delay.
    pub(crate) immediate: bool,
    pub(crate) payload: Bytes,
}

impl Data {
    /// Parses the value; what is left of it is the payload, without copying.
    ///
    /// One without payload is refused: it would take a TSN and no window (RFC 9260 §6.2, "No User Data").
    pub(super) fn parse(flags: u8, mut value: Bytes) -> Result<Self, PacketError> {
        let mut fields = value.as_ref();
        let tsn = fields.try_get_u32()?;
        let stream = fields.try_get_u16()?;
        let ssn = fields.try_get_u16()?;
        let ppid = fields.try_get_u32()?;
        let header_bytes = value.len() - fields.len();
        value.advance(header_bytes);
        if value.is_empty() {
            return Err(PacketError::BadValue);
        }
        let unordered = flags & UNORDERED != 0;
        Ok(Self {
            tsn,
            stream,
            ssn: if unordered { 0 } else { ssn },
            ppid,
            unordered,
            beginning: flags & BEGINNING != 0,
            ending: flags & ENDING != 0,
            immediate: flags & IMMEDIATE != 0,
            payload: value,
        })
    }

    /// Copies the payload if it is the lesser part of its datagram.
    ///
    /// A slice keeps its whole datagram alive: a peer that pads what it sends would fill many times the memory that
    /// its payloads count for.
    pub(crate) fn let_go_of(&mut self, datagram_bytes: usize) {
        if self.payload.len() < datagram_bytes / 2 {
            self.payload = Bytes::copy_from_slice(&self.payload);
        }
    }

    /// Appends the chunk. Written as one piece, since half a million of them a second are.
    pub(super) fn write(&self, buffer: &mut Vec<u8>) {
        let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        let flags = bit(self.immediate, IMMEDIATE)
            | bit(self.unordered, UNORDERED)
            | bit(self.beginning, BEGINNING)
            | bit(self.ending, ENDING);
        let mut header = [0; DATA_HEADER_BYTES];
        header[0] = kind::DATA;
        header[1] = flags;
        header[2..4].copy_from_slice(&length_field(DATA_HEADER_BYTES + self.payload.len()));
        header[4..8].copy_from_slice(&self.tsn.to_be_bytes());
        header[8..10].copy_from_slice(&self.stream.to_be_bytes());
        header[10..12].copy_from_slice(&self.ssn.to_be_bytes());
        header[12..].copy_from_slice(&self.ppid.to_be_bytes());
        buffer.extend_from_slice(&header);
        buffer.extend_from_slice(&self.payload);
    }
}
