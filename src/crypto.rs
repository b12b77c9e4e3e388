//! Everything that needs a key or a hash: the PAKE, the key schedule, sealing and digests.
//!
//! Invariants:
//! - Pure. Random bytes, peers' bytes and sequence numbers come in as arguments; there is no clock,
//!   no file and no random generator here, so every function can be checked against published figures.
//! - What is secret has no `Debug`, `Display` or `Serialize`, and is overwritten when dropped.
//! - A key is a [`Key<P>`] with its purpose in its type: a key for one job does not fit another.
//! - Authentication codes are compared in constant time, here and nowhere else.
//!
//! Deliberately missing: the round constants and buffers that the hash functions keep on the stack
//! are not overwritten; `sha2` offers no way to ask for it.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use std::marker::PhantomData;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub mod digest;
pub mod keys;
pub mod pake;
pub mod seal;

/// An HMAC-SHA-256 tag (RFC 2104). Not secret: it travels.
pub type Mac = [u8; 32];

/// Secret bytes of any length, overwritten when dropped.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one computation that needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// The two sides of a transfer, as the protocol names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// R, who types the code: initiator of the PAKE, and first to confirm.
    Receiver,
    /// S, who made the code.
    Sender,
}

impl Role {
    /// `"R"` or `"S"`, as it goes into what is hashed.
    pub fn label(self) -> &'static [u8] {
        match self {
            Self::Receiver => b"R",
            Self::Sender => b"S",
        }
    }

    /// The other side.
    pub fn other(self) -> Self {
        match self {
            Self::Receiver => Self::Sender,
            Self::Sender => Self::Receiver,
        }
    }
}

/// What a [`Key`] is for.
pub trait Purpose {
    /// Names the purpose in the key schedule: the `label` of `K(label)`.
    const LABEL: &'static str;
}

/// 32 secret bytes for one purpose, overwritten when dropped.
pub struct Key<P> {
    bytes: Zeroizing<[u8; 32]>,
    purpose: PhantomData<P>,
}

impl<P: Purpose> Key<P> {
    /// The key with these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self { bytes: Zeroizing::new(bytes), purpose: PhantomData }
    }

    /// The bytes, for a cipher that takes them over.
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// `HMAC-SHA-256(key, message)`; a message of several parts is joined by [`lv`].
    pub fn mac(&self, message: &[u8]) -> Mac {
        let mut hmac =
            Hmac::<Sha256>::new_from_slice(self.bytes.as_slice()).expect("HMAC takes keys of any length");
        hmac.update(message);
        hmac.finalize().into_bytes().into()
    }

    /// Compares a peer's tag over `message` in constant time.
    ///
    /// # Errors
    /// [`Forged`] when it is not the tag that [`Key::mac`] makes.
    pub fn verify(&self, message: &[u8], tag: &Mac) -> Result<(), Forged> {
        if self.mac(message).ct_eq(tag).into() { Ok(()) } else { Err(Forged) }
    }
}

/// A tag that nobody with the right key has made, or not over these facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an authentication code that does not match")]
pub struct Forged;

/// Joins parts so that no two lists of parts give the same bytes: `lv_cat` of
/// draft-irtf-cfrg-cpace-21.
///
/// Each part follows its length in bytes as unsigned LEB128: seven bits a byte, low bits first, the
/// top bit set on all but the last.
pub fn lv(parts: &[&[u8]]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(parts.iter().map(|part| part.len() + 2).sum());
    for part in parts {
        let mut rest = part.len();
        while rest >= 0x80 {
            joined.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        joined.push(rest as u8);
        joined.extend_from_slice(part);
    }
    joined
}

#[cfg(test)]
mod tests {
    use crate::crypto::keys::{BindR, BindS};
    use crate::crypto::{Forged, Key, Role, Secret, lv};

    #[test]
    fn lengths_are_leb128() {
        assert_eq!(lv(&[]), b"");
        assert_eq!(lv(&[b""]), [0]);
        assert_eq!(lv(&[b"1234", b"5", b"", b"678"]), b"\x041234\x015\x00\x03678");
        for (length, prefix) in [(127, vec![0x7f]), (128, vec![0x80, 1]), (16384, vec![0x80, 0x80, 1])] {
            let joined = lv(&[&vec![9; length]]);
            assert!(joined.starts_with(&prefix), "{length}");
            assert_eq!(joined.len(), prefix.len() + length);
        }
    }

    #[test]
    fn moving_a_border_between_parts_changes_the_tag() {
        let key = Key::<BindR>::new([1; 32]);
        let tag = key.mac(&lv(&[b"ab", b"c"]));
        assert_eq!(key.verify(&lv(&[b"ab", b"c"]), &tag), Ok(()));
        assert_eq!(key.verify(&lv(&[b"a", b"bc"]), &tag), Err(Forged));
        assert_eq!(key.verify(&lv(&[b"abc"]), &tag), Err(Forged));
    }

    #[test]
    fn every_single_wrong_bit_of_a_tag_is_seen() {
        let key = Key::<BindS>::new([2; 32]);
        let tag = key.mac(b"x");
        for bit in 0..256 {
            let mut wrong = tag;
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.verify(b"x", &wrong), Err(Forged), "bit {bit}");
        }
    }

    #[test]
    fn the_other_of_the_other_is_oneself() {
        assert_eq!(Role::Sender.other(), Role::Receiver);
        assert_eq!(Role::Receiver.other().other(), Role::Receiver);
        assert_eq!(Secret::new(vec![1, 2]).expose(), [1, 2]);
    }
}
