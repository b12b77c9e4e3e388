//! Error causes of ABORT and ERROR (RFC 9260 §3.3.10): why the peer gave up, or what it did not understand.

use bytes::Bytes;

use crate::wire::PacketError;
use crate::wire::record::{put, records};

/// Most causes that are kept of one chunk; the rest is checked and forgotten.
///
/// One or two are usual. A cause takes 4 bytes of a datagram but ten times that in memory, so a limit has to be.
const MAX_CAUSES: usize = 16;

/// An error cause of ABORT or ERROR (RFC 9260 §3.3.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) code: u16,
    pub(crate) information: Bytes,
}

impl Cause {
    /// The application closed the association at once (RFC 9260 §3.3.10.12).
    pub(crate) const USER_INITIATED_ABORT: u16 = 12;
    /// The peer broke the protocol otherwise (RFC 9260 §3.3.10.13).
    pub(crate) const PROTOCOL_VIOLATION: u16 = 13;

    /// Parses the value of an ABORT or ERROR: a list of causes, perhaps empty.
    pub(super) fn parse_all(value: &Bytes) -> Result<Vec<Self>, PacketError> {
        let mut causes = Vec::new();
        for record in records(value) {
            let record = record?;
            if causes.len() < MAX_CAUSES {
                causes.push(Self { code: record.kind, information: record.value });
            }
        }
        Ok(causes)
    }

    /// Appends the cause.
    pub(super) fn write(&self, buffer: &mut Vec<u8>) {
        put(buffer, self.code, |buffer| buffer.extend_from_slice(&self.information));
    }
}
