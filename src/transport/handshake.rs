//! DTLS handshake messages that come again, kept from a library that would forget its own over them.
//!
//! `rtc-dtls` 0.21 stops its retransmission timer at every handshake packet, also at one that brings nothing
//! new, and starts it again with its next flight only. So when a side's flight is lost, the flight of the
//! other side comes again, stops the timer, and the lost one is never sent again: half of all handshakes
//! that lose a flight fail. RFC 6347 §4.2.4 wants a timer that goes on. Here a packet that holds nothing
//! but messages that came before is not handed on, which has the same effect.
//!
//! Before DTLS stands anybody may send packets to the socket. So a message counts as heard only if every byte
//! of it was: a stranger who does not see the peer's messages cannot have them taken for old ones.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// Content type of handshake records (RFC 6347 §4.1); application data has another.
const HANDSHAKE: u8 = 22;

/// Bytes of a record's header: type, version, epoch, sequence number, length (RFC 6347 §4.1).
const RECORD_HEADER: usize = 13;

/// Bytes of a message's header: type, length, number, offset and length of the part (RFC 6347 §4.2.2).
const MESSAGE_HEADER: usize = 12;

/// Types of messages that must be answered each time: the first hello of a client, and the cookie that a
/// server answers it with (RFC 6347 §4.2.1). Neither side has a timer for them that could be stopped.
const FIRST_HELLO: (u8, u16) = (1, 0);
const COOKIE: u8 = 3;

/// Most messages that are remembered; the oldest is forgotten then, and at worst handed on once more. A handshake
/// has seven each way (RFC 6347 §4.2.4, figure 1).
const MOST_HEARD: usize = 64;

/// The handshake messages that came in, each as a hash that nobody outside can aim at.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    keys: RandomState,
    hashes: Arc<Mutex<VecDeque<u64>>>,
}

impl Heard {
    /// Whether a datagram brings nothing but whole handshake messages that came before; if not, it is
    /// remembered. What is not understood is not held back.
    fn again(&self, datagram: &[u8]) -> bool {
        let Some(messages) = messages(datagram) else { return false };
        // Nobody panics with it held.
        let mut hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut again = true;
        for message in messages {
            let hash = self.keys.hash_one(message);
            if hashes.contains(&hash) {
                continue;
            }
            again = false;
            if hashes.len() == MOST_HEARD {
                hashes.pop_front();
            }
            hashes.push_back(hash);
        }
        again
    }
}

/// The messages in a datagram, their headers included, if it holds nothing but whole messages in clear. A record's
/// header is left out: it has another number each time.
fn messages(mut datagram: &[u8]) -> Option<Vec<&[u8]>> {
    let mut messages = Vec::new();
    while !datagram.is_empty() {
        let (header, rest) = datagram.split_first_chunk::<RECORD_HEADER>()?;
        // Epoch 0 is before encryption.
        let &[HANDSHAKE, _, _, 0, 0, .., high, low] = header else { return None };
        let (mut record, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        while !record.is_empty() {
            let &[kind, a, b, c, high, low, 0, 0, 0, x, y, z] = record.first_chunk::<MESSAGE_HEADER>()?
            else {
                return None;
            };
            let number = u16::from_be_bytes([high, low]);
            let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
            let is_whole = (x, y, z) == (a, b, c);
            if kind == COOKIE || (kind, number) == FIRST_HELLO || !is_whole || messages.len() == MOST_HEARD {
                return None;
            }
            let (message, rest) = record.split_at_checked(MESSAGE_HEADER + length)?;
            messages.push(message);
            record = rest;
        }
        datagram = rest;
    }
    (!messages.is_empty()).then_some(messages)
}

/// A socket whose DTLS does not see a flight twice, and that loses what it cannot send.
#[derive(Debug)]
pub(super) struct HandshakeSocket {
    pub(super) socket: Arc<dyn AsyncUdpSocket>,
    pub(super) heard: Heard,
}

impl AsyncUdpSocket for HandshakeSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, context: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        // What cannot be sent is lost, as on any path. Told of an error, the library gives up a whole relay: for a packet
        // that was to try a larger size, for instance (EMSGSIZE), or in a moment without a route.
        let sent = ready!(self.socket.poll_send(context, transmit));
        Poll::Ready(Ok(sent.unwrap_or_else(|error| {
            log::trace!("a datagram of {} bytes was not sent: {error}", transmit.contents.len());
            transmit.contents.len()
        })))
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(self.socket.poll_recv(context, buffers, meta))?;
        for (buffer, meta) in buffers.iter().zip(meta.iter_mut()).take(count) {
            // Several packets in one are of one size, which flights are not.
            if meta.stride >= meta.len && buffer.get(..meta.len).is_some_and(|it| self.heard.again(it)) {
                // An empty datagram, which the driver passes over.
                meta.len = 0;
            }
        }
        Poll::Ready(Ok(count))
    }

    fn max_gso_segments(&self) -> usize {
        self.socket.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.socket.max_gro_segments()
    }
}

#[cfg(test)]
mod tests {
    use webrtc::runtime::{AsyncUdpSocket, Runtime, TokioRuntime, Transmit};

    use super::{HandshakeSocket, Heard, MOST_HEARD};

    /// A relay is not given up for a datagram that is too long for the path to it.
    #[tokio::test]
    async fn what_is_too_long_to_be_sent_is_lost_and_no_error() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let here = socket.local_addr().unwrap();
        socket.set_nonblocking(true).unwrap();
        let socket = TokioRuntime.wrap_udp_socket(socket).unwrap();
        let socket = HandshakeSocket { socket, heard: Heard::default() };
        let contents = vec![0; 70_000];
        let transmit =
            Transmit { destination: here, ecn: None, contents: &contents, segment_size: None, src_ip: None };
        let sent = std::future::poll_fn(|context| socket.poll_send(context, &transmit)).await;
        assert_eq!(sent.unwrap(), contents.len());
    }

    /// A record of one message with a body of five bytes, of which `part` are here.
    fn record(epoch: u8, kind: u8, number: u8, part: u8) -> Vec<u8> {
        let message = [&[kind, 0, 0, 5, 0, number, 0, 0, 0, 0, 0, part][..], &vec![9; part.into()]].concat();
        let header = [22, 254, 253, 0, epoch, 0, 0, 0, 0, 0, 7, 0, u8::try_from(message.len()).unwrap()];
        [&header[..], &message].concat()
    }

    #[test]
    fn a_flight_that_comes_again_is_held_back() {
        let heard = Heard::default();
        let flight = [record(0, 2, 1, 5), record(0, 11, 2, 5), record(0, 14, 3, 5)].concat();
        assert_eq!([heard.again(&flight), heard.again(&flight)], [false, true]);
        assert!(heard.again(&record(0, 11, 2, 5)), "a part of it");
        let more = [record(0, 14, 3, 5), record(0, 20, 4, 5)].concat();
        assert_eq!([heard.again(&more), heard.again(&more)], [false, true]);
    }

    /// Each of these is what the other side waits for.
    #[test]
    fn what_has_to_be_answered_again_is_not_held_back() {
        let last_flight = [record(0, 11, 2, 5), record(1, 20, 3, 5)].concat();
        let part = record(0, 11, 4, 3);
        for again in [record(0, 1, 0, 5), record(0, 3, 0, 5), last_flight, part] {
            let heard = Heard::default();
            assert_eq!([heard.again(&again), heard.again(&again)], [false, false], "{again:?}");
        }
        let heard = Heard::default();
        let hello = record(0, 1, 1, 5);
        assert_eq!([heard.again(&hello), heard.again(&hello)], [false, true], "the one with the cookie");
    }

    #[test]
    fn what_is_not_understood_is_handed_on() {
        let heard = Heard::default();
        let flight = record(0, 2, 1, 5);
        heard.again(&flight);
        for end in 0..flight.len() {
            assert!(!heard.again(&flight[..end]), "{end} bytes");
        }
        for (at, byte) in [(0, 23), (12, 255), (13 + 3, 4)] {
            let mut other = flight.clone();
            other[at] = byte;
            assert_eq!([heard.again(&other), heard.again(&other)], [false, false], "{byte} at {at}");
        }
        assert!(!heard.again(&[0; 100]) && !heard.again(&[22; 100]));
    }

    /// Whoever does not see the peer's messages can guess their numbers, but not their bytes.
    #[test]
    fn a_stranger_cannot_have_messages_taken_for_old_ones() {
        let heard = Heard::default();
        for number in 0..=255 {
            for kind in [2, 11, 12, 14, 16, 20] {
                let mut forged = record(0, kind, number, 5);
                forged[13 + 12] = 1;
                heard.again(&forged);
            }
        }
        for number in 1..=255 {
            let genuine = record(0, 11, number, 5);
            assert_eq!([heard.again(&genuine), heard.again(&genuine)], [false, true], "message {number}");
        }
    }

    #[test]
    fn floods_are_remembered_in_part() {
        let heard = Heard::default();
        for number in 0..=255 {
            heard.again(&record(0, 11, number, 5));
        }
        assert_eq!(heard.hashes.lock().unwrap().len(), MOST_HEARD);
        let many: Vec<u8> = (0..=255).flat_map(|number| record(0, 11, number, 5)).collect();
        assert_eq!([heard.again(&many), heard.again(&many)], [false, false]);
    }
}
