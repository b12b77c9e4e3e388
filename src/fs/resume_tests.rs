//! Claims about [`Sink`]: what a session goes on with of what an earlier one left, and what it does not.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::fs::hash::hash;
use crate::fs::sink_tests::{DIGEST, KEPT, names};
use crate::fs::{Commit, OnConflict, Otherwise, Plan, Sink, SinkOptions, Stages, WrittenChunk, journal};
use crate::wire::CHUNK_BYTES;
use crate::wire::path::RelPath;
use crate::wire::peer::{Entry, EntryKind, Mtime};

pub(crate) const CHUNK: usize = CHUNK_BYTES as usize;

type Damage = fn(&fs::File);

/// Three chunks and a bit, different for each seed.
pub(crate) fn content(seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; 3 * CHUNK + 5];
    bytes.chunks_mut(1000).enumerate().for_each(|(at, part)| part.fill(at as u8 ^ seed));
    bytes
}

pub(crate) fn entry(path: &str, content: &[u8], seconds: i64) -> Entry {
    let mtime = Mtime::new(seconds, 7).unwrap();
    let kind = EntryKind::File { size: content.len() as u64, mtime, executable: false };
    Entry { path: RelPath::parse(path).unwrap(), kind }
}

pub(crate) fn open(root: &Path, id: u8) -> Sink {
    Sink::open(root, [id; 8], SinkOptions::default()).unwrap()
}

pub(crate) fn open_with(root: &Path, id: u8, on_conflict: OnConflict) -> Sink {
    Sink::open(root, [id; 8], SinkOptions { on_conflict, ..SinkOptions::default() }).unwrap()
}

pub(crate) fn write(sink: &Sink, number: u32, index: usize, content: &[u8]) -> WrittenChunk {
    let chunk = content.chunks(CHUNK).nth(index).unwrap();
    let hash = sink.write_chunk(number, index as u32, &[Bytes::copy_from_slice(chunk)]).unwrap();
    WrittenChunk { entry: number, index: index as u32, hash }
}

/// Plans an entry and writes its first chunks, as a session would that is killed then. Returns its stage.
pub(crate) fn interrupted(root: &Path, id: u8, item: &Entry, content: &[u8], chunks: usize) -> PathBuf {
    let sink = open(root, id);
    sink.plan(0, std::slice::from_ref(item)).unwrap();
    let written: Vec<_> = (0..chunks).map(|index| write(&sink, 0, index, content)).collect();
    sink.checkpoint(&written).unwrap();
    sink.stage().unwrap()
}

pub(crate) fn here(chunks: u32) -> Plan {
    Plan::Here { chunks, otherwise: Otherwise::Fetch }
}

/// The claim on a staged file of another path.
fn perhaps(chunks: u32) -> Plan {
    Plan::Here { chunks, otherwise: Otherwise::Restart }
}

pub(crate) fn plan(sink: &Sink, item: &Entry) -> Plan {
    sink.plan(0, std::slice::from_ref(item)).unwrap()[0]
}

/// Does what a session does with entry 0 after this plan. Returns which chunks had to be fetched.
pub(crate) fn complete(sink: &Sink, item: &Entry, content: &[u8], plan: Plan) -> Vec<usize> {
    let count = content.len().div_ceil(CHUNK);
    let (chunks, otherwise) = match plan {
        Plan::Here { chunks, otherwise } => (chunks as usize, Some(otherwise)),
        Plan::All => (0, None),
        Plan::Settled(outcome) => panic!("settled as {outcome:?}"),
    };
    let differs = |&index: &usize| {
        let expected = content.chunks(CHUNK).nth(index).map(hash);
        index >= chunks || sink.check_chunk(0, index as u32).unwrap() != expected
    };
    let mut fetched: Vec<_> = (0..count).filter(differs).collect();
    if otherwise == Some(Otherwise::Restart) && fetched.first().is_some_and(|it| *it < chunks) {
        sink.restart(0).unwrap();
        fetched = (0..count).collect();
    }
    for &index in &fetched {
        write(sink, 0, index, content);
    }
    let commit = Commit { entry: 0, item: item.clone(), digest: DIGEST };
    assert_eq!(sink.commit(&[commit]).unwrap()[0].outcome, KEPT);
    fetched
}

/// Resumes an entry in a new session, ends that session, and checks what is in the receive folder.
pub(crate) fn resumed(root: &Path, item: &Entry, content: &[u8]) -> (Plan, Vec<usize>) {
    let sink = open(root, 0xee);
    let plan = plan(&sink, item);
    let fetched = complete(&sink, item, content, plan);
    sink.finish().unwrap();
    assert!(fs::read(root.join(item.path.as_str())).unwrap() == content);
    (plan, fetched)
}

#[test]
fn a_file_is_gone_on_with_where_it_was_left() {
    let root = tempfile::tempdir().unwrap();
    let (bytes, item) = (content(1), entry("t/big", &content(1), 1));
    interrupted(root.path(), 1, &item, &bytes, 2);
    assert_eq!(resumed(root.path(), &item, &bytes), (here(2), vec![2, 3]));
    assert_eq!(names(root.path()), ["t"], "both stages are gone");
}

/// The record of the file comes with its first chunk.
#[test]
fn a_session_that_is_killed_before_its_first_checkpoint_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (bytes, item) = (content(1), entry("big", &content(1), 1));
    let sink = open(root.path(), 1);
    plan(&sink, &item);
    for index in 0..4 {
        write(&sink, 0, index, &bytes);
    }
    drop(sink);
    assert_eq!(resumed(root.path(), &item, &bytes), (here(4), vec![]));
    assert_eq!(names(root.path()), ["big"]);
}

#[test]
fn a_file_is_found_by_its_path_else_by_its_size_and_time() {
    let bytes = content(1);
    for (then, now, expected) in [
        (entry("a", &bytes, 1), entry("a", &bytes, 1), here(2)),
        (entry("a", &bytes, 1), entry("a", &bytes, 2), here(2)),
        (entry("a", &bytes, 1), entry("moved/b", &bytes, 1), perhaps(2)),
        (entry("a", &bytes[1..], 1), entry("a", &bytes, 1), here(2)),
        (entry("a", &bytes, 1), entry("b", &bytes, 2), Plan::All),
    ] {
        let root = tempfile::tempdir().unwrap();
        interrupted(root.path(), 1, &then, &bytes, 2);
        let (plan, fetched) = resumed(root.path(), &now, &bytes);
        let missing = if expected == Plan::All { vec![0, 1, 2, 3] } else { vec![2, 3] };
        assert_eq!((plan, fetched), (expected, missing), "{then:?} as {now:?}");
    }
}

#[test]
fn a_renamed_file_can_be_interrupted_again() {
    let root = tempfile::tempdir().unwrap();
    let bytes = content(1);
    let stage = interrupted(root.path(), 1, &entry("a", &bytes, 1), &bytes, 1);
    let sink = open(root.path(), 2);
    assert_eq!(plan(&sink, &entry("b", &bytes, 1)), perhaps(1));
    let chunk = write(&sink, 0, 1, &bytes);
    sink.checkpoint(&[chunk]).unwrap();
    assert_eq!(sink.stage(), None, "no second stage is needed");
    drop(sink);
    assert_eq!(journal::load(&stage).unwrap().count(), 2);
    assert_eq!(resumed(root.path(), &entry("c", &bytes, 1), &bytes), (perhaps(2), vec![2, 3]));
    assert_eq!(names(root.path()), ["c"]);
}

/// Parts of an archive have one size, and out of a tar file one time.
#[test]
fn a_staged_file_that_turns_out_to_be_another_entrys_goes_back_to_it() {
    let root = tempfile::tempdir().unwrap();
    let (mine, other) = (content(1), content(2));
    interrupted(root.path(), 1, &entry("mine", &mine, 1), &mine, 3);
    let sink = open(root.path(), 2);
    let item = entry("before", &other, 1);
    let planned = plan(&sink, &item);
    assert_eq!(planned, perhaps(3));
    // The chunks past those that are here come before all of these are compared.
    write(&sink, 0, 3, &other);
    assert_eq!(complete(&sink, &item, &other, planned), [0, 1, 2, 3]);
    assert!(fs::read(root.path().join("before")).unwrap() == other);
    let mine_again = entry("mine", &mine, 1);
    let planned = plan(&sink, &mine_again);
    assert_eq!(complete(&sink, &mine_again, &mine, planned), [3]);
    sink.finish().unwrap();
    assert_eq!(names(root.path()), ["before", "mine"]);
}

#[test]
fn the_same_path_comes_before_the_same_size_and_time_and_more_before_less() {
    let root = tempfile::tempdir().unwrap();
    let (mine, other) = (content(1), content(2));
    interrupted(root.path(), 1, &entry("other", &other, 1), &other, 4);
    interrupted(root.path(), 2, &entry("mine", &mine, 5), &mine, 3);
    // Under another size, so that this does not go on with that.
    let stage = interrupted(root.path(), 3, &entry("else", &mine[..CHUNK + 1], 8), &mine, 1);
    assert_eq!(names(root.path()).len(), 3);
    let sink = open(root.path(), 4);
    let items = [entry("mine", &mine, 1), entry("third", &other, 1), entry("fourth", &other, 1)];
    assert_eq!(sink.plan(0, &items).unwrap(), [here(3), perhaps(4), Plan::All], "each is taken once");
    assert!(stage.exists());
}

#[test]
fn one_session_goes_on_in_two_stages_and_makes_its_own_for_the_rest() {
    let root = tempfile::tempdir().unwrap();
    let contents = [content(1), content(2), content(3)];
    let items = [entry("a", &contents[0], 1), entry("b", &contents[1], 2), entry("c", &contents[2], 3)];
    interrupted(root.path(), 1, &items[0], &contents[0], 1);
    interrupted(root.path(), 2, &items[1], &contents[1], 2);
    let sink = open(root.path(), 3);
    assert_eq!(sink.plan(0, &items).unwrap(), [here(1), here(2), Plan::All]);
    let mut chunks = Vec::new();
    for (number, from) in [(0, 1), (1, 2), (2, 0)] {
        chunks.extend((from..4).map(|index| write(&sink, number, index, &contents[number as usize])));
    }
    sink.checkpoint(&chunks).unwrap();
    let journaled =
        names(root.path()).into_iter().map(|it| journal::load(&root.path().join(it)).unwrap().count());
    assert_eq!(journaled.collect::<Vec<_>>(), [4, 4, 4], "each chunk in the journal of its stage");
    let batch = (0..).zip(&items).map(|(entry, item)| Commit { entry, item: item.clone(), digest: DIGEST });
    assert!(sink.commit(&batch.collect::<Vec<_>>()).unwrap().iter().all(|it| it.outcome == KEPT));
    sink.finish().unwrap();
    assert_eq!(names(root.path()), ["a", "b", "c"]);
    for (name, bytes) in ["a", "b", "c"].iter().zip(&contents) {
        assert!(fs::read(root.path().join(name)).unwrap() == *bytes);
    }
}

#[test]
fn what_a_session_did_not_ask_for_stays_for_a_later_one() {
    let root = tempfile::tempdir().unwrap();
    let (bytes, item, later) = (content(1), entry("a", &content(1), 1), entry("later", &content(2), 2));
    let sink = open(root.path(), 1);
    sink.plan(0, &[item.clone(), later.clone()]).unwrap();
    write(&sink, 0, 0, &bytes);
    write(&sink, 1, 0, &content(2));
    drop(sink);
    resumed(root.path(), &item, &bytes);
    assert_eq!(names(root.path()), [".p2pcp-0101010101010101", "a"]);
    assert_eq!(resumed(root.path(), &later, &content(2)), (here(1), vec![1, 2, 3]));
    assert_eq!(names(root.path()), ["a", "later"]);
}

/// The sender could not read it this time.
#[test]
fn a_discarded_entry_keeps_what_an_earlier_session_staged() {
    let root = tempfile::tempdir().unwrap();
    let (bytes, item) = (content(1), entry("a", &content(1), 1));
    interrupted(root.path(), 1, &item, &bytes, 2);
    let sink = open(root.path(), 2);
    assert_eq!(plan(&sink, &item), here(2));
    sink.discard(0);
    sink.finish().unwrap();
    assert_eq!(resumed(root.path(), &item, &bytes), (here(2), vec![2, 3]));
}

#[test]
fn fresh_looks_at_no_stage_and_leaves_it_alone() {
    let root = tempfile::tempdir().unwrap();
    let (bytes, item) = (content(1), entry("a", &content(1), 1));
    let stage = interrupted(root.path(), 1, &item, &bytes, 2);
    interrupted(root.path(), 3, &entry("small", b"small", 1), b"small", 1);
    let options = SinkOptions { stages: Stages::Fresh, ..SinkOptions::default() };
    let sink = Sink::open(root.path(), [2; 8], options).unwrap();
    assert_eq!(complete(&sink, &item, &bytes, plan(&sink, &item)), [0, 1, 2, 3]);
    sink.finish().unwrap();
    assert_eq!(names(root.path()).len(), 3);
    assert_eq!(journal::load(&stage).unwrap().count(), 2);
}

#[test]
fn without_a_journal_nothing_is_journaled() {
    let root = tempfile::tempdir().unwrap();
    let (bytes, item) = (content(1), entry("a", &content(1), 1));
    let options = SinkOptions { journal: false, ..SinkOptions::default() };
    let sink = Sink::open(root.path(), [2; 8], options).unwrap();
    assert_eq!(plan(&sink, &item), Plan::All);
    let chunk = write(&sink, 0, 0, &bytes);
    sink.checkpoint(&[chunk]).unwrap();
    assert_eq!(names(&sink.stage().unwrap()), ["data"]);
}

#[test]
fn a_stage_in_use_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let (bytes, item) = (content(1), entry("a", &content(1), 1));
    let living = open(root.path(), 1);
    plan(&living, &item);
    write(&living, 0, 0, &bytes);
    let (plan_of_other, _) = resumed(root.path(), &item, &bytes);
    assert_eq!(plan_of_other, Plan::All);
    assert!(living.stage().unwrap().exists(), "it is not swept away either");
    drop(living);
    fs::remove_file(root.path().join("a")).unwrap();
    assert_eq!(resumed(root.path(), &item, &bytes), (here(1), vec![1, 2, 3]));
}

#[test]
fn damaged_bytes_are_fetched_again_and_only_those() {
    let bytes = content(1);
    let damage: [(&str, Damage, u32, &[usize]); 5] = [
        ("nothing", |_| (), 4, &[]),
        ("a flipped bit", |it| it.write_all_at(&[0xff], CHUNK as u64 + 9).unwrap(), 4, &[1]),
        ("a hole", |it| it.write_all_at(&[0; CHUNK], 2 * CHUNK as u64).unwrap(), 4, &[2]),
        ("cut in the second chunk", |it| it.set_len(CHUNK as u64 + 9).unwrap(), 1, &[1, 2, 3]),
        ("longer", |it| it.set_len(1 << 30).unwrap(), 4, &[]),
    ];
    for (what, damage, chunks, fetched) in damage {
        let root = tempfile::tempdir().unwrap();
        let item = entry("a", &bytes, 1);
        let stage = interrupted(root.path(), 1, &item, &bytes, 4);
        damage(&fs::File::options().write(true).open(stage.join("data/0")).unwrap());
        assert_eq!(resumed(root.path(), &item, &bytes), (here(chunks), fetched.to_vec()), "{what}");
    }
}

#[test]
fn a_damaged_journal_costs_time_and_nothing_else() {
    let (bytes, item) = (content(1), entry("a", &content(1), 1));
    let root = tempfile::tempdir().unwrap();
    let stage = interrupted(root.path(), 1, &item, &bytes, 2);
    let journal = fs::read(stage.join("journal")).unwrap();
    for at in (0..journal.len()).step_by(53) {
        for damaged in
            [journal[..at].to_vec(), [&journal[..at], &[journal[at] ^ 4], &journal[at + 1..]].concat()]
        {
            let root = tempfile::tempdir().unwrap();
            let stage = interrupted(root.path(), 1, &item, &bytes, 2);
            fs::write(stage.join("journal"), damaged).unwrap();
            let (plan, fetched) = resumed(root.path(), &item, &bytes);
            assert!([(here(2), vec![2, 3]), (Plan::All, vec![0, 1, 2, 3])].contains(&(plan, fetched)));
        }
    }
}

#[test]
fn restarting_forgets_what_was_staged() {
    let root = tempfile::tempdir().unwrap();
    let (bytes, item) = (content(1), entry("a", &content(1), 1));
    interrupted(root.path(), 1, &item, &content(9), 4);
    let sink = open(root.path(), 2);
    assert_eq!(plan(&sink, &item), here(4));
    sink.restart(0).unwrap();
    assert_eq!(sink.check_chunk(0, 0).unwrap(), None);
    assert_eq!(complete(&sink, &item, &bytes, Plan::All), [0, 1, 2, 3]);
    assert!(fs::read(root.path().join("a")).unwrap() == bytes);
}
