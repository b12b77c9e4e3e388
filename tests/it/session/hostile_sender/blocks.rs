//! Blocks that nobody asked for.

use bytes::Bytes;
use p2pcp::session::{Failure, Input, Violation};
use p2pcp::wire::block::{self, BlockError, HEADER_BYTES, Header, MAX_PAYLOAD_BYTES, MIN_PAYLOAD_BYTES};
use p2pcp::wire::peer::{PeerMessage, Proof, SourceFault};
use p2pcp::wire::{Channel, DEFAULT_WINDOW_BYTES};

use crate::session::hostile_sender::{CHUNK, Victim, check_violations, file, folder, link, offer};

/// A block of so many bytes.
fn block(victim: &mut Victim, entry: u32, offset: u64, bytes: usize) {
    victim.block(entry, offset, &vec![7; bytes]);
}

/// All blocks of an entry's first chunk.
fn whole_chunk(victim: &mut Victim, entry: u32) {
    (0..8).for_each(|part| block(victim, entry, part * CHUNK / 8, CHUNK as usize / 8));
}

#[test]
fn a_block_that_does_not_come_next_is_refused() {
    const MISPLACED: Violation = Violation::BlockOutOfPlace(0);
    check_violations(&[
        ("before the offer", |it| block(it, 0, 0, 5), Violation::UnknownEntry(0)),
        (
            "before consent",
            |it| {
                it.hear(&offer());
                it.announce(0, &[file("a", 5)]);
                block(it, 0, 0, 5);
            },
            MISPLACED,
        ),
        (
            "before it is wanted",
            |it| {
                it.idle = true;
                it.begin(&[file("a", 5)]);
                block(it, 0, 0, 5);
            },
            MISPLACED,
        ),
        (
            "of an unknown entry",
            |it| {
                it.begin(&[file("a", 5)]);
                block(it, 1, 0, 5);
            },
            Violation::UnknownEntry(1),
        ),
        (
            "of an empty file",
            |it| {
                it.begin(&[file("a", 0)]);
                block(it, 0, 0, 1);
            },
            MISPLACED,
        ),
        (
            "of a folder",
            |it| {
                it.idle = true;
                it.begin(&[folder("d")]);
                block(it, 0, 0, 1);
            },
            MISPLACED,
        ),
        (
            "of a link",
            |it| {
                it.idle = true;
                it.begin(&[link("d/l", "x")]);
                block(it, 0, 0, 1);
            },
            MISPLACED,
        ),
        (
            "with a gap",
            |it| {
                it.begin(&[file("a", CHUNK)]);
                block(it, 0, CHUNK / 2, MIN_PAYLOAD_BYTES);
            },
            MISPLACED,
        ),
        (
            "twice",
            |it| {
                it.begin(&[file("a", CHUNK)]);
                block(it, 0, 0, MIN_PAYLOAD_BYTES);
                block(it, 0, 0, MIN_PAYLOAD_BYTES);
            },
            MISPLACED,
        ),
        (
            "one byte past its size",
            |it| {
                it.begin(&[file("a", 5)]);
                block(it, 0, 0, 6);
            },
            MISPLACED,
        ),
        (
            "after its end",
            |it| {
                it.begin(&[file("a", 5)]);
                block(it, 0, 0, 5);
                block(it, 0, 5, 1);
            },
            MISPLACED,
        ),
        (
            "too small to be held",
            |it| {
                it.begin(&[file("a", CHUNK)]);
                block(it, 0, 0, MIN_PAYLOAD_BYTES - 1);
            },
            MISPLACED,
        ),
        (
            "after the sender gave the entry up",
            |it| {
                it.begin(&[file("a", 2 * CHUNK), file("b", 1)]);
                whole_chunk(it, 0);
                it.idle = true;
                it.prove(Proof::Failed { entry: 0, fault: SourceFault::Io, sent: CHUNK });
                block(it, 0, CHUNK, MIN_PAYLOAD_BYTES);
            },
            Violation::UnknownEntry(0),
        ),
        (
            "past what the sender said it would be",
            |it| {
                it.begin(&[file("a", 2 * CHUNK)]);
                it.idle = true;
                whole_chunk(it, 0);
                it.prove(Proof::Failed { entry: 0, fault: SourceFault::Io, sent: CHUNK });
                block(it, 0, CHUNK, MIN_PAYLOAD_BYTES);
            },
            MISPLACED,
        ),
    ]);
}

#[test]
fn what_is_no_block_is_refused() {
    let lying = |said: u32, got: usize, offset: u64| {
        let mut frame = block::begin(Header { entry: 0, length: said, offset, packed: None });
        frame.resize(HEADER_BYTES + got, 0);
        frame.freeze()
    };
    let long = HEADER_BYTES + MAX_PAYLOAD_BYTES + 1;
    for (frame, error) in [
        (Bytes::new(), BlockError::Size(0)),
        (lying(0, 0, 0), BlockError::Size(HEADER_BYTES)),
        (Bytes::from(vec![0; long]), BlockError::Size(long)),
        (lying(4, 5, 0), BlockError::Length { said: 4, got: 5 }),
        (lying(u32::MAX >> 1, 5, 0), BlockError::Length { said: u32::MAX >> 1, got: 5 }),
        (lying(u32::MAX, 5, 0), BlockError::Size(HEADER_BYTES + 5)),
        (lying(2, 2, CHUNK - 1), BlockError::Range),
        (lying(1, 1, u64::MAX), BlockError::Range),
    ] {
        let mut victim = Victim::new();
        victim.begin(&[file("a", 3 * CHUNK)]);
        victim.raw_block(frame);
        let failure = Failure::Violation(error.into());
        assert_eq!(victim.result, Some(Err(failure)));
    }
}

/// Whatever a sender does, the receiver holds no more than the window of its bytes.
#[test]
fn blocks_beyond_the_window_are_refused() {
    let mut victim = Victim::new();
    let files: Vec<_> = (0..40).map(|it| file(&format!("f{it}"), CHUNK)).collect();
    victim.begin(&files);
    victim.idle = true;
    let part = CHUNK / 8;
    let blocks = (0..8).flat_map(|nth| (0..40).map(move |entry| (entry, nth * part)));
    for (entry, offset) in blocks {
        block(&mut victim, entry, offset, part as usize);
        if victim.result.is_some() {
            break;
        }
        assert!(victim.held <= u64::from(DEFAULT_WINDOW_BYTES));
    }
    assert_eq!(victim.result, Some(Err(Violation::TooMuch("unacknowledged bytes").into())));
    assert_eq!(victim.held, u64::from(DEFAULT_WINDOW_BYTES) + part, "all of the window may be used");
}

/// The window is freed by writing, and not by receiving.
#[test]
fn what_is_received_and_not_written_stays_in_the_window() {
    let mut victim = Victim::new();
    let files: Vec<_> = (0..20).map(|it| file(&format!("f{it}"), CHUNK)).collect();
    victim.begin(&files);
    victim.idle = true;
    for entry in 0..16 {
        whole_chunk(&mut victim, entry);
        victim.now += std::time::Duration::from_secs(1);
    }
    let acked = victim.said.iter().filter(|it| matches!(it, PeerMessage::Ack { written: 0, .. })).count();
    assert!(acked > 0, "what comes in is said to have come");
    victim.idle = false;
    victim.settle_down();
    assert_eq!((victim.held, victim.result.clone()), (0, None));
    block(&mut victim, 16, 0, MIN_PAYLOAD_BYTES);
    assert_eq!(victim.result, None, "there is room again");
    victim.give(Input::Frame(Channel::Bulk, Bytes::new()));
    assert!(victim.committed.is_empty(), "nothing was proven");
}
