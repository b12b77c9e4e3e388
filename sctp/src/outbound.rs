//! The sending half: from messages to DATA chunks, and what becomes of them.
//!
//! A message is cut when its bytes go out, not before: each packet is filled to the size that the path takes now.
//! Reading order: `queue` (what waits), `flight` (what is on the way), `sending`, `acknowledging`, `loss` and `repair`
//! (what is sent again, and when), `giving_up` (partial reliability).
//!
//! Invariants: bytes on the way exceed the control's window only by a probe or the first retransmission after a loss, and
//! the peer's only by a probe; a SACK costs what it brings of news, plus a search per gap block; no chunk is looked for.

mod acknowledging;
mod flight;
mod giving_up;
mod loss;
mod queue;
mod repair;
mod sending;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::Violation;
use crate::control::Control;
use crate::control::bbr::Bbr;
use crate::control::pacer::Pacer;
use crate::control::rate::Sampler;
use crate::control::rtt::Rtt;
use crate::message::StreamId;
use crate::outbound::flight::Flight;
use crate::outbound::giving_up::Forward;
use crate::outbound::loss::{Loss, RoundTrip};
use crate::outbound::queue::Queue;
use crate::outbound::repair::Repair;
use crate::wire::{Data, ForwardTsn, Sack, tsn};

/// How hard a message is tried (RFC 3758, RFC 7496).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reliability {
    Reliable,
    /// Given up after so many retransmissions of any of its chunks.
    Retransmits(u32),
    /// Given up when it is not acknowledged by then.
    Until(Instant),
}

/// A message to send.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) payload: Bytes,
    pub(crate) ppid: u32,
    pub(crate) unordered: bool,
    pub(crate) reliability: Reliability,
}

/// From here on, in bytes a second, wide packets pay: below, a processor has time for each, and two that share a line of 100 Mbit/s
/// with wide packets get 65 and 27 % of it, with narrow ones 48 and 43 %.
const FAST: u64 = 20_000_000;

/// Bytes of chunks, headers included.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) delivered: u64,
    pub(crate) lost: u64,
}

/// The path is dead: more than [`MAX_RETRANSMITS`] timeouts in a row (RFC 9260 §8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PathFailed;

/// Association.Max.Retrans (RFC 9260 §16).
pub(crate) const MAX_RETRANSMITS: u32 = 10;

/// The sending half of an association.
#[derive(Debug)]
pub(crate) struct Outbound {
    established: bool,
    packet_bytes: usize,
    /// The peer's window as its last SACK offered it, of which what is on the way is to be taken off (RFC 9260 §6.2.1).
    peer_window: usize,
    queue: Queue,
    flight: Flight,
    loss: Loss,
    repair: Repair,
    forward: Forward,
    control: Box<dyn Control>,
    pacer: Pacer,
    sampler: Sampler,
    rtt: Rtt,
    /// When the pace allows what it just refused.
    paced_until: Option<Instant>,
    /// The first retransmission after a loss does not wait for the window (RFC 9260 §7.2.4 step 3).
    credit: bool,
    /// Bytes found lost since the control was told.
    lost_bytes: usize,
    /// Room for lists that are made for each SACK.
    scratch: Vec<u64>,
    /// The longest chunk that arrived since the last call of [`Self::take_longest_arrived`], header included, in bytes.
    longest_arrived: usize,
    /// What arrived and what was found lost since the last call of [`Self::take_tally`].
    tally: Tally,
}

impl Outbound {
    /// Begins at our first TSN; packets of `packet_bytes` (SCTP header included) at first.
    pub(crate) fn new(initial_tsn: u32, packet_bytes: usize) -> Self {
        Self::with_control(initial_tsn, packet_bytes, Box::new(Bbr::new(packet_bytes)))
    }

    /// The same with a control of one's own.
    pub(crate) fn with_control(initial_tsn: u32, packet_bytes: usize, control: Box<dyn Control>) -> Self {
        let first = tsn::start(initial_tsn);
        Self {
            established: false,
            packet_bytes,
            peer_window: 0,
            queue: Queue::default(),
            flight: Flight::new(first),
            loss: Loss::new(),
            repair: Repair::default(),
            forward: Forward::default(),
            control,
            pacer: Pacer::new(),
            sampler: Sampler::new(),
            rtt: Rtt::new(),
            paced_until: None,
            credit: false,
            lost_bytes: 0,
            scratch: Vec::new(),
            longest_arrived: 0,
            tally: Tally::default(),
        }
    }

    /// The association stands: the peer's window, and whether it knows FORWARD TSN. Nothing is sent before.
    ///
    /// A peer that does not know it gets every message, however hard it was to be tried (RFC 3758 §3.3.1).
    pub(crate) fn establish(&mut self, now: Instant, peer_window: u32, forward_tsn: bool) {
        self.established = true;
        self.peer_window = usize::try_from(peer_window).unwrap_or(usize::MAX);
        self.forward.supported = forward_tsn;
        self.repair.begin(now);
    }

    /// The round trip that setting up took: without it the first flight has only RTO.Initial to go by, and nothing to spread
    /// over.
    pub(crate) fn observe_round_trip(&mut self, now: Instant, round_trip: Duration) {
        self.rtt.update(now, round_trip);
        self.control.on_set_up(now, round_trip);
    }

    /// Queues a message. An empty one cannot be carried (RFC 9260 §3.3.1) and is passed over.
    pub(crate) fn write(&mut self, stream: StreamId, message: Message) {
        self.queue.push(stream, message);
    }

    /// The next DATA chunk, if the window, the pace and `room` bytes (chunk header included, a multiple of 4) allow
    /// one now: what was lost first, then new data. Called until it returns nothing, for each packet anew.
    ///
    /// A lost chunk cannot be cut smaller: an empty packet has to offer at least [`Self::longest_outstanding`], padded.
    pub(crate) fn next_data(&mut self, now: Instant, room: usize) -> Option<Data> {
        self.paced_until = None;
        if self.established { self.send(now, room) } else { None }
    }

    /// Takes a SACK.
    pub(crate) fn handle_sack(&mut self, now: Instant, sack: &Sack) -> Result<(), Violation> {
        self.acknowledge(now, sack)
    }

    /// Bytes of a stream that arrived or were given up since the last call.
    pub(crate) fn poll_released(&mut self) -> Option<(StreamId, usize)> {
        self.queue.poll_released()
    }

    /// A FORWARD TSN to send, if the peer should move on (RFC 3758 §3.5).
    pub(crate) fn next_forward_tsn(&mut self, now: Instant) -> Option<ForwardTsn> {
        let forward = self.forward.next(now, &self.flight, self.packet_bytes)?;
        if self.flight.flying_chunks() == 0 {
            self.repair.begin(now); // It is what the timeout is for now (RFC 3758 §3.5 C5).
        }
        Some(forward)
    }

    /// When [`Self::handle_timeout`] wants to be called, or [`Self::next_data`] or [`Self::next_forward_tsn`] may have
    /// more: the pace, a tail probe, a retransmission timeout, a lifetime.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if !self.established {
            return None;
        }
        let lifetime = if self.forward.supported { self.queue.lifetime() } else { None };
        let alarm = self.alarm().map(|(at, _)| at);
        [self.paced_until, self.loss.deadline(), self.forward.due(), alarm, lifetime]
            .into_iter()
            .flatten()
            .min()
    }

    /// Time has come to `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), PathFailed> {
        if !self.established {
            return Ok(());
        }
        self.expire(now);
        if self.loss.deadline().is_some_and(|due| due <= now) {
            self.find_lost(now);
        }
        let result = self.ring(now);
        self.forward.advance(now, &self.flight);
        result
    }

    /// The path takes packets of this size from now on (SCTP header included). Chunks already cut keep their size.
    pub(crate) fn set_packet_size(&mut self, packet_bytes: usize) {
        self.packet_bytes = packet_bytes;
        self.control.set_packet_size(packet_bytes);
    }

    /// The longest outstanding chunk, header included, in bytes: what cannot be cut smaller any more.
    pub(crate) fn longest_outstanding(&self) -> usize {
        self.flight.longest()
    }

    /// The longest chunk that arrived since the last call, header included, in bytes: the path takes as much.
    pub(crate) fn take_longest_arrived(&mut self) -> usize {
        std::mem::take(&mut self.longest_arrived)
    }

    /// Whether so much goes out that the time for a packet counts.
    pub(crate) fn is_fast(&self) -> bool {
        self.control.pacing_rate().is_none_or(|rate| rate >= FAST)
    }

    /// What arrived and what was found lost since the last call.
    pub(crate) fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Bytes of a stream that were not released.
    #[cfg(test)]
    pub(crate) fn buffered(&self, stream: StreamId) -> usize {
        self.queue.buffered(stream)
    }

    /// Whether nothing is queued or outstanding.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.flight.is_empty()
    }

    /// Whether messages of a stream wait that are not cut whole yet: its reset has to wait for them.
    pub(crate) fn has_queued(&self, stream: StreamId) -> bool {
        self.queue.has_queued(stream)
    }

    /// The last TSN that was given out.
    pub(crate) fn last_tsn(&self) -> u32 {
        tsn::wrap(self.flight.next() - 1)
    }

    /// Our outgoing stream was reset: its sequence numbers begin at 0 again.
    pub(crate) fn reset_stream(&mut self, stream: StreamId) {
        self.queue.reset(stream);
    }

    /// Retransmission timeouts since something was acknowledged.
    pub(crate) fn timeouts(&self) -> u32 {
        self.repair.timeouts()
    }

    /// Smoothed round-trip time, once there is one.
    pub(crate) fn srtt(&self) -> Option<Duration> {
        self.rtt.smoothed()
    }

    /// The retransmission timeout as it is now (RFC 9260 §6.3.1): what other timers of the association go by.
    pub(crate) fn rto(&self) -> Duration {
        self.rtt.timeout(self.repair.backoff())
    }

    /// Counts everything anew and compares.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn check(&self) {
        self.flight.check();
        self.loss.check(&self.flight);
    }

    fn round_trip(&self) -> Option<RoundTrip> {
        Some(RoundTrip { smoothed: self.rtt.smoothed()?, minimum: self.rtt.minimum()? })
    }
}
