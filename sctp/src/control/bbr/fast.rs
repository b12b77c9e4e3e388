//! The window on paths that are shorter than the timers.
//!
//! Within a host or a house a round trip takes less than the 1 ms that timers and scheduling take: the model would measure the
//! scheduler, and pacing would wait for longer than the path. A window that grows until something is lost does well there:
//! queues are short in time, and what overflows is most often the receiver's socket buffer (208 KiB on Linux unless asked
//! for more), which no round trip shows.

use crate::control::Acked;

/// The first window, in bytes: a third of the default socket buffer of Linux, which counts a packet of 1,200 bytes as 2,304.
const FIRST_BYTES: usize = 64 * 1024;

/// The least window, in bytes; and in packets, for the large packets of loopback.
const LEAST_BYTES: usize = 64 * 1024;
const LEAST_PACKETS: usize = 8;

/// The most, in bytes: 1 Gbit/s over 32 ms, and as much as both sides' socket buffers are asked for.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// What is left of the window after a loss (RFC 9438 §4.6).
const CUT: (usize, usize) = (7, 10);

/// The window.
#[derive(Debug)]
pub(super) struct FastPath {
    window: usize,
    /// Where a loss last hit; nothing before the first one.
    limit: Option<usize>,
    /// Losses of this round are answered.
    answered_round: Option<u64>,
}

impl FastPath {
    pub(super) fn new() -> Self {
        Self { window: FIRST_BYTES, limit: None, answered_round: None }
    }

    pub(super) fn window(&self, packet_bytes: usize) -> usize {
        self.window.max(LEAST_PACKETS * packet_bytes)
    }

    /// Takes a SACK; `was_full` says whether the window was used up in the last round.
    pub(super) fn on_acked(&mut self, acked: &Acked, round: u64, was_full: bool) {
        if acked.lost > 0 {
            // One answer for all that was lost of a flight: what is found in the round after was sent before the cut.
            if self.answered_round.is_none_or(|answered| round > answered + 1) {
                self.answered_round = Some(round);
                self.limit = Some(self.window);
                self.window = (self.window / CUT.1 * CUT.0).max(LEAST_BYTES);
            }
            return;
        }
        if !was_full {
            return;
        }
        let growth = match self.limit {
            None => acked.delivered,
            // Back to nine tenths within a few round trips, slowly from there, as cubic does it.
            Some(limit) if self.window < limit / 10 * 9 => acked.delivered / 8,
            Some(_) => acked.delivered / 256,
        };
        self.window = (self.window + growth.max(1)).min(MOST_BYTES);
    }

    pub(super) fn on_timeout(&mut self) {
        self.limit = Some(self.window);
        self.window = LEAST_BYTES;
    }
}
