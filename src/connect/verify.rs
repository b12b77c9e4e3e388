//! Words that two people compare by voice, so that somebody in between who knows the code is found out.
//!
//! ```text
//! S: commit(SHA-256(lv("p2pcp/1 verify", ns))) ──►
//!                                              ◄── R: nonce(nr)
//! S: nonce(ns) ───────────────────────────────►       words = HMAC(K("verify"), lv(ns, nr)), the first 30 bits
//! both: verdict ◄─────────────────────────────►
//! ```
//!
//! Somebody in between has a key with each side, and must make their words equal. Words of the keys alone could be searched
//! for, as whoever is in between chooses a share towards each side: some 2^15 shares for each are enough for a pair that
//! agrees on 30 bits. With the nonces there is no search: S is bound to its own before it sees R's, and R says its own before
//! it sees S's, so whichever side is done with last leaves one try in 2^30.

use std::future::Future;

use bytes::Bytes;

use crate::code::words;
use crate::connect::ConnectError;
use crate::crypto::digest::sha256;
use crate::crypto::keys::Verify;
use crate::crypto::{Key, Role, lv};
use crate::transport::Link;
use crate::wire::Channel;
use crate::wire::peer::is_bind;
use crate::wire::verify::{Verdict, VerifyMessage};

/// Words that are compared, of 10 bits each.
pub const WORDS: usize = 3;

/// The words that this side shows; the other shows the same if nobody is in between. `nonce` must be new and random.
///
/// # Errors
/// [`ConnectError`]; [`ConnectError::NotBound`] for a nonce that is not the one committed to.
pub async fn agree_on_words<L: Link>(
    role: Role,
    key: &Key<Verify>,
    link: &L,
    nonce: [u8; 32],
) -> Result<[&'static str; WORDS], ConnectError> {
    let commitment = |nonce: &[u8; 32]| sha256(&lv(&[b"p2pcp/1 verify", nonce]));
    let (ns, nr) = match role {
        Role::Sender => {
            say(link, VerifyMessage::Commit(commitment(&nonce))).await?;
            let VerifyMessage::Nonce(theirs) = hear(link).await? else { return Err(OUT_OF_TURN) };
            say(link, VerifyMessage::Nonce(nonce)).await?;
            (nonce, theirs)
        }
        Role::Receiver => {
            let VerifyMessage::Commit(committed) = hear(link).await? else { return Err(OUT_OF_TURN) };
            say(link, VerifyMessage::Nonce(nonce)).await?;
            let VerifyMessage::Nonce(theirs) = hear(link).await? else { return Err(OUT_OF_TURN) };
            if commitment(&theirs) != committed {
                return Err(ConnectError::NotBound);
            }
            (theirs, nonce)
        }
    };
    let [a, b, c, d, ..] = key.mac(&lv(&[&ns, &nr]));
    let bits = u32::from_be_bytes([a, b, c, d]);
    // `at` takes the low ten bits.
    Ok([22, 12, 2].map(|shift| words::at((bits >> shift & 0x3ff) as u16)))
}

/// Says what the person here says, once it is said, and hears what the one there does: `(here, there)`. What is not
/// known yet when one side has said no is `None`.
///
/// # Errors
/// [`ConnectError`].
pub async fn agree_on_verdict<L: Link>(
    link: &L,
    here: impl Future<Output = Verdict>,
) -> Result<(Option<Verdict>, Option<Verdict>), ConnectError> {
    let mut here = std::pin::pin!(here);
    let (mut ours, mut theirs) = (None, None);
    while !is_settled(ours, theirs) {
        tokio::select! {
            verdict = &mut here, if ours.is_none() => {
                say(link, VerifyMessage::Verdict(verdict)).await?;
                ours = Some(verdict);
            }
            heard = hear(link), if theirs.is_none() => match heard? {
                VerifyMessage::Verdict(verdict) => theirs = Some(verdict),
                _ => return Err(OUT_OF_TURN),
            },
        }
    }
    Ok((ours, theirs))
}

/// Both have said yes, or one has said no.
fn is_settled(ours: Option<Verdict>, theirs: Option<Verdict>) -> bool {
    let no = |it: Option<Verdict>| it.is_some_and(|it| it != Verdict::Same);
    ours.is_some() && theirs.is_some() || no(ours) || no(theirs)
}

const OUT_OF_TURN: ConnectError = ConnectError::Unexpected("words to compare out of turn");

async fn say<L: Link>(link: &L, message: VerifyMessage) -> Result<(), ConnectError> {
    link.ready(Channel::Control).await?;
    Ok(link.send(Channel::Control, Bytes::from(message.encode())).await?)
}

/// The next message. Cancel safe. A Bind that comes once more is passed over, as a receiver may say two.
async fn hear<L: Link>(link: &L) -> Result<VerifyMessage, ConnectError> {
    let mut frame = link.recv().await?;
    if frame.0 == Channel::Control && is_bind(&frame.1) {
        frame = link.recv().await?;
    }
    match frame {
        (Channel::Control, frame) => VerifyMessage::decode(&frame).ok_or(OUT_OF_TURN),
        (Channel::Bulk, _) => Err(OUT_OF_TURN),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::transport::memory::pair;
    use crate::wire::peer::{PeerMessage, encode};

    fn key(byte: u8) -> Key<Verify> {
        Key::new([byte; 32])
    }

    async fn words_of(sender: u8, receiver: u8, nonce: u8) -> ([&'static str; 3], [&'static str; 3]) {
        let (left, right) = pair();
        let (ours, theirs) = (key(sender), key(receiver));
        let (s, r) = tokio::join!(
            agree_on_words(Role::Sender, &ours, &left, [nonce; 32]),
            agree_on_words(Role::Receiver, &theirs, &right, [2; 32]),
        );
        (s.unwrap(), r.unwrap())
    }

    #[tokio::test]
    async fn both_sides_show_the_same_words_and_with_another_key_they_do_not() {
        let (s, r) = words_of(7, 7, 1).await;
        assert_eq!(s, r);
        assert_ne!(s, words_of(7, 7, 3).await.0, "the nonces count");
        let (s, r) = words_of(7, 8, 1).await;
        assert_ne!(s, r);
    }

    /// Somebody in between who saw the receiver's nonce must not choose another one then.
    #[tokio::test]
    async fn a_nonce_that_was_not_committed_to_is_refused() {
        let (left, right) = pair();
        let cheat = async {
            say(&left, VerifyMessage::Commit([9; 32])).await.unwrap();
            hear(&left).await.unwrap();
            say(&left, VerifyMessage::Nonce([1; 32])).await.unwrap();
        };
        let key = key(7);
        let (_, result) = tokio::join!(cheat, agree_on_words(Role::Receiver, &key, &right, [2; 32]));
        assert!(matches!(result, Err(ConnectError::NotBound)), "{result:?}");
    }

    /// A receiver says its Bind twice; other messages of a session have no place yet.
    #[tokio::test]
    async fn one_bind_is_passed_over_and_nothing_else() {
        let bind: Bytes = encode(&PeerMessage::Bind { mac: [0; 32] }).into();
        let (left, right) = pair();
        left.send(Channel::Control, bind.clone()).await.unwrap();
        say(&left, VerifyMessage::Nonce([1; 32])).await.unwrap();
        assert_eq!(hear(&right).await.unwrap(), VerifyMessage::Nonce([1; 32]));
        let farewell: Bytes = encode(&PeerMessage::Farewell).into();
        for (channel, first, second) in [
            (Channel::Control, &farewell, &bind),
            (Channel::Control, &bind, &bind),
            (Channel::Bulk, &bind, &bind),
        ] {
            let (left, right) = pair();
            left.send(channel, first.clone()).await.unwrap();
            left.send(channel, second.clone()).await.unwrap();
            assert!(matches!(hear(&right).await, Err(ConnectError::Unexpected(_))));
        }
    }

    #[tokio::test]
    async fn a_no_ends_it_at_once_and_two_times_yes_is_needed() {
        let (left, right) = pair();
        let yes = || ready(Verdict::Same);
        let (l, r) = tokio::join!(agree_on_verdict(&left, yes()), agree_on_verdict(&right, yes()));
        assert_eq!(l.unwrap(), (Some(Verdict::Same), Some(Verdict::Same)));
        assert_eq!(r.unwrap(), (Some(Verdict::Same), Some(Verdict::Same)));
        for no in [Verdict::Different, Verdict::Nobody] {
            let (left, right) = pair();
            let (l, r) =
                tokio::join!(agree_on_verdict(&left, ready(no)), agree_on_verdict(&right, pending()));
            assert_eq!(l.unwrap(), (Some(no), None));
            assert_eq!(r.unwrap(), (None, Some(no)), "also while the person here still compares");
        }
    }
}
