//! Any sequence of operations keeps the table's promises.

use std::collections::HashMap;

use rtc_stun::message::{METHOD_ALLOCATE, METHOD_CREATE_PERMISSION, METHOD_REFRESH};

use super::{Peer, SECOND, World, at, channel_data, lifetime, send, tcp, transport, udp, udp6};
use crate::server::relay::policy::RelayPolicy;
use crate::server::relay::table::Client;

const ROOMS: usize = 3;

/// Numbers that are the same in every run (Knuth's MMIX).
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// Whatever happens, payload goes to another allocation of the same room and nowhere else, answers go to who asked, and the
/// tables agree with each other and with their bounds.
#[test]
fn whatever_is_asked_in_whatever_order_the_relay_stays_closed_and_bounded() {
    for seed in 0..8 {
        let policy = RelayPolicy {
            allocations: 16,
            allocations_per_room: 4,
            allocations_per_source: 5,
            rooms: 8,
            replies_per_minute: u32::MAX,
            ..RelayPolicy::default()
        };
        let (mut world, mut dice) = (World::new(policy), Dice(seed));
        let mut peers: Vec<(usize, Peer)> = Vec::new();
        let mut rooms: HashMap<Client, usize> = HashMap::new();
        let mut delivered = 0;
        for step in 0..6000 {
            if step % 500 == 0 {
                // New rooms for all; the old ones' allocations stay until they end.
                peers.clear();
                for room in 0..ROOMS {
                    let kinds: [fn(u8) -> Client; 3] = [udp, tcp, udp6];
                    let mut client = || {
                        let number = u8::try_from(1 + dice.throw(5)).unwrap();
                        let mut client = kinds[dice.throw(3)](number);
                        client.peer.set_port(u16::try_from(1 + step + dice.throw(400)).unwrap());
                        client
                    };
                    let pair = [client(), client()];
                    if pair[0] == pair[1] || pair.iter().any(|it| rooms.contains_key(it)) {
                        continue;
                    }
                    let room = step * ROOMS + room;
                    for peer in world.pair(pair[0], pair[1]) {
                        rooms.insert(peer.client, room);
                        peers.push((room, peer));
                    }
                }
            }
            let (room, peer) = peers[dice.throw(peers.len())].clone();
            let mut ports: Vec<u16> = world.table.allocations.keys().copied().collect();
            ports.sort_unstable();
            let partner = peers.iter().find(|(other, it)| *other == room && it.client != peer.client);
            let partner = partner.and_then(|(_, it)| world.table.clients.get(&it.client)).copied();
            let some = match (dice.throw(6), partner) {
                (0, _) => udp(9).peer,
                (2.., Some(partner)) => world.table.allocations[&partner].relayed,
                _ if ports.is_empty() => udp(9).peer,
                _ => world.table.allocations[&ports[dice.throw(ports.len())]].relayed,
            };
            let number = 0x4000 + u16::try_from(dice.throw(3)).unwrap();
            let packet = match dice.throw(10) {
                0 | 1 => peer.request(METHOD_ALLOCATE, &[transport()]),
                2 => peer.request(METHOD_REFRESH, &[lifetime([0, 600, 600, 3600][dice.throw(4)])]),
                3 | 4 => peer.request(METHOD_CREATE_PERMISSION, &[at(some)]),
                5 | 6 => {
                    peer.request(rtc_stun::message::METHOD_CHANNEL_BIND, &[super::channel(number), at(some)])
                }
                7 => send(some, b"payload"),
                8 => channel_data(number, b"payload"),
                _ => {
                    world.now += SECOND * u32::try_from(dice.throw(20)).unwrap();
                    match dice.throw(3) {
                        0 => world.table.leave(&peer.client),
                        1 => world.table.sweep(world.now),
                        _ => {}
                    }
                    continue;
                }
            };
            let is_payload = matches!(packet[..], [0x00, 0x16, ..] | [0x40..=0x4f, ..]);
            match world.put(peer.client, &packet) {
                Some((to, _)) if is_payload => {
                    assert_eq!(rooms[&to], room, "into another room");
                    assert_ne!(to, peer.client, "back to its sender");
                    delivered += 1;
                }
                Some((to, _)) => assert_eq!(to, peer.client, "an answer to another"),
                None => assert!(is_payload, "a request without an answer"),
            }
            check(&world, step);
        }
        assert!(delivered > 20, "seed {seed}: {delivered} payloads are no test");
    }
}

fn check(world: &World, step: usize) {
    let [allocations, clients, accounts, sources, _] = world.table.sizes();
    assert_eq!(allocations, clients, "step {step}");
    assert!(allocations <= 16 && accounts <= 8 && sources <= allocations, "step {step}");
    let mut of_room: HashMap<u64, usize> = HashMap::new();
    for (port, allocation) in &world.table.allocations {
        assert_eq!(world.table.clients[&allocation.client], *port);
        *of_room.entry(allocation.room).or_default() += 1;
        for peer in &allocation.peers {
            let other = &world.table.allocations[&peer.port];
            assert_eq!(other.room, allocation.room, "step {step}");
            assert_ne!(peer.port, *port);
        }
    }
    assert!(of_room.values().all(|it| *it <= 4), "step {step}");
}
