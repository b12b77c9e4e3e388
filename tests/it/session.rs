//! Both state machines against each other: a whole transfer without sockets, files or time, under every
//! mishap that the issue names, thousands of times, each from a seed.
//!
//! `P2PCP_SEEDS=100000` runs more of them, `P2PCP_SEED=17` only that one.

mod asking;
pub mod conditions;
pub mod disk;
pub mod disks;
mod every_step;
mod heard;
mod hostile_receiver;
mod hostile_sender;
mod last_words;
mod ledger;
mod lost_links;
mod pacing;
mod packed;
pub mod pair;
mod restarts;
mod side;
mod sink;
mod streams;
pub mod tree;
mod witness;

use std::panic::{AssertUnwindSafe, catch_unwind};

use p2pcp::session::Failure;

use crate::session::conditions::Conditions;
use crate::session::disk::Disk;
use crate::session::pair::{Ended, Excuse, Pair};
use crate::session::tree::{Shape, Tree};
use crate::support::rng::Rng;

/// Seeds of each test here, unless the environment says otherwise.
const SEEDS: u64 = 200;

/// Runs a pair and checks how it ended.
fn check(tree: &Tree, conditions: Conditions, rng: Rng) -> Ended {
    check_on(tree, Disk::default(), conditions, rng).0
}

/// The same, given what is on the receiver's disk already; and what is there in the end.
fn check_on(tree: &Tree, disk: Disk, conditions: Conditions, rng: Rng) -> (Ended, Disk) {
    let expected = tree.expected_on(&disk, conditions.policy);
    let (ended, disk) = Pair::new(tree, disk, conditions, rng).run();
    if conditions.are_fair() {
        assert_eq!(ended.receiver, Ok(expected), "{conditions:?}");
        assert!(
            !conditions.are_mild() || ended.excused != Some(Excuse::LeftAlone),
            "the receiver left too early: {conditions:?}"
        );
        if ended.excused.is_none() || ended.sender != Err(Failure::LinkLost) {
            assert_eq!(ended.sender, Ok(expected), "{conditions:?}");
        }
        assert_eq!(ended.payload, expected.bytes, "{conditions:?}");
        assert_eq!(ended.kept as u64, expected.files + expected.folders + expected.links);
    }
    for (result, left) in [(&ended.sender, !ended.sender_first), (&ended.receiver, ended.sender_first)] {
        if let Err(failure) = result {
            assert!(conditions.explain(failure, left), "{failure:?} in {ended:?} under {conditions:?}");
        }
    }
    assert!(ended.receiver.is_err() || ended.finished, "the receiver leaves an unfinished stage");
    if let Ok(summary) = ended.sender {
        // Whoever is killed after the last word has left everything as it should be.
        let killed = conditions.kill.is_some() && ended.finished;
        assert!(
            ended.receiver.is_ok() || killed,
            "the sender believes {:?} under {conditions:?}",
            ended.receiver
        );
        let kept = summary.files + summary.folders + summary.links;
        assert_eq!(kept, ended.kept as u64, "the sender believes in what is not there");
        if conditions.are_honest() {
            assert_eq!(summary, expected);
        }
    }
    if conditions.are_honest() {
        assert!(ended.payload <= expected.bytes, "{} bytes travel, not {}", ended.payload, expected.bytes);
    }
    (ended, disk)
}

/// One number from the environment.
fn wish(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|it| it.parse().expect("a number"))
}

/// Runs all seeds, or the one that is wished for; says which one failed. Returns how many ended well on
/// both sides, and how many did not.
fn each_seed(test: &str, run: impl Fn(&mut Rng) -> Ended) -> (u64, u64) {
    each_seed_of(SEEDS, test, run)
}

/// The same, with so many seeds unless the environment says otherwise.
fn each_seed_of(usual: u64, test: &str, run: impl Fn(&mut Rng) -> Ended) -> (u64, u64) {
    let seeds = match wish("P2PCP_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..wish("P2PCP_SEEDS").unwrap_or(usual),
    };
    let (mut well, mut badly) = (0, 0);
    for seed in seeds {
        match catch_unwind(AssertUnwindSafe(|| run(&mut Rng::new(seed)))) {
            Ok(Ended { sender: Ok(_), receiver: Ok(_), .. }) => well += 1,
            Ok(_) => badly += 1,
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).to_owned()));
                let text = text.unwrap_or_default();
                panic!("seed {seed}: {text}\nagain: P2PCP_SEED={seed} cargo test --test it session::{test}");
            }
        }
    }
    (well, badly)
}

/// All seeds under one kind of mishap; of many runs some must have got over it and some not, or the
/// mishap would miss its aim.
fn each_seed_under(kind: u64, test: &str) {
    let (well, badly) = each_seed(test, |rng| weather(&[kind], rng));
    let few = (well + badly) / 20;
    assert!(well >= few && badly >= few, "{well} ended well, {badly} did not");
}

/// A run under these kinds of mishap, see [`Conditions::worsen`].
fn weather(kinds: &[u64], rng: &mut Rng) -> Ended {
    let shape = Shape::draw(rng);
    let mut tree = Tree::grow(shape, rng);
    match rng.below(4) {
        0 => tree.trouble_sender(3, rng),
        1 => tree.trouble_receiver(3, rng),
        2 => {
            tree.trouble_sender(4, rng);
            tree.trouble_receiver(4, rng);
        }
        _ => (),
    }
    let mut conditions = Conditions::draw(rng);
    for &kind in kinds {
        conditions.worsen(kind, 30 + 3 * tree.weight(), rng);
    }
    check(&tree, conditions, Rng::new(rng.any()))
}

#[test]
fn without_mishap_both_end_well_and_agree() {
    let (_, badly) = each_seed("without_mishap", |rng| {
        let tree = Tree::grow(Shape::draw(rng), rng);
        let ended = check(&tree, Conditions::draw(rng), Rng::new(rng.any()));
        assert_eq!(ended.kept, tree.items.len());
        ended
    });
    assert_eq!(badly, 0);
}

/// Sources that change or vanish and names that are taken are no reason to fail.
#[test]
fn what_befalls_single_entries_is_agreed_on() {
    let (_, badly) = each_seed("what_befalls_single_entries", |rng| weather(&[], rng));
    assert_eq!(badly, 0);
}

#[test]
fn a_lost_link_ends_both() {
    each_seed_under(0, "a_lost_link");
}

#[test]
fn a_broken_transport_is_noticed_and_spoils_nothing() {
    each_seed_under(1, "a_broken_transport");
}

#[test]
fn a_disk_error_ends_both() {
    each_seed_under(2, "a_disk_error");
}

#[test]
fn a_cancel_ends_both() {
    each_seed_under(3, "a_cancel");
}

#[test]
fn an_answer_of_any_kind_at_any_time_ends_both() {
    each_seed_under(4, "an_answer");
}

#[test]
fn a_side_that_stands_still_is_waited_for_but_not_for_ever() {
    each_seed_under(5, "a_side_that_stands_still");
}

#[test]
fn disk_answers_that_come_twice_spoil_nothing() {
    each_seed_under(6, "disk_answers");
}

#[test]
fn several_mishaps_at_once_end_both() {
    each_seed("several_mishaps", |rng| {
        let kinds: Vec<u64> = (0..1 + rng.below(4)).map(|_| rng.below(8)).collect();
        weather(&kinds, rng)
    });
}
