//! SCTP for data channels: RFC 9260 as RFC 8831 uses it, sans I/O, made for bulk transfer over any line.
//!
//! This package offers what the `rtc` crate calls of `rtc-sctp` 0.21 and takes that one's place by
//! `[patch.crates-io]`. It has no socket, no clock and no thread: datagrams, messages and instants go in, datagrams
//! and events come out. `README.md` says what is implemented, how the control works, and what was measured.
//!
//! Reading order: `wire` (what is on the line), `inbound` (from DATA to messages and SACKs), `outbound` (from
//! messages to DATA, and what becomes of it), `control` (how much may be on the way, and when), `association` (the rest).

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![deny(clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]
// What a peer sends is parsed: nothing that it can influence may end the process.
#![cfg_attr(
    not(any(test, fuzzing)),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unreachable
    )
)]

mod association;
mod config;
mod control;
mod endpoint;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod inbound;
mod message;
mod outbound;
mod ranges;
mod stream;
mod wire;

pub use crate::association::{Association, AssociationError, Event};
pub use crate::config::{
    ClientConfig, EndpointConfig, ServerConfig, TransportConfig, max_payload_size_for_mtu,
};
pub use crate::endpoint::{
    AssociationEvent, AssociationHandle, ConnectError, DatagramEvent, Endpoint, EndpointEvent, Payload,
};
pub use crate::message::{Chunks, PayloadProtocolIdentifier};
pub use crate::stream::{ReliabilityType, Stream, StreamEvent, StreamId};

/// This SCTP finds the path's packet size by itself; `with_sctp_mtu` bounds what it tries.
///
/// Code that is built against either package tells them apart by this constant.
pub const PROBES_PATH_MTU: bool = true;

/// The peer broke the protocol in a way that cannot be passed over; the association is aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    /// A SACK acknowledges a TSN that was never sent (RFC 9260 §6.2.1 lets us abort).
    #[error("the peer acknowledged what was not sent")]
    AcknowledgedUnsent,
    /// A message is longer than this side said it would take.
    #[error("the peer sent a message that is too long")]
    MessageTooLong,
    /// Fragments of one message contradict each other.
    #[error("the peer's fragments do not fit together")]
    BadFragments,
}
