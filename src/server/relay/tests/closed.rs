//! The relay is closed: nothing but another allocation of the same room can be reached by it.

use std::net::SocketAddr;

use rtc_stun::attributes::{ATTR_DATA, ATTR_DONT_FRAGMENT};
use rtc_stun::message::{CLASS_INDICATION, METHOD_CREATE_PERMISSION, METHOD_SEND};

use super::{World, at, channel_data, code, data, send, tcp, udp, udp6, write};
use crate::server::relay::policy::RelayPolicy;
use crate::server::relay::table::Client;

/// Hosts that a relay must not be used to reach, by kind. Each is tried with the port of a real allocation of the room, too.
const FORBIDDEN_HOSTS: [&str; 34] = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.0.1",
    "192.168.255.255",
    "100.64.0.1",
    "100.127.255.254",
    "169.254.0.1",
    "169.254.169.254",
    "192.0.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "8.8.8.8",
    "203.0.113.2",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:203.0.113.1",
    "::127.0.0.1",
    "64:ff9b::a00:1",
    "2002:7f00:1::1",
    "fe80::1",
    "fd00::1",
    "ff02::1",
    "2001:db8::1",
];

#[test]
fn nothing_outside_can_be_named_or_sent_to() {
    let mut world = World::new(RelayPolicy::default());
    let [(one, own), (other, second)] = world.relayed(udp(1), udp(2));
    let [_, (_, foreign)] = world.relayed(udp(3), udp(4));
    assert_eq!((world.permit(&one, second), world.permit(&other, own)), (0, 0));

    let hosts = FORBIDDEN_HOSTS.iter().flat_map(|host| {
        let ip = host.parse().unwrap();
        [80, second.port()].map(|port| SocketAddr::new(ip, port))
    });
    let server = second.ip();
    // The server's own ports, ports with nothing behind them, itself, the client's own address, another room's relay.
    let ours = [22, 80, 8091, 8092, 0, 49151, own.port(), foreign.port()].map(|port| (server, port).into());
    let all: Vec<SocketAddr> = hosts.chain(ours).chain([one.client.peer, other.client.peer]).collect();
    assert!(all.len() > 40);
    for address in all {
        assert_eq!(world.permit(&one, address), 403, "{address}");
        assert_eq!(world.bind_channel(&one, 0x4000, address), 403, "{address}");
        assert_eq!(world.put(one.client, &send(address, b"attack")), None, "{address}");
        assert_eq!(world.put(one.client, &channel_data(0x4000, b"attack")), None, "{address}");
        // One good peer does not cover for a bad one.
        let both = one.request(METHOD_CREATE_PERMISSION, &[at(second), at(address)]);
        assert_eq!(code(&world.ask(one.client, &both)), 403, "{address}");
    }
}

/// Every pair of transports, and of families: each says something by its relay, and the other hears it.
#[test]
fn two_of_a_room_reach_each_other_however_they_came() {
    let kinds: [fn(u8) -> Client; 3] = [udp, tcp, udp6];
    for (one, other) in kinds.iter().flat_map(|one| kinds.map(|other| (one, other))) {
        let mut world = World::new(RelayPolicy::default());
        let [(one, first), (other, second)] = world.relayed(one(1), other(2));
        assert_eq!((world.permit(&one, second), world.permit(&other, first)), (0, 0));
        for payload in [&b""[..], b"a", b"hello", &[7; 1400], &[8; 60_000]] {
            let (to, packet) = world.put(one.client, &send(second, payload)).unwrap();
            assert_eq!(to, other.client);
            assert_eq!(data(&packet), (first, payload.to_vec()));
            assert!(packet.len().is_multiple_of(4));
        }
        assert_eq!(world.bind_channel(&one, 0x4000, second), 0);
        let (to, packet) = world.put(one.client, &channel_data(0x4000, b"hello")).unwrap();
        assert_eq!((to, data(&packet)), (other.client, (first, b"hello".to_vec())));
        assert_eq!(world.bind_channel(&other, 0x4fff, first), 0);
        let (to, packet) = world.put(one.client, &channel_data(0x4000, b"hello")).unwrap();
        let padding: &[u8] = if other.client.stream.is_some() { &[0; 3] } else { &[] };
        assert_eq!((to, packet), (other.client, [&channel_data(0x4fff, b"hello"), padding].concat()));
        let (to, _) = world.put(other.client, &channel_data(0x4fff, b"hello")).unwrap();
        assert_eq!(to, one.client);
    }
}

/// A peer is the same by whichever address of the server it is called.
#[test]
fn a_relay_is_known_by_every_address_of_the_server() {
    let mut world = World::new(RelayPolicy::default());
    let by_other_door = Client { local: ([203, 0, 113, 9], 8091).into(), ..udp(2) };
    let [(one, first), (other, second)] = world.relayed(udp(1), by_other_door);
    assert_ne!(first.ip(), second.ip());
    let [first, second] = [(second.ip(), first.port()), (first.ip(), second.port())].map(SocketAddr::from);
    assert_eq!((world.permit(&one, second), world.permit(&other, first)), (0, 0));
    let (to, packet) = world.put(one.client, &send(second, b"hello")).unwrap();
    assert_eq!((to, data(&packet)), (other.client, (first, b"hello".to_vec())));
}

#[test]
fn nobody_hears_whom_it_did_not_permit() {
    let mut world = World::new(RelayPolicy::default());
    let [(one, first), (other, second)] = world.relayed(udp(1), udp(2));
    let packet = send(second, b"hello");
    assert_eq!(world.put(one.client, &packet), None, "neither permits");
    assert_eq!(world.permit(&one, second), 0);
    assert_eq!(world.put(one.client, &packet), None, "the other does not");
    assert_eq!(world.permit(&other, first), 0);
    assert!(world.put(one.client, &packet).is_some());
    assert_eq!(world.put(udp(9), &packet), None, "who has no allocation");
    assert_eq!(world.put(Client { stream: Some(1), ..one.client }, &packet), None, "by another way");
    let strange = write(
        METHOD_SEND,
        CLASS_INDICATION,
        &[at(second), (ATTR_DATA, b"hello".to_vec()), (ATTR_DONT_FRAGMENT, vec![])],
        None,
    );
    assert_eq!(world.put(one.client, &strange), None, "what must be understood and is not");

    assert_eq!(world.refresh(&other, 0).0, 0);
    assert_eq!(world.put(one.client, &packet), None, "it is gone");
    assert_eq!(world.permit(&one, second), 403);
}

#[test]
fn a_room_relays_so_much_and_no_more() {
    let mut world = World::new(RelayPolicy { room_bytes: 1000, ..RelayPolicy::default() });
    let [(one, first), (other, second)] = world.relayed(udp(1), udp(2));
    assert_eq!((world.permit(&one, second), world.permit(&other, first)), (0, 0));
    let passed = (0..20).filter(|_| world.put(one.client, &send(second, &[1; 100])).is_some()).count();
    assert_eq!(passed, 10);
    assert_eq!(world.put(other.client, &send(first, b"x")), None, "both directions count");
}
