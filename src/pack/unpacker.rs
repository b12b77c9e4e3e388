//! Unpacking, of whatever a peer sends.

use bytes::{Bytes, BytesMut};
use zstd_safe::{DCtx, DParameter, find_frame_compressed_size, get_frame_content_size};

use crate::wire::CHUNK_BYTES;

/// RFC 8878 §3.1.1: a frame begins with this, and then one byte that describes it.
const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// Of that byte: one segment, nothing unused or reserved, no checksum, no dictionary; the two bits that are left say
/// how long the field of the size is.
const DESCRIPTION: u8 = 0b0010_0000;
const DESCRIPTION_MASK: u8 = 0b0011_1111;

/// It is not one frame that holds so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unpackable {
    /// It begins otherwise than frames of p2pcp do, or is longer than a chunk.
    #[error("no frame of the kind that was agreed on")]
    Kind,
    /// It speaks of another size than the block.
    #[error("a frame of another size")]
    Size,
    /// It ends too soon, or something follows it.
    #[error("a frame that is cut, or something behind it")]
    Length,
    /// It holds nonsense, or more or fewer bytes than it says.
    #[error("a frame that does not unpack")]
    Content,
}

/// Unpacks chunks, one after the other, and keeps its memory.
pub struct Unpacker {
    context: DCtx<'static>,
    packed: Vec<u8>,
    plain: BytesMut,
}

impl Default for Unpacker {
    fn default() -> Self {
        Self::new()
    }
}

impl Unpacker {
    /// One that has unpacked nothing; takes its memory with the first chunk.
    pub fn new() -> Self {
        Self { context: DCtx::create(), packed: Vec::new(), plain: BytesMut::new() }
    }

    /// Unpacks one frame, which came in `parts` and must hold `plain` bytes, at most [`CHUNK_BYTES`].
    ///
    /// What it writes to is `plain` bytes long, whatever the frame says; nothing else is reserved on its word.
    ///
    /// # Errors
    /// [`Unpackable`] for any frame that [`crate::pack::Packer`] would not have made of `plain` bytes.
    pub fn unpack(&mut self, parts: &[Bytes], plain: u32) -> Result<Bytes, Unpackable> {
        let mut packed = std::mem::take(&mut self.packed);
        packed.clear();
        let result = match parts {
            [one] => self.unpack_frame(one, plain),
            parts if parts.iter().map(Bytes::len).sum::<usize>() > CHUNK_BYTES as usize => {
                Err(Unpackable::Kind)
            }
            parts => {
                parts.iter().for_each(|part| packed.extend_from_slice(part));
                self.unpack_frame(&packed, plain)
            }
        };
        self.packed = packed;
        result
    }

    fn unpack_frame(&mut self, frame: &[u8], plain: u32) -> Result<Bytes, Unpackable> {
        let described = frame.strip_prefix(&MAGIC).and_then(|rest| rest.first());
        let ours = described.is_some_and(|it| it & DESCRIPTION_MASK == DESCRIPTION);
        if !ours || plain > CHUNK_BYTES {
            return Err(Unpackable::Kind);
        }
        if get_frame_content_size(frame).ok().flatten() != Some(u64::from(plain)) {
            return Err(Unpackable::Size);
        }
        if find_frame_compressed_size(frame) != Ok(frame.len()) {
            return Err(Unpackable::Length);
        }
        // A frame of one segment is unpacked into its result, so no window is made; were it, this bounds it.
        let bounded = self.context.set_parameter(DParameter::WindowLogMax(CHUNK_BYTES.ilog2()));
        self.plain.resize(plain as usize, 0);
        let written = bounded.and_then(|_| self.context.decompress(self.plain.as_mut(), frame));
        if written != Ok(plain as usize) {
            return Err(Unpackable::Content);
        }
        Ok(self.plain.split().freeze())
    }

    /// Takes the memory of a chunk back that is not needed any more.
    pub fn reclaim(&mut self, chunk: Bytes) {
        if let Ok(memory) = chunk.try_into_mut() {
            self.plain = memory;
        }
    }
}
