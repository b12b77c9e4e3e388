//! What an association tells the layer above.

use crate::stream::{StreamEvent, StreamId};

/// Why an association, or a stream of it, is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssociationError {
    /// The peer did not answer while it was set up.
    #[error("the handshake failed: {0}")]
    HandshakeFailed(String),
    /// The peer broke the protocol.
    #[error("the peer broke the protocol")]
    TransportError,
    /// The peer aborted it.
    #[error("aborted by the peer")]
    AssociationClosed,
    /// It was closed in good order.
    #[error("closed")]
    ApplicationClosed,
    /// The peer reset the stream.
    #[error("reset by the peer")]
    Reset,
    /// Nothing was acknowledged any more.
    #[error("timed out")]
    TimedOut,
    /// This side closed it.
    #[error("closed locally")]
    LocallyClosed,
}

/// What happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// It could not be set up.
    HandshakeFailed {
        /// Why.
        reason: AssociationError,
    },
    /// It stands.
    Connected,
    /// A stream is over, by itself or with the association.
    AssociationLost {
        /// Why.
        reason: AssociationError,
        /// The stream.
        id: StreamId,
    },
    /// Something on a stream.
    Stream(StreamEvent),
}
