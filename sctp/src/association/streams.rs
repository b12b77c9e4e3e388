//! The table of open streams: how they send, what is buffered on them, and how far their closing has come.

use std::collections::HashMap;

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
#[derive(Debug, Default)]
pub(crate) struct Streams(HashMap<StreamId, Entry>);

impl Streams {
    /// Adds a stream, unless there is one of that number.
    pub(crate) fn open(&mut self, id: StreamId) -> bool {
        let before = self.0.len();
        self.0.entry(id).or_default();
        self.0.len() > before
    }

    pub(crate) fn get(&self, id: StreamId) -> Option<&Entry> {
        self.0.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: StreamId) -> Option<&mut Entry> {
        self.0.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: StreamId) {
        self.0.remove(&id);
    }

    /// All of them, in order.
    pub(crate) fn ids(&self) -> Vec<StreamId> {
        let mut ids: Vec<_> = self.0.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Those whose outgoing direction is to be reset.
    pub(crate) fn closing(&self) -> Vec<StreamId> {
        let closing = |id: &StreamId| self.get(*id).is_some_and(|it| it.outgoing == Direction::Closing);
        self.ids().into_iter().filter(closing).collect()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn add_buffered(&mut self, id: StreamId, bytes: usize) -> Option<StreamEvent> {
        let entry = self.0.get_mut(&id)?;
        let before = entry.buffered;
        entry.buffered += bytes;
        let crossed = before < entry.high && entry.buffered >= entry.high;
        crossed.then_some(StreamEvent::BufferedAmountHigh { id })
    }

    pub(crate) fn release_buffered(&mut self, id: StreamId, bytes: usize) -> Option<StreamEvent> {
        let entry = self.0.get_mut(&id)?;
        let before = entry.buffered;
        entry.buffered = entry.buffered.saturating_sub(bytes);
        let crossed = before > entry.low && entry.buffered <= entry.low;
        crossed.then_some(StreamEvent::BufferedAmountLow { id })
    }
}
