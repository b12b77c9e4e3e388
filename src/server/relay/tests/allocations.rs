//! An allocation's life, and what RFC 8656 wants to hear of mistakes.

use rtc_stun::attributes::{
    ATTR_DONT_FRAGMENT, ATTR_EVEN_PORT, ATTR_MESSAGE_INTEGRITY, ATTR_NONCE, ATTR_REALM,
    ATTR_REQUESTED_ADDRESS_FAMILY, ATTR_REQUESTED_TRANSPORT, ATTR_RESERVATION_TOKEN, ATTR_UNKNOWN_ATTRIBUTES,
    ATTR_USERNAME, ATTR_XOR_RELAYED_ADDRESS, AttrType,
};
use rtc_stun::message::{
    CLASS_REQUEST, METHOD_ALLOCATE, METHOD_CHANNEL_BIND, METHOD_CREATE_PERMISSION, METHOD_REFRESH,
};

use super::{
    MINUTE, Peer, SECOND, World, at, channel, channel_data, code, key, lifetime, said_lifetime, tcp,
    transport, udp, udp6, write,
};
use crate::server::relay::message::unmasked;
use crate::server::relay::policy::RelayPolicy;

fn world() -> World {
    World::new(RelayPolicy::default())
}

/// RFC 8489 §9.2: a challenge first, then credentials with what it said.
#[test]
fn a_client_is_challenged_and_then_served() {
    let mut world = world();
    let [mut peer, _] = world.pair(udp(1), udp(2));
    let challenge = world.ask(peer.client, &write(METHOD_ALLOCATE, CLASS_REQUEST, &[transport()], None));
    assert_eq!(code(&challenge), 401);
    assert_eq!(challenge.get(ATTR_REALM).unwrap(), b"p2pcp");
    peer.nonce = challenge.get(ATTR_NONCE).unwrap();
    let answer = world.ask(peer.client, &peer.request(METHOD_ALLOCATE, &[transport()]));
    assert_eq!((code(&answer), said_lifetime(&answer)), (0, 600));
    let value = answer.get(ATTR_XOR_RELAYED_ADDRESS).unwrap();
    let relayed = unmasked(&value, &answer.transaction_id.0).unwrap();
    assert_eq!(relayed.ip(), peer.client.local.ip(), "the address by which it came");
    assert!(relayed.port() >= 49152);
    assert!(answer.contains(ATTR_MESSAGE_INTEGRITY));
}

#[test]
fn credentials_that_are_not_good_are_refused() {
    let mut world = world();
    let [peer, other] = world.pair(udp(1), udp(2));
    let ask = |world: &mut World, peer: &Peer| {
        code(&world.ask(peer.client, &peer.request(METHOD_ALLOCATE, &[transport()])))
    };
    let mut forged = peer.clone();
    forged.minted.password = other.minted.password.clone();
    assert_eq!(ask(&mut world, &forged), 401, "another's password");
    for username in ["", "x", "9999:1:0", "0:0:0", "9999999:00000000000000ff:1"] {
        let mut forged = peer.clone();
        forged.minted.username = username.to_owned();
        assert_eq!(ask(&mut world, &forged), 401, "{username}");
    }
    let mut elsewhere = peer.clone();
    elsewhere.client = udp(3);
    assert_eq!(ask(&mut world, &elsewhere), 438, "a nonce of another address");
    let mut stale = peer.clone();
    stale.nonce = b"AAAAAAAAAAAA".to_vec();
    assert_eq!(ask(&mut world, &stale), 438);

    world.now += 10 * MINUTE;
    assert_eq!(ask(&mut world, &peer), 401, "its time is over");
    world.now += 24 * 60 * MINUTE;
    assert_eq!(ask(&mut world, &peer), 438, "an old nonce");
    assert_eq!(world.table.sizes()[..4], [0; 4], "nothing came of any");
}

#[test]
fn a_request_that_lacks_a_part_of_its_proof_is_malformed() {
    let mut world = world();
    let [peer, _] = world.pair(udp(1), udp(2));
    let key = key(&peer.minted.username, &peer.minted.password);
    let parts = [
        (ATTR_USERNAME, peer.minted.username.clone().into_bytes()),
        (ATTR_REALM, b"p2pcp".to_vec()),
        (ATTR_NONCE, peer.nonce.clone()),
    ];
    for without in 0..3 {
        let mut parts = parts.to_vec();
        parts.remove(without);
        let request =
            write(METHOD_ALLOCATE, CLASS_REQUEST, &[&parts[..], &[transport()]].concat(), Some(&key));
        assert_eq!(code(&world.ask(peer.client, &request)), 400);
    }
    // What stands behind the proof is not vouched for: here, the transport.
    let mut request = write(METHOD_ALLOCATE, CLASS_REQUEST, &parts, Some(&key));
    request.extend([0, 0x19, 0, 4, 17, 0, 0, 0]);
    request[3] += 8;
    assert_eq!(code(&world.ask(peer.client, &request)), 400);
}

#[test]
fn mistakes_have_the_numbers_of_the_rfc() {
    let mut world = world();
    let [peer, _] = world.pair(udp(1), udp(2));
    let family = |number| (ATTR_REQUESTED_ADDRESS_FAMILY, vec![number, 0, 0, 0]);
    let even = || (ATTR_EVEN_PORT, vec![0x80]);
    let token = || (ATTR_RESERVATION_TOKEN, vec![1; 8]);
    let cases = [
        (vec![], 400),
        (vec![(ATTR_REQUESTED_TRANSPORT, vec![17])], 400),
        (vec![(ATTR_REQUESTED_TRANSPORT, vec![6, 0, 0, 0])], 442),
        (vec![transport(), (ATTR_DONT_FRAGMENT, vec![])], 420),
        (vec![transport(), (AttrType(0x7abc), vec![])], 420),
        (vec![transport(), even()], 508),
        (vec![transport(), token()], 508),
        (vec![transport(), even(), token()], 400),
        (vec![transport(), token(), family(1)], 400),
        (vec![transport(), family(3)], 440),
        (vec![transport(), family(2)], 440),
    ];
    for (attributes, wanted) in cases {
        let answer = world.ask(peer.client, &peer.request(METHOD_ALLOCATE, &attributes));
        assert_eq!(code(&answer), wanted, "{attributes:?}");
        if wanted == 420 {
            let unknown = attributes[1].0.value().to_be_bytes();
            assert_eq!(answer.get(ATTR_UNKNOWN_ATTRIBUTES).unwrap(), unknown);
        }
        assert!(answer.contains(ATTR_MESSAGE_INTEGRITY), "{attributes:?}");
    }
    for method in [METHOD_REFRESH, METHOD_CREATE_PERMISSION, METHOD_CHANNEL_BIND] {
        let answer = world.ask(peer.client, &peer.request(method, &[channel(0x4000)]));
        assert_eq!(code(&answer), 437, "there is no allocation");
    }
}

#[test]
fn a_client_has_one_allocation_and_its_repeated_request_the_same_answer() {
    let mut world = world();
    let [peer, other] = world.pair(udp(1), udp(2));
    let request = peer.request(METHOD_ALLOCATE, &[transport()]);
    let first = world.put(peer.client, &request);
    assert_eq!(world.put(peer.client, &request), first);
    let mut another = request.clone();
    another[19] ^= 1;
    assert_eq!(code(&world.ask(peer.client, &another)), 401, "the proof covers the transaction");
    // The same 5-tuple again, for another request and for another user.
    let mut later = peer.request(METHOD_REFRESH, &[lifetime(700)]);
    assert_eq!(world.put(peer.client, &later), world.put(peer.client, &later));
    let thief = Peer { client: peer.client, nonce: peer.nonce.clone(), ..other };
    later = thief.request(METHOD_REFRESH, &[lifetime(0)]);
    assert_eq!(code(&world.ask(peer.client, &later)), 441);
    assert_eq!(world.permit(&thief, ([203, 0, 113, 1], 50_000).into()), 441);
    let key = key(&peer.minted.username, &peer.minted.password);
    let named = [
        transport(),
        (ATTR_USERNAME, peer.minted.username.clone().into_bytes()),
        (ATTR_REALM, b"p2pcp".to_vec()),
        (ATTR_NONCE, peer.nonce.clone()),
    ];
    let mut message = rtc_stun::message::Message::new();
    message.unmarshal_binary(&write(METHOD_ALLOCATE, CLASS_REQUEST, &named, None)).unwrap();
    message.transaction_id.0 = [8; 12];
    message.encode();
    let integrity = rtc_stun::integrity::MessageIntegrity::new_raw_integrity_with_provider(
        key,
        &rtc_crypto::providers::RingCrypto,
    );
    rtc_stun::message::Setter::add_to(&integrity, &mut message).unwrap();
    assert_eq!(code(&world.ask(peer.client, &message.raw)), 437);
}

#[test]
fn an_allocation_lives_while_it_is_refreshed_and_no_longer_than_a_day() {
    let mut world = world();
    let [(peer, _), _] = world.relayed(udp(1), udp(2));
    world.now += 600 * SECOND;
    assert_eq!(world.refresh(&peer, 10), (0, 600), "late by no more than the grace; the shortest is given");
    assert_eq!(world.refresh(&peer, 999_999), (0, 3600), "the longest is given");
    let mut last = 3600;
    let begun = world.now - 600 * SECOND;
    while last > 0 && world.now < begun + 48 * 60 * MINUTE {
        world.now += 599 * SECOND;
        world.table.sweep(world.now);
        let request = peer.request(METHOD_REFRESH, &[]);
        match world.put(peer.client, &request) {
            Some((_, answer)) if code(&super::read(&answer)) == 0 => {
                last = said_lifetime(&super::read(&answer))
            }
            _ => break,
        }
    }
    let lived = world.now - begun;
    assert!(lived > 23 * 60 * MINUTE && lived < 24 * 60 * MINUTE + 20 * MINUTE, "{lived:?}");
    world.now += 60 * MINUTE;
    world.table.sweep(world.now);
    assert_eq!(world.table.sizes()[..4], [0; 4]);
}

#[test]
fn what_is_given_back_or_whose_stream_ended_is_gone() {
    let mut world = world();
    let [(one, _), (other, _)] = world.relayed(udp(1), tcp(2));
    assert_eq!(world.refresh(&one, 0), (0, 0));
    assert_eq!(world.refresh(&one, 0).0, 437, "RFC 8656 §7.3: as good as yes");
    world.table.leave(&other.client);
    assert_eq!(world.refresh(&other, 600).0, 437);
    assert_eq!(world.table.sizes()[..2], [0; 2]);
}

#[test]
fn permissions_and_channels_run_out() {
    let mut world = world();
    let [(one, first), (other, second)] = world.relayed(udp(1), udp(2));
    assert_eq!((world.permit(&one, second), world.permit(&other, first)), (0, 0));
    let send = super::send(second, b"hello");
    assert!(world.put(one.client, &send).is_some());
    world.now += 299 * SECOND;
    assert!(world.put(one.client, &send).is_some());
    world.now += SECOND;
    assert!(world.put(one.client, &send).is_none(), "five minutes are over");

    assert_eq!(world.bind_channel(&one, 0x4000, second), 0);
    assert_eq!(world.bind_channel(&other, 0x4001, first), 0);
    assert_eq!(world.refresh(&one, 3600).0 + world.refresh(&other, 3600).0, 0);
    let packet = channel_data(0x4000, b"hello");
    world.now += 599 * SECOND;
    assert_eq!(world.put(one.client, &packet), Some((other.client, channel_data(0x4001, b"hello"))));
    world.now += SECOND;
    assert_eq!(world.put(one.client, &packet), None, "ten minutes are over");
}

#[test]
fn a_channel_is_of_one_peer_and_a_peer_of_one_channel() {
    let mut world = world();
    let [(one, _), (other, second)] = world.relayed(udp(1), udp(2));
    let third = world.allocate(&Peer {
        client: udp(3),
        nonce: world.table.credentials.nonce(world.now, udp(3).peer).to_vec(),
        ..other.clone()
    });
    assert_eq!(world.bind_channel(&one, 0x4000, second), 0);
    assert_eq!(world.bind_channel(&one, 0x4000, second), 0, "again");
    assert_eq!(world.bind_channel(&one, 0x4001, second), 400);
    assert_eq!(world.bind_channel(&one, 0x4000, third), 400);
    assert_eq!(world.bind_channel(&one, 0x4fff, third), 0);
    for number in [0, 0x3fff, 0x5000, 0x7fff, 0xffff] {
        assert_eq!(world.bind_channel(&other, number, third), 400, "{number:x}");
    }
    let request = one.request(METHOD_CHANNEL_BIND, &[channel(0x4002)]);
    assert_eq!(code(&world.ask(one.client, &request)), 400);
    let request = one.request(METHOD_CREATE_PERMISSION, &[]);
    assert_eq!(code(&world.ask(one.client, &request)), 400);
    let request = one.request(METHOD_CHANNEL_BIND, &[at(second)]);
    assert_eq!(code(&world.ask(one.client, &request)), 400);
}

#[test]
fn quotas_hold() {
    let policy = RelayPolicy { allocations_per_room: 2, allocations_per_source: 3, ..RelayPolicy::default() };
    let mut world = World::new(policy);
    let ask = |world: &mut World, peer: &Peer| {
        code(&world.ask(peer.client, &peer.request(METHOD_ALLOCATE, &[transport()])))
    };
    let [(one, _), _] = world.relayed(tcp(1), tcp(2));
    let mut third = one.clone();
    third.client.stream = Some(77);
    assert_eq!(ask(&mut world, &third), 486, "two of a room");

    let mut codes = Vec::new();
    for stream in 100..104 {
        let [mut peer, _] = world.pair(tcp(1), tcp(3));
        peer.client.stream = Some(stream);
        codes.push(ask(&mut world, &peer));
    }
    assert_eq!(codes, [0, 0, 486, 486], "three of a source");
    assert_eq!(world.table.sizes()[..2], [4, 4]);
}

/// A client that came by IPv4 may want to be called by an address of IPv6, where there is one: both are names.
#[test]
fn both_families_are_given_where_the_server_has_both() {
    let mut world = world();
    world.relayed(udp6(1), udp6(2));
    let [peer, _] = world.pair(udp(3), udp(4));
    let wish = (ATTR_REQUESTED_ADDRESS_FAMILY, vec![2, 0, 0, 0]);
    let answer = world.ask(peer.client, &peer.request(METHOD_ALLOCATE, &[transport(), wish]));
    let value = answer.get(ATTR_XOR_RELAYED_ADDRESS).unwrap();
    let relayed = unmasked(&value, &answer.transaction_id.0).unwrap();
    assert_eq!(relayed.ip(), udp6(1).local.ip());
    let wish = (ATTR_REQUESTED_ADDRESS_FAMILY, vec![1, 0, 0, 0]);
    let answer = world.ask(peer.client, &peer.request(METHOD_REFRESH, &[wish]));
    assert_eq!(code(&answer), 443);
}
