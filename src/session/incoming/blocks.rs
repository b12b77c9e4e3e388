//! From blocks to complete chunks.

use bytes::Bytes;

use crate::session::incoming::Incoming;
use crate::session::receiver::jobs::Job;
use crate::wire::CHUNK_BYTES;
use crate::wire::block::{Header, MIN_PAYLOAD_BYTES, Packed};
use crate::wire::peer::Hash;

/// A complete chunk.
#[derive(Debug)]
pub struct Chunk {
    /// Its number.
    pub index: u32,
    /// Its bytes in order.
    pub parts: Vec<Bytes>,
    /// How many bytes they hold, if they are packed.
    pub packed: Option<u32>,
}

impl Chunk {
    /// Has it written.
    pub fn write(self, entry: u32, proof: Option<Hash>) -> Job {
        let Self { index, parts, packed } = self;
        Job::Write { entry, index, parts, packed, proof }
    }
}

impl Incoming {
    /// Takes a block; `None` if it is not the one that comes next. Gives the chunk that it completes.
    pub fn take_block(&mut self, header: Header, payload: Bytes) -> Option<Option<Chunk>> {
        let index = header.chunk()?;
        let start = u64::from(index) * u64::from(CHUNK_BYTES);
        let second_round = self.due.front() == Some(&index);
        let place = header.offset - start;
        let expected = match (second_round, header.packed) {
            (false, None) => self.next == header.offset,
            (false, Some(_)) => self.next == start && self.parts_bytes() == place,
            (true, _) => self.parts_bytes() == place,
        };
        let goes_on = self.parts.is_empty() || self.packed == header.packed;
        // Where the plain bytes end, with all of a packed chunk, and whether the chunk is complete.
        let (end, chunk_end) = match header.packed {
            None => {
                let end = header.offset + u64::from(header.length);
                (end, end.is_multiple_of(u64::from(CHUNK_BYTES)) || end == self.size())
            }
            Some(Packed { plain, packed }) => {
                let end = start + u64::from(plain);
                let whole = end.is_multiple_of(u64::from(CHUNK_BYTES)) || end == self.size();
                if !whole && !self.is_open() {
                    return None;
                }
                (end, place + u64::from(header.length) == u64::from(packed))
            }
        };
        if !self.planned() || self.short || !expected || !goes_on || end > self.size() {
            return None;
        }
        let mut short = header.packed.is_some() && chunk_end && !end.is_multiple_of(u64::from(CHUNK_BYTES));
        if !chunk_end && payload.len() < MIN_PAYLOAD_BYTES {
            if !self.is_open() || header.packed.is_some() {
                return None;
            }
            short = true;
        }
        let sent = match second_round {
            true => self.fetched + header.packed.map_or(u64::from(header.length), |it| u64::from(it.plain)),
            false => end,
        };
        if self.fault.is_some_and(|(_, most)| sent > most) {
            return None;
        }
        self.parts.push(payload);
        self.packed = header.packed;
        if header.packed.is_some() && !chunk_end {
            return Some(None);
        }
        match second_round {
            true => self.fetched = sent,
            false => self.next = end,
        }
        if short && self.is_open() {
            // Only the last chunk of a stream is a short one, and what comes last is its end.
            self.short = true;
            return Some(None);
        }
        if !chunk_end {
            return Some(None);
        }
        if second_round {
            self.writing.extend(self.due.pop_front());
        }
        Some(Some(self.take_chunk(index)))
    }

    /// What has come of a chunk, which is all of it.
    pub(super) fn take_chunk(&mut self, index: u32) -> Chunk {
        let packed = self.packed.take().map(|it| it.plain);
        Chunk { index, parts: std::mem::take(&mut self.parts), packed }
    }

    fn parts_bytes(&self) -> u64 {
        self.parts.iter().map(|it| it.len() as u64).sum()
    }
}
