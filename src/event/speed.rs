//! The speed of the last seconds, out of numbers that come at any pace. Pure: the time is an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Speed is the mean over this long: short enough to follow a change, long enough to read.
const WINDOW: Duration = Duration::from_secs(5);

/// Least time between two points, which bounds their number to 22.
const POINT_EVERY: Duration = Duration::from_millis(250);

/// Least time over which a speed means anything.
const LEAST_TIME: Duration = Duration::from_millis(500);

/// Remembers how many bytes had moved when.
#[derive(Debug, Default)]
pub(crate) struct Speedometer {
    /// (time, bytes moved), oldest first; at most one is older than [`WINDOW`].
    points: VecDeque<(Instant, u64)>,
}

impl Speedometer {
    /// Takes in that `moved` bytes have moved until `now`. Call it as often as you like.
    pub(crate) fn note(&mut self, now: Instant, moved: u64) {
        let age = |at: Instant| now.saturating_duration_since(at);
        if self.points.back().is_some_and(|(at, _)| age(*at) < POINT_EVERY) {
            return;
        }
        self.points.push_back((now, moved));
        while self.points.get(1).is_some_and(|(at, _)| age(*at) >= WINDOW) {
            self.points.pop_front();
        }
    }

    /// Bytes a second over the last [`WINDOW`], `moved` having moved until `now`; `None` too early on.
    pub(crate) fn bytes_per_second(&self, now: Instant, moved: u64) -> Option<u64> {
        let age = |at: Instant| now.saturating_duration_since(at);
        let (at, before) = self.points.iter().rfind(|(at, _)| age(*at) >= WINDOW).or(self.points.front())?;
        match age(*at) {
            time if time < LEAST_TIME => None,
            time => bytes_per_second(moved.saturating_sub(*before), time),
        }
    }
}

/// Bytes a second; `None` when no time has passed.
pub(crate) fn bytes_per_second(moved: u64, time: Duration) -> Option<u64> {
    let per_second = (u128::from(moved) * 1_000_000_000).checked_div(time.as_nanos())?;
    Some(u64::try_from(per_second).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let at = |second: u64| start + Duration::from_secs(second);
        let mut speedometer = Speedometer::default();
        assert_eq!(speedometer.bytes_per_second(at(1), 5), None);
        for second in 0..=10 {
            speedometer.note(at(second), second * 1000);
        }
        assert_eq!(speedometer.bytes_per_second(at(10), 10_000), Some(1000));
        for second in 11..=16 {
            speedometer.note(at(second), 10_000 + (second - 10) * 10);
        }
        assert_eq!(speedometer.bytes_per_second(at(16), 10_060), Some(10));
        assert_eq!(speedometer.bytes_per_second(at(60), 10_060), Some(0));
    }

    #[test]
    fn the_first_half_second_has_no_speed() {
        let start = Instant::now();
        let mut speedometer = Speedometer::default();
        speedometer.note(start, 0);
        assert_eq!(speedometer.bytes_per_second(start + Duration::from_millis(499), 1 << 20), None);
        assert_eq!(speedometer.bytes_per_second(start + Duration::from_millis(500), 1 << 20), Some(2 << 20));
    }

    #[test]
    fn a_flood_of_numbers_takes_no_memory() {
        let start = Instant::now();
        let mut speedometer = Speedometer::default();
        for millisecond in 0..60_000 {
            speedometer.note(start + Duration::from_millis(millisecond), millisecond);
        }
        assert!(speedometer.points.len() <= 22);
    }

    #[test]
    fn a_rate_needs_time() {
        assert_eq!(bytes_per_second(1, Duration::ZERO), None);
        assert_eq!(bytes_per_second(u64::MAX, Duration::from_nanos(1)), Some(u64::MAX));
    }
}
