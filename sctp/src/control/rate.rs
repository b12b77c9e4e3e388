//! Delivery rate, sampled per SACK (draft-cheng-iccrg-delivery-rate-estimation).

use std::time::{Duration, Instant};

/// What is remembered with each transmission.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) sent_at: Instant,
    /// Of all bytes: how many had been delivered then, when the last of them was, and when the first of that flight was sent.
    delivered: u64,
    delivered_at: Instant,
    first_sent_at: Instant,
    app_limited: bool,
    /// On the way when it was sent, itself included, in bytes; and lost in all by then.
    pub(crate) in_flight: usize,
    lost: u64,
}

/// One measurement of the path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RateSample {
    /// Bytes per second.
    pub(crate) delivery_rate: u64,
    pub(crate) interval: Duration,
    /// Bytes delivered in all when the newest acknowledged chunk was sent: rounds are counted by it.
    pub(crate) prior_delivered: u64,
    /// Bytes delivered in all now.
    pub(crate) delivered: u64,
    /// Bytes on the way when that chunk was sent, and bytes lost since.
    pub(crate) in_flight_when_sent: usize,
    pub(crate) lost_since: u64,
    /// The sender had nothing to send for a while: the rate says little about the path.
    pub(crate) app_limited: bool,
}

/// Keeps count.
#[derive(Debug)]
pub(crate) struct Sampler {}

impl Sampler {
    pub(crate) fn new() -> Self {
        todo!()
    }

    /// Bytes go out, with `in_flight` on the way before them.
    pub(crate) fn on_sent(&mut self, now: Instant, bytes: usize, in_flight: usize) -> Stamp {
        let _ = (now, bytes, in_flight);
        todo!()
    }

    /// A transmission arrived.
    pub(crate) fn on_delivered(&mut self, now: Instant, bytes: usize, stamp: &Stamp) {
        let _ = (now, bytes, stamp);
        todo!()
    }

    /// A transmission was declared lost.
    pub(crate) fn on_lost(&mut self, bytes: usize) {
        let _ = bytes;
        todo!()
    }

    /// There is less to send than may be sent.
    pub(crate) fn on_app_limited(&mut self, in_flight: usize) {
        let _ = in_flight;
        todo!()
    }

    /// Ends a SACK: what it shows. `min_rtt` guards against samples over too short a time.
    pub(crate) fn sample(&mut self, now: Instant, min_rtt: Option<Duration>) -> Option<RateSample> {
        let _ = (now, min_rtt);
        todo!()
    }
}
