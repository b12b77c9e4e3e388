//! The receiving half: from DATA chunks to messages and SACKs.
//!
//! Invariants: a byte is delivered once; nothing past the window that was offered is kept; memory is bounded by
//! that window, whatever sizes and numbers the peer chooses (each kept chunk is charged [`CHUNK_OVERHEAD`] too).

use std::time::Instant;

use crate::Violation;
use crate::message::Chunks;
use crate::stream::StreamId;
use crate::wire::{Data, ForwardTsn, Sack};

/// Bounds that the association was configured with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Most bytes that may wait to be put together or read.
    pub(crate) window_bytes: usize,
    /// Longest message that is taken.
    pub(crate) message_bytes: usize,
}

/// What a kept chunk costs besides its payload, in bytes, when the window is reckoned.
pub(crate) const CHUNK_OVERHEAD: usize = 64;

/// The receiving half of an association.
#[derive(Debug)]
pub(crate) struct Inbound {}

impl Inbound {
    /// Expects the peer's first TSN.
    pub(crate) fn new(peer_initial_tsn: u32, limits: Limits) -> Self {
        let _ = (peer_initial_tsn, limits);
        todo!()
    }

    /// Takes a DATA chunk. One that was there before, or that no room is left for, is not kept (and the SACK tells).
    pub(crate) fn handle_data(&mut self, now: Instant, data: Data) -> Result<(), Violation> {
        let _ = (now, data);
        todo!()
    }

    /// Stops waiting for what the peer gave up (RFC 3758 §3.6).
    pub(crate) fn handle_forward_tsn(&mut self, now: Instant, forward: &ForwardTsn) -> Result<(), Violation> {
        let _ = (now, forward);
        todo!()
    }

    /// All chunks of a packet were handled: decides when to acknowledge (RFC 9260 §6.2).
    pub(crate) fn end_packet(&mut self, now: Instant) {
        let _ = now;
        todo!()
    }

    /// A stream that got a complete message to read; told once per message or burst of messages.
    pub(crate) fn poll_readable(&mut self) -> Option<StreamId> {
        todo!()
    }

    /// The next complete message of a stream. Room that this makes is advertised when it matters.
    pub(crate) fn read(&mut self, stream: StreamId) -> Option<Chunks> {
        let _ = stream;
        todo!()
    }

    /// Whether a complete message waits on a stream.
    pub(crate) fn has_unread(&self, stream: StreamId) -> bool {
        let _ = stream;
        todo!()
    }

    /// The peer has reset its outgoing stream (RFC 6525 §5.2.2): the next message has sequence number 0; what is complete stays readable.
    pub(crate) fn reset_stream(&mut self, stream: StreamId) {
        let _ = stream;
        todo!()
    }

    /// Whether a SACK should go out with the next packet.
    pub(crate) fn sack_due(&self, now: Instant) -> bool {
        let _ = now;
        todo!()
    }

    /// When one will be due that is not yet.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        todo!()
    }

    /// The SACK, with as many gap blocks as fit in `room` bytes of chunk; nothing is due afterwards.
    pub(crate) fn sack(&mut self, now: Instant, room: usize) -> Sack {
        let _ = (now, room);
        todo!()
    }

    /// The window to advertise, in bytes.
    pub(crate) fn window(&self) -> u32 {
        todo!()
    }

    /// The highest TSN below which nothing is missing.
    pub(crate) fn cumulative_tsn(&self) -> u32 {
        todo!()
    }
}
