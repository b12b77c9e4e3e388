//! Whole messages on their way to the reader: in order on each stream, or at once where order does not matter.

use std::collections::{BTreeMap, VecDeque};

use crate::Violation;
use crate::inbound::reassembly::Assembled;
use crate::message::StreamId;

/// Streams without messages that keep their (empty) queues, so that these are not made anew for each message.
const IDLE_QUEUES: usize = 64;

/// Sequence numbers less than this ahead are ahead; the others lie behind (RFC 9260 §1.6).
const HALF: u16 = 1 << 15;

#[derive(Debug, Default)]
struct Queue {
    ready: VecDeque<Assembled>,
    /// Messages that came before their turn, by sequence number.
    early: BTreeMap<u16, Assembled>,
    /// It is in the list of readable streams.
    listed: bool,
}

impl Queue {
    fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.early.is_empty() && !self.listed
    }
}

/// All streams.
///
/// A stream costs something only while it has messages; after that, a few bytes for its next sequence number.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    queues: BTreeMap<StreamId, Queue>,
    /// The next sequence number of each stream; 0 of those that are not there.
    expected: BTreeMap<StreamId, u16>,
    readable: VecDeque<StreamId>,
    charge: usize,
}

impl Streams {
    /// What the messages count for in the window, in bytes.
    pub(crate) fn charge(&self) -> usize {
        self.charge
    }

    /// How many streams have a queue.
    #[cfg(test)]
    pub(crate) fn queues(&self) -> usize {
        self.queues.len()
    }

    /// Takes a message. One whose sequence number lies behind was given up by the peer, and is dropped.
    pub(crate) fn deliver(&mut self, message: Assembled) -> Result<(), Violation> {
        let stream = message.label.stream;
        let Some(ssn) = message.label.ssn else {
            self.release(stream, message);
            return Ok(());
        };
        let expected = self.expected(stream);
        if ssn == expected {
            self.release(stream, message);
            self.advance(stream, ssn.wrapping_add(1));
        } else if ssn.wrapping_sub(expected) < HALF {
            self.charge += message.charge;
            if self.queues.entry(stream).or_default().early.insert(ssn, message).is_some() {
                // Two messages with one number.
                return Err(Violation::BadFragments);
            }
        }
        Ok(())
    }

    /// A message can be read.
    fn release(&mut self, stream: StreamId, message: Assembled) {
        self.charge += message.charge;
        let queue = self.queues.entry(stream).or_default();
        queue.ready.push_back(message);
        if !queue.listed {
            queue.listed = true;
            self.readable.push_back(stream);
        }
    }

    /// Goes on with sequence number `next`, and the messages that waited for that.
    fn advance(&mut self, stream: StreamId, mut next: u16) {
        while let Some(message) = self.queues.get_mut(&stream).and_then(|queue| queue.early.remove(&next)) {
            self.charge -= message.charge;
            self.release(stream, message);
            next = next.wrapping_add(1);
        }
        self.expected.insert(stream, next);
    }

    /// The sequence number that is next on a stream.
    fn expected(&self, stream: StreamId) -> u16 {
        self.expected.get(&stream).copied().unwrap_or(0)
    }

    /// The peer gave up messages of a stream up to `ssn`; those that came are whole, so they are not lost.
    pub(crate) fn skip(&mut self, stream: StreamId, ssn: u16) {
        let expected = self.expected(stream);
        if ssn.wrapping_sub(expected) >= HALF {
            return;
        }
        if let Some(queue) = self.queues.get_mut(&stream) {
            // Only what is skipped is looked at: one chunk may name thousands of numbers.
            let (upper, lower) = match expected <= ssn {
                true => (expected..=ssn, None),
                false => (expected..=u16::MAX, Some(0..=ssn)),
            };
            let ranges = std::iter::once(upper).chain(lower);
            let skipped: Vec<u16> =
                ranges.flat_map(|it| queue.early.range(it)).map(|(ssn, _)| *ssn).collect();
            for early in skipped {
                if let Some(message) =
                    self.queues.get_mut(&stream).and_then(|queue| queue.early.remove(&early))
                {
                    self.charge -= message.charge;
                    self.release(stream, message);
                }
            }
        }
        self.advance(stream, ssn.wrapping_add(1));
    }

    /// The peer's sequence numbers begin at 0 again; what waited for one that will not come now is dropped.
    pub(crate) fn reset(&mut self, stream: StreamId) {
        self.expected.remove(&stream);
        if let Some(queue) = self.queues.get_mut(&stream) {
            let dropped: usize =
                std::mem::take(&mut queue.early).values().map(|message| message.charge).sum();
            self.charge -= dropped;
        }
        self.tidy(stream);
    }

    /// A stream with something to read that was not told since.
    pub(crate) fn poll_readable(&mut self) -> Option<StreamId> {
        while let Some(stream) = self.readable.pop_front() {
            let Some(queue) = self.queues.get_mut(&stream) else { continue };
            queue.listed = false;
            if !queue.ready.is_empty() {
                return Some(stream);
            }
            self.tidy(stream);
        }
        None
    }

    /// The next message of a stream.
    pub(crate) fn read(&mut self, stream: StreamId) -> Option<Assembled> {
        let message = self.queues.get_mut(&stream)?.ready.pop_front()?;
        self.charge -= message.charge;
        self.tidy(stream);
        Some(message)
    }

    pub(crate) fn has_unread(&self, stream: StreamId) -> bool {
        self.queues.get(&stream).is_some_and(|queue| !queue.ready.is_empty())
    }

    /// Forgets the queue of a stream that has nothing, if there are many.
    fn tidy(&mut self, stream: StreamId) {
        if self.queues.len() > IDLE_QUEUES && self.queues.get(&stream).is_some_and(Queue::is_idle) {
            self.queues.remove(&stream);
        }
    }
}
