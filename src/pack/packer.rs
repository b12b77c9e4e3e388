//! Packing.

use zstd_safe::{CCtx, CParameter};

use crate::wire::CHUNK_BYTES;

/// Bytes of a sample, which is two pieces of a chunk.
const SAMPLE_BYTES: usize = 8 << 10;

/// What is shorter is packed as it is: a sample would be most of it.
const MIN_SAMPLED: usize = 8 * SAMPLE_BYTES;

/// How hard to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Level 1: some hundreds of MB a second.
    Quick,
    /// Level 6: about a fifth as fast, and a fifth less of text goes over the line.
    Thorough,
}

/// Packs chunks, one after the other.
pub struct Packer {
    context: CCtx<'static>,
    effort: Option<Effort>,
    packed: Vec<u8>,
    sample: Vec<u8>,
}

impl Default for Packer {
    fn default() -> Self {
        Self::new()
    }
}

impl Packer {
    /// One that has packed nothing; takes its memory with the first chunk.
    pub fn new() -> Self {
        Self { context: CCtx::create(), effort: None, packed: Vec::new(), sample: Vec::new() }
    }

    /// Packs a chunk; nothing if that saves less than a sixteenth.
    pub fn pack(&mut self, plain: &[u8], effort: Effort) -> Option<&[u8]> {
        self.squeeze(plain, effort)?;
        Some(&self.packed)
    }

    /// Whether packing seems to pay, from 8 KiB of a chunk.
    pub fn seems_to_pay(&mut self, plain: &[u8]) -> bool {
        if plain.len() < MIN_SAMPLED {
            return true;
        }
        let mut sample = std::mem::take(&mut self.sample);
        sample.clear();
        for start in [plain.len() / 4, plain.len() / 4 * 3] {
            sample.extend_from_slice(plain.get(start..start + SAMPLE_BYTES / 2).unwrap_or_default());
        }
        let pays = self.squeeze(&sample, Effort::Quick).is_some();
        self.sample = sample;
        pays
    }

    /// Leaves the frame in `self.packed`.
    fn squeeze(&mut self, plain: &[u8], effort: Effort) -> Option<usize> {
        if self.effort != Some(effort) {
            let level = match effort {
                Effort::Quick => 1,
                Effort::Thorough => 6,
            };
            self.set(CParameter::CompressionLevel(level))?;
            // A window as large as what is packed makes one segment of it.
            self.set(CParameter::WindowLog(CHUNK_BYTES.ilog2()))?;
            self.set(CParameter::ContentSizeFlag(true))?;
            self.set(CParameter::ChecksumFlag(false))?;
            self.set(CParameter::DictIdFlag(false))?;
            self.effort = Some(effort);
        }
        // What does not fit fails, which is cheaper than packing all of it.
        self.packed.resize(plain.len() - plain.len() / 16, 0);
        let length = self.context.compress2(self.packed.as_mut_slice(), plain).ok()?;
        self.packed.truncate(length);
        (length < plain.len()).then_some(length)
    }

    fn set(&mut self, parameter: CParameter) -> Option<()> {
        self.context.set_parameter(parameter).ok().map(drop)
    }
}
