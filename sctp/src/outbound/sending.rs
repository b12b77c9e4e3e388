//! What goes into the next packet: a probe, what was lost, new data, within both windows and the pace.

use std::time::Instant;

use bytes::Bytes;

use crate::outbound::flight::{Chunk, MOST_OUTSTANDING, State};
use crate::outbound::queue::Fragment;
use crate::outbound::{Outbound, Reliability};
use crate::wire::{COMMON_HEADER_BYTES, DATA_HEADER_BYTES, Data, tsn};

/// A window this small, in packets, may be filled without making the peer acknowledge: then we ask for it by the I bit.
///
/// Receivers acknowledge every second packet or less (RFC 9260 §6.2), ours up to some more.
const SMALL_WINDOW_PACKETS: usize = 4;

/// What keeps new data from going out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blocked {
    ByControl,
    ByPeer,
}

impl Outbound {
    pub(super) fn send(&mut self, now: Instant, room: usize) -> Option<Data> {
        if self.repair.probe_is_due() {
            return self.send_probe(now, room);
        }
        while let Some(tsn) = self.flight.first_lost() {
            let chunk = self.flight.get(tsn)?;
            let bytes = chunk.bytes();
            if is_exhausted(chunk, self.forward.supported, now) {
                self.give_up(tsn);
                self.forward.advance(now, &self.flight);
                continue;
            }
            if bytes > room || !(self.credit || self.fits_window(bytes)) || !self.is_paced(now) {
                return None;
            }
            self.credit = false;
            return self.send_again(now, tsn, false);
        }
        self.expire(now);
        let Some(wanted) = self.queue.next_length(self.payload_room(room)) else {
            self.note_idleness();
            return None;
        };
        match self.allowed(wanted) {
            Ok(length) if self.is_paced(now) => self.send_new(now, length, false),
            Ok(_) | Err(Blocked::ByControl) => None,
            Err(Blocked::ByPeer) => {
                self.sampler.on_app_limited(self.flight.flying_bytes());
                None
            }
        }
    }

    /// How long a new chunk's payload may be. A packet may offer more room than the path takes by itself, for a lost chunk.
    fn payload_room(&self, room: usize) -> usize {
        let packet = (self.packet_bytes & !3).saturating_sub(COMMON_HEADER_BYTES);
        room.min(packet).saturating_sub(DATA_HEADER_BYTES)
    }

    /// How much of a chunk of `wanted` payload bytes both windows allow.
    fn allowed(&self, wanted: usize) -> Result<usize, Blocked> {
        if self.flight.len() >= MOST_OUTSTANDING || !self.fits_window(wanted + DATA_HEADER_BYTES) {
            return Err(Blocked::ByControl);
        }
        let window = self.peer_window.saturating_sub(self.flight.flying_payload());
        if wanted <= window {
            Ok(wanted)
        } else if window > 0 && self.flight.flying_chunks() == 0 {
            // All that there will be until the peer's application has read: no reason to wait for a fuller packet.
            Ok(window)
        } else {
            Err(Blocked::ByPeer)
        }
    }

    fn fits_window(&self, bytes: usize) -> bool {
        let flying = self.flight.flying_bytes();
        flying == 0 || flying + bytes <= self.control.window()
    }

    fn is_paced(&mut self, now: Instant) -> bool {
        match self.pacer.ready(now, self.control.pacing_rate(), self.packet_bytes) {
            Ok(()) => true,
            Err(at) => {
                self.paced_until = Some(at);
                false
            }
        }
    }

    /// Nothing waits: if the window has room, what is measured from here on is the application's rate, not the path's.
    fn note_idleness(&mut self) {
        if self.queue.is_empty() && self.fits_window(self.packet_bytes) {
            self.sampler.on_app_limited(self.flight.flying_bytes());
        }
    }

    /// A probe goes past window and pace: new data where the peer has room, the last chunk again where not (RFC 8985 §7.3).
    fn send_probe(&mut self, now: Instant, room: usize) -> Option<Data> {
        let limit = self.payload_room(room);
        let persisting = self.flight.flying_chunks() == 0;
        let window = self.peer_window.saturating_sub(self.flight.flying_payload());
        let fresh = self.flight.len() < MOST_OUTSTANDING;
        if let Some(length) =
            self.queue.next_length(limit).filter(|length| fresh && (persisting || *length <= window))
        {
            self.repair.probe_sent(None);
            return self.send_new(now, length, true);
        }
        let Some(tsn) = self.flight.last_flying() else {
            self.repair.probe_sent(None);
            return None;
        };
        let chunk = self.flight.get(tsn)?;
        if is_exhausted(chunk, self.forward.supported, now) {
            self.repair.probe_sent(None); // What must not be sent again is left to the timeout.
            return None;
        }
        if chunk.bytes() > room {
            return None;
        }
        self.repair.probe_sent(Some(tsn));
        self.send_again(now, tsn, true)
    }

    fn send_new(&mut self, now: Instant, length: usize, probe: bool) -> Option<Data> {
        let fragment = self.queue.cut(length)?;
        let flying = self.flight.flying_bytes();
        let bytes = fragment.payload.len() + DATA_HEADER_BYTES;
        let payload = fragment.payload.clone();
        if !fragment.ending {
            // See `StreamEvent::BufferedAmountReleased`.
            self.queue.release(fragment.slot, payload.len());
        }
        let stamp = self.sampler.on_sent(now, bytes, flying);
        let data = data(&fragment, payload);
        let chunk = Chunk::new(fragment, self.loss.next_order(), stamp);
        let tsn = self.flight.push(chunk);
        Some(self.sent(now, tsn, bytes, flying, probe, data))
    }

    fn send_again(&mut self, now: Instant, tsn: u64, probe: bool) -> Option<Data> {
        let flying = self.flight.flying_bytes();
        let order = self.loss.next_order();
        let chunk = self.flight.get_mut(tsn)?;
        let bytes = chunk.bytes();
        chunk.transmissions = chunk.transmissions.saturating_add(1);
        chunk.order = order;
        chunk.stamp = Some(self.sampler.on_sent(now, bytes, flying));
        let data = data(&chunk.fragment, chunk.fragment.payload.clone());
        self.flight.turn(tsn, State::Flying);
        Some(self.sent(now, tsn, bytes, flying, probe, data))
    }

    fn sent(&mut self, now: Instant, tsn: u64, bytes: usize, flying: usize, probe: bool, data: Data) -> Data {
        self.loss.on_sent(tsn);
        self.control.on_sent(now, bytes, flying);
        self.pacer.on_sent(bytes);
        let immediate = probe || self.is_last();
        self.repair.on_sent(now, flying == 0, immediate);
        Data { tsn: tsn::wrap(tsn), immediate, ..data }
    }

    /// Whether nothing more will go out until a SACK comes, so that it should come at once (RFC 7053 §4.1).
    fn is_last(&self) -> bool {
        if self.queue.is_empty() && !self.flight.has_lost() {
            return true;
        }
        let small = self.flight.flying_bytes() <= SMALL_WINDOW_PACKETS * self.packet_bytes;
        let peer_is_full = self.peer_window < self.flight.flying_payload() + self.packet_bytes;
        small && (peer_is_full || !self.fits_window(self.packet_bytes))
    }
}

fn data(fragment: &Fragment, payload: Bytes) -> Data {
    Data {
        tsn: 0,
        stream: fragment.stream,
        ssn: fragment.ssn,
        ppid: fragment.ppid,
        unordered: fragment.unordered,
        beginning: fragment.beginning,
        ending: fragment.ending,
        immediate: false,
        payload,
    }
}

/// Whether a chunk must not be sent once more: its lifetime is over, or its retransmissions are used up.
pub(super) fn is_exhausted(chunk: &Chunk, forward_tsn: bool, now: Instant) -> bool {
    forward_tsn
        && match chunk.fragment.reliability {
            Reliability::Reliable => false,
            Reliability::Retransmits(most) => chunk.transmissions > most,
            Reliability::Until(end) => end <= now,
        }
}
