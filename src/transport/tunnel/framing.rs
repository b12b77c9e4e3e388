//! TURN messages in a stream: where one ends and the next begins (RFC 8656 §3.3 and §12.5, RFC 8489 §6.2.2).

use bytes::{Bytes, BytesMut};

/// Bytes of a STUN message before its attributes.
const STUN_HEADER: usize = 20;

/// What every STUN message has in its fifth to eighth byte (RFC 8489 §5).
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Channel number and length, before the data of a ChannelData message.
const CHANNEL_HEADER: usize = 4;

/// The first bytes of channel numbers (RFC 8656 §12).
const CHANNELS: std::ops::RangeInclusive<u8> = 0x40..=0x4f;

/// The longest message with its padding.
pub(super) const LONGEST: usize = CHANNEL_HEADER + u16::MAX as usize + 1;

/// Padding is to be ignored, whatever it is (RFC 8656 §12.5).
const ZEROS: &[u8] = &[0; 3];

/// What came is not TURN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what the server sends is not TURN")]
pub(super) struct Garbage;

/// How many bytes the message that begins with `start` has, without and with padding; `None` when more has to be seen.
fn length(start: &[u8]) -> Result<Option<(usize, usize)>, Garbage> {
    let Some(&[first, _, high, low]) = start.first_chunk::<4>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if CHANNELS.contains(&first) {
        let bytes = CHANNEL_HEADER + length;
        return Ok(Some((bytes, bytes.next_multiple_of(4))));
    }
    let cookie = start.get(4..8);
    if first & 0xc0 != 0 || !length.is_multiple_of(4) || cookie.is_some_and(|it| it != COOKIE) {
        return Err(Garbage);
    }
    Ok(cookie.map(|_| (STUN_HEADER + length, STUN_HEADER + length)))
}

/// Takes the messages out of a stream.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// Whether a STUN message has come.
    begun: bool,
}

impl Messages {
    /// Takes the first whole message out of what came, without its padding.
    ///
    /// # Errors
    /// [`Garbage`]; nothing after it can be understood.
    pub(super) fn next(&mut self, came: &mut BytesMut) -> Result<Option<Bytes>, Garbage> {
        // A server has no channel to send on before it answered a request; but HTTP begins like one.
        if !self.begun && came.first().is_some_and(|first| CHANNELS.contains(first)) {
            return Err(Garbage);
        }
        match length(came)? {
            Some((bytes, padded)) if padded <= came.len() => {
                self.begun = true;
                let mut message = came.split_to(padded);
                message.truncate(bytes);
                Ok(Some(message.freeze()))
            }
            _ => Ok(None),
        }
    }
}

/// The zeros that have to follow `datagram` in a stream; `None` if it is not one whole message.
pub(super) fn padding(datagram: &[u8]) -> Option<&'static [u8]> {
    let (bytes, padded) = length(datagram).ok()??;
    // A ChannelData message over UDP may come padded already, which is as well.
    let padding = match datagram.len() {
        len if len == padded => 0,
        len if len == bytes => padded - bytes,
        _ => return None,
    };
    ZEROS.get(..padding)
}

/// What tells a STUN request from any other, and is the same when it is sent again; `None` for all that is no request.
pub(super) fn request_id(datagram: &[u8]) -> Option<[u8; 12]> {
    // The class is in two bits of the type, and zero for requests (RFC 8489 §5).
    let &[high, low, ..] = datagram.first_chunk::<STUN_HEADER>()?;
    let is_request = high & 0xc1 == 0 && low & 0x10 == 0;
    is_request.then(|| datagram.get(8..STUN_HEADER)?.try_into().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::{COOKIE, Garbage, Messages, padding, request_id};

    fn stun(kind: [u8; 2], attributes: &[u8]) -> Vec<u8> {
        let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
        [&kind[..], &length, &COOKIE, &[7; 12], attributes].concat()
    }

    #[test]
    fn messages_come_out_as_they_went_in_whatever_pieces_the_stream_has() {
        let messages = [
            stun([0, 3], &[1; 8]),
            vec![0x40, 0, 0, 5, 1, 2, 3, 4, 5],
            vec![0x4f, 9, 0, 0],
            stun([1, 3], &[]),
        ];
        let mut stream = Vec::new();
        for message in &messages {
            stream.extend_from_slice(message);
            stream.extend_from_slice(padding(message).unwrap());
        }
        for piece in 1..=stream.len() {
            let (mut messages_of, mut came, mut found) = (Messages::default(), BytesMut::new(), Vec::new());
            for bytes in stream.chunks(piece) {
                came.extend_from_slice(bytes);
                while let Some(message) = messages_of.next(&mut came).unwrap() {
                    found.push(message.to_vec());
                }
            }
            assert_eq!(found, messages, "in pieces of {piece}");
            assert!(came.is_empty());
        }
    }

    #[test]
    fn what_is_not_turn_is_noticed_at_its_first_bytes() {
        for garbage in [
            &b"HTTP/1.1 400"[..],
            &[0x80, 0, 0, 0],
            &[0x50, 0, 0, 0],
            &[0xff; 4],
            &[0, 1, 0, 3],
            &[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x43],
        ] {
            assert_eq!(Messages::default().next(&mut BytesMut::from(garbage)), Err(Garbage), "{garbage:?}");
        }
        let mut begun = BytesMut::from(&[0, 1, 0, 0, 0x21][..]);
        assert_eq!(Messages::default().next(&mut begun), Ok(None), "too early to tell");
    }

    #[test]
    fn only_whole_messages_go_into_a_stream() {
        let message = stun([0, 1], &[0; 4]);
        assert!(padding(&message).is_some_and(<[_]>::is_empty));
        assert_eq!(padding(&message[..message.len() - 1]), None);
        assert_eq!(padding(&[0x40, 0, 0, 1, 9]).map(<[_]>::len), Some(3));
        assert_eq!(padding(&[0x40, 0, 0, 1, 9, 0, 0, 0]).map(<[_]>::len), Some(0));
        assert_eq!(padding(&[0x40, 0, 0, 9, 9]), None);
        assert_eq!(padding(&[22, 254, 253, 0]), None);
        assert_eq!(padding(&[]), None);
    }

    #[test]
    fn requests_are_known_by_their_number() {
        assert_eq!(request_id(&stun([0, 3], &[])), Some([7; 12]));
        for other in [stun([0, 0x16], &[]), stun([1, 3], &[]), stun([1, 0x13], &[]), vec![0x40; 20]] {
            assert_eq!(request_id(&other), None);
        }
    }
}
