//! The bytes of a file, as the writes that they came from.

use std::collections::BTreeMap;

use bytes::Bytes;

/// The bytes of a file: segments that do not overlap; what is between them reads as `filler`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub size: u64,
    pub segments: BTreeMap<u64, Bytes>,
    /// Zero, or what stood on the disk before: a size may become durable without its bytes.
    pub filler: u8,
}

impl Content {
    /// Removes `from..to`.
    pub fn clear(&mut self, from: u64, to: u64) {
        let before = self.segments.range(..from).next_back().map(|(at, bytes)| (*at, bytes.clone()));
        if let Some((at, bytes)) = before.filter(|(at, bytes)| at + bytes.len() as u64 > from) {
            self.segments.insert(at, bytes.slice(..(from - at) as usize));
            if at + bytes.len() as u64 > to {
                self.segments.insert(to, bytes.slice((to - at) as usize..));
            }
        }
        while let Some((at, bytes)) = self.segments.range(from..to).next().map(|(at, it)| (*at, it.clone())) {
            self.segments.remove(&at);
            if at + bytes.len() as u64 > to {
                self.segments.insert(to, bytes.slice((to - at) as usize..));
            }
        }
    }

    pub fn write(&mut self, offset: u64, bytes: Bytes) {
        if !bytes.is_empty() {
            self.clear(offset, offset + bytes.len() as u64);
            self.segments.insert(offset, bytes);
        }
    }

    fn cut(&mut self, size: u64) {
        self.clear(size, u64::MAX);
        self.size = size;
    }

    /// Copies from `offset` on; the answer is how many bytes there are.
    pub fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let count = self.size.saturating_sub(offset).min(buffer.len() as u64);
        let (buffer, end) = (&mut buffer[..count as usize], offset + count);
        let first = self.segments.range(..=offset).next_back().map_or(0, |(at, _)| *at);
        let mut done = offset;
        for (&at, bytes) in self.segments.range(first..end) {
            let (from, to) = (at.max(done), (at + bytes.len() as u64).min(end));
            if from < to {
                buffer[(done - offset) as usize..(from - offset) as usize].fill(self.filler);
                buffer[(from - offset) as usize..(to - offset) as usize]
                    .copy_from_slice(&bytes[(from - at) as usize..(to - at) as usize]);
                done = to;
            }
        }
        buffer[(done - offset) as usize..].fill(self.filler);
        count as usize
    }

    /// Whether the bytes are exactly these.
    pub fn is(&self, expected: &[u8]) -> bool {
        let mut done = 0;
        self.size == expected.len() as u64
            && self.segments.iter().all(|(&at, bytes)| {
                let (at, end) = (at as usize, at as usize + bytes.len());
                let same = at >= done
                    && expected[done..at].iter().all(|it| *it == self.filler)
                    && expected.get(at..end) == Some(bytes);
                done = end;
                same
            })
            && expected[done..].iter().all(|it| *it == self.filler)
    }

    /// A larger size keeps what was written beyond the smaller one before.
    pub fn resize(&mut self, size: u64) {
        if size > self.size { self.size = size } else { self.cut(size) }
    }
}
