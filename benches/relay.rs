//! How fast the relay of `p2pcp signal` is: two raw TURN clients over loopback, the server on a thread of its own, whose
//! processor time is what counts.
//!
//! `cargo bench --bench relay -- [SECONDS]` prints a line for each pair of transports. benches/README.md explains it.

use std::io::{self, IoSliceMut, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use p2pcp::server::relay::RelayConfig;
use p2pcp::server::{self, Config};
use p2pcp::signaling::{Incoming, ServerUrl, Signaling};
use p2pcp::wire::signaling::IceServer;
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use rtc_crypto::providers::RingCrypto;
use rtc_stun::attributes::{
    ATTR_CHANNEL_NUMBER, ATTR_ERROR_CODE, ATTR_NONCE, ATTR_REALM, ATTR_REQUESTED_TRANSPORT, ATTR_USERNAME,
    ATTR_XOR_PEER_ADDRESS, ATTR_XOR_RELAYED_ADDRESS, AttrType,
};
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{
    CLASS_REQUEST, METHOD_ALLOCATE, METHOD_CHANNEL_BIND, Message, MessageType, Method, Setter, TransactionId,
};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Payload of a packet: what SCTP sends over an Ethernet path, in DTLS.
const PAYLOAD: usize = 1228;

/// Packets that a sender hands over at once.
const BURST: usize = 40;

const CHANNEL: u16 = 0x4000;

fn main() -> Result<(), Failure> {
    let seconds = std::env::args().filter_map(|it| it.parse().ok()).next().unwrap_or(5);
    println!("| path | MB/s | CPU of the server | MB/s on a whole core | lost |\n|---|---|---|---|---|");
    for (name, from_tcp, to_tcp, gso) in [
        ("UDP to UDP", false, false, true),
        ("UDP to UDP, one packet a call", false, false, false),
        ("UDP to TCP", false, true, true),
        ("TCP to UDP", true, false, true),
        ("TCP to TCP", true, true, true),
    ] {
        let measured = measure(from_tcp, to_tcp, gso, Duration::from_secs(seconds))?;
        let Measured { sent, received, wall, cpu } = measured;
        let rate = received as f64 / 1e6 / wall.as_secs_f64();
        let share = cpu.as_secs_f64() / wall.as_secs_f64();
        let lost = 100.0 * (1.0 - received as f64 / sent as f64);
        println!("| {name} | {rate:.0} | {:.0} % | **{:.0}** | {lost:.1} % |", share * 100.0, rate / share);
    }
    Ok(())
}

struct Measured {
    sent: u64,
    received: u64,
    wall: Duration,
    cpu: Duration,
}

/// Relays for a while and counts payload.
fn measure(from_tcp: bool, to_tcp: bool, gso: bool, time: Duration) -> Result<Measured, Failure> {
    let (told, tell) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = thread::spawn(move || -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let thread = std::fs::read_link("/proc/thread-self")?;
            told.send((listener.local_addr()?, thread)).map_err(|_| "nobody listens")?;
            let config = Config { relay: Some(RelayConfig::default()), ..Config::default() };
            server::run(listener, config, async move { drop(stopped.await) }).await?;
            Ok(())
        })
    });
    let (address, thread) = tell.blocking_recv()?;
    let [ice, others] = meet(address)?;
    let mut one = Peer::new(address, from_tcp, &ice)?;
    let mut other = Peer::new(address, to_tcp, &others)?;
    let (first, second) = (one.allocate()?, other.allocate()?);
    one.bind(second)?;
    other.bind(first)?;

    let (over, received) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let receiver = {
        let (over, received) = (Arc::clone(&over), Arc::clone(&received));
        thread::spawn(move || other.take(&over, &received))
    };
    let spent = || -> Result<Duration, Failure> {
        let text = std::fs::read_to_string(std::path::Path::new("/proc").join(&thread).join("schedstat"))?;
        Ok(Duration::from_nanos(text.split(' ').next().ok_or("no figure")?.parse()?))
    };
    let (begun, before) = (Instant::now(), spent()?);
    let sent = one.give(begun + time, gso)?;
    let (wall, received) = (begun.elapsed(), received.load(Ordering::Relaxed));
    let cpu = spent()?.saturating_sub(before);
    over.store(true, Ordering::Relaxed);
    drop((one, stop));
    server.join().map_err(|_| "the server panicked")??;
    receiver.join().map_err(|_| "the receiver panicked")??;
    Ok(Measured { sent, received, wall, cpu })
}

/// What two peers are told that meet.
fn meet(address: SocketAddr) -> Result<[Vec<IceServer>; 2], Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let url: ServerUrl = format!("ws://{address}").parse()?;
        let timeout = Duration::from_secs(10);
        let mut sender = Signaling::connect(&url, timeout).await?;
        let room = sender.create([1; 16]).await?;
        let mut receiver = Signaling::connect(&url, timeout).await?;
        let joined = receiver.join(room.nameplate, [2; 16]).await?;
        match sender.recv().await? {
            Incoming::Peer { ice, .. } => Ok([joined.ice, ice]),
            _ => Err("nobody joined".into()),
        }
    })
}

enum Way {
    Udp(UdpSocket, UdpSocketState),
    Tcp(TcpStream),
}

struct Peer {
    way: Way,
    username: String,
    password: String,
    nonce: Vec<u8>,
}

impl Peer {
    fn new(server: SocketAddr, by_tcp: bool, ice: &[IceServer]) -> Result<Self, Failure> {
        let turn = ice.last().ok_or("no relay on offer")?;
        let way = if by_tcp {
            let stream = TcpStream::connect(server)?;
            stream.set_nodelay(true)?;
            Way::Tcp(stream)
        } else {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect(server)?;
            let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
            socket.set_nonblocking(false)?;
            state.set_recv_buffer_size(UdpSockRef::from(&socket), 4 << 20)?;
            Way::Udp(socket, state)
        };
        let [username, password] =
            [&turn.username, &turn.credential].map(|it| it.clone().unwrap_or_default());
        Ok(Self { way, username, password, nonce: Vec::new() })
    }

    fn allocate(&mut self) -> Result<SocketAddr, Failure> {
        let transport = (ATTR_REQUESTED_TRANSPORT, vec![17, 0, 0, 0]);
        let challenge = self.ask(METHOD_ALLOCATE, std::slice::from_ref(&transport))?;
        self.nonce = challenge.get(ATTR_NONCE)?;
        let answer = self.ask(METHOD_ALLOCATE, &[transport])?;
        let value = answer.get(ATTR_XOR_RELAYED_ADDRESS)?;
        let [_, _, high, low, ..] = value[..] else { return Err("no address".into()) };
        let server = match &self.way {
            Way::Udp(socket, _) => socket.peer_addr()?,
            Way::Tcp(stream) => stream.peer_addr()?,
        };
        Ok((server.ip(), u16::from_be_bytes([high ^ 0x21, low ^ 0x12])).into())
    }

    fn bind(&mut self, peer: SocketAddr) -> Result<(), Failure> {
        let std::net::IpAddr::V4(ip) = peer.ip() else { return Err("not IPv4".into()) };
        let [high, low] = peer.port().to_be_bytes();
        let [a, b, c, d] = ip.octets();
        let address = vec![0, 1, high ^ 0x21, low ^ 0x12, a ^ 0x21, b ^ 0x12, c ^ 0xa4, d ^ 0x42];
        let number = [&CHANNEL.to_be_bytes()[..], &[0, 0]].concat();
        let answer = self
            .ask(METHOD_CHANNEL_BIND, &[(ATTR_CHANNEL_NUMBER, number), (ATTR_XOR_PEER_ADDRESS, address)])?;
        if answer.contains(ATTR_ERROR_CODE) { Err("no channel".into()) } else { Ok(()) }
    }

    fn ask(&mut self, method: Method, attributes: &[(AttrType, Vec<u8>)]) -> Result<Message, Failure> {
        let mut message = Message::new();
        message.typ = MessageType::new(method, CLASS_REQUEST);
        message.transaction_id = TransactionId::new();
        message.encode();
        attributes.iter().for_each(|(kind, value)| message.add(*kind, value));
        if !self.nonce.is_empty() {
            message.add(ATTR_USERNAME, self.username.as_bytes());
            message.add(ATTR_REALM, b"p2pcp");
            message.add(ATTR_NONCE, &self.nonce);
            let (username, password) = (self.username.clone(), self.password.clone());
            MessageIntegrity::new_long_term_integrity_with_provider(
                username,
                "p2pcp".to_owned(),
                password,
                &RingCrypto,
            )?
            .add_to(&mut message)?;
        }
        let mut answer = vec![0; 1500];
        let length = match &mut self.way {
            Way::Udp(socket, _) => {
                socket.send(&message.raw)?;
                socket.recv(&mut answer)?
            }
            Way::Tcp(stream) => {
                stream.write_all(&message.raw)?;
                stream.read_exact(&mut answer[..20])?;
                let length = usize::from(u16::from_be_bytes([answer[2], answer[3]]));
                stream.read_exact(&mut answer[20..20 + length])?;
                20 + length
            }
        };
        let mut message = Message::new();
        message.unmarshal_binary(&answer[..length])?;
        Ok(message)
    }

    /// Sends until then, as fast as it is taken; returns the bytes of payload.
    fn give(&mut self, until: Instant, gso: bool) -> Result<u64, Failure> {
        let length = u16::try_from(PAYLOAD)?;
        let mut packet = [CHANNEL.to_be_bytes(), length.to_be_bytes()].concat();
        packet.resize(4 + PAYLOAD, 7);
        let burst = packet.repeat(if gso { BURST } else { 1 });
        let mut sent = 0;
        while Instant::now() < until {
            match &mut self.way {
                Way::Udp(socket, state) => {
                    let destination = socket.peer_addr()?;
                    let transmit = Transmit {
                        destination,
                        ecn: None,
                        contents: &burst,
                        segment_size: gso.then_some(packet.len()),
                        src_ip: None,
                    };
                    state.try_send(UdpSockRef::from(&*socket), &transmit)?;
                }
                Way::Tcp(stream) => stream.write_all(&burst)?,
            }
            sent += (burst.len() / packet.len() * PAYLOAD) as u64;
        }
        Ok(sent)
    }

    /// Counts the payload that comes until it is over.
    fn take(&mut self, over: &AtomicBool, received: &AtomicU64) -> Result<(), Failure> {
        let mut storage = vec![0; BATCH_SIZE << 16];
        let timeout = Some(Duration::from_millis(100));
        match &mut self.way {
            Way::Udp(socket, state) => {
                socket.set_read_timeout(timeout)?;
                while !over.load(Ordering::Relaxed) {
                    let mut buffers: Vec<_> = storage.chunks_mut(1 << 16).map(IoSliceMut::new).collect();
                    let mut meta = [RecvMeta::default(); BATCH_SIZE];
                    match state.recv(UdpSockRef::from(&*socket), &mut buffers, &mut meta) {
                        Ok(count) => {
                            let payload = |it: &RecvMeta| it.len - it.len.div_ceil(it.stride.max(1)) * 4;
                            let bytes: usize = meta.iter().take(count).map(payload).sum();
                            received.fetch_add(bytes as u64, Ordering::Relaxed);
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Way::Tcp(stream) => {
                stream.set_read_timeout(timeout)?;
                while !over.load(Ordering::Relaxed) {
                    match stream.read(&mut storage) {
                        Ok(0) => break,
                        // All frames are equal.
                        Ok(count) => {
                            let bytes = count * PAYLOAD / (PAYLOAD + 4);
                            received.fetch_add(bytes as u64, Ordering::Relaxed);
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(_) => break,
                    }
                }
            }
        }
        Ok(())
    }
}
