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
const MOST_PARTIAL: usize = 32;

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
struct Partial {
    from: SocketAddr,
    number: u32,
    count: usize,
    parts: Vec<Option<Vec<u8>>>,
    missing: usize,
}

/// Puts pieces together.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    partial: VecDeque<Partial>,
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
    let is_it = |it: &Partial| (it.from, it.number, it.count) == (from, piece.number, piece.count);
    let at = partial.iter().position(is_it).unwrap_or_else(|| {
        if partial.len() == MOST_PARTIAL {
            partial.pop_front();
        }
        let parts = vec![None; piece.count];
        let (number, count) = (piece.number, piece.count);
        partial.push_back(Partial { from, number, count, parts, missing: count });
        partial.len() - 1
    });
    let it = partial.get_mut(at)?;
    let place = it.parts.get_mut(piece.index).filter(|place| place.is_none())?;
    *place = Some(piece.part.to_vec());
    it.missing -= 1;
    if it.missing > 0 {
        return None;
    }
    let parts: Vec<Vec<u8>> = partial.remove(at)?.parts.into_iter().flatten().collect();
    let is_even = parts.windows(2).all(|pair| pair[0].len() >= pair[1].len())
        && parts.iter().rev().skip(1).all(|part| Some(part.len()) == parts.first().map(Vec::len));
    (is_even && parts.first()?.first() == Some(&APPLICATION_DATA)).then(|| parts.concat())
}
