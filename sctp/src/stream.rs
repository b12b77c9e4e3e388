//! Streams as the layer above sees them.

/// Identifies a stream of an association.
pub type StreamId = u16;

/// What happened on a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEvent {
    /// A complete message waits to be read.
    Readable {
        /// The stream.
        id: StreamId,
    },
    /// Fewer bytes wait to be sent and acknowledged than the lower threshold.
    BufferedAmountLow {
        /// The stream.
        id: StreamId,
    },
    /// More bytes wait than the upper threshold.
    BufferedAmountHigh {
        /// The stream.
        id: StreamId,
    },
    /// Bytes were acknowledged or given up.
    BufferedAmountReleased {
        /// The stream.
        id: StreamId,
        /// How many.
        n_bytes: usize,
    },
}

/// How hard a stream's messages are tried (RFC 8831 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ReliabilityType {
    /// Until the association ends.
    #[default]
    Reliable,
    /// A number of retransmissions.
    Rexmit,
    /// A number of milliseconds.
    Timed,
}
