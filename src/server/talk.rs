//! What the two seats of a room, or of a reunion, may say to each other: so much, and one outcome.

use crate::server::rooms::RoomPolicy;
use crate::wire::PathKind;
use crate::wire::signaling::{CloseCode, Relay};

/// What was said so far, both directions together.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    messages: u32,
    bytes: usize,
    ended: bool,
}

impl Talk {
    /// Accounts for a message of `bytes` bytes; returns the outcome when this is the first `bye`.
    ///
    /// # Errors
    /// [`CloseCode::TooMuch`] past the allowance.
    pub(crate) fn say(
        &mut self,
        policy: &RoomPolicy,
        relay: &Relay,
        bytes: usize,
    ) -> Result<Option<PathKind>, CloseCode> {
        self.messages = self.messages.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.messages > policy.messages || self.bytes > policy.bytes {
            return Err(CloseCode::TooMuch);
        }
        let outcome = match relay {
            Relay::Bye { path } if !self.ended => Some(*path),
            Relay::Bye { .. } | Relay::Pake { .. } | Relay::Confirm { .. } | Relay::Sealed { .. } => None,
        };
        self.ended |= outcome.is_some();
        Ok(outcome)
    }
}
