//! Datagrams in pieces: over real sockets, and with pieces that are lost, late, twice or made up.

use std::future::poll_fn;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

use super::assembler::Assembler;
use super::{APPLICATION_DATA, HEADER_BYTES, KIND, MOST_PIECES, PiecesSocket};

const FROM: ([u8; 4], u16) = ([10, 0, 0, 7], 9);

/// An interface that takes datagrams up to `mtu` bytes, and remembers them as they would be on the wire.
#[derive(Debug)]
struct Interface {
    mtu: usize,
    gso: usize,
    /// Datagrams until it is full for once.
    room: Mutex<usize>,
    wire: Mutex<Vec<Vec<u8>>>,
}

impl Interface {
    fn new(mtu: usize, gso: usize) -> Arc<Self> {
        Arc::new(Self { mtu, gso, room: Mutex::new(usize::MAX), wire: Mutex::default() })
    }
}

impl AsyncUdpSocket for Interface {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(FROM.into())
    }

    fn poll_send(&self, context: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let length = transmit.segment_size.unwrap_or(transmit.contents.len());
        if length > self.mtu {
            let code = rustix::io::Errno::MSGSIZE.raw_os_error();
            return Poll::Ready(Err(io::Error::from_raw_os_error(code)));
        }
        let mut room = self.room.lock().unwrap();
        if *room == 0 {
            *room = usize::MAX;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        *room -= 1;
        self.wire.lock().unwrap().extend(transmit.contents.chunks(length).map(<[u8]>::to_vec));
        Poll::Ready(Ok(transmit.contents.len()))
    }

    fn poll_recv(
        &self,
        _: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut wire = self.wire.lock().unwrap();
        if wire.is_empty() {
            return Poll::Pending;
        }
        let datagram = wire.remove(0);
        buffers[0][..datagram.len()].copy_from_slice(&datagram);
        (meta[0].addr, meta[0].len, meta[0].stride) = (FROM.into(), datagram.len(), datagram.len());
        Poll::Ready(Ok(1))
    }

    fn max_gso_segments(&self) -> usize {
        self.gso
    }
}

/// A record of application data.
fn record(length: usize, salt: u8) -> Vec<u8> {
    let mut record: Vec<u8> = (0..length).map(|at| (at % 251) as u8 ^ salt).collect();
    record[0] = APPLICATION_DATA;
    record
}

async fn send(socket: &PiecesSocket, contents: &[u8], segment_size: Option<usize>) -> io::Result<usize> {
    let transmit = Transmit { destination: FROM.into(), ecn: None, contents, segment_size, src_ip: None };
    poll_fn(|context| socket.poll_send(context, &transmit)).await
}

/// Everything that is there to be received.
async fn receive(socket: &PiecesSocket) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    poll_fn(|context| {
        let mut bytes = vec![0; 96_000];
        let mut meta = [RecvMeta::default()];
        while let Poll::Ready(result) = {
            let mut buffers = [IoSliceMut::new(&mut bytes)];
            socket.poll_recv(context, &mut buffers, &mut meta)
        } {
            assert_eq!((result.unwrap(), meta[0].addr), (1, FROM.into()));
            all.extend(bytes[..meta[0].len].chunks(meta[0].stride).map(<[u8]>::to_vec));
        }
        Poll::Ready(())
    })
    .await;
    all
}

/// A socket that has learnt that it has to cut, as probes of the path teach it; and what it then sent.
async fn cutting(mtu: usize, gso: usize) -> (PiecesSocket, Arc<Interface>) {
    let interface = Interface::new(mtu, gso);
    let socket = PiecesSocket::new(interface.clone());
    for length in [1_369, 1_389, 1_449, 1_469, 8_949, 16_337] {
        send(&socket, &record(length, 0), None).await.ok();
    }
    interface.wire.lock().unwrap().clear();
    (socket, interface)
}

#[tokio::test]
async fn what_no_frame_holds_arrives_whole() {
    for (mtu, gso) in [(1_472, 64), (1_472, 1), (1_392, 64)] {
        let (socket, interface) = cutting(mtu, gso).await;
        let sent = [record(16_337, 1), record(9_000, 2), record(2_889, 3), record(100, 4), record(1_370, 5)];
        for record in &sent {
            assert_eq!(send(&socket, record, None).await.unwrap(), record.len());
        }
        assert!(interface.wire.lock().unwrap().iter().all(|it| it.len() <= mtu));
        assert_eq!(receive(&socket).await, sent, "MTU {mtu}, {gso} at once");
    }
}

#[tokio::test]
async fn a_run_of_datagrams_goes_on_where_the_socket_was_full() {
    let (socket, interface) = cutting(1_472, 64).await;
    let run: Vec<u8> = (0..20).flat_map(|salt| record(2_889, salt)).collect();
    *interface.room.lock().unwrap() = 7;
    assert_eq!(send(&socket, &run, Some(2_889)).await.unwrap(), run.len());
    assert_eq!(receive(&socket).await.concat(), run);
}

/// A probe for longer frames must not pass in pieces, and what is not application data nobody can put together.
#[tokio::test]
async fn nothing_else_is_cut() {
    let interface = Interface::new(1_472, 64);
    let socket = PiecesSocket::new(interface.clone());
    send(&socket, &record(1_449, 0), None).await.unwrap();
    assert!(send(&socket, &record(8_949, 0), None).await.is_err());
    let mut handshake = record(16_337, 0);
    handshake[0] = 22;
    assert!(send(&socket, &handshake, None).await.is_err());
    assert_eq!(interface.wire.lock().unwrap().len(), 1);
    // Loopback takes what no frame holds.
    let interface = Interface::new(65_535, 64);
    let socket = PiecesSocket::new(interface.clone());
    send(&socket, &record(16_337, 0), None).await.unwrap();
    assert_eq!(interface.wire.lock().unwrap()[0].len(), 16_337);
}

/// The pieces of a record as they are on the wire.
fn pieces(number: u32, record: &[u8], part: usize) -> Vec<Vec<u8>> {
    let count = record.len().div_ceil(part) as u8;
    let piece = |(index, part): (usize, &[u8])| {
        [&[KIND, index as u8, count, 0][..], &number.to_be_bytes(), part].concat()
    };
    record.chunks(part).enumerate().map(piece).collect()
}

/// Gives an assembler datagrams in one buffer, as GRO does; what comes out.
fn take(assembler: &mut Assembler, datagrams: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut buffer = datagrams.concat();
    let mut meta = RecvMeta::default();
    (meta.addr, meta.len, meta.stride) = (FROM.into(), buffer.len(), datagrams[0].len());
    assembler.handle(&mut buffer, &mut meta);
    let mut out: Vec<Vec<u8>> = buffer[..meta.len].chunks(meta.stride.max(1)).map(<[u8]>::to_vec).collect();
    let mut ready = vec![0; 70_000];
    while assembler.take_ready(&mut ready, &mut meta) {
        out.push(ready[..meta.len].to_vec());
    }
    out
}

#[test]
fn pieces_of_many_datagrams_in_one_buffer_are_put_together() {
    // All of one length, so that the kernel may hand them over together.
    let sent: Vec<Vec<u8>> = (0..3).map(|salt| record(6_000, salt)).collect();
    let all: Vec<_> = (0..3).flat_map(|at| pieces(at, &sent[at as usize], 1_000)).collect();
    assert_eq!(take(&mut Assembler::default(), &all), sent);
    // Cut in the middle of one, with one whole datagram between.
    let mut assembler = Assembler::default();
    let mut middle = all[4..13].to_vec();
    middle.insert(5, record(1_008, 9));
    let out =
        [take(&mut assembler, &all[..4]), take(&mut assembler, &middle), take(&mut assembler, &all[13..])];
    let mut out: Vec<_> = out.concat();
    let mut expected = [sent, vec![record(1_008, 9)]].concat();
    out.sort();
    expected.sort();
    assert_eq!(out, expected);
}

#[test]
fn order_does_not_matter_and_what_comes_twice_counts_once() {
    let sent = record(16_337, 1);
    let mut all = pieces(7, &sent, 1_441);
    all.reverse();
    all.insert(3, all[0].clone());
    let mut assembler = Assembler::default();
    let out: Vec<_> = all.iter().flat_map(|it| take(&mut assembler, std::slice::from_ref(it))).collect();
    assert_eq!(out, [sent]);
}

#[test]
fn with_one_piece_all_are_lost_and_nothing_else() {
    let mut assembler = Assembler::default();
    let (first, second) = (record(5_000, 1), record(5_000, 2));
    let mut all = pieces(1, &first, 1_000);
    all.remove(2);
    all.extend(pieces(2, &second, 1_000));
    assert_eq!(take(&mut assembler, &all), [second]);
}

/// Whoever sends what: nothing is kept but a bounded number of datagrams, and nothing comes out that is not DTLS's.
#[test]
fn made_up_pieces_do_no_harm() {
    let mut assembler = Assembler::default();
    for number in 0..10_000_u32 {
        let out = take(&mut assembler, &pieces(number, &record(9_000, 0), 1_000)[..8]);
        assert!(out.is_empty());
    }
    assert_eq!(assembler.partial.len(), super::assembler::MOST_PARTIAL);
    let mut handshake = record(4_000, 0);
    handshake[0] = 22;
    assert!(take(&mut assembler, &pieces(1, &handshake, 1_000)).is_empty());
    let late: Vec<_> = pieces(2, &handshake, 1_000).into_iter().rev().collect();
    assert!(take(&mut assembler, &late).is_empty());
    for header in [[KIND, 3, 3, 0], [KIND, 0, 1, 0], [KIND, 0, 0, 0], [KIND, 0, 17, 0], [KIND, 0, 3, 1]] {
        assert!(take(&mut assembler, &[[&header[..], &[0; 4], &[23; 100]].concat()]).is_empty());
    }
    for length in 0..=HEADER_BYTES {
        assert!(take(&mut assembler, &[vec![KIND; length.max(1)]]).is_empty());
    }
    // Parts that do not fit together.
    let uneven = [record(1_000, 0), record(900, 0), record(1_000, 0)];
    for (index, part) in uneven.iter().enumerate() {
        let piece = [&[KIND, index as u8, 3, 0, 0, 0, 0, 9][..], part].concat();
        assert!(take(&mut assembler, &[piece]).is_empty());
    }
    const { assert!(MOST_PIECES <= 16) };
}
