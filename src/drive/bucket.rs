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
    /// From now on this is wished. What went and is not paid for yet is paid for at the new rate, or else whoever changes
    /// their mind often would get past the limit of the other side; without a limit nothing is owed.
    pub fn set(&mut self, now: Instant, wish: Wish) {
        let owed = match (self.wish.limit, self.paid_at) {
            (Some(before), Some(paid_at)) => {
                let unpaid = paid_at.saturating_duration_since(now);
                unpaid.as_nanos().saturating_mul(u128::from(before)).div_ceil(NANOSECONDS)
            }
            _ => 0,
        };
        let paid_at = wish.limit.filter(|_| owed > 0).map(|rate| after(now, owed, rate));
        *self = Self { wish, paid_at };
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
        let since = self.paid_at.map_or(now, |it| it.max(now));
        self.paid_at = Some(after(since, bytes as u128, rate));
    }
}

const NANOSECONDS: u128 = 1_000_000_000;

/// When so many bytes are paid for that are paid for from `since` on.
fn after(since: Instant, bytes: u128, rate: u64) -> Instant {
    let nanoseconds = bytes.saturating_mul(NANOSECONDS).checked_div(u128::from(rate)).unwrap_or(0);
    let price = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
    // A block that takes centuries takes as long as anybody waits.
    since.checked_add(price).unwrap_or(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: usize = 128 * 1024;

    fn limited(rate: u64) -> Bucket {
        let mut bucket = Bucket::default();
        bucket.set(Instant::now(), Wish { paused: false, limit: Some(rate) });
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
        bucket.set(Instant::now(), Wish { paused: true, limit: Some(1) });
        assert_eq!(bucket.gate(), Gate::Closed);
        bucket.set(Instant::now(), Wish::default());
        bucket.take(Instant::now(), BLOCK);
        assert_eq!(bucket.gate(), Gate::Open);
    }

    /// As a receiver can that wants this, then that, below the sender's own limit: with a limit, and by pausing.
    #[test]
    fn who_changes_their_mind_often_gets_no_more() {
        const RATE: u64 = 1_000_000;
        let start = Instant::now();
        let end = start + Duration::from_secs(10);
        let limit = |paused, limit| Wish { paused, limit: Some(limit) };
        for other in [limit(false, RATE - 1), limit(false, 1), limit(true, RATE)] {
            let (mut bucket, mut now, mut sent) = (limited(RATE), start, 0);
            while now < end {
                let open = match bucket.gate() {
                    Gate::Open => true,
                    Gate::From(at) => at <= now,
                    Gate::Closed => false,
                };
                if open {
                    bucket.take(now, BLOCK);
                    sent += BLOCK;
                }
                now += Duration::from_millis(1);
                bucket.set(now, other);
                bucket.set(now, limit(false, RATE));
            }
            let most = RATE as usize * 10 + 2 * BLOCK;
            assert!(sent <= most && sent > most / 2, "{sent} bytes with {other:?} in between");
        }
    }

    #[test]
    fn what_is_owed_at_a_low_limit_does_not_hold_up_a_higher_one() {
        let (now, mut bucket) = (Instant::now(), limited(1));
        bucket.take(now, BLOCK);
        bucket.set(now, Wish { paused: false, limit: Some(BLOCK as u64) });
        assert_eq!(bucket.gate(), Gate::From(now + Duration::from_secs(1) - BURST));
        bucket.set(now, Wish::default());
        assert_eq!(bucket.gate(), Gate::Open);
    }

    #[test]
    fn no_rate_overflows() {
        for rate in [1, u64::MAX] {
            let mut bucket = limited(rate);
            bucket.take(Instant::now(), usize::MAX);
            bucket.take(Instant::now(), usize::MAX);
            bucket.set(Instant::now(), Wish { paused: false, limit: Some(u64::MAX) });
            bucket.set(Instant::now(), Wish { paused: false, limit: Some(1) });
            assert_ne!(bucket.gate(), Gate::Closed);
        }
    }
}
