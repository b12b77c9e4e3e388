//! The sending half: from messages to DATA chunks, and what becomes of them.
//!
//! A message is cut when its bytes go out, not before: each packet is filled to the size that the path takes now.

use std::time::Instant;

use bytes::Bytes;

use crate::Violation;
use crate::stream::StreamId;
use crate::wire::{Data, ForwardTsn, Sack};

/// How hard a message is tried (RFC 3758, RFC 7496).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reliability {
    Reliable,
    /// Given up after so many retransmissions of any of its chunks.
    Retransmits(u32),
    /// Given up when it is not acknowledged by then.
    Until(Instant),
}

/// A message to send.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) payload: Bytes,
    pub(crate) ppid: u32,
    pub(crate) unordered: bool,
    pub(crate) reliability: Reliability,
}

/// The path is dead: [`MAX_RETRANSMITS`] timeouts in a row (RFC 9260 §8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PathFailed;

/// Association.Max.Retrans (RFC 9260 §16).
pub(crate) const MAX_RETRANSMITS: u32 = 10;

/// The sending half of an association.
#[derive(Debug)]
pub(crate) struct Outbound {}

impl Outbound {
    /// Begins at our first TSN; packets of `packet_bytes` (SCTP header included) at first.
    pub(crate) fn new(initial_tsn: u32, packet_bytes: usize) -> Self {
        let _ = (initial_tsn, packet_bytes);
        todo!()
    }

    /// The association stands: the peer's window, and whether it knows FORWARD TSN. Nothing is sent before.
    pub(crate) fn establish(&mut self, now: Instant, peer_window: u32, forward_tsn: bool) {
        let _ = (now, peer_window, forward_tsn);
        todo!()
    }

    /// Queues a message.
    pub(crate) fn write(&mut self, stream: StreamId, message: Message) {
        let _ = (stream, message);
        todo!()
    }

    /// The next DATA chunk, if the window, the pace and `room` bytes (chunk header included, a multiple of 4) allow
    /// one now: what was lost first, then new data. Called until it returns nothing, for each packet anew.
    pub(crate) fn next_data(&mut self, now: Instant, room: usize) -> Option<Data> {
        let _ = (now, room);
        todo!()
    }

    /// Takes a SACK.
    pub(crate) fn handle_sack(&mut self, now: Instant, sack: &Sack) -> Result<(), Violation> {
        let _ = (now, sack);
        todo!()
    }

    /// Bytes of a stream that arrived or were given up since the last call.
    pub(crate) fn poll_released(&mut self) -> Option<(StreamId, usize)> {
        todo!()
    }

    /// A FORWARD TSN to send, if the peer should move on (RFC 3758 §3.5).
    pub(crate) fn next_forward_tsn(&mut self, now: Instant) -> Option<ForwardTsn> {
        let _ = now;
        todo!()
    }

    /// When [`Self::handle_timeout`] wants to be called, or [`Self::next_data`] may have more: the pace, a tail probe, a
    /// retransmission timeout, a lifetime.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        todo!()
    }

    /// Time has come to `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), PathFailed> {
        let _ = now;
        todo!()
    }

    /// The path takes packets of this size from now on (SCTP header included). Chunks already cut keep their size.
    pub(crate) fn set_packet_size(&mut self, packet_bytes: usize) {
        let _ = packet_bytes;
        todo!()
    }

    /// The longest outstanding chunk, header included, in bytes: what cannot be cut smaller any more.
    pub(crate) fn longest_outstanding(&self) -> usize {
        todo!()
    }

    /// Bytes queued or outstanding on a stream.
    pub(crate) fn buffered(&self, stream: StreamId) -> usize {
        let _ = stream;
        todo!()
    }

    /// Whether nothing is queued or outstanding.
    pub(crate) fn is_idle(&self) -> bool {
        todo!()
    }

    /// Whether messages of a stream wait that are not cut whole yet: its reset has to wait for them.
    pub(crate) fn has_queued(&self, stream: StreamId) -> bool {
        let _ = stream;
        todo!()
    }

    /// The last TSN that was given out.
    pub(crate) fn last_tsn(&self) -> u32 {
        todo!()
    }

    /// Our outgoing stream was reset: its sequence numbers begin at 0 again.
    pub(crate) fn reset_stream(&mut self, stream: StreamId) {
        let _ = stream;
        todo!()
    }

    /// Retransmission timeouts since something was acknowledged.
    pub(crate) fn timeouts(&self) -> u32 {
        todo!()
    }

    /// Smoothed round-trip time, once there is one.
    pub(crate) fn srtt(&self) -> Option<std::time::Duration> {
        todo!()
    }

    /// The retransmission timeout as it is now (RFC 9260 §6.3.1): what other timers of the association go by.
    pub(crate) fn rto(&self) -> std::time::Duration {
        todo!()
    }
}
