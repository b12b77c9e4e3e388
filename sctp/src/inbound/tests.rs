//! What the receiving half promises, chunk by chunk.

mod forward;
mod hostile;
mod model;

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::Violation;
use crate::inbound::{Inbound, Limits};
use crate::wire::{Data, ForwardTsn, GapBlock};

/// The peer's first TSN: the numbers wrap soon.
const FIRST: u32 = u32::MAX - 2;

const LIMITS: Limits = Limits { window_bytes: 4 << 20, message_bytes: 256 << 10 };

/// A room for SACKs of packets of 1,200 bytes.
const ROOM: usize = 1188;

/// What a fragment is of its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Begin,
    Middle,
    End,
    Whole,
}
use Part::{Begin, End, Middle, Whole};

/// The chunk `number` chunks after the first.
fn chunk(number: u32, stream: u16, ssn: u16, part: Part, payload: &[u8]) -> Data {
    Data {
        tsn: FIRST.wrapping_add(number),
        stream,
        ssn,
        ppid: 53,
        unordered: false,
        beginning: matches!(part, Begin | Whole),
        ending: matches!(part, End | Whole),
        immediate: false,
        payload: Bytes::copy_from_slice(payload),
    }
}

fn unordered(number: u32, part: Part, payload: &[u8]) -> Data {
    Data { unordered: true, ..chunk(number, 0, 0, part, payload) }
}

fn forward(number: u32, streams: &[(u16, u16)]) -> ForwardTsn {
    ForwardTsn { cumulative_tsn: FIRST.wrapping_add(number), streams: streams.to_vec() }
}

/// A receiving half at an instant of the test's.
struct Receiver {
    inbound: Inbound,
    now: Instant,
}

impl Receiver {
    fn new() -> Self {
        Self { inbound: Inbound::new(FIRST, LIMITS), now: Instant::now() }
    }

    /// One that has acknowledged the first packets of its association, which went through stream 9.
    fn settled() -> (Self, u32) {
        let mut receiver = Self::new();
        for number in 0..16 {
            receiver.packet([chunk(number, 9, number as u16, Whole, b"x")]);
            receiver.inbound.sack(receiver.now, ROOM);
        }
        while receiver.inbound.read(9).is_some() {}
        receiver.inbound.sack(receiver.now, ROOM);
        (receiver, 16)
    }

    fn packet(&mut self, chunks: impl IntoIterator<Item = Data>) {
        for data in chunks {
            self.inbound.handle_data(self.now, data).expect("these chunks are in order");
        }
        self.inbound.end_packet(self.now);
    }

    fn forward(&mut self, forward: &ForwardTsn) {
        self.inbound.handle_forward_tsn(self.now, forward).expect("this is in order");
    }

    /// All messages of a stream.
    fn read(&mut self, stream: u16) -> Vec<Vec<u8>> {
        let read = std::iter::from_fn(|| self.inbound.read(stream));
        read.map(|message| message.to_payload(usize::MAX).expect("any length fits").to_vec()).collect()
    }

    fn is_due(&self) -> bool {
        self.inbound.sack_due(self.now)
    }

    /// Gap blocks of the next SACK, as numbers of chunks.
    fn gaps(&mut self, room: usize) -> Vec<(u32, u32)> {
        let sack = self.inbound.sack(self.now, room);
        let base = sack.cumulative_tsn.wrapping_sub(FIRST);
        let number = |offset: u16| base.wrapping_add(u32::from(offset));
        sack.gaps.iter().map(|gap: &GapBlock| (number(gap.start), number(gap.end))).collect()
    }
}

/// The messages of stream 1 after these chunks.
fn check(chunks: impl IntoIterator<Item = Data>, expect: &[&str]) {
    let mut receiver = Receiver::new();
    receiver.packet(chunks);
    let read = receiver.read(1);
    let read: Vec<_> = read.iter().map(|payload| String::from_utf8_lossy(payload)).collect();
    assert_eq!(read, expect);
}

#[test]
fn fragments_become_a_message_in_any_order() {
    let parts = [
        chunk(0, 1, 0, Begin, b"a"),
        chunk(1, 1, 0, Middle, b"b"),
        chunk(2, 1, 0, Middle, b"c"),
        chunk(3, 1, 0, End, b"d"),
    ];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [0, 3, 1, 2], [1, 2, 0, 3], [2, 0, 3, 1], [3, 0, 2, 1]] {
        check(order.map(|number: usize| parts[number].clone()), &["abcd"]);
    }
}

#[test]
fn ordered_messages_wait_for_their_turn() {
    check([chunk(1, 1, 1, Whole, b"second"), chunk(2, 1, 2, Whole, b"third")], &[]);
    check(
        [2, 1, 0].map(|number| chunk(number, 1, number as u16, Whole, &[b'0' + number as u8])),
        &["0", "1", "2"],
    );
}

#[test]
fn other_streams_and_unordered_messages_do_not_wait() {
    let mut receiver = Receiver::new();
    receiver.packet([
        chunk(1, 1, 0, Whole, b"other stream"),
        unordered(2, Begin, b"un"),
        unordered(3, End, b"ordered"),
    ]);
    assert_eq!(receiver.read(1), [b"other stream"]);
    assert_eq!(receiver.read(0), [b"unordered"]);
    receiver.packet([chunk(0, 2, 0, Whole, b"late")]);
    assert_eq!(receiver.read(2), [b"late"]);
    assert_eq!(receiver.inbound.cumulative_tsn(), FIRST.wrapping_add(3));
}

#[test]
fn readable_is_told_once_per_burst() {
    let mut receiver = Receiver::new();
    receiver.packet([chunk(0, 1, 0, Whole, b"a"), chunk(1, 2, 0, Whole, b"b"), chunk(2, 1, 1, Whole, b"c")]);
    assert_eq!(receiver.inbound.poll_readable(), Some(1));
    assert_eq!(receiver.inbound.poll_readable(), Some(2));
    assert_eq!(receiver.inbound.poll_readable(), None);
    assert!(receiver.inbound.has_unread(1));
    receiver.packet([chunk(3, 1, 2, Whole, b"d")]);
    assert_eq!(receiver.inbound.poll_readable(), Some(1));
    receiver.packet([chunk(4, 1, 3, Whole, b"e")]);
    receiver.read(1);
    assert_eq!(receiver.inbound.poll_readable(), None, "it was read before it was told");
}

#[test]
fn sack_tells_what_is_there_and_what_came_twice() {
    let mut receiver = Receiver::new();
    receiver.packet([0, 1, 3, 4, 6].map(|number| unordered(number, Whole, b"x")));
    receiver.packet([1, 3].map(|number| unordered(number, Whole, b"x")));
    let sack = receiver.inbound.sack(receiver.now, ROOM);
    assert_eq!(sack.cumulative_tsn, FIRST.wrapping_add(1));
    assert_eq!(sack.gaps, [GapBlock { start: 2, end: 3 }, GapBlock { start: 5, end: 5 }]);
    assert_eq!(sack.duplicates, [1, 3].map(|number| FIRST.wrapping_add(number)));
    assert!(receiver.inbound.sack(receiver.now, ROOM).duplicates.is_empty(), "they are told once");
}

#[test]
fn sack_that_is_too_short_has_the_lowest_and_the_highest_gap_blocks() {
    let mut receiver = Receiver::new();
    receiver.packet((1..10).map(|number| unordered(2 * number, Whole, b"x")));
    receiver.packet([unordered(2, Whole, b"x")]);
    assert_eq!(receiver.gaps(16 + 4 * 4), [(2, 2), (4, 4), (16, 16), (18, 18)]);
    assert_eq!(receiver.gaps(16 + 4 * 9 + 3).len(), 9);
    assert_eq!(receiver.gaps(10), []);
}

#[test]
fn sack_is_due_at_once_for_what_the_sender_should_know() {
    let (mut receiver, next) = Receiver::settled();
    assert!(!receiver.is_due());
    receiver.packet([unordered(next + 1, Whole, b"gap")]);
    assert!(receiver.is_due(), "a new gap");
    receiver.inbound.sack(receiver.now, ROOM);

    receiver.packet([unordered(next + 2, Whole, b"behind the gap")]);
    assert!(!receiver.is_due(), "nothing new about gaps");
    receiver.packet([unordered(next, Whole, b"repaired")]);
    assert!(receiver.is_due(), "a gap closes");
    receiver.inbound.sack(receiver.now, ROOM);

    receiver.packet([unordered(next, Whole, b"again")]);
    assert!(receiver.is_due(), "a duplicate");
    receiver.inbound.sack(receiver.now, ROOM);

    receiver.packet([Data { immediate: true, ..unordered(next + 3, Whole, b"now") }]);
    assert!(receiver.is_due(), "the I bit");
    receiver.inbound.sack(receiver.now, ROOM);
    assert!(!receiver.is_due());

    receiver.packet([unordered(next + 4, Whole, b"one")]);
    assert!(!receiver.is_due());
    let deadline = receiver.inbound.deadline().expect("it will be due");
    assert!(deadline - receiver.now <= Duration::from_millis(200), "RFC 9260 §6.2");
    assert!(receiver.inbound.sack_due(deadline));
    receiver.packet([unordered(next + 5, Whole, b"two")]);
    assert!(receiver.is_due(), "every second packet");
}

#[test]
fn reader_that_makes_room_reopens_the_window_at_once() {
    let mut receiver = Receiver::new();
    let mut number = 0;
    while receiver.inbound.sack(receiver.now, ROOM).window > 0 {
        receiver.packet([chunk(number, 1, number as u16, Whole, &[0; 1200])]);
        number += 1;
    }
    assert!(!receiver.is_due());
    for _ in 0..4 {
        receiver.inbound.read(1);
    }
    assert!(receiver.is_due());
    assert!(receiver.inbound.sack(receiver.now, ROOM).window >= 2400);
    receiver.inbound.read(1);
    assert!(!receiver.is_due(), "a little more is not worth a packet");
}

#[test]
fn large_part_of_the_window_is_told_when_it_is_read() {
    let mut receiver = Receiver::new();
    receiver.packet((0..300).map(|number| chunk(number, 1, number as u16, Whole, &[0; 1200])));
    receiver.inbound.sack(receiver.now, ROOM);
    receiver.inbound.read(1);
    assert!(!receiver.is_due());
    receiver.read(1);
    assert!(receiver.is_due());
}

/// What was promised may still be used after later SACKs: an offer shrinks by what came in, not by more.
#[test]
fn window_is_never_taken_back() {
    let mut receiver = Receiver::new();
    let mut edge = 0;
    for number in 0..800 {
        receiver.packet([chunk(number + 1, 1, 0, Middle, &[0; 600])].into_iter().filter(|_| number < 400));
        let window = receiver.inbound.sack(receiver.now, ROOM).window as usize;
        let now = window + 600 * (number as usize + 1).min(400);
        assert!(now >= edge, "{number}: {now} < {edge}");
        edge = now;
    }
}

#[test]
fn reset_stream_begins_anew_and_keeps_what_is_complete() {
    let mut receiver = Receiver::new();
    receiver.packet([chunk(0, 1, 0, Whole, b"before"), chunk(1, 1, 5, Whole, b"never its turn")]);
    receiver.inbound.reset_stream(1);
    receiver.packet([chunk(2, 1, 0, Whole, b"after")]);
    assert_eq!(receiver.read(1), [b"before".as_slice(), b"after"]);
    assert_eq!(receiver.inbound.kept(), 0);
}

#[test]
fn contradictions_are_violations() {
    let contradictions: [&[Data]; 10] = [
        &[chunk(0, 1, 0, Middle, b"no beginning")],
        &[chunk(0, 1, 0, Whole, b"a"), chunk(1, 1, 0, End, b"no beginning")],
        &[chunk(0, 1, 0, Begin, b"a"), chunk(1, 1, 0, Begin, b"begins twice")],
        &[chunk(1, 1, 0, Whole, b"b"), chunk(0, 1, 0, Begin, b"has no end")],
        &[chunk(2, 1, 0, End, b"b"), chunk(1, 1, 0, End, b"ends twice")],
        &[chunk(0, 1, 0, Begin, b"a"), chunk(1, 2, 0, End, b"other stream")],
        &[chunk(1, 2, 0, End, b"b"), chunk(0, 1, 0, Begin, b"other stream")],
        &[chunk(0, 1, 0, Begin, b"a"), chunk(1, 1, 1, End, b"other number")],
        &[chunk(0, 1, 0, Begin, b"a"), unordered(1, End, b"other order")],
        &[chunk(0, 1, 0, Begin, b"a"), Data { ppid: 51, ..chunk(1, 1, 0, End, b"other kind") }],
    ];
    for chunks in contradictions {
        let mut receiver = Receiver::new();
        let mut results = chunks.iter().map(|data| receiver.inbound.handle_data(receiver.now, data.clone()));
        let violated = results.any(|result| result == Err(Violation::BadFragments));
        assert!(violated, "{chunks:?}");
    }
}
