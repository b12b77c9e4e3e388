//! Whether Startup has filled the path, and how fast it goes on.
//!
//! It doubles in each round trip, and triples as long as no packet has waited and hardly one was lost: half of a rate at which nothing
//! waits is far from what the path carries. (SUSS, SIGCOMM 2024, quadruples under a like condition.) What that may put into a
//! queue before it shows is two round trips' worth in place of one. Over 50 ms 150 MB/s are reached 0.2 s sooner, together with a first
//! window that the round trip of setting up has widened.

use std::time::Duration;

use crate::control::bbr::model::{Model, News};

/// It has after so many rounds in which the bandwidth did not grow by a quarter (`BBR.MaxFullBwCount` of the draft).
const FULL_ROUNDS: u32 = 3;
const FULL_GROWTH: f64 = 1.25;

/// It has, too, after so many rounds that stand in a queue: the second one has measured what the full path carries. The draft
/// waits for losses, and so fills a second of queue where there is one. Rounds that still grow by half do not count: their
/// queue is jitter.
const QUEUED_ROUNDS: u32 = 2;
const QUEUED_GROWTH: f64 = 1.5;

/// Gains in a hurry: tripling takes 9 ln 3 / 2 where doubling takes 4 ln 2, and three times what the path holds.
pub(super) const HURRY_GAIN: f64 = 4.94;
pub(super) const HURRY_WINDOW_GAIN: f64 = 3.0;

/// Shorter paths do not hurry: ten doublings are a tenth of a second there.
const LEAST_RTT: Duration = Duration::from_millis(10);

/// Losses above this share end the hurry, if they are more packets than chance loses.
const MOST_LOSS: f64 = 0.02;
const CHANCE_PACKETS: u64 = 3;

/// What the rounds of Startup showed.
#[derive(Debug)]
pub(super) struct Filling {
    /// The bandwidth that growth is counted from.
    bandwidth: u64,
    rounds_full: u32,
    rounds_queued: u32,
    /// Something has waited or was lost.
    is_wary: bool,
}

impl Filling {
    pub(super) fn new() -> Self {
        Self { bandwidth: 0, rounds_full: 0, rounds_queued: 0, is_wary: false }
    }

    /// Goes on by doubling only, as after the first queue.
    pub(super) fn wary() -> Self {
        Self { is_wary: true, ..Self::new() }
    }

    /// Takes a SACK.
    pub(super) fn watch(&mut self, model: &Model, news: &News) {
        let lost = model.loss_of_this_round();
        let is_lossy = lost.loss_rate() > MOST_LOSS && lost.lost > CHANCE_PACKETS * news.packet_bytes as u64;
        self.is_wary |= is_lossy || model.shows_queue(news.rtt);
    }

    /// Whether nothing speaks against more than doubling.
    pub(super) fn hurries(&self, model: &Model) -> bool {
        !self.is_wary && model.min_rtt.is_some_and(|rtt| rtt >= LEAST_RTT)
    }

    /// Takes a round that was not short of data; whether the path is full.
    pub(super) fn is_full(&mut self, bandwidth: u64, is_queued: bool) -> bool {
        let growth = bandwidth as f64 / self.bandwidth.max(1) as f64;
        if growth > QUEUED_GROWTH {
            self.rounds_queued = 0;
        } else if is_queued {
            self.rounds_queued += 1;
        }
        if growth >= FULL_GROWTH {
            self.bandwidth = bandwidth;
            self.rounds_full = 0;
        } else {
            self.rounds_full += 1;
        }
        self.rounds_full >= FULL_ROUNDS || self.rounds_queued >= QUEUED_ROUNDS
    }

    /// A round that lost everything says nothing of the path's size.
    pub(super) fn on_timeout(&mut self) {
        self.is_wary = true;
        self.rounds_full = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_goes_on_and_three_rounds_without_it_end_it() {
        let mut filling = Filling::new();
        for bandwidth in [1_000, 2_000, 4_000, 5_000, 5_500, 6_000] {
            assert!(!filling.is_full(bandwidth, false), "at {bandwidth}");
        }
        assert!(filling.is_full(6_100, false));
    }

    #[test]
    fn a_queue_ends_it_sooner_unless_the_bandwidth_still_grows_by_half() {
        let mut filling = Filling::new();
        for bandwidth in [1_000, 2_000, 4_000, 8_000] {
            assert!(!filling.is_full(bandwidth, true), "at {bandwidth}");
        }
        assert!(!filling.is_full(9_000, true));
        assert!(filling.is_full(9_000, true));
    }

    #[test]
    fn rounds_around_a_timeout_do_not_end_it() {
        let mut filling = Filling::new();
        for _ in 0..10 {
            assert!(!filling.is_full(1_000, false));
            assert!(!filling.is_full(1_000, false));
            filling.on_timeout();
        }
    }
}
