//! How messages become chunks.

use std::time::Instant;

use crate::outbound::tests::{FIRST, MS, ROOM, Receiver, flush, message, sender};
use crate::outbound::{Message, Outbound};
use crate::wire::Data;

fn established() -> (Outbound, Instant) {
    let now = Instant::now();
    let (mut sender, _) = sender(1 << 20);
    sender.establish(now, 1 << 20, true);
    (sender, now)
}

fn acknowledge(sender: &mut Outbound, now: Instant, sent: Vec<Data>) {
    let mut receiver = Receiver::new();
    sent.into_iter().for_each(|data| receiver.take(data));
    sender.handle_sack(now, &receiver.sack()).unwrap();
}

#[test]
fn streams_take_turns_message_by_message() {
    let (mut sender, now) = established();
    for stream in [4, 4, 4, 7, 7, 9] {
        sender.write(stream, message(2_000));
    }
    let sent = flush(&mut sender, now);
    let beginnings: Vec<_> =
        sent.iter().filter(|data| data.beginning).map(|data| (data.stream, data.ssn)).collect();
    assert_eq!(beginnings, [(4, 0), (7, 0), (9, 0), (4, 1), (7, 1), (4, 2)]);
    // A message is not interrupted: its second half follows its first.
    assert!(
        sent.chunks(2).all(|pair| pair[0].beginning && pair[1].ending && pair[0].stream == pair[1].stream)
    );
    let numbers: Vec<_> = sent.iter().map(|data| data.tsn.wrapping_sub(FIRST)).collect();
    assert_eq!(numbers, (0..12).collect::<Vec<_>>());
}

#[test]
fn a_stream_that_is_written_to_while_it_is_cut_waits_for_its_turn() {
    let (mut sender, now) = established();
    sender.write(1, message(2_000));
    let first = sender.next_data(now, ROOM).unwrap();
    sender.write(1, message(10));
    sender.write(2, message(10));
    let order: Vec<_> = flush(&mut sender, now).iter().map(|data| data.stream).collect();
    assert_eq!((first.stream, order), (1, vec![1, 2, 1]));
}

#[test]
fn packets_are_filled_without_slivers() {
    let (mut sender, now) = established();
    sender.write(1, message(5_000));
    assert_eq!(sender.next_data(now, 400).unwrap().payload.len(), 384);
    // Less than a fragment worth its header is left alone, unless it is all there is.
    assert!(sender.next_data(now, 16 + 60).is_none());
    assert_eq!(sender.next_data(now, 16 + 64).unwrap().payload.len(), 64);
    flush(&mut sender, now);
    sender.write(1, message(20));
    assert_eq!(sender.next_data(now, 16 + 20).unwrap().payload.len(), 20);
    for room in [0, 15, 16] {
        sender.write(1, message(1));
        assert!(sender.next_data(now, room).is_none());
    }
}

#[test]
fn only_the_last_chunk_asks_to_be_acknowledged_at_once() {
    let (mut sender, now) = established();
    sender.write(1, message(10_000));
    sender.write(2, message(10_000));
    let sent = flush(&mut sender, now);
    let (last, others) = sent.split_last().unwrap();
    assert!(last.immediate && others.iter().all(|data| !data.immediate));
}

#[test]
fn unordered_messages_use_no_sequence_numbers() {
    let (mut sender, now) = established();
    for unordered in [false, true, true, false] {
        sender.write(1, Message { unordered, ..message(10) });
    }
    let sent = flush(&mut sender, now);
    let numbers: Vec<_> = sent.iter().map(|data| (data.unordered, data.ssn)).collect();
    assert_eq!(numbers, [(false, 0), (true, 0), (true, 0), (false, 1)]);
}

#[test]
fn a_reset_stream_begins_at_zero() {
    let (mut sender, now) = established();
    for _ in 0..3 {
        sender.write(1, message(10));
        sender.write(2, message(10));
    }
    flush(&mut sender, now);
    sender.reset_stream(1);
    sender.reset_stream(77);
    sender.write(1, message(10));
    sender.write(2, message(10));
    let sent = flush(&mut sender, now);
    assert_eq!(sent.iter().map(|data| (data.stream, data.ssn)).collect::<Vec<_>>(), [(1, 0), (2, 3)]);
}

#[test]
fn bytes_are_released_once_when_they_are_sent_and_the_end_of_a_message_when_it_arrives() {
    let (mut sender, now) = established();
    sender.write(1, message(3_000));
    sender.write(2, message(500));
    assert_eq!((sender.buffered(1), sender.buffered(2), sender.buffered(3)), (3_000, 500, 0));
    assert!(sender.has_queued(1) && sender.has_queued(2) && !sender.has_queued(3));
    assert_eq!(sender.poll_released(), None);
    let sent = flush(&mut sender, now);
    assert!(!sender.has_queued(1) && !sender.has_queued(2) && !sender.is_idle());
    let end = sent[2].payload.len();
    assert_eq!(sender.poll_released(), Some((1, 3_000 - end)));
    assert_eq!(sender.poll_released(), None);
    assert_eq!((sender.buffered(1), sender.buffered(2)), (end, 500));
    // The first two chunks are missing: the third is released by a gap block, and not again later.
    acknowledge(&mut sender, now + MS, sent[2..].to_vec());
    assert_eq!(sender.poll_released(), Some((1, end)));
    assert_eq!(sender.poll_released(), Some((2, 500)));
    acknowledge(&mut sender, now + 2 * MS, sent.clone());
    assert_eq!(sender.poll_released(), None);
    assert!(sender.is_idle());
    assert_eq!(sender.last_tsn(), FIRST.wrapping_add(3));
}

/// SCTP has no empty messages.
#[test]
fn an_empty_message_is_passed_over() {
    let (mut sender, now) = established();
    sender.write(1, message(0));
    assert!(sender.is_idle() && flush(&mut sender, now).is_empty());
}
