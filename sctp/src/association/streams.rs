//! The table of open streams: how they send, what is buffered on them, and how far their closing has come.

use std::collections::{BTreeMap, BTreeSet};

use crate::stream::{Settings, StreamEvent, StreamId};

/// How far one direction of a stream is closed (RFC 8831 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Direction {
    #[default]
    Open,
    /// Its reset was asked for, or waits for what is unread.
    Closing,
    Closed,
}

/// An open stream.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) settings: Settings,
    pub(crate) outgoing: Direction,
    pub(crate) incoming: Direction,
    pub(crate) buffered: usize,
    pub(crate) low: usize,
    pub(crate) high: usize,
}

impl Default for Entry {
    fn default() -> Self {
        let (outgoing, incoming) = (Direction::Open, Direction::Open);
        Self { settings: Settings::default(), outgoing, incoming, buffered: 0, low: 0, high: usize::MAX }
    }
}

impl Entry {
    pub(crate) fn is_open(&self) -> bool {
        self.outgoing == Direction::Open
    }
}

/// All open streams of an association.
///
/// A peer can open all that there are, so nothing that happens with each packet may look at each stream.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    entries: BTreeMap<StreamId, Entry>,
    /// Those whose outgoing direction is to be reset.
    closing: BTreeSet<StreamId>,
}

impl Streams {
    /// Adds a stream, unless there is one of that number.
    pub(crate) fn open(&mut self, id: StreamId) -> bool {
        let before = self.entries.len();
        self.entries.entry(id).or_default();
        self.entries.len() > before
    }

    pub(crate) fn get(&self, id: StreamId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: StreamId) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: StreamId) {
        self.entries.remove(&id);
        self.closing.remove(&id);
    }

    /// All of them, in order.
    pub(crate) fn ids(&self) -> Vec<StreamId> {
        self.entries.keys().copied().collect()
    }

    /// Those whose outgoing direction is to be reset, in order.
    pub(crate) fn closing(&self) -> impl Iterator<Item = StreamId> {
        self.closing.iter().copied()
    }

    /// The outgoing direction of a stream, if it is open, is to be reset.
    pub(crate) fn close_outgoing(&mut self, id: StreamId) {
        if let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.is_open()) {
            entry.outgoing = Direction::Closing;
            self.closing.insert(id);
        }
    }

    /// The outgoing direction of a stream is over.
    pub(crate) fn end_outgoing(&mut self, id: StreamId) {
        self.closing.remove(&id);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.outgoing = Direction::Closed;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.closing.clear();
    }

    pub(crate) fn add_buffered(&mut self, id: StreamId, bytes: usize) -> Option<StreamEvent> {
        let entry = self.entries.get_mut(&id)?;
        let before = entry.buffered;
        entry.buffered += bytes;
        let crossed = before < entry.high && entry.buffered >= entry.high;
        crossed.then_some(StreamEvent::BufferedAmountHigh { id })
    }

    pub(crate) fn release_buffered(&mut self, id: StreamId, bytes: usize) -> Option<StreamEvent> {
        let entry = self.entries.get_mut(&id)?;
        let before = entry.buffered;
        entry.buffered = entry.buffered.saturating_sub(bytes);
        let crossed = before > entry.low && entry.buffered <= entry.low;
        crossed.then_some(StreamEvent::BufferedAmountLow { id })
    }
}
