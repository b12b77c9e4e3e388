//! What a session wants done, in order, until somebody polls it.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::session::{Event, Failure, Output, Summary, Wish};
use crate::wire::Channel;
use crate::wire::peer::{self, Offer, PeerMessage};

/// A queue of [`Output`]s.
#[derive(Debug)]
pub struct Outbox<J>(VecDeque<Output<J>>);

impl<J> Default for Outbox<J> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<J> Outbox<J> {
    /// A control message for the peer.
    pub fn send(&mut self, message: &PeerMessage) {
        let frame = Bytes::from(peer::encode(message));
        self.0.push_back(Output::Send(Channel::Control, frame));
    }

    /// A block for the peer.
    pub fn send_block(&mut self, frame: BytesMut) {
        self.0.push_back(Output::Send(Channel::Bulk, frame.freeze()));
    }

    /// Work for the file system.
    pub fn disk(&mut self, job: J) {
        self.0.push_back(Output::Disk(job));
    }

    /// A question for the person.
    pub fn ask(&mut self, offer: Offer) {
        self.0.push_back(Output::Ask(offer));
    }

    /// How fast blocks may leave.
    pub fn pace(&mut self, wish: Wish) {
        self.0.push_back(Output::Pace(wish));
    }

    /// News for whoever watches.
    pub fn emit(&mut self, event: Event) {
        self.0.push_back(Output::Emit(event));
    }

    /// The time at which to call again.
    pub fn wake_at(&mut self, time: Instant) {
        self.0.push_back(Output::WakeAt(time));
    }

    /// The end. Of a failure, the peer hears what concerns it.
    pub fn end(&mut self, result: Result<Summary, Failure>) {
        if let Err(failure) = &result
            && let Some(reason) = failure.told_to_peer()
        {
            self.send(&PeerMessage::Abort(reason));
        }
        self.0.push_back(Output::Done(result));
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<Output<J>> {
        self.0.pop_front()
    }
}
