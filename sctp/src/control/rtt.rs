//! Round-trip time and what follows from it: RTO (RFC 9260 §6.3, RFC 6298), the minimum.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use crate::control::filter::Windowed;

/// The timeout while nothing was measured yet (RFC 9260 §16, RFC 6298 §2.1).
const INITIAL_TIMEOUT: Duration = Duration::from_secs(1);

/// The least that the timeout lies above the smoothed round trip.
///
/// RFC 9260 §16 recommends 1 s as the least timeout, for clocks that ticked twice a second. What remains to be waited for
/// is a peer that delays its SACK, up to 200 ms (RFC 9260 §6.2); a timeout in error costs little here, since it is found
/// out and undone (`Control::on_spurious_timeout`). The margin is added to the round trip instead of bounding the sum: on a
/// steady path of 200 ms the variation tends to zero, and one delayed SACK must not look like a dead path.
const LEAST_MARGIN: Duration = Duration::from_millis(200);

/// The longest timeout, backed off or not. RFC 9260 §16 says 60 s; a person waits for this transfer, and a line that comes
/// back after a minute should be found within seconds.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a minimum counts: what Linux gives its `tcp_min_rtt_wlen`. RFC 8985 §6.2 wants it windowed, since routes change.
const MINIMUM_WINDOW_SECONDS: u64 = 300;

/// The path's round-trip time.
#[derive(Debug, Clone)]
pub(crate) struct Rtt {
    estimate: Option<Estimate>,
    first_at: Option<Instant>,
    minimum: Windowed<Reverse<Duration>>,
}

#[derive(Debug, Clone, Copy)]
struct Estimate {
    smoothed: Duration,
    variation: Duration,
}

impl Rtt {
    pub(crate) fn new() -> Self {
        Self { estimate: None, first_at: None, minimum: Windowed::new() }
    }

    /// A measurement.
    pub(crate) fn update(&mut self, now: Instant, sample: Duration) {
        // RFC 9260 §6.3.1, C2 and C3: alpha is 1/8, beta 1/4. The variation is moved by the old mean.
        self.estimate = Some(match self.estimate {
            None => Estimate { smoothed: sample, variation: sample / 2 },
            Some(before) => Estimate {
                variation: (before.variation * 3 + before.smoothed.abs_diff(sample)) / 4,
                smoothed: (before.smoothed * 7 + sample) / 8,
            },
        });
        let first_at = *self.first_at.get_or_insert(now);
        let second = now.saturating_duration_since(first_at).as_secs();
        self.minimum.update(second, Reverse(sample), MINIMUM_WINDOW_SECONDS);
    }

    pub(crate) fn smoothed(&self) -> Option<Duration> {
        self.estimate.map(|estimate| estimate.smoothed)
    }

    /// The least of the last minutes.
    pub(crate) fn minimum(&self) -> Option<Duration> {
        self.minimum.best().map(|least| least.0)
    }

    /// RTO, with `backoff` doublings, within its bounds.
    pub(crate) fn timeout(&self, backoff: u32) -> Duration {
        let once = self.estimate.map_or(INITIAL_TIMEOUT, |estimate| {
            estimate.smoothed + (estimate.variation * 4).max(LEAST_MARGIN)
        });
        let factor = 1_u32.checked_shl(backoff).unwrap_or(u32::MAX);
        once.saturating_mul(factor).min(LONGEST_TIMEOUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn steady(rtt: Duration) -> Rtt {
        let start = Instant::now();
        let mut estimate = Rtt::new();
        for index in 0..100 {
            estimate.update(start + rtt * index, rtt);
        }
        estimate
    }

    fn variation(rtt: &Rtt) -> Duration {
        rtt.estimate.map_or(Duration::ZERO, |estimate| estimate.variation)
    }

    #[test]
    fn timeout_is_a_second_before_anything_is_known() {
        assert_eq!(Rtt::new().timeout(0), Duration::from_secs(1));
        assert_eq!(Rtt::new().timeout(2), Duration::from_secs(4));
    }

    #[test]
    fn first_measurement_counts_whole_and_later_ones_by_eighths() {
        let now = Instant::now();
        let mut rtt = Rtt::new();
        rtt.update(now, 80 * MS);
        assert_eq!((rtt.smoothed(), variation(&rtt)), (Some(80 * MS), 40 * MS));
        rtt.update(now, 160 * MS);
        assert_eq!((rtt.smoothed(), variation(&rtt)), (Some(90 * MS), 50 * MS));
        assert_eq!(rtt.timeout(0), 290 * MS);
    }

    /// The peer may keep a SACK back for 200 ms, however steady the path is.
    #[test]
    fn steady_paths_leave_room_for_a_delayed_sack() {
        for rtt in [MS, 50 * MS, 400 * MS] {
            let timeout = steady(rtt).timeout(0);
            assert!(timeout >= rtt + 200 * MS && timeout < rtt + 210 * MS, "{timeout:?}");
        }
    }

    #[test]
    fn timeouts_double_up_to_ten_seconds_and_no_further() {
        let rtt = steady(100 * MS);
        assert_eq!(rtt.timeout(1), rtt.timeout(0) * 2);
        assert_eq!(rtt.timeout(9), Duration::from_secs(10));
        assert_eq!(rtt.timeout(u32::MAX), Duration::from_secs(10));
    }

    #[test]
    fn minimum_is_forgotten_after_minutes() {
        let start = Instant::now();
        let mut rtt = Rtt::new();
        rtt.update(start, 10 * MS);
        for second in 1..=300 {
            rtt.update(start + Duration::from_secs(second), 50 * MS);
            assert_eq!(rtt.minimum(), Some(10 * MS));
        }
        rtt.update(start + Duration::from_secs(301), 60 * MS);
        assert_eq!(rtt.minimum(), Some(50 * MS));
    }
}
