//! What the peers tell each other through the server without its seeing it.

use crate::connect::ConnectError;
use crate::crypto::Role;
use crate::crypto::seal::{Opener, Sealer};
use crate::wire::signaling::{Base64, Relay, SealedMessage};

/// The sealed conversation: one key and one count each way.
pub(super) struct Sealed {
    role: Role,
    sealer: Sealer,
    opener: Opener,
}

impl Sealed {
    /// By both ends as `role` holds them.
    pub(super) fn new(role: Role, (sealer, opener): (Sealer, Opener)) -> Self {
        Self { role, sealer, opener }
    }

    pub(super) fn seal(&mut self, message: &SealedMessage) -> Relay {
        let text = serde_json::to_vec(message).expect("sealed messages have string keys and no maps");
        let sealed = self.sealer.seal(&text);
        Relay::Sealed { seq: sealed.seq, body: Base64(sealed.body) }
    }

    /// Opens a relayed message. A box that does not open ends the attempt: nobody honest made it.
    pub(super) fn open(&mut self, relay: &Relay) -> Result<SealedMessage, ConnectError> {
        let Relay::Sealed { seq, body } = relay else {
            return Err(ConnectError::Unexpected(match self.role {
                Role::Sender => "an unsealed message from the receiver",
                Role::Receiver => "an unsealed message from the sender",
            }));
        };
        let text = self.opener.open(*seq, &body.0).map_err(|_| ConnectError::Tampered)?;
        serde_json::from_slice(&text).map_err(|_| ConnectError::Unexpected("a sealed message that is none"))
    }
}
