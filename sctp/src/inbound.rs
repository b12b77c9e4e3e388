//! The receiving half: from DATA chunks to messages and SACKs.
//!
//! Invariants: a byte is delivered once; what was acknowledged is never dropped; memory is bounded by the window that
//! was offered and the message in the making, whatever sizes and numbers the peer chooses: what is kept is charged
//! [`CHUNK_OVERHEAD`] and [`MESSAGE_OVERHEAD`] too.

mod acknowledging;
mod reassembly;
mod streams;
mod window;

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::Violation;
use crate::inbound::acknowledging::Acknowledging;
use crate::inbound::reassembly::Reassembly;
use crate::inbound::streams::Streams;
use crate::inbound::window::Window;
use crate::message::{Chunks, StreamId};
use crate::ranges::Ranges;
use crate::wire::{Data, ForwardTsn, GapBlock, Sack, tsn};

/// Bounds that the association was configured with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Most bytes that may wait to be put together or read; twice `message_bytes`, if that is more. The message in
    /// the making may take `2 * message_bytes` beyond.
    pub(crate) window_bytes: usize,
    /// Longest message that is taken.
    pub(crate) message_bytes: usize,
}

/// What a kept chunk costs besides its payload, in bytes, when the window is reckoned: a `Bytes` and its place in a list.
pub(crate) const CHUNK_OVERHEAD: usize = 64;

/// What a message costs besides its chunks, in bytes: its place in a tree or queue, and the list of its chunks.
pub(crate) const MESSAGE_OVERHEAD: usize = 128;

/// How far above the cumulative TSN a chunk may lie: what a gap block can say (RFC 9260 §3.3.4).
const FARTHEST: u64 = u16::MAX as u64;

/// Gaps that are kept account of. A SACK of 1,200 bytes tells of 290; more gaps than this are no path's doing.
const MOST_GAPS: usize = 4096;

/// Duplicates that a SACK tells of. More would not tell the sender more.
const MOST_DUPLICATES: usize = 32;

/// Room for so many packets is worth telling a sender that has none.
const REOPENING_PACKETS: usize = 2;

/// A peer that has room is told of more when that is so great a part of the window.
const UPDATE_PART: usize = 4;

/// The receiving half of an association.
#[derive(Debug)]
pub(crate) struct Inbound {
    /// All TSNs up to this one have arrived.
    cumulative: u64,
    /// What arrived above it, with something missing before each range.
    above: Ranges,
    duplicates: Vec<u32>,
    reassembly: Reassembly,
    streams: Streams,
    window: Window,
    acknowledging: Acknowledging,
    /// What the message in the making may take beyond the window: its fragments, if they have 64 bytes and more.
    reserve: usize,
    longest_payload: usize,
}

impl Inbound {
    /// Expects the peer's first TSN.
    pub(crate) fn new(peer_initial_tsn: u32, limits: Limits) -> Self {
        Self {
            cumulative: tsn::start(peer_initial_tsn) - 1,
            above: Ranges::default(),
            duplicates: Vec::new(),
            reassembly: Reassembly::new(limits.message_bytes),
            streams: Streams::default(),
            window: Window::new(limits.window_bytes, limits.message_bytes),
            acknowledging: Acknowledging::new(),
            reserve: limits.message_bytes.saturating_mul(2),
            longest_payload: 0,
        }
    }

    /// The peer is of our own kind: it sends by a model of the path, and is content with few SACKs.
    pub(crate) fn answer_rarely(&mut self) {
        self.acknowledging.answer_rarely();
    }

    /// Whether the packet that was handled shall have a SACK of its own, whatever else comes in the same burst.
    pub(crate) fn sack_stands_alone(&self) -> bool {
        self.acknowledging.stands_alone()
    }

    /// The window that INIT and INIT ACK offer.
    pub(crate) fn window(&mut self) -> u32 {
        self.window.offer(self.kept())
    }

    /// The round-trip time, where the association measures one: the window grows by it. Without, it is guessed from
    /// what comes in.
    pub(crate) fn set_round_trip(&mut self, round_trip: Duration) {
        self.window.set_round_trip(round_trip);
    }

    /// Takes a DATA chunk. One that was there before, or that no room is left for, is not kept (and the SACK tells).
    pub(crate) fn handle_data(&mut self, now: Instant, data: Data) -> Result<(), Violation> {
        let tsn = tsn::unwrap(self.cumulative, data.tsn);
        let payload_bytes = data.payload.len();
        if payload_bytes == 0 {
            // RFC 9260 §3.3.10.9: an error that ends the association.
            return Err(Violation::BadFragments);
        }
        self.acknowledging.on_data();
        if data.immediate {
            self.acknowledging.demand();
        }
        if self.has_arrived(tsn) {
            if self.duplicates.len() < MOST_DUPLICATES {
                self.duplicates.push(data.tsn);
            }
            self.acknowledging.demand();
            return Ok(());
        }
        if !self.has_room(tsn, payload_bytes) {
            self.acknowledging.demand();
            return Ok(());
        }
        if tsn != self.above.last().map_or(self.cumulative + 1, |last| last.end) {
            // A gap opens or closes.
            self.acknowledging.demand();
        }

        let arrived = |tsn| tsn <= self.cumulative || self.above.contains(tsn);
        let message = self.reassembly.take(tsn, data, arrived)?;
        if tsn == self.cumulative + 1 {
            self.cumulative = tsn;
            self.close_gap();
        } else {
            self.above.insert(tsn..tsn + 1, |_| {});
        }
        self.longest_payload = self.longest_payload.max(payload_bytes);
        self.window.on_arrived(now, payload_bytes);
        message.map_or(Ok(()), |message| self.streams.deliver(message))
    }

    fn has_arrived(&self, tsn: u64) -> bool {
        tsn <= self.cumulative || self.above.contains(tsn)
    }

    /// Whether a new chunk can be kept.
    ///
    /// The one that all others wait for is taken with the window full, or it would stay full; so at most the
    /// message that it belongs to lies beyond.
    fn has_room(&self, tsn: u64, payload_bytes: usize) -> bool {
        let wanted = self.kept() + payload_bytes + CHUNK_OVERHEAD + MESSAGE_OVERHEAD;
        if tsn == self.cumulative + 1 {
            return wanted <= self.window.size().saturating_add(self.reserve);
        }
        let touches = || {
            self.above.contains(tsn - 1)
                || self.above.contains(tsn + 1)
                || self.above.last().is_some_and(|last| last.end == tsn)
        };
        wanted <= self.window.size()
            && tsn - self.cumulative <= FARTHEST
            && (self.above.len() < MOST_GAPS || touches())
    }

    /// Moves on over what had arrived already.
    fn close_gap(&mut self) {
        if let Some(first) = self.above.first()
            && first.start <= self.cumulative + 1
        {
            self.cumulative = self.cumulative.max(first.end - 1);
            self.above.remove_below(self.cumulative + 1);
        }
    }

    /// What is kept, in bytes.
    fn kept(&self) -> usize {
        self.reassembly.charge() + self.streams.charge()
    }

    /// What is kept, and the most that may be.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn charges(&self) -> (usize, usize) {
        (self.kept(), self.window.size() + self.reserve)
    }

    /// Stops waiting for what the peer gave up (RFC 3758 §3.6).
    pub(crate) fn handle_forward_tsn(
        &mut self,
        _now: Instant,
        forward: &ForwardTsn,
    ) -> Result<(), Violation> {
        self.acknowledging.demand();
        let forwarded = tsn::unwrap(self.cumulative, forward.cumulative_tsn);
        if forwarded < self.cumulative {
            return Ok(());
        }
        self.cumulative = forwarded;
        self.above.remove_below(forwarded + 1);
        self.close_gap();
        self.reassembly.forward(forwarded, self.cumulative + 1, |label| {
            let Some(ssn) = label.ssn else { return false };
            let given_up = |&(stream, last): &(u16, u16)| {
                stream == label.stream && last.wrapping_sub(ssn) <= u16::MAX / 2
            };
            forward.streams.iter().any(given_up)
        });
        for &(stream, ssn) in &forward.streams {
            self.streams.skip(stream, ssn);
        }
        Ok(())
    }

    /// All chunks of a packet were handled: decides when to acknowledge (RFC 9260 §6.2).
    pub(crate) fn end_packet(&mut self, now: Instant) {
        self.window.resize(now);
        self.acknowledging.end_packet(now, self.window.round_trip(), !self.above.is_empty());
    }

    /// A stream that got a complete message to read; told once per message or burst of messages.
    pub(crate) fn poll_readable(&mut self) -> Option<StreamId> {
        self.streams.poll_readable()
    }

    /// The next complete message of a stream. Room that this makes is advertised when it matters.
    pub(crate) fn read(&mut self, stream: StreamId) -> Option<Chunks> {
        let message = self.streams.read(stream)?;
        self.window.on_read(message.fragments.iter().map(Bytes::len).sum());

        let (room, credit) = (self.window.room(self.kept()), self.window.credit());
        let opening = self.longest_payload * REOPENING_PACKETS;
        let reopened = credit < opening && room >= opening;
        if reopened || room.saturating_sub(credit) >= self.window.size() / UPDATE_PART {
            self.acknowledging.demand();
        }
        Some(Chunks { ppi: message.label.ppid.into(), fragments: message.fragments })
    }

    /// Whether a complete message waits on a stream.
    pub(crate) fn has_unread(&self, stream: StreamId) -> bool {
        self.streams.has_unread(stream)
    }

    /// The peer has reset its outgoing stream (RFC 6525 §5.2.2): the next message has sequence number 0; what is complete stays readable.
    pub(crate) fn reset_stream(&mut self, stream: StreamId) {
        self.streams.reset(stream);
    }

    /// Whether a SACK should go out with the next packet.
    pub(crate) fn sack_due(&self, now: Instant) -> bool {
        self.acknowledging.is_due(now)
    }

    /// When one will be due that is not yet.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.acknowledging.deadline()
    }

    /// The SACK, with as many gap blocks as fit in `room` bytes of chunk; nothing is due afterwards.
    ///
    /// If not all fit it has the lowest, which hold up the sender's window, and the highest, which are news.
    pub(crate) fn sack(&mut self, _now: Instant, room: usize) -> Sack {
        self.acknowledging.on_sent();
        let entries = room.saturating_sub(Sack::HEADER_BYTES) / Sack::BLOCK_BYTES;
        let blocks = entries.min(self.above.len());
        let lowest = if blocks < self.above.len() { blocks / 2 } else { blocks };
        let skipped = self.above.len() - blocks;
        let offset = |tsn: u64| u16::try_from(tsn - self.cumulative).ok();
        let ranges = self.above.iter().take(lowest).chain(self.above.iter().skip(lowest + skipped));
        let gaps = ranges
            .filter_map(|range| Some(GapBlock { start: offset(range.start)?, end: offset(range.end - 1)? }))
            .collect();
        let mut duplicates = std::mem::take(&mut self.duplicates);
        duplicates.truncate(entries - blocks);
        let window = self.window.offer(self.kept());
        Sack { cumulative_tsn: self.cumulative_tsn(), window, gaps, duplicates }
    }

    /// The highest TSN below which nothing is missing.
    pub(crate) fn cumulative_tsn(&self) -> u32 {
        tsn::wrap(self.cumulative)
    }
}
