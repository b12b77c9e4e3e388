//! Delivery rate, sampled per SACK (draft-ietf-ccwg-bbr, before that draft-cheng-iccrg-delivery-rate-estimation).
//!
//! Each transmission remembers how much had been delivered when it left; when it arrives, what was delivered since, over the
//! time that took, is what the path carried meanwhile.

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
    /// Bytes per second; 0 where the interval is too short to tell.
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
pub(crate) struct Sampler {
    delivered: u64,
    lost: u64,
    /// When the last byte was delivered, and when the newest delivered one was sent; the present, while nothing was on the way.
    delivered_at: Option<Instant>,
    first_sent_at: Option<Instant>,
    /// What is delivered in all when the last of the flight has arrived that was sent for want of more, if there was one.
    app_limited_until: Option<u64>,
    /// The newest transmission that the SACK at hand acknowledges.
    newest: Option<Stamp>,
}

impl Sampler {
    pub(crate) fn new() -> Self {
        Self {
            delivered: 0,
            lost: 0,
            delivered_at: None,
            first_sent_at: None,
            app_limited_until: None,
            newest: None,
        }
    }

    /// Bytes go out, with `in_flight` on the way before them.
    pub(crate) fn on_sent(&mut self, now: Instant, bytes: usize, in_flight: usize) -> Stamp {
        if in_flight == 0 {
            // The path was idle: the time until now is not counted against it.
            self.first_sent_at = Some(now);
            self.delivered_at = Some(now);
        }
        Stamp {
            sent_at: now,
            delivered: self.delivered,
            delivered_at: self.delivered_at.unwrap_or(now),
            first_sent_at: self.first_sent_at.unwrap_or(now),
            app_limited: self.app_limited_until.is_some(),
            in_flight: in_flight.saturating_add(bytes),
            lost: self.lost,
        }
    }

    /// A transmission arrived.
    pub(crate) fn on_delivered(&mut self, now: Instant, bytes: usize, stamp: &Stamp) {
        self.delivered += bytes as u64;
        self.delivered_at = Some(now);
        // Of one burst all have the same instant; the later ones had more on the way.
        let is_newer =
            self.newest.is_none_or(|held| (stamp.sent_at, stamp.in_flight) >= (held.sent_at, held.in_flight));
        if is_newer {
            self.newest = Some(*stamp);
        }
    }

    /// A transmission was declared lost.
    pub(crate) fn on_lost(&mut self, bytes: usize) {
        self.lost += bytes as u64;
    }

    /// There is less to send than may be sent.
    pub(crate) fn on_app_limited(&mut self, in_flight: usize) {
        self.app_limited_until = Some(self.delivered + in_flight as u64);
    }

    /// Ends a SACK: what it shows, if it acknowledged anything new. `min_rtt` guards against samples over too short a time.
    pub(crate) fn sample(&mut self, now: Instant, min_rtt: Option<Duration>) -> Option<RateSample> {
        let newest = self.newest.take()?;
        self.app_limited_until = self.app_limited_until.filter(|until| self.delivered <= *until);
        self.first_sent_at = self.first_sent_at.max(Some(newest.sent_at));
        // Bytes are delivered no faster than they were sent and no faster than they were acknowledged: SACKs may come
        // in heaps, sends may have gone out in bursts (BBR draft).
        let send_elapsed = newest.sent_at.saturating_duration_since(newest.first_sent_at);
        let ack_elapsed = now.saturating_duration_since(newest.delivered_at);
        let interval = send_elapsed.max(ack_elapsed);
        let is_long_enough = !interval.is_zero() && interval >= min_rtt.unwrap_or_default();
        let delivered_meanwhile = self.delivered - newest.delivered;
        let delivery_rate =
            if is_long_enough { (delivered_meanwhile as f64 / interval.as_secs_f64()) as u64 } else { 0 };
        Some(RateSample {
            delivery_rate,
            interval,
            prior_delivered: newest.delivered,
            delivered: self.delivered,
            in_flight_when_sent: newest.in_flight,
            lost_since: self.lost - newest.lost,
            app_limited: newest.app_limited,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Ten packets of 1,000 bytes, one a millisecond, over 20 ms: a megabyte per second however the SACKs come.
    #[test]
    fn rate_is_that_of_the_path_whether_sacks_come_singly_or_in_heaps() {
        for heap in [1, 5] {
            let start = Instant::now();
            let mut sampler = Sampler::new();
            let stamps: Vec<Stamp> = (0..10)
                .map(|index| sampler.on_sent(start + index * MS, 1_000, index as usize * 1_000))
                .collect();
            let mut last = None;
            for (index, stamp) in stamps.iter().enumerate() {
                let at = start + (20 + index / heap * heap + heap - 1) as u32 * MS;
                sampler.on_delivered(at, 1_000, stamp);
                if (index + 1) % heap == 0 {
                    last = sampler.sample(at, Some(20 * MS));
                }
            }
            let last = last.unwrap();
            assert_eq!(last.delivered, 10_000);
            // The first flight is timed from its first packet on: 10,000 bytes in 29 ms.
            assert_eq!(last.interval, 29 * MS);
            assert_eq!(last.delivery_rate, 344_827);
        }
    }

    #[test]
    fn samples_over_less_than_a_round_trip_give_no_rate() {
        let start = Instant::now();
        let mut sampler = Sampler::new();
        let stamp = sampler.on_sent(start, 1_000, 0);
        sampler.on_delivered(start + MS, 1_000, &stamp);
        let sample = sampler.sample(start + MS, Some(10 * MS)).unwrap();
        assert_eq!((sample.delivery_rate, sample.delivered), (0, 1_000));
    }

    #[test]
    fn a_sack_without_news_gives_no_sample() {
        let now = Instant::now();
        let mut sampler = Sampler::new();
        assert_eq!(sampler.sample(now, None), None);
    }

    /// What was sent with a gap before it is marked, and what follows once it has arrived is not.
    #[test]
    fn samples_of_an_idle_application_are_marked() {
        let start = Instant::now();
        let mut sampler = Sampler::new();
        let mut is_marked = Vec::new();
        for round in 0..4 {
            let now = start + 10 * round * MS;
            let stamp = sampler.on_sent(now, 1_000, 0);
            if round == 0 {
                sampler.on_app_limited(1_000);
            }
            sampler.on_delivered(now + 5 * MS, 1_000, &stamp);
            is_marked.push(sampler.sample(now + 5 * MS, None).unwrap().app_limited);
        }
        assert_eq!(is_marked, [false, true, false, false]);
    }

    /// Idle time is not counted against the path.
    #[test]
    fn a_pause_does_not_lower_the_rate() {
        let start = Instant::now();
        let mut sampler = Sampler::new();
        let first = sampler.on_sent(start, 1_000, 0);
        sampler.on_delivered(start + 10 * MS, 1_000, &first);
        sampler.sample(start + 10 * MS, None);
        let later = start + Duration::from_secs(5);
        let second = sampler.on_sent(later, 1_000, 0);
        sampler.on_delivered(later + 10 * MS, 1_000, &second);
        assert_eq!(sampler.sample(later + 10 * MS, None).unwrap().delivery_rate, 100_000);
    }

    #[test]
    fn losses_are_counted_from_the_sending_of_the_newest_chunk() {
        let start = Instant::now();
        let mut sampler = Sampler::new();
        sampler.on_lost(500);
        let stamp = sampler.on_sent(start, 1_000, 3_000);
        sampler.on_lost(2_000);
        sampler.on_delivered(start + MS, 1_000, &stamp);
        let sample = sampler.sample(start + MS, None).unwrap();
        assert_eq!((sample.lost_since, sample.in_flight_when_sent), (2_000, 4_000));
    }
}
