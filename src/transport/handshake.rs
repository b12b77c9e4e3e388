//! DTLS handshake messages that come again, kept from a library that would forget its own over them.
//!
//! `rtc-dtls` 0.21 stops its retransmission timer at every handshake packet, also at one that brings nothing
//! new, and starts it again with its next flight only. So when a side's flight is lost, the flight of the
//! other side comes again, stops the timer, and the lost one is never sent again: half of all handshakes
//! that lose a flight fail. RFC 6347 §4.2.4 wants a timer that goes on. Here a packet that holds nothing
//! but messages that came before is not handed on, which has the same effect.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// The handshake messages of the peer that came in, by their numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<AtomicU64>);

impl Heard {
    /// Whether a datagram brings nothing but whole handshake messages that came before; if not, it is
    /// remembered. What is not understood is not held back.
    fn again(&self, datagram: &[u8]) -> bool {
        let Some(messages) = numbers(datagram) else { return false };
        let before = self.0.fetch_or(messages, Ordering::Relaxed);
        before & messages == messages
    }
}

/// The numbers of the messages in a datagram, one bit each, if it holds nothing but whole messages in clear.
fn numbers(mut datagram: &[u8]) -> Option<u64> {
    let mut numbers = 0;
    while !datagram.is_empty() {
        let (header, rest) = datagram.split_first_chunk::<RECORD_HEADER>()?;
        // Epoch 0 is before encryption.
        let &[HANDSHAKE, _, _, 0, 0, .., high, low] = header else { return None };
        let (mut record, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        while !record.is_empty() {
            let (header, body) = record.split_first_chunk::<MESSAGE_HEADER>()?;
            let &[kind, a, b, c, high, low, 0, 0, 0, x, y, z] = header else { return None };
            let number = u16::from_be_bytes([high, low]);
            let length = u32::from_be_bytes([0, a, b, c]);
            if kind == COOKIE || (kind, number) == FIRST_HELLO || (x, y, z) != (a, b, c) {
                return None;
            }
            numbers |= 1_u64.checked_shl(number.into())?;
            record = body.get(usize::try_from(length).ok()?..)?;
        }
        datagram = rest;
    }
    (numbers != 0).then_some(numbers)
}

/// A socket whose DTLS does not see a flight twice.
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
        self.socket.poll_send(context, transmit)
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
    use super::Heard;

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
        for (at, byte) in [(0, 23), (12, 255), (13 + 3, 4), (13 + 5, 64), (13 + 4, 1)] {
            let mut other = flight.clone();
            other[at] = byte;
            assert_eq!([heard.again(&other), heard.again(&other)], [false, false], "{byte} at {at}");
        }
        assert!(!heard.again(&[0; 100]) && !heard.again(&[22; 100]));
    }
}
