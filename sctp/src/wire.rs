//! What is on the line: packets, chunks and their parameters (RFC 9260 §3), parsed and written without judgement.
//!
//! Decoding is parsing: every length is checked, what is not known is kept as [`Chunk::Unknown`] or passed over,
//! nothing is indexed blindly, and what is kept takes no more memory than a small multiple of the datagram. Payloads
//! are slices of the datagram. A datagram is parsed lazily, so an error in one chunk does not take back those before it.
//!
//! Reading order: [`record`] (the one shape of chunks, parameters and causes), [`packet`] (checksum, bundling),
//! [`chunk`] (the list), then one file per chunk that has more than a field or two. I-DATA (RFC 8260) is not implemented.

mod cause;
mod chunk;
mod data;
mod forward;
#[cfg(any(test, fuzzing))]
pub(crate) mod golden;
mod init;
mod packet;
mod reconfig;
mod record;
mod sack;
#[cfg(test)]
mod tests;
pub(crate) mod tsn;

pub(crate) use crate::wire::cause::Cause;
pub(crate) use crate::wire::chunk::Chunk;
pub(crate) use crate::wire::data::{DATA_HEADER_BYTES, Data};
pub(crate) use crate::wire::forward::ForwardTsn;
pub(crate) use crate::wire::init::{Extensions, Init};
pub(crate) use crate::wire::packet::{COMMON_HEADER_BYTES, Checksum, Header, Packet, Writer};
pub(crate) use crate::wire::reconfig::Reconfig;
pub(crate) use crate::wire::sack::{GapBlock, Sack};

/// Why a datagram is not an SCTP packet. Such packets are dropped silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PacketError {
    #[error("too short for its headers")]
    Truncated,
    #[error("a length field does not fit")]
    BadLength,
    #[error("the checksum does not match")]
    BadChecksum,
    #[error("a field has a value that it must not have")]
    BadValue,
}

impl From<bytes::TryGetError> for PacketError {
    fn from(_: bytes::TryGetError) -> Self {
        Self::Truncated
    }
}
