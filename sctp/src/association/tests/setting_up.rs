//! Associations come about, whoever begins and whatever is lost.

use std::time::Duration;

use crate::association::Event;
use crate::association::tests::{BINARY, Pair, Side};

#[test]
fn the_set_up_takes_two_round_trips_and_loses_nothing_with_any_of_its_packets() {
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
