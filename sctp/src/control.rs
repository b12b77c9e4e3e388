//! How much may be on the way, and how fast it goes out: congestion control behind one trait.
//!
//! `Outbound` tells a [`Control`] what was sent, what arrived and what was lost, all in bytes of DATA payload plus chunk headers; it answers with a
//! window and a pace. `bbr` models the path; `simulation` measures it against
//! Reno (RFC 9260 §7.2) and Cubic.

pub(crate) mod bbr;
mod filter;
pub(crate) mod pacer;
pub(crate) mod rate;
pub(crate) mod rtt;
#[cfg(test)]
mod simulation;

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// One SACK's worth of news.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acked {
    pub(crate) now: Instant,
    /// Bytes that this SACK is the first to acknowledge.
    pub(crate) delivered: usize,
    /// Bytes that were declared lost because of it.
    pub(crate) lost: usize,
    /// Bytes on the way after it.
    pub(crate) in_flight: usize,
    /// Round trip of the newest chunk that it acknowledges, where that is certain.
    pub(crate) rtt: Option<Duration>,
    /// The delivery rate that it shows.
    pub(crate) rate: Option<rate::RateSample>,
}

/// A congestion controller.
pub(crate) trait Control: Debug + Send + Sync {
    /// `bytes` go out, with `in_flight` on the way before them.
    fn on_sent(&mut self, now: Instant, bytes: usize, in_flight: usize);

    /// Setting up took this round trip; told before anything is sent, if at all.
    fn on_set_up(&mut self, _now: Instant, _round_trip: Duration) {}

    /// A SACK was taken.
    fn on_acked(&mut self, acked: &Acked);

    /// The retransmission timer fired: everything outstanding is taken for lost.
    fn on_timeout(&mut self, now: Instant);

    /// The last timeout was a mistake: what it was for has arrived all the same (RFC 5682's finding, by send stamps).
    fn on_spurious_timeout(&mut self, now: Instant);

    /// Packets have this size now, in bytes.
    fn set_packet_size(&mut self, packet_bytes: usize);

    /// Most bytes that may be on the way.
    fn window(&self) -> usize;

    /// Bytes per second at which they should leave; nothing while only the window counts.
    fn pacing_rate(&self) -> Option<u64>;
}
