//! SACK (RFC 9260 §3.3.4): what has arrived.
//!
//! ```text
//!  0         4         8         12        14        16
//! +---------+---------+---------+---------+---------+----------------------+---------------+
//! | 3 0 len | cum TSN | window  | blocks  |  dups   | start, end: 2 × u16… | duplicates…   |
//! +---------+---------+---------+---------+---------+----------------------+---------------+
//! ```

use bytes::Buf;

use crate::wire::PacketError;

/// What has arrived (RFC 9260 §3.3.4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sack {
    pub(crate) cumulative_tsn: u32,
    pub(crate) window: u32,
    /// Parsed ones ascend and neither overlap nor touch: `1 <= start <= end`, and each starts at least two past the
    /// end of the one before it.
    pub(crate) gaps: Vec<GapBlock>,
    /// TSNs that came again, in no order.
    pub(crate) duplicates: Vec<u32>,
}

/// TSNs that arrived, first and last, as offsets from the cumulative one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GapBlock {
    pub(crate) start: u16,
    pub(crate) end: u16,
}

impl Sack {
    /// Bytes of the chunk before its gap blocks; each block, and each duplicate, takes [`Self::BLOCK_BYTES`].
    pub(crate) const HEADER_BYTES: usize = 16;

    /// Bytes of a gap block, or of a duplicate.
    pub(crate) const BLOCK_BYTES: usize = 4;

    /// Parses the value. Its counts have to agree with its length.
    pub(super) fn parse(mut fields: &[u8]) -> Result<Self, PacketError> {
        let cumulative_tsn = fields.try_get_u32()?;
        let window = fields.try_get_u32()?;
        let gap_count = usize::from(fields.try_get_u16()?);
        let duplicate_count = usize::from(fields.try_get_u16()?);
        if fields.len() != (gap_count + duplicate_count) * Self::BLOCK_BYTES {
            return Err(PacketError::BadLength);
        }
        let mut gaps = Vec::with_capacity(gap_count);
        for _ in 0..gap_count {
            gaps.push(GapBlock { start: fields.try_get_u16()?, end: fields.try_get_u16()? });
        }
        make_orderly(&mut gaps);
        let mut duplicates = Vec::with_capacity(duplicate_count);
        for _ in 0..duplicate_count {
            duplicates.push(fields.try_get_u32()?);
        }
        Ok(Self { cumulative_tsn, window, gaps, duplicates })
    }

    /// Appends the value.
    pub(super) fn write(&self, buffer: &mut Vec<u8>) {
        let count = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        buffer.extend_from_slice(&self.cumulative_tsn.to_be_bytes());
        buffer.extend_from_slice(&self.window.to_be_bytes());
        buffer.extend_from_slice(&count(self.gaps.len()));
        buffer.extend_from_slice(&count(self.duplicates.len()));
        for gap in &self.gaps {
            buffer.extend_from_slice(&gap.start.to_be_bytes());
            buffer.extend_from_slice(&gap.end.to_be_bytes());
        }
        for duplicate in &self.duplicates {
            buffer.extend_from_slice(&duplicate.to_be_bytes());
        }
    }
}

/// Makes the blocks what [`Sack::gaps`] promises.
///
/// RFC 9260 does not demand an order, so blocks out of order are sorted and those that meet become one: both say the
/// same as before. A block that ends before it starts, or starts at the cumulative TSN, says nothing and is dropped; the
/// rest of the SACK is worth having, since without it the sender would fall into a timeout.
fn make_orderly(gaps: &mut Vec<GapBlock>) {
    gaps.retain(|gap| 1 <= gap.start && gap.start <= gap.end);
    let is_orderly = gaps
        .iter()
        .zip(gaps.iter().skip(1))
        .all(|(gap, next)| u32::from(next.start) > u32::from(gap.end) + 1);
    if is_orderly {
        return;
    }
    gaps.sort_unstable_by_key(|gap| gap.start);
    gaps.dedup_by(|next, gap| {
        let meets = u32::from(next.start) <= u32::from(gap.end) + 1;
        if meets {
            gap.end = gap.end.max(next.end);
        }
        meets
    });
}
