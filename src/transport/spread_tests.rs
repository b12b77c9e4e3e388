//! The decisions of a link with several lanes, on a line that is computed.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::transport::spread::Spread;
use crate::wire::lanes::NUMBER_BYTES;

const FRAME: usize = 128 << 10;
const ON_THE_WIRE: usize = FRAME + NUMBER_BYTES;
const STEP: Duration = Duration::from_millis(2);

/// A line with so many bytes a second, a round trip, and a queue that never ends.
struct Line {
    now: Instant,
    rate: f64,
    round_trip: Duration,
    /// When the last byte of what waits will be on its way.
    free_at: Instant,
    /// Frames by lane: their numbers, and when they are acknowledged.
    flights: Vec<Vec<(u64, Instant)>>,
    delivered: usize,
    longest_queue: Duration,
    /// Lanes that bring nothing.
    hanging: Vec<usize>,
}

impl Line {
    fn new(lanes: usize, megabytes: f64, round_trip: Duration) -> Self {
        let now = Instant::now();
        let (flights, hanging) = (vec![Vec::new(); lanes], Vec::new());
        let (delivered, longest_queue) = (0, Duration::ZERO);
        Self {
            now,
            rate: megabytes * 1e6,
            round_trip,
            free_at: now,
            flights,
            delivered,
            longest_queue,
            hanging,
        }
    }

    fn settle(&mut self, spread: &mut Spread) {
        for (index, flight) in self.flights.iter_mut().enumerate() {
            if !self.hanging.contains(&index) {
                let before = flight.len();
                flight.retain(|(_, at)| *at > self.now);
                self.delivered += (before - flight.len()) * ON_THE_WIRE;
            }
            // Packets are acknowledged, not frames.
            let left = |at: Instant| ((at - self.now).as_secs_f64() * self.rate) as usize;
            let outstanding = match self.hanging.contains(&index) {
                true => flight.len() * ON_THE_WIRE,
                false => flight.iter().map(|(_, at)| left(*at).min(ON_THE_WIRE)).sum(),
            };
            spread.settle(self.now, index, Some(outstanding));
        }
        spread.rescue(self.now);
    }

    fn send(&mut self, spread: &mut Spread, lane: usize, number: u64) {
        spread.sent(self.now, lane, number, Bytes::from(vec![0; FRAME]));
        self.free_at = self.free_at.max(self.now) + Duration::from_secs_f64(ON_THE_WIRE as f64 / self.rate);
        self.longest_queue = self.longest_queue.max(self.free_at - self.now);
        self.flights[lane].push((number, self.free_at + self.round_trip));
    }

    /// Sends all that may be sent for so long, and tells which frames went where.
    fn run(&mut self, spread: &mut Spread, time: Duration) -> Vec<(usize, u64)> {
        let end = self.now + time;
        let mut went = Vec::new();
        while self.now < end {
            self.settle(spread);
            while let Some(lane) = spread.choose(self.now) {
                let number = spread.take_again().map_or_else(|| spread.number(), |(number, _)| number);
                self.send(spread, lane, number);
                went.push((lane, number));
            }
            self.now += STEP;
        }
        went
    }
}

#[test]
fn a_line_is_filled_and_its_queue_is_not() {
    for (megabytes, millis, lanes) in
        [(25.0, 50, 8), (119.0, 50, 4), (12.0, 20, 4), (119.0, 10, 8), (1.0, 40, 3)]
    {
        let round_trip = Duration::from_millis(millis);
        let mut line = Line::new(lanes, megabytes, round_trip);
        let mut spread = Spread::new(true);
        line.run(&mut spread, Duration::from_secs(3));
        let (before, mut most) = (line.delivered, Duration::ZERO);
        for _ in 0..3 {
            line.longest_queue = Duration::ZERO;
            line.run(&mut spread, Duration::from_secs(8));
            most = most.max(line.longest_queue);
        }
        let reached = (line.delivered - before) as f64 / 24e6 / megabytes;
        let least_queue = Duration::from_secs_f64(3.0 * ON_THE_WIRE as f64 / line.rate);
        assert!(reached > 0.9, "{megabytes} MB/s over {millis} ms: {reached}");
        assert!(
            most < round_trip.mul_f64(0.95).max(least_queue),
            "{megabytes} MB/s over {millis} ms: {most:?} of queue"
        );
    }
}

#[test]
fn the_first_lane_is_left_to_control_frames_while_there_are_others() {
    let mut line = Line::new(3, 25.0, Duration::from_millis(50));
    let mut spread = Spread::new(true);
    let went = line.run(&mut spread, Duration::from_secs(1));
    assert!(went.iter().all(|(lane, _)| *lane != 0));
    spread.settle(line.now, 1, None);
    spread.settle(line.now, 2, None);
    assert_eq!(spread.choose(line.now), Some(0));
}

#[test]
fn an_engine_that_needs_no_care_gets_frames_on_all_lanes_up_to_their_size() {
    let mut line = Line::new(3, 25.0, Duration::from_millis(50));
    let mut spread = Spread::new(false);
    let went = line.run(&mut spread, STEP);
    for lane in 0..3 {
        assert_eq!(went.iter().filter(|(it, _)| *it == lane).count(), 8, "1 MiB");
    }
}

#[test]
fn what_a_lane_that_hangs_holds_goes_out_again_over_the_others() {
    let mut line = Line::new(4, 25.0, Duration::from_millis(50));
    let mut spread = Spread::new(true);
    line.run(&mut spread, Duration::from_secs(2));
    line.hanging.push(2);
    let held: Vec<_> = line.flights[2].iter().map(|(number, _)| *number).collect();
    let went = line.run(&mut spread, Duration::from_secs(1));
    assert!(!held.is_empty());
    for number in held {
        assert!(went.iter().any(|it| it.0 != 2 && it.1 == number), "{number} went over lane 2 alone");
    }
    let later = line.run(&mut spread, Duration::from_secs(1));
    assert!(later.iter().all(|(lane, _)| *lane != 2), "it hangs and gets more");
    assert!(later.len() > 100, "the others do not go on");

    line.hanging.clear();
    let healed = line.run(&mut spread, Duration::from_secs(1));
    assert!(healed.iter().any(|(lane, _)| *lane == 2), "it does not hang any more, and gets nothing");
}

#[test]
fn when_all_lanes_hang_one_is_held_on_to() {
    let mut line = Line::new(3, 25.0, Duration::from_millis(50));
    let mut spread = Spread::new(true);
    line.run(&mut spread, Duration::from_secs(2));
    line.hanging.extend([0, 1, 2]);
    let went = line.run(&mut spread, Duration::from_secs(5));
    assert!(went.len() < 40, "{} frames into lanes that bring nothing", went.len());
    line.hanging.clear();
    assert!(line.run(&mut spread, Duration::from_secs(1)).len() > 100);
}

#[test]
fn a_peer_on_the_local_network_is_not_far() {
    for (megabytes, millis, far) in [(119.0, 1, false), (25.0, 1, false), (119.0, 20, true), (2.0, 1, true)] {
        let mut line = Line::new(1, megabytes, Duration::from_millis(millis));
        let mut spread = Spread::new(true);
        assert!(!spread.is_far());
        line.run(&mut spread, Duration::from_secs(1));
        assert_eq!(spread.is_far(), far, "{megabytes} MB/s over {millis} ms");
    }
}

#[test]
fn a_job_that_pauses_is_idle() {
    let mut line = Line::new(2, 25.0, Duration::from_millis(50));
    let mut spread = Spread::new(true);
    assert!(spread.is_idle());
    line.settle(&mut spread);
    line.send(&mut spread, 1, 0);
    assert!(!spread.is_idle());
    line.now += Duration::from_secs(1);
    line.settle(&mut spread);
    assert!(spread.is_idle());
}
