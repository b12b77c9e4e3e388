//! Several lanes in one link: what peers say to open further ones, and numbered bulk frames.
//!
//! The words travel on a channel of their own in the first lane, in the layout of the control channel.
//! Nothing of this concerns a session: a link puts the frames of its lanes in order again.
//!
//! ```text
//!  0                                   8
//! +-----------------------------------+------------------------
//! |           number, u64 le          | a bulk frame, or nothing
//! +-----------------------------------+------------------------
//! ```
//!
//! Bulk frames have no number until the sender says on the first lane's bulk channel, by a frame that is
//! nothing but the number 0, that all further ones have. A block is never so short.

use bytes::{Buf, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::wire::block::HEADER_BYTES;

/// Most lanes of one link: a bound on the sockets and windows that a peer can ask for.
pub const MAX_LANES: u8 = 8;

/// Largest frame on the channel for lanes: a description of one data section is a tenth of it.
pub const MAX_LANES_FRAME: usize = 16 * 1024;

/// Bytes of a number.
pub const NUMBER_BYTES: usize = 8;

const _: () = assert!(NUMBER_BYTES < HEADER_BYTES);

/// One message about further lanes.
///
/// The variants' numbers are part of the protocol: new ones go last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LanesMessage {
    /// S to R, once a link: so many further lanes would help.
    Ask {
        /// How many, beside the first.
        further: u8,
    },
    /// R to S, once for each further lane that it grants.
    Offer {
        /// Its number, from 1 on.
        lane: u8,
        /// The description.
        sdp: String,
    },
    /// S to R.
    Answer {
        /// To which offer.
        lane: u8,
        /// The description.
        sdp: String,
    },
    /// Either way, after its own description.
    Candidate {
        /// Of which lane.
        lane: u8,
        /// The JSON of an `RTCIceCandidateInit`.
        candidate: String,
    },
}

/// Bytes that are no message about lanes, or more than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame about lanes that is not a p2pcp message")]
pub struct NotAboutLanes;

fn layout() -> impl bincode::config::Config {
    bincode::config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<MAX_LANES_FRAME>()
}

/// Renders a message.
///
/// # Errors
/// [`NotAboutLanes`] over [`MAX_LANES_FRAME`], for a description that the other side would not take.
pub fn encode(message: &LanesMessage) -> Result<Vec<u8>, NotAboutLanes> {
    let bytes = bincode::serde::encode_to_vec(message, layout()).map_err(|_| NotAboutLanes)?;
    if bytes.len() > MAX_LANES_FRAME { Err(NotAboutLanes) } else { Ok(bytes) }
}

/// Parses a frame.
///
/// # Errors
/// [`NotAboutLanes`] for anything but exactly one legal message.
pub fn decode(frame: &[u8]) -> Result<LanesMessage, NotAboutLanes> {
    if frame.len() > MAX_LANES_FRAME {
        return Err(NotAboutLanes);
    }
    match bincode::serde::decode_from_slice(frame, layout()) {
        Ok((message, used)) if used == frame.len() => Ok(message),
        _ => Err(NotAboutLanes),
    }
}

/// Puts its number before a bulk frame.
pub fn number(number: u64, frame: &[u8]) -> BytesMut {
    let mut numbered = BytesMut::with_capacity(NUMBER_BYTES + frame.len());
    numbered.extend_from_slice(&number.to_le_bytes());
    numbered.extend_from_slice(frame);
    numbered
}

/// Takes the number off a frame, without copying; `None` if it is too short for one.
pub fn take_number(mut frame: Bytes) -> Option<(u64, Bytes)> {
    let number = frame.try_get_u64_le().ok()?;
    Some((number, frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_round_trip() {
        for message in [
            LanesMessage::Ask { further: 7 },
            LanesMessage::Offer { lane: 1, sdp: "v=0".into() },
            LanesMessage::Answer { lane: 2, sdp: String::new() },
            LanesMessage::Candidate { lane: 3, candidate: "{}".into() },
        ] {
            assert_eq!(decode(&encode(&message).unwrap()), Ok(message));
        }
    }

    #[test]
    fn the_layout_is_fixed() {
        assert_eq!(encode(&LanesMessage::Ask { further: 7 }).unwrap(), [0, 0, 0, 0, 7]);
        let offer = LanesMessage::Offer { lane: 2, sdp: "v".into() };
        assert_eq!(encode(&offer).unwrap(), [1, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, b'v']);
        assert_eq!(number(0x0102, b"block")[..], *b"\x02\x01\0\0\0\0\0\0block");
    }

    #[test]
    fn what_is_not_exactly_one_message_is_refused() {
        let good = encode(&LanesMessage::Offer { lane: 2, sdp: "v=0".into() }).unwrap();
        for cut in 0..good.len() {
            assert_eq!(decode(&good[..cut]), Err(NotAboutLanes), "cut at {cut}");
        }
        assert_eq!(decode(&[good.clone(), good].concat()), Err(NotAboutLanes));
        assert_eq!(decode(&[4, 0, 0, 0, 0]), Err(NotAboutLanes), "an unknown alternative");
        assert_eq!(decode(&vec![0; MAX_LANES_FRAME + 1]), Err(NotAboutLanes));
        let huge = [&[1, 0, 0, 0, 1][..], &[0xff; 8]].concat();
        assert_eq!(decode(&huge), Err(NotAboutLanes), "a claimed length of 2^64");
    }

    #[test]
    fn a_description_that_nobody_would_take_is_not_sent() {
        let sdp = "v".repeat(MAX_LANES_FRAME);
        assert_eq!(encode(&LanesMessage::Offer { lane: 1, sdp }), Err(NotAboutLanes));
    }

    #[test]
    fn a_frame_without_a_whole_number_has_none() {
        assert_eq!(take_number(Bytes::from_static(&[0; 7])), None);
        assert_eq!(take_number(number(5, b"x").freeze()), Some((5, Bytes::from_static(b"x"))));
    }
}
