//! STUN and TURN of a whole server, with another implementation's client on the other end: `rtc-turn`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rtc_crypto::providers::RingProvider;
use rtc_shared::{TransportContext, TransportMessage};
use rtc_turn::client::{Client as TurnClient, ClientConfig, Event};
use sansio::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::{NR, TestServer, create, join, patient};
use crate::server::Config;
use crate::server::relay::RelayConfig;
use crate::wire::signaling::{ClientMessage, Hex, IceServer, MeetRole, ServerMessage, Token};

/// A server that relays at both UDP ports, and what it tells two peers that met.
async fn relaying() -> (TestServer, [Vec<IceServer>; 2]) {
    loop {
        let server = TestServer::start(Config { relay: Some(RelayConfig::default()), ..patient() }).await;
        let mut sender = server.client().await;
        sender.send(&create()).await;
        let ServerMessage::Created { nameplate, ice, .. } = sender.recv().await else { panic!("no room") };
        // Only the port for TCP was chosen to be free.
        let ports = ice.first().map_or(0, |it| it.urls.len());
        assert!(ice.iter().all(|it| it.username.is_none() && it.credential.is_none()), "nobody joined yet");
        if ports < 2 {
            server.stop().await;
            continue;
        }
        let mut receiver = server.client().await;
        receiver.send(&join(nameplate)).await;
        let ServerMessage::Joined { ice, .. } = receiver.recv().await else { panic!("not joined") };
        let ServerMessage::Peer { nr: NR, ice: others } = sender.recv().await else {
            panic!("nobody joined")
        };
        return (server, [ice, others]);
    }
}

enum Way {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

/// A peer that relays.
struct Party {
    client: TurnClient,
    way: Way,
    server: SocketAddr,
}

impl Party {
    async fn new(server: SocketAddr, by_tcp: bool, ice: &[IceServer]) -> Self {
        let turn = ice.last().unwrap();
        let (way, local_addr) = if by_tcp {
            let stream = TcpStream::connect(server).await.unwrap();
            let local = stream.local_addr().unwrap();
            (Way::Tcp(stream), local)
        } else {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let local = socket.local_addr().unwrap();
            (Way::Udp(socket), local)
        };
        let config = ClientConfig {
            turn_serv_addr: server.to_string(),
            stun_serv_addr: server.to_string(),
            local_addr,
            username: turn.username.clone().unwrap(),
            password: turn.credential.clone().unwrap(),
            ..ClientConfig::default()
        };
        let client = TurnClient::new(config, Arc::new(RingProvider::new())).unwrap();
        Self { client, way, server }
    }

    /// What happens next.
    async fn event(&mut self) -> Event {
        loop {
            self.say().await;
            if let Some(event) = self.client.poll_event() {
                return event;
            }
            self.hear().await;
        }
    }

    async fn say(&mut self) {
        while let Some(packet) = self.client.poll_write() {
            match &mut self.way {
                Way::Udp(socket) => drop(socket.send_to(&packet.message, self.server).await.unwrap()),
                Way::Tcp(stream) => stream.write_all(&packet.message).await.unwrap(),
            }
        }
    }

    async fn hear(&mut self) {
        let mut packet = vec![0; 65_536];
        let length = match &mut self.way {
            Way::Udp(socket) => socket.recv(&mut packet).await.unwrap(),
            Way::Tcp(stream) => {
                stream.read_exact(&mut packet[..4]).await.unwrap();
                let length = usize::from(u16::from_be_bytes([packet[2], packet[3]])).next_multiple_of(4);
                let rest = if packet[0] < 0x40 { length + 16 } else { length };
                stream.read_exact(&mut packet[4..4 + rest]).await.unwrap();
                4 + rest
            }
        };
        let transport = TransportContext { peer_addr: self.server, ..TransportContext::default() };
        let message = packet[..length].into();
        let heard = TransportMessage { now: Instant::now(), transport, message };
        self.client.handle_read(heard).unwrap();
    }

    async fn allocate(&mut self) -> SocketAddr {
        self.client.allocate(Instant::now()).unwrap();
        match self.event().await {
            Event::AllocateResponse(_, relayed) => relayed,
            other => panic!("{other:?}"),
        }
    }

    async fn permit(&mut self, own: SocketAddr, peer: SocketAddr) -> bool {
        self.client.relay(own).unwrap().create_permission(Instant::now(), peer).unwrap();
        match self.event().await {
            Event::CreatePermissionResponse(_, permitted) => permitted == peer,
            Event::CreatePermissionError(..) => false,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn peers_are_told_of_the_relay_when_they_have_met() {
    let (server, [ice, others]) = relaying().await;
    let port = server.address.port();
    for ice in [&ice, &others] {
        let [stun, turn] = &ice[..] else { panic!("{ice:?}") };
        assert_eq!(stun.urls, [format!("stun:_:{port}"), format!("stun:_:{}", port + 1)]);
        let urls = [format!("turn:_:{port}?transport=udp"), format!("turn:_:{port}?transport=tcp")];
        assert_eq!(turn.urls, urls);
    }
    let name = |ice: &[IceServer]| ice[1].username.clone().unwrap();
    let room = |name: &str| name.split(':').nth(1).unwrap().to_owned();
    assert_ne!(name(&ice), name(&others));
    assert_eq!(room(&name(&ice)), room(&name(&others)));

    // Who meets again has another room.
    let (mut one, mut other) = (server.client().await, server.client().await);
    for (client, role) in [(&mut one, MeetRole::Sender), (&mut other, MeetRole::Receiver)] {
        client.send(&ClientMessage::Meet { v: 1, token: Token([3; 32]), role, nonce: Hex([4; 16]) }).await;
    }
    let ServerMessage::Met { ice: again, .. } = one.recv().await else { panic!("not met") };
    let ServerMessage::Met { ice: others, .. } = other.recv().await else { panic!("not met") };
    assert_eq!(room(&name(&again)), room(&name(&others)));
    assert_ne!(room(&name(&again)), room(&name(&ice)));
    drop((one, other));
    server.stop().await;
}

/// UDP to UDP, UDP to TCP, TCP to TCP: first behind an address, then by a channel.
#[tokio::test]
async fn another_implementations_clients_reach_each_other() {
    for (first_by_tcp, second_by_tcp) in [(false, false), (false, true), (true, false), (true, true)] {
        let (server, [ice, others]) = relaying().await;
        let mut one = Party::new(server.address, first_by_tcp, &ice).await;
        let mut other = Party::new(server.address, second_by_tcp, &others).await;
        let (first, second) = (one.allocate().await, other.allocate().await);
        assert_eq!(first.ip(), server.address.ip());
        assert!(!one.permit(first, "192.0.2.1:80".parse().unwrap()).await, "a stranger's address");
        assert!(!one.permit(first, server.address).await, "the server itself");
        assert!(one.permit(first, second).await);
        assert!(other.permit(second, first).await);
        // The first goes by Send and asks for a channel, which stands when it was answered.
        for round in 0..20 {
            let words = format!("message {round}");
            let now = Instant::now();
            one.client.relay(first).unwrap().send_to(now, words.as_bytes(), second).unwrap();
            one.say().await;
            if round == 0 {
                one.hear().await;
            }
            match other.event().await {
                Event::DataIndicationOrChannelData(channel, from, data) => {
                    assert_eq!((from, &data[..]), (first, words.as_bytes()));
                    assert_eq!(channel, None, "the other has bound none");
                }
                event => panic!("{event:?}"),
            }
        }
        other.client.relay(second).unwrap().send_to(Instant::now(), b"back", first).unwrap();
        other.say().await;
        let Event::DataIndicationOrChannelData(channel, from, data) = one.event().await else {
            panic!("no data")
        };
        assert_eq!((from, &data[..]), (second, &b"back"[..]));
        assert!(channel.is_some());
        drop((one, other));
        server.stop().await;
    }
}

#[tokio::test]
async fn a_client_sees_its_address_from_both_ports() {
    let (server, [ice, _]) = relaying().await;
    let mut party = Party::new(server.address, false, &ice).await;
    let Way::Udp(socket) = &party.way else { panic!("by UDP") };
    let own = socket.local_addr().unwrap();
    for port in [server.address.port(), server.address.port() + 1] {
        party.server = (server.address.ip(), port).into();
        party.client.send_binding_request_to(Instant::now(), party.server).unwrap();
        match party.event().await {
            Event::BindingResponse(_, seen) => assert_eq!(seen, own),
            event => panic!("{event:?}"),
        }
    }
    server.stop().await;
}

/// What is not TURN, or is cut short, ends the stream and no more.
#[tokio::test]
async fn a_stream_that_breaks_the_rules_is_closed() {
    let (server, _) = relaying().await;
    for wrong in [
        &[0, 1, 0, 3, 0, 0][..],
        &[0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x90, 0, 0, 0],
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(wrong).await.unwrap();
        let mut rest = Vec::new();
        // It is closed, or reset where something was left unread.
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.is_empty());
    }
    assert!(server.get("/healthz").await.starts_with("HTTP/1.1 200"), "all else goes on");
    server.stop().await;
}
