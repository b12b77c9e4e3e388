//! What is lost: a chunk is when one that was sent later has arrived and the time to be merely late is over (RACK, RFC 8985).
//!
//! Transmissions stand in a log in the order in which they left, so what is lost stands at its front, and each entry is
//! looked at once or twice, not once per SACK.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::outbound::flight::{Delivery, Flight, State};

/// While no packet was seen to overtake another, a chunk is lost as soon as so many later ones have left that one of them
/// arrived (RFC 9002 §6.1.1, RFC 8985 §6.2.1: 3).
const LATER_CHUNKS: u64 = 3;

/// The time to be late, as a share of the least round trip (RFC 8985 §6.2.1: a quarter).
const SHARE_OF_ROUND_TRIP: u32 = 4;

/// How many times without a needless retransmission until that time is short again (RFC 8985 §6.2.1: 16 recoveries).
const CALM_RECOVERIES: u32 = 16;

/// A transmission: the chunk, and its place in the order of all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) tsn: u64,
    pub(super) order: u64,
}

/// Round-trip times as they are needed here.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoundTrip {
    pub(super) smoothed: Duration,
    pub(super) minimum: Duration,
}

/// The transmission that left last of all that arrived.
#[derive(Debug, Clone, Copy)]
struct Newest {
    order: u64,
    round_trip: Duration,
}

/// Finds what is lost.
#[derive(Debug)]
pub(super) struct Loss {
    log: VecDeque<Entry>,
    next_order: u64,
    newest: Option<Newest>,
    /// The highest TSN that arrived.
    highest: u64,
    /// Whether a packet was seen to overtake another.
    reordering: bool,
    /// How many shares of a round trip a packet may be late.
    shares: u32,
    calm_recoveries: u32,
    /// When `shares` may grow again: once a round trip.
    patient_until: Option<Instant>,
    /// When the next chunk will be lost if nothing is heard of it.
    deadline: Option<Instant>,
    /// How often an entry of the log was looked at.
    #[cfg(test)]
    pub(super) looks: u64,
}

impl Loss {
    pub(super) fn new() -> Self {
        Self {
            log: VecDeque::new(),
            next_order: 0,
            newest: None,
            highest: 0,
            reordering: false,
            shares: 1,
            calm_recoveries: 0,
            patient_until: None,
            deadline: None,
            #[cfg(test)]
            looks: 0,
        }
    }

    /// The place of the next transmission.
    pub(super) fn next_order(&self) -> u64 {
        self.next_order
    }

    /// A chunk leaves, at [`Self::next_order`].
    pub(super) fn on_sent(&mut self, tsn: u64) {
        self.log.push_back(Entry { tsn, order: self.next_order });
        self.next_order += 1;
    }

    /// A chunk arrived.
    pub(super) fn on_delivered(&mut self, now: Instant, delivery: &Delivery, minimum: Option<Duration>) {
        let again = delivery.transmissions > 1;
        if delivery.tsn < self.highest && !again {
            // It was sent once, before something that arrived earlier (RFC 8985 §6.2 step 3).
            self.reordering = true;
        }
        let round_trip = now.saturating_duration_since(delivery.stamp.sent_at);
        if again && minimum.is_some_and(|minimum| round_trip < minimum) {
            return; // Too soon for the last transmission: an earlier one arrived (RFC 8985 §6.2 step 2).
        }
        if self.newest.is_none_or(|newest| newest.order < delivery.order) {
            self.newest = Some(Newest { order: delivery.order, round_trip });
        }
    }

    /// A SACK is taken whole: what it shows to have arrived no longer counts as overtaking.
    pub(super) fn end_sack(&mut self, highest: u64) {
        self.highest = self.highest.max(highest);
    }

    /// The peer had a retransmitted chunk already: it was late, not lost (RFC 8985 §6.2.1).
    pub(super) fn on_needless(&mut self, now: Instant, smoothed: Option<Duration>) {
        if self.patient_until.is_some_and(|until| now < until) {
            return;
        }
        self.patient_until = smoothed.map(|smoothed| now + smoothed);
        self.calm_recoveries = 0;
        self.reordering = true;
        // More than the smoothed round trip is never waited, which is at most so many shares where it matters.
        self.shares = (self.shares + 1).min(64);
    }

    /// Losses begin after a time without any.
    pub(super) fn on_recovery(&mut self) {
        self.calm_recoveries += 1;
        if self.calm_recoveries >= CALM_RECOVERIES {
            self.calm_recoveries = 0;
            self.shares = 1;
        }
    }

    /// Appends the chunks that are lost now to `lost`.
    pub(super) fn detect(
        &mut self,
        now: Instant,
        flight: &Flight,
        round_trip: Option<RoundTrip>,
        lost: &mut Vec<u64>,
    ) {
        self.deadline = None;
        let lateness = round_trip.map_or(Duration::ZERO, |round_trip| {
            (round_trip.minimum * self.shares / SHARE_OF_ROUND_TRIP).min(round_trip.smoothed)
        });
        while let Some(&Entry { tsn, order }) = self.log.front() {
            #[cfg(test)]
            {
                self.looks += 1;
            }
            let chunk = flight.get(tsn).filter(|chunk| chunk.order == order && chunk.state == State::Flying);
            if let Some(stamp) = chunk.and_then(|chunk| chunk.stamp) {
                let Some(newest) = self.newest.filter(|newest| order < newest.order) else { return };
                let due = stamp.sent_at + newest.round_trip + lateness;
                let overtaken = !self.reordering && newest.order - order >= LATER_CHUNKS;
                if !overtaken && now < due {
                    self.deadline = Some(due);
                    return;
                }
                lost.push(tsn);
            }
            self.log.pop_front();
        }
    }

    /// When [`Self::detect`] may find more, whatever arrives.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Everything on the way is taken for lost: hands out the log, for the case that this was a mistake.
    pub(super) fn take_log(&mut self) -> VecDeque<Entry> {
        self.deadline = None;
        std::mem::take(&mut self.log)
    }

    /// It was a mistake.
    pub(super) fn restore_log(&mut self, mut log: VecDeque<Entry>) {
        log.append(&mut self.log);
        self.log = log;
    }
}

#[cfg(any(test, fuzzing))]
impl Loss {
    /// Every chunk on the way stands in the log, once, and in order.
    pub(super) fn check(&self, flight: &Flight) {
        assert!(self.log.iter().is_sorted_by_key(|entry| entry.order));
        let is_flying = |entry: &&Entry| {
            flight
                .get(entry.tsn)
                .is_some_and(|chunk| chunk.order == entry.order && chunk.state == State::Flying)
        };
        assert_eq!(self.log.iter().filter(is_flying).count(), flight.flying_chunks());
    }
}
