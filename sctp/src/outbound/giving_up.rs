//! Partial reliability (RFC 3758): messages that are given up whole, and telling the peer to move on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::outbound::Outbound;
use crate::outbound::flight::{Chunk, Flight, State};
use crate::outbound::queue::Expired;
use crate::wire::{COMMON_HEADER_BYTES, ForwardTsn, tsn};

/// How far the peer should have moved on: the Advanced.Peer.Ack.Point of RFC 3758 §3.5.
#[derive(Debug, Default)]
pub(super) struct Forward {
    /// Whether the peer knows FORWARD TSN. If not, everything is reliable.
    pub(super) supported: bool,
    /// The last abandoned chunk before which everything is abandoned or arrived; 0 for none, which no TSN is
    /// (`tsn::start`).
    point: u64,
    /// The first chunk that was not looked at for that.
    examined: u64,
    /// Since when it is time to tell the peer.
    due: Option<Instant>,
    sent_at: Option<Instant>,
}

impl Forward {
    /// Whether the peer is to pass over a chunk.
    pub(super) fn covers(&self, tsn: u64) -> bool {
        tsn <= self.point
    }

    /// Whether the peer, which waits for `base`, has not moved on yet.
    pub(super) fn is_outstanding(&self, base: u64) -> bool {
        self.covers(base)
    }

    /// Moves the point over what is abandoned or arrived (RFC 3758 §3.5 C2). Nothing is looked at twice.
    pub(super) fn advance(&mut self, now: Instant, flight: &Flight) {
        if !flight.has_abandoned() {
            return;
        }
        self.examined = self.examined.max(flight.base());
        while let Some(chunk) = flight.get(self.examined) {
            match chunk.state {
                State::Abandoned => {
                    self.point = self.examined;
                    self.due = Some(now);
                }
                State::Acked => {}
                State::Flying | State::Lost => return,
            }
            self.examined += 1;
        }
    }

    /// The first chunk is missing again.
    pub(super) fn look_again(&mut self) {
        self.examined = 0;
    }

    /// A SACK came: if the peer is still behind, it is told again, though not more than once a round trip (RFC 3758 §3.5 C3).
    pub(super) fn on_sack(&mut self, now: Instant, base: u64, moved: bool, smoothed: Option<Duration>) {
        if !self.is_outstanding(base) {
            self.due = None;
            return;
        }
        let told = match (self.sent_at, smoothed) {
            (Some(sent_at), Some(smoothed)) => now < sent_at + smoothed,
            _ => false,
        };
        if moved || !told {
            self.due = Some(now);
        }
    }

    /// The timeout fired.
    pub(super) fn repeat(&mut self, now: Instant, base: u64) {
        if self.is_outstanding(base) {
            self.due = Some(now);
        }
    }

    /// Since when there is something to tell.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The chunk, if it is time for one; as far as its list fits in a packet.
    pub(super) fn next(&mut self, now: Instant, flight: &Flight, packet_bytes: usize) -> Option<ForwardTsn> {
        if self.due.take().is_none() || !self.is_outstanding(flight.base()) {
            return None;
        }
        self.sent_at = Some(now);
        let room = packet_bytes.saturating_sub(COMMON_HEADER_BYTES + ForwardTsn::HEADER_BYTES);
        let most = (room / ForwardTsn::STREAM_BYTES).max(1);
        let mut streams = BTreeMap::new();
        let mut cumulative = flight.base() - 1;
        for tsn in flight.base()..=self.point {
            let chunk = flight.get(tsn).filter(|chunk| chunk.state == State::Abandoned);
            if let Some(Chunk { fragment, .. }) = chunk.filter(|chunk| !chunk.fragment.unordered) {
                if streams.len() == most && !streams.contains_key(&fragment.stream) {
                    break;
                }
                streams.insert(fragment.stream, fragment.ssn);
            }
            cumulative = tsn;
        }
        Some(ForwardTsn { cumulative_tsn: tsn::wrap(cumulative), streams: streams.into_iter().collect() })
    }
}

impl Outbound {
    /// Gives up the whole message that a chunk is part of (RFC 3758 §3.5 A3).
    pub(super) fn give_up(&mut self, tsn: u64) {
        let mut first = tsn;
        while first > self.flight.base()
            && self.flight.get(first).is_some_and(|chunk| !chunk.fragment.beginning)
        {
            first -= 1;
        }
        let mut at = first;
        while let Some(chunk) = self.flight.get(at) {
            let ending = chunk.fragment.ending;
            if matches!(chunk.state, State::Flying | State::Lost)
                && let Some((slot, bytes)) = self.flight.abandon(at)
            {
                self.queue.release(slot, bytes);
            }
            if ending {
                return;
            }
            at += 1;
        }
        self.give_up_rest();
    }

    /// Gives up what is not cut yet of the message being cut. If some of it was sent, another TSN stands for the rest: the
    /// peer may have all that was sent, and would wait for more without end.
    fn give_up_rest(&mut self) {
        if let Some(fragment) = self.queue.give_up_rest() {
            self.flight.push(Chunk::stand_in(fragment));
        }
    }

    /// Drops messages whose lifetime ended before they were sent whole.
    pub(super) fn expire(&mut self, now: Instant) {
        if !self.forward.supported || self.queue.lifetime().is_none_or(|end| now < end) {
            return;
        }
        while let Some(expired) = self.queue.expire(now) {
            if expired == Expired::Waiting {
                continue;
            }
            // What was cut last is part of the message that is being cut, if any of that was sent.
            let last = self.flight.get(self.flight.next() - 1).filter(|chunk| !chunk.fragment.ending);
            match last {
                Some(_) => self.give_up(self.flight.next() - 1),
                None => self.give_up_rest(),
            }
        }
        self.forward.advance(now, &self.flight);
    }
}
