//! The password-authenticated key exchange CPACE-RISTR255-SHA512 (draft-irtf-cfrg-cpace-21).
//!
//! Both sides know a short password. After one message each way they share a strong key exactly when
//! the passwords, the contexts and the session identifiers were equal; whoever stood
//! between them has spent one guess and learned nothing else. The receiver is the initiator A, the
//! sender the responder B, and the key is ordered (`ISK_IR`).
//!
//! Invariants: a scalar is used for one exchange ([`Pake::finish`] consumes it); a peer's share that
//! is not a canonical ristretto255 encoding, or that leads to the identity, gives no key.

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, Zeroizing};

use crate::crypto::{Role, Secret, lv};

/// Domain separation of the cipher suite (`G.DSI` in the draft).
const DOMAIN: &[u8] = b"CPaceRistretto255";

/// Domain separation of the key (`G.DSI || "_ISK"` in the draft).
const KEY_DOMAIN: &[u8] = b"CPaceRistretto255_ISK";

/// Input block of SHA-512 in bytes: the password fills the first one alone, with zeros behind it.
const BLOCK_BYTES: usize = 128;

/// A public share: the encoding of a ristretto255 element (RFC 9496 §4.3).
pub type Share = [u8; 32];

/// What one side says in the exchange. Everything in it is public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flight<'a> {
    /// Its share: `Ya` or `Yb`.
    pub share: &'a Share,
    /// Its associated data, authenticated by the key: `ADa` or `ADb`.
    pub associated_data: &'a [u8],
}

/// The exchange's result (`ISK`): 64 bytes from which [`crate::crypto::keys::Schedule`] makes keys.
///
/// Holding one proves nothing yet. A wrong password gives another key, not an error, so the keys must
/// be confirmed before they open anything.
pub struct SharedKey(pub(crate) Secret);

impl SharedKey {
    /// The 64 bytes.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

/// One side's half of an exchange that is under way.
pub struct Pake {
    scalar: Scalar,
    share: Share,
    session_id: Vec<u8>,
}

impl Drop for Pake {
    fn drop(&mut self) {
        self.scalar.zeroize();
    }
}

impl Pake {
    /// Starts an exchange.
    ///
    /// `password` is `PRS`, `context` is `CI` (who talks about what, the same on both sides),
    /// `session_id` is `sid` (fresh for each exchange). `random` must be new and uniform; it has 64
    /// bytes so that its remainder modulo the group order is uniform too.
    pub fn start(password: &[u8], context: &[u8], session_id: &[u8], random: &[u8; 64]) -> Self {
        let scalar = Scalar::from_bytes_mod_order_wide(random);
        Self::start_with(scalar, password, context, session_id)
    }

    fn start_with(scalar: Scalar, password: &[u8], context: &[u8], session_id: &[u8]) -> Self {
        let share = (generator(password, context, session_id) * scalar).compress().to_bytes();
        Self { scalar, share, session_id: session_id.to_vec() }
    }

    /// What to send to the peer.
    pub fn share(&self) -> &Share {
        &self.share
    }

    /// Ends the exchange for the side `role`, which has sent [`Pake::share`] and `associated_data`.
    ///
    /// # Errors
    /// [`InvalidShare`]: the attempt must end without any key.
    pub fn finish(
        self,
        role: Role,
        associated_data: &[u8],
        peer: Flight<'_>,
    ) -> Result<SharedKey, InvalidShare> {
        let mut point = CompressedRistretto(*peer.share).decompress().ok_or(InvalidShare)? * self.scalar;
        if point.is_identity() {
            return Err(InvalidShare);
        }
        let shared = Zeroizing::new(point.compress().to_bytes());
        point.zeroize();

        let own = Flight { share: &self.share, associated_data };
        let (receiver, sender) = match role {
            Role::Receiver => (own, peer),
            Role::Sender => (peer, own),
        };
        let head = Zeroizing::new(lv(&[KEY_DOMAIN, &self.session_id, shared.as_slice()]));
        let mut hash = Sha512::new();
        hash.update(head.as_slice());
        hash.update(lv(&[receiver.share, receiver.associated_data]));
        hash.update(lv(&[sender.share, sender.associated_data]));
        Ok(SharedKey(Secret::new(hash.finalize().to_vec())))
    }
}

/// The peer's share is not an element of the group, or the identity: a fault or an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key exchange share that is not a valid group element")]
pub struct InvalidShare;

/// The group element that stands for a password in one session (`calculate_generator` in the draft).
fn generator(password: &[u8], context: &[u8], session_id: &[u8]) -> RistrettoPoint {
    let used = lv(&[DOMAIN]).len() + Zeroizing::new(lv(&[password])).len() + 1;
    let padding = [0; BLOCK_BYTES];
    let padding = padding.get(used..).unwrap_or_default();
    let text = Zeroizing::new(lv(&[DOMAIN, password, padding, context, session_id]));
    let mut uniform = Zeroizing::new([0; 64]);
    uniform.copy_from_slice(&Sha512::digest(text.as_slice()));
    RistrettoPoint::from_uniform_bytes(&uniform)
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::scalar::Scalar;
    use data_encoding::HEXUPPER;
    use serde_json::Value;
    use sha2::{Digest, Sha512};

    use crate::crypto::Role::{Receiver, Sender};
    use crate::crypto::pake::{Flight, InvalidShare, Pake, generator};

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../fixtures/vectors/cpace-draft21.json")).unwrap()
    }

    fn bytes(value: &Value) -> Vec<u8> {
        HEXUPPER.decode(value.as_str().unwrap().as_bytes()).unwrap()
    }

    fn half(figures: &Value, scalar: &str) -> Pake {
        let field = |name: &str| bytes(&figures[name]);
        let scalar = Scalar::from_canonical_bytes(field(scalar).try_into().unwrap()).unwrap();
        Pake::start_with(scalar, &field("PRS"), &field("CI"), &field("sid"))
    }

    /// Random enough for tests, the same on every run.
    fn random(seed: u64) -> [u8; 64] {
        Sha512::digest(seed.to_be_bytes()).into()
    }

    /// The keys of both sides after an exchange of `ADa` and `ADb`.
    fn exchange(receiver: Pake, sender: Pake) -> (Vec<u8>, Vec<u8>) {
        let (ya, yb) = (*receiver.share(), *sender.share());
        let key_r = receiver.finish(Receiver, b"ADa", Flight { share: &yb, associated_data: b"ADb" });
        let key_s = sender.finish(Sender, b"ADb", Flight { share: &ya, associated_data: b"ADa" });
        (key_r.ok().unwrap().expose().to_vec(), key_s.ok().unwrap().expose().to_vec())
    }

    #[test]
    fn the_drafts_figures_are_reproduced() {
        let figures = vectors();
        let field = |name: &str| bytes(&figures[name]);
        let point = generator(&field("PRS"), &field("CI"), &field("sid"));
        assert_eq!(point.compress().as_bytes().as_slice(), field("g"));

        let (receiver, sender) = (half(&figures, "ya"), half(&figures, "yb"));
        assert_eq!(receiver.share().as_slice(), field("Ya"));
        assert_eq!(sender.share().as_slice(), field("Yb"));

        let (key_r, key_s) = exchange(receiver, sender);
        assert_eq!(key_r, field("ISK_IR"));
        assert_eq!(key_s, field("ISK_IR"));
    }

    #[test]
    fn invalid_shares_give_no_key_on_either_side() {
        let figures = vectors();
        let invalid = figures["invalid_points"].as_object().unwrap();
        assert_eq!(invalid.len(), 2);
        let not_canonical = Value::String("FF".repeat(32));
        for point in invalid.values().chain([&not_canonical]) {
            let share = bytes(point).try_into().unwrap();
            for (scalar, role) in [("ya", Receiver), ("yb", Sender)] {
                let peer = Flight { share: &share, associated_data: b"" };
                let ended = half(&figures, scalar).finish(role, b"", peer);
                assert_eq!(ended.err(), Some(InvalidShare), "{point}");
            }
        }
    }

    #[test]
    fn ten_thousand_random_exchanges_agree() {
        for round in 0..10_000 {
            let receiver = Pake::start(b"aloe-tuba", b"CI", b"sid", &random(2 * round));
            let sender = Pake::start(b"aloe-tuba", b"CI", b"sid", &random(2 * round + 1));
            let (key_r, key_s) = exchange(receiver, sender);
            assert_eq!(key_r, key_s, "round {round}");
        }
    }

    #[test]
    fn different_passwords_contexts_or_sessions_never_agree() {
        for round in 0..500 {
            let wrong = format!("aloe-tuba{round}");
            for (password, context, session_id) in [
                (wrong.as_str(), "CI", "sid"),
                ("aloe-tuba", wrong.as_str(), "sid"),
                ("aloe-tuba", "CI", wrong.as_str()),
            ] {
                let receiver = Pake::start(b"aloe-tuba", b"CI", b"sid", &random(2 * round));
                let sender = Pake::start(
                    password.as_bytes(),
                    context.as_bytes(),
                    session_id.as_bytes(),
                    &random(2 * round + 1),
                );
                let (key_r, key_s) = exchange(receiver, sender);
                assert_ne!(key_r, key_s, "{password} {context} {session_id}");
            }
        }
    }

    #[test]
    fn different_associated_data_gives_different_keys() {
        let receiver = Pake::start(b"p", b"CI", b"sid", &random(1));
        let sender = Pake::start(b"p", b"CI", b"sid", &random(2));
        let (ya, yb) = (*receiver.share(), *sender.share());
        let key_r = receiver.finish(Receiver, b"v2", Flight { share: &yb, associated_data: b"v1" });
        let key_s = sender.finish(Sender, b"v1", Flight { share: &ya, associated_data: b"v1" });
        assert_ne!(key_r.ok().unwrap().expose(), key_s.ok().unwrap().expose());
    }

    /// A password that is longer than a block must not underflow the padding.
    #[test]
    fn a_long_password_works() {
        let long = [b'a'; 300];
        let (key_r, key_s) = exchange(
            Pake::start(&long, b"CI", b"sid", &random(1)),
            Pake::start(&long, b"CI", b"sid", &random(2)),
        );
        assert_eq!(key_r, key_s);
    }
}
