//! SACKs that lie, come late, or take back what they said.

use std::time::{Duration, Instant};

use crate::Violation;
use crate::outbound::tests::{FIRST, MS, PACKET, Random, Receiver, flush, message, sender};
use crate::outbound::{Message, Outbound, Reliability};
use crate::wire::{GapBlock, Sack};

fn sack(cumulative: u32, gaps: &[(u16, u16)]) -> Sack {
    let gaps = gaps.iter().map(|&(start, end)| GapBlock { start, end }).collect();
    Sack { cumulative_tsn: FIRST.wrapping_add(cumulative), window: 1 << 20, gaps, duplicates: Vec::new() }
}

/// Forty chunks on the way, with TSNs from `FIRST` on.
fn forty() -> (Outbound, Instant) {
    let now = Instant::now();
    let (mut sender, _) = sender(1 << 20);
    sender.establish(now, 1 << 20, true);
    sender.write(0, message(40 * (PACKET - 28)));
    assert_eq!(flush(&mut sender, now).len(), 40);
    (sender, now + 50 * MS)
}

#[test]
fn acknowledging_what_was_not_sent_is_a_violation() {
    for lie in [sack(40, &[]), sack(u32::MAX / 2 - 99, &[]), sack(9, &[(2, 31)]), sack(39, &[(1, 1)])] {
        let (mut sender, now) = forty();
        assert_eq!(sender.handle_sack(now, &lie), Err(Violation::AcknowledgedUnsent), "{lie:?}");
        assert!(!sender.is_idle() && sender.buffered(0) == PACKET - 28);
    }
    let (mut sender, now) = forty();
    assert_eq!(sender.handle_sack(now, &sack(9, &[(2, 30)])), Ok(()));
}

#[test]
fn sacks_that_were_overtaken_are_ignored() {
    let (mut sender, now) = forty();
    sender.handle_sack(now, &sack(20, &[])).unwrap();
    let buffered = sender.buffered(0);
    // Even its window: it would open what is closed by now.
    let late = Sack { window: 0, ..sack(10, &[(15, 20)]) };
    sender.handle_sack(now + MS, &late).unwrap();
    assert_eq!(sender.buffered(0), buffered);
    sender.write(0, message(10));
    assert_eq!(flush(&mut sender, now + MS).len(), 1);
}

#[test]
fn blocks_that_make_no_sense_say_nothing() {
    let (mut sender, now) = forty();
    let buffered = sender.buffered(0);
    sender.handle_sack(now, &sack(u32::MAX, &[(0, 0), (1, 1), (9, 3), (0, 20)])).unwrap();
    assert_eq!(sender.buffered(0), buffered);
}

/// Receivers may drop what only gap blocks acknowledged (RFC 9260 §6.2). It costs time, but nothing stops for good.
#[test]
fn what_the_peer_takes_back_is_sent_again() {
    let (mut sender, mut now) = forty();
    sender.handle_sack(now, &sack(u32::MAX, &[(2, 40)])).unwrap();
    let mut receiver = Receiver::new();
    flush(&mut sender, now).into_iter().for_each(|data| receiver.take(data));
    for _ in 0..50 {
        now += 50 * MS;
        sender.handle_sack(now, &receiver.sack()).unwrap();
        flush(&mut sender, now).into_iter().for_each(|data| receiver.take(data));
    }
    assert!(sender.is_idle());
    let released: usize = std::iter::from_fn(|| sender.poll_released()).map(|(_, bytes)| bytes).sum();
    assert_eq!(released, 40 * (PACKET - 28), "nothing is released twice");
}

/// Whatever a peer answers: no panic, nothing grows without bound, and time goes on.
#[test]
fn random_answers_do_no_harm() {
    for seed in 0..150 {
        let mut random = Random(seed);
        let (mut sender, _) = sender(30 * PACKET);
        let mut now = Instant::now();
        sender.establish(now, 1 << 20, random.percent(80));
        for step in 0..200 {
            let reliability = match random.below(3) {
                0 => Reliability::Retransmits(random.below(2) as u32),
                1 => Reliability::Until(now + MS * random.below(100) as u32),
                _ => Reliability::Reliable,
            };
            if sender.buffered(1) + sender.buffered(0) < 100_000 {
                let unordered = random.percent(30);
                let length = random.below(5_000) as usize;
                sender.write(random.below(2) as u16, Message { unordered, reliability, ..message(length) });
            }
            let room = 4 * random.below(400) as usize;
            while sender.next_data(now, room).is_some() {}
            let outstanding = sender.last_tsn().wrapping_sub(FIRST).wrapping_add(1);
            let mut lie = sack(random.below(u64::from(outstanding) + 2) as u32, &[]);
            lie.cumulative_tsn = lie.cumulative_tsn.wrapping_sub(1 + random.below(40) as u32);
            for _ in 0..random.below(30) {
                let start = random.below(40) as u16;
                lie.gaps.push(GapBlock { start, end: start.wrapping_add(random.below(5) as u16) });
            }
            lie.duplicates = (0..random.below(4)).map(|_| random.next() as u32).collect();
            lie.window = random.below(3) as u32 * 10_000;
            let _ = sender.handle_sack(now, &lie);
            now += MS * random.below(60) as u32;
            if sender.deadline().is_some_and(|at| at <= now) && sender.handle_timeout(now).is_err() {
                break;
            }
            let _ = sender.next_forward_tsn(now);
            assert!(sender.flight.flying_bytes() <= 32 * PACKET, "seed {seed} step {step}");
            sender.flight.check();
            sender.loss.check(&sender.flight);
        }
    }
}

/// A peer that answers with the same SACK for ever, though it is offered the same chunk.
#[test]
fn answers_without_progress_do_not_keep_a_path_alive() {
    let (mut sender, start) = forty();
    let mut now = start;
    let failed = loop {
        assert!(now < start + Duration::from_secs(600));
        sender.handle_sack(now, &sack(u32::MAX, &[])).unwrap();
        flush(&mut sender, now);
        now = sender.deadline().unwrap();
        if let Err(failed) = sender.handle_timeout(now) {
            break failed;
        }
    };
    assert_eq!(failed, crate::outbound::PathFailed);
}
