//! Messages that are worth only so much.

use std::time::{Duration, Instant};

use crate::outbound::tests::{FIRST, Line, MS, PACKET, Receiver, flush, message, sender};
use crate::outbound::{Message, Outbound, Reliability};
use crate::wire::ForwardTsn;

fn retransmits(most: u32, length: usize) -> Message {
    Message { reliability: Reliability::Retransmits(most), ..message(length) }
}

#[test]
fn a_message_is_tried_as_often_as_was_said() {
    for most in [0, 1, 3] {
        let mut line = Line::new(1, 20 * PACKET);
        line.sender.write(5, retransmits(most, 100));
        line.loss_percent = 100;
        assert_eq!(line.run(Duration::from_secs(20)), Ok(false));
        line.loss_percent = 0;
        assert_eq!(line.run(Duration::from_secs(60)), Ok(true));
        assert_eq!((line.sent.len(), line.receiver.kept.len()), (most as usize + 1, 0));
        assert_eq!(line.sender.poll_released(), Some((5, 100)));
    }
}

#[test]
fn what_follows_a_message_that_is_given_up_arrives() {
    let mut line = Line::new(1, 20 * PACKET);
    line.drop = vec![3];
    for _ in 0..10 {
        line.sender.write(5, retransmits(0, 1_000));
    }
    assert_eq!(line.run(Duration::from_secs(10)), Ok(true));
    assert_eq!((line.sent.len(), line.receiver.messages().len()), (10, 9));
    assert_eq!(line.told().timeouts, 0);
    assert!(line.now - line.sent[0].0 <= 200 * MS);
}

/// One chunk of a long message is lost: the others, and what was not sent yet, go with it.
#[test]
fn a_message_goes_as_a_whole() {
    let mut line = Line::new(1, 10 * PACKET);
    line.drop = vec![4];
    line.sender.write(5, retransmits(0, 100_000));
    line.sender.write(5, message(3_000));
    assert_eq!(line.run(Duration::from_secs(10)), Ok(true));
    assert!(line.sent.len() < 30, "{}", line.sent.len());
    let arrived = line.receiver.messages();
    assert_eq!(arrived.iter().map(|(_, payload)| payload.len()).collect::<Vec<_>>(), [3_000]);
    assert_eq!(line.sender.poll_released(), Some((5, 103_000)));
    assert_eq!(line.sender.buffered(5), 0);
}

/// The peer has all that was sent of it, and would wait for the rest for ever.
#[test]
fn a_message_that_ends_between_two_chunks_is_passed_over_by_a_number_of_its_own() {
    let start = Instant::now();
    let (mut sender, _) = sender(2 * PACKET);
    sender.establish(start, 1 << 20, true);
    let reliability = Reliability::Until(start + 500 * MS);
    sender.write(5, Message { reliability, ..message(10_000) });
    let sent = flush(&mut sender, start);
    assert_eq!(sent.len(), 2);
    let mut receiver = Receiver::new();
    receiver.window = 0;
    sent.into_iter().for_each(|data| receiver.take(data));
    sender.handle_sack(start + 50 * MS, &receiver.sack()).unwrap();
    assert!(flush(&mut sender, start + 50 * MS).is_empty());
    sender.handle_timeout(start + 500 * MS).unwrap();
    let forward = sender.next_forward_tsn(start + 500 * MS);
    let forward = forward.expect("the peer is told");
    assert_eq!((forward.cumulative_tsn >= FIRST.wrapping_add(2), forward.streams), (true, vec![(5, 0)]));
    assert_eq!(sender.buffered(5), 0);
    assert!(!sender.has_queued(5));
}

#[test]
fn messages_that_outlive_their_worth_unsent_take_no_numbers() {
    let start = Instant::now();
    let (mut sender, _) = sender(2 * PACKET);
    sender.establish(start, 0, true);
    for length in [100, 200] {
        let reliability = Reliability::Until(start + 100 * MS);
        sender.write(5, Message { reliability, ..message(length) });
    }
    sender.write(5, message(400));
    assert!(flush(&mut sender, start).is_empty());
    assert_eq!(sender.deadline(), Some(start + 100 * MS));
    sender.handle_timeout(start + 100 * MS).unwrap();
    assert_eq!((sender.buffered(5), sender.poll_released()), (400, Some((5, 300))));
    assert_eq!(sender.next_forward_tsn(start + 100 * MS), None);
    let sack = crate::wire::Sack { window: 9_000, ..Receiver::new().sack() };
    sender.handle_sack(start + 200 * MS, &sack).unwrap();
    let sent = flush(&mut sender, start + 200 * MS);
    assert_eq!(sent.iter().map(|data| (data.tsn, data.ssn)).collect::<Vec<_>>(), [(FIRST, 0)]);
}

/// RFC 3758 §3.3.1: without FORWARD TSN it could not be told.
#[test]
fn a_peer_that_cannot_move_on_gets_everything() {
    let mut line = Line::new(1, 20 * PACKET);
    line.sender.establish(line.now, 1 << 30, false);
    line.loss_percent = 30;
    for _ in 0..20 {
        line.sender.write(5, retransmits(0, 1_500));
        line.sender.write(6, Message { reliability: Reliability::Until(line.now), ..message(1_500) });
    }
    assert_eq!(line.run(Duration::from_secs(60)), Ok(true));
    assert_eq!(line.receiver.messages().len(), 40);
}

#[test]
fn the_peer_is_told_again_until_it_moves_on() {
    let start = Instant::now();
    let (mut sender, _) = sender(20 * PACKET);
    sender.establish(start, 1 << 20, true);
    sender.write(5, retransmits(0, 100));
    sender.write(6, Message { unordered: true, ..retransmits(0, 100) });
    sender.write(7, retransmits(0, 100));
    assert_eq!(flush(&mut sender, start).len(), 3);
    let mut receiver = Receiver::new();
    let expected = ForwardTsn { cumulative_tsn: FIRST.wrapping_add(2), streams: vec![(5, 0), (7, 0)] };
    for _ in 0..4 {
        let at = sender.deadline().unwrap();
        sender.handle_timeout(at).unwrap();
        assert_eq!(sender.next_forward_tsn(at), Some(expected.clone()));
        assert_eq!(sender.next_forward_tsn(at), None);
    }
    receiver.forward(&expected);
    sender.handle_sack(start + Duration::from_secs(40), &receiver.sack()).unwrap();
    assert_eq!(sender.next_forward_tsn(start + Duration::from_secs(40)), None);
    assert!(sender.is_idle());
    assert_eq!(sender.deadline(), None);
}

/// Its list would not fit in a packet: the peer moves on by steps.
#[test]
fn many_streams_are_given_up_by_packets() {
    let mut line = Line::new(1, 1 << 20);
    line.loss_percent = 100;
    for stream in 0..1_000 {
        line.sender.write(stream, retransmits(0, 50));
    }
    assert_eq!(line.run(Duration::from_secs(1)), Ok(false));
    line.loss_percent = 0;
    assert_eq!(line.run(Duration::from_secs(60)), Ok(true));
    assert!(line.receiver.kept.is_empty());
    assert_eq!(line.forwarded.iter().max(), Some(&((PACKET - 20) / 4)));
}

/// A sender with seven messages that are not to be sent again.
fn with_seven_sent_once(start: Instant) -> Outbound {
    let (mut sender, _) = sender(20 * PACKET);
    sender.establish(start, 1 << 20, true);
    for _ in 0..7 {
        sender.write(5, retransmits(0, 100));
    }
    sender
}

/// One FORWARD TSN passes over several that are given up, and what arrived between them.
#[test]
fn one_chunk_tells_of_all_that_was_given_up() {
    let start = Instant::now();
    let mut sender = with_seven_sent_once(start);
    let mut receiver = Receiver::new();
    let arrived =
        flush(&mut sender, start).into_iter().enumerate().filter(|(place, _)| ![0, 2].contains(place));
    arrived.for_each(|(_, data)| receiver.take(data));
    sender.handle_sack(start + 50 * MS, &receiver.sack()).unwrap();
    let forward = sender.next_forward_tsn(start + 50 * MS);
    let expected = ForwardTsn { cumulative_tsn: FIRST.wrapping_add(2), streams: vec![(5, 2)] };
    assert_eq!(forward, Some(expected));
}

#[test]
fn everything_ends_whatever_the_line_does() {
    for seed in 0..150 {
        let mut line = Line::new(seed, 10 * PACKET);
        line.loss_percent = 25;
        line.jitter_ms = 20;
        let mut random = crate::outbound::tests::Random(seed);
        for _ in 0..12 {
            let reliability = match random.below(3) {
                0 => Reliability::Reliable,
                1 => Reliability::Retransmits(random.below(3) as u32),
                _ => Reliability::Until(line.now + MS * random.below(400) as u32),
            };
            let unordered = random.percent(50);
            let sent = Message { reliability, unordered, ..message(1 + random.below(4_000) as usize) };
            line.sender.write(random.below(3) as u16, sent);
        }
        let reliable = line.run(Duration::from_secs(300));
        assert_eq!(reliable, Ok(true), "seed {seed}");
        assert_eq!((0..3).map(|stream| line.sender.buffered(stream)).sum::<usize>(), 0, "seed {seed}");
    }
}

/// It was lost in time, and its turn came too late.
#[test]
fn a_chunk_that_outlives_its_worth_before_it_is_sent_again_is_passed_over() {
    let start = Instant::now();
    let (mut sender, _) = sender(20 * PACKET);
    sender.establish(start, 1 << 20, true);
    for _ in 0..5 {
        sender.write(5, Message { reliability: Reliability::Until(start + 100 * MS), ..message(100) });
    }
    let mut receiver = Receiver::new();
    flush(&mut sender, start).into_iter().skip(1).for_each(|data| receiver.take(data));
    sender.handle_sack(start + 50 * MS, &receiver.sack()).unwrap();
    let late = start + 150 * MS;
    assert!(flush(&mut sender, late).is_empty());
    assert_eq!(sender.deadline(), Some(late));
    let forward = sender.next_forward_tsn(late).expect("the peer is told");
    assert_eq!((forward.cumulative_tsn, forward.streams), (FIRST, vec![(5, 0)]));
    assert!(sender.deadline().is_some_and(|at| at > late));
}

/// The FORWARD TSN was lost: SACKs that show the peer behind bring another, but only one a round trip.
#[test]
fn sacks_that_show_the_peer_behind_repeat_it_once_a_round_trip() {
    let start = Instant::now();
    let mut sender = with_seven_sent_once(start);
    let mut receiver = Receiver::new();
    flush(&mut sender, start).into_iter().skip(1).for_each(|data| receiver.take(data));
    for (after, told) in [(50, true), (60, false), (99, false), (100, true), (110, false)] {
        sender.handle_sack(start + after * MS, &receiver.sack()).unwrap();
        assert_eq!(sender.next_forward_tsn(start + after * MS).is_some(), told, "after {after} ms");
    }
}
