//! Peers that send what no sender should: memory and work stay bounded.

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::Violation;
use crate::inbound::tests::{
    Begin, End, FIRST, LIMITS, Middle, ROOM, Receiver, Whole, chunk, forward, unordered,
};
use crate::inbound::{MOST_DUPLICATES, MOST_GAPS};
use crate::wire::Data;

#[test]
fn endless_message_is_a_violation() {
    let mut receiver = Receiver::new();
    let payload = [0; 1200];
    let result = (0..).find_map(|number: u32| {
        let part = if number == 0 { Begin } else { Middle };
        receiver.inbound.handle_data(receiver.now, chunk(number, 1, 0, part, &payload)).err()
    });
    assert_eq!(result, Some(Violation::MessageTooLong));
}

#[test]
fn message_that_is_too_long_is_seen_behind_a_gap() {
    let mut receiver = Receiver::new();
    let payload = [0; 1200];
    let chunks = LIMITS.message_bytes.div_ceil(1200) as u32;
    let mut results = (1..=chunks)
        .rev()
        .map(|number| receiver.inbound.handle_data(receiver.now, chunk(number, 1, 0, Middle, &payload)));
    assert!(results.any(|result| result == Err(Violation::MessageTooLong)));
}

#[test]
fn longest_message_arrives_though_the_window_is_full_behind_a_gap() {
    let mut receiver = Receiver::new();
    let payload = [1; 1200];
    let last = (LIMITS.message_bytes / 1200) as u32;
    // All that lies behind the long message comes first, until no more is kept.
    let mut behind = last + 1;
    loop {
        let kept = receiver.inbound.kept();
        receiver.packet([unordered(behind, Whole, &payload)]);
        if receiver.inbound.kept() == kept {
            break;
        }
        behind += 1;
    }
    assert!(receiver.inbound.sack(receiver.now, ROOM).window < 1200);
    for number in 0..=last {
        let part = if number == 0 {
            Begin
        } else if number == last {
            End
        } else {
            Middle
        };
        let length = if number == last { LIMITS.message_bytes % 1200 } else { 1200 };
        receiver.packet([chunk(number, 1, 0, part, &payload[..length])]);
    }
    assert_eq!(receiver.read(1).concat().len(), LIMITS.message_bytes);
    assert_eq!(receiver.inbound.cumulative_tsn(), FIRST.wrapping_add(behind - 1));
}

#[test]
fn chunk_that_found_no_room_is_not_acknowledged_and_comes_again() {
    let mut receiver = Receiver::new();
    let mut number = 1;
    while receiver.inbound.has_room(FIRST_NUMBER + u64::from(number), 1200) {
        receiver.packet([chunk(number, 1, number as u16, Whole, &[0; 1200])]);
        number += 1;
    }
    receiver.packet([chunk(number, 1, number as u16, Whole, &[0; 1200])]);
    assert!(receiver.is_due());
    assert_eq!(receiver.gaps(ROOM), [(1, number - 1)]);
    receiver.packet([chunk(0, 1, 0, Whole, b"the gap")]);
    receiver.read(1);
    receiver.packet([chunk(number, 1, number as u16, Whole, b"again")]);
    assert_eq!(receiver.read(1), [b"again"]);
}

const FIRST_NUMBER: u64 = (1 << 32) + FIRST as u64;

#[test]
fn unread_messages_stop_the_peer() {
    let mut receiver = Receiver::new();
    let mut number = 0;
    let mut taken = 0;
    while number == taken {
        receiver.packet([chunk(number, 1, number as u16, Whole, b"tiny")]);
        number += 1;
        taken = receiver.inbound.cumulative_tsn().wrapping_sub(FIRST).wrapping_add(1);
    }
    assert!(receiver.inbound.kept() <= bound(&receiver));
    assert_eq!(receiver.read(1).len(), taken as usize);
    receiver.packet([chunk(taken, 1, taken as u16, Whole, b"goes on")]);
    assert_eq!(receiver.read(1), [b"goes on"]);
}

/// The most that may be kept.
fn bound(receiver: &Receiver) -> usize {
    receiver.inbound.window.size() + 2 * LIMITS.message_bytes
}

#[test]
fn numbers_far_ahead_are_refused() {
    let mut receiver = Receiver::new();
    for number in [65_535, 65_536, 1 << 20, 1 << 30, i32::MAX as u32] {
        receiver.packet([unordered(number, Whole, b"far")]);
    }
    assert_eq!(receiver.gaps(ROOM), [], "farther than a gap block reaches");
    receiver.packet([unordered(65_534, Whole, b"far")]);
    assert_eq!(receiver.gaps(ROOM), [(65_534, 65_534)]);
}

#[test]
fn gaps_and_duplicates_are_bounded() {
    let mut receiver = Receiver::new();
    for number in 0..32_000 {
        receiver.packet([unordered(2 * number + 1, Whole, b"x")]);
    }
    assert_eq!(receiver.inbound.above.len(), MOST_GAPS);
    for _ in 0..2 * MOST_DUPLICATES {
        receiver.packet([unordered(1, Whole, b"x")]);
    }
    assert_eq!(receiver.inbound.sack(receiver.now, usize::MAX).duplicates.len(), MOST_DUPLICATES);
}

#[test]
fn small_payload_does_not_keep_its_datagram() {
    let datagram = Bytes::from(vec![0; 16_384]);
    let mut receiver = Receiver::new();
    let payload = datagram.slice(100..200);
    receiver.packet([Data { payload, ..chunk(0, 1, 0, Whole, b"") }]);
    assert!(datagram.is_unique());
    let payload = datagram.slice(100..1300);
    receiver.packet([Data { payload, ..chunk(1, 1, 1, Whole, b"") }]);
    assert!(!datagram.is_unique(), "a large one is not copied");
}

#[test]
fn every_stream_may_be_used_and_leaves_little() {
    let mut receiver = Receiver::new();
    for stream in 0..=u16::MAX {
        receiver.packet([chunk(u32::from(stream), stream, 0, Whole, b"x")]);
        while let Some(stream) = receiver.inbound.poll_readable() {
            assert_eq!(receiver.read(stream), [b"x"]);
        }
    }
    assert_eq!(receiver.inbound.kept(), 0);
    assert!(receiver.inbound.streams.queues() <= 100, "idle streams have none");
    receiver.packet([chunk(1 << 16, 77, 1, Whole, b"second")]);
    assert_eq!(receiver.read(77), [b"second"]);
}

#[test]
fn chunk_without_payload_is_a_violation() {
    let mut receiver = Receiver::new();
    let result = receiver.inbound.handle_data(receiver.now, chunk(0, 1, 0, Whole, b""));
    assert_eq!(result, Err(Violation::BadFragments));
}

/// The chunk of a peer whose fragments fit together, and nothing else does: two of three streams have sequence numbers
/// whose turn never comes.
fn strange(random: &mut StdRng, number: u32) -> Data {
    let part = [Begin, Middle, Middle, End, Whole][number as usize % 5];
    let message = number / 5 * 2 + u32::from(part == Whole);
    let length = [1, 100, 3_000][random.random_range(0..3)];
    let stream = (message % 3) as u16;
    let ssn = if stream == 0 { (message / 3) as u16 } else { message as u16 };
    Data { unordered: message % 4 == 3, ..chunk(number, stream, ssn, part, &vec![0; length]) }
}

#[test]
fn whatever_comes_memory_is_bounded() {
    let mut fullest = 0;
    for seed in 0..9 {
        let random = &mut StdRng::seed_from_u64(seed);
        let mut receiver = Receiver::new();
        let span = [20, 5_000, 70_000][seed as usize % 3];
        for _ in 0..4_000 {
            let base = receiver.inbound.cumulative_tsn().wrapping_sub(FIRST);
            let number = base.wrapping_add(random.random_range(0..span));
            match random.random_range(0..2_000) {
                0 => receiver
                    .forward(&forward(base.wrapping_add(random.random_range(0..40)), &[(1, base as u16)])),
                1 => receiver.inbound.reset_stream(random.random_range(0..3)),
                2 => drop(receiver.read(random.random_range(0..3))),
                3..1_000 => receiver.packet([strange(random, base.wrapping_add(1))]),
                _ => receiver.packet([strange(random, number)]),
            }
            receiver.gaps(16 + 4 * 10);
            fullest = fullest.max(receiver.inbound.kept());
            assert!(receiver.inbound.kept() <= bound(&receiver), "seed {seed}");
        }
        // With all of it given up and read nothing is left, or it was charged wrongly.
        receiver.forward(&forward(receiver.inbound.cumulative_tsn().wrapping_sub(FIRST) + 70_000, &[]));
        for stream in 0..3 {
            receiver.inbound.reset_stream(stream);
            receiver.read(stream);
        }
        assert_eq!(receiver.inbound.kept(), 0, "seed {seed}");
    }
    assert!(fullest > LIMITS.window_bytes / 4, "{fullest}");
}

/// Contradictions and all: most runs end early.
#[test]
fn nonsense_is_a_violation_and_no_panic() {
    let mut violations = 0;
    for seed in 0..200 {
        let random = &mut StdRng::seed_from_u64(seed);
        let mut receiver = Receiver::new();
        for _ in 0..1_000 {
            let number = random.random_range(0..50);
            let part = [Begin, Middle, End, Whole][random.random_range(0..4)];
            let data = chunk(number, random.random_range(0..2), random.random_range(0..3), part, b"x");
            let result = match random.random_range(0..10) {
                0 => receiver.inbound.handle_forward_tsn(receiver.now, &forward(number, &[(0, 1)])),
                _ => receiver.inbound.handle_data(receiver.now, data),
            };
            if result.is_err() {
                violations += 1;
                break;
            }
        }
    }
    assert!(violations > 100, "{violations}");
}
