//! From pieces to datagrams.
//!
//! The kernel hands over many datagrams in one buffer (GRO), mostly the pieces of one after the other: these are pushed together where
//! they lie. What comes in parts, late or out of order is put together aside.
//!
//! Invariants: what is kept is bounded in datagrams and bytes, whoever sends; a part is taken once.

use std::collections::VecDeque;
use std::net::SocketAddr;

use webrtc::runtime::RecvMeta;

use crate::transport::pieces::{APPLICATION_DATA, HEADER_BYTES, KIND, MOST_PIECES};

/// Datagrams that wait for pieces at most; a new one takes the place of the oldest. Each has 16 KB or so, so that this is a burst of the
/// size that reordering on one path comes in.
pub(super) const MOST_PARTIAL: usize = 32;

/// Longest part of a piece: no frame that is cut has more.
const MOST_PART_BYTES: usize = 1_500;

/// A piece as it came.
#[derive(Debug, Clone, Copy)]
struct Piece<'a> {
    index: usize,
    count: usize,
    number: u32,
    part: &'a [u8],
}

impl<'a> Piece<'a> {
    fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (header, part) = datagram.split_first_chunk::<HEADER_BYTES>()?;
        let &[KIND, index, count, 0, a, b, c, d] = header else { return None };
        let (index, count) = (usize::from(index), usize::from(count));
        let is_sound = index < count && (2..=MOST_PIECES).contains(&count);
        (is_sound && (1..=MOST_PART_BYTES).contains(&part.len())).then(|| Self {
            index,
            count,
            number: u32::from_be_bytes([a, b, c, d]),
            part,
        })
    }
}

/// A datagram of which some pieces came.
#[derive(Debug)]
pub(super) struct Partial {
    from: SocketAddr,
    number: u32,
    count: usize,
    /// Which came, a bit each.
    came: u32,
    /// Bytes of each part but the last; 0 until one of these came.
    part_bytes: usize,
    /// The parts in their places, and the last one.
    parts: Vec<u8>,
    last: Vec<u8>,
}

impl Partial {
    /// Takes a piece, if it is new and fits the others; whether nothing is missing now.
    fn take(&mut self, piece: &Piece<'_>) -> bool {
        let bit = 1 << piece.index;
        if self.came & bit != 0 {
            return false;
        }
        if piece.index + 1 == self.count {
            self.last = piece.part.to_vec();
        } else {
            if self.part_bytes == 0 {
                self.part_bytes = piece.part.len();
                self.parts.reserve_exact(self.part_bytes * self.count);
                self.parts.resize(self.part_bytes * (self.count - 1), 0);
            }
            let mut places = self.parts.chunks_exact_mut(self.part_bytes);
            let place = places.nth(piece.index).filter(|place| place.len() == piece.part.len());
            let Some(place) = place else { return false };
            place.copy_from_slice(piece.part);
        }
        self.came |= bit;
        self.came.count_ones() as usize == self.count
    }

    /// The datagram, if it is one.
    fn finish(mut self) -> Option<Vec<u8>> {
        self.parts.extend_from_slice(&self.last);
        let is_sound = self.last.len() <= self.part_bytes && self.parts.first() == Some(&APPLICATION_DATA);
        is_sound.then_some(self.parts)
    }
}

/// Puts pieces together.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    pub(super) partial: VecDeque<Partial>,
    /// Datagrams that had no place in the buffer that brought them.
    ready: VecDeque<(SocketAddr, Vec<u8>)>,
}

impl Assembler {
    /// Copies a datagram that is ready into `buffer`; whether there was one.
    pub(super) fn take_ready(&mut self, buffer: &mut [u8], meta: &mut RecvMeta) -> bool {
        let Some((from, datagram)) = self.ready.pop_front() else { return false };
        // A buffer that is too short for it is a caller's mistake; the datagram is lost, as on any path.
        let length = if buffer.len() < datagram.len() { 0 } else { datagram.len() };
        if let (Some(to), Some(it)) = (buffer.get_mut(..length), datagram.get(..length)) {
            to.copy_from_slice(it);
        }
        *meta = RecvMeta::default();
        (meta.addr, meta.len, meta.stride) = (from, length, length.max(1));
        true
    }

    /// Takes what was received into `buffer`, as `meta` says, and leaves there datagrams that are whole.
    pub(super) fn handle(&mut self, buffer: &mut [u8], meta: &mut RecvMeta) {
        let stride = meta.stride.max(1);
        let Some(received) = buffer.get_mut(..meta.len) else { return };
        if !received.chunks(stride).any(|it| it.first() == Some(&KIND)) {
            return;
        }
        let mut kept = Kept::default();
        let mut at = 0;
        while at < received.len() {
            let end = (at + stride).min(received.len());
            let Some(piece) = received.get(at..end).and_then(Piece::parse) else {
                if received.get(at) != Some(&KIND) {
                    kept.keep(received, at..end, &mut self.ready, meta.addr);
                }
                at = end;
                continue;
            };
            match run(received, at, stride) {
                Some((first, all)) if received.get(first) == Some(&APPLICATION_DATA) => {
                    let length = push_together(received, at, all, stride);
                    kept.keep(received, at..at + length, &mut self.ready, meta.addr);
                    at = all;
                }
                Some((_, all)) => at = all,
                None => {
                    if let Some(datagram) = put(&mut self.partial, meta.addr, &piece) {
                        self.ready.push_back((meta.addr, datagram));
                    }
                    at = end;
                }
            }
        }
        (meta.len, meta.stride) = (kept.length, kept.stride.max(1));
    }
}

/// The datagrams at the front of a buffer: all of one length, but the last, which may be shorter.
#[derive(Debug, Default)]
struct Kept {
    length: usize,
    stride: usize,
    is_full: bool,
}

impl Kept {
    /// Keeps the datagram that lies in `range`, at the front if it fits, else aside.
    fn keep(
        &mut self,
        buffer: &mut [u8],
        range: std::ops::Range<usize>,
        aside: &mut VecDeque<(SocketAddr, Vec<u8>)>,
        from: SocketAddr,
    ) {
        let length = range.len();
        if self.length == 0 {
            self.stride = length;
        }
        if self.is_full || length > self.stride {
            aside.extend(buffer.get(range).map(|it| (from, it.to_vec())));
            return;
        }
        buffer.copy_within(range, self.length);
        self.length += length;
        self.is_full = length < self.stride;
    }
}

/// Whether from `at` on all the pieces of a datagram lie in order: where its first byte is, and where the last piece ends.
fn run(received: &[u8], at: usize, stride: usize) -> Option<(usize, usize)> {
    let mut pieces = received.get(at..)?.chunks(stride).map(Piece::parse);
    let first = pieces.next()??;
    if first.index != 0 {
        return None;
    }
    let mut end = at + stride;
    for index in 1..first.count {
        let piece = pieces.next()??;
        if (piece.index, piece.count, piece.number) != (index, first.count, first.number) {
            return None;
        }
        end += HEADER_BYTES + piece.part.len();
    }
    Some((at + HEADER_BYTES, end))
}

/// Moves the parts of the pieces in `at..end` together, to `at`; their length.
fn push_together(received: &mut [u8], at: usize, end: usize, stride: usize) -> usize {
    let mut to = at;
    let mut from = at;
    while from < end {
        let next = (from + stride).min(end);
        received.copy_within(from + HEADER_BYTES..next, to);
        to += next - from - HEADER_BYTES;
        from = next;
    }
    to - at
}

/// Puts a piece to those that came before; the datagram, when it was the last one missing.
fn put(partial: &mut VecDeque<Partial>, from: SocketAddr, piece: &Piece<'_>) -> Option<Vec<u8>> {
    let &Piece { number, count, .. } = piece;
    let is_it = |it: &Partial| (it.from, it.number, it.count) == (from, number, count);
    // The newest is last, and mostly the one.
    let at = partial.iter().rposition(is_it).unwrap_or_else(|| {
        if partial.len() == MOST_PARTIAL {
            partial.pop_front();
        }
        let (parts, last) = (Vec::new(), Vec::new());
        partial.push_back(Partial { from, number, count, came: 0, part_bytes: 0, parts, last });
        partial.len() - 1
    });
    if !partial.get_mut(at)?.take(piece) {
        return None;
    }
    partial.remove(at)?.finish()
}
