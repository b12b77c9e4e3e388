//! A datagram: the common header (RFC 9260 §3.1), its checksum, and the chunks that are bundled in it (§6.10).

use bytes::{Buf, Bytes};

use crate::wire::chunk::{Chunk, kind};
use crate::wire::record::{HEADER_BYTES, pad, records};
use crate::wire::{Data, PacketError};

/// The common header (RFC 9260 §3.1), checksum included, in bytes.
pub(crate) const COMMON_HEADER_BYTES: usize = 12;

/// Where in the common header the checksum is.
const CHECKSUM: std::ops::Range<usize> = 8..12;

/// Ports and tag of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) verification_tag: u32,
}

/// How a packet's checksum field is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// CRC32c (RFC 9260 §6.8).
    Crc32c,
    /// Zero, where the layer below guards the bytes and the peer agreed (RFC 9653). A packet that begins with an INIT or
    /// COOKIE ECHO gets its CRC32c all the same (§5.2): who takes it may know nothing of an agreement.
    Zero,
}

/// A datagram whose header is right; its chunks are parsed one by one as they are asked for.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) header: Header,
    chunks: Bytes,
}

impl Packet {
    /// Checks the header and the checksum.
    ///
    /// # Errors
    /// [`PacketError`]. A checksum of zero is taken only if `zero_checksum` says so (RFC 9653 §5.3).
    pub(crate) fn parse(mut datagram: Bytes, zero_checksum: bool) -> Result<Self, PacketError> {
        let (head, chunks) =
            datagram.split_first_chunk::<COMMON_HEADER_BYTES>().ok_or(PacketError::Truncated)?;
        if chunks.len() < HEADER_BYTES {
            return Err(PacketError::Truncated);
        }
        let mut fields = head.as_slice();
        let header = Header {
            source_port: fields.try_get_u16()?,
            destination_port: fields.try_get_u16()?,
            verification_tag: fields.try_get_u32()?,
        };
        let said = fields.try_get_u32_le()?;
        let is_exempt = zero_checksum && said == 0;
        if !is_exempt && said != crc32c(*head, chunks) {
            return Err(PacketError::BadChecksum);
        }
        datagram.advance(COMMON_HEADER_BYTES);
        Ok(Self { header, chunks: datagram })
    }

    /// Its length, header included, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        COMMON_HEADER_BYTES + self.chunks.len()
    }

    /// Whether the first chunk says that it is an INIT: such packets may belong to no association.
    pub(crate) fn starts_with_init(&self) -> bool {
        self.chunks.first() == Some(&kind::INIT)
    }

    /// The chunks. After an error there is nothing more, nor after an unknown chunk that says so by its highest bit
    /// (RFC 9260 §3.2). INIT, INIT ACK and SHUTDOWN COMPLETE are taken only when they are alone (§6.10).
    pub(crate) fn chunks(&self) -> impl Iterator<Item = Result<Chunk, PacketError>> {
        let mut records = records(&self.chunks);
        let mut is_first = true;
        std::iter::from_fn(move || {
            let chunk = records.next()?.and_then(Chunk::parse);
            let is_alone = std::mem::take(&mut is_first) && records.is_done();
            let chunk = match chunk {
                Ok(chunk) if chunk.travels_alone() && !is_alone => Err(PacketError::BadValue),
                chunk => chunk,
            };
            if chunk.as_ref().map_or(true, Chunk::stops_packet) {
                records.stop();
            }
            Some(chunk)
        })
    }
}

/// The checksum of a packet whose checksum field is taken as zero. It travels with its lowest byte first
/// (RFC 9260 appendix A).
fn crc32c(mut head: [u8; COMMON_HEADER_BYTES], chunks: &[u8]) -> u32 {
    head[CHECKSUM].fill(0);
    crc32c::crc32c_append(crc32c::crc32c(&head), chunks)
}

/// A packet being written: chunks are bundled until it is full.
#[derive(Debug)]
pub(crate) struct Writer {
    buffer: Vec<u8>,
    capacity: usize,
}

impl Writer {
    /// An empty packet of at most `capacity` bytes, header included.
    pub(crate) fn new(header: Header, capacity: usize) -> Self {
        let mut buffer = Vec::with_capacity(capacity.max(COMMON_HEADER_BYTES));
        buffer.extend_from_slice(&header.source_port.to_be_bytes());
        buffer.extend_from_slice(&header.destination_port.to_be_bytes());
        buffer.extend_from_slice(&header.verification_tag.to_be_bytes());
        buffer.resize(COMMON_HEADER_BYTES, 0);
        Self { buffer, capacity }
    }

    /// Bytes that are left for chunks, their headers and padding included.
    pub(crate) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.buffer.len())
    }

    /// Whether there is no chunk in it yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.len() == COMMON_HEADER_BYTES
    }

    /// Appends a chunk and its padding. Whether it fits is the caller's business: control chunks may make a packet
    /// longer than its capacity. A chunk must be shorter than 64 KiB, which its length field has room for.
    pub(crate) fn push(&mut self, chunk: &Chunk) {
        chunk.write(&mut self.buffer);
        pad(&mut self.buffer);
    }

    /// Appends a DATA chunk: the only copy of its payload.
    pub(crate) fn push_data(&mut self, data: &Data) {
        data.write(&mut self.buffer);
        pad(&mut self.buffer);
    }

    /// The datagram.
    pub(crate) fn finish(mut self, checksum: Checksum) -> Bytes {
        if let Some((head, chunks)) = self.buffer.split_first_chunk_mut::<COMMON_HEADER_BYTES>() {
            let sets_up = matches!(chunks.first(), Some(&(kind::INIT | kind::COOKIE_ECHO)));
            if checksum == Checksum::Crc32c || sets_up {
                let checksum = crc32c(*head, chunks);
                head[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
            }
        }
        Bytes::from(self.buffer)
    }
}
