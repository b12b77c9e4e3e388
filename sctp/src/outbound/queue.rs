//! Messages that wait, and how they are cut: stream after stream, one whole message at a time.
//!
//! Without interleaving (RFC 8260) the fragments of a message have consecutive TSNs, so a message that was begun is
//! finished before the next one. A stream is looked up once per message; chunks carry its slot in the table.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;

use crate::message::StreamId;
use crate::outbound::{Message, Reliability};

/// Shortest fragment that is cut off a message's front, in bytes.
///
/// A shorter one costs more in its header (RFC 9260 §3.3.1: 16 bytes) and handling than the packet gains.
const SHORTEST_FRAGMENT_BYTES: usize = 64;

/// A stream's place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(usize);

/// A piece of a message, ready for a DATA chunk.
#[derive(Debug, Clone)]
pub(super) struct Fragment {
    pub(super) slot: Slot,
    pub(super) stream: StreamId,
    pub(super) ssn: u16,
    pub(super) ppid: u32,
    pub(super) unordered: bool,
    pub(super) beginning: bool,
    pub(super) ending: bool,
    pub(super) reliability: Reliability,
    pub(super) payload: Bytes,
}

#[derive(Debug)]
struct Stream {
    id: StreamId,
    next_ssn: u16,
    messages: VecDeque<Message>,
    /// Whether it stands in the queue of turns.
    in_turn: bool,
    /// Bytes that were not released.
    buffered: usize,
    /// Bytes that were, and nobody was told yet.
    released: usize,
}

/// The message whose turn it is.
#[derive(Debug)]
struct Cutting {
    slot: Slot,
    ssn: u16,
    begun: bool,
    rest: Message,
}

/// What the end of a lifetime did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    /// A message went of which nothing was sent.
    Waiting,
    /// The message that is being cut has to go, with what was sent of it.
    Cutting,
}

/// All that waits.
#[derive(Debug, Default)]
pub(super) struct Queue {
    slots: HashMap<StreamId, Slot>,
    streams: Vec<Stream>,
    turns: VecDeque<Slot>,
    cutting: Option<Cutting>,
    /// Streams with bytes released that nobody was told of.
    released: VecDeque<Slot>,
    /// When the first message of a stream ceases to be worth sending. A channel gives all its messages the same
    /// lifetime (RFC 8831 §6.1), so they end in the order in which they stand.
    lifetimes: BinaryHeap<Reverse<(Instant, Slot)>>,
}

impl Queue {
    /// Appends a message. An empty one cannot be carried (RFC 9260 §3.3.1) and is passed over: the layer above has a
    /// byte that stands for it.
    pub(super) fn push(&mut self, stream: StreamId, message: Message) {
        if message.payload.is_empty() {
            return;
        }
        let slot = self.slot(stream);
        let Some(entry) = self.streams.get_mut(slot.0) else { return };
        entry.buffered += message.payload.len();
        if let (Reliability::Until(end), true) = (message.reliability, entry.messages.is_empty()) {
            self.lifetimes.push(Reverse((end, slot)));
        }
        entry.messages.push_back(message);
        // The stream that is being cut stands in line again when its message is done.
        let busy = self.cutting.as_ref().is_some_and(|cutting| cutting.slot == slot);
        if !entry.in_turn && !busy {
            entry.in_turn = true;
            self.turns.push_back(slot);
        }
    }

    fn slot(&mut self, id: StreamId) -> Slot {
        let next = Slot(self.streams.len());
        let slot = *self.slots.entry(id).or_insert(next);
        if slot == next {
            let messages = VecDeque::new();
            self.streams.push(Stream { id, next_ssn: 0, messages, in_turn: false, buffered: 0, released: 0 });
        }
        slot
    }

    fn stream(&self, id: StreamId) -> Option<&Stream> {
        self.streams.get(self.slots.get(&id)?.0)
    }

    /// Whether nothing waits to be cut.
    pub(super) fn is_empty(&self) -> bool {
        self.cutting.is_none() && self.turns.is_empty()
    }

    /// Whether messages of a stream wait that are not cut whole.
    pub(super) fn has_queued(&self, stream: StreamId) -> bool {
        let cutting = self.cutting.as_ref().and_then(|cutting| self.streams.get(cutting.slot.0));
        cutting.is_some_and(|entry| entry.id == stream)
            || self.stream(stream).is_some_and(|entry| !entry.messages.is_empty())
    }

    /// Bytes queued or outstanding on a stream.
    #[cfg(test)]
    pub(super) fn buffered(&self, stream: StreamId) -> usize {
        self.stream(stream).map_or(0, |entry| entry.buffered)
    }

    /// The next message of a stream has sequence number 0.
    pub(super) fn reset(&mut self, stream: StreamId) {
        let slot = self.slots.get(&stream).copied();
        if let Some(entry) = slot.and_then(|slot| self.streams.get_mut(slot.0)) {
            entry.next_ssn = 0;
        }
    }

    /// Length of the next fragment in a chunk with `room` for payload, if one that short is worth it.
    pub(super) fn next_length(&mut self, room: usize) -> Option<usize> {
        if self.cutting.is_none() {
            self.begin();
        }
        let rest = self.cutting.as_ref()?.rest.payload.len();
        if rest > room && room < SHORTEST_FRAGMENT_BYTES { None } else { Some(rest.min(room)) }
    }

    /// Cuts `length` bytes, at least one, off the message that [`Self::next_length`] spoke of.
    pub(super) fn cut(&mut self, length: usize) -> Option<Fragment> {
        let cutting = self.cutting.as_mut()?;
        let stream = self.streams.get_mut(cutting.slot.0)?;
        let beginning = !cutting.begun;
        if beginning && !cutting.rest.unordered {
            // Numbered only now: a message that is given up while it waits leaves no hole.
            cutting.ssn = stream.next_ssn;
            stream.next_ssn = stream.next_ssn.wrapping_add(1);
        }
        cutting.begun = true;
        let rest = &mut cutting.rest;
        let payload = rest.payload.split_to(length.min(rest.payload.len()));
        let fragment = Fragment {
            slot: cutting.slot,
            stream: stream.id,
            ssn: cutting.ssn,
            ppid: rest.ppid,
            unordered: rest.unordered,
            beginning,
            ending: rest.payload.is_empty(),
            reliability: rest.reliability,
            payload,
        };
        if fragment.ending {
            self.end();
        }
        Some(fragment)
    }

    fn begin(&mut self) {
        let Some(slot) = self.turns.pop_front() else { return };
        let Some(stream) = self.streams.get_mut(slot.0) else { return };
        stream.in_turn = false;
        let Some(rest) = stream.messages.pop_front() else { return };
        self.cutting = Some(Cutting { slot, ssn: 0, begun: false, rest });
    }

    /// The message is cut whole, or given up.
    fn end(&mut self) {
        let Some(cutting) = self.cutting.take() else { return };
        let Some(stream) = self.streams.get_mut(cutting.slot.0) else { return };
        if let Some(next) = stream.messages.front() {
            if let Reliability::Until(end) = next.reliability {
                self.lifetimes.push(Reverse((end, cutting.slot)));
            }
            stream.in_turn = true;
            self.turns.push_back(cutting.slot);
        }
    }

    /// Gives up the rest of the message that is being cut: what stands for it in the line of TSNs, if it was begun.
    pub(super) fn give_up_rest(&mut self) -> Option<Fragment> {
        let cutting = self.cutting.as_ref()?;
        let (slot, length) = (cutting.slot, cutting.rest.payload.len());
        let fragment = cutting.begun.then(|| Fragment {
            slot,
            stream: self.streams.get(slot.0).map_or(0, |stream| stream.id),
            ssn: cutting.ssn,
            ppid: cutting.rest.ppid,
            unordered: cutting.rest.unordered,
            beginning: false,
            ending: true,
            reliability: cutting.rest.reliability,
            payload: Bytes::new(),
        });
        self.end();
        self.release(slot, length);
        fragment
    }

    /// Drops a message that stands first in its stream and has outlived its worth; called until there is none.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Expired> {
        while let Some(&Reverse((end, slot))) = self.lifetimes.peek() {
            if end > now {
                return None;
            }
            self.lifetimes.pop();
            let is_over =
                |message: &Message| matches!(message.reliability, Reliability::Until(end) if end <= now);
            if self.cutting.as_ref().is_some_and(|cutting| cutting.slot == slot && is_over(&cutting.rest)) {
                return Some(Expired::Cutting);
            }
            let Some(stream) = self.streams.get_mut(slot.0) else { continue };
            if !stream.messages.front().is_some_and(is_over) {
                continue;
            }
            let Some(message) = stream.messages.pop_front() else { continue };
            match stream.messages.front().map(|next| next.reliability) {
                Some(Reliability::Until(end)) => self.lifetimes.push(Reverse((end, slot))),
                Some(Reliability::Reliable | Reliability::Retransmits(_)) => {}
                None if stream.in_turn => {
                    stream.in_turn = false;
                    self.turns.retain(|turn| *turn != slot);
                }
                None => {}
            }
            self.release(slot, message.payload.len());
            return Some(Expired::Waiting);
        }
        None
    }

    /// When [`Self::expire`] has something to do.
    pub(super) fn lifetime(&self) -> Option<Instant> {
        self.lifetimes.peek().map(|Reverse((end, _))| *end)
    }

    /// Bytes of a stream are off our hands.
    pub(super) fn release(&mut self, slot: Slot, bytes: usize) {
        let Some(stream) = self.streams.get_mut(slot.0) else { return };
        if stream.released == 0 && bytes > 0 {
            self.released.push_back(slot);
        }
        stream.released += bytes;
        stream.buffered = stream.buffered.saturating_sub(bytes);
    }

    /// Bytes of a stream that were released since it was asked last.
    pub(super) fn poll_released(&mut self) -> Option<(StreamId, usize)> {
        let slot = self.released.pop_front()?;
        let stream = self.streams.get_mut(slot.0)?;
        Some((stream.id, std::mem::take(&mut stream.released)))
    }
}
