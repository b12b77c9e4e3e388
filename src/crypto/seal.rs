//! Sealed boxes: what the peers say through the server, which it can neither read nor change, drop,
//! repeat or reorder unseen.
//!
//! AES-256-GCM (NIST SP 800-38D), one key for each direction:
//! ```text
//! nonce = 00 00 00 00 || seq as u64, big endian
//! aad   = lv("p2pcp/1 sealed", "R>S" or "S>R", seq as u64, big endian)
//! box   = ciphertext || 16-byte tag
//! ```
//! Invariants: a [`Sealer`] never uses a number twice. An [`Opener`] takes 0, 1, 2, … exactly, and
//! after its first failure it opens nothing any more, so one bad box ends the attempt.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};

use crate::crypto::keys::{SealRToS, SealSToR};
use crate::crypto::{Key, Purpose, lv};

/// What a box is longer than its plaintext, in bytes.
pub const OVERHEAD_BYTES: usize = 16;

/// A purpose that names a direction of sealed traffic.
pub trait Direction: Purpose {
    /// `"R>S"` or `"S>R"`, as it goes into the associated data.
    const ARROW: &'static str;
}

impl Direction for SealRToS {
    const ARROW: &'static str = "R>S";
}

impl Direction for SealSToR {
    const ARROW: &'static str = "S>R";
}

/// A box and its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// 0 for the first box of its direction, then counting up.
    pub seq: u64,
    /// Ciphertext and tag.
    pub body: Vec<u8>,
}

/// Seals what one side says.
pub struct Sealer(Lock);

impl Sealer {
    /// Takes a direction's key; box 0 is next.
    pub fn new<D: Direction>(key: &Key<D>) -> Self {
        Self(Lock::new(key))
    }

    /// Seals the next message.
    pub fn seal(&mut self, plaintext: &[u8]) -> Sealed {
        let seq = self.0.next;
        let body = self
            .0
            .cipher
            .encrypt(&nonce(seq), Payload { msg: plaintext, aad: &self.0.associated_data(seq) })
            .expect("AES-GCM takes messages of up to 64 GiB");
        self.0.next = seq.checked_add(1).expect("no link lives for 2^64 messages");
        Sealed { seq, body }
    }
}

/// Opens what the other side said.
pub struct Opener {
    lock: Lock,
    poisoned: bool,
}

impl Opener {
    /// Takes a direction's key; box 0 is next.
    pub fn new<D: Direction>(key: &Key<D>) -> Self {
        Self { lock: Lock::new(key), poisoned: false }
    }

    /// Opens the next box.
    ///
    /// # Errors
    /// Any error poisons the opener: all later calls fail too.
    pub fn open(&mut self, seq: u64, body: &[u8]) -> Result<Vec<u8>, OpenError> {
        if self.poisoned {
            return Err(OpenError::Poisoned);
        }
        let opened = self.open_next(seq, body);
        self.poisoned = opened.is_err();
        opened
    }

    fn open_next(&mut self, seq: u64, body: &[u8]) -> Result<Vec<u8>, OpenError> {
        let expected = self.lock.next;
        if seq != expected {
            return Err(OpenError::OutOfOrder { got: seq, expected });
        }
        let payload = Payload { msg: body, aad: &self.lock.associated_data(seq) };
        let opened = self.lock.cipher.decrypt(&nonce(seq), payload).map_err(|_| OpenError::Forged)?;
        self.lock.next = seq.checked_add(1).ok_or(OpenError::Forged)?;
        Ok(opened)
    }
}

/// What sealing and opening share: the key, its direction, and the number that comes next.
struct Lock {
    cipher: Aes256Gcm,
    arrow: &'static str,
    next: u64,
}

impl Lock {
    fn new<D: Direction>(key: &Key<D>) -> Self {
        Self { cipher: Aes256Gcm::new(key.expose().into()), arrow: D::ARROW, next: 0 }
    }

    fn associated_data(&self, seq: u64) -> Vec<u8> {
        lv(&[b"p2pcp/1 sealed", self.arrow.as_bytes(), &seq.to_be_bytes()])
    }
}

fn nonce(seq: u64) -> Nonce<aes_gcm::aead::consts::U12> {
    let [a, b, c, d, e, f, g, h] = seq.to_be_bytes();
    Nonce::from([0, 0, 0, 0, a, b, c, d, e, f, g, h])
}

/// Why a box does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// A box was lost, repeated or moved.
    #[error("sealed message {got} came where {expected} was due")]
    OutOfOrder {
        /// Its number.
        got: u64,
        /// The number that was due.
        expected: u64,
    },
    /// Not sealed by the peer, not in this direction, or changed on the way.
    #[error("a sealed message that was not sealed by the peer")]
    Forged,
    /// An earlier box failed.
    #[error("a sealed message after one that failed")]
    Poisoned,
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use serde_json::Value;

    use crate::crypto::Key;
    use crate::crypto::keys::{SealRToS, SealSToR};
    use crate::crypto::seal::{OVERHEAD_BYTES, OpenError, Opener, Sealer};

    fn pair() -> (Sealer, Opener) {
        let key = Key::<SealRToS>::new([7; 32]);
        (Sealer::new(&key), Opener::new(&key))
    }

    #[test]
    fn the_shared_figures_are_reproduced() {
        let figures: Value = serde_json::from_str(include_str!("../../fixtures/vectors/seal.json")).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let bytes = |value: &Value| HEXLOWER.decode(text(value).as_bytes()).unwrap();
        let key = bytes(&figures["key"]).try_into().unwrap();
        for (direction, sealer, opener) in [
            ("R>S", Sealer::new(&Key::<SealRToS>::new(key)), Opener::new(&Key::<SealRToS>::new(key))),
            ("S>R", Sealer::new(&Key::<SealSToR>::new(key)), Opener::new(&Key::<SealSToR>::new(key))),
        ] {
            let (mut sealer, mut opener) = (sealer, opener);
            let boxes = figures["boxes"][direction].as_array().unwrap();
            assert_eq!(boxes.len(), 3);
            for figure in boxes {
                let plaintext = text(&figure["plaintext"]).into_bytes();
                let sealed = sealer.seal(&plaintext);
                assert_eq!(Some(sealed.seq), figure["seq"].as_u64());
                assert_eq!(sealed.body, bytes(&figure["box"]), "{direction} {}", sealed.seq);
                assert_eq!(opener.open(sealed.seq, &sealed.body), Ok(plaintext));
            }
        }
    }

    #[test]
    fn boxes_open_once_and_in_order() {
        let (mut sealer, mut opener) = pair();
        let (first, second) = (sealer.seal(b"a"), sealer.seal(b""));
        assert_eq!(first.body.len(), 1 + OVERHEAD_BYTES);
        assert_eq!(opener.open(first.seq, &first.body), Ok(b"a".to_vec()));
        assert_eq!(opener.open(second.seq, &second.body), Ok(vec![]));
        let again = opener.open(second.seq, &second.body);
        assert_eq!(again, Err(OpenError::OutOfOrder { got: 1, expected: 2 }));
    }

    #[test]
    fn one_failure_poisons_the_opener() {
        let (mut sealer, mut opener) = pair();
        let good = sealer.seal(b"offer");
        assert_eq!(opener.open(1, &good.body), Err(OpenError::OutOfOrder { got: 1, expected: 0 }));
        assert_eq!(opener.open(0, &good.body), Err(OpenError::Poisoned));
    }

    #[test]
    fn a_box_with_another_number_or_direction_does_not_open() {
        let (mut sealer, mut opener) = pair();
        let (_, second) = (sealer.seal(b"x"), sealer.seal(b"x"));
        assert_eq!(opener.open(0, &second.body), Err(OpenError::Forged));

        let mut wrong_way = Opener::new(&Key::<SealSToR>::new([7; 32]));
        assert_eq!(wrong_way.open(0, &pair().0.seal(b"x").body), Err(OpenError::Forged));
    }

    #[test]
    fn a_changed_or_short_box_does_not_open() {
        let good = pair().0.seal(b"candidate").body;
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
            assert_eq!(pair().1.open(0, &bad), Err(OpenError::Forged), "byte {at} changed");
            let cut: Vec<u8> = good.iter().copied().take(at).collect();
            assert_eq!(pair().1.open(0, &cut), Err(OpenError::Forged), "cut at {at}");
        }
    }
}
