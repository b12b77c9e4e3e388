//! The receive window: how much the peer may send, and how that grows to what the path and the reader take.
//!
//! Invariants: the size only grows, so an offer shrinks by what is kept and by nothing else; it never passes its bound.

use std::time::{Duration, Instant};

/// The window of a new association, in bytes: what 80 Mbit/s take at 100 ms, and a small part of what this side may be
/// configured to hold.
const INITIAL_BYTES: usize = 1 << 20;

/// Round trips' worth of bytes that the window holds.
///
/// One is on the way. One more passes until a loss is noticed and another until it is repaired; a fourth lets one
/// repair in a row fail before the sender has to stop. And what is read lags behind what comes by those repairs, while a sender that
/// begins doubles each round trip: so twice as many. 1 Gbit/s over 50 ms with 1 % loss carries 103 MB/s in place of 99.
const ROUND_TRIPS: usize = 8;

/// Shorter times are not told apart: timers come once a millisecond, and datagrams in bursts of up to one.
const SHORTEST_ROUND_TRIP: Duration = Duration::from_millis(2);

/// One part in so many of the free room is not offered: it pays for what kept chunks cost besides their payload.
///
/// A quarter is enough for messages of 576 bytes and more; with smaller ones the window closes earlier than they fill it.
const HELD_BACK: usize = 4;

/// The receive window.
#[derive(Debug)]
pub(crate) struct Window {
    size: usize,
    bound: usize,
    /// What the peer may still send by our last word, in bytes.
    credit: usize,
    round_trip: Option<Duration>,
    /// The shortest time in which a window's worth came in: not less than a round trip, since a peer that fills the
    /// window waits for our word that there is room again.
    turnover: Option<Duration>,
    turn: Option<Turn>,
    round: Option<Turn>,
}

/// Bytes since an instant.
#[derive(Debug, Clone, Copy)]
struct Turn {
    since: Instant,
    bytes: usize,
}

impl Window {
    /// A window that may grow to `bound` bytes, and takes messages of `message_bytes`.
    pub(crate) fn new(bound: usize, message_bytes: usize) -> Self {
        // A message must fit with all that its fragments cost, or its last part could only come by window probes.
        let least = message_bytes.saturating_mul(2);
        let bound = bound.max(least);
        let size = INITIAL_BYTES.max(least).min(bound);
        let mut window =
            Self { size, bound, credit: 0, round_trip: None, turnover: None, turn: None, round: None };
        window.credit = window.room(0);
        window
    }

    /// Bytes that may be kept now.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// What the peer may send while `kept` bytes are kept.
    pub(crate) fn room(&self, kept: usize) -> usize {
        let free = self.size.saturating_sub(kept);
        (free - free / HELD_BACK).min(u32::MAX as usize)
    }

    /// What the peer may still send by our last word.
    pub(crate) fn credit(&self) -> usize {
        self.credit
    }

    /// Tells the peer: it may send so much.
    pub(crate) fn offer(&mut self, kept: usize) -> u32 {
        self.credit = self.room(kept);
        u32::try_from(self.credit).unwrap_or(u32::MAX)
    }

    /// The round-trip time, where something measures it.
    pub(crate) fn set_round_trip(&mut self, round_trip: Duration) {
        self.round_trip = Some(round_trip);
    }

    /// The round-trip time as far as it is known; rather too long than too short.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        Some(self.round_trip.or(self.turnover)?.max(SHORTEST_ROUND_TRIP))
    }

    /// Payload came in.
    pub(crate) fn on_arrived(&mut self, now: Instant, bytes: usize) {
        self.credit = self.credit.saturating_sub(bytes);
        self.round.get_or_insert(Turn { since: now, bytes: 0 });
        let Some(turn) = &mut self.turn else {
            self.turn = Some(Turn { since: now, bytes: 0 });
            return;
        };
        // What lies more than a window behind the turn's first byte was sent after our word of that one.
        turn.bytes += bytes;
        if turn.bytes > self.size - self.size / HELD_BACK {
            let elapsed = now.saturating_duration_since(turn.since);
            self.turnover = Some(self.turnover.map_or(elapsed, |shortest| shortest.min(elapsed)));
            self.turn = Some(Turn { since: now, bytes: 0 });
        }
    }

    /// Payload was read.
    pub(crate) fn on_read(&mut self, bytes: usize) {
        if let Some(round) = &mut self.round {
            round.bytes += bytes;
        }
    }

    /// Grows to what was read in the last round trip, times [`ROUND_TRIPS`].
    pub(crate) fn resize(&mut self, now: Instant) {
        let (Some(round_trip), Some(round)) = (self.round_trip(), self.round) else { return };
        let elapsed = now.saturating_duration_since(round.since);
        if elapsed < round_trip {
            return;
        }
        let share = round_trip.as_secs_f64() / elapsed.as_secs_f64();
        let wanted = (round.bytes as f64 * share) as usize;
        self.size = self.size.max(wanted.saturating_mul(ROUND_TRIPS)).min(self.bound);
        self.round = Some(Turn { since: now, bytes: 0 });
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crate::inbound::window::Window;

    const MIB: usize = 1 << 20;

    /// A peer sends at `bytes_per_second`, never more than the window in a round trip, and all is read at once.
    fn grown(window: &mut Window, bytes_per_second: usize, round_trip: Duration, rounds: u32) -> usize {
        let start = Instant::now();
        let per_round = (bytes_per_second as f64 * round_trip.as_secs_f64()) as usize;
        for round in 0..rounds {
            let bytes = per_round.min(window.room(0));
            for step in 0..10 {
                let now = start + round_trip * round + round_trip * step / 10;
                window.on_arrived(now, bytes / 10);
                window.on_read(bytes / 10);
                window.resize(now);
            }
        }
        window.size()
    }

    #[test]
    fn window_grows_to_several_round_trips_of_a_fast_path() {
        let round_trip = Duration::from_millis(50);
        let size = grown(&mut Window::new(64 * MIB, 256 << 10), 125_000_000, round_trip, 40);
        assert!((3 * 6_250_000..=64 * MIB).contains(&size), "{size}");
    }

    #[test]
    fn window_follows_a_given_round_trip_time() {
        let mut window = Window::new(64 * MIB, 256 << 10);
        let round_trip = Duration::from_millis(50);
        window.set_round_trip(round_trip);
        let size = grown(&mut window, 125_000_000, round_trip, 40);
        assert!((40 * MIB..60 * MIB).contains(&size), "{size}");
    }

    #[test]
    fn window_of_a_slow_path_stays_small() {
        let size = grown(&mut Window::new(64 * MIB, 256 << 10), 1_000_000, Duration::from_millis(50), 2_000);
        assert!(size <= 8 * MIB, "{size}");
    }

    #[test]
    fn window_keeps_its_bound() {
        let size = grown(&mut Window::new(2 * MIB, 256 << 10), 1_000_000_000, Duration::from_millis(50), 40);
        assert_eq!(size, 2 * MIB);
    }

    #[test]
    fn window_of_a_reader_that_stops_does_not_grow() {
        let mut window = Window::new(64 * MIB, 256 << 10);
        let start = Instant::now();
        for millisecond in 0..100 {
            let now = start + Duration::from_millis(millisecond);
            window.on_arrived(now, 100_000);
            window.resize(now);
        }
        assert_eq!(window.size(), MIB);
    }

    #[test]
    fn window_holds_two_of_the_longest_messages() {
        assert_eq!(Window::new(MIB, MIB).size(), 2 * MIB);
    }
}
