//! Lets bytes out at a rate, in bursts that a coarse timer can serve.
//!
//! It keeps the instant at which all that went out would have left a line of that rate. Packets may go while that instant is
//! not ahead; how far it may lie behind is the burst that a late timer may make up for.

use std::time::{Duration, Instant};

/// What one wake-up lets go, as time at the rate. Timers are served at most once a millisecond here, and GSO wants several
/// packets at a time.
const QUANTUM: Duration = Duration::from_millis(1);

/// A timer that comes late by this much costs no throughput: on two busy cores a wake-up is late by a millisecond or two. More
/// would be a burst that short queues drop: 3 ms at 100 Mbit/s are 37 KB, and home routers hold 64 KiB and more.
const LATENESS: Duration = Duration::from_millis(3);

/// The least burst, in packets: two wake-ups of a slow line. Ten, as in an initial window, are 10 ms of queue at 10 Mbit/s, which
/// the controller would take for somebody else's.
const LEAST_BURST_PACKETS: usize = 4;

/// The least of a wake-up, in packets: a slow line should not be served packet by packet.
const LEAST_QUANTUM_PACKETS: usize = 2;

/// A bucket of bytes that fills at the pacing rate.
#[derive(Debug)]
pub(crate) struct Pacer {
    /// When what went out has left; nothing before the first packet and while nothing is paced.
    clear_at: Option<Instant>,
    /// Bytes per second of the last question; 0 while nothing is paced.
    rate: u64,
}

impl Pacer {
    pub(crate) fn new() -> Self {
        Self { clear_at: None, rate: 0 }
    }

    /// Whether a packet may go now; if not, when one may.
    pub(crate) fn ready(
        &mut self,
        now: Instant,
        rate: Option<u64>,
        packet_bytes: usize,
    ) -> Result<(), Instant> {
        let Some(rate) = rate.filter(|rate| *rate > 0) else {
            *self = Self::new();
            return Ok(());
        };
        self.rate = rate;
        let burst = LATENESS.max(time_for(LEAST_BURST_PACKETS * packet_bytes, rate));
        let oldest = now.checked_sub(burst).unwrap_or(now);
        let clear_at = self.clear_at.unwrap_or(oldest).max(oldest);
        self.clear_at = Some(clear_at);
        if clear_at <= now {
            return Ok(());
        }
        Err(clear_at + QUANTUM.max(time_for(LEAST_QUANTUM_PACKETS * packet_bytes, rate)))
    }

    /// Bytes went out.
    pub(crate) fn on_sent(&mut self, bytes: usize) {
        if let Some(clear_at) = &mut self.clear_at {
            *clear_at += time_for(bytes, self.rate);
        }
    }
}

/// How long `bytes` take. A rate this low that it takes minutes is no rate to plan by.
fn time_for(bytes: usize, rate: u64) -> Duration {
    let nanoseconds = (bytes as u64).saturating_mul(1_000_000_000) / rate.max(1);
    Duration::from_nanos(nanoseconds).min(Duration::from_secs(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: usize = 1_200;

    fn drain(pacer: &mut Pacer, now: Instant, rate: u64) -> (usize, Instant) {
        let mut sent = 0;
        loop {
            match pacer.ready(now, Some(rate), PACKET) {
                Ok(()) => {
                    pacer.on_sent(PACKET);
                    sent += PACKET;
                }
                Err(at) => return (sent, at),
            }
        }
    }

    /// A second of sending with a timer that is served on whole milliseconds only, and late by one.
    #[test]
    fn coarse_timers_keep_the_rate() {
        for rate in [100_000, 2_500_000, 25_000_000, 125_000_000] {
            let start = Instant::now();
            let mut pacer = Pacer::new();
            let (_, mut at) = drain(&mut pacer, start, rate);
            let mut sent = 0;
            while at < start + Duration::from_secs(1) {
                let millis = at.saturating_duration_since(start).as_millis() as u64 + 2;
                let (bytes, next) = drain(&mut pacer, start + Duration::from_millis(millis), rate);
                assert!(next > at);
                sent += bytes;
                at = next;
            }
            let share = sent as f64 / rate as f64;
            assert!((0.97..1.03).contains(&share), "{share} of {rate}");
        }
    }

    #[test]
    fn bursts_after_a_pause_are_three_milliseconds_or_four_packets() {
        for (rate, most) in [(1_000_000, 5 * PACKET), (125_000_000, 376_200)] {
            let start = Instant::now();
            let mut pacer = Pacer::new();
            drain(&mut pacer, start, rate);
            let (burst, _) = drain(&mut pacer, start + Duration::from_secs(9), rate);
            assert!(burst <= most && burst + 2 * PACKET >= most, "{burst} at {rate}");
        }
    }

    #[test]
    fn a_wake_up_lets_a_quantum_go() {
        let start = Instant::now();
        let mut pacer = Pacer::new();
        let (_, at) = drain(&mut pacer, start, 12_500_000);
        assert!(at >= start + QUANTUM / 2);
        let (bytes, _) = drain(&mut pacer, at, 12_500_000);
        assert!((12_000..16_000).contains(&bytes), "{bytes}");
    }

    #[test]
    fn without_a_rate_nothing_is_held_back() {
        let now = Instant::now();
        let mut pacer = Pacer::new();
        drain(&mut pacer, now, 1_000);
        for _ in 0..1_000 {
            assert_eq!(pacer.ready(now, None, PACKET), Ok(()));
            pacer.on_sent(PACKET);
        }
    }
}
