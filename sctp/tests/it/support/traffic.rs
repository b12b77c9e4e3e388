//! What is sent, and whether it arrived: messages that can be made again from their number.

use std::collections::HashSet;
use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};

use crate::support::peer::{
    Channel, Effort, Order, PPID_BINARY, PPID_BINARY_EMPTY, PPID_STRING, Received, StreamId,
};
use crate::support::rng::Rng;

/// Shortest message that tells its number.
const NUMBER_BYTES: usize = 8;

/// What messages are cut from.
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| Rng::new(0x5c79).bytes((256 << 10) + 4096));

/// How long messages are.
#[derive(Debug, Clone, Copy)]
pub enum Sizes {
    All(usize),
    /// Each length of this list once, then again.
    Each(&'static [usize]),
    /// Anything up to this, mostly small.
    UpTo(usize),
}

/// Messages that go one way on one stream.
#[derive(Debug, Clone)]
pub struct Flow {
    pub from: usize,
    pub stream: StreamId,
    pub channel: Channel,
    sizes: Sizes,
    seed: u64,
    messages: u64,
    written: u64,
    pub written_bytes: u64,
    /// Messages that came, in all.
    pub arrived: u64,
    pub arrived_bytes: u64,
    /// The next number of an ordered flow, at least.
    next: u64,
    /// The numbers that came of an unordered one.
    come: HashSet<u64>,
}

impl Flow {
    /// So many messages.
    pub fn new(from: usize, stream: StreamId, channel: Channel, sizes: Sizes, messages: u64) -> Self {
        Self {
            from,
            stream,
            channel,
            sizes,
            seed: u64::from(stream) << 32 | from as u64,
            messages,
            written: 0,
            written_bytes: 0,
            arrived: 0,
            arrived_bytes: 0,
            next: 0,
            come: HashSet::new(),
        }
    }

    /// The next message to write, if one is left.
    pub fn next_message(&mut self) -> Option<(u32, Bytes)> {
        if self.written == self.messages {
            return None;
        }
        let message = self.message(self.written);
        self.written += 1;
        self.written_bytes += message.1.len() as u64;
        Some(message)
    }

    /// So many messages more.
    pub fn extend(&mut self, messages: u64) {
        self.messages += messages;
    }

    /// Nothing more is to be written.
    pub fn stop(&mut self) {
        self.messages = self.written;
    }

    pub fn is_written(&self) -> bool {
        self.written == self.messages
    }

    /// Whether all that was promised has arrived: of a partly reliable flow nothing is.
    pub fn is_done(&self) -> bool {
        self.is_written() && (self.channel.effort != Effort::Reliable || self.arrived == self.messages)
    }

    /// Holds a message against what was written.
    pub fn check(&mut self, received: &Received) {
        self.arrived += 1;
        self.arrived_bytes += received.payload.len() as u64;
        let number = self.number(received);
        assert!(number < self.written, "{}: message {number} was never sent", self.name());
        let (ppid, payload) = self.message(number);
        assert_eq!(ppid, received.ppid, "{}: ppid of message {number}", self.name());
        assert!(payload[..] == received.payload[..], "{}: bytes of message {number}", self.name());
        match (self.channel.order, self.channel.effort) {
            (Order::Ordered, Effort::Reliable) => {
                assert_eq!(number, self.next, "{}: the next message", self.name());
            }
            (Order::Ordered, _) => {
                assert!(number >= self.next, "{}: {number} after {}", self.name(), self.next);
            }
            (Order::Unordered, _) => {
                assert!(self.come.insert(number), "{}: message {number} came twice", self.name());
            }
        }
        self.next = number + 1;
    }

    /// The number that a message says it has; one too short to say is taken for the next.
    fn number(&self, received: &Received) -> u64 {
        match received.payload.first_chunk::<NUMBER_BYTES>() {
            Some(number) => u64::from_le_bytes(*number),
            None => self.next,
        }
    }

    fn message(&self, number: u64) -> (u32, Bytes) {
        let mut rng = Rng::new(self.seed ^ (number << 8));
        let mut length = match self.sizes {
            Sizes::All(length) => length,
            Sizes::Each(lengths) => lengths[number as usize % lengths.len()],
            Sizes::UpTo(most) => {
                let most = rng.one_of(&[most, most / 8, most / 64, 1]);
                rng.place(most + 1)
            }
        };
        if self.channel != Channel::RELIABLE {
            // Only where each message must be the next one can it be too short to tell its number.
            length = length.max(NUMBER_BYTES);
        }
        if length == 0 {
            return (PPID_BINARY_EMPTY, Bytes::from_static(&[0]));
        }
        let ppid = rng.one_of(&[PPID_BINARY, PPID_STRING]);
        let start = rng.place(4096);
        let mut payload = BytesMut::from(&PATTERN[start..start + length]);
        if let Some(place) = payload.first_chunk_mut::<NUMBER_BYTES>() {
            *place = number.to_le_bytes();
        }
        (ppid, payload.freeze())
    }

    fn name(&self) -> String {
        format!("stream {} of end {}", self.stream, self.from)
    }
}
