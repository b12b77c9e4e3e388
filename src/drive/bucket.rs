//! When the next block may go: not while paused, and at most so many bytes a second. Pure: the time is an argument.

use std::time::{Duration, Instant};

use crate::session::Wish;

/// Bytes of so long a time may go at once. Longer than a timer is late (1 ms by tokio, more where a processor is busy), or the
/// rate would be missed; short enough for a line that others use too.
const BURST: Duration = Duration::from_millis(50);

/// A token bucket, told as the time at which it would be full again: the generic cell rate algorithm (ITU-T I.371, annex A).
#[derive(Debug, Default)]
pub(super) struct Bucket {
    wish: Wish,
    /// Before this all that went is paid for; `None` until something goes.
    paid_at: Option<Instant>,
}

/// Whether a block may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// Now.
    Open,
    /// From this time on.
    From(Instant),
    /// Not until somebody wishes something else.
    Closed,
}

impl Bucket {
    /// From now on this is wished; what went is forgotten.
    pub fn set(&mut self, wish: Wish) {
        *self = Self { wish, paid_at: None };
    }

    /// Whether the next block may go.
    pub fn gate(&self) -> Gate {
        match (self.wish, self.paid_at) {
            (Wish { paused: true, .. }, _) => Gate::Closed,
            (Wish { limit: Some(_), .. }, Some(paid_at)) => {
                Gate::From(paid_at.checked_sub(BURST).unwrap_or(paid_at))
            }
            _ => Gate::Open,
        }
    }

    /// Whether it counts what goes.
    pub fn counts(&self) -> bool {
        self.wish.limit.is_some()
    }

    /// A block of so many bytes goes.
    pub fn take(&mut self, now: Instant, bytes: usize) {
        let Some(rate) = self.wish.limit else { return };
        let nanoseconds = (bytes as u128 * 1_000_000_000).checked_div(u128::from(rate)).unwrap_or(0);
        let price = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        let since = self.paid_at.map_or(now, |it| it.max(now));
        // A block that takes centuries takes as long as anybody waits.
        self.paid_at = Some(since.checked_add(price).unwrap_or(since));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: usize = 128 * 1024;

    fn limited(rate: u64) -> Bucket {
        let mut bucket = Bucket::default();
        bucket.set(Wish { paused: false, limit: Some(rate) });
        bucket
    }

    /// When each of `blocks` goes if the timer is up to `late` milliseconds late.
    fn times(bucket: &mut Bucket, start: Instant, seconds: u64, size: usize, late: u64) -> Vec<Instant> {
        let (mut now, mut times, mut number) = (start, Vec::new(), 0);
        while now < start + Duration::from_secs(seconds) {
            match bucket.gate() {
                Gate::From(at) if at > now => {
                    number += 1;
                    now = at + Duration::from_millis(number * 7 % (late + 1));
                    continue;
                }
                Gate::Closed => break,
                Gate::Open | Gate::From(_) => (),
            }
            bucket.take(now, size);
            times.push(now);
        }
        times
    }

    #[test]
    fn the_rate_is_kept_to_three_percent_over_ten_seconds() {
        for (rate, size) in [(100_000, 4096), (1_000_000, BLOCK), (5_000_000, BLOCK), (200_000_000, BLOCK)] {
            for late in [0, 1, 20] {
                let sent = times(&mut limited(rate), Instant::now(), 10, size, late).len() * size;
                let asked = rate as f64 * 10.0;
                // One block is what the first instant adds.
                let over = (sent as f64 - size as f64 - asked) / asked;
                assert!(over.abs() < 0.03, "{rate} bytes a second, {late} ms late: {over}");
            }
        }
    }

    /// However long nothing was sent, what then goes at once is 100 ms worth at most, and a block.
    #[test]
    fn no_burst_is_longer_than_a_tenth_of_a_second() {
        let (rate, size) = (5_000_000, 16 * 1024);
        let mut bucket = limited(rate);
        let start = Instant::now();
        let mut all = times(&mut bucket, start, 1, size, 20);
        all.extend(times(&mut bucket, start + Duration::from_secs(60), 1, size, 20));
        for (number, first) in all.iter().enumerate() {
            let within =
                all[number..].iter().take_while(|it| **it - *first < Duration::from_millis(1)).count();
            assert!(within * size <= rate as usize / 10 + size, "{within} blocks at once");
        }
    }

    #[test]
    fn nothing_goes_while_paused_and_all_goes_without_a_limit() {
        let mut bucket = limited(1);
        bucket.take(Instant::now(), BLOCK);
        assert!(matches!(bucket.gate(), Gate::From(_)));
        bucket.set(Wish { paused: true, limit: Some(1) });
        assert_eq!(bucket.gate(), Gate::Closed);
        bucket.set(Wish::default());
        bucket.take(Instant::now(), BLOCK);
        assert_eq!(bucket.gate(), Gate::Open);
    }

    #[test]
    fn no_rate_overflows() {
        for rate in [1, u64::MAX] {
            let mut bucket = limited(rate);
            bucket.take(Instant::now(), usize::MAX);
            bucket.take(Instant::now(), usize::MAX);
            assert_ne!(bucket.gate(), Gate::Closed);
        }
    }
}
