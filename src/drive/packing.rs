//! From the blocks of a chunk to the parts of a packed one, where that pays, and back.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher};

use bytes::{Bytes, BytesMut};

use crate::fs::DiskFault;
use crate::pack::{self, Packer, Unpacker};
use crate::session::sender::{Effort, Pack};
use crate::wire::CHUNK_BYTES;
use crate::wire::block::{self, HEADER_BYTES, Header, PAYLOAD_BYTES, Packed};
use crate::wire::peer::Hash;

/// Shorter chunks go as they are: a packet carries them either way.
const MIN_BYTES: usize = 512;

/// Kinds of files of which it is remembered whether packing paid.
const MAX_KINDS: usize = 256;

/// Chunks of a kind that did not pay are passed over, up to this many, before another one is tried.
const MOST_PASSED: u32 = 32;

/// A packer of chunks, and what it has learnt.
pub(super) struct Packing {
    packer: Packer,
    plain: Vec<u8>,
    kinds: HashMap<u64, Kind>,
}

/// What is remembered of chunks that are alike.
#[derive(Default)]
struct Kind {
    /// Chunks to pass over before another one is tried, and how many that will be when that does not pay either.
    to_pass: u32,
    next: u32,
}

impl Packing {
    pub fn new() -> Self {
        Self { packer: Packer::new(), plain: Vec::new(), kinds: HashMap::new() }
    }

    /// The frames of a packed chunk in place of those of the plain one, where that was asked for and makes it shorter.
    /// `alike`: what tells of which kind the entry is; without it only its own chunks are like it.
    pub fn pack(
        &mut self,
        (entry, index): (u32, u32),
        alike: Option<&str>,
        pack: Pack,
        frames: Vec<BytesMut>,
    ) -> Vec<BytesMut> {
        let (effort, ask) = match pack {
            Pack::No => return frames,
            Pack::IfItPays(effort) => (effort, true),
            Pack::Yes(effort) => (effort, false),
        };
        let plain: usize = frames.iter().map(|it| it.len().saturating_sub(HEADER_BYTES)).sum();
        if plain < MIN_BYTES {
            return frames;
        }
        let kind = self.kind(entry, alike);
        if ask && kind.to_pass > 0 {
            kind.to_pass -= 1;
            return frames;
        }
        self.plain.clear();
        frames.iter().for_each(|it| self.plain.extend_from_slice(it.get(HEADER_BYTES..).unwrap_or_default()));
        let effort = match effort {
            Effort::Quick => pack::Effort::Quick,
            Effort::Thorough => pack::Effort::Thorough,
        };
        let hopeful = !ask || self.packer.seems_to_pay(&self.plain);
        let packed = if hopeful { self.packer.pack(&self.plain, effort) } else { None };
        let packed = packed.map(|packed| cut((entry, index), plain, packed));
        self.kind(entry, alike).tried(packed.is_some());
        packed.unwrap_or(frames)
    }

    fn kind(&mut self, entry: u32, alike: Option<&str>) -> &mut Kind {
        let mut hasher = DefaultHasher::new();
        match alike {
            Some(alike) => alike.hash(&mut hasher),
            None => entry.hash(&mut hasher),
        }
        let key = hasher.finish();
        if self.kinds.len() >= MAX_KINDS && !self.kinds.contains_key(&key) {
            self.kinds.clear();
        }
        self.kinds.entry(key).or_default()
    }
}

impl Kind {
    fn tried(&mut self, paid: bool) {
        self.next = if paid { 0 } else { (self.next * 2 + 1).min(MOST_PASSED) };
        self.to_pass = self.next;
    }
}

/// The frames that carry a packed chunk.
fn cut((entry, index): (u32, u32), plain: usize, packed: &[u8]) -> Vec<BytesMut> {
    let start = u64::from(index) * u64::from(CHUNK_BYTES);
    let whole = Packed { plain: plain as u32, packed: packed.len() as u32 };
    let mut offset = start;
    let mut frames = Vec::with_capacity(packed.len().div_ceil(PAYLOAD_BYTES));
    for part in packed.chunks(PAYLOAD_BYTES) {
        let length = part.len() as u32;
        let mut frame = block::begin(Header { entry, length, offset, packed: Some(whole) });
        frame.extend_from_slice(part);
        frames.push(frame);
        offset += u64::from(length);
    }
    frames
}

/// Has a chunk written as it was before it was packed; `None` if it does not unpack.
pub(super) fn unpacked(
    unpacker: &mut Unpacker,
    parts: Vec<Bytes>,
    packed: Option<u32>,
    write: impl FnOnce(&[Bytes]) -> Result<Hash, DiskFault>,
) -> Option<Result<Hash, DiskFault>> {
    let Some(plain) = packed else { return Some(write(&parts)) };
    let chunk = unpacker.unpack(&parts, plain);
    let chunk = chunk.inspect_err(|error| log::warn!("the other side sent {error}")).ok()?;
    let parts = [chunk];
    let written = write(&parts);
    let [chunk] = parts;
    unpacker.reclaim(chunk);
    Some(written)
}
