//! What two peers say between Bind and the session when one of them wants words compared.
//!
//! Control frames of their own: a number (u32, little endian) from 64 on, which no message of a session has, then the
//! field, of fixed length.

use crate::wire::peer::Hash;

const COMMIT: [u8; 4] = [64, 0, 0, 0];
const NONCE: [u8; 4] = [65, 0, 0, 0];
const VERDICT: [u8; 4] = [66, 0, 0, 0];

/// One message of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyMessage {
    /// S to R, first: SHA-256 of the nonce that S will say, so that it cannot be chosen later.
    Commit(Hash),
    /// R to S, then S to R: 32 random bytes.
    Nonce([u8; 32]),
    /// Either way, last: what the person said.
    Verdict(Verdict),
}

/// What a person says of the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Both sides show the same.
    Same,
    /// They do not.
    Different,
    /// Nobody was there to compare them.
    Nobody,
}

impl VerifyMessage {
    /// As a control frame.
    pub fn encode(self) -> Vec<u8> {
        match self {
            Self::Commit(hash) => [&COMMIT[..], &hash].concat(),
            Self::Nonce(nonce) => [&NONCE[..], &nonce].concat(),
            Self::Verdict(verdict) => [&VERDICT[..], &[verdict as u8]].concat(),
        }
    }

    /// From a control frame; `None` for anything but exactly one of these.
    pub fn decode(frame: &[u8]) -> Option<Self> {
        let (kind, field) = frame.split_first_chunk()?;
        match *kind {
            COMMIT => field.try_into().ok().map(Self::Commit),
            NONCE => field.try_into().ok().map(Self::Nonce),
            VERDICT => {
                let verdict = [Verdict::Same, Verdict::Different, Verdict::Nobody].into_iter();
                verdict.map(Self::Verdict).find(|it| it.encode() == frame)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::wire::peer;
    use crate::wire::verify::{Verdict, VerifyMessage};

    #[test]
    fn messages_round_trip_and_are_none_of_a_session() {
        for message in [
            VerifyMessage::Commit([1; 32]),
            VerifyMessage::Nonce([2; 32]),
            VerifyMessage::Verdict(Verdict::Same),
            VerifyMessage::Verdict(Verdict::Different),
            VerifyMessage::Verdict(Verdict::Nobody),
        ] {
            let frame = message.encode();
            assert_eq!(VerifyMessage::decode(&frame), Some(message));
            assert!(peer::decode(&frame).is_err());
            for cut in 0..frame.len() {
                assert_eq!(VerifyMessage::decode(&frame[..cut]), None);
            }
            assert_eq!(VerifyMessage::decode(&[frame, vec![0]].concat()), None);
        }
        assert_eq!(VerifyMessage::decode(&[66, 0, 0, 0, 3]), None);
    }
}
