//! How long the other side has been silent.

use std::time::{Duration, Instant};

use crate::session::{GIVE_UP_AFTER, STALL_AFTER};

/// Watches progress; told the time, never reads it.
#[derive(Debug)]
pub struct Clock {
    last: Instant,
    stalled: bool,
    /// Without a link nobody owes anything; the end of that is somebody else's to decide.
    paused: bool,
}

/// What a look at the clock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Nothing to say.
    None,
    /// Silent for this long; said once per silence.
    Stalled(Duration),
    /// Silent for too long.
    GivenUp,
}

impl Clock {
    /// Starts counting.
    pub fn new(now: Instant) -> Self {
        Self { last: now, stalled: false, paused: false }
    }

    /// Something moved. Returns whether that ended a stall.
    pub fn progress(&mut self, now: Instant) -> bool {
        self.last = now;
        std::mem::take(&mut self.stalled)
    }

    /// The link is gone for now: silence means nothing until [`Clock::resume`].
    pub fn pause(&mut self) {
        self.paused = true;
        self.stalled = false;
    }

    /// The link is back, and counting starts anew.
    pub fn resume(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// When something last moved.
    pub fn last(&self) -> Instant {
        self.last
    }

    /// Time since then.
    pub fn silent_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last)
    }

    /// What there is to say at `now`.
    pub fn check(&mut self, now: Instant) -> Silence {
        let silent = self.silent_for(now);
        if self.paused {
            Silence::None
        } else if silent >= GIVE_UP_AFTER {
            Silence::GivenUp
        } else if silent >= STALL_AFTER && !self.stalled {
            self.stalled = true;
            Silence::Stalled(silent)
        } else {
            Silence::None
        }
    }

    /// When to look again.
    pub fn wake_at(&self, now: Instant) -> Instant {
        match (self.paused, self.stalled) {
            (true, _) => now + GIVE_UP_AFTER,
            (false, true) => self.last + GIVE_UP_AFTER,
            (false, false) => self.last + STALL_AFTER,
        }
    }
}
