//! Closing streams: each side resets its outgoing one (RFC 6525, RFC 8831 §6.7).
//!
//! One request of ours is on the way at a time, and one of the peer's may wait until all data before it has come.

use std::time::{Duration, Instant};

use crate::association::streams::{Direction, Entry};
use crate::association::timer::{GaveUp, Timer};
use crate::association::{Association, AssociationError, Event, State};
use crate::stream::StreamId;
use crate::wire::tsn::is_at_or_after;
use crate::wire::{Chunk, Reconfig};

/// Results of a request (RFC 6525 §4.4).
const PERFORMED: u32 = 1;
const DENIED: u32 = 2;
const BAD_SEQUENCE_NUMBER: u32 = 5;
const IN_PROGRESS: u32 = 6;

/// The state of both directions.
#[derive(Debug)]
pub(super) struct Resets {
    supported: bool,
    next_request: u32,
    ours: Option<Request>,
    timer: Timer,
    expected_request: u32,
    theirs: Option<Request>,
    /// What the last request got, for when its answer was lost.
    answered: Option<u32>,
    again: bool,
}

/// "The streams are done with once all up to `last_tsn` is here."
#[derive(Debug, Clone)]
struct Request {
    number: u32,
    last_tsn: u32,
    streams: Vec<StreamId>,
}

impl Resets {
    /// Request numbers begin where TSNs do (RFC 6525 §4.1).
    pub(super) fn new(initial_tsn: u32) -> Self {
        Self {
            supported: false,
            next_request: initial_tsn,
            ours: None,
            timer: Timer::default(),
            expected_request: 0,
            theirs: None,
            answered: None,
            again: false,
        }
    }

    pub(super) fn establish(&mut self, peer_initial_tsn: u32, supported: bool) {
        self.expected_request = peer_initial_tsn;
        self.supported = supported;
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn expected_request(&self) -> u32 {
        self.expected_request
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn next_request(&self) -> u32 {
        self.next_request
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timer.deadline()
    }

    /// Sends the request again when its answer is late.
    pub(super) fn handle_timeout(&mut self, now: Instant, rto: Duration) -> Result<(), GaveUp> {
        self.again |= self.timer.fire(now, rto)?;
        Ok(())
    }

    fn request_chunk(&self) -> Option<Chunk> {
        let Request { number, last_tsn, streams } = self.ours.clone()?;
        let response = self.expected_request.wrapping_sub(1);
        Some(Chunk::Reconfig(vec![Reconfig::Outgoing { request: number, response, last_tsn, streams }]))
    }
}

impl Association {
    /// Closes a stream, from the layer above.
    pub(crate) fn close_stream(&mut self, now: Instant, id: StreamId) -> shared::error::Result<()> {
        self.streams.get(id).ok_or(shared::error::Error::ErrStreamClosed)?;
        self.streams.close_outgoing(id);
        self.advance_resets(now);
        Ok(())
    }

    /// Does what has become possible: the peer's reset once its data is here, ours once our data was cut.
    pub(super) fn advance_resets(&mut self, now: Instant) {
        if self.state != State::Established {
            return;
        }
        let cumulative = self.inbound.cumulative_tsn();
        if let Some(theirs) = self.resets.theirs.take_if(|it| is_at_or_after(cumulative, it.last_tsn)) {
            self.perform(&theirs.streams);
            self.answer(theirs.number, PERFORMED);
        }
        if self.resets.ours.is_none() {
            self.request_resets(now);
        }
        if std::mem::take(&mut self.resets.again)
            && let Some(chunk) = self.resets.request_chunk()
        {
            self.control.push(chunk);
        }
    }

    fn request_resets(&mut self, now: Instant) {
        // All in one request that fits a packet; the others come after it.
        let done = self.streams.closing().filter(|id| !self.outbound.has_queued(*id));
        let streams: Vec<StreamId> = done.take(MAX_STREAMS_A_REQUEST).collect();
        if streams.is_empty() {
            return;
        }
        if !self.resets.supported {
            return self.outgoing_closed(&streams);
        }
        let request =
            Request { number: self.resets.next_request, last_tsn: self.outbound.last_tsn(), streams };
        self.resets.next_request = self.resets.next_request.wrapping_add(1);
        self.resets.ours = Some(request);
        self.resets.timer.start(now, self.outbound.rto());
        self.resets.again = true;
    }

    /// A RE-CONFIG chunk came.
    pub(super) fn handle_reconfig(&mut self, now: Instant, parameters: Vec<Reconfig>) {
        for parameter in parameters {
            match parameter {
                Reconfig::Outgoing { request, last_tsn, streams, .. } => {
                    let request = Request { number: request, last_tsn, streams };
                    if self.is_next_request(request.number) {
                        self.resets.expected_request = request.number.wrapping_add(1);
                        self.resets.answered = None;
                        self.resets.theirs = Some(request);
                    }
                }
                // Data channels reset only what is their own (RFC 8831 §6.7).
                Reconfig::Incoming { request, .. } | Reconfig::Unsupported { request } => {
                    if self.is_next_request(request) {
                        self.resets.expected_request = request.wrapping_add(1);
                        self.answer(request, DENIED);
                    }
                }
                Reconfig::Response { response, result } => self.handle_response(now, response, result),
            }
        }
    }

    /// Whether the peer's request is new. An old one gets its answer again, and one out of turn is refused.
    fn is_next_request(&mut self, request: u32) -> bool {
        let expected = self.resets.expected_request;
        if request == expected && self.resets.theirs.is_none() {
            return true;
        }
        let result = match () {
            () if request != expected.wrapping_sub(1) => BAD_SEQUENCE_NUMBER,
            () => self.resets.answered.unwrap_or(IN_PROGRESS),
        };
        self.control.push(Chunk::Reconfig(vec![Reconfig::Response { response: request, result }]));
        false
    }

    fn answer(&mut self, request: u32, result: u32) {
        self.resets.answered = Some(result);
        self.control.push(Chunk::Reconfig(vec![Reconfig::Response { response: request, result }]));
    }

    fn handle_response(&mut self, now: Instant, response: u32, result: u32) {
        let Some(request) = self.resets.ours.take_if(|it| it.number == response && result != IN_PROGRESS)
        else {
            if self.resets.ours.as_ref().is_some_and(|it| it.number == response) {
                // It will be asked again: the peer works on it, so the series of tries starts anew.
                self.resets.timer.start(now, self.outbound.rto());
            }
            return;
        };
        self.resets.timer.stop();
        if result > PERFORMED {
            log::debug!("the peer did not reset streams: result {result}");
        }
        self.outgoing_closed(&request.streams);
    }

    fn outgoing_closed(&mut self, streams: &[StreamId]) {
        for &id in streams {
            self.outbound.reset_stream(id);
            self.streams.end_outgoing(id);
            self.end_stream_if_closed(id);
        }
    }

    /// The peer is done with these streams of its own; no streams means all.
    fn perform(&mut self, streams: &[StreamId]) {
        let all = self.streams.ids();
        for &id in if streams.is_empty() { &all } else { streams } {
            self.inbound.reset_stream(id);
            if let Some(entry) = self.streams.get_mut(id) {
                entry.incoming = Direction::Closing;
                self.streams.close_outgoing(id);
                self.end_stream_if_reset(id);
            }
        }
    }

    /// The incoming direction is over once nothing on it waits to be read.
    pub(super) fn end_stream_if_reset(&mut self, id: StreamId) {
        let unread = self.inbound.has_unread(id);
        let Some(entry) = self.streams.get_mut(id) else { return };
        if entry.incoming != Direction::Closing || unread {
            return;
        }
        entry.incoming = Direction::Closed;
        self.end_stream_if_closed(id);
    }

    /// Tells of a stream's end when both directions are over: from then on its number can be used again.
    fn end_stream_if_closed(&mut self, id: StreamId) {
        let closed = |it: &Entry| (it.incoming, it.outgoing) == (Direction::Closed, Direction::Closed);
        if self.streams.get(id).is_some_and(closed) {
            self.streams.remove(id);
            self.events.push_back(Event::AssociationLost { reason: AssociationError::Reset, id });
        }
    }
}

/// Streams in one request: with 20 bytes of headers they fit the smallest packet that every path takes.
const MAX_STREAMS_A_REQUEST: usize = 500;
