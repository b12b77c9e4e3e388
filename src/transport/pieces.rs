//! Datagrams that no frame holds, carried in pieces between two of our own kind.
//!
//! Each packet costs `webrtc` the same, long or short: at 1,500 bytes a frame most of a processor goes into that. So our SCTP
//! sends packets of up to 16 KB where it finds that they pass, and this socket sees to it that they do: what the kernel refuses
//! as too long for the interface goes out cut, by one system call, and is put together at the other end.
//!
//! ```text
//!  0         1         2         3         4                                       8
//! +---------+---------+---------+---------+---------------------------------------+----------
//! | kind, 8 |  index  |  count  |    0    |        datagram, u32, random          | its part…
//! +---------+---------+---------+---------+---------------------------------------+----------
//! ```
//! All parts but the last are of one length. The kind is one that nothing else on such a socket begins with (RFC 7983 §7); who
//! does not know it drops it, so that the probe of such a size is not answered, and none are sent (RFC 8899). Only DTLS application data is
//! carried so: what is put together is judged by DTLS as if it had come whole.
//!
//! Unlike the fragments of IP (RFC 8900) each piece is a datagram of its own to NATs and firewalls, and has the kernel's checksum.

mod assembler;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

use crate::transport::pieces::assembler::Assembler;

/// First byte of a piece.
const KIND: u8 = 8;

/// Bytes before a piece's part.
const HEADER_BYTES: usize = 8;

/// First byte of a DTLS record of application data (RFC 6347 §4.1).
const APPLICATION_DATA: u8 = 23;

/// A datagram that is longer than this and refused by the interface shows that it is one to be cut for: it is longer than any frame.
/// What is shorter may be a probe for frames that are longer than usual.
const LONGEST_FRAME_BYTES: usize = 9_000;

/// From then on longer datagrams than this are cut: more than the usual frames hold, and what may be beyond the interface is not
/// known.
const USUAL_FRAME_BYTES: usize = 1_500;

/// The longest piece: what our SCTP sends over Ethernet in IPv6 at most. Where the interface takes less, pieces are as long as the
/// longest datagram that it took.
const LONGEST_PIECE_BYTES: usize = 1_449;

/// Most pieces of a datagram: of 16 KB, in pieces that every path carries.
const MOST_PIECES: usize = 16;

/// Most destinations of which is known what their interface takes; the oldest is forgotten.
const MOST_KNOWN: usize = 8;

/// What the interface towards a destination takes.
#[derive(Debug)]
struct Known {
    destination: SocketAddr,
    /// The longest datagram that could be a piece and was taken.
    taken: usize,
    /// Whether one that was longer than any frame was not.
    cuts: bool,
}

#[derive(Debug, Default)]
struct Sending {
    known: Vec<Known>,
    next: u32,
    /// Datagrams of the transmit at hand that went out before the socket was full.
    done: usize,
    /// Where pieces are made.
    scratch: Vec<u8>,
}

impl Sending {
    fn known(&mut self, destination: SocketAddr) -> &mut Known {
        let at = self.known.iter().position(|it| it.destination == destination).unwrap_or_else(|| {
            if self.known.len() == MOST_KNOWN {
                self.known.remove(0);
            }
            self.known.push(Known { destination, taken: 0, cuts: false });
            self.known.len() - 1
        });
        &mut self.known[at]
    }

    /// Cuts a datagram into pieces of `length` bytes, one after the other in `scratch`; how many these are.
    fn cut(&mut self, datagram: &[u8], length: usize) -> Option<usize> {
        let part = length.checked_sub(HEADER_BYTES).filter(|part| *part > 0)?;
        let count = datagram.len().div_ceil(part);
        if count > MOST_PIECES {
            return None;
        }
        self.next = self.next.wrapping_add(1);
        self.scratch.clear();
        for (index, part) in datagram.chunks(part).enumerate() {
            self.scratch.extend_from_slice(&[KIND, index as u8, count as u8, 0]);
            self.scratch.extend_from_slice(&self.next.to_be_bytes());
            self.scratch.extend_from_slice(part);
        }
        Some(count)
    }
}

/// A socket that cuts what is too long, and puts together what was cut.
#[derive(Debug)]
pub(super) struct PiecesSocket {
    socket: Arc<dyn AsyncUdpSocket>,
    sending: Mutex<Sending>,
    receiving: Mutex<Assembler>,
}

impl PiecesSocket {
    pub(super) fn new(socket: Arc<dyn AsyncUdpSocket>) -> Self {
        // Who cannot see the numbers shall not guess them; the hasher's keys are random.
        let first = RandomState::new().hash_one(KIND);
        let sending = Sending { next: first as u32, ..Sending::default() };
        Self { socket, sending: Mutex::new(sending), receiving: Mutex::default() }
    }

    fn sending(&self) -> MutexGuard<'_, Sending> {
        // Nobody panics with it held.
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends datagrams in pieces, one after the other.
    fn poll_send_cut(
        &self,
        context: &mut Context<'_>,
        sending: &mut Sending,
        transmit: &Transmit<'_>,
    ) -> Poll<io::Result<usize>> {
        let length = sending.known(transmit.destination).taken;
        let contents = transmit.contents;
        let step = transmit.segment_size.unwrap_or(contents.len()).max(1);
        for datagram in contents.chunks(step).skip(sending.done) {
            let datagram = Transmit { contents: datagram, ..borrowed(transmit) };
            let sent = ready!(self.poll_send_one(context, sending, &datagram, length));
            sending.done = if sent.is_ok() { sending.done + 1 } else { 0 };
            sent?;
        }
        sending.done = 0;
        Poll::Ready(Ok(contents.len()))
    }

    /// Sends one datagram in pieces. Where the socket takes one piece at a time, and not all of them, the rest is lost.
    fn poll_send_one(
        &self,
        context: &mut Context<'_>,
        sending: &mut Sending,
        datagram: &Transmit<'_>,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        let Some(count) = sending.cut(datagram.contents, length) else {
            return Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
        };
        let at_once = self.socket.max_gso_segments() >= count;
        let step = if at_once { sending.scratch.len() } else { length };
        let segment_size = at_once.then_some(length);
        for (at, contents) in sending.scratch.chunks(step).enumerate() {
            let pieces = Transmit { contents, segment_size, ..borrowed(datagram) };
            match self.socket.poll_send(context, &pieces) {
                Poll::Ready(Ok(_)) => (),
                Poll::Pending if at > 0 => break,
                other => return other,
            }
        }
        Poll::Ready(Ok(datagram.contents.len()))
    }
}

fn borrowed<'a>(transmit: &Transmit<'a>) -> Transmit<'a> {
    let &Transmit { destination, ecn, contents, segment_size, src_ip } = transmit;
    Transmit { destination, ecn, contents, segment_size, src_ip }
}

impl AsyncUdpSocket for PiecesSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, context: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let length = transmit.segment_size.unwrap_or(transmit.contents.len());
        if transmit.contents.first() != Some(&APPLICATION_DATA) {
            return self.socket.poll_send(context, transmit);
        }
        let mut sending = self.sending();
        let (taken, cuts) = {
            let known = sending.known(transmit.destination);
            (known.taken, known.cuts)
        };
        if cuts && length > USUAL_FRAME_BYTES {
            return self.poll_send_cut(context, &mut sending, transmit);
        }
        match ready!(self.socket.poll_send(context, transmit)) {
            Err(error) if length > LONGEST_FRAME_BYTES && taken > 0 && is_too_long(&error) => {
                sending.known(transmit.destination).cuts = true;
                self.poll_send_cut(context, &mut sending, transmit)
            }
            Ok(sent) => {
                if length > taken && length <= LONGEST_PIECE_BYTES {
                    sending.known(transmit.destination).taken = length;
                }
                Poll::Ready(Ok(sent))
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        // Nobody panics with it held.
        let mut receiving = self.receiving.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let (Some(buffer), Some(meta)) = (buffers.first_mut(), meta.first_mut())
                && receiving.take_ready(buffer, meta)
            {
                return Poll::Ready(Ok(1));
            }
            let count = ready!(self.socket.poll_recv(context, buffers, meta))?;
            let mut is_empty = true;
            for (buffer, meta) in buffers.iter_mut().zip(meta.iter_mut()).take(count) {
                receiving.handle(buffer, meta);
                is_empty &= meta.len == 0;
            }
            if !is_empty {
                return Poll::Ready(Ok(count));
            }
        }
    }

    fn max_gso_segments(&self) -> usize {
        self.socket.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.socket.max_gro_segments()
    }
}

/// Whether a datagram was refused for its length.
fn is_too_long(error: &io::Error) -> bool {
    #[cfg(unix)]
    let code = rustix::io::Errno::MSGSIZE.raw_os_error();
    #[cfg(windows)]
    let code = 10_040; // WSAEMSGSIZE
    error.raw_os_error() == Some(code)
}
