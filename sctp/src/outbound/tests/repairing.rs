//! What is lost comes again, soon; what is not does not.

use std::time::{Duration, Instant};

use crate::outbound::tests::{FIRST, Line, MS, PACKET, Random, Receiver, flush, message, sender};
use crate::outbound::{MAX_RETRANSMITS, PathFailed};

#[test]
fn everything_arrives_whatever_the_line_does() {
    for seed in 0..1_000 {
        let mut random = Random(seed);
        let mut line = Line::new(seed, PACKET * (1 + random.below(40) as usize));
        line.loss_percent = random.below(4) * 7;
        line.jitter_ms = random.below(3) * 30;
        line.repeat_percent = random.below(2) * 10;
        let mut written = Vec::new();
        for _ in 0..4 {
            let (stream, sent) = (random.below(3) as u16, message(1 + random.below(5_000) as usize));
            written.push((stream, sent.payload.clone()));
            line.sender.write(stream, sent);
        }
        assert_eq!(line.run(Duration::from_secs(600)), Ok(true), "seed {seed}");
        let mut arrived = line.receiver.messages();
        arrived.sort();
        written.sort();
        assert_eq!(arrived, written, "seed {seed}");
        let released: usize =
            std::iter::from_fn(|| line.sender.poll_released()).map(|(_, bytes)| bytes).sum();
        assert_eq!(released, written.iter().map(|(_, payload)| payload.len()).sum::<usize>());
        assert_eq!((0..3).map(|stream| line.sender.buffered(stream)).sum::<usize>(), 0);
    }
}

#[test]
fn nothing_is_sent_twice_on_a_line_that_keeps_order() {
    let mut line = Line::new(1, 50 * PACKET);
    line.sender.write(0, message(1_000_000));
    assert_eq!(line.run(Duration::from_secs(60)), Ok(true));
    assert_eq!(line.retransmissions(), 0);
    let told = line.told();
    assert_eq!((told.lost, told.timeouts), (0, 0));
    assert!(told.rtts.iter().all(|rtt| *rtt == 50 * MS));
}

#[test]
fn one_loss_costs_one_retransmission_and_no_timeout() {
    for place in [0, 17, 400] {
        let mut line = Line::new(1, 50 * PACKET);
        line.drop = vec![place];
        line.sender.write(0, message(1_000_000));
        assert_eq!(line.run(Duration::from_secs(60)), Ok(true));
        assert_eq!((line.retransmissions(), line.told().timeouts), (1, 0), "place {place}");
        assert_eq!(line.told().lost, PACKET - 12);
    }
}

/// The retransmission is lost too, and found by what was sent after it.
#[test]
fn a_retransmission_that_is_lost_needs_no_timeout() {
    let mut line = Line::new(1, 50 * PACKET);
    line.drop = vec![100, 150, 151, 152];
    line.sender.write(0, message(1_000_000));
    assert_eq!(line.run(Duration::from_secs(60)), Ok(true));
    assert_eq!((line.retransmissions(), line.told().timeouts), (4, 0));
    assert!(line.longest_stall <= 60 * MS, "{:?}", line.longest_stall);
}

/// Nothing comes after the tail that could show its loss; a probe does, long before the timeout of 250 ms and more.
#[test]
fn a_lost_tail_is_repaired_by_a_probe() {
    for lost in 1..=5 {
        let mut line = Line::new(1, 50 * PACKET);
        line.sender.write(0, message(20_000));
        assert_eq!(line.run(Duration::from_secs(1)), Ok(true));
        line.sender.write(0, message(20_000));
        let (began, sent) = (line.now, line.sent.len() as u64);
        line.drop = (sent + 18 - lost..sent + 18).collect();
        assert_eq!(line.run(Duration::from_secs(10)), Ok(true));
        assert_eq!(line.told().timeouts, 0);
        // One round trip for the rest, two until the probe, one for it and, where it was not all, one for the others.
        assert!(line.now - began <= 255 * MS, "{lost}: {:?}", line.now - began);
    }
}

/// The line holds everything back for a while and loses nothing.
#[test]
fn a_mistaken_timeout_is_undone() {
    let mut line = Line::new(1, 50 * PACKET);
    line.sender.write(0, message(100_000));
    assert_eq!(line.run(Duration::from_secs(1)), Ok(true));
    let before = line.retransmissions();
    line.sender.write(0, message(60_000));
    line.delay = Duration::from_millis(900);
    assert_eq!(line.run(Duration::from_secs(1)), Ok(false));
    line.delay = 25 * MS;
    while line.run(MS) != Ok(true) {
        line.sender.loss.check(&line.sender.flight);
    }
    let told = line.told();
    assert!(told.timeouts >= 1 && told.mistakes == 1, "{told:?}");
    // Of fifty on the way, the probes and what a small window sent after each timeout.
    let needless = line.retransmissions() - before;
    assert!(needless <= 2 + 2 * told.timeouts as usize, "{needless}");
}

#[test]
fn a_timeout_that_was_right_is_not_undone() {
    let mut line = Line::new(1, 50 * PACKET);
    line.sender.write(0, message(100_000));
    assert_eq!(line.run(Duration::from_secs(1)), Ok(true));
    line.sender.write(0, message(30_000));
    line.loss_percent = 100;
    assert_eq!(line.run(Duration::from_secs(1)), Ok(false));
    line.loss_percent = 0;
    assert_eq!(line.run(Duration::from_secs(10)), Ok(true));
    assert!(line.told().timeouts >= 1);
    assert_eq!(line.told().mistakes, 0);
}

/// A fifth of all packets goes, each way: it must move on, and never stand longer than three timeouts.
#[test]
fn a_line_that_loses_a_fifth_each_way_keeps_moving() {
    for seed in 0..20 {
        let mut line = Line::new(seed, 20 * PACKET);
        line.loss_percent = 20;
        line.sender.write(0, message(200_000));
        assert_eq!(line.run(Duration::from_secs(120)), Ok(true), "seed {seed}");
        assert!(line.longest_stall < 3 * 300 * MS, "seed {seed}: {:?}", line.longest_stall);
    }
}

/// Packets overtake each other by up to 10 ms on a line of 50: less than what is waited for once that was seen.
#[test]
fn overtaking_is_learnt() {
    let mut line = Line::new(5, 50 * PACKET);
    line.jitter_ms = 10;
    line.sender.write(0, message(100_000));
    assert_eq!(line.run(Duration::from_secs(60)), Ok(true));
    let learning = line.retransmissions();
    line.sender.write(0, message(2_000_000));
    assert_eq!(line.run(Duration::from_secs(60)), Ok(true));
    let needless = line.retransmissions() - learning;
    assert!(needless <= 20, "{needless} of 1,700, {learning} before");
}

#[test]
fn a_dead_path_fails_after_its_timeouts() {
    let mut line = Line::new(1, 50 * PACKET);
    line.loss_percent = 100;
    line.sender.write(0, message(10_000));
    assert_eq!(line.run(Duration::from_secs(600)), Err(PathFailed));
    assert_eq!(line.told().timeouts, MAX_RETRANSMITS);
}

/// A round trip is taken only from what was sent once.
#[test]
fn retransmissions_give_no_round_trips() {
    let mut line = Line::new(3, 20 * PACKET);
    line.loss_percent = 20;
    line.sender.write(0, message(300_000));
    assert_eq!(line.run(Duration::from_secs(120)), Ok(true));
    // A SACK that got lost makes the next one late, by a few at most.
    assert!(line.told().rtts.iter().all(|rtt| *rtt >= 50 * MS && *rtt < 500 * MS), "{:?}", line.told().rtts);
}

/// Two probes at most, with what is new, past the window, and asking for an answer.
#[test]
fn probes_go_past_the_window_and_ask_to_be_acknowledged() {
    let start = Instant::now();
    let (mut sender, told) = sender(20 * PACKET);
    sender.establish(start, 1 << 20, true);
    sender.write(0, message(200_000));
    let mut receiver = Receiver::new();
    flush(&mut sender, start).into_iter().for_each(|data| receiver.take(data));
    sender.handle_sack(start + 50 * MS, &receiver.sack()).unwrap();
    let last = flush(&mut sender, start + 50 * MS).last().unwrap().tsn;
    for probe in 1..=2 {
        let at = sender.deadline().unwrap();
        sender.handle_timeout(at).unwrap();
        let sent = flush(&mut sender, at);
        assert_eq!(sent.iter().map(|data| data.tsn).collect::<Vec<_>>(), [last.wrapping_add(probe)]);
        assert!(sent[0].immediate);
    }
    assert_eq!(told.lock().unwrap().timeouts, 0);
    let at = sender.deadline().unwrap();
    sender.handle_timeout(at).unwrap();
    assert_eq!(told.lock().unwrap().timeouts, 1);
    assert_eq!(flush(&mut sender, at)[0].tsn, FIRST.wrapping_add(receiver.kept.len() as u32));
}

/// The control may cut its window below what is on the way; the repair of a loss begins all the same.
#[test]
fn the_first_retransmission_does_not_wait_for_the_window() {
    let start = Instant::now();
    let (mut sender, told) = sender(20 * PACKET);
    sender.establish(start, 1 << 20, true);
    sender.write(0, message(200_000));
    let mut receiver = Receiver::new();
    let sent = flush(&mut sender, start);
    sent[2..8].iter().for_each(|data| receiver.take(data.clone()));
    sender.handle_sack(start + 50 * MS, &receiver.sack()).unwrap();
    told.lock().unwrap().cut_to = Some(5 * PACKET);
    let repair: Vec<_> = flush(&mut sender, start + 50 * MS).iter().map(|data| data.tsn).collect();
    assert_eq!(repair, [FIRST]);
}

/// A chunk that is only late shows that others may be: then time decides, not how many have overtaken it.
#[test]
fn what_was_overtaken_once_is_waited_for() {
    for seen in [false, true] {
        let start = Instant::now();
        let (mut sender, _) = sender(40 * PACKET);
        sender.establish(start, 1 << 20, true);
        sender.write(0, message(20_000));
        let mut receiver = Receiver::new();
        let sent = flush(&mut sender, start);
        if seen {
            receiver.take(sent[1].clone());
            sender.handle_sack(start + 50 * MS, &receiver.sack()).unwrap();
        }
        let rest = if seen { &sent[..1] } else { &sent[..2] };
        rest.iter().for_each(|data| receiver.take(data.clone()));
        sender.handle_sack(start + 50 * MS, &receiver.sack()).unwrap();
        sent[3..8].iter().for_each(|data| receiver.take(data.clone()));
        sender.handle_sack(start + 51 * MS, &receiver.sack()).unwrap();
        assert_eq!(flush(&mut sender, start + 51 * MS).is_empty(), seen);
        if seen {
            let due = sender.deadline().unwrap();
            assert_eq!(due, start + 51 * MS + 50 * MS / 4);
            sender.handle_timeout(due).unwrap();
            assert_eq!(flush(&mut sender, due).len(), 1);
        }
    }
}
