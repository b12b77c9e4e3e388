//! False sizes, counts, numbers, hashes and turns: each ends the session by naming the lie.

use p2pcp::crypto::digest::{EntryDigest, chunk_hash};
use p2pcp::fs::OnConflict;
use p2pcp::session::{Failure, Violation};
use p2pcp::wire::block::{BlockError, MAX_PAYLOAD_BYTES};
use p2pcp::wire::path::RelPath;
use p2pcp::wire::peer::{
    AbortReason, Entry, EntryKind, Mtime, PeerError, PeerMessage, Proof, Settled, SourceFault, Totals, Want,
    encode,
};
use p2pcp::wire::{CHUNK_BYTES, Channel, DEFAULT_WINDOW_BYTES, MAX_ENTRY_BYTES, MAX_OUTSTANDING_ENTRIES};

use crate::hostile_sender::scene::{Heard, Hostile, Scene, innocent_offer};

const CHUNK: usize = CHUNK_BYTES as usize;

/// One thing that a script does.
#[derive(Debug, Clone)]
enum Step {
    Say(PeerMessage),
    /// Waits for as many `Wants`.
    Wanted,
    Block(u32, u64, usize),
    Raw(Channel, Vec<u8>),
}
use Step::{Block, Raw, Say, Wanted};

fn file(path: &str, size: u64) -> Entry {
    let kind = EntryKind::File { size, mtime: Mtime::default(), executable: false };
    Entry { path: RelPath::parse(path).expect("a legal name"), kind }
}

fn folder(path: &str) -> Entry {
    Entry { kind: EntryKind::Folder { mtime: Mtime::default() }, ..file(path, 0) }
}

fn entries(first: u32, entries: Vec<Entry>) -> Step {
    Say(PeerMessage::Entries { first, entries })
}

fn one(size: u64) -> Vec<Step> {
    vec![entries(0, vec![file("a", size)]), Wanted]
}

fn zeros_hash(length: usize) -> [u8; 32] {
    chunk_hash(&vec![0; length])
}

fn chunk(entry: u32, index: u32, length: usize) -> Step {
    Say(PeerMessage::Proofs(vec![Proof::Chunk { entry, index, hash: zeros_hash(length) }]))
}

fn digest(entry: u32, chunks: &[usize]) -> Step {
    let mut digest = EntryDigest::new(chunks.iter().sum::<usize>() as u64);
    chunks.iter().for_each(|&length| digest.push(&zeros_hash(length)));
    Say(PeerMessage::Proofs(vec![Proof::Entry { entry, digest: digest.finish() }]))
}

fn failed(entry: u32, sent: u64) -> Step {
    Say(PeerMessage::Proofs(vec![Proof::Failed { entry, fault: SourceFault::Io, sent }]))
}

fn end(entries: u32) -> Step {
    Say(PeerMessage::End { entries, skipped: 0 })
}

async fn perform(hostile: &Hostile, heard: &mut Heard, steps: &[Step]) {
    for step in steps {
        match step {
            Say(message) => hostile.say(message).await,
            Wanted => {
                hostile.listen(heard, |it| matches!(it, PeerMessage::Wants { .. })).await;
            }
            Block(entry, offset, length) => hostile.block(*entry, *offset, &vec![0; *length]).await,
            Raw(channel, frame) => hostile.send(*channel, frame).await,
        }
    }
}

/// Plays the steps after an accepted offer, and listens to the end. Nothing of it may be kept.
async fn check(scene: &Scene, case: &str, steps: &[Step], expected: Failure) {
    let told = match expected {
        Failure::Integrity(_) => AbortReason::Integrity,
        _ => AbortReason::Protocol,
    };
    let before = scene.snapshot();
    let played = scene
        .play(OnConflict::Overwrite, async |hostile| {
            let mut heard = Heard::default();
            hostile.begin(&mut heard).await;
            perform(&hostile, &mut heard, steps).await;
            hostile.listen(&mut heard, |_| false).await;
            heard
        })
        .await;
    assert_eq!(played.result, Err(expected), "{case}");
    assert_eq!(played.heard.abort, Some(told), "{case}");
    assert!(scene.added_since(&before, case).is_empty(), "{case}");
}

async fn check_violations(cases: Vec<(&str, Vec<Step>, Violation)>) {
    let scene = Scene::new();
    for (case, steps, violation) in cases {
        check(&scene, case, &steps, violation.into()).await;
    }
}

#[tokio::test]
async fn bytes_that_were_not_announced_are_not_taken() {
    let big = 3 * CHUNK as u64;
    let after = |first: Vec<Step>, more: &[Step]| [first, more.to_vec()].concat();
    let place = Violation::BlockOutOfPlace;
    check_violations(vec![
        ("more than announced", after(one(5), &[Block(0, 0, 6)]), place(0)),
        ("more after the end", after(one(5), &[Block(0, 0, 5), Block(0, 5, 1)]), place(0)),
        ("the same bytes twice", after(one(5), &[Block(0, 0, 5), Block(0, 0, 5)]), place(0)),
        ("bytes of an empty file", after(one(0), &[Block(0, 0, 1)]), place(0)),
        ("a gap", after(one(big), &[Block(0, CHUNK as u64, CHUNK / 8)]), place(0)),
        ("far out", after(one(big), &[Block(0, 1 << 40, CHUNK / 8)]), place(0)),
        ("tiny blocks", after(one(big), &[Block(0, 0, 1)]), place(0)),
        ("an entry never announced", after(one(5), &[Block(1, 0, 5)]), Violation::UnknownEntry(1)),
        ("the last number", after(one(5), &[Block(u32::MAX, 0, 5)]), Violation::UnknownEntry(u32::MAX)),
        ("a folder", vec![entries(0, vec![file("x/y", 1), folder("x")]), Wanted, Block(1, 0, 1)], place(1)),
        (
            "a refused entry",
            after(vec![entries(0, vec![file("photos", 5)]), Wanted], &[Block(0, 0, 5)]),
            Violation::UnknownEntry(0),
        ),
        ("across two chunks", after(one(big), &[Block(0, CHUNK as u64 - 1, 2)]), BlockError::Range.into()),
        ("past any file", after(one(big), &[Block(0, MAX_ENTRY_BYTES, 1)]), BlockError::Range.into()),
        ("past all numbers", after(one(big), &[Block(0, u64::MAX, 1)]), BlockError::Range.into()),
        ("no payload", after(one(5), &[Block(0, 0, 0)]), BlockError::Size(16).into()),
        ("no header", after(one(5), &[Raw(Channel::Bulk, vec![0; 15])]), BlockError::Size(15).into()),
        (
            "too big",
            after(one(big), &[Block(0, 0, MAX_PAYLOAD_BYTES + 1)]),
            BlockError::Size(MAX_PAYLOAD_BYTES + 17).into(),
        ),
        (
            "a false length",
            after(one(big), &[Raw(Channel::Bulk, [vec![0; 16], vec![1; 9]].concat())]),
            BlockError::Length { said: 0, got: 9 }.into(),
        ),
    ])
    .await;
}

#[tokio::test]
async fn sizes_and_counts_that_cannot_be_are_refused() {
    let numbering = |expected, got| Violation::Numbering { expected, got };
    let many = |count: usize| (0..count).map(|it| file(&it.to_string(), 1)).collect::<Vec<_>>();
    let half = MAX_OUTSTANDING_ENTRIES as u32 / 4;
    let too_many = (0..5).map(|it| entries(it * half, many(half as usize))).collect();
    check_violations(vec![
        ("2^64 - 1 bytes", vec![entries(0, vec![file("a", u64::MAX)])], Violation::ImpossibleEntry(0)),
        ("2^63 bytes", vec![entries(0, vec![file("a", MAX_ENTRY_BYTES + 1)])], Violation::ImpossibleEntry(0)),
        ("begins at 1", vec![entries(1, many(1))], numbering(0, 1)),
        ("begins at the end", vec![entries(u32::MAX, many(1))], numbering(0, u32::MAX)),
        ("a gap", vec![entries(0, many(2)), entries(3, many(1))], numbering(2, 3)),
        ("again", vec![entries(0, many(2)), entries(0, many(2))], numbering(2, 0)),
        ("more outstanding than allowed", too_many, Violation::TooMuch("outstanding entries")),
        ("an end that says fewer", vec![entries(0, many(2)), end(1)], numbering(2, 1)),
        ("an end that says more", vec![entries(0, many(2)), end(u32::MAX)], numbering(2, u32::MAX)),
        ("an end of nothing", vec![end(1)], numbering(0, 1)),
        (
            "entries after the end",
            vec![entries(0, many(2)), end(2), entries(2, many(1))],
            Violation::OutOfTurn("entries"),
        ),
        ("two ends", vec![entries(0, many(2)), end(2), end(2)], Violation::OutOfTurn("end")),
    ])
    .await;
}

/// A file of 2^63 - 1 bytes is legal to announce; it costs what was sent of it, which then is lost.
#[tokio::test]
async fn a_sender_that_leaves_in_the_middle_leaves_nothing() {
    for size in [5, CHUNK as u64 + 1, 1 << 40, MAX_ENTRY_BYTES] {
        let scene = Scene::new();
        let before = scene.snapshot();
        let first = (CHUNK / 8).min(size as usize);
        let steps = [one(size), vec![Block(0, 0, first)]].concat();
        let played = scene
            .play(OnConflict::Refuse, async |hostile| {
                let mut heard = Heard::default();
                hostile.begin(&mut heard).await;
                perform(&hostile, &mut heard, &steps).await;
            })
            .await;
        assert_eq!(played.result, Err(Failure::LinkLost), "{size}");
        assert!(scene.added_since(&before, "left").is_empty(), "{size}");
    }
}

#[tokio::test]
async fn claims_about_entries_are_checked_against_what_came() {
    let with = |size: u64, steps: &[Step]| [one(size), steps.to_vec()].concat();
    let (claim, unknown) = (Violation::FalseClaim, Violation::UnknownEntry);
    let two = 2 * CHUNK as u64;
    let hash = |index| Proof::Chunk { entry: 0, index, hash: [1; 32] };
    let ahead = |count: u32| Say(PeerMessage::Proofs((0..count).map(hash).collect()));
    let further = |first: u32| Say(PeerMessage::Proofs((first..first + 1000).map(hash).collect()));
    check_violations(vec![
        ("a hash past the end", with(5, &[chunk(0, 1, 5)]), claim(0)),
        ("a hash far past the end", with(5, &[chunk(0, u32::MAX, 5)]), claim(0)),
        ("a hash of nothing", with(0, &[chunk(0, 0, 0)]), claim(0)),
        ("a hash twice", with(two, &[chunk(0, 0, CHUNK), chunk(0, 0, CHUNK)]), claim(0)),
        ("hashes out of order", with(two, &[chunk(0, 1, CHUNK)]), claim(0)),
        (
            "a digest before its hashes",
            with(two, &[chunk(0, 0, CHUNK), digest(0, &[CHUNK, CHUNK])]),
            claim(0),
        ),
        ("a digest twice", with(5, &[chunk(0, 0, 5), digest(0, &[5]), digest(0, &[5])]), claim(0)),
        (
            "a digest of a folder",
            vec![entries(0, vec![file("x/y", 1), folder("x")]), Wanted, digest(1, &[])],
            claim(1),
        ),
        ("a hash for nobody", with(5, &[chunk(1, 0, 5)]), unknown(1)),
        ("a digest for nobody", with(5, &[digest(u32::MAX, &[5])]), unknown(u32::MAX)),
        ("a fault of nobody", with(5, &[failed(9, 0)]), unknown(9)),
        (
            "a fault of a folder",
            vec![entries(0, vec![file("x/y", 1), folder("x")]), Wanted, failed(1, 0)],
            claim(1),
        ),
        ("a fault past the size", with(5, &[failed(0, 6)]), claim(0)),
        ("a fault within a chunk", with(two, &[failed(0, 1)]), claim(0)),
        ("a fault behind what was sent", with(two, &[Block(0, 0, CHUNK / 8), failed(0, 0)]), claim(0)),
        ("bytes after a fault", with(two, &[failed(0, 0), Block(0, 0, CHUNK / 8)]), unknown(0)),
        (
            "hashes long before their bytes",
            with(1 << 40, &[vec![ahead(1000)], (1..9).map(|it| further(it * 1000)).collect()].concat()),
            Violation::TooMuch("hashes ahead of their bytes"),
        ),
    ])
    .await;
}

#[tokio::test]
async fn bytes_that_do_not_match_their_hash_are_never_named() {
    let scene = Scene::new();
    let integrity = || Failure::Integrity(RelPath::parse("a").unwrap());
    let other = |index| Say(PeerMessage::Proofs(vec![Proof::Chunk { entry: 0, index, hash: [9; 32] }]));
    let wrong = Say(PeerMessage::Proofs(vec![Proof::Entry { entry: 0, digest: [9; 32] }]));
    let with = |size: u64, steps: &[Step]| [one(size), steps.to_vec()].concat();
    check(&scene, "another hash", &with(5, &[Block(0, 0, 5), other(0)]), integrity()).await;
    check(&scene, "another hash first", &with(5, &[other(0), Block(0, 0, 5)]), integrity()).await;
    check(&scene, "another digest", &with(5, &[Block(0, 0, 5), chunk(0, 0, 5), wrong.clone()]), integrity())
        .await;
    check(&scene, "another digest of nothing", &with(0, &[wrong]), integrity()).await;
    let longer = digest(0, &[5, 0]);
    check(
        &scene,
        "a digest of other chunks",
        &with(5, &[Block(0, 0, 5), chunk(0, 0, 5), longer]),
        integrity(),
    )
    .await;
}

/// Nothing of these chunks is whole, so nothing can be written or acknowledged.
#[tokio::test]
async fn more_than_the_window_is_not_buffered() {
    let scene = Scene::new();
    let files = 2 * DEFAULT_WINDOW_BYTES / CHUNK_BYTES;
    let all = (0..files).map(|it| file(&it.to_string(), CHUNK as u64)).collect();
    let part = CHUNK / 8;
    let blocks = (0..files).flat_map(|entry| (0..7).map(move |it| Block(entry, it * part as u64, part)));
    let steps: Vec<Step> = [entries(0, all), Wanted].into_iter().chain(blocks).collect();
    check(&scene, "the window", &steps, Violation::TooMuch("unacknowledged bytes").into()).await;
}

#[tokio::test]
async fn messages_out_of_turn_end_the_session() {
    let scene = Scene::new();
    let turn = Violation::OutOfTurn;
    let settled = Settled { entry: 0, outcome: p2pcp::wire::peer::Outcome::Exists };
    let kinds = [
        (PeerMessage::Bind { mac: [0; 32] }, "bind"),
        (innocent_offer(), "offer"),
        (PeerMessage::Accept { window: u32::MAX }, "accept"),
        (PeerMessage::Wants { first: 0, wants: vec![Want::All] }, "wants"),
        (PeerMessage::Ack { received: u64::MAX, written: u64::MAX }, "ack"),
        (PeerMessage::Settled(vec![settled]), "settled"),
        (PeerMessage::Complete { mac: [0; 32] }, "complete"),
        (PeerMessage::Farewell, "farewell"),
    ];
    for (message, name) in kinds {
        check(&scene, name, &[Say(message.clone())], turn(name).into()).await;
        let late = [one(5), vec![Say(message)]].concat();
        check(&scene, name, &late, turn(name).into()).await;
    }
    let before = scene.snapshot();
    for (message, violation) in [
        (PeerMessage::Entries { first: 0, entries: vec![file("a", 1)] }, turn("entries")),
        (PeerMessage::Proofs(Vec::new()), turn("proofs")),
        (PeerMessage::Totals(Totals::default()), turn("totals")),
        (PeerMessage::End { entries: 0, skipped: 0 }, turn("end")),
        (PeerMessage::Farewell, turn("farewell")),
    ] {
        let played = scene.play(OnConflict::Refuse, async |it| it.say(&message).await).await;
        assert_eq!(played.result, Err(violation.into()), "before any offer: {message:?}");
    }
    let blind = scene.play(OnConflict::Refuse, async |it| it.block(0, 0, b"x").await).await;
    assert_eq!(blind.result, Err(Violation::UnknownEntry(0).into()));
    assert!(scene.added_since(&before, "before any offer").is_empty());
}

#[tokio::test]
async fn frames_that_are_no_message_end_the_session() {
    let scene = Scene::new();
    let good = encode(&PeerMessage::Entries { first: 0, entries: vec![file("a", 5), folder("b")] });
    let mut frames: Vec<(String, Vec<u8>)> =
        (0..good.len()).map(|it| (format!("cut at {it}"), good[..it].to_vec())).collect();
    let mut patched = |case: &str, at: usize, bytes: &[u8]| {
        let mut frame = good.clone();
        frame[at..at + bytes.len()].copy_from_slice(bytes);
        frames.push((case.to_owned(), frame));
    };
    // variant u32, first u32, count u64; path u64 + "a", kind u32, size u64, seconds i64, nanoseconds u32.
    patched("a kind that is none", 0, &13_u32.to_le_bytes());
    patched("the last kind", 0, &u32::MAX.to_le_bytes());
    patched("2^64 - 1 entries", 8, &u64::MAX.to_le_bytes());
    patched("2^32 entries", 8, &(1_u64 << 32).to_le_bytes());
    patched("one entry too many", 8, &3_u64.to_le_bytes());
    patched("one entry too few", 8, &1_u64.to_le_bytes());
    patched("a name of 2^64 - 1 bytes", 16, &u64::MAX.to_le_bytes());
    patched("a name of 2^63 bytes", 16, &(1_u64 << 63).to_le_bytes());
    patched("an entry kind that is none", 25, &3_u32.to_le_bytes());
    patched("nanoseconds past a second", 45, &1_000_000_000_u32.to_le_bytes());
    patched("neither true nor false", 49, &[2]);
    frames.push(("one message too many".to_owned(), [good.clone(), good.clone()].concat()));
    for (case, frame) in frames {
        let malformed = Violation::Control(PeerError::Malformed);
        check(&scene, &case, &[Raw(Channel::Control, frame)], malformed.into()).await;
    }
}
