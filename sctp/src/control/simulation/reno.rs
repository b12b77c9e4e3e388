//! Window-based congestion control by RFC 9260 §7.2: the reference that the other is measured against.

use std::time::Instant;

use crate::control::{Acked, Control};

/// The initial window in packets (RFC 6928; RFC 9260 §7.2.1 has 4,380 bytes).
const INITIAL_PACKETS: usize = 10;

/// The least window, in packets, after a loss (RFC 9260 §7.2.3).
const LEAST_PACKETS: usize = 4;

/// Slow start, additive increase, halving.
#[derive(Debug)]
pub(crate) struct Reno {
    packet_bytes: usize,
    window: usize,
    slow_start_until: usize,
    /// Bytes acknowledged since the window last grew by a packet.
    acknowledged: usize,
    /// Losses of what was sent before so much was delivered are answered already.
    answered_until: u64,
    /// Window and threshold before the last timeout.
    before_timeout: Option<(usize, usize)>,
}

impl Reno {
    pub(crate) fn new(packet_bytes: usize) -> Self {
        Self {
            packet_bytes,
            window: INITIAL_PACKETS * packet_bytes,
            slow_start_until: usize::MAX,
            acknowledged: 0,
            answered_until: 0,
            before_timeout: None,
        }
    }
}

impl Control for Reno {
    fn on_sent(&mut self, _: Instant, _: usize, _: usize) {}

    fn on_acked(&mut self, acked: &Acked) {
        let Some(rate) = acked.rate else { return };
        let is_answered = rate.prior_delivered < self.answered_until;
        if acked.lost > 0 && !is_answered {
            self.answered_until = rate.delivered;
            self.slow_start_until = (self.window / 2).max(LEAST_PACKETS * self.packet_bytes);
            self.window = self.slow_start_until;
            self.acknowledged = 0;
            return;
        }
        let in_flight_before = acked.in_flight + acked.delivered + acked.lost;
        let is_full = in_flight_before + self.packet_bytes > self.window;
        if is_answered || !is_full {
            return;
        }
        if self.window < self.slow_start_until {
            self.window += acked.delivered;
            return;
        }
        self.acknowledged += acked.delivered;
        if self.acknowledged >= self.window {
            self.acknowledged -= self.window;
            self.window += self.packet_bytes;
        }
    }

    fn on_timeout(&mut self, _: Instant) {
        self.before_timeout.get_or_insert((self.window, self.slow_start_until));
        self.slow_start_until = (self.window / 2).max(LEAST_PACKETS * self.packet_bytes);
        self.window = self.packet_bytes;
        self.acknowledged = 0;
    }

    fn on_spurious_timeout(&mut self, _: Instant) {
        if let Some((window, slow_start_until)) = self.before_timeout.take() {
            self.window = self.window.max(window);
            self.slow_start_until = slow_start_until;
        }
    }

    fn set_packet_size(&mut self, packet_bytes: usize) {
        self.packet_bytes = packet_bytes;
        self.window = self.window.max(packet_bytes);
    }

    fn window(&self) -> usize {
        self.window
    }

    fn pacing_rate(&self) -> Option<u64> {
        None
    }
}
