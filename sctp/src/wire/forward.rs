//! FORWARD TSN (RFC 3758 §3.2): what the receiver shall no longer wait for.

use bytes::Buf;

use crate::wire::PacketError;

/// What the receiver shall no longer wait for (RFC 3758 §3.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ForwardTsn {
    pub(crate) cumulative_tsn: u32,
    /// Ordered streams, and the last stream sequence number given up on each.
    pub(crate) streams: Vec<(u16, u16)>,
}

impl ForwardTsn {
    /// Bytes of the chunk before its streams; each of them takes [`Self::STREAM_BYTES`].
    pub(crate) const HEADER_BYTES: usize = 8;

    /// Bytes of a stream and its sequence number.
    pub(crate) const STREAM_BYTES: usize = 4;

    /// Parses the value: a TSN, then pairs of 16 bits.
    pub(super) fn parse(mut fields: &[u8]) -> Result<Self, PacketError> {
        let cumulative_tsn = fields.try_get_u32()?;
        if !fields.len().is_multiple_of(Self::STREAM_BYTES) {
            return Err(PacketError::BadLength);
        }
        let mut streams = Vec::with_capacity(fields.len() / Self::STREAM_BYTES);
        while fields.has_remaining() {
            streams.push((fields.try_get_u16()?, fields.try_get_u16()?));
        }
        Ok(Self { cumulative_tsn, streams })
    }

    /// Appends the value.
    pub(super) fn write(&self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&self.cumulative_tsn.to_be_bytes());
        for (stream, ssn) in &self.streams {
            buffer.extend_from_slice(&stream.to_be_bytes());
            buffer.extend_from_slice(&ssn.to_be_bytes());
        }
    }
}
