//! What was given out and is not acknowledged for good: a ring of chunks by TSN, and sums over it.
//!
//! A payload is kept until the cumulative TSN passes it. Receivers may take back what only gap blocks acknowledged
//! (RFC 9260 §6.2); those of data channels do not, and memory is bounded by the peer's window all the same.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;

use crate::control::rate::Stamp;
use crate::outbound::queue::{Fragment, Slot};
use crate::ranges::Ranges;
use crate::wire::DATA_HEADER_BYTES;

/// Most chunks from the first that is missing to the last: gap blocks reach no further (RFC 9260 §3.3.4: offsets of 16 bits).
pub(super) const MOST_OUTSTANDING: usize = u16::MAX as usize;

/// What is known of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// On the way, as far as we know.
    Flying,
    /// Acknowledged by a gap block.
    Acked,
    /// To be sent again.
    Lost,
    /// Given up (RFC 3758).
    Abandoned,
}

/// A chunk that has a TSN.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) fragment: Fragment,
    pub(super) state: State,
    /// Its bytes were released already: it does not end its message, or the peer took its acknowledgement back.
    released: bool,
    pub(super) transmissions: u32,
    /// The place of the last transmission among all transmissions.
    pub(super) order: u64,
    /// The last transmission; nothing for a chunk that only stands for bytes never sent.
    pub(super) stamp: Option<Stamp>,
}

impl Chunk {
    pub(super) fn new(fragment: Fragment, order: u64, stamp: Stamp) -> Self {
        let released = !fragment.ending;
        Self { fragment, state: State::Flying, released, transmissions: 1, order, stamp: Some(stamp) }
    }

    /// Stands for what was never sent of an abandoned message.
    pub(super) fn stand_in(fragment: Fragment) -> Self {
        let state = State::Abandoned;
        Self { fragment, state, released: true, transmissions: 0, order: 0, stamp: None }
    }

    /// What it takes on the way: payload and header.
    pub(super) fn bytes(&self) -> usize {
        self.fragment.payload.len() + DATA_HEADER_BYTES
    }
}

/// A chunk that arrived, as its last transmission left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivery {
    pub(super) tsn: u64,
    pub(super) bytes: usize,
    pub(super) was: State,
    pub(super) transmissions: u32,
    pub(super) order: u64,
    pub(super) stamp: Stamp,
}

/// The ring.
#[derive(Debug)]
pub(super) struct Flight {
    base: u64,
    chunks: VecDeque<Chunk>,
    acked: Ranges,
    /// Lost chunks by TSN, and some that are not lost any more.
    lost: BinaryHeap<Reverse<u64>>,
    lost_chunks: usize,
    flying_chunks: usize,
    flying_bytes: usize,
    abandoned_chunks: usize,
    /// Chunks that are longer than all after them: the first is the longest.
    longest: VecDeque<(u64, usize)>,
}

impl Flight {
    pub(super) fn new(first: u64) -> Self {
        Self {
            base: first,
            chunks: VecDeque::new(),
            acked: Ranges::default(),
            lost: BinaryHeap::new(),
            lost_chunks: 0,
            flying_chunks: 0,
            flying_bytes: 0,
            abandoned_chunks: 0,
            longest: VecDeque::new(),
        }
    }

    /// The first TSN that is not cumulatively acknowledged.
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// The TSN that the next chunk gets.
    pub(super) fn next(&self) -> u64 {
        self.base + self.chunks.len() as u64
    }

    pub(super) fn len(&self) -> usize {
        self.chunks.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    fn index(&self, tsn: u64) -> Option<usize> {
        usize::try_from(tsn.checked_sub(self.base)?).ok()
    }

    pub(super) fn get(&self, tsn: u64) -> Option<&Chunk> {
        self.chunks.get(self.index(tsn)?)
    }

    pub(super) fn get_mut(&mut self, tsn: u64) -> Option<&mut Chunk> {
        let index = self.index(tsn)?;
        self.chunks.get_mut(index)
    }

    pub(super) fn has_lost(&self) -> bool {
        self.lost_chunks > 0
    }

    pub(super) fn has_abandoned(&self) -> bool {
        self.abandoned_chunks > 0
    }

    pub(super) fn flying_chunks(&self) -> usize {
        self.flying_chunks
    }

    /// Bytes on the way, headers included.
    pub(super) fn flying_bytes(&self) -> usize {
        self.flying_bytes
    }

    /// Bytes of payload on the way: what the peer's window has to hold.
    pub(super) fn flying_payload(&self) -> usize {
        self.flying_bytes.saturating_sub(self.flying_chunks * DATA_HEADER_BYTES)
    }

    /// The longest chunk, header included, in bytes.
    pub(super) fn longest(&self) -> usize {
        self.longest.front().map_or(0, |&(_, bytes)| bytes)
    }

    /// Appends a chunk: its TSN.
    pub(super) fn push(&mut self, chunk: Chunk) -> u64 {
        let (tsn, bytes) = (self.next(), chunk.bytes());
        while self.longest.back().is_some_and(|&(_, length)| length <= bytes) {
            self.longest.pop_back();
        }
        self.longest.push_back((tsn, bytes));
        self.enter(chunk.state, bytes);
        self.chunks.push_back(chunk);
        tsn
    }

    fn enter(&mut self, state: State, bytes: usize) {
        match state {
            State::Flying => {
                self.flying_chunks += 1;
                self.flying_bytes += bytes;
            }
            State::Lost => self.lost_chunks += 1,
            State::Abandoned => self.abandoned_chunks += 1,
            State::Acked => {}
        }
    }

    fn leave(&mut self, state: State, bytes: usize) {
        match state {
            State::Flying => {
                self.flying_chunks = self.flying_chunks.saturating_sub(1);
                self.flying_bytes = self.flying_bytes.saturating_sub(bytes);
            }
            State::Lost => {
                self.lost_chunks = self.lost_chunks.saturating_sub(1);
                if self.lost_chunks == 0 {
                    self.lost.clear();
                }
            }
            State::Abandoned => self.abandoned_chunks = self.abandoned_chunks.saturating_sub(1),
            State::Acked => {}
        }
    }

    /// Gives a chunk another state.
    pub(super) fn turn(&mut self, tsn: u64, state: State) {
        let Some(chunk) = self.get_mut(tsn) else { return };
        let was = std::mem::replace(&mut chunk.state, state);
        let bytes = chunk.bytes();
        if was == state {
            return;
        }
        self.leave(was, bytes);
        self.enter(state, bytes);
        if state == State::Lost {
            self.lost.push(Reverse(tsn));
        }
    }

    /// The first chunk that is to be sent again.
    pub(super) fn first_lost(&mut self) -> Option<u64> {
        while let Some(&Reverse(tsn)) = self.lost.peek() {
            if self.get(tsn).is_some_and(|chunk| chunk.state == State::Lost) {
                return Some(tsn);
            }
            self.lost.pop();
        }
        None
    }

    /// The last chunk that is on the way.
    pub(super) fn last_flying(&self) -> Option<u64> {
        let index = self.chunks.iter().rposition(|chunk| chunk.state == State::Flying)?;
        Some(self.base + index as u64)
    }

    /// Takes the first chunk out: what news that is, and what its stream may be told.
    pub(super) fn pop(&mut self) -> Option<(Option<Delivery>, Slot, usize)> {
        let chunk = self.chunks.pop_front()?;
        let (tsn, bytes) = (self.base, chunk.bytes());
        self.base += 1;
        self.leave(chunk.state, bytes);
        while self.longest.front().is_some_and(|&(first, _)| first <= tsn) {
            self.longest.pop_front();
        }
        let (slot, released) = release(&chunk);
        Some((delivery(tsn, &chunk), slot, released))
    }

    /// The cumulative TSN has moved: gap blocks below it say nothing any more.
    pub(super) fn forget_below_base(&mut self) {
        self.acked.remove_below(self.base);
    }

    /// A gap block: hands what is new of it to `fresh`.
    pub(super) fn cover(&mut self, range: Range<u64>, fresh: impl FnMut(Range<u64>)) {
        self.acked.insert(range, fresh);
    }

    /// A chunk was acknowledged by a gap block: what news that is, and what its stream may be told.
    pub(super) fn acknowledge(&mut self, tsn: u64) -> Option<(Option<Delivery>, Slot, usize)> {
        let chunk = self.get_mut(tsn)?;
        let (news, (slot, released)) = (delivery(tsn, chunk), release(chunk));
        chunk.released = true;
        if chunk.state != State::Abandoned {
            self.turn(tsn, State::Acked);
        }
        Some((news, slot, released))
    }

    /// Gives a chunk up: what its stream may be told.
    pub(super) fn abandon(&mut self, tsn: u64) -> Option<(Slot, usize)> {
        self.turn(tsn, State::Abandoned);
        let chunk = self.get_mut(tsn)?;
        let released = release(chunk);
        chunk.released = true;
        chunk.fragment.payload.clear();
        Some(released)
    }

    /// Whether the peer took back what it had acknowledged: it is the very chunk that it waits for now. Makes it lost.
    pub(super) fn reclaim_first(&mut self) -> bool {
        if self.chunks.front().is_none_or(|chunk| chunk.state != State::Acked) {
            return false;
        }
        self.acked.remove_below(self.base + 1);
        self.turn(self.base, State::Lost);
        true
    }
}

#[cfg(any(test, fuzzing))]
impl Flight {
    /// Counts everything anew and compares.
    pub(super) fn check(&self) {
        let count = |state| self.chunks.iter().filter(|chunk| chunk.state == state).count();
        assert_eq!(count(State::Flying), self.flying_chunks);
        assert_eq!(count(State::Lost), self.lost_chunks);
        assert_eq!(count(State::Abandoned), self.abandoned_chunks);
        let flying = self.chunks.iter().filter(|chunk| chunk.state == State::Flying);
        assert_eq!(flying.map(Chunk::bytes).sum::<usize>(), self.flying_bytes);
    }
}

fn delivery(tsn: u64, chunk: &Chunk) -> Option<Delivery> {
    if !matches!(chunk.state, State::Flying | State::Lost) {
        return None;
    }
    Some(Delivery {
        tsn,
        bytes: chunk.bytes(),
        was: chunk.state,
        transmissions: chunk.transmissions,
        order: chunk.order,
        stamp: chunk.stamp?,
    })
}

fn release(chunk: &Chunk) -> (Slot, usize) {
    (chunk.fragment.slot, if chunk.released { 0 } else { chunk.fragment.payload.len() })
}
