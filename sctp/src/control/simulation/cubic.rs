//! A cubic TCP (RFC 9438) to share a line with: what most computers run.

use std::time::{Duration, Instant};

use crate::control::{Acked, Control};

/// RFC 9438 §4.6 and §5: what is left of the window after a loss, and how steep the curve is.
const BETA: f64 = 0.7;
const C: f64 = 0.4;

/// Windows are in packets, as in the RFC.
#[derive(Debug)]
pub(crate) struct Cubic {
    packet_bytes: usize,
    window: f64,
    slow_start_until: f64,
    /// The window of the last loss, and when the growth since began.
    maximum: f64,
    epoch: Option<Instant>,
    /// What Reno would have (§4.3).
    reno: f64,
    answered_until: u64,
    least_rtt: Duration,
}

impl Cubic {
    pub(crate) fn new(packet_bytes: usize) -> Self {
        Self {
            packet_bytes,
            window: 10.0,
            slow_start_until: f64::INFINITY,
            maximum: 0.0,
            epoch: None,
            reno: 0.0,
            answered_until: 0,
            least_rtt: Duration::MAX,
        }
    }

    fn cut(&mut self) {
        // Fast convergence (§4.7).
        let is_lower = self.window < self.maximum;
        self.maximum = if is_lower { self.window * (1.0 + BETA) / 2.0 } else { self.window };
        self.window = (self.window * BETA).max(2.0);
        self.slow_start_until = self.window;
        self.epoch = None;
    }
}

impl Control for Cubic {
    fn on_sent(&mut self, _: Instant, _: usize, _: usize) {}

    fn on_acked(&mut self, acked: &Acked) {
        let Some(rate) = acked.rate else { return };
        if let Some(rtt) = acked.rtt {
            self.least_rtt = self.least_rtt.min(rtt);
            // HyStart's sign of a queue (RFC 9406 §4.2).
            let allowed = (self.least_rtt / 8).clamp(Duration::from_millis(4), Duration::from_millis(16));
            if self.slow_start_until.is_infinite() && rtt > self.least_rtt + allowed {
                self.slow_start_until = self.window;
            }
        }
        let is_answered = rate.prior_delivered < self.answered_until;
        if acked.lost > 0 && !is_answered {
            self.answered_until = rate.delivered;
            return self.cut();
        }
        let packets = acked.delivered as f64 / self.packet_bytes as f64;
        if is_answered {
            return;
        }
        if self.window < self.slow_start_until {
            self.window += packets;
            return;
        }
        let window = self.window;
        if self.epoch.is_none() {
            self.maximum = self.maximum.max(window);
            self.reno = window;
        }
        let epoch = *self.epoch.get_or_insert(acked.now);
        let rtt = acked.rtt.unwrap_or(self.least_rtt);
        let time = (acked.now + rtt).saturating_duration_since(epoch).as_secs_f64();
        let k = ((self.maximum - self.slow_start_until.min(self.maximum)) / C).cbrt();
        let target = (C * (time - k).powi(3) + self.maximum).clamp(window, 1.5 * window);
        self.reno += 3.0 * (1.0 - BETA) / (1.0 + BETA) * packets / window;
        self.window = (window + (target - window) / window * packets).max(self.reno);
    }

    fn on_timeout(&mut self, _: Instant) {
        self.cut();
        self.window = 1.0;
    }

    fn on_spurious_timeout(&mut self, _: Instant) {}

    fn set_packet_size(&mut self, packet_bytes: usize) {
        self.packet_bytes = packet_bytes;
    }

    fn window(&self) -> usize {
        (self.window * self.packet_bytes as f64) as usize
    }

    fn pacing_rate(&self) -> Option<u64> {
        None
    }
}
