//! A whole message, as it was put together from its fragments, and what names its stream and its kind.

use bytes::{Bytes, BytesMut};
use shared::error::{Error, Result};

/// What a message is (RFC 8831 §8, the IANA registry of SCTP payload protocol identifiers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PayloadProtocolIdentifier {
    /// Data channel establishment (RFC 8832).
    Dcep = 50,
    /// Text.
    String = 51,
    /// Bytes.
    Binary = 53,
    /// A text of no length; SCTP cannot carry an empty message, so one byte stands for it.
    StringEmpty = 56,
    /// No bytes, the same way.
    BinaryEmpty = 57,
    /// None of these.
    #[default]
    Unknown = 0,
}

impl From<u32> for PayloadProtocolIdentifier {
    fn from(value: u32) -> Self {
        match value {
            50 => Self::Dcep,
            51 => Self::String,
            53 => Self::Binary,
            56 => Self::StringEmpty,
            57 => Self::BinaryEmpty,
            _ => Self::Unknown,
        }
    }
}

/// Identifies a stream of an association.
pub type StreamId = u16;

/// A complete message: its fragments, each a slice of the datagram that it came in.
#[derive(Debug, Clone)]
pub struct Chunks {
    /// What it is.
    pub ppi: PayloadProtocolIdentifier,
    pub(crate) fragments: Vec<Bytes>,
}

impl Chunks {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.fragments.iter().map(Bytes::len).sum()
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The message in one buffer of its own.
    ///
    /// # Errors
    /// [`Error::ErrShortBuffer`] when it is longer than `max_len` bytes.
    pub fn to_payload(&self, max_len: usize) -> Result<BytesMut> {
        let length = self.len();
        if length > max_len {
            return Err(Error::ErrShortBuffer);
        }
        let mut payload = BytesMut::with_capacity(length);
        for fragment in &self.fragments {
            payload.extend_from_slice(fragment);
        }
        Ok(payload)
    }
}
