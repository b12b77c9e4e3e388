//! Who has proved nothing: it gets little, and cannot make the server send much to others, nor remember much.

use std::net::SocketAddr;

use rtc_stun::attributes::{
    ATTR_CHANGE_REQUEST, ATTR_MESSAGE_INTEGRITY, ATTR_NONCE, ATTR_OTHER_ADDRESS, ATTR_REALM, ATTR_SOFTWARE,
    ATTR_USERNAME, ATTR_XORMAPPED_ADDRESS, AttrType,
};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::message::{
    CLASS_INDICATION, CLASS_REQUEST, CLASS_SUCCESS_RESPONSE, METHOD_ALLOCATE, METHOD_BINDING,
    METHOD_CHANNEL_BIND, METHOD_CREATE_PERMISSION, METHOD_REFRESH, METHOD_SEND, Message, Setter,
};

use super::{Attribute, PORTS, SECOND, World, at, code, read, transport, udp, udp6, write};
use crate::server::relay::message::unmasked;
use crate::server::relay::policy::RelayPolicy;
use crate::server::relay::table::Client;

fn world() -> World {
    World::new(RelayPolicy { replies_per_minute: u32::MAX, ..RelayPolicy::default() })
}

fn binding(attributes: &[Attribute]) -> Vec<u8> {
    write(METHOD_BINDING, CLASS_REQUEST, attributes, None)
}

fn change(bits: u8) -> Attribute {
    (ATTR_CHANGE_REQUEST, vec![0, 0, 0, bits])
}

fn padding(length: usize) -> Attribute {
    (ATTR_SOFTWARE, vec![b' '; length])
}

#[test]
fn a_client_learns_its_address_and_the_other_port() {
    let mut world = world();
    for client in [udp(1), udp6(1)] {
        let answer = world.ask(client, &binding(&[padding(32)]));
        let seen = unmasked(&answer.get(ATTR_XORMAPPED_ADDRESS).unwrap(), &answer.transaction_id.0);
        assert_eq!(seen, Some(client.peer));
        assert_eq!(answer.get(ATTR_OTHER_ADDRESS).unwrap()[2..4], PORTS.1.to_be_bytes());
        assert!(!answer.contains(ATTR_MESSAGE_INTEGRITY) && !answer.contains(ATTR_SOFTWARE));

        let (to, _) = world.put(client, &binding(&[change(2), padding(32)])).unwrap();
        assert_eq!(
            to,
            Client { local: (client.local.ip(), PORTS.1).into(), ..client },
            "from the other port"
        );
        let back = world.put(to, &binding(&[change(2), padding(32)])).unwrap().0;
        assert_eq!(back, client);
        for impossible in [4, 6] {
            let answer = world.ask(client, &binding(&[change(impossible), padding(32)]));
            assert_eq!(code(&answer), 420, "there is no other address");
        }
    }
    let answer = world.ask(udp(1), &binding(&[]));
    assert!(answer.contains(ATTR_XORMAPPED_ADDRESS), "the barest request of all is answered, too");
    let answer = world.ask(udp(1), &binding(&[(AttrType(0x27), vec![0; 4]), padding(32)]));
    assert_eq!(code(&answer), 420, "RESPONSE-PORT would send the answer to somebody else");
}

#[test]
fn an_answer_has_a_checksum_when_the_request_has_one() {
    let mut world = world();
    let mut message = read(&binding(&[]));
    FINGERPRINT.add_to(&mut message).unwrap();
    let answer = world.ask(udp(1), &message.raw);
    FINGERPRINT.check(&answer).unwrap();
    *message.raw.last_mut().unwrap() ^= 1;
    assert_eq!(world.put(udp(1), &message.raw), None, "a wrong one");
}

/// Bytes on the wire: with the headers of IP and UDP, without which none is sent.
fn wire(client: Client, packet: &[u8]) -> usize {
    packet.len() + if client.peer.is_ipv4() { 28 } else { 48 }
}

#[test]
fn no_stranger_is_answered_more_than_half_as_long_again() {
    let mut world = world();
    let methods = [
        METHOD_BINDING,
        METHOD_ALLOCATE,
        METHOD_REFRESH,
        METHOD_SEND,
        METHOD_CREATE_PERMISSION,
        METHOD_CHANNEL_BIND,
    ];
    let address: SocketAddr = ([203, 0, 113, 1], 50_000).into();
    let integrity = || (ATTR_MESSAGE_INTEGRITY, vec![0; 20]);
    let named = |nonce: &[u8]| {
        let username = (ATTR_USERNAME, b"999:1:0".to_vec());
        vec![username, (ATTR_REALM, b"p2pcp".to_vec()), (ATTR_NONCE, nonce.to_vec()), integrity()]
    };
    let unknown = |count: u16| (0..count).map(|it| (AttrType(0x7000 + it), vec![])).collect::<Vec<_>>();
    let (mut answers, mut worst) = (0, 0.0_f64);
    for client in [udp(1), udp6(1)] {
        let fresh = world.table.credentials.nonce(world.now, client.peer);
        let bodies: Vec<Vec<Attribute>> = vec![
            vec![],
            vec![transport()],
            vec![at(address)],
            vec![change(2)],
            vec![change(4)],
            vec![change(255), transport()],
            vec![integrity()],
            vec![(ATTR_USERNAME, vec![]), integrity()],
            named(b"x"),
            named(&fresh),
            unknown(1),
            unknown(3),
            unknown(100),
            vec![padding(1)],
            vec![padding(8)],
            vec![padding(500)],
        ];
        for (method, body) in methods.iter().flat_map(|method| bodies.iter().map(move |body| (method, body)))
        {
            for class in [CLASS_REQUEST, CLASS_INDICATION, CLASS_SUCCESS_RESPONSE] {
                let plain = read(&write(*method, class, body, None));
                let mut summed = plain.clone();
                FINGERPRINT.add_to(&mut summed).unwrap();
                for Message { raw, .. } in [plain, summed] {
                    let Some((_, answer)) = world.put(client, &raw) else { continue };
                    assert_eq!(class, CLASS_REQUEST, "only requests are answered");
                    let ratio = wire(client, &answer) as f64 / wire(client, &raw) as f64;
                    assert!(ratio <= 1.5, "{ratio} for {method:?} {body:?}");
                    worst = worst.max(ratio);
                    answers += 1;
                }
            }
        }
        // What clients really send is answered: a bare Binding, and an Allocate without more.
        assert!(world.put(client, &binding(&[])).is_some());
        let bare = write(METHOD_ALLOCATE, CLASS_REQUEST, &[transport()], None);
        assert_eq!(code(&world.ask(client, &bare)), 401);
    }
    assert!(answers > 100 && worst > 1.3, "{answers} answers, {worst} at worst: is this still a test?");
}

#[test]
fn garbage_is_not_answered() {
    let mut world = world();
    let mut random = 1_u64;
    let mut byte = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 56) as u8
    };
    for length in 0..600 {
        for first in [0x00, 0x01, 0x16, 0x40, 0x7f, 0x80, 0xff] {
            let mut packet: Vec<u8> = (0..length).map(|_| byte()).collect();
            if let Some(it) = packet.first_mut() {
                *it = first;
            }
            assert_eq!(world.put(udp(1), &packet), None, "{packet:?}");
        }
    }
    // Real requests with one byte changed: an answer is allowed, a panic is not.
    let [peer, _] = world.pair(udp(1), udp(2));
    for packet in [
        peer.request(METHOD_ALLOCATE, &[transport()]),
        peer.request(METHOD_CREATE_PERMISSION, &[at(udp(2).peer)]),
        super::send(udp(2).peer, b"hello"),
    ] {
        for at in 0..packet.len() {
            for change in [1, 0x80, 0xff] {
                let mut packet = packet.clone();
                packet[at] ^= change;
                let _ = world.put(udp(1), &packet);
                let _ = world.put(udp(1), &packet[..at]);
            }
        }
    }
    assert_eq!(world.table.sizes()[0], 0, "no forgery allocates");
}

#[test]
fn strangers_are_answered_so_often_and_a_flood_costs_bounded_memory() {
    let mut world =
        World::new(RelayPolicy { replies_per_minute: 10, sources: 128, ..RelayPolicy::default() });
    let allocate = write(METHOD_ALLOCATE, CLASS_REQUEST, &[transport()], None);
    let answered =
        |world: &mut World, packet: &[u8]| (0..1000).filter(|_| world.put(udp(1), packet).is_some()).count();
    assert_eq!(answered(&mut world, &allocate), 10);
    assert_eq!(answered(&mut world, &binding(&[])), 0, "one measure for all kinds");
    world.now += 6 * SECOND;
    assert_eq!(answered(&mut world, &binding(&[])), 1);
    // By TCP nobody can lie about where it is.
    assert!(world.put(super::tcp(1), &allocate).is_some());

    let flood = |number: u32| Client { peer: (number.to_be_bytes(), 4000).into(), ..udp(1) };
    for number in 0x0b00_0000..0x0b00_0000 + 20_000 {
        assert!(world.put(flood(number), &allocate).is_some());
    }
    let [allocations, clients, accounts, sources, strangers] = world.table.sizes();
    assert_eq!([allocations, clients, accounts, sources], [0; 4]);
    assert!(strangers <= 128);
}
