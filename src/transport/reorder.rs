//! Bulk frames of several lanes, in order again.
//!
//! Pure: frames go in as they come, and come out as they were sent. What waits is bounded, since an
//! honest peer has no more than a session's window under way, whatever lane is late.
//!
//! ```text
//! plain ── the number 0 alone, on the first lane ─► numbered        frames of further lanes always are
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::wire::block::MIN_PAYLOAD_BYTES;
use crate::wire::lanes::{NUMBER_BYTES, take_number};
use crate::wire::{DEFAULT_WINDOW_BYTES, MANY_OUTSTANDING_ENTRIES};

/// Frames that may wait: a window of the smallest full blocks, for each of them one that ends its chunk, and
/// a short one for each entry that may be under way.
const MAX_WAITING_FRAMES: usize =
    2 * (DEFAULT_WINDOW_BYTES as usize / MIN_PAYLOAD_BYTES) + MANY_OUTSTANDING_ENTRIES;

/// Bytes that may wait: a window of payload, and the headers.
const MAX_WAITING_BYTES: usize = DEFAULT_WINDOW_BYTES as usize + (1 << 20);

/// Bulk frames from all lanes, waiting for those before them.
#[derive(Debug, Default)]
pub(super) struct Reorder {
    numbered: bool,
    /// Number of the next frame to come out.
    next: u64,
    /// Frames that are numbered, by their number.
    waiting: BTreeMap<u64, Bytes>,
    bytes: usize,
    /// A frame that has no number.
    plain: Option<Bytes>,
}

/// What no honest peer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Disorder {
    /// No number where there must be one, or nothing behind it.
    #[error("a bulk frame of {0} bytes among numbered ones")]
    Short(usize),
    /// More than a window.
    #[error("more bulk frames than may be under way")]
    TooMuch,
}

impl Reorder {
    /// Takes a frame as it came, after all that can come out has; whether it came over the first lane.
    ///
    /// # Errors
    /// [`Disorder`].
    pub(super) fn take(&mut self, first_lane: bool, frame: Bytes) -> Result<(), Disorder> {
        if first_lane && !self.numbered {
            match frame.len() {
                NUMBER_BYTES if frame.iter().all(|byte| *byte == 0) => self.numbered = true,
                _ => self.plain = Some(frame),
            }
            return Ok(());
        }
        let size = frame.len();
        let (number, frame) = take_number(frame).ok_or(Disorder::Short(size))?;
        if frame.is_empty() {
            return Err(Disorder::Short(size));
        }
        // Sent again because it seemed lost.
        if number < self.next || self.waiting.contains_key(&number) {
            return Ok(());
        }
        self.bytes += frame.len();
        self.waiting.insert(number, frame);
        match self.waiting.len() > MAX_WAITING_FRAMES || self.bytes > MAX_WAITING_BYTES {
            true => Err(Disorder::TooMuch),
            false => Ok(()),
        }
    }

    /// The next frame in the order in which they were sent.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        if let Some(frame) = self.plain.take() {
            return Some(frame);
        }
        if !self.numbered {
            return None;
        }
        let frame = self.waiting.remove(&self.next)?;
        self.next += 1;
        self.bytes -= frame.len();
        Some(frame)
    }

    /// Whether a frame can come out.
    pub(super) fn is_ready(&self) -> bool {
        self.plain.is_some() || (self.numbered && self.waiting.contains_key(&self.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::lanes::number;

    fn marker() -> Bytes {
        number(0, b"").freeze()
    }

    fn frame(at: u64) -> Bytes {
        number(at, &at.to_be_bytes()).freeze()
    }

    fn drain(order: &mut Reorder) -> Vec<u64> {
        std::iter::from_fn(|| {
            let ready = order.is_ready();
            let next = order.next();
            assert_eq!(ready, next.is_some());
            next.map(|it| u64::from_be_bytes(it[..].try_into().unwrap()))
        })
        .collect()
    }

    #[test]
    fn frames_of_one_lane_pass_as_they_are() {
        let mut order = Reorder::default();
        for text in ["a block that is longer than a number", "\0\0\0\0\0\0\0x"] {
            order.take(true, Bytes::from_static(text.as_bytes())).unwrap();
            assert_eq!(order.next().unwrap(), text);
        }
        assert_eq!(order.next(), None);
    }

    #[test]
    fn frames_of_several_lanes_come_out_in_order() {
        let mut order = Reorder::default();
        // A further lane may be faster than the word on the first one.
        order.take(false, frame(1)).unwrap();
        order.take(false, frame(0)).unwrap();
        assert!(drain(&mut order).is_empty());
        order.take(true, marker()).unwrap();
        assert_eq!(drain(&mut order), [0, 1]);
        order.take(true, frame(4)).unwrap();
        order.take(false, frame(3)).unwrap();
        assert!(drain(&mut order).is_empty());
        order.take(false, frame(2)).unwrap();
        assert_eq!(drain(&mut order), [2, 3, 4]);
        assert_eq!((order.bytes, order.waiting.len()), (0, 0));
    }

    #[test]
    fn every_order_of_arrival_gives_the_order_of_sending() {
        for step in [1_u64, 3, 5, 7, 11] {
            let mut order = Reorder::default();
            order.take(true, marker()).unwrap();
            let mut out = Vec::new();
            for at in 0..13 {
                order.take(at % 2 == 0, frame(at * step % 13)).unwrap();
                out.extend(drain(&mut order));
            }
            assert_eq!(out, (0..13).collect::<Vec<_>>(), "steps of {step}");
        }
    }

    #[test]
    fn what_is_sent_again_comes_out_once() {
        let mut order = Reorder::default();
        order.take(true, marker()).unwrap();
        order.take(false, frame(1)).unwrap();
        order.take(true, frame(1)).unwrap();
        order.take(true, frame(0)).unwrap();
        assert_eq!(drain(&mut order), [0, 1]);
        order.take(false, frame(0)).unwrap();
        order.take(false, frame(1)).unwrap();
        assert!(drain(&mut order).is_empty());
        assert_eq!((order.bytes, order.waiting.len()), (0, 0));
    }

    #[test]
    fn the_word_comes_once_and_on_the_first_lane() {
        let mut order = Reorder::default();
        assert_eq!(order.take(false, marker()), Err(Disorder::Short(8)));
        order.take(true, marker()).unwrap();
        assert_eq!(order.take(true, marker()), Err(Disorder::Short(8)));
        assert_eq!(order.take(true, Bytes::from_static(b"short")), Err(Disorder::Short(5)));
    }

    #[test]
    fn a_flood_behind_a_gap_is_bounded_in_frames_and_bytes() {
        let mut order = Reorder::default();
        order.take(true, marker()).unwrap();
        let flood = (1..).take_while(|at| order.take(false, frame(*at)).is_ok()).count();
        assert_eq!(flood, MAX_WAITING_FRAMES);

        let mut order = Reorder::default();
        let block = vec![0; 256 * 1024];
        let flood = (1..).take_while(|at| order.take(false, number(*at, &block).freeze()).is_ok()).count();
        assert_eq!(flood, MAX_WAITING_BYTES / block.len());
    }

    #[test]
    fn numbers_near_the_end_of_their_range_do_no_harm() {
        let mut order = Reorder::default();
        order.take(true, marker()).unwrap();
        order.take(false, frame(u64::MAX)).unwrap();
        assert!(drain(&mut order).is_empty());
    }
}
