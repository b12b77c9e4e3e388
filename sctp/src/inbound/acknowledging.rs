//! When to acknowledge (RFC 9260 §6.2): at once when the sender can learn something, else every few packets.

use std::time::{Duration, Instant};

/// Packets at the start of an association that are acknowledged one by one, as TCP stacks do: a young sender has few
/// packets on the way, and each SACK lets it send more.
const PROMPT_PACKETS: u32 = 16;

/// Packets per SACK (RFC 9260 §6.2) where they come slowly.
const LEAST_PACKETS: u32 = 2;

/// Packets per SACK in a fast stream of our own kind, unless a burst is longer.
///
/// Others grow by one packet per SACK (RFC 9260 §7.2.1) and send four at most (§6.1, Max.Burst; dcSCTP, and with it
/// browsers): with a SACK for more than three they stand still until it is late, and if a burst of theirs is answered
/// by one SACK they never send more than one such burst a round trip. They get a SACK for every second packet, as §6.2
/// asks: 5.2 MB/s of 11.3 became 11.1 at 100 Mbit/s and 10 ms.
const MOST_PACKETS: u32 = 8;

/// How long a SACK waits for a second packet.
///
/// RFC 9260 §6.2 allows 500 ms and recommends 200 ms at most. A sender that repairs its last packet by a probe has to add
/// this to a round trip; 20 ms is small beside the round trips that matter, and rare enough to cost nothing.
const DELAY: Duration = Duration::from_millis(20);

/// The same in a fast stream or behind a gap, where the sender's model of the path lives on it: this part of a round
/// trip, within what timers of a millisecond can serve and a sender's pace cares for.
const ROUND_TRIP_PART: u32 = 8;
const SHORTEST_DELAY: Duration = Duration::from_millis(1);
const LONGEST_DELAY: Duration = Duration::from_millis(5);

/// Decides when a SACK is due.
#[derive(Debug)]
pub(crate) struct Acknowledging {
    due: bool,
    deadline: Option<Instant>,
    /// The packet that is being handled brought data.
    has_data: bool,
    /// Packets with data since the last SACK, and since the start (counted up to [`PROMPT_PACKETS`]).
    waiting: u32,
    prompt: u32,
    /// Packets per SACK now, by how many came within a short time.
    every: u32,
    /// Whether it may become more.
    rarely: bool,
    counted: Option<(Instant, u32)>,
}

impl Acknowledging {
    pub(crate) fn new() -> Self {
        Self {
            due: false,
            deadline: None,
            has_data: false,
            waiting: 0,
            prompt: 0,
            every: LEAST_PACKETS,
            rarely: false,
            counted: None,
        }
    }

    pub(crate) fn answer_rarely(&mut self) {
        self.rarely = true;
    }

    /// The packet brings a DATA chunk.
    pub(crate) fn on_data(&mut self) {
        self.has_data = true;
    }

    /// The sender shall know now.
    pub(crate) fn demand(&mut self) {
        self.due = true;
    }

    /// The packet is through; `incomplete` while something is missing before what came.
    pub(crate) fn end_packet(&mut self, now: Instant, round_trip: Option<Duration>, incomplete: bool) {
        if !std::mem::take(&mut self.has_data) {
            return;
        }
        let part = round_trip.map(|time| (time / ROUND_TRIP_PART).clamp(SHORTEST_DELAY, LONGEST_DELAY));
        self.count(now, part);
        self.waiting += 1;
        if self.prompt < PROMPT_PACKETS {
            self.prompt += 1;
            self.due = true;
        } else if self.waiting >= self.every {
            self.due = true;
        }
        let hurried = self.every > LEAST_PACKETS || incomplete;
        let delay = if hurried { part.unwrap_or(LONGEST_DELAY) } else { DELAY };
        self.deadline.get_or_insert(now + delay);
    }

    /// Measures how fast packets come.
    fn count(&mut self, now: Instant, part: Option<Duration>) {
        let Some(part) = part.filter(|_| self.rarely) else { return };
        let (since, packets) = self.counted.get_or_insert((now, 0));
        let elapsed = now.saturating_duration_since(*since);
        if elapsed < part {
            *packets += 1;
            return;
        }
        let share = f64::from(*packets) * part.as_secs_f64() / elapsed.as_secs_f64();
        self.every = (share as u32).clamp(LEAST_PACKETS, MOST_PACKETS);
        self.counted = Some((now, 1));
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due || self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Whether a SACK is due that what follows must not be added to.
    pub(crate) fn stands_alone(&self) -> bool {
        self.due && !self.rarely
    }

    /// When a SACK will be due that is not yet.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline.filter(|_| !self.due)
    }

    /// A SACK goes out.
    pub(crate) fn on_sent(&mut self) {
        self.due = false;
        self.deadline = None;
        self.waiting = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crate::inbound::acknowledging::{Acknowledging, DELAY, MOST_PACKETS, PROMPT_PACKETS};

    const ROUND_TRIP: Option<Duration> = Some(Duration::from_millis(40));

    /// The SACKs for packets that come `apart` from each other.
    fn sacks(acknowledging: &mut Acknowledging, start: Instant, packets: u32, apart: Duration) -> u32 {
        let mut sent = 0;
        for packet in 0..packets {
            let now = start + apart * packet;
            acknowledging.on_data();
            acknowledging.end_packet(now, ROUND_TRIP, false);
            if acknowledging.is_due(now) {
                acknowledging.on_sent();
                sent += 1;
            }
        }
        sent
    }

    #[test]
    fn first_packets_are_acknowledged_one_by_one_then_every_second() {
        let (mut acknowledging, start) = (Acknowledging::new(), Instant::now());
        let apart = Duration::from_millis(10);
        assert_eq!(sacks(&mut acknowledging, start, PROMPT_PACKETS, apart), PROMPT_PACKETS);
        assert_eq!(sacks(&mut acknowledging, start + Duration::from_secs(1), 100, apart), 50);
    }

    #[test]
    fn fast_stream_of_another_kind_gets_a_sack_for_every_second_packet() {
        let (mut acknowledging, start) = (Acknowledging::new(), Instant::now());
        let apart = Duration::from_micros(100);
        sacks(&mut acknowledging, start, 200, apart);
        assert_eq!(sacks(&mut acknowledging, start + apart * 200, 800, apart), 400);
    }

    #[test]
    fn fast_stream_of_our_own_kind_gets_few_sacks_and_short_delays() {
        let (mut acknowledging, start) = (Acknowledging::new(), Instant::now());
        acknowledging.answer_rarely();
        let apart = Duration::from_micros(100);
        sacks(&mut acknowledging, start, 200, apart);
        let start = start + apart * 200;
        assert_eq!(sacks(&mut acknowledging, start, 800, apart), 800 / MOST_PACKETS);
        let now = start + apart * 800;
        acknowledging.on_sent();
        acknowledging.on_data();
        acknowledging.end_packet(now, ROUND_TRIP, false);
        assert_eq!(acknowledging.deadline(), Some(now + Duration::from_millis(5)));
    }

    #[test]
    fn stream_that_slows_down_is_acknowledged_every_second_packet_again() {
        let (mut acknowledging, start) = (Acknowledging::new(), Instant::now());
        sacks(&mut acknowledging, start, 200, Duration::from_micros(100));
        let start = start + Duration::from_secs(1);
        let sent = sacks(&mut acknowledging, start, 101, Duration::from_millis(10));
        assert!((49..=51).contains(&sent), "{sent}");
    }

    #[test]
    fn lone_packet_is_acknowledged_after_the_delay() {
        let (mut acknowledging, start) = (Acknowledging::new(), Instant::now());
        sacks(&mut acknowledging, start, PROMPT_PACKETS, Duration::from_millis(10));
        let now = start + Duration::from_secs(1);
        acknowledging.on_data();
        acknowledging.end_packet(now, ROUND_TRIP, false);
        assert!(!acknowledging.is_due(now));
        assert_eq!(acknowledging.deadline(), Some(now + DELAY));
        assert!(acknowledging.is_due(now + DELAY));
    }

    #[test]
    fn packet_without_data_is_not_acknowledged() {
        let (mut acknowledging, now) = (Acknowledging::new(), Instant::now());
        acknowledging.end_packet(now, None, false);
        assert!(!acknowledging.is_due(now + DELAY));
        assert_eq!(acknowledging.deadline(), None);
    }
}
