//! A timer that is set again, twice as far each time, until what it waits for comes.

use std::time::{Duration, Instant};

/// How often a handshake's packet is sent again (RFC 9260 §16, Max.Init.Retransmits).
pub(crate) const MAX_TRIES: u32 = 8;

/// Longest wait between two tries. RFC 9260 §16 has 60 s; a person waits for these.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// A timer for one kind of packet.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Timer {
    deadline: Option<Instant>,
    tries: u32,
}

/// It was sent often enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GaveUp;

impl Timer {
    /// The first of a series.
    pub(crate) fn start(&mut self, now: Instant, wait: Duration) {
        *self = Self { deadline: Some(now + wait), tries: 0 };
    }

    pub(crate) fn stop(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether it is time to send again; the next wait is `wait` doubled as often as it was.
    pub(crate) fn fire(&mut self, now: Instant, wait: Duration) -> Result<bool, GaveUp> {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return Ok(false);
        }
        if self.tries >= MAX_TRIES {
            self.stop();
            return Err(GaveUp);
        }
        self.tries += 1;
        self.deadline = Some(now + wait.saturating_mul(1 << self.tries).min(MAX_WAIT));
        Ok(true)
    }
}
