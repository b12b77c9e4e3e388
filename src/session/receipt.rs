//! The receiver's last word: a MAC over every settled entry in order, which both sides can make.

use sha2::{Digest, Sha256};

use crate::crypto::Key;
use crate::crypto::keys::Complete;
use crate::wire::peer::{self, Hash, PeerMessage, Settled};

/// Runs along with the settled entries; its MAC is in [`PeerMessage::Complete`].
pub struct Receipt {
    key: Key<Complete>,
    settled: Sha256,
}

impl Receipt {
    /// Nothing settled yet.
    pub fn new(key: Key<Complete>) -> Self {
        Self { key, settled: Sha256::new() }
    }

    /// Adds an entry, encoded as a [`PeerMessage::Settled`] of one.
    pub fn settle(&mut self, settled: &Settled) {
        self.settled.update(peer::encode(&PeerMessage::Settled(vec![*settled])));
    }

    /// The MAC.
    pub fn mac(&self) -> Hash {
        self.key.mac(&self.settled.clone().finalize())
    }

    /// Whether `mac` is the MAC, in constant time.
    pub fn verify(&self, mac: &Hash) -> bool {
        self.key.verify(&self.settled.clone().finalize(), mac).is_ok()
    }
}
