//! Which lane a bulk frame goes to, and when: the decisions of a link that has several.
//!
//! Our own SCTP needs no more than the emptiest lane. The stock one is to be handled with care: it sends
//! until a queue on the way is full, loses a burst, and then brings one packet a round trip; and as bulk
//! frames have an order, every lane waits with the one that lost something. So here
//!
//! - no more is under way than the line delivered lately in the time that a frame takes when the line is
//!   empty, and an eighth or a block more, by which the estimate grows as long as the line can give more;
//! - a lane that hangs gets nothing new, and what it did not deliver is sent again over the others;
//! - the first lane, on which control frames travel, gets bulk only while there is no other.
//!
//! Pure: time and what is acknowledged come in as arguments.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::transport::best::Best;
use crate::wire::block::{HEADER_BYTES, PAYLOAD_BYTES};
use crate::wire::lanes::NUMBER_BYTES;

/// A numbered block of p2pcp, in bytes.
const BLOCK_BYTES: u64 = (NUMBER_BYTES + HEADER_BYTES + PAYLOAD_BYTES) as u64;

/// What may be under way before anything is known, and at least later, in bytes: one block is on its way
/// while the other is confirmed.
const LEAST_BYTES: u64 = 2 * BLOCK_BYTES;

/// What is tried beyond the estimate at least: one more block, and what measuring loses.
const STEP_BYTES: u64 = BLOCK_BYTES + BLOCK_BYTES / 8;

/// Most bytes under way on one lane of the stock engine, whose work for a packet grows with them: with three
/// lanes for bulk this is 1 Gbit/s over 50 ms.
const CAREFUL_LANE_BYTES: u64 = 2 << 20;

/// Most bytes that wait on one lane of our own engine, which counts what it has sent as delivered: half of what the
/// channel takes (`Engine::send_buffer_bytes`), so that none is waited for while another has room.
const LANE_BYTES: u64 = 1 << 20;

/// How often a link looks for room where there was none: 1 Gbit/s brings two blocks in this time.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(2);

/// What a block takes at most where the other side is near: on the wire of 200 Mbit/s, and two looks.
const NEAR: Duration = Duration::from_millis(10);

/// How long the best rate counts: some round trips of the longest lines.
const RATE_FOR: Duration = Duration::from_secs(1);

/// How long the shortest time of a frame counts.
const LATENCY_FOR: Duration = Duration::from_secs(10);

/// A lane hangs when its oldest frame is older than so many times the shortest time of a frame.
const HANGS_AFTER: u32 = 3;

/// The same for one that has delivered less than [`LEAST_BYTES`]: SCTP begins with four packets a round trip
/// and doubles them with each (RFC 9260 §7.2.1), so the first block takes six.
const NEW_ONE_HANGS_AFTER: u32 = 8;

/// The delays of a busy machine, which are no reason to think that a lane hangs.
const BUSY_FOR: Duration = Duration::from_millis(100);

/// A frame that was sent and is not acknowledged.
#[derive(Debug)]
struct Sent {
    number: u64,
    frame: Bytes,
    /// Bytes of its lane up to its end.
    end: u64,
    at: Instant,
    /// What all lanes had delivered then.
    delivered: u64,
}

/// What is under way on one lane.
#[derive(Debug, Default)]
struct Flight {
    sent: u64,
    delivered: u64,
    frames: VecDeque<Sent>,
    closed: bool,
    hangs: bool,
}

impl Flight {
    fn under_way(&self) -> u64 {
        self.sent - self.delivered
    }

    fn is_usable(&self) -> bool {
        !self.closed && !self.hangs
    }

    /// Whether its oldest frame is too old, where the quickest one takes `latency`.
    fn is_late(&self, now: Instant, latency: Duration) -> bool {
        let times = if self.delivered < LEAST_BYTES { NEW_ONE_HANGS_AFTER } else { HANGS_AFTER };
        let patience = times * latency + BUSY_FOR;
        self.frames.front().is_some_and(|it| now.saturating_duration_since(it.at) > patience)
    }
}

/// What is under way on all lanes of a link.
#[derive(Debug)]
pub(super) struct Spread {
    careful: bool,
    /// The first lane gets bulk only while there is no other.
    spares_first: bool,
    lanes: Vec<Flight>,
    next: u64,
    /// Frames of lanes that hang, by their numbers.
    again: BTreeMap<u64, Bytes>,
    delivered: u64,
    /// Bytes a second.
    rate: Best<u64>,
    latency: Best<Duration>,
    /// Until then less is sent, so that the line's queue runs empty and the shortest latency shows.
    draining: Option<Instant>,
}

impl Spread {
    /// For an engine that is to be handled with care, or not.
    pub(super) fn new(careful: bool) -> Self {
        Self {
            careful,
            spares_first: careful,
            lanes: Vec::new(),
            next: 0,
            again: BTreeMap::new(),
            delivered: 0,
            rate: Best::new(RATE_FOR, u64::max),
            latency: Best::new(LATENCY_FOR, Duration::min),
            draining: None,
        }
    }

    /// Leaves the first lane to control frames when there is another, whatever the engine: it goes through a relay.
    pub(super) fn sparing_first(self) -> Self {
        Self { spares_first: true, ..self }
    }

    /// So many bytes of lane `index` are not acknowledged; `None` for one that is closed.
    pub(super) fn settle(&mut self, now: Instant, index: usize, outstanding: Option<usize>) {
        while self.lanes.len() <= index {
            self.lanes.push(Flight::default());
        }
        let Some(lane) = self.lanes.get_mut(index) else { return };
        let Some(outstanding) = outstanding else {
            lane.closed = true;
            return;
        };
        let delivered = lane.sent.saturating_sub(outstanding as u64).max(lane.delivered);
        self.delivered += delivered - lane.delivered;
        lane.delivered = delivered;
        lane.hangs &= lane.under_way() > 0;
        while let Some(frame) = lane.frames.front().filter(|it| it.end <= delivered) {
            let took = now.saturating_duration_since(frame.at).max(LOOK_EVERY);
            if self.latency.take(now, took) {
                self.draining = self.latency.get().map(|latency| now + 3 * latency);
            }
            // It may have been acknowledged right after the last look.
            let least = self.latency.get().unwrap_or(took);
            let took = took.saturating_sub(LOOK_EVERY).max(least.min(took));
            let rate = u128::from(self.delivered - frame.delivered) * 1_000_000 / took.as_micros();
            self.rate.take(now, u64::try_from(rate).unwrap_or(u64::MAX));
            lane.frames.pop_front();
        }
    }

    /// Finds lanes that hang, if there is one that does not. What they did not deliver goes out again.
    pub(super) fn rescue(&mut self, now: Instant) {
        let Some(latency) = self.latency.get().filter(|_| self.careful) else { return };
        let hangs = |lane: &Flight| lane.is_usable() && lane.is_late(now, latency);
        if !self.lanes.iter().skip(1).any(|lane| lane.is_usable() && !lane.is_late(now, latency)) {
            return;
        }
        for lane in self.lanes.iter_mut().filter(|it| hangs(it)) {
            log::debug!("a lane hangs with {} bytes", lane.under_way());
            lane.hangs = true;
            self.again.extend(lane.frames.drain(..).map(|it| (it.number, it.frame)));
        }
    }

    /// The lane that another frame may go to now.
    pub(super) fn choose(&self, now: Instant) -> Option<usize> {
        if self.careful && self.under_way() + BLOCK_BYTES > self.budget(now) {
            return None;
        }
        let usable = |index: &usize| self.lanes.get(*index).is_some_and(Flight::is_usable);
        let others = 1..self.lanes.len();
        let first = !self.spares_first || !others.clone().any(|index| usable(&index));
        let emptiest = first.then_some(0).into_iter().chain(others).filter(usable);
        let emptiest = emptiest.min_by_key(|index| self.lanes.get(*index).map(Flight::under_way))?;
        let most = if self.careful { CAREFUL_LANE_BYTES } else { LANE_BYTES };
        (self.lanes.get(emptiest)?.under_way() < most).then_some(emptiest)
    }

    /// A frame that goes out again before others do, and its number.
    pub(super) fn take_again(&mut self) -> Option<(u64, Bytes)> {
        self.again.pop_first()
    }

    /// The number of a frame that goes out for the first time.
    pub(super) fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    /// A frame went to lane `index`.
    pub(super) fn sent(&mut self, now: Instant, index: usize, number: u64, frame: Bytes) {
        let delivered = self.delivered;
        if let Some(lane) = self.lanes.get_mut(index) {
            lane.sent += (NUMBER_BYTES + frame.len()) as u64;
            lane.frames.push_back(Sent { number, frame, end: lane.sent, at: now, delivered });
        }
    }

    /// Whether a frame takes as long as over distance.
    pub(super) fn is_far(&self) -> bool {
        self.latency.get().is_some_and(|latency| latency > NEAR)
    }

    /// Whether nothing is under way, so that nothing can hang.
    pub(super) fn is_idle(&self) -> bool {
        self.again.is_empty() && self.under_way() == 0
    }

    /// Bytes under way; what hangs brings so little that it does not count.
    fn under_way(&self) -> u64 {
        self.lanes.iter().filter(|it| it.is_usable()).map(Flight::under_way).sum()
    }

    /// What may be under way.
    fn budget(&self, now: Instant) -> u64 {
        let (Some(rate), Some(latency)) = (self.rate.get(), self.latency.get()) else { return LEAST_BYTES };
        let line = u128::from(rate) * latency.as_micros() / 1_000_000;
        let line = u64::try_from(line).unwrap_or(u64::MAX / 4);
        let draining = self.draining.is_some_and(|until| now < until);
        if draining { line / 4 * 3 } else { line + (line / 8).max(STEP_BYTES) }.max(LEAST_BYTES)
    }
}
