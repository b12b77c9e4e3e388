//! Bytes that the receiver said it had, and asks for after all.

use p2pcp::session::{Event, Violation};
use p2pcp::wire::peer::{Outcome, PeerMessage, Proof, SourceFault, Want};
use p2pcp::wire::{CHUNK_BYTES, DEFAULT_WINDOW_BYTES};

use crate::hostile_receiver::{Victim, check_violations, tree};
use crate::session::tree::Tree;
use crate::support::rng::Rng;

const BIG: u32 = 3;
const FALSE: Violation = Violation::FalseClaim(BIG);
const CHUNK: u64 = CHUNK_BYTES as u64;

/// Accepts, and has so many chunks of the big file.
fn has(it: &mut Victim<'_>, chunk: u32) {
    it.accept();
    it.want(0, &[Want::All, Want::All, Want::All, Want::From { chunk }, Want::All]);
}

fn again(it: &mut Victim<'_>, entry: u32, chunks: &[u32]) {
    it.hear(&PeerMessage::Again { entry, chunks: chunks.to_vec() });
}

fn restart(it: &mut Victim<'_>, entry: u32) {
    it.hear(&PeerMessage::Restart { entry });
}

/// As [`has`], of this entry.
fn from(it: &mut Victim<'_>, entry: usize, chunk: u32) {
    it.accept();
    let mut wants = [Want::All; 5];
    wants[entry] = Want::From { chunk };
    it.want(0, &wants);
}

#[test]
fn nobody_has_chunks_that_there_are_not() {
    check_violations(&[
        ("the first none", |it| from(it, 3, 0), FALSE),
        ("more than all", |it| from(it, 3, 3), FALSE),
        ("of nothing", |it| from(it, 1, 1), Violation::FalseClaim(1)),
        ("of a folder", |it| from(it, 4, 1), Violation::FalseClaim(4)),
        (
            "of what is settled",
            |it| {
                it.accept();
                it.settled(0, Outcome::Exists);
                it.want(0, &[Want::From { chunk: 1 }]);
            },
            Violation::FalseClaim(0),
        ),
    ]);
}

#[test]
fn only_what_was_held_back_is_asked_for_again_and_once() {
    check_violations(&[
        ("before consent", |it| again(it, BIG, &[0]), Violation::OutOfTurn("again")),
        (
            "of nothing",
            |it| {
                has(it, 2);
                again(it, BIG, &[]);
            },
            Violation::OutOfTurn("again"),
        ),
        (
            "of what travelled",
            |it| {
                it.begin();
                again(it, BIG, &[0]);
            },
            FALSE,
        ),
        (
            "the chunk after those",
            |it| {
                has(it, 1);
                again(it, BIG, &[1]);
            },
            FALSE,
        ),
        (
            "twice in one breath",
            |it| {
                has(it, 2);
                again(it, BIG, &[0, 0]);
            },
            FALSE,
        ),
        (
            "twice",
            |it| {
                has(it, 2);
                again(it, BIG, &[1]);
                again(it, BIG, &[1]);
            },
            FALSE,
        ),
        (
            "backwards",
            |it| {
                has(it, 2);
                again(it, BIG, &[1, 0]);
            },
            FALSE,
        ),
        (
            "before the proof",
            |it| {
                it.idle = true;
                has(it, 2);
                again(it, BIG, &[0]);
            },
            FALSE,
        ),
        (
            "of what failed",
            |it| {
                from(it, 2, 1);
                again(it, 2, &[0]);
            },
            Violation::FalseClaim(2),
        ),
        (
            "of what is settled",
            |it| {
                has(it, 2);
                it.settle(&[BIG]);
                again(it, BIG, &[0]);
            },
            Violation::UnknownEntry(BIG),
        ),
        (
            "of what nobody announced",
            |it| {
                has(it, 2);
                again(it, 9, &[0]);
            },
            Violation::UnknownEntry(9),
        ),
        (
            "after a fresh start",
            |it| {
                has(it, 2);
                restart(it, BIG);
                again(it, BIG, &[0]);
            },
            FALSE,
        ),
    ]);
}

#[test]
fn only_what_was_held_back_is_started_again_and_once() {
    check_violations(&[
        ("before consent", |it| restart(it, BIG), Violation::OutOfTurn("restart")),
        (
            "an ordinary entry",
            |it| {
                it.begin();
                restart(it, BIG);
            },
            FALSE,
        ),
        (
            "a folder",
            |it| {
                it.begin();
                restart(it, 4);
            },
            Violation::FalseClaim(4),
        ),
        (
            "twice",
            |it| {
                has(it, 2);
                restart(it, BIG);
                restart(it, BIG);
            },
            FALSE,
        ),
        (
            "twice, the second time while it is read",
            |it| {
                has(it, 2);
                it.idle = true;
                restart(it, BIG);
                restart(it, BIG);
            },
            FALSE,
        ),
        (
            "after single chunks",
            |it| {
                has(it, 2);
                again(it, BIG, &[0]);
                restart(it, BIG);
            },
            FALSE,
        ),
        (
            "kept while it is read again",
            |it| {
                has(it, 2);
                it.idle = true;
                restart(it, BIG);
                it.settle(&[BIG]);
            },
            FALSE,
        ),
        (
            "of what nobody announced",
            |it| {
                has(it, 2);
                restart(it, 5);
            },
            Violation::UnknownEntry(5),
        ),
    ]);
}

#[test]
fn what_is_asked_for_again_is_sent_and_counted_once() {
    let tree = tree();
    for (asked, bytes) in [(&[][..], 0), (&[0], CHUNK), (&[1], 1), (&[0, 1], CHUNK + 1)] {
        let mut victim = Victim::new(&tree);
        has(&mut victim, 2);
        let before = victim.bulk_bytes;
        if !asked.is_empty() {
            again(&mut victim, BIG, asked);
        }
        assert_eq!(victim.bulk_bytes - before, bytes, "{asked:?}");
        let sent = before + CHUNK + 1 + bytes;
        victim.ack(sent, sent);
        victim.settle(&[BIG]);
        let told = victim.events.iter().rev().find_map(|it| match it {
            Event::Moved(bytes) => Some(*bytes),
            _ => None,
        });
        assert_eq!(told, Some(before + bytes), "{asked:?}");
    }
}

#[test]
fn a_source_that_fails_when_it_is_read_again_says_how_far_it_came() {
    let mut tree = tree();
    tree.items[BIG as usize].late_trouble = Some((1, SourceFault::Changed));
    let mut victim = Victim::new(&tree);
    has(&mut victim, 2);
    again(&mut victim, BIG, &[0, 1]);
    let failed = Proof::Failed { entry: BIG, fault: SourceFault::Changed, sent: CHUNK };
    assert_eq!(victim.said.last(), Some(&PeerMessage::Proofs(vec![failed])));
    assert_eq!(victim.result, None);
}

/// Bytes that are asked for again count in the window like all others.
#[test]
fn what_is_asked_for_again_waits_for_the_window() {
    let chunks = DEFAULT_WINDOW_BYTES / CHUNK_BYTES;
    let mut tree = Tree::default();
    tree.file("wide", u64::from(chunks) * CHUNK, &mut Rng::new(1));
    let mut victim = Victim::new(&tree);
    victim.accept();
    victim.want(0, &[Want::From { chunk: chunks }]);
    again(&mut victim, 0, &[0, 3]);
    assert_eq!((victim.reads, victim.bulk_bytes), (chunks as usize, 0));
    for chunks in 1..=2 {
        victim.ack(chunks * CHUNK, chunks * CHUNK);
        assert_eq!(victim.bulk_bytes, chunks * CHUNK);
    }
}
