//! What a simulated line is like.

use std::time::Duration;

/// A line with one queue that drops what does not fit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path {
    /// Bytes per second.
    pub(crate) rate: u64,
    pub(crate) round_trip: Duration,
    pub(crate) queue_bytes: u64,
    /// Probability that a packet is lost, on the way there and on the way back each.
    pub(crate) loss: f64,
    /// Most by which a packet is late, on the way there. None overtakes another.
    pub(crate) jitter: Duration,
    /// How long a receiver collects arrivals for one SACK.
    pub(crate) sack_every: Duration,
}

impl Path {
    pub(crate) fn megabits(megabits: u64, round_trip_ms: u64) -> Self {
        let rate = megabits * 125_000;
        let queue_bytes = (rate * round_trip_ms / 1_000).max(64 * 1024);
        let round_trip = Duration::from_millis(round_trip_ms);
        Self {
            rate,
            round_trip,
            queue_bytes,
            loss: 0.0,
            jitter: Duration::ZERO,
            sack_every: Duration::from_millis(1),
        }
    }

    pub(crate) fn queue(self, queue_bytes: u64) -> Self {
        Self { queue_bytes, ..self }
    }

    pub(crate) fn loss_percent(self, percent: f64) -> Self {
        Self { loss: percent / 100.0, ..self }
    }

    pub(crate) fn jitter_ms(self, milliseconds: u64) -> Self {
        Self { jitter: Duration::from_millis(milliseconds), ..self }
    }

    #[cfg(not(debug_assertions))]
    pub(crate) fn sack_every_ms(self, milliseconds: u64) -> Self {
        Self { sack_every: Duration::from_millis(milliseconds), ..self }
    }
}
