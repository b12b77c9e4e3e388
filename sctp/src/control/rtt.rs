//! Round-trip time and what follows from it: RTO (RFC 9260 §6.3, RFC 6298), the minimum.

use std::time::{Duration, Instant};

/// The path's round-trip time.
#[derive(Debug, Clone)]
pub(crate) struct Rtt {}

impl Rtt {
    pub(crate) fn new() -> Self {
        todo!()
    }

    /// A measurement.
    pub(crate) fn update(&mut self, now: Instant, sample: Duration) {
        let _ = (now, sample);
        todo!()
    }

    pub(crate) fn smoothed(&self) -> Option<Duration> {
        todo!()
    }

    pub(crate) fn variation(&self) -> Duration {
        todo!()
    }

    pub(crate) fn latest(&self) -> Option<Duration> {
        todo!()
    }

    /// The least of the last minutes.
    pub(crate) fn minimum(&self) -> Option<Duration> {
        todo!()
    }

    /// RTO, with `backoff` doublings, within its bounds.
    pub(crate) fn timeout(&self, backoff: u32) -> Duration {
        let _ = backoff;
        todo!()
    }
}
