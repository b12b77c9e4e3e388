//! The best of what was measured lately.

use std::time::{Duration, Instant};

/// The best measurement of a period and the one before it.
#[derive(Debug)]
pub(super) struct Best<T> {
    period: Duration,
    since: Option<Instant>,
    now: Option<T>,
    before: Option<T>,
    better: fn(T, T) -> T,
}

impl<T: Copy> Best<T> {
    /// None yet.
    pub(super) fn new(period: Duration, better: fn(T, T) -> T) -> Self {
        Self { period, since: None, now: None, before: None, better }
    }

    /// Takes a measurement; whether a period ended before it.
    pub(super) fn take(&mut self, now: Instant, value: T) -> bool {
        let since = *self.since.get_or_insert(now);
        let ended = now.saturating_duration_since(since) >= self.period;
        if ended {
            self.before = self.now.take();
            self.since = Some(now);
        }
        self.now = Some(self.now.map_or(value, |best| (self.better)(best, value)));
        ended
    }

    /// The best one.
    pub(super) fn get(&self) -> Option<T> {
        match (self.now, self.before) {
            (Some(now), Some(before)) => Some((self.better)(now, before)),
            (now, before) => now.or(before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_counts_for_its_period_and_the_next() {
        let (start, mut best) = (Instant::now(), Best::new(Duration::from_secs(1), u64::max));
        let mut take = |millis, value| {
            let ended = best.take(start + Duration::from_millis(millis), value);
            (ended, best.get().unwrap())
        };
        assert_eq!(take(0, 5), (false, 5));
        assert_eq!(take(900, 3), (false, 5));
        assert_eq!(take(1000, 2), (true, 5));
        assert_eq!(take(2100, 1), (true, 2));
        assert_eq!(take(2200, 4), (false, 4));
    }
}
