//! Associations come about, whoever begins and whatever is lost.

use std::time::Duration;

use crate::association::Event;
use crate::association::tests::{BINARY, Pair, Side};

#[test]
fn the_set_up_comes_about_with_any_of_its_packets_lost() {
    for lost in 0..=5 {
        let mut pair = Pair::new();
        pair.lose = Box::new(move |number, _| number == lost);
        pair.run(Duration::from_secs(4));
        assert!(pair.sides.iter().all(Side::is_connected), "packet {lost} lost");
        pair.sides[0].association().open_stream(1, BINARY).unwrap();
        pair.write(0, 1, b"hello");
        pair.run(Duration::from_secs(4));
        assert_eq!(pair.sides[1].messages, [(1, b"hello".to_vec())], "packet {lost} lost");
    }
}

/// A server of our own kind stands with the INIT, a client with the INIT ACK.
#[test]
fn our_own_kind_may_send_after_half_a_round_trip_and_the_other_after_one() {
    let mut pair = Pair::new();
    let now = pair.now;
    let step = |pair: &mut Pair, from: usize| {
        for datagram in pair.sides[from].datagrams(now) {
            pair.sides[1 - from].take(now, datagram);
        }
    };
    step(&mut pair, 0);
    assert!(pair.sides[1].is_connected() && !pair.sides[0].is_connected());
    pair.sides[1].association().open_stream(1, BINARY).unwrap();
    pair.write(1, 1, b"from the server");
    step(&mut pair, 1);
    assert!(pair.sides[0].is_connected());
    assert_eq!(pair.sides[0].messages, [(1, b"from the server".to_vec())]);
    pair.write(0, 1, b"from the client");
    step(&mut pair, 0);
    assert_eq!(pair.sides[1].messages, [(1, b"from the client".to_vec())]);
    for side in &pair.sides {
        assert_eq!(side.events.iter().filter(|event| matches!(event, Event::Connected)).count(), 1);
    }
}

/// What both said meanwhile is there all the same, and no side thinks that it waits for the other.
#[test]
fn data_beside_the_set_up_arrives_with_any_of_its_packets_lost() {
    for lost in 0..=8 {
        let mut pair = Pair::new();
        pair.lose = Box::new(move |number, _| number == lost);
        pair.sides[0].association().open_stream(1, BINARY).unwrap();
        pair.write(0, 1, b"ping");
        pair.exchange();
        if let Some(server) = &mut pair.sides[1].association {
            server.open_stream(2, BINARY).unwrap();
            pair.write(1, 2, b"pong");
        }
        pair.run(Duration::from_secs(5));
        assert_eq!(pair.sides[1].messages, [(1, b"ping".to_vec())], "packet {lost} lost");
        if lost != 1 {
            assert_eq!(pair.sides[0].messages, [(2, b"pong".to_vec())], "packet {lost} lost");
        }
        assert_eq!(pair.sides[0].association().setup.deadline(), None, "packet {lost} lost");
    }
}

/// An INIT with another tag is from another life, and a stranger's answer would go there.
#[test]
fn a_server_that_stands_answers_an_init_again_only_to_its_own_client() {
    let mut pair = Pair::new();
    let now = pair.now;
    let init = pair.sides[0].datagrams(now).pop().unwrap();
    let mut other = Pair::new();
    let stranger = other.sides[0].datagrams(now).pop().unwrap();
    pair.sides[1].take(now, init.clone());
    let first = pair.sides[1].datagrams(now);
    pair.sides[1].take(now, stranger);
    assert!(pair.sides[1].datagrams(now).is_empty());
    pair.sides[1].take(now, init.clone());
    let again = pair.sides[1].datagrams(now);
    assert_eq!(first.first(), again.first());
    assert!(again.len() == 1);
    pair.sides[0].take(now, first[0].clone());
    pair.run(Duration::from_secs(1));
    pair.sides[1].take(pair.now, init);
    assert!(pair.sides[1].datagrams(pair.now).is_empty(), "the cookie came");
}

#[test]
fn both_sides_may_begin_at_once() {
    let mut pair = Pair::new();
    let now = pair.now;
    pair.sides[1].connect(now);
    pair.run(Duration::from_secs(4));
    assert!(pair.sides.iter().all(Side::is_connected));
    let connected = |event: &&Event| matches!(event, Event::Connected);
    assert!(pair.sides.iter().all(|side| side.events.iter().filter(connected).count() == 1));
    pair.sides[1].association().open_stream(3, BINARY).unwrap();
    pair.write(1, 3, b"hello");
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.sides[0].messages, [(3, b"hello".to_vec())]);
}
