//! Packed chunks that nobody asked for, or that do not hold what they say.

use bytes::Bytes;
use p2pcp::crypto::digest::EntryDigest;
use p2pcp::pack::{Effort, Packer};
use p2pcp::session::{Failure, Violation};
use p2pcp::wire::DEFAULT_WINDOW_BYTES;
use p2pcp::wire::block::{self, BlockError, Header, MIN_PAYLOAD_BYTES, Packed};
use p2pcp::wire::path::RelPath;
use p2pcp::wire::peer::{
    Entry, EntryKind, Mtime, Offer, OfferItem, Outcome, PeerMessage, Proof, SourceFault, Totals,
};

use crate::session::hostile_sender::{CHUNK, Victim, check_violations, chunk_hash, digest, file};

const FALSE: Violation = Violation::Unpackable(0);
const MISPLACED: Violation = Violation::BlockOutOfPlace(0);

/// A frame that holds these bytes.
fn packed(plain: &[u8]) -> Vec<u8> {
    Packer::new().pack(plain, Effort::Quick).expect("it gets shorter").to_vec()
}

fn part_of(entry: u32, whole: Packed, offset: u64, part: &[u8]) -> Bytes {
    let header = Header { entry, length: part.len() as u32, offset, packed: Some(whole) };
    let mut frame = block::begin(header);
    frame.extend_from_slice(part);
    frame.freeze()
}

/// One part of so many bytes, which are none of a frame.
fn part(victim: &mut Victim, entry: u32, whole: (u32, u32), offset: u64, bytes: usize) {
    let (plain, packed) = whole;
    victim.raw_block(part_of(entry, Packed { plain, packed }, offset, &vec![7; bytes]));
}

/// A chunk that says to hold so many bytes, in one part.
fn chunk(victim: &mut Victim, entry: u32, plain: u64, offset: u64, frame: &[u8]) {
    let whole = Packed { plain: plain as u32, packed: frame.len() as u32 };
    victim.raw_block(part_of(entry, whole, offset, frame));
}

#[test]
fn an_honest_packed_file_is_kept() {
    let bytes = vec![3; CHUNK as usize + 70_000];
    let (first, second) = bytes.split_at(CHUNK as usize);
    let mut victim = Victim::new();
    victim.begin(&[file("a", bytes.len() as u64)]);
    chunk(&mut victim, 0, CHUNK, 0, &packed(first));
    chunk(&mut victim, 0, 70_000, CHUNK, &packed(second));
    for (index, plain) in [(0, first), (1, second)] {
        victim.prove(Proof::Chunk { entry: 0, index, hash: chunk_hash(plain) });
    }
    victim.prove(Proof::Entry { entry: 0, digest: digest(&bytes) });
    assert_eq!(victim.committed, [0]);
    assert_eq!(victim.result, None);
}

#[test]
fn a_packed_chunk_that_was_not_agreed_on_is_refused() {
    let mut victim = Victim::without_packing();
    victim.begin(&[file("a", CHUNK)]);
    chunk(&mut victim, 0, CHUNK, 0, &packed(&vec![3; CHUNK as usize]));
    assert_eq!(victim.result, Some(Err(FALSE.into())));
}

#[test]
fn what_does_not_unpack_is_refused() {
    check_violations(&[
        (
            "no frame",
            |it| {
                it.begin(&[file("a", CHUNK)]);
                chunk(it, 0, CHUNK, 0, &[7; 500]);
            },
            FALSE,
        ),
        (
            "a frame that is cut",
            |it| {
                it.begin(&[file("a", CHUNK)]);
                let frame = packed(&vec![3; CHUNK as usize]);
                chunk(it, 0, CHUNK, 0, &frame[..frame.len() - 1]);
            },
            FALSE,
        ),
        (
            "something behind it",
            |it| {
                it.begin(&[file("a", CHUNK)]);
                let mut frame = packed(&vec![3; CHUNK as usize]);
                frame.push(0);
                chunk(it, 0, CHUNK, 0, &frame);
            },
            FALSE,
        ),
        (
            "fewer bytes than the block says",
            |it| {
                it.begin(&[file("a", CHUNK)]);
                chunk(it, 0, CHUNK, 0, &packed(&vec![3; CHUNK as usize - 1]));
            },
            FALSE,
        ),
        (
            "more bytes than the block says",
            |it| {
                it.begin(&[file("a", CHUNK - 1)]);
                chunk(it, 0, CHUNK - 1, 0, &packed(&vec![3; CHUNK as usize]));
            },
            FALSE,
        ),
    ]);
}

#[test]
fn a_packed_chunk_that_does_not_come_next_is_refused() {
    const WHOLE: (u32, u32) = (CHUNK as u32, 100_000);
    check_violations(&[
        (
            "a chunk ahead",
            |it| {
                it.begin(&[file("a", 3 * CHUNK)]);
                part(it, 0, WHOLE, CHUNK, MIN_PAYLOAD_BYTES);
            },
            MISPLACED,
        ),
        (
            "not from its beginning",
            |it| {
                it.begin(&[file("a", CHUNK)]);
                part(it, 0, WHOLE, 5, MIN_PAYLOAD_BYTES);
            },
            MISPLACED,
        ),
        (
            "with a gap",
            |it| {
                it.begin(&[file("a", CHUNK)]);
                part(it, 0, WHOLE, 0, MIN_PAYLOAD_BYTES);
                part(it, 0, WHOLE, MIN_PAYLOAD_BYTES as u64 + 1, MIN_PAYLOAD_BYTES);
            },
            MISPLACED,
        ),
        (
            "the same part twice",
            |it| {
                it.begin(&[file("a", CHUNK)]);
                part(it, 0, WHOLE, 0, MIN_PAYLOAD_BYTES);
                part(it, 0, WHOLE, 0, MIN_PAYLOAD_BYTES);
            },
            MISPLACED,
        ),
        (
            "parts of two chunks in one",
            |it| {
                it.begin(&[file("a", CHUNK)]);
                part(it, 0, WHOLE, 0, MIN_PAYLOAD_BYTES);
                part(it, 0, (WHOLE.0, WHOLE.1 + 1), MIN_PAYLOAD_BYTES as u64, MIN_PAYLOAD_BYTES);
            },
            MISPLACED,
        ),
        (
            "plain bytes, then packed ones",
            |it| {
                it.begin(&[file("a", CHUNK)]);
                it.block(0, 0, &[7; MIN_PAYLOAD_BYTES]);
                part(it, 0, WHOLE, MIN_PAYLOAD_BYTES as u64, MIN_PAYLOAD_BYTES);
            },
            MISPLACED,
        ),
        (
            "packed bytes, then plain ones",
            |it| {
                it.begin(&[file("a", CHUNK)]);
                part(it, 0, WHOLE, 0, MIN_PAYLOAD_BYTES);
                it.block(0, MIN_PAYLOAD_BYTES as u64, &[7; MIN_PAYLOAD_BYTES]);
            },
            MISPLACED,
        ),
        (
            "packed bytes, then plain ones from the beginning",
            |it| {
                it.begin(&[file("a", CHUNK)]);
                part(it, 0, WHOLE, 0, MIN_PAYLOAD_BYTES);
                it.block(0, 0, &[7; MIN_PAYLOAD_BYTES]);
            },
            MISPLACED,
        ),
        (
            "less than its chunk",
            |it| {
                it.begin(&[file("a", CHUNK)]);
                part(it, 0, (WHOLE.0 - 1, 100), 0, 100);
            },
            MISPLACED,
        ),
        (
            "more than its file",
            |it| {
                it.begin(&[file("a", 1000)]);
                part(it, 0, (1001, 100), 0, 100);
            },
            MISPLACED,
        ),
        (
            "too small to be held",
            |it| {
                it.begin(&[file("a", CHUNK)]);
                part(it, 0, WHOLE, 0, MIN_PAYLOAD_BYTES - 1);
            },
            MISPLACED,
        ),
        (
            "past what the sender said it would be",
            |it| {
                it.begin(&[file("a", 2 * CHUNK)]);
                it.idle = true;
                chunk(it, 0, CHUNK, 0, &packed(&vec![3; CHUNK as usize]));
                it.prove(Proof::Failed { entry: 0, fault: SourceFault::Io, sent: CHUNK });
                part(it, 0, WHOLE, CHUNK, MIN_PAYLOAD_BYTES);
            },
            MISPLACED,
        ),
    ]);
}

#[test]
fn a_chunk_that_packing_made_longer_is_no_block() {
    let whole = Packed { plain: 500, packed: 500 };
    let mut victim = Victim::new();
    victim.begin(&[file("a", 500)]);
    victim.raw_block(part_of(0, whole, 0, &[7; 500]));
    assert_eq!(victim.result, Some(Err(Failure::Violation(BlockError::Packed(whole).into()))));
}

/// A bomb counts in the window as what it says to hold, from its first byte on.
#[test]
fn packed_chunks_beyond_the_window_are_refused() {
    let mut victim = Victim::new();
    let files: Vec<_> = (0..40).map(|it| file(&format!("f{it}"), CHUNK)).collect();
    victim.begin(&files);
    victim.idle = true;
    let mut taken = 0;
    for entry in 0..40 {
        part(&mut victim, entry, (CHUNK as u32, 100_000), 0, MIN_PAYLOAD_BYTES);
        if victim.result.is_some() {
            break;
        }
        taken += CHUNK;
    }
    assert_eq!(victim.result, Some(Err(Violation::TooMuch("unacknowledged bytes").into())));
    assert_eq!(taken, u64::from(DEFAULT_WINDOW_BYTES));
}

#[test]
fn a_failed_file_ends_between_packed_chunks() {
    let mut victim = Victim::new();
    victim.begin(&[file("a", 2 * CHUNK)]);
    let plain = vec![3; CHUNK as usize];
    chunk(&mut victim, 0, CHUNK, 0, &packed(&plain));
    victim.prove(Proof::Chunk { entry: 0, index: 0, hash: chunk_hash(&plain) });
    victim.prove(Proof::Failed { entry: 0, fault: SourceFault::Io, sent: CHUNK });
    assert!(victim.said.iter().any(|it| matches!(
        it,
        PeerMessage::Settled(settled)
            if settled[0].outcome == Outcome::SourceFailed(SourceFault::Io)
    )));
}

/// A stream that is wanted.
fn stream_begun() -> Victim {
    let mut victim = Victim::new();
    let kind = EntryKind::Stream { mtime: Mtime::default() };
    let name = RelPath::parse("stdin").unwrap();
    let item = OfferItem { name: name.clone(), folder: false, size: OfferItem::UNKNOWN_SIZE };
    victim.hear(&PeerMessage::Offer(Offer { items: vec![item], more: 0, totals: Totals::default() }));
    victim.yes();
    victim.announce(0, &[Entry { path: name, kind }]);
    victim.hear(&PeerMessage::End { entries: 1, skipped: 0 });
    victim
}

/// A stream cannot end inside a packed chunk, whatever it says that it holds.
#[test]
fn a_stream_does_not_end_inside_a_packed_chunk() {
    let mut victim = stream_begun();
    part(&mut victim, 0, (1000, 900), 0, 900);
    part(&mut victim, 0, (1000, 900), 0, 900);
    assert_eq!(victim.result, Some(Err(MISPLACED.into())), "nothing follows a short one");
    let mut victim = stream_begun();
    part(&mut victim, 0, (CHUNK as u32, 100_000), 0, MIN_PAYLOAD_BYTES);
    victim.prove(Proof::End { entry: 0, size: 0, digest: EntryDigest::of_stream().finish_stream(0) });
    assert_eq!(victim.result, Some(Err(Violation::FalseClaim(0).into())));
}

/// Blocks and proofs come on channels of their own.
#[test]
fn the_end_of_a_stream_may_overtake_parts_of_its_last_chunk() {
    let mut state = 1_u64;
    let mut half_random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 60) as u8
    };
    let plain: Vec<u8> = (0..100_000).map(|_| half_random()).collect();
    let (frame, hash) = (packed(&plain), chunk_hash(&plain));
    let whole = Packed { plain: plain.len() as u32, packed: frame.len() as u32 };
    let (first, rest) = frame.split_at(MIN_PAYLOAD_BYTES);
    let mut digest = EntryDigest::of_stream();
    digest.push(&hash);
    let mut victim = stream_begun();
    victim.raw_block(part_of(0, whole, 0, first));
    victim.prove(Proof::Chunk { entry: 0, index: 0, hash });
    victim.prove(Proof::End { entry: 0, size: 100_000, digest: digest.finish_stream(100_000) });
    victim.raw_block(part_of(0, whole, first.len() as u64, rest));
    assert_eq!(victim.result, None);
    assert_eq!(victim.committed, [0]);
}
