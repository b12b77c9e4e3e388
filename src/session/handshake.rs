//! From a shared code to shared keys: PAKE, then confirmation, receiver first.
//!
//! ```text
//! Receiver: Joined ─► pake(Ya) ─► gets pake(Yb) ─► confirm(Ta), may seal ─► gets confirm(Tb) ─► Keys
//! Sender:   Peered ─► pake(Yb) ─► gets pake(Ya) ─► gets confirm(Ta) ─► confirm(Tb) ─► Keys
//! ```
//!
//! Pure: the caller gives the random bytes and carries the messages. Each state is consumed by the step
//! that leaves it, so a guess cannot be tried twice. A wrong code shows as [`HandshakeError::WrongCode`]
//! on the side that checks the confirmation.

use crate::crypto::keys::{Host, Schedule};
use crate::crypto::pake::{Flight, Pake};
use crate::crypto::seal::{Opener, Sealer};
use crate::crypto::{Mac, Role, lv};
use crate::wire::PROTOCOL_VERSION;
use crate::wire::signaling::{Hex, Nameplate, Relay};

/// Random bytes that one handshake consumes.
pub const RANDOM_BYTES: usize = 64;

/// What both peers say of themselves inside the PAKE, so that nobody in between can change it:
/// oldest and newest version (u16, big endian), then feature bits (u32, big endian).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// Oldest protocol version spoken.
    pub oldest: u16,
    /// Newest protocol version spoken.
    pub newest: u16,
    /// Optional features.
    pub features: u32,
}

impl Abilities {
    /// Feature bit: chunks may travel packed ([`crate::wire::block::Packed`]).
    pub const PACKING: u32 = 1;

    /// Feature bit: a text can be received, of an item whose size says so ([`crate::wire::peer::OfferItem::text`]).
    pub const TEXTS: u32 = 1 << 1;

    /// Feature bit: each side says how fast it wants it ([`crate::wire::peer::PeerMessage::Pace`]).
    pub const PACING: u32 = 1 << 2;

    /// Feature bit: [`crate::wire::MANY_OUTSTANDING_ENTRIES`] may be outstanding.
    pub const MANY: u32 = 1 << 3;

    /// What this build can do.
    pub const OURS: Self = Self {
        oldest: PROTOCOL_VERSION,
        newest: PROTOCOL_VERSION,
        features: Self::PACKING | Self::TEXTS | Self::PACING | Self::MANY,
    };

    /// As associated data.
    pub fn to_bytes(self) -> [u8; 8] {
        let [a, b] = self.oldest.to_be_bytes();
        let [c, d] = self.newest.to_be_bytes();
        let [e, f, g, h] = self.features.to_be_bytes();
        [a, b, c, d, e, f, g, h]
    }

    /// From associated data.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        let [a, b, c, d, e, f, g, h] = bytes;
        Self {
            oldest: u16::from_be_bytes([a, b]),
            newest: u16::from_be_bytes([c, d]),
            features: u32::from_be_bytes([e, f, g, h]),
        }
    }

    fn speaks_with(self, other: Self) -> bool {
        self.oldest <= other.newest && other.oldest <= self.newest
    }
}

/// Why there are no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The confirmation does not verify: another code, or somebody in between.
    #[error("key confirmation failed")]
    WrongCode,
    /// A share that no honest peer sends.
    #[error("the other side sent an invalid key share")]
    InvalidShare,
    /// The peers have no protocol version in common.
    #[error("the other side speaks protocol versions {oldest} to {newest}, this one {PROTOCOL_VERSION}")]
    Version {
        /// The peer's oldest.
        oldest: u16,
        /// The peer's newest.
        newest: u16,
    },
    /// The peer is from before a feature without which there is nothing to do.
    #[error("the other side cannot receive {0}, it is too old for that")]
    Lacks(&'static str),
    /// A message that has no place now.
    #[error("a handshake message out of turn")]
    OutOfTurn,
}

/// What both sides know before the PAKE.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The canonical words.
    pub secret: &'a str,
    /// The public number.
    pub nameplate: Nameplate,
    /// The sender's half of the session id.
    pub ns: Hex<16>,
    /// The receiver's half.
    pub nr: Hex<16>,
}

/// A share is out; the peer's is awaited.
pub struct Sharing {
    role: Role,
    ours: Abilities,
    pake: Pake,
    session_id: [u8; 32],
    context: Vec<u8>,
}

/// Keys that the peer has not confirmed yet.
pub struct Confirming {
    role: Role,
    features: u32,
    schedule: Schedule,
    /// The receiver's own `Ta`, on which `Tb` depends.
    ta: Option<Mac>,
}

/// Starts: gives our share.
pub fn start(role: Role, context: Context<'_>, random: &[u8; RANDOM_BYTES]) -> (Sharing, Relay) {
    start_as(role, Abilities::OURS, context, random)
}

/// The same for a build of other abilities.
pub fn start_as(
    role: Role,
    ours: Abilities,
    context: Context<'_>,
    random: &[u8; RANDOM_BYTES],
) -> (Sharing, Relay) {
    let mut session_id = [0; 32];
    let (first, second) = session_id.split_at_mut(16);
    first.copy_from_slice(&context.ns.0);
    second.copy_from_slice(&context.nr.0);
    let nameplate = context.nameplate.number().to_string();
    let channel = lv(&[b"p2pcp/1", b"R", b"S", nameplate.as_bytes()]);
    let pake = Pake::start(context.secret.as_bytes(), &channel, &session_id, random);
    let message = Relay::Pake { y: Hex(*pake.share()), ad: Hex(ours.to_bytes()) };
    (Sharing { role, ours, pake, session_id, context: channel }, message)
}

impl Sharing {
    /// Takes the peer's share. The receiver also gets its confirmation to send.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub fn handle(self, message: &Relay) -> Result<(Confirming, Option<Relay>), HandshakeError> {
        let Relay::Pake { y, ad } = message else { return Err(HandshakeError::OutOfTurn) };
        let abilities = Abilities::from_bytes(ad.0);
        if !self.ours.speaks_with(abilities) {
            return Err(HandshakeError::Version { oldest: abilities.oldest, newest: abilities.newest });
        }
        let our_share = *self.pake.share();
        let our_abilities = self.ours.to_bytes();
        let ours = Flight { share: &our_share, associated_data: &our_abilities };
        let theirs = Flight { share: &y.0, associated_data: &ad.0 };
        let shared =
            self.pake.finish(self.role, &our_abilities, theirs).map_err(|_| HandshakeError::InvalidShare)?;
        let (receiver, sender) = match self.role {
            Role::Receiver => (ours, theirs),
            Role::Sender => (theirs, ours),
        };
        let schedule = Schedule::new(shared, &self.session_id, &self.context, receiver, sender);
        let ta = match self.role {
            Role::Receiver => Some(schedule.confirm_receiver()),
            Role::Sender => None,
        };
        let (role, features) = (self.role, self.ours.features & abilities.features);
        Ok((Confirming { role, features, schedule, ta }, ta.map(|ta| Relay::Confirm { t: Hex(ta) })))
    }
}

impl Confirming {
    /// Both ends of the sealed relay; call it once (see [`Schedule::seals`]).
    ///
    /// The receiver may seal as soon as it has said its `Ta`, which tells whoever guessed as much: only a sender with the
    /// code has the key. Nobody opens anything before the other's confirmation verified.
    pub fn seals(&self) -> (Sealer, Opener) {
        self.schedule.seals(self.role)
    }

    /// The feature bits that both sides have. They are true once the peer's confirmation verified.
    pub fn features(&self) -> u32 {
        self.features
    }

    /// The tag of the host that this side runs on.
    pub fn host_tag(&self, identity: &[u8]) -> Mac {
        self.schedule.key::<Host>().mac(identity)
    }

    /// Takes the peer's confirmation. The sender also gets its own to send.
    ///
    /// # Errors
    /// [`HandshakeError::WrongCode`] or [`HandshakeError::OutOfTurn`].
    pub fn handle(self, message: &Relay) -> Result<(Schedule, Option<Relay>), HandshakeError> {
        let Relay::Confirm { t } = message else { return Err(HandshakeError::OutOfTurn) };
        let Self { schedule, ta, .. } = self;
        let answer = match ta {
            Some(ta) => schedule.verify_sender(&ta, &t.0).map(|()| None),
            None => schedule
                .verify_receiver(&t.0)
                .map(|()| Some(Relay::Confirm { t: Hex(schedule.confirm_sender(&t.0)) })),
        };
        match answer {
            Ok(answer) => Ok((schedule, answer)),
            Err(_) => Err(HandshakeError::WrongCode),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::crypto::Role;
    use crate::crypto::keys::Complete;
    use crate::session::handshake::{Abilities, Confirming, Context, HandshakeError, start, start_as};
    use crate::wire::signaling::{Hex, Nameplate, Relay};

    fn context<'a>(secret: &'a str, nameplate: u32) -> Context<'a> {
        let nameplate = Nameplate::new(nameplate).unwrap();
        Context { secret, nameplate, ns: Hex([1; 16]), nr: Hex([2; 16]) }
    }

    /// Runs the PAKE, `change` having its way with the receiver's share; ends before the confirmations.
    fn share(
        receiver: Context<'_>,
        sender: Context<'_>,
        change: impl Fn(&mut Relay),
    ) -> Result<(Confirming, Confirming, Relay), HandshakeError> {
        let (r, mut r_share) = start(Role::Receiver, receiver, &[3; 64]);
        let (s, s_share) = start(Role::Sender, sender, &[4; 64]);
        change(&mut r_share);
        let (r, confirm) = r.handle(&s_share)?;
        let (s, nothing) = s.handle(&r_share)?;
        assert_eq!(nothing, None, "the receiver confirms first");
        Ok((r, s, confirm.unwrap()))
    }

    #[test]
    fn the_same_code_gives_the_same_keys() {
        let code = context("aloe-tuba", 417);
        let (r, s, ta) = share(code, code, |_| ()).unwrap();
        let (s, tb) = s.handle(&ta).unwrap();
        let (r, end) = r.handle(&tb.unwrap()).unwrap();
        assert_eq!(end, None);
        assert_eq!(r.transcript(), s.transcript());
        assert_eq!(r.key::<Complete>().expose(), s.key::<Complete>().expose());
    }

    #[test]
    fn other_words_and_another_nameplate_are_a_wrong_code() {
        for receiver in [context("aloe-tube", 417), context("aloe-tuba", 418)] {
            let (_, s, ta) = share(receiver, context("aloe-tuba", 417), |_| ()).unwrap();
            assert_eq!(s.handle(&ta).map(drop), Err(HandshakeError::WrongCode));
        }
    }

    /// A server that reflects the receiver's own messages must not be taken for a sender.
    #[test]
    fn a_reflection_does_not_confirm() {
        let code = context("aloe-tuba", 417);
        let (r, share) = start(Role::Receiver, code, &[3; 64]);
        let (r, ta) = r.handle(&share).unwrap();
        assert_eq!(r.handle(&ta.unwrap()).map(drop), Err(HandshakeError::WrongCode));
    }

    #[test]
    fn changed_abilities_do_not_pass_unseen() {
        let code = context("aloe-tuba", 417);
        let features = Abilities { features: 2, ..Abilities::OURS }.to_bytes();
        let downgrade = |relay: &mut Relay| {
            if let Relay::Pake { ad, .. } = relay {
                *ad = Hex(features);
            }
        };
        let (_, s, ta) = share(code, code, downgrade).unwrap();
        assert_eq!(s.handle(&ta).map(drop), Err(HandshakeError::WrongCode));
    }

    /// What a later build has beside it is passed over.
    #[test]
    fn features_are_those_of_both() {
        let code = context("aloe-tuba", 417);
        for (theirs, common) in
            [(0, 0), (u32::MAX, Abilities::OURS.features), (Abilities::TEXTS, Abilities::TEXTS)]
        {
            let (r, r_share) = start(Role::Receiver, code, &[3; 64]);
            let other = Abilities { features: theirs, ..Abilities::OURS };
            let (s, s_share) = start_as(Role::Sender, other, code, &[4; 64]);
            let (r, ta) = r.handle(&s_share).unwrap();
            let (s, _) = s.handle(&r_share).unwrap();
            assert_eq!((r.features(), s.features()), (common, common));
            let (_, tb) = s.handle(&ta.unwrap()).unwrap();
            assert!(r.handle(&tb.unwrap()).is_ok());
        }
    }

    #[test]
    fn versions_without_overlap_and_invalid_shares_end_it() {
        let code = context("aloe-tuba", 417);
        let newer = Abilities { oldest: 2, newest: 3, features: 0 }.to_bytes();
        let result = share(code, code, |relay| {
            if let Relay::Pake { ad, .. } = relay {
                *ad = Hex(newer);
            }
        });
        assert_eq!(result.map(drop), Err(HandshakeError::Version { oldest: 2, newest: 3 }));
        let result = share(code, code, |relay| {
            if let Relay::Pake { y, .. } = relay {
                *y = Hex([0; 32]);
            }
        });
        assert_eq!(result.map(drop), Err(HandshakeError::InvalidShare));
        let (s, _) = start(Role::Sender, code, &[4; 64]);
        let early = Relay::Confirm { t: Hex([0; 32]) };
        assert_eq!(s.handle(&early).map(drop), Err(HandshakeError::OutOfTurn));
    }
}
