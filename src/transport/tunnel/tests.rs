//! Claims about tunnels, made with a stream that the test holds the other end of.

use std::future::poll_fn;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Context;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpListener;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Runtime, TokioRuntime};

use super::{TunnelSocket, Tunnels};
use crate::dial::{BoxStream, Dialer};
use crate::transport::grounds::{Grounds, Reach, StreamRelay};
use crate::wire::signaling::IceServer;

/// What ICE is told the first tunnel is.
const FIRST: &str = "turn:240.0.0.1:3478?transport=udp";

fn made_up() -> SocketAddr {
    "240.0.0.1:3478".parse().unwrap()
}

/// A lane's tunnel over a stream that holds so many bytes.
fn tunnel(bytes: usize) -> (Arc<Tunnels>, DuplexStream) {
    let (near, far) = duplex(bytes);
    let mut tunnels = Tunnels::default();
    let url = tunnels.add("turn:test".to_owned(), async { Ok(Box::new(near) as BoxStream) });
    assert_eq!(url, FIRST);
    (Arc::new(tunnels), far)
}

fn socket(tunnels: &Arc<Tunnels>) -> TunnelSocket {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    TunnelSocket::new(TokioRuntime.wrap_udp_socket(socket).unwrap(), Arc::clone(tunnels)).unwrap()
}

/// A ChannelData message with so many bytes of data.
fn channel_data(len: u16, fill: u8) -> Vec<u8> {
    [&[0x40, 0][..], &len.to_be_bytes(), &vec![fill; len.into()]].concat()
}

/// An Allocate request with this number.
fn request(id: u8) -> Vec<u8> {
    [&[0, 3, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[id; 12]].concat()
}

/// A server's answer to it.
fn answer(id: u8) -> Vec<u8> {
    [&[1, 3, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[id; 12]].concat()
}

/// The datagrams of one receive, and whom they are from.
async fn receive(socket: &TunnelSocket) -> (SocketAddr, Vec<Vec<u8>>) {
    let (mut buffer, mut meta) = (vec![0; 96_000], [RecvMeta::default(); 1]);
    let receive =
        |context: &mut Context<'_>| socket.poll_recv(context, &mut [IoSliceMut::new(&mut buffer)], &mut meta);
    assert_eq!(poll_fn(receive).await.unwrap(), 1);
    let [meta] = meta;
    (meta.addr, buffer[..meta.len].chunks(meta.stride).map(<[u8]>::to_vec).collect())
}

/// Waits until sending through the tunnel fails.
async fn fails(socket: &TunnelSocket) -> io::Error {
    loop {
        match socket.send_to(&channel_data(4, 0), made_up()).await {
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => return error,
        }
    }
}

#[tokio::test]
async fn datagrams_go_into_the_stream_and_come_out_of_it_as_from_the_made_up_address() {
    let (tunnels, mut far) = tunnel(1 << 16);
    let socket = socket(&tunnels);
    let sent = [request(1), channel_data(5, 7), channel_data(8, 9)];
    for datagram in &sent {
        assert_eq!(socket.send_to(datagram, made_up()).await.unwrap(), datagram.len());
    }
    let mut stream = vec![0; 20 + 12 + 12];
    far.read_exact(&mut stream).await.unwrap();
    let padded = [&sent[0][..], &sent[1], &[0; 3], &sent[2]].concat();
    assert_eq!(stream, padded);

    far.write_all(&padded).await.unwrap();
    let mut came = Vec::new();
    while came.len() < sent.len() {
        let (from, datagrams) = receive(&socket).await;
        assert_eq!(from, made_up());
        came.extend(datagrams);
    }
    assert_eq!(came, sent);
}

/// So the library handles them in one go, as it does what the kernel puts together.
#[tokio::test]
async fn datagrams_of_one_size_are_one_receive() {
    let (tunnels, mut far) = tunnel(1 << 20);
    let socket = socket(&tunnels);
    socket.send_to(&request(1), made_up()).await.unwrap();
    far.write_all(&answer(1)).await.unwrap();
    assert_eq!(receive(&socket).await.1, [answer(1)]);
    let sizes = [1200, 1200, 1200, 800, 1200, 1400];
    let stream: Vec<u8> = sizes.iter().flat_map(|len| channel_data(*len, 1)).collect();
    far.write_all(&stream).await.unwrap();
    let mut batches = Vec::new();
    while batches.iter().map(Vec::len).sum::<usize>() < sizes.len() {
        let (_, datagrams) = receive(&socket).await;
        batches.push(datagrams.iter().map(|it| it.len() - 4).collect::<Vec<_>>());
    }
    assert_eq!(batches, [vec![1200, 1200, 1200, 800], vec![1200], vec![1400]]);
}

#[tokio::test]
async fn what_goes_elsewhere_goes_by_the_socket_and_neither_way_starves_the_other() {
    let (tunnels, mut far) = tunnel(1 << 20);
    let (socket, other) = (socket(&tunnels), std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    socket.send_to(&request(1), made_up()).await.unwrap();
    socket.send_to(b"direct", other.local_addr().unwrap()).await.unwrap();
    let mut buffer = [0; 16];
    let (len, from) = other.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..len], from), (&b"direct"[..], socket.local_addr().unwrap()));

    far.write_all(&answer(1)).await.unwrap();
    assert_eq!(receive(&socket).await.1, [answer(1)]);
    for _ in 0..4 {
        other.send_to(b"back", from).unwrap();
        // Of another size each, so that each is a receive of its own.
        far.write_all(&channel_data(8, 0)).await.unwrap();
        far.write_all(&channel_data(12, 0)).await.unwrap();
    }
    let (mut direct, mut tunnelled) = (0, 0);
    while (direct, tunnelled) != (4, 8) {
        let (from, datagrams) = receive(&socket).await;
        *(if from == made_up() { &mut tunnelled } else { &mut direct }) += datagrams.len();
    }
}

/// A machine with 20 interfaces wants one allocation, not 20.
#[tokio::test]
async fn the_first_socket_has_the_tunnel_and_the_others_are_told_so() {
    let (tunnels, mut far) = tunnel(1 << 16);
    let (first, second) = (socket(&tunnels), socket(&tunnels));
    first.send_to(&request(1), made_up()).await.unwrap();
    assert!(second.send_to(&request(2), made_up()).await.is_err());
    first.send_to(&request(3), made_up()).await.unwrap();
    let mut stream = [0; 40];
    far.read_exact(&mut stream).await.unwrap();
    assert_eq!(stream[..], [request(1), request(3)].concat());
}

/// RFC 8489 §6.2.2: a stream loses nothing, so the library's repetitions are not sent.
#[tokio::test]
async fn a_request_that_comes_again_is_sent_once() {
    let (tunnels, mut far) = tunnel(1 << 16);
    let socket = socket(&tunnels);
    for id in [1, 1, 2, 1, 2, 3] {
        socket.send_to(&request(id), made_up()).await.unwrap();
    }
    let mut stream = [0; 60];
    far.read_exact(&mut stream).await.unwrap();
    assert_eq!(stream[..], [request(1), request(2), request(3)].concat());
}

#[tokio::test]
async fn a_stream_that_does_not_move_costs_datagrams_and_no_memory() {
    let (tunnels, mut far) = tunnel(4 << 10);
    let socket = socket(&tunnels);
    let datagram = channel_data(1000, 0);
    for _ in 0..10_000 {
        assert_eq!(socket.send_to(&datagram, made_up()).await.unwrap(), datagram.len());
    }
    drop((socket, tunnels));
    let mut stream = Vec::new();
    // What is left when the sockets are gone is sent, if it goes within a second.
    far.read_to_end(&mut stream).await.unwrap();
    let sent = stream.len() / datagram.len();
    assert!(sent > 500 && stream.len() <= 2 * (512 << 10) + datagram.len(), "{sent}");
}

#[tokio::test]
async fn a_server_that_says_more_than_is_taken_is_not_read() {
    let (tunnels, mut far) = tunnel(64 << 10);
    let socket = socket(&tunnels);
    socket.send_to(&request(1), made_up()).await.unwrap();
    far.write_all(&answer(1)).await.unwrap();
    let flood = async {
        let datagram = channel_data(60_000, 0);
        let mut sent = 0;
        loop {
            far.write_all(&datagram).await.unwrap();
            sent += datagram.len();
            if sent > 4 << 20 {
                return;
            }
        }
    };
    let flood = tokio::time::timeout(std::time::Duration::from_millis(200), flood);
    assert!(flood.await.is_err(), "four times what may wait was taken");
    receive(&socket).await;
}

#[tokio::test]
async fn what_is_not_turn_ends_the_tunnel() {
    let (tunnels, mut far) = tunnel(1 << 16);
    let socket = socket(&tunnels);
    far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    fails(&socket).await;
    let mut rest = Vec::new();
    far.read_to_end(&mut rest).await.unwrap();
}

#[tokio::test]
async fn a_tunnel_that_cannot_be_opened_says_so_when_something_is_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let servers = [IceServer {
        urls: vec![
            format!("turn:{closed}?transport=tcp"),
            format!("turn:{closed}?transport=tcp"),
            "stun:192.0.2.1:3478".to_owned(),
            "turn:192.0.2.1:3478?transport=udp".to_owned(),
        ],
        username: Some("u".to_owned()),
        credential: Some("c".to_owned()),
    }];
    let (tunnels, told) = Tunnels::dig(&servers, &[], &Dialer::default());
    let [IceServer { urls, username, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(urls[..], [FIRST, "stun:192.0.2.1:3478", "turn:192.0.2.1:3478?transport=udp"]);
    assert_eq!(username.as_deref(), Some("u"));
    fails(&socket(&Arc::new(tunnels))).await;
}

/// The server is somebody's word: which of its addresses may be dialled was judged before.
#[tokio::test]
async fn no_address_is_dialled_but_those_that_were_judged() {
    let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = there.local_addr().unwrap();
    let relay = |addresses: &[SocketAddr]| StreamRelay {
        host: "localhost".to_owned(),
        addresses: addresses.to_vec(),
        port: address.port(),
        tls: false,
        credentials: ("u".to_owned(), "c".to_owned()),
    };
    let dig = |relay: StreamRelay| {
        let mut grounds = Grounds::new(Reach::Everywhere, Vec::new());
        grounds.stream_relays.push(relay);
        Tunnels::dig(&grounds.servers(), &grounds.stream_relays, &grounds.dialer).0
    };
    fails(&socket(&Arc::new(dig(relay(&[]))))).await;
    let tunnels = Arc::new(dig(relay(&[address])));
    there.accept().await.unwrap();
    drop(tunnels);
}
