//! The time left, as a number that a person can watch: it runs down like a clock and drifts to what the speed says.
//! Pure: the time is an argument.

use std::time::{Duration, Instant};

/// Least time between two corrections.
const CORRECTED_EVERY: Duration = Duration::from_millis(250);

/// Time in which two thirds of a wrong estimate are corrected: as long as the window over which speed is measured.
const SETTLES_IN: f64 = 5.0;

/// How wrong an estimate may be, as a part of the right one, before it is thrown away: it would take too long to mend.
const HOPELESS: f64 = 4.0;

/// A smoothed estimate.
#[derive(Debug, Default)]
pub(crate) struct Eta {
    /// When it was made, and how many seconds were left then.
    estimate: Option<(Instant, f64)>,
}

impl Eta {
    /// Takes in that so many bytes are `left`, at this speed. Call it as often as you like.
    pub(crate) fn note(&mut self, now: Instant, left: u64, bytes_per_second: Option<u64>) {
        let speed = match bytes_per_second {
            // Nothing moves: there is no time to tell, and when it goes on nothing is known of before.
            Some(0) | None => return self.estimate = None,
            Some(speed) => speed,
        };
        let (at, before) = match self.estimate {
            Some((at, _)) if now.saturating_duration_since(at) < CORRECTED_EVERY => return,
            Some(estimate) => estimate,
            None => return self.estimate = Some((now, left as f64 / speed as f64)),
        };
        let passed = now.saturating_duration_since(at).as_secs_f64();
        let told = (before - passed).max(0.0);
        let right = left as f64 / speed as f64;
        let sound = told < right * HOPELESS + 1.0 && right < told * HOPELESS + 1.0;
        let weight = 1.0 - (-passed / SETTLES_IN).exp();
        let next = if sound { told + (right - told) * weight } else { right };
        self.estimate = Some((now, next));
    }

    /// What is left, rounded to what the eye can follow; `None` where nobody can tell.
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        let (at, seconds) = self.estimate?;
        let seconds = (seconds - now.saturating_duration_since(at).as_secs_f64()).max(0.0);
        let step = match seconds {
            ..20.0 => 1.0,
            ..120.0 => 5.0,
            ..3600.0 => 30.0,
            _ => 300.0,
        };
        // Seconds of a u64 of bytes at one byte a second fit.
        Some(Duration::from_secs(((seconds / step).round() * step) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    /// What is told each second while `speed` says how fast it is in that second.
    fn told(total: u64, seconds: u64, speed: impl Fn(u64) -> u64) -> Vec<Option<u64>> {
        let start = Instant::now();
        let (mut eta, mut left) = (Eta::default(), total);
        let mut told = Vec::new();
        for second in 0..seconds {
            let now = start + Duration::from_secs(second);
            eta.note(now, left, Some(speed(second)));
            told.push(eta.left(now).map(|it| it.as_secs()));
            left = left.saturating_sub(speed(second));
        }
        told
    }

    #[test]
    fn at_an_even_speed_it_runs_down_like_a_clock() {
        let told = told(15 * MB, 15, |_| MB);
        assert_eq!(told, (0..15).map(|second| Some(15 - second)).collect::<Vec<_>>());
    }

    /// Half the speed in every other second: the right number jumps between 30 and 60.
    #[test]
    fn it_does_not_jump_with_the_speed() {
        let told = told(60 * MB, 30, |second| if second % 2 == 0 { 2 * MB } else { MB });
        let steps = told.windows(2).map(|it| it[0].unwrap().abs_diff(it[1].unwrap()));
        assert!(steps.max().unwrap() <= 10, "{told:?}");
    }

    #[test]
    fn a_change_that_stays_is_followed() {
        let told = told(600 * MB, 60, |second| if second < 10 { 10 * MB } else { 5 * MB });
        let right = (600 - 100 - 49 * 5) / 5;
        assert!(told.last().unwrap().unwrap().abs_diff(right) <= 10, "{told:?}");
    }

    #[test]
    fn what_stands_still_has_no_end() {
        let now = Instant::now();
        let mut eta = Eta::default();
        eta.note(now, MB, Some(MB));
        eta.note(now + Duration::from_secs(1), MB, Some(0));
        assert_eq!(eta.left(now + Duration::from_secs(1)), None);
        eta.note(now, u64::MAX, Some(1));
        assert!(eta.left(now).is_some());
    }
}
