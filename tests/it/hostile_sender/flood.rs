//! Memory: whatever a sender sends, and as fast as the link takes it, the receiver stays small.
//!
//! A peak is a process's, so each flood runs in a child of its own: this very test binary, with the
//! name of a flood in [`FLOOD`].

use std::process::Command;

use p2pcp::crypto::digest::chunk_hash;
use p2pcp::fs::OnConflict;
use p2pcp::pack::{Effort, Packer};
use p2pcp::session::{Failure, Violation};
use p2pcp::wire::block::{self, Header, Packed};
use p2pcp::wire::path::{MAX_PATH_BYTES, RelPath};
use p2pcp::wire::peer::{Entry, EntryKind, Mtime, Outcome, PeerMessage, Proof, SourceFault, Totals};
use p2pcp::wire::{CHUNK_BYTES, Channel, MAX_ENTRY_BYTES, MAX_OUTSTANDING_ENTRIES};

use crate::hostile_sender::scene::{Heard, Hostile, Played, play_into};

/// Names the flood that a child is to play.
const FLOOD: &str = "P2PCP_TEST_FLOOD";

/// What issue 2 allows a receiver, whatever comes.
const MOST_KIB: u64 = 128 * 1024;

/// Entries that the floods of entries bring in all.
const ENTRIES: u32 = 300_000;

fn run_in_child(flood: &str) {
    let itself = std::env::current_exe().expect("the test binary has a path");
    let child = Command::new(itself)
        .args([
            "--exact",
            "hostile_sender::flood::in_a_process_of_its_own",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(FLOOD, flood)
        .output()
        .expect("the test binary starts");
    let said = [child.stdout, child.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(child.status.success() && said.contains("grew by"), "{flood}: {said}");
}

/// A line of /proc/self/status, in KiB.
fn status_kib(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|it| it.strip_prefix(field)).expect("Linux knows the field");
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a number of KiB")
}

#[tokio::test]
async fn in_a_process_of_its_own() {
    let Some(flood) = std::env::var_os(FLOOD) else { return };
    let before = status_kib("VmRSS:");
    match flood.to_str().unwrap() {
        "entries" => entries_that_are_refused().await,
        "longest names" => as_many_of_the_longest_names_as_may_be_outstanding().await,
        "faults" => entries_that_fail_at_once().await,
        "hashes" => hashes_of_a_huge_file().await,
        "tiny blocks" => as_many_tiny_files_as_may_be_outstanding().await,
        "blocks" => blocks_without_waiting().await,
        "totals" => totals_for_ever().await,
        "bombs" => packed_chunks_without_waiting().await,
        "wishes" => wishes_for_ever().await,
        other => panic!("no flood is called {other}"),
    }
    let growth = status_kib("VmHWM:").saturating_sub(before);
    println!("grew by {growth} KiB");
    assert!(growth < MOST_KIB, "{growth} KiB");
}

fn file(path: String, size: u64) -> Entry {
    let kind = EntryKind::File { size, mtime: Mtime::default(), executable: false };
    Entry { path: RelPath::parse(&path).expect("a legal name"), kind }
}

async fn play_and_leave(script: impl AsyncFnOnce(&Hostile, &mut Heard)) -> Played<()> {
    let root = tempfile::tempdir().expect("a folder for the case");
    std::fs::write(root.path().join("taken"), "").expect("a new file");
    play_into(root.path().to_owned(), OnConflict::Refuse, async |hostile| {
        let mut heard = Heard::default();
        hostile.begin(&mut heard).await;
        script(&hostile, &mut heard).await;
    })
    .await
}

async fn play(script: impl AsyncFnOnce(&Hostile, &mut Heard)) -> Played<()> {
    play_and_leave(async |hostile, heard| {
        script(hostile, heard).await;
        hostile.listen(heard, |it| matches!(it, PeerMessage::Complete { .. })).await;
        hostile.say(&PeerMessage::Farewell).await;
        hostile.listen(heard, |_| false).await;
    })
    .await
}

/// Announces `ENTRIES` files by batches of `batch`, with `then` after each.
async fn announce(
    hostile: &Hostile,
    heard: &mut Heard,
    batch: u32,
    file_of: impl Fn(u32) -> Entry,
    then: impl Fn(u32) -> Option<PeerMessage>,
) {
    for first in (0..ENTRIES).step_by(batch as usize) {
        let entries = (first..first + batch).map(&file_of).collect();
        hostile.say(&PeerMessage::Entries { first, entries }).await;
        hostile.listen(heard, |it| matches!(it, PeerMessage::Wants { .. })).await;
        if let Some(message) = then(first) {
            hostile.say(&message).await;
        }
        // What the sender keeps is not the receiver's.
        assert!(heard.outcomes.values().all(|it| !matches!(it, Outcome::Kept { .. })));
        heard.outcomes.clear();
    }
    hostile.say(&PeerMessage::End { entries: ENTRIES, skipped: 0 }).await;
}

async fn entries_that_are_refused() {
    let taken = |_| file("taken".to_owned(), 1 << 40);
    let played = play(async |hostile, heard| announce(hostile, heard, 750, taken, |_| None).await).await;
    assert_eq!(played.result.map(|it| it.exists), Ok(u64::from(ENTRIES)));
}

async fn entries_that_fail_at_once() {
    let failing = |number: u32| file(format!("{}/{number}", number % 100), 1 << 40);
    let fault = |entry| Proof::Failed { entry, fault: SourceFault::Io, sent: 0 };
    let faults = |first| Some(PeerMessage::Proofs((first..first + 750).map(fault).collect()));
    let played = play(async |hostile, heard| announce(hostile, heard, 750, failing, faults).await).await;
    assert_eq!(played.result.map(|it| it.source_failed), Ok(u64::from(ENTRIES)));
}

/// Names of 4,095 bytes, of files whose bytes nobody sends, until the receiver has enough.
async fn as_many_of_the_longest_names_as_may_be_outstanding() {
    let long = "x".repeat(127) + "/";
    let long = long.repeat(MAX_PATH_BYTES / long.len());
    let name = |number: u32| file(format!("{long}{number:0width$}", width = MAX_PATH_BYTES - long.len()), 1);
    let most = MAX_OUTSTANDING_ENTRIES as u32;
    let played = play(async |hostile, _| {
        for first in (0..=most).step_by(8) {
            let entries = (first..first + 8).map(name).collect();
            hostile.say(&PeerMessage::Entries { first, entries }).await;
        }
    })
    .await;
    assert_eq!(played.result, Err(Failure::Violation(Violation::TooMuch("bytes of outstanding entries"))));
}

async fn hashes_of_a_huge_file() {
    let played = play(async |hostile, heard| {
        let entries = vec![file("huge".to_owned(), MAX_ENTRY_BYTES)];
        hostile.say(&PeerMessage::Entries { first: 0, entries }).await;
        hostile.listen(heard, |it| matches!(it, PeerMessage::Wants { .. })).await;
        let hash = |index| Proof::Chunk { entry: 0, index, hash: [0; 32] };
        for first in (0..ENTRIES).step_by(1000) {
            hostile.say(&PeerMessage::Proofs((first..first + 1000).map(hash).collect())).await;
        }
    })
    .await;
    let too_much = Violation::TooMuch("hashes ahead of their bytes");
    assert_eq!(played.result, Err(Failure::Violation(too_much)));
}

/// A byte each: the header and the bookkeeping are all that there is. They are never vouched for.
async fn as_many_tiny_files_as_may_be_outstanding() {
    let most = MAX_OUTSTANDING_ENTRIES as u32;
    let played = play(async |hostile, heard| {
        for first in (0..most).step_by(512) {
            let entries = (first..first + 512).map(|it| file(it.to_string(), 1)).collect();
            hostile.say(&PeerMessage::Entries { first, entries }).await;
            hostile.listen(heard, |it| matches!(it, PeerMessage::Wants { .. })).await;
        }
        for entry in 0..most {
            hostile.block(entry, 0, b"x").await;
        }
        let hash = chunk_hash(b"x");
        for first in (0..most).step_by(512) {
            let proof = |entry| Proof::Chunk { entry, index: 0, hash };
            hostile.say(&PeerMessage::Proofs((first..first + 512).map(proof).collect())).await;
        }
        hostile.block(0, 0, b"x").await;
    })
    .await;
    assert_eq!(played.result, Err(Failure::Violation(Violation::BlockOutOfPlace(0))));
}

/// The sender does not wait for the disk. Either it has sent more than it may at some time, or the disk
/// kept up with it to the end.
async fn blocks_without_waiting() {
    let size = 256 << 20;
    let block = vec![0; CHUNK_BYTES as usize / 8];
    let played = play_and_leave(async |hostile, heard| {
        let entries = vec![file("big".to_owned(), size)];
        hostile.say(&PeerMessage::Entries { first: 0, entries }).await;
        hostile.listen(heard, |it| matches!(it, PeerMessage::Wants { .. })).await;
        for offset in (0..size).step_by(block.len()) {
            hostile.block(0, offset, &block).await;
        }
    })
    .await;
    let too_much = Failure::Violation(Violation::TooMuch("unacknowledged bytes"));
    let failure = played.result.expect_err("nobody vouched for a byte");
    assert!(failure == too_much || failure == Failure::LinkLost, "{failure:?}");
}

async fn totals_for_ever() {
    let played = play_and_leave(async |hostile, _| {
        for files in 0..u64::from(ENTRIES) / 4 {
            hostile.say(&PeerMessage::Totals(Totals { files, ..Totals::default() })).await;
        }
    })
    .await;
    assert_eq!(played.result, Err(Failure::LinkLost));
}

/// Frames of some bytes that hold a chunk each, as fast as they go.
async fn packed_chunks_without_waiting() {
    let size = 256 << 20;
    let plain = vec![0; CHUNK_BYTES as usize];
    let frame = Packer::new().pack(&plain, Effort::Quick).expect("it gets shorter").to_vec();
    let packed = Packed { plain: CHUNK_BYTES, packed: frame.len() as u32 };
    let played = play_and_leave(async |hostile, heard| {
        let entries = vec![file("big".to_owned(), size)];
        hostile.say(&PeerMessage::Entries { first: 0, entries }).await;
        hostile.listen(heard, |it| matches!(it, PeerMessage::Wants { .. })).await;
        for offset in (0..size).step_by(plain.len()) {
            let header = Header { entry: 0, length: packed.packed, offset, packed: Some(packed) };
            let mut part = block::begin(header);
            part.extend_from_slice(&frame);
            hostile.send(Channel::Bulk, &part).await;
        }
    })
    .await;
    let too_much = Failure::Violation(Violation::TooMuch("unacknowledged bytes"));
    let failure = played.result.expect_err("nobody vouched for a byte");
    assert!(failure == too_much || failure == Failure::LinkLost, "{failure:?}");
}

async fn wishes_for_ever() {
    let played = play_and_leave(async |hostile, _| {
        for number in 0..u64::from(ENTRIES) / 4 {
            let (paused, limit) = (number % 2 == 0, Some(number + 1));
            hostile.say(&PeerMessage::Pace { paused, limit }).await;
        }
    })
    .await;
    assert_eq!(played.result, Err(Failure::LinkLost));
}

#[test]
fn refused_entries_leave_no_trace_in_memory() {
    run_in_child("entries");
}

#[test]
fn failed_entries_leave_no_trace_in_memory() {
    run_in_child("faults");
}

#[test]
fn the_longest_manifest_fits() {
    run_in_child("longest names");
}

#[test]
fn hashes_without_bytes_are_bounded() {
    run_in_child("hashes");
}

#[test]
fn tiny_files_are_bounded() {
    run_in_child("tiny blocks");
}

#[test]
fn a_sender_faster_than_the_disk_is_bounded() {
    run_in_child("blocks");
}

#[test]
fn totals_are_not_kept() {
    run_in_child("totals");
}

#[test]
fn packed_chunks_are_unpacked_one_at_a_time() {
    run_in_child("bombs");
}

#[test]
fn wishes_are_not_kept() {
    run_in_child("wishes");
}
