//! What claims about the relay are made with: a table with a clock that a test turns, and requests by hand.

mod allocations;
mod closed;
mod random;
mod strangers;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rtc_crypto::providers::RingCrypto;
use rtc_stun::attributes::{
    ATTR_CHANNEL_NUMBER, ATTR_DATA, ATTR_ERROR_CODE, ATTR_LIFETIME, ATTR_NONCE, ATTR_REALM,
    ATTR_REQUESTED_TRANSPORT, ATTR_USERNAME, ATTR_XOR_PEER_ADDRESS, ATTR_XOR_RELAYED_ADDRESS, AttrType,
};
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{
    CLASS_INDICATION, CLASS_REQUEST, METHOD_ALLOCATE, METHOD_CHANNEL_BIND, METHOD_CREATE_PERMISSION,
    METHOD_REFRESH, METHOD_SEND, Message, MessageClass, MessageType, Method, Setter, TransactionId,
};

use crate::server::relay::credentials::{Minted, REALM};
use crate::server::relay::message::{masked, unmasked};
use crate::server::relay::policy::RelayPolicy;
use crate::server::relay::table::{Client, Table};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// The ports of the server in these tests.
const PORTS: (u16, u16) = (8091, 8092);

type Attribute = (AttrType, Vec<u8>);

/// A table, and what time it is there.
struct World {
    table: Table,
    now: Instant,
    rooms: u64,
}

/// One who has credentials, and knows a nonce.
#[derive(Clone)]
struct Peer {
    client: Client,
    minted: Minted,
    nonce: Vec<u8>,
}

/// Client `number`, by UDP, at an address of its own.
fn udp(number: u8) -> Client {
    let peer = SocketAddr::from(([198, 51, 100, number], 40_000 + u16::from(number)));
    Client { peer, local: ([203, 0, 113, 1], PORTS.0).into(), stream: None }
}

/// The same by TCP.
fn tcp(number: u8) -> Client {
    Client { stream: Some(number.into()), ..udp(number) }
}

/// The same by IPv6.
fn udp6(number: u8) -> Client {
    let peer = SocketAddr::new(IpAddr::from([0x2001, 0xdb8, 0, number.into(), 0, 0, 0, 1]), 40_000);
    Client { peer, local: "[2001:db8:ffff::1]:8091".parse().unwrap(), stream: None }
}

impl World {
    fn new(policy: RelayPolicy) -> Self {
        let now = Instant::now();
        let table = Table::new(policy, [7; 32], now, Some(PORTS), vec![PORTS.0, PORTS.1]);
        Self { table, now, rooms: 0 }
    }

    /// Two peers of one new room that have not allocated yet.
    fn pair(&mut self, one: Client, other: Client) -> [Peer; 2] {
        self.rooms += 1;
        let [first, second] = self.table.mint(self.now, self.rooms);
        [(one, first), (other, second)].map(|(client, minted)| {
            let nonce = self.table.credentials.nonce(self.now, client.peer).to_vec();
            Peer { client, minted, nonce }
        })
    }

    /// Two peers of one new room, with their relayed addresses.
    fn relayed(&mut self, one: Client, other: Client) -> [(Peer, SocketAddr); 2] {
        self.pair(one, other).map(|peer| {
            let address = self.allocate(&peer);
            (peer, address)
        })
    }

    fn put(&mut self, from: Client, packet: &[u8]) -> Option<(Client, Vec<u8>)> {
        let mut out = vec![0xee];
        let to = self.table.handle(self.now, from, packet, &mut out);
        assert_eq!(out[0], 0xee, "what was there stays");
        assert_eq!(to.is_some(), out.len() > 1);
        to.map(|to| (to, out[1..].to_vec()))
    }

    /// The answer to a request, which goes to whom asked.
    fn ask(&mut self, from: Client, request: &[u8]) -> Message {
        let (to, answer) = self.put(from, request).expect("an answer");
        assert_eq!(to, from);
        let message = read(&answer);
        assert_eq!(message.transaction_id.0, request[8..20], "it is the answer to this");
        message
    }

    fn allocate(&mut self, peer: &Peer) -> SocketAddr {
        let answer = self.ask(peer.client, &peer.request(METHOD_ALLOCATE, &[transport()]));
        assert_eq!(code(&answer), 0);
        let value = answer.get(ATTR_XOR_RELAYED_ADDRESS).unwrap();
        unmasked(&value, &answer.transaction_id.0).unwrap()
    }

    /// The error, or 0.
    fn permit(&mut self, peer: &Peer, address: SocketAddr) -> u16 {
        let request = peer.request(METHOD_CREATE_PERMISSION, &[at(address)]);
        code(&self.ask(peer.client, &request))
    }

    fn bind_channel(&mut self, peer: &Peer, number: u16, address: SocketAddr) -> u16 {
        let request = peer.request(METHOD_CHANNEL_BIND, &[channel(number), at(address)]);
        code(&self.ask(peer.client, &request))
    }

    fn refresh(&mut self, peer: &Peer, seconds: u32) -> (u16, u32) {
        let request = peer.request(METHOD_REFRESH, &[lifetime(seconds)]);
        let answer = self.ask(peer.client, &request);
        (code(&answer), said_lifetime(&answer))
    }
}

impl Peer {
    fn request(&self, method: Method, attributes: &[Attribute]) -> Vec<u8> {
        let key = key(&self.minted.username, &self.minted.password);
        let named = [
            (ATTR_USERNAME, self.minted.username.clone().into_bytes()),
            (ATTR_REALM, REALM.into()),
            (ATTR_NONCE, self.nonce.clone()),
        ];
        write(method, CLASS_REQUEST, &[attributes, &named].concat(), Some(&key))
    }
}

fn key(username: &str, password: &str) -> Vec<u8> {
    let (username, password) = (username.to_owned(), password.to_owned());
    MessageIntegrity::long_term_integrity_key(username, REALM.to_owned(), password, &RingCrypto).unwrap()
}

/// All requests of a test have one transaction: addresses are written with it.
fn write(method: Method, class: MessageClass, attributes: &[Attribute], key: Option<&[u8]>) -> Vec<u8> {
    let mut message = Message::new();
    message.typ = MessageType::new(method, class);
    message.transaction_id = TransactionId([9; 12]);
    message.encode();
    attributes.iter().for_each(|(kind, value)| message.add(*kind, value));
    if let Some(key) = key {
        MessageIntegrity::new_raw_integrity_with_provider(key, &RingCrypto).add_to(&mut message).unwrap();
    }
    message.raw
}

fn read(bytes: &[u8]) -> Message {
    let mut message = Message::new();
    message.unmarshal_binary(bytes).unwrap();
    message
}

/// The number of an error, 0 when it is none.
fn code(answer: &Message) -> u16 {
    answer.get(ATTR_ERROR_CODE).map_or(0, |it| u16::from(it[2]) * 100 + u16::from(it[3]))
}

fn said_lifetime(answer: &Message) -> u32 {
    answer.get(ATTR_LIFETIME).map_or(0, |it| u32::from_be_bytes(it.try_into().unwrap()))
}

fn transport() -> Attribute {
    (ATTR_REQUESTED_TRANSPORT, vec![17, 0, 0, 0])
}

fn lifetime(seconds: u32) -> Attribute {
    (ATTR_LIFETIME, seconds.to_be_bytes().to_vec())
}

fn channel(number: u16) -> Attribute {
    (ATTR_CHANNEL_NUMBER, [number.to_be_bytes(), [0; 2]].concat())
}

fn at(address: SocketAddr) -> Attribute {
    (ATTR_XOR_PEER_ADDRESS, masked(address, &[9; 12]).bytes().to_vec())
}

fn send(address: SocketAddr, payload: &[u8]) -> Vec<u8> {
    write(METHOD_SEND, CLASS_INDICATION, &[at(address), (ATTR_DATA, payload.to_vec())], None)
}

fn channel_data(number: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    [&number.to_be_bytes(), &length.to_be_bytes(), payload].concat()
}

/// Sender and payload of a Data indication.
fn data(packet: &[u8]) -> (SocketAddr, Vec<u8>) {
    let message = read(packet);
    assert_eq!(packet[..2], [0x00, 0x17]);
    let from = unmasked(&message.get(ATTR_XOR_PEER_ADDRESS).unwrap(), &message.transaction_id.0).unwrap();
    (from, message.get(ATTR_DATA).unwrap())
}
