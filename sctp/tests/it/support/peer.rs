//! One end of an association, whatever its make: what the model network drives.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

/// Which stream of an association.
pub type StreamId = u16;

/// Payload protocol identifiers of data channels (RFC 8831 §8).
pub const PPID_STRING: u32 = 51;
pub const PPID_BINARY: u32 = 53;
pub const PPID_BINARY_EMPTY: u32 = 57;

/// Whether messages of a channel arrive in the order in which they were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Ordered,
    Unordered,
}

/// How hard a message is tried (RFC 8831 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    Reliable,
    Retransmits(u32),
    Lifetime(Duration),
}

/// How a channel carries its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel {
    pub order: Order,
    pub effort: Effort,
}

impl Channel {
    /// What p2pcp uses.
    pub const RELIABLE: Self = Self { order: Order::Ordered, effort: Effort::Reliable };
}

/// Who speaks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Client,
    Server,
}

/// What an end is configured with.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Longest SCTP packet it may send, in bytes.
    pub packet_bytes: u32,
    /// Receive window, in bytes.
    pub window_bytes: u32,
    /// Longest message, in bytes.
    pub message_bytes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        // The packet: 1,280 bytes of IPv6 less IPv6, UDP, ChannelData and DTLS.
        Self { packet_bytes: 1191, window_bytes: 4 << 20, message_bytes: 256 << 10 }
    }
}

/// A message that arrived.
#[derive(Debug)]
pub struct Received {
    pub stream: StreamId,
    pub ppid: u32,
    pub payload: BytesMut,
}

/// How an association stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Handshaking,
    Established,
    Ended,
}

/// One end.
pub trait Peer {
    /// Begins an association; a server just waits.
    fn connect(&mut self, now: Instant);

    /// Takes a datagram.
    fn handle(&mut self, now: Instant, datagram: Bytes);

    /// Serves what is due.
    fn handle_timeout(&mut self, now: Instant);

    /// When something is due.
    fn deadline(&self) -> Option<Instant>;

    /// Hands over all datagrams that may go now.
    fn flush(&mut self, now: Instant, out: &mut Vec<Bytes>);

    fn state(&self) -> State;

    /// Makes a stream usable.
    fn open(&mut self, stream: StreamId, channel: Channel);

    /// Queues a message.
    fn write(&mut self, now: Instant, stream: StreamId, ppid: u32, payload: Bytes);

    /// Bytes of a stream that are queued or not acknowledged.
    fn buffered(&mut self, stream: StreamId) -> usize;

    /// The next message of any stream.
    fn read(&mut self) -> Option<Received>;

    /// Closes a stream, as closing a data channel does (RFC 8831 §6.7).
    fn reset(&mut self, now: Instant, stream: StreamId);

    /// A stream that the other end closed.
    fn poll_reset(&mut self) -> Option<StreamId>;

    /// Ends the association when everything is delivered.
    fn shutdown(&mut self, now: Instant);

    /// Ends it now.
    fn abort(&mut self, now: Instant);
}
