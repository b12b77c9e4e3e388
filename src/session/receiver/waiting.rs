//! For how long it waits for what, and links that come and go.

use std::time::Instant;

use crate::session::incoming::Incoming;
use crate::session::receiver::settling::CHECKPOINT_AFTER;
use crate::session::receiver::{LINGER, LINGER_ALONE, Receiver, State, Writing};
use crate::session::{CONSENT_WITHIN, Event, Loss};

impl Receiver {
    pub(super) fn disk_is_busy(&self) -> bool {
        self.state == State::Finishing || self.checkpointing || !self.committing.is_empty()
    }

    /// Whether a person or program at either end takes its time, as it may; a dead link shows in [`crate::session::lasting`].
    pub(super) fn waits_for_somebody(&self) -> bool {
        let waited_for = |it: &Incoming| it.planned() && (it.is_open() || self.writing == Writing::Proven);
        self.pacing.excuses_silence() || self.outstanding.values().any(waited_for)
    }

    pub(super) fn handle_link_down(&mut self, now: Instant, loss: Loss) {
        self.clock.pause();
        // Also if it is yet to say its last word.
        self.linger = LINGER_ALONE;
        if self.state == State::Lingering {
            self.clock.progress(now);
        }
        self.out.emit(Event::Disconnected(loss));
    }

    pub(super) fn handle_link_up(&mut self, now: Instant) {
        self.clock.resume(now);
        self.linger = LINGER;
        self.out.emit(Event::Reconnected);
    }

    pub(super) fn wake_at(&self, now: Instant) -> Instant {
        let silence = match self.state {
            State::Lingering => self.clock.last() + self.linger,
            State::Deciding => self.clock.last() + CONSENT_WITHIN,
            _ => self.clock.wake_at(now),
        };
        let silence = self.pacing.wake_at(silence);
        let silence = self.unasked.as_ref().map_or(silence, |(_, until)| silence.min(*until));
        match self.unjournaled_since {
            Some(since) if !self.checkpointing => silence.min(since + CHECKPOINT_AFTER),
            _ => silence,
        }
    }
}
