//! The way out: SHUTDOWN in three steps (RFC 9260 §9.2), ABORT in one (§9.1).

use std::time::Instant;

use bytes::Bytes;
use shared::error::{Error, Result};

use crate::Violation;
use crate::association::{Association, AssociationError, Event, State};
use crate::endpoint::EndpointEvent;
use crate::wire::{Cause, Chunk};

impl Association {
    /// Ends the association once all that was written has arrived.
    ///
    /// # Errors
    /// [`Error::ErrShutdownNonEstablished`].
    pub fn shutdown(&mut self) -> Result<()> {
        if self.state != State::Established {
            return Err(Error::ErrShutdownNonEstablished);
        }
        self.state = State::ShutdownPending;
        Ok(())
    }

    /// Ends the association at once; the peer is told by the next packet, and what was not sent is dropped.
    ///
    /// # Errors
    /// None today.
    pub fn abort(&mut self) -> Result<()> {
        if self.state != State::Closed {
            self.push_abort(Cause::USER_INITIATED_ABORT, Bytes::new());
        }
        self.close(AssociationError::LocallyClosed)
    }

    /// Ends the association without a word, where there is nobody left to hear it.
    ///
    /// # Errors
    /// None today.
    pub fn close(&mut self, reason: AssociationError) -> Result<()> {
        self.fail(reason);
        Ok(())
    }

    /// All streams are over; only what `control` holds still goes out.
    pub(super) fn fail(&mut self, reason: AssociationError) {
        if self.state == State::Closed {
            return;
        }
        self.state = State::Closed;
        for id in self.streams.ids() {
            self.events.push_back(Event::AssociationLost { reason: reason.clone(), id });
        }
        self.streams.clear();
    }

    pub(super) fn send_abort(&mut self, violation: Violation) {
        self.push_abort(Cause::PROTOCOL_VIOLATION, Bytes::from(violation.to_string()));
    }

    fn push_abort(&mut self, code: u16, information: Bytes) {
        let causes = vec![Cause { code, information }];
        self.control.push(Chunk::Abort { reflected: false, causes });
    }

    /// Takes the next step when what it waits for has happened.
    pub(super) fn advance_shutdown(&mut self, now: Instant) {
        let (state, chunk) = match self.state {
            State::ShutdownPending => (State::ShutdownSent, self.shutdown_chunk()),
            State::ShutdownReceived => (State::ShutdownAckSent, Chunk::ShutdownAck),
            _ => return,
        };
        if self.outbound.is_idle() {
            self.state = state;
            self.shutdown.start(now, self.outbound.rto());
            self.control.push(chunk);
        }
    }

    fn shutdown_chunk(&self) -> Chunk {
        Chunk::Shutdown { cumulative_tsn: self.inbound.cumulative_tsn() }
    }

    pub(super) fn handle_shutdown_timeout(&mut self, now: Instant) {
        let chunk = match self.state {
            State::ShutdownSent => self.shutdown_chunk(),
            State::ShutdownAckSent => Chunk::ShutdownAck,
            _ => return,
        };
        match self.shutdown.fire(now, self.outbound.rto()) {
            Ok(true) => self.control.push(chunk),
            Ok(false) => (),
            Err(_) => self.fail(AssociationError::TimedOut),
        }
    }

    pub(super) fn handle_shutdown(&mut self, now: Instant) {
        match self.state {
            State::Established | State::ShutdownPending => self.state = State::ShutdownReceived,
            // Both at once (RFC 9260 §9.2).
            State::ShutdownSent => {
                self.state = State::ShutdownAckSent;
                self.shutdown.start(now, self.outbound.rto());
                self.control.push(Chunk::ShutdownAck);
            }
            _ => (),
        }
    }

    pub(super) fn handle_shutdown_ack(&mut self) {
        if matches!(self.state, State::ShutdownSent | State::ShutdownAckSent) {
            self.control.push(Chunk::ShutdownComplete { reflected: false });
            self.end();
        }
    }

    pub(super) fn handle_shutdown_complete(&mut self) {
        if self.state == State::ShutdownAckSent {
            self.end();
        }
    }

    fn end(&mut self) {
        self.fail(AssociationError::ApplicationClosed);
        self.endpoint_events.push_back(EndpointEvent::drained());
    }
}
