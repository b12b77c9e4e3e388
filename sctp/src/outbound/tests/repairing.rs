//! What is lost comes again, soon; what is not does not.

use std::time::Duration;

use crate::outbound::tests::{Line, MS, PACKET, Random, message};
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
        line.drop = (sent + 17 - lost..sent + 17).collect();
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
    assert_eq!(line.run(Duration::from_secs(10)), Ok(true));
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
