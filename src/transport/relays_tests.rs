//! A lane and a TURN server that permits nothing at first: a stub, as our own answers for every address that is not
//! one of its own relays.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use rtc::stun::attributes::{ATTR_NONCE, ATTR_REALM};
use rtc::stun::error_code::{CODE_FORBIDDEN, CODE_UNAUTHORIZED};
use rtc::stun::message::{
    CLASS_ERROR_RESPONSE, CLASS_SUCCESS_RESPONSE, Getter, METHOD_ALLOCATE, METHOD_CREATE_PERMISSION,
    METHOD_SEND, Message, MessageType, Setter,
};
use rtc::stun::textattrs::{Nonce, Realm};
use rtc::turn::proto::lifetime::Lifetime;
use rtc::turn::proto::peeraddr::PeerAddress;
use rtc::turn::proto::relayaddr::RelayedAddress;
use tokio::net::UdpSocket;

use crate::transport::grounds::{Grounds, Policy, Reach};
use crate::transport::peer::{Lane, LaneError, LaneEvent};
use crate::wire::signaling::IceServer;

/// Longest wait for anything; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the stub says that it relays from: an address of documentation (RFC 5737).
const RELAYED: [u8; 4] = [198, 51, 100, 1];

/// Peers whose addresses are told to the lane.
const PEERS: u8 = 8;

/// Requests that are refused before the first is granted: 25 for each peer.
const REFUSED: usize = 25 * PEERS as usize;

struct Stub {
    socket: UdpSocket,
    permits: bool,
}

/// What came to the stub.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Permission(IpAddr),
    Data(IpAddr),
    Other,
}

impl Stub {
    async fn new() -> (Self, IceServer) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let url = format!("turn:{}?transport=udp", socket.local_addr().unwrap());
        let server =
            IceServer { urls: vec![url], username: Some("me".into()), credential: Some("secret".into()) };
        (Self { socket, permits: false }, server)
    }

    /// Takes and answers one message.
    async fn next(&self) -> Came {
        let mut buffer = [0; 2048];
        let (length, client) = self.socket.recv_from(&mut buffer).await.unwrap();
        let mut request = Message::new();
        request.raw = buffer[..length].to_vec();
        if request.decode().is_err() {
            return Came::Other;
        }
        let peer = || {
            let mut peer = PeerAddress::default();
            peer.get_from(&request).unwrap();
            peer.ip
        };
        let realm = || Box::new(Realm::new(ATTR_REALM, "stub".to_owned())) as Box<dyn Setter>;
        let nonce = || Box::new(Nonce::new(ATTR_NONCE, "nonce".to_owned())) as Box<dyn Setter>;
        let (class, more, came): (_, Vec<Box<dyn Setter>>, _) = match request.typ.method {
            METHOD_ALLOCATE if !request.contains(ATTR_NONCE) => {
                (CLASS_ERROR_RESPONSE, vec![Box::new(CODE_UNAUTHORIZED), realm(), nonce()], Came::Other)
            }
            METHOD_ALLOCATE => {
                let relayed = RelayedAddress { ip: RELAYED.into(), port: 50_000 };
                let lifetime = Lifetime(Duration::from_secs(600));
                (CLASS_SUCCESS_RESPONSE, vec![Box::new(relayed), Box::new(lifetime)], Came::Other)
            }
            METHOD_CREATE_PERMISSION if self.permits => {
                (CLASS_SUCCESS_RESPONSE, vec![], Came::Permission(peer()))
            }
            METHOD_CREATE_PERMISSION => {
                (CLASS_ERROR_RESPONSE, vec![Box::new(CODE_FORBIDDEN)], Came::Permission(peer()))
            }
            METHOD_SEND => return Came::Data(peer()),
            _ => return Came::Other,
        };
        let mut answer = Message::new();
        let kind = MessageType::new(request.typ.method, class);
        let head: Vec<Box<dyn Setter>> = vec![Box::new(request.transaction_id), Box::new(kind)];
        answer.build(&head.into_iter().chain(more).collect::<Vec<_>>()).unwrap();
        self.socket.send_to(&answer.raw, client).await.unwrap();
        came
    }
}

/// A lane with this server, on loopback and relayed paths only.
async fn lane(server: IceServer) -> Lane {
    let mut grounds = Grounds::new(Reach::Everywhere, vec![server]);
    grounds.policy = Policy::RelayOnly;
    let all = if_addrs::get_if_addrs().unwrap();
    grounds.interfaces = all.into_iter().filter(|it| it.is_loopback()).map(|it| it.name).collect();
    Lane::on(grounds).await.unwrap()
}

/// What is told of a lane that may be reached through a relay only, until the first candidate is.
async fn told(lane: &mut Lane, stub: &Stub) -> (String, String) {
    let offer = lane.offer().await.unwrap();
    loop {
        tokio::select! {
            event = lane.next_event() => match event {
                LaneEvent::Candidate(candidate) => return (offer, candidate),
                LaneEvent::Failed => panic!("it failed"),
                _ => (),
            },
            _ = stub.next() => (),
        }
    }
}

#[tokio::test]
async fn with_relays_only_nothing_that_is_told_has_an_address_of_ours() {
    let test = async {
        let (stub, server) = Stub::new().await;
        let mut lane = lane(server).await;
        let (offer, candidate) = told(&mut lane, &stub).await;
        let told = offer + &candidate;
        assert!(told.contains("198.51.100.1 50000 typ relay"), "{told}");
        let hosts = if_addrs::get_if_addrs().unwrap().into_iter().map(|it| it.ip().to_string());
        // `::1` is in other things, too.
        for host in hosts.filter(|it| it.len() > 6) {
            assert!(!told.contains(&host), "{host} in {told}");
        }
        assert_eq!(told.matches("typ ").count(), 1, "{told}");
        lane.abandon().await;
    };
    tokio::time::timeout(PATIENCE, test).await.unwrap();
}

#[tokio::test]
async fn with_relays_only_and_no_relay_there_is_no_lane() {
    let mut grounds = Grounds::new(Reach::Everywhere, Vec::new());
    grounds.policy = Policy::RelayOnly;
    assert_eq!(Lane::on(grounds).await.err(), Some(LaneError::NoRelay));
}

/// A closed relay refuses each of the peer's addresses that is no relay's. Checks that it refused are gone: they do not
/// pile up and come all at once when one is permitted.
#[tokio::test]
async fn checks_that_a_relay_does_not_permit_do_not_pile_up() {
    let test = async {
        let (mut stub, server) = Stub::new().await;
        let mut lane = lane(server).await;
        let (offer, _) = told(&mut lane, &stub).await;
        let peer = Lane::new(Reach::SameHost, &[]).await.unwrap();
        let answer = peer.answer(offer).await.unwrap();
        lane.accept(answer).await.unwrap();
        for number in 1..=PEERS {
            let line = format!("candidate:1 1 udp 7 192.0.2.{number} 5000 typ host");
            lane.add_candidate(&format!(r#"{{"candidate":"{line}","sdpMLineIndex":0}}"#)).await;
        }
        let (mut refused, mut sent) = (0, HashMap::new());
        while refused < REFUSED {
            tokio::select! {
                event = lane.next_event() => assert_ne!(event, LaneEvent::Failed),
                came = stub.next() => match came {
                    Came::Permission(_) => refused += 1,
                    Came::Data(peer) => panic!("data for {peer} without permission"),
                    Came::Other => (),
                },
            }
        }
        stub.permits = true;
        while sent.len() < usize::from(PEERS) {
            tokio::select! {
                event = lane.next_event() => assert_ne!(event, LaneEvent::Failed),
                came = stub.next() => if let Came::Data(peer) = came {
                    *sent.entry(peer).or_insert(0) += 1;
                },
            }
        }
        let most = REFUSED / 4;
        assert!(sent.values().sum::<usize>() < most, "{sent:?}");
        tokio::join!(lane.abandon(), peer.abandon());
    };
    tokio::time::timeout(PATIENCE, test).await.unwrap();
}
