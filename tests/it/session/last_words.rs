//! Whatever becomes of the last ten messages of a session, each lost, late or doubled, alone and together, with
//! and without another link afterwards: `send` ends well only if the receiver has it all, durably.

use std::time::Duration;

use p2pcp::crypto::Role;

use crate::session::conditions::{Conditions, Cut, Harmed, Tail};
use crate::session::pair::Ended;
use crate::session::tree::{Shape, Tree};
use crate::session::{check, wish};
use crate::support::rng::Rng;

/// How many last messages are meddled with.
const LAST: usize = 10;

/// Links are lost this many steps before the undisturbed end, or never.
const CUTS: [Option<usize>; 4] = [None, Some(8), Some(2), Some(0)];

/// Three files and a folder: the last ten messages settle each of them.
fn tree() -> Tree {
    let rng = &mut Rng::new(6);
    let mut tree = Tree::grow(Shape::One(5), rng);
    tree.file("d/empty", 0, rng);
    tree.file("d/other", 70_000, rng);
    tree.folder("d");
    tree
}

/// Sums over many runs.
#[derive(Debug, Default)]
struct Count {
    runs: u64,
    both_well: u64,
    sender_well: u64,
}

impl Count {
    fn add(&mut self, ended: &Ended) {
        self.runs += 1;
        self.sender_well += u64::from(ended.sender.is_ok());
        self.both_well += u64::from(ended.sender.is_ok() && ended.receiver.is_ok());
    }
}

/// Runs all these fates under one seed, each with every cut.
fn meddle(seed: u64, fates: impl Iterator<Item = u64>, count: &mut Count) {
    let tree = tree();
    let fair = Conditions { patience: Duration::from_secs(200), ..Conditions::fair() };
    let first = check(&tree, fair, Rng::new(seed));
    for fates in fates {
        for before in CUTS {
            let mut conditions = fair;
            let tail = Tail { first: first.frames - LAST, frames: LAST, fates };
            conditions.harmed = Harmed::Tail(tail);
            conditions.cuts[0] = before.map(|before| Cut {
                step: first.steps - before,
                first: if fates.is_multiple_of(2) { Role::Sender } else { Role::Receiver },
                gap: Duration::from_millis(fates % 50),
                back: Some(Duration::from_secs(1)),
            });
            count.add(&check(&tree, conditions, Rng::new(seed)));
        }
    }
}

/// The two bits of each message, from one bit each: lost or not.
fn lost(mask: u64) -> u64 {
    (0..LAST as u64).map(|it| (mask >> it & 1) << (2 * it)).sum()
}

#[test]
fn every_set_of_the_last_ten_messages_lost() {
    let mut count = Count::default();
    meddle(0, (0..1 << LAST).map(lost), &mut count);
    assert_eq!(count.runs, 4096);
    assert_eq!(count.sender_well, count.both_well);
    assert!(count.sender_well > count.runs / 100, "{count:?}");
    assert!(count.sender_well < count.runs / 2, "{count:?}");
}

#[test]
fn each_and_any_two_of_the_last_ten_messages_lost_late_or_doubled() {
    let one = |at: u64| (0..4).map(move |fate: u64| fate << (2 * at));
    let pairs = (0..LAST as u64).flat_map(|low| (0..low).map(move |high| (low, high)));
    let fates = pairs.flat_map(|(low, high)| one(low).flat_map(move |it| one(high).map(move |or| it | or)));
    let mut count = Count::default();
    let fates: std::collections::BTreeSet<u64> = fates.collect();
    for seed in 1..3 {
        meddle(seed, fates.iter().copied(), &mut count);
    }
    assert_eq!(count.runs, 2 * 4 * (1 + 3 * 10 + 9 * 45));
    assert_eq!(count.sender_well, count.both_well);
}

/// All four fates of all ten: 4,194,304 runs, for a long run in an optimised build.
#[test]
fn every_fate_of_the_last_ten_messages() {
    let all = 1 << (2 * LAST);
    let step = if wish("P2PCP_SEEDS").is_some_and(|it| it >= 10_000) { 1 } else { 1021 };
    let mut count = Count::default();
    meddle(3, (0..all).step_by(step), &mut count);
    assert_eq!(count.sender_well, count.both_well);
    println!("{count:?}");
}
