//! The key schedule: from one PAKE result to every key and every proof of "p2pcp/1".
//!
//! ```text
//! th       = SHA-256(lv("p2pcp/1 transcript", sid, CI, Ya, ADa, Yb, ADb))
//! K(label) = HKDF-SHA-256(ikm = ISK, salt = th, info = "p2pcp/1 " || label, 32 bytes)
//!
//! Ta       = HMAC(K("confirm R"), lv("R", th))             the receiver proves first
//! Tb       = HMAC(K("confirm S"), lv("S", th, Ta))
//! bind     = HMAC(K("bind R"), lv("R", th, fpS, fpR))      and K("bind S"), "S" the other way
//! complete = HMAC(K("complete"), digest of all that was settled)
//!
//! resumed link:  ISK' = K("resume"),  th' = SHA-256(lv("p2pcp/1 resume", sid'))
//! ```
//!
//! Invariants: nothing but the schedule sees the PAKE's result, and only a [`Key`] of one purpose
//! leaves it. Whoever verifies gets `Err(Forged)` and no hint at which byte differed.

use hkdf::Hkdf;
use sha2::Sha256;

use crate::crypto::digest::{Hash, sha256};
use crate::crypto::pake::{Flight, SharedKey};
use crate::crypto::seal::{Opener, Sealer};
use crate::crypto::{Forged, Key, Mac, Purpose, Role, Secret, lv};

macro_rules! purposes {
    ($($(#[$doc:meta])* $name:ident = $label:literal,)*) => {
        $(
            $(#[$doc])*
            pub enum $name {}

            impl Purpose for $name {
                const LABEL: &'static str = $label;
            }
        )*
    };
}

purposes! {
    /// The receiver proves that it knew the words.
    ConfirmR = "confirm R",
    /// The sender proves that it knew the words, and that it saw the receiver's proof.
    ConfirmS = "confirm S",
    /// Seals signaling from receiver to sender.
    SealRToS = "seal R>S",
    /// Seals signaling from sender to receiver.
    SealSToR = "seal S>R",
    /// Ties the receiver to the certificates of a lane.
    BindR = "bind R",
    /// Ties the sender to the certificates of a lane.
    BindS = "bind S",
    /// Starts the schedule of a later link between the same two peers, without another PAKE.
    Resume = "resume",
    /// The name under which a server brings two peers together again.
    Meet = "meet",
    /// The receiver's word that everything is settled and durable.
    Complete = "complete",
    /// What the peers tell each other about the hosts that they run on.
    Host = "host",
    /// The words that two people compare.
    Verify = "verify",
}

/// SHA-256 of the two certificates that DTLS really used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprints {
    /// `fpS`, of the sender's certificate.
    pub sender: Hash,
    /// `fpR`, of the receiver's certificate.
    pub receiver: Hash,
}

/// All keys of one link.
pub struct Schedule {
    shared: Secret,
    transcript: Hash,
}

impl Schedule {
    /// The schedule of a PAKE that took place over `session_id` (`sid`) and `context` (`CI`).
    ///
    /// Whatever the two sides disagree about here gives them different keys.
    pub fn new(
        shared: SharedKey,
        session_id: &[u8],
        context: &[u8],
        receiver: Flight<'_>,
        sender: Flight<'_>,
    ) -> Self {
        let transcript = sha256(&lv(&[
            b"p2pcp/1 transcript",
            session_id,
            context,
            receiver.share,
            receiver.associated_data,
            sender.share,
            sender.associated_data,
        ]));
        Self { shared: shared.0, transcript }
    }

    /// The schedule of a later link: the earlier link's [`Resume`] key over fresh nonces.
    ///
    /// `session_id` is `ns || nr` of the new attempt, 16 random bytes each.
    pub fn resumed(earlier: &Key<Resume>, session_id: &[u8]) -> Self {
        let transcript = sha256(&lv(&[b"p2pcp/1 resume", session_id]));
        Self { shared: Secret::new(earlier.expose().to_vec()), transcript }
    }

    /// `th`: what both sides have said. Not secret.
    pub fn transcript(&self) -> &Hash {
        &self.transcript
    }

    /// `K(label)` for the purpose `P`.
    pub fn key<P: Purpose>(&self) -> Key<P> {
        let mut key = Key::new([0; 32]);
        Hkdf::<Sha256>::new(Some(&self.transcript), self.shared.expose())
            .expand_multi_info(&[b"p2pcp/1 ", P::LABEL.as_bytes()], key.bytes.as_mut_slice())
            .expect("HKDF gives up to 8160 bytes");
        key
    }

    /// `Ta`, which the receiver sends.
    pub fn confirm_receiver(&self) -> Mac {
        self.key::<ConfirmR>().mac(&self.receiver_claim())
    }

    /// Checks `Ta`; the sender does so before it opens or answers anything.
    ///
    /// # Errors
    /// [`Forged`]: the other side did not know the words, and the one guess is spent.
    pub fn verify_receiver(&self, ta: &Mac) -> Result<(), Forged> {
        self.key::<ConfirmR>().verify(&self.receiver_claim(), ta)
    }

    /// `Tb`, which the sender sends once `ta` was right.
    pub fn confirm_sender(&self, ta: &Mac) -> Mac {
        self.key::<ConfirmS>().mac(&self.sender_claim(ta))
    }

    /// Checks `Tb` against the `ta` that was sent; the receiver does so before it opens anything.
    ///
    /// # Errors
    /// [`Forged`]: the other side did not know the words.
    pub fn verify_sender(&self, ta: &Mac, tb: &Mac) -> Result<(), Forged> {
        self.key::<ConfirmS>().verify(&self.sender_claim(ta), tb)
    }

    /// The first message of `role` on a lane: its proof that no one stands inside the DTLS connection.
    pub fn bind(&self, role: Role, fingerprints: &Fingerprints) -> Mac {
        let claim = self.bind_claim(role, fingerprints);
        match role {
            Role::Receiver => self.key::<BindR>().mac(&claim),
            Role::Sender => self.key::<BindS>().mac(&claim),
        }
    }

    /// Checks the bind of the peer, whose role is `role`, against the certificates seen here.
    ///
    /// # Errors
    /// [`Forged`]: the lane does not end at the peer.
    pub fn verify_bind(&self, role: Role, fingerprints: &Fingerprints, tag: &Mac) -> Result<(), Forged> {
        let claim = self.bind_claim(role, fingerprints);
        match role {
            Role::Receiver => self.key::<BindR>().verify(&claim, tag),
            Role::Sender => self.key::<BindS>().verify(&claim, tag),
        }
    }

    /// Both ends of the sealed relay as `role` holds them: what it says, and what it hears.
    ///
    /// Call it once: a second pair would start at sequence number 0 again, under the same keys.
    pub fn seals(&self, role: Role) -> (Sealer, Opener) {
        let (receiver, sender) = (self.key::<SealRToS>(), self.key::<SealSToR>());
        match role {
            Role::Receiver => (Sealer::new(&receiver), Opener::new(&sender)),
            Role::Sender => (Sealer::new(&sender), Opener::new(&receiver)),
        }
    }

    fn receiver_claim(&self) -> Vec<u8> {
        lv(&[Role::Receiver.label(), &self.transcript])
    }

    fn sender_claim(&self, ta: &Mac) -> Vec<u8> {
        lv(&[Role::Sender.label(), &self.transcript, ta])
    }

    fn bind_claim(&self, role: Role, fingerprints: &Fingerprints) -> Vec<u8> {
        lv(&[role.label(), &self.transcript, &fingerprints.sender, &fingerprints.receiver])
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
    use serde_json::Value;

    use crate::crypto::keys::{Complete, ConfirmR, Fingerprints, Host, Resume, Schedule, SealRToS, SealSToR};
    use crate::crypto::pake::{Flight, SharedKey};
    use crate::crypto::{Forged, Role, Secret};

    const PRINTS: Fingerprints = Fingerprints { sender: [1; 32], receiver: [2; 32] };

    fn hex(bytes: &[u8]) -> Value {
        Value::String(HEXLOWER.encode(bytes))
    }

    /// The schedule over the figures of the PAKE's vectors, which key-schedule.json was made from.
    fn schedule() -> Schedule {
        let figures: Value =
            serde_json::from_str(include_str!("../../fixtures/vectors/cpace-draft21.json")).unwrap();
        let field =
            |name: &str| HEXLOWER_PERMISSIVE.decode(figures[name].as_str().unwrap().as_bytes()).unwrap();
        let share = |name: &str| field(name).try_into().unwrap();
        Schedule::new(
            SharedKey(Secret::new(field("ISK_IR"))),
            &field("sid"),
            &field("CI"),
            Flight { share: &share("Ya"), associated_data: &field("ADa") },
            Flight { share: &share("Yb"), associated_data: &field("ADb") },
        )
    }

    #[test]
    fn the_shared_figures_are_reproduced() {
        let figures: Value =
            serde_json::from_str(include_str!("../../fixtures/vectors/key-schedule.json")).unwrap();
        let schedule = schedule();
        let ta = schedule.confirm_receiver();
        for (name, made) in [
            ("th", schedule.transcript()),
            ("confirm_R_key", schedule.key::<ConfirmR>().expose()),
            ("Ta", &ta),
            ("Tb", &schedule.confirm_sender(&ta)),
            ("seal_S>R_key", schedule.key::<SealSToR>().expose()),
            ("seal_R>S_key", schedule.key::<SealRToS>().expose()),
            ("bind_R", &schedule.bind(Role::Receiver, &PRINTS)),
            ("bind_S", &schedule.bind(Role::Sender, &PRINTS)),
            ("resume_key", schedule.key::<Resume>().expose()),
        ] {
            assert_eq!(hex(made), figures[name], "{name}");
        }
    }

    /// The figures that key-schedule.json has not: the later labels and the resumed schedule.
    #[test]
    fn the_further_figures_are_reproduced() {
        let figures: Value = serde_json::from_str(include_str!("../../fixtures/vectors/seal.json")).unwrap();
        let schedule = schedule();
        let session_id: Vec<u8> = (0..32).collect();
        let resumed = Schedule::resumed(&schedule.key::<Resume>(), &session_id);
        let ta = resumed.confirm_receiver();
        for (name, made) in [
            ("complete_key", schedule.key::<Complete>().expose()),
            ("complete", &schedule.key::<Complete>().mac(&[3; 32])),
            ("host_key", schedule.key::<Host>().expose()),
            ("resumed_th", resumed.transcript()),
            ("resumed_Ta", &ta),
            ("resumed_Tb", &resumed.confirm_sender(&ta)),
            ("resumed_bind_R", &resumed.bind(Role::Receiver, &PRINTS)),
        ] {
            assert_eq!(hex(made), figures["schedule"][name], "{name}");
        }
    }

    #[test]
    fn right_proofs_verify() {
        let schedule = schedule();
        let ta = schedule.confirm_receiver();
        assert_eq!(schedule.verify_receiver(&ta), Ok(()));
        assert_eq!(schedule.verify_sender(&ta, &schedule.confirm_sender(&ta)), Ok(()));
        for role in [Role::Receiver, Role::Sender] {
            assert_eq!(schedule.verify_bind(role, &PRINTS, &schedule.bind(role, &PRINTS)), Ok(()));
        }
        let complete = schedule.key::<Complete>();
        assert_eq!(complete.verify(&[3; 32], &complete.mac(&[3; 32])), Ok(()));
    }

    #[test]
    fn a_proof_cannot_be_reflected_or_moved() {
        let schedule = schedule();
        let ta = schedule.confirm_receiver();
        let tb = schedule.confirm_sender(&ta);
        assert_eq!(schedule.verify_sender(&ta, &ta), Err(Forged));
        assert_eq!(schedule.verify_receiver(&tb), Err(Forged));
        assert_eq!(schedule.verify_sender(&[0; 32], &tb), Err(Forged));

        let bind = schedule.bind(Role::Sender, &PRINTS);
        assert_eq!(schedule.verify_bind(Role::Receiver, &PRINTS, &bind), Err(Forged));
        let swapped = Fingerprints { sender: PRINTS.receiver, receiver: PRINTS.sender };
        assert_eq!(schedule.verify_bind(Role::Sender, &swapped, &bind), Err(Forged));
        let complete = schedule.key::<Complete>();
        assert_eq!(complete.verify(&[4; 32], &complete.mac(&[3; 32])), Err(Forged));
    }

    #[test]
    fn a_resumed_link_has_keys_of_its_own() {
        let schedule = schedule();
        let first = Schedule::resumed(&schedule.key::<Resume>(), &[1; 32]);
        let second = Schedule::resumed(&schedule.key::<Resume>(), &[2; 32]);
        let ta = first.confirm_receiver();
        assert_eq!(first.verify_receiver(&ta), Ok(()));
        assert_eq!(second.verify_receiver(&ta), Err(Forged));
        assert_eq!(schedule.verify_receiver(&ta), Err(Forged));
    }
}
