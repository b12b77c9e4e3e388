//! Lies about what the receiver has already: it compares, and believes only what agrees.

use p2pcp::crypto::digest::{EntryDigest, chunk_hash};
use p2pcp::session::receiver::{Job, MAX_LOOSE_HASHES, Otherwise, Plan};
use p2pcp::session::{Failure, Violation};
use p2pcp::wire::path::RelPath;
use p2pcp::wire::peer::{AbortReason, Hash, Outcome, PeerMessage, Proof, Settled, SourceFault, Want};

use crate::session::hostile_sender::{CHUNK, Here, Script, Victim, check, check_violations, file};

const PLACE: Violation = Violation::BlockOutOfPlace(0);
const FALSE: Violation = Violation::FalseClaim(0);
/// Three chunks and a byte.
const SIZE: u64 = 3 * CHUNK + 1;

/// Chunk `index` of the file, or of another one.
fn bytes(index: u32, other: bool) -> Vec<u8> {
    let length = if index == 3 { 1 } else { CHUNK as usize };
    vec![index as u8 + if other { 100 } else { 0 }; length]
}

fn hash(index: u32) -> Hash {
    chunk_hash(&bytes(index, false))
}

/// The first three chunks of a file seem to be here; these are others.
fn begin(it: &mut Victim, otherwise: Otherwise, other: &[u32]) {
    let hashes = (0..3).map(|index| Some(chunk_hash(&bytes(index, other.contains(&index)))));
    it.here.insert(0, Here { plan: Plan::Here { chunks: 3, otherwise }, hashes: hashes.collect() });
    it.begin(&[file("a", SIZE)]);
    assert_eq!(it.said.last(), Some(&PeerMessage::Wants { first: 0, wants: vec![Want::From { chunk: 3 }] }));
}

fn prove_chunk(it: &mut Victim, index: u32) {
    it.prove(Proof::Chunk { entry: 0, index, hash: hash(index) });
}

fn whole() -> Proof {
    let mut digest = EntryDigest::new(SIZE);
    (0..4).for_each(|index| digest.push(&hash(index)));
    Proof::Entry { entry: 0, digest: digest.finish() }
}

/// The last chunk, and all proofs.
fn first_round(it: &mut Victim) {
    it.block(0, 3 * CHUNK, &bytes(3, false));
    (0..4).for_each(|index| prove_chunk(it, index));
    it.prove(whole());
}

/// The first block of a chunk.
fn eighth(index: u32) -> Vec<u8> {
    bytes(index, false)[..CHUNK as usize / 8].to_vec()
}

fn send_chunk(it: &mut Victim, index: u32) {
    for part in 0..8 {
        let payload = &bytes(index, false)[part * (CHUNK as usize / 8)..][..CHUNK as usize / 8];
        it.block(0, u64::from(index) * CHUNK + part as u64 * CHUNK / 8, payload);
    }
}

fn failed(sent: u64) -> Proof {
    Proof::Failed { entry: 0, fault: SourceFault::Io, sent }
}

fn settled_as(it: &Victim) -> Option<Outcome> {
    it.said.iter().find_map(|message| match message {
        PeerMessage::Settled(batch) => match batch[..] {
            [Settled { entry: 0, outcome }] => Some(outcome),
            _ => None,
        },
        _ => None,
    })
}

#[test]
fn what_is_here_and_the_same_is_kept_without_its_bytes() {
    for otherwise in [Otherwise::Fetch, Otherwise::Restart, Otherwise::Settle(Outcome::Exists)] {
        let mut victim = Victim::new();
        begin(&mut victim, otherwise, &[]);
        first_round(&mut victim);
        assert_eq!(victim.committed, [0], "{otherwise:?}");
        victim.hear(&PeerMessage::End { entries: 1, skipped: 0 });
        victim.hear(&PeerMessage::Farewell);
        let Some(Ok(summary)) = victim.result else { panic!("it ends with {:?}", victim.result) };
        assert_eq!((summary.bytes, summary.spared), (1, 3 * CHUNK), "{otherwise:?}");
    }
}

#[test]
fn what_is_here_and_differs_is_dealt_with_as_the_disk_wants() {
    let mut victim = Victim::new();
    begin(&mut victim, Otherwise::Fetch, &[0, 2]);
    first_round(&mut victim);
    assert_eq!(victim.said.last(), Some(&PeerMessage::Again { entry: 0, chunks: vec![0, 2] }));
    assert!(victim.committed.is_empty());
    send_chunk(&mut victim, 0);
    assert!(victim.committed.is_empty());
    send_chunk(&mut victim, 2);
    assert_eq!(victim.committed, [0]);

    let mut victim = Victim::new();
    begin(&mut victim, Otherwise::Restart, &[1]);
    first_round(&mut victim);
    assert_eq!(victim.said.last(), Some(&PeerMessage::Restart { entry: 0 }));
    assert_eq!(victim.restarted, [0]);
    (0..3).for_each(|index| send_chunk(&mut victim, index));
    first_round(&mut victim);
    assert_eq!(victim.committed, [0]);

    let mut victim = Victim::new();
    begin(&mut victim, Otherwise::Settle(Outcome::Skipped), &[1]);
    first_round(&mut victim);
    assert_eq!(settled_as(&victim), Some(Outcome::Skipped));
    assert!(victim.committed.is_empty());
}

/// One differing chunk too many, and the file is another one.
#[test]
fn a_file_that_differs_everywhere_is_started_again() {
    for (chunks, fetched) in [(1024, true), (1025, false)] {
        let mut victim = Victim::new();
        let size = u64::from(chunks) * CHUNK;
        let plan = Plan::Here { chunks, otherwise: Otherwise::Fetch };
        victim.here.insert(0, Here { plan, hashes: vec![None; chunks as usize] });
        victim.begin(&[file("a", size)]);
        let mut digest = EntryDigest::new(size);
        for index in 0..chunks {
            digest.push(&[1; 32]);
            victim.prove(Proof::Chunk { entry: 0, index, hash: [1; 32] });
        }
        victim.prove(Proof::Entry { entry: 0, digest: digest.finish() });
        match victim.said.last() {
            Some(PeerMessage::Again { entry: 0, chunks }) => assert!(fetched && chunks.len() == 1024),
            last => assert_eq!((last, fetched), (Some(&PeerMessage::Restart { entry: 0 }), false)),
        }
        assert_eq!(victim.result, None);
    }
}

#[test]
fn blocks_that_were_to_be_held_back_are_refused() {
    check_violations(&[
        (
            "the first chunk",
            |it| {
                begin(it, Otherwise::Fetch, &[0]);
                it.block(0, 0, &eighth(0));
            },
            PLACE,
        ),
        (
            "the last of them",
            |it| {
                begin(it, Otherwise::Fetch, &[0]);
                it.block(0, 2 * CHUNK, &eighth(2));
            },
            PLACE,
        ),
        (
            "one that was not asked for again",
            |it| {
                begin(it, Otherwise::Fetch, &[0]);
                first_round(it);
                it.block(0, CHUNK, &eighth(1));
            },
            PLACE,
        ),
        (
            "the second of two first",
            |it| {
                begin(it, Otherwise::Fetch, &[0, 1]);
                first_round(it);
                it.block(0, CHUNK, &eighth(1));
            },
            PLACE,
        ),
        (
            "not from the start of the chunk",
            |it| {
                begin(it, Otherwise::Fetch, &[0]);
                first_round(it);
                it.block(0, CHUNK / 8, &eighth(0));
            },
            PLACE,
        ),
        (
            "the same twice",
            |it| {
                begin(it, Otherwise::Fetch, &[0, 1]);
                first_round(it);
                send_chunk(it, 0);
                it.block(0, 0, &eighth(0));
            },
            PLACE,
        ),
        (
            "out of place after a fresh start",
            |it| {
                begin(it, Otherwise::Restart, &[0]);
                first_round(it);
                it.block(0, 3 * CHUNK, &bytes(3, false));
            },
            PLACE,
        ),
    ]);
}

#[test]
fn other_bytes_than_were_proven_are_noticed_in_every_round() {
    let failure = Failure::Integrity(RelPath::parse("a").expect("a legal path"));
    let cases: [(&str, Script); 4] = [
        ("the second round", |it| {
            begin(it, Otherwise::Fetch, &[1]);
            first_round(it);
            let wrong = bytes(1, true);
            (0..8).for_each(|part| {
                let eighth = CHUNK as usize / 8;
                it.block(0, CHUNK + (part * eighth) as u64, &wrong[part * eighth..][..eighth]);
            });
        }),
        ("the rest", |it| {
            begin(it, Otherwise::Fetch, &[]);
            it.block(0, 3 * CHUNK, &bytes(3, true));
            (0..4).for_each(|index| prove_chunk(it, index));
        }),
        ("the digest, when all is here", |it| {
            begin(it, Otherwise::Settle(Outcome::Exists), &[]);
            it.block(0, 3 * CHUNK, &bytes(3, false));
            (0..4).for_each(|index| prove_chunk(it, index));
            it.prove(Proof::Entry { entry: 0, digest: [1; 32] });
        }),
        ("the digest, when something differs", |it| {
            begin(it, Otherwise::Fetch, &[0]);
            it.block(0, 3 * CHUNK, &bytes(3, false));
            (0..4).for_each(|index| prove_chunk(it, index));
            it.prove(Proof::Entry { entry: 0, digest: [1; 32] });
        }),
    ];
    for (what, script) in cases {
        check(what, script, &failure, Some(AbortReason::Integrity));
    }
}

#[test]
fn a_source_that_fails_is_settled_so_in_every_round() {
    let cases: [(&str, Script); 4] = [
        ("among what is held back", |it| {
            begin(it, Otherwise::Fetch, &[1]);
            (0..2).for_each(|index| prove_chunk(it, index));
            it.prove(failed(2 * CHUNK));
        }),
        ("before anything", |it| {
            begin(it, Otherwise::Restart, &[1]);
            it.prove(failed(0));
        }),
        ("after a chunk of the second round", |it| {
            begin(it, Otherwise::Fetch, &[0, 1]);
            first_round(it);
            send_chunk(it, 0);
            it.prove(failed(CHUNK));
        }),
        ("before the bytes of the second round that came before it", |it| {
            begin(it, Otherwise::Fetch, &[0, 1]);
            first_round(it);
            it.prove(failed(CHUNK));
            assert_eq!(settled_as(it), None);
            send_chunk(it, 0);
        }),
    ];
    for (what, script) in cases {
        let mut victim = Victim::new();
        script(&mut victim);
        assert_eq!(settled_as(&victim), Some(Outcome::SourceFailed(SourceFault::Io)), "{what}");
        victim.hear(&PeerMessage::End { entries: 1, skipped: 0 });
        assert!(matches!(victim.said.last(), Some(PeerMessage::Complete { .. })), "{what}");
        victim.hear(&PeerMessage::Farewell);
        let Some(Ok(summary)) = victim.result else { panic!("{what}: {:?}", victim.result) };
        assert_eq!((summary.source_failed, summary.spared), (1, 0), "{what}");
        assert!(victim.committed.is_empty(), "{what}");
    }
}

#[test]
fn faults_that_cannot_be_are_refused_in_every_round() {
    check_violations(&[
        (
            "in the middle of a chunk that is held back",
            |it| {
                begin(it, Otherwise::Fetch, &[]);
                it.prove(failed(CHUNK / 2));
            },
            FALSE,
        ),
        (
            "when everything was proven and nothing asked for again",
            |it| {
                it.stuck = true;
                begin(it, Otherwise::Fetch, &[]);
                first_round(it);
                it.prove(failed(0));
            },
            FALSE,
        ),
        (
            "less than came in the second round",
            |it| {
                begin(it, Otherwise::Fetch, &[0, 1]);
                first_round(it);
                send_chunk(it, 0);
                it.prove(failed(0));
            },
            FALSE,
        ),
        (
            "blocks of the second round after its end",
            |it| {
                begin(it, Otherwise::Fetch, &[0, 1, 2]);
                first_round(it);
                send_chunk(it, 0);
                it.idle = true;
                send_chunk(it, 1);
                it.prove(failed(2 * CHUNK));
                it.block(0, 2 * CHUNK, &eighth(2));
            },
            PLACE,
        ),
        (
            "twice in the second round",
            |it| {
                begin(it, Otherwise::Fetch, &[0, 1]);
                first_round(it);
                it.prove(failed(CHUNK));
                it.prove(failed(CHUNK));
            },
            FALSE,
        ),
        (
            "a hash after the whole was proven",
            |it| {
                begin(it, Otherwise::Fetch, &[0]);
                first_round(it);
                prove_chunk(it, 0);
            },
            FALSE,
        ),
        (
            "the whole proven twice",
            |it| {
                begin(it, Otherwise::Fetch, &[0]);
                first_round(it);
                it.prove(whole());
            },
            FALSE,
        ),
    ]);
}

/// However fast the sender proves: what waits for the disk is bounded.
#[test]
fn proofs_ahead_of_the_checks_are_bounded() {
    let mut victim = Victim::new();
    let chunks = MAX_LOOSE_HASHES as u32 + 1;
    let plan = Plan::Here { chunks, otherwise: Otherwise::Fetch };
    victim.here.insert(0, Here { plan, hashes: vec![None; chunks as usize] });
    victim.begin(&[]);
    victim.announce_idle(0, &[file("a", u64::from(chunks) * CHUNK)]);
    for index in 0..chunks - 1 {
        victim.prove(Proof::Chunk { entry: 0, index, hash: [1; 32] });
    }
    let checks = victim.jobs.iter().filter(|it| matches!(it, Job::Check { .. })).count();
    assert!((1..=64).contains(&checks), "{checks} checks are under way");
    assert_eq!(victim.result, None);
    victim.prove(Proof::Chunk { entry: 0, index: chunks - 1, hash: [1; 32] });
    let violation = Violation::TooMuch("hashes ahead of their bytes");
    assert_eq!(victim.result, Some(Err(Failure::Violation(violation))));
}

/// What is under check of a file that failed keeps no other file waiting.
#[test]
fn checks_of_what_failed_make_room_for_others() {
    let mut victim = Victim::new();
    for entry in 0..2 {
        let plan = Plan::Here { chunks: 64, otherwise: Otherwise::Fetch };
        victim.here.insert(entry, Here { plan, hashes: vec![None; 64] });
    }
    victim.begin(&[]);
    victim.announce_idle(0, &[file("a", 64 * CHUNK), file("b", 64 * CHUNK)]);
    let asked = |victim: &Victim, of: u32| {
        victim.jobs.iter().filter(|it| matches!(it, Job::Check { entry, .. } if *entry == of)).count()
    };
    assert_eq!((asked(&victim, 0), asked(&victim, 1)), (64, 0));
    victim.prove(failed(0));
    assert_eq!(asked(&victim, 1), 64);
    // Their answers come when nobody asks any more.
    victim.idle = false;
    victim.prove(Proof::Failed { entry: 1, fault: SourceFault::Io, sent: 0 });
    victim.hear(&PeerMessage::End { entries: 2, skipped: 0 });
    assert!(matches!(victim.said.last(), Some(PeerMessage::Complete { .. })), "{:?}", victim.result);
}
