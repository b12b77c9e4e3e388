//! How many pieces a packet may be of, where the layer below carries long packets in pieces.
//!
//! A socket may cut a datagram that no frame holds into several that frames hold, and put it together at the other end. Each
//! packet costs the layers above a good deal, whatever its length, so packets of many pieces save time. But with one piece
//! all are lost: a packet of ten is lost ten times as often. So the width follows the losses. Chunks stay as
//! short as one piece, so that whatever was lost can go out again in packets of one.

use std::ops::RangeInclusive;

/// Bytes of chunks, in pieces, between two decisions: enough to see half a per cent.
const SAMPLE_PIECES: u64 = 512;

/// Packets get twice as wide while twice the losses seen stay below this share, in thousandths: what is sent again must not cost
/// more than the headers that are saved, which are 4.5 % of a packet of one piece.
const WIDER_BELOW: u64 = 30;

/// They get half as wide above this share.
const NARROWER_ABOVE: u64 = 60;

/// Samples that a width that failed is not tried again, the first time and at most.
const WAIT_SAMPLES: RangeInclusive<u32> = 4..=256;

/// Decides on the width of packets.
#[derive(Debug)]
pub(super) struct Width {
    pieces: usize,
    /// Bytes of chunks since the last decision.
    delivered: u64,
    lost: u64,
    /// Samples until packets may get wider again, and how many that will be the next time.
    wait: u32,
    next_wait: u32,
}

impl Width {
    pub(super) fn new() -> Self {
        Self { pieces: 1, delivered: 0, lost: 0, wait: 0, next_wait: *WAIT_SAMPLES.start() }
    }

    /// Pieces of a packet, at least one.
    pub(super) fn pieces(&self) -> usize {
        self.pieces
    }

    /// Chunks of so many bytes arrived or were lost, where a piece has `piece_bytes` and a packet may be of `most` pieces.
    pub(super) fn observe(&mut self, delivered: u64, lost: u64, piece_bytes: usize, most: usize) {
        self.delivered += delivered;
        self.lost += lost;
        self.pieces = self.pieces.min(most.max(1));
        if self.delivered + self.lost < SAMPLE_PIECES * piece_bytes as u64 {
            return;
        }
        let share = self.lost * 1000 / (self.delivered + self.lost);
        (self.delivered, self.lost) = (0, 0);
        self.wait = self.wait.saturating_sub(1);
        if share > NARROWER_ABOVE {
            return self.narrow();
        }
        if self.pieces > 1 {
            self.next_wait = (self.next_wait - 1).max(*WAIT_SAMPLES.start());
        }
        if self.wait == 0 && 2 * share < WIDER_BELOW {
            self.pieces = (2 * self.pieces).min(most.max(1));
        }
    }

    /// Nothing comes through any more, as far as is known: it may be for the pieces.
    pub(super) fn observe_timeout(&mut self) {
        if self.pieces > 1 {
            self.narrow();
            self.pieces = 1;
        }
    }

    fn narrow(&mut self) {
        if self.pieces > 1 {
            self.pieces /= 2;
            self.wait = self.next_wait;
            self.next_wait = (2 * self.next_wait).min(*WAIT_SAMPLES.end());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: usize = 1_432;
    const MOST: usize = 11;

    /// So many samples on a line that loses `per_mille` of the pieces.
    fn run(width: &mut Width, samples: u32, per_mille: u64) -> usize {
        for _ in 0..samples {
            let total = SAMPLE_PIECES * PIECE as u64;
            let lost = (total * per_mille * width.pieces() as u64 / 1000).min(total);
            width.observe(total - lost, lost, PIECE, MOST);
        }
        width.pieces()
    }

    #[test]
    fn packets_get_as_wide_as_losses_allow() {
        for (per_mille, expected) in [(0, MOST), (1, MOST), (3, 8), (10, 2), (20, 1), (200, 1)] {
            assert_eq!(run(&mut Width::new(), 100, per_mille), expected, "{per_mille} of 1,000");
        }
    }

    #[test]
    fn packets_get_narrow_when_losses_begin_and_wide_again_when_they_end() {
        let mut width = Width::new();
        assert_eq!(run(&mut width, 4, 0), MOST);
        assert_eq!(run(&mut width, 4, 200), 1);
        assert_eq!(run(&mut width, 50, 0), MOST);
    }

    #[test]
    fn a_width_that_fails_is_tried_less_and_less() {
        let mut width = Width::new();
        let mut tries = 0;
        for _ in 0..1_000 {
            // Wide packets do not come through at all.
            run(&mut width, 1, 0);
            if width.pieces() > 1 {
                tries += 1;
                width.observe_timeout();
            }
        }
        assert!(tries < 12, "{tries}");
    }

    #[test]
    fn where_nothing_is_cut_a_packet_is_one_piece() {
        let mut width = Width::new();
        for _ in 0..10 {
            width.observe(1 << 20, 0, PIECE, 1);
        }
        assert_eq!(width.pieces(), 1);
    }
}
