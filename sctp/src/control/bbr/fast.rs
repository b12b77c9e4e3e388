//! The window on paths that are shorter than the timers.
//!
//! Within a host or a house a round trip takes less than the 1 ms that timers and scheduling take: the model would measure the
//! scheduler, and pacing would wait for longer than the path. A window that grows until something is lost does well there:
//! queues are short in time, and what overflows is most often the receiver's socket buffer (208 KiB on Linux unless asked
//! for more), which no round trip shows.

use std::time::Duration;

use crate::control::bbr::model::{Model, bytes_in};

/// The first window, in bytes: a third of the default socket buffer of Linux, which counts a packet of 1,200 bytes as 2,304.
const FIRST_BYTES: usize = 64 * 1024;

/// The least window after a loss, in bytes; and at all, in packets, for the large packets of loopback.
const LEAST_BYTES: usize = 64 * 1024;
const LEAST_PACKETS: usize = 8;

/// The most, in bytes: 1 Gbit/s over 32 ms, and as much as both sides' socket buffers are asked for.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// What is left of the window after a loss (RFC 9438 §4.6), in tenths, but not less than this share of what the path holds, in
/// quarters: where losses are by chance the window must not go down step by step.
const CUT_TENTHS: usize = 7;
const LEAST_QUARTERS: usize = 3;

/// The window comes back to nine tenths of where it was by an eighth a round, and goes on
/// so much more slowly.
const FAST_GROWTH: usize = 8;
const SLOW_GROWTH: usize = 256;

/// Losses above this share are answered even if they are usual: a socket buffer that is too small may overflow in each round.
const LOSS_THRESHOLD: f64 = 0.05;

/// The longest queue, as time: with a window alone a slow line behind a long queue would fill all of it.
const MOST_WAIT: Duration = Duration::from_millis(10);

/// The window.
#[derive(Debug)]
pub(super) struct FastPath {
    window: usize,
    /// Where a loss last hit; nothing before the first one.
    limit: Option<usize>,
    /// Losses of this round are answered.
    answered_round: Option<u64>,
    /// The last round lost more than it should.
    was_lossy: bool,
}

impl FastPath {
    pub(super) fn new() -> Self {
        Self { window: FIRST_BYTES, limit: None, answered_round: None, was_lossy: false }
    }

    pub(super) fn window(&self, packet_bytes: usize) -> usize {
        self.window.max(LEAST_PACKETS * packet_bytes)
    }

    /// Bytes arrived; `is_used` says whether the window was used up lately.
    pub(super) fn on_delivered(&mut self, delivered: usize, is_used: bool) {
        if !is_used || self.was_lossy {
            return;
        }
        let grown = match self.limit.map(|limit| limit / 10 * 9) {
            None => self.window + delivered,
            Some(near) if self.window < near => (self.window + delivered / FAST_GROWTH).min(near),
            Some(_) => self.window + delivered / SLOW_GROWTH,
        };
        self.window = grown.min(MOST_BYTES);
    }

    /// A round ended.
    pub(super) fn on_round(&mut self, model: &Model, packet_bytes: usize) {
        self.was_lossy = model.has_unusual_loss(packet_bytes) || model.last.loss_rate() > LOSS_THRESHOLD;
        // What is found in the round after a cut was sent before it.
        let is_answered = self.answered_round.is_some_and(|answered| model.rounds <= answered + 1);
        if self.was_lossy && !is_answered {
            self.answered_round = Some(model.rounds);
            self.limit = Some(self.window);
            let path = model.bandwidth_delay().unwrap_or(0) as usize;
            let least = LEAST_BYTES.max(path / 4 * LEAST_QUARTERS);
            self.window = (self.window / 10 * CUT_TENTHS).max(least);
        }
    }

    /// A round trip was measured: what waits too long goes out of the window at once, since a round is long then.
    pub(super) fn on_round_trip(&mut self, rtt: Duration, model: &Model, packet_bytes: usize) {
        let Some(least) = model.min_rtt.filter(|least| rtt > *least + MOST_WAIT) else { return };
        let held = bytes_in(model.bandwidth(), least + MOST_WAIT) as usize;
        let held = held.max(LEAST_PACKETS * packet_bytes);
        if held < self.window {
            self.window = held;
            self.limit = Some(held);
        }
    }

    pub(super) fn on_timeout(&mut self, packet_bytes: usize) {
        self.limit = Some(self.limit.unwrap_or(0).max(self.window));
        self.window = LEAST_PACKETS * packet_bytes;
    }

    /// The timeout was a mistake.
    pub(super) fn restore(&mut self) {
        self.window = self.window.max(self.limit.unwrap_or(0));
    }
}
