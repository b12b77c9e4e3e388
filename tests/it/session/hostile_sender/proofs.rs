//! Hashes and digests that do not fit, and faults that did not happen.

use p2pcp::crypto::digest::chunk_hash;
use p2pcp::session::receiver::MAX_LOOSE_HASHES;
use p2pcp::session::{Failure, Violation};
use p2pcp::wire::path::RelPath;
use p2pcp::wire::peer::{AbortReason, PeerMessage, Proof, SourceFault};

use crate::session::hostile_sender::{
    CHUNK, Script, Victim, check, check_violations, digest, file, folder, link, offer,
};

fn hash(entry: u32, index: u32) -> Proof {
    Proof::Chunk { entry, index, hash: [1; 32] }
}

fn failed(entry: u32, sent: u64) -> Proof {
    Proof::Failed { entry, fault: SourceFault::Io, sent }
}

fn vouch(entry: u32) -> Proof {
    Proof::Entry { entry, digest: [1; 32] }
}

#[test]
fn proofs_of_what_cannot_be_are_refused() {
    const FALSE: Violation = Violation::FalseClaim(0);
    const TURN: Violation = Violation::OutOfTurn("proofs");
    check_violations(&[
        ("before the offer", |it| it.prove(hash(0, 0)), TURN),
        (
            "before consent",
            |it| {
                it.hear(&offer());
                it.announce(0, &[file("a", 5)]);
                it.prove(hash(0, 0));
            },
            TURN,
        ),
        (
            "before it is wanted",
            |it| {
                it.idle = true;
                it.begin(&[file("a", 5)]);
                it.prove(hash(0, 0));
            },
            FALSE,
        ),
        (
            "a hash of an unknown entry",
            |it| {
                it.begin(&[file("a", 5)]);
                it.prove(hash(1, 0));
            },
            Violation::UnknownEntry(1),
        ),
        (
            "a digest of an unknown entry",
            |it| {
                it.begin(&[file("a", 5)]);
                it.prove(vouch(9));
            },
            Violation::UnknownEntry(9),
        ),
        (
            "a fault of an unknown entry",
            |it| {
                it.begin(&[file("a", 5)]);
                it.prove(failed(u32::MAX, 0));
            },
            Violation::UnknownEntry(u32::MAX),
        ),
        (
            "a hash past the end",
            |it| {
                it.begin(&[file("a", CHUNK)]);
                it.prove(hash(0, 0));
                it.prove(hash(0, 1));
            },
            FALSE,
        ),
        (
            "a hash of an empty file",
            |it| {
                it.begin(&[file("a", 0)]);
                it.prove(hash(0, 0));
            },
            FALSE,
        ),
        (
            "a hash out of order",
            |it| {
                it.begin(&[file("a", 3 * CHUNK)]);
                it.prove(hash(0, 1));
            },
            FALSE,
        ),
        (
            "a hash twice",
            |it| {
                it.begin(&[file("a", 3 * CHUNK)]);
                it.prove(hash(0, 0));
                it.prove(hash(0, 0));
            },
            FALSE,
        ),
        (
            "a digest without hashes",
            |it| {
                it.begin(&[file("a", 5)]);
                it.prove(vouch(0));
            },
            FALSE,
        ),
        (
            "a digest with a hash missing",
            |it| {
                it.begin(&[file("a", CHUNK + 1)]);
                it.prove(hash(0, 0));
                it.prove(vouch(0));
            },
            FALSE,
        ),
        (
            "two digests",
            |it| {
                it.begin(&[file("a", 5)]);
                it.prove(hash(0, 0));
                it.prove(vouch(0));
                it.prove(vouch(0));
            },
            FALSE,
        ),
        (
            "a digest of a folder",
            |it| {
                it.idle = true;
                it.begin(&[folder("d")]);
                it.prove(vouch(0));
            },
            FALSE,
        ),
        (
            "a hash of a link",
            |it| {
                it.idle = true;
                it.begin(&[link("d/l", "x")]);
                it.prove(hash(0, 0));
            },
            FALSE,
        ),
        (
            "a fault of a folder",
            |it| {
                it.idle = true;
                it.begin(&[folder("d")]);
                it.prove(failed(0, 0));
            },
            FALSE,
        ),
        (
            "a fault after the digest",
            |it| {
                it.begin(&[file("a", 5)]);
                it.prove(hash(0, 0));
                it.prove(vouch(0));
                it.prove(failed(0, 5));
            },
            FALSE,
        ),
        (
            "a fault twice",
            |it| {
                it.begin(&[file("a", 3 * CHUNK)]);
                it.prove(failed(0, CHUNK));
                it.prove(failed(0, CHUNK));
            },
            FALSE,
        ),
        (
            "a hash after a fault",
            |it| {
                it.begin(&[file("a", 3 * CHUNK)]);
                it.prove(failed(0, CHUNK));
                it.prove(hash(0, 0));
            },
            FALSE,
        ),
        (
            "a fault with more sent than there is",
            |it| {
                it.begin(&[file("a", 5)]);
                it.prove(failed(0, CHUNK));
            },
            FALSE,
        ),
        (
            "a fault with less sent than came",
            |it| {
                it.begin(&[file("a", 5)]);
                it.block(0, 0, b"hello");
                it.prove(failed(0, 0));
            },
            FALSE,
        ),
        (
            "a fault within a chunk",
            |it| {
                it.begin(&[file("a", 3 * CHUNK)]);
                it.prove(failed(0, CHUNK - 1));
            },
            FALSE,
        ),
    ]);
}

#[test]
fn a_wrong_hash_is_a_matter_of_integrity() {
    let failure = Failure::Integrity(RelPath::parse("a").expect("a legal path"));
    let scripts: [(&str, Script); 4] = [
        ("bytes, then another hash", |it| {
            it.begin(&[file("a", 5)]);
            it.block(0, 0, b"hello");
            it.prove(hash(0, 0));
        }),
        ("a hash, then other bytes", |it| {
            it.begin(&[file("a", 5)]);
            it.prove(Proof::Chunk { entry: 0, index: 0, hash: chunk_hash(b"hello") });
            it.prove(Proof::Entry { entry: 0, digest: digest(b"hello") });
            it.block(0, 0, b"Hello");
        }),
        ("right hashes and another digest", |it| {
            it.begin(&[file("a", 5)]);
            it.block(0, 0, b"hello");
            it.prove(Proof::Chunk { entry: 0, index: 0, hash: chunk_hash(b"hello") });
            it.prove(vouch(0));
        }),
        ("an empty file with another digest", |it| {
            it.begin(&[file("a", 0)]);
            it.prove(vouch(0));
        }),
    ];
    for (what, script) in scripts {
        check(what, script, &failure, Some(AbortReason::Integrity));
    }
}

#[test]
fn hashes_ahead_of_their_bytes_are_bounded() {
    let chunks = MAX_LOOSE_HASHES as u32 + 2;
    let mut victim = Victim::new();
    victim.begin(&[file("a", u64::from(chunks) * CHUNK), file("b", u64::from(chunks) * CHUNK)]);
    let mut said = 0;
    while victim.result.is_none() && said < chunks {
        // Two files share what is allowed.
        victim.hear(&PeerMessage::Proofs(vec![hash(0, said / 2), hash(1, said / 2)]));
        said += 2;
    }
    assert_eq!(victim.result, Some(Err(Violation::TooMuch("hashes ahead of their bytes").into())));
    assert_eq!(said as usize, MAX_LOOSE_HASHES + 2, "as many as are allowed are held");
}

/// Hashes that found their bytes, or whose entry was given up, are not held any more.
#[test]
fn hashes_that_are_used_up_do_not_count() {
    let mut victim = Victim::new();
    victim.begin(&[file("long", CHUNK * MAX_LOOSE_HASHES as u64)]);
    let per_frame = 1024;
    for first in (0..MAX_LOOSE_HASHES as u32).step_by(per_frame) {
        let hashes = (first..first + per_frame as u32).map(|it| hash(0, it)).collect();
        victim.hear(&PeerMessage::Proofs(hashes));
    }
    victim.prove(failed(0, 0));
    assert!(matches!(victim.said.last(), Some(PeerMessage::Settled(_))), "the entry is given up");
    for number in 1..=3 {
        victim.announce(number, &[file(&format!("f{number}"), 5)]);
        victim.send_file(number, b"hello");
        assert_eq!(victim.result, None);
    }
    assert_eq!(victim.committed, [1, 2, 3]);
}
