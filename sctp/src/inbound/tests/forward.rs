//! What the peer gives up (RFC 3758).

use crate::inbound::tests::{Begin, End, FIRST, Middle, Receiver, Whole, chunk, forward, unordered};

#[test]
fn forward_tsn_passes_over_what_was_given_up() {
    let mut receiver = Receiver::new();
    // Messages 0 and 1 lost a part, 2 is whole; an unordered one lost its beginning.
    receiver.packet([chunk(0, 1, 0, Begin, b"0"), chunk(3, 1, 1, End, b"1"), chunk(4, 1, 2, Whole, b"2")]);
    receiver.packet([unordered(6, Middle, b"u"), unordered(8, Middle, b"u")]);
    receiver.forward(&forward(5, &[(1, 1), (77, 5)]));
    assert!(receiver.is_due());
    assert_eq!(receiver.inbound.cumulative_tsn(), FIRST.wrapping_add(6));
    assert_eq!(receiver.read(1), [b"2"]);
    receiver.packet([unordered(7, Middle, b"u"), unordered(9, End, b"u")]);
    receiver.packet([chunk(10, 1, 3, Whole, b"3"), chunk(11, 77, 6, Whole, b"4")]);
    assert_eq!((receiver.read(1), receiver.read(77)), (vec![b"3".to_vec()], vec![b"4".to_vec()]));
    assert_eq!(receiver.read(0), Vec::<Vec<u8>>::new());
    assert_eq!(receiver.inbound.kept(), 0, "nothing of what was given up is kept");
}

#[test]
fn forward_tsn_drops_the_message_whose_rest_was_not_sent() {
    let mut receiver = Receiver::new();
    receiver.packet([chunk(0, 1, 0, Begin, b"0"), chunk(1, 1, 0, Middle, b"0")]);
    receiver.forward(&forward(1, &[(1, 0)]));
    assert_eq!(receiver.inbound.kept(), 0, "it was named");
    receiver.packet([unordered(2, Begin, b"u")]);
    receiver.forward(&forward(2, &[]));
    receiver.packet([chunk(3, 1, 1, Whole, b"1")]);
    assert_eq!(receiver.read(1), [b"1"]);
    assert_eq!(receiver.inbound.kept(), 0);
}

#[test]
fn forward_tsn_keeps_what_can_still_be_whole() {
    let mut receiver = Receiver::new();
    receiver.packet([chunk(1, 1, 0, Begin, b"a"), chunk(2, 1, 0, Middle, b"b")]);
    receiver.forward(&forward(0, &[]));
    receiver.forward(&forward(2, &[]));
    receiver.packet([chunk(3, 1, 0, End, b"c")]);
    assert_eq!(receiver.read(1), [b"abc"]);
}

#[test]
fn old_forward_tsn_changes_nothing_but_is_answered() {
    let (mut receiver, next) = Receiver::settled();
    receiver.forward(&forward(next - 5, &[(1, 7)]));
    assert!(receiver.is_due());
    receiver.packet([chunk(next, 1, 0, Whole, b"a")]);
    assert_eq!(receiver.read(1), [b"a"]);
}

#[test]
fn messages_before_a_given_up_one_are_delivered() {
    let mut receiver = Receiver::new();
    receiver.packet([chunk(1, 1, 1, Whole, b"1"), chunk(3, 1, 3, Whole, b"3")]);
    receiver.forward(&forward(2, &[(1, 2)]));
    assert_eq!(receiver.read(1), [b"1", b"3"]);
}

#[test]
fn message_that_was_given_up_and_comes_late_is_dropped() {
    let mut receiver = Receiver::new();
    receiver.forward(&forward(0, &[(1, 5)]));
    receiver.packet([chunk(1, 1, 3, Whole, b"late"), chunk(2, 1, 6, Whole, b"next")]);
    assert_eq!(receiver.read(1), [b"next"]);
    assert_eq!(receiver.inbound.kept(), 0);
}

#[test]
fn messages_on_both_sides_of_the_wrap_are_released_in_order() {
    let mut receiver = Receiver::new();
    for ssn in [30_000, 60_000, 65_533] {
        receiver.forward(&forward(0, &[(1, ssn)]));
    }
    for (number, ssn, payload) in [(4, 2, b"later"), (3, 0, b"third"), (2, 65_535, b"first")] {
        receiver.packet([chunk(number, 1, ssn, Whole, payload)]);
    }
    assert_eq!(receiver.read(1), [] as [&[u8]; 0]);
    receiver.forward(&forward(1, &[(1, 0)]));
    assert_eq!(receiver.read(1), [b"first", b"third"]);
    receiver.forward(&forward(5, &[(1, 1)]));
    assert_eq!(receiver.read(1), [b"later"]);
}
