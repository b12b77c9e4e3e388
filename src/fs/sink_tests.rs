//! Claims about [`Sink`]: what it keeps of what comes, and how it stages it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Mutex;

use bytes::Bytes;

use crate::fs::hash::hash;
use crate::fs::journal;
use crate::fs::{Commit, Committed, DiskFault, OnConflict, Plan, Sink, SinkOptions, WrittenChunk};
use crate::wire::CHUNK_BYTES;
use crate::wire::path::{LinkTarget, RelPath};
use crate::wire::peer::{Entry, EntryKind, Hash, Mtime, Outcome};

pub(crate) const DIGEST: Hash = [7; 32];
pub(crate) const KEPT: Outcome = Outcome::Kept { digest: DIGEST };

pub(crate) fn sink(root: &Path, on_conflict: OnConflict) -> Sink {
    Sink::open(root, [0xab; 8], SinkOptions { on_conflict, ..SinkOptions::default() }).unwrap()
}

pub(crate) fn entry(path: &str, kind: EntryKind) -> Entry {
    Entry { path: RelPath::parse(path).unwrap(), kind }
}

pub(crate) fn file(path: &str, content: &str) -> Entry {
    let mtime = Mtime::new(1_000_000_000, 123_456_789).unwrap();
    entry(path, EntryKind::File { size: content.len() as u64, mtime, executable: false })
}

pub(crate) fn folder(path: &str, seconds: i64) -> Entry {
    entry(path, EntryKind::Folder { mtime: Mtime::new(seconds, 0).unwrap() })
}

pub(crate) fn link(path: &str, target: &str) -> Entry {
    entry(path, EntryKind::Link { target: LinkTarget::parse(target).unwrap() })
}

/// Stages `content` for the files among `items` and commits all in one batch, numbered from 0.
pub(crate) fn receive(sink: &Sink, items: &[(Entry, &str)]) -> Vec<Committed> {
    let batch = items.iter().zip(0..).map(|((item, content), number)| {
        if !content.is_empty() {
            let part = Bytes::copy_from_slice(content.as_bytes());
            assert_eq!(sink.write_chunk(number, 0, &[part]), Ok(hash(content.as_bytes())));
        }
        Commit { entry: number, item: item.clone(), digest: DIGEST }
    });
    sink.commit(&batch.collect::<Vec<_>>()).unwrap()
}

/// Plans and receives one entry; what the plan settles is not received.
pub(crate) fn receive_one(sink: &Sink, item: Entry, content: &str) -> Committed {
    let planned = sink.plan(0, std::slice::from_ref(&item)).unwrap()[0];
    let committed = receive(sink, &[(item, content)]).remove(0);
    if let Plan::Settled(outcome) = planned {
        assert_eq!(committed.outcome, outcome, "plan and commit agree");
    }
    committed
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let name = |it: std::io::Result<fs::DirEntry>| it.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

#[test]
fn a_tree_arrives_whole_with_times_and_the_stage_goes() {
    let root = tempfile::tempdir().unwrap();
    let target = root.path().join("new/receive/folder");
    let sink = sink(&target, OnConflict::Refuse);
    assert_eq!(sink.stage(), None);
    let deep = format!("t/{}", ["d"; 300].join("/"));
    let long = format!("t/{}", "x".repeat(255));
    let items = [
        (file("t/a", "hello"), "hello"),
        (file("t/sub/ü文", "unicode"), "unicode"),
        (folder("t/sub", 77), ""),
        (folder("t/empty", 78), ""),
        (file("t/nothing", ""), ""),
        (file(&format!("{deep}/f"), "deep"), "deep"),
        (file(&long, "long"), "long"),
        (folder("t", 79), ""),
        (file("top", "top"), "top"),
        (link("t/sub/l", "../a"), ""),
    ];
    let entries = items.iter().map(|it| it.0.clone()).collect::<Vec<_>>();
    assert!(sink.plan(0, &entries).unwrap().iter().all(|it| *it == Plan::All));
    assert!(receive(&sink, &items).iter().all(|it| it.outcome == KEPT && it.renamed.is_none()));
    let stage = sink.stage().unwrap();
    assert_eq!(stage.metadata().unwrap().mode() & 0o7777, 0o700);
    sink.finish().unwrap();
    assert_eq!(names(&target), ["t", "top"]);
    assert_eq!(read(target.join("t/sub/l")), "hello");
    assert_eq!(read(target.join("t/sub/ü文")), "unicode");
    assert_eq!(read(target.join(deep).join("f")), "deep");
    assert_eq!(read(target.join(long)), "long");
    assert_eq!(target.join("t/nothing").metadata().unwrap().len(), 0);
    let a = target.join("t/a").metadata().unwrap();
    assert_eq!((a.mtime(), a.mtime_nsec()), (1_000_000_000, 123_456_789));
    for (name, seconds) in [("t/sub", 77), ("t/empty", 78), ("t", 79)] {
        assert_eq!(target.join(name).metadata().unwrap().mtime(), seconds, "{name}");
    }
}

/// The link comes from the peer itself, in the same batch.

#[test]
fn an_existing_folder_is_merged_and_keeps_its_own_time_and_mode() {
    let root = tempfile::tempdir().unwrap();
    let old = root.path().join("t");
    fs::create_dir(&old).unwrap();
    fs::write(old.join("mine"), "old").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o750)).unwrap();
    let sink = sink(root.path(), OnConflict::Refuse);
    let outcomes = receive(&sink, &[(file("t/yours", "new"), "new"), (folder("t", 99), "")]);
    assert!(outcomes.iter().all(|it| it.outcome == KEPT));
    let now = old.metadata().unwrap();
    assert_eq!(names(&old), ["mine", "yours"]);
    assert_eq!(now.mode() & 0o7777, 0o750);
    assert_ne!(now.mtime(), 99);
    let before = (now.mtime(), now.mtime_nsec());
    receive(&sink, &[(link("t/l", "mine"), "")]);
    let after = old.metadata().unwrap();
    assert_eq!((after.mtime(), after.mtime_nsec()), before, "a link does not change it");
}

#[test]
fn modes_are_the_ordinary_ones_and_only_the_executable_bit_travels() {
    let root = tempfile::tempdir().unwrap();
    let ordinary = |name: &str| root.path().join(name).symlink_metadata().unwrap().mode() & 0o7777;
    fs::write(root.path().join("plain"), "").unwrap();
    fs::create_dir(root.path().join("dir")).unwrap();
    let old = root.path().join("old");
    fs::write(&old, "old").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o6777)).unwrap();
    let sink = sink(root.path(), OnConflict::Overwrite);
    let program = EntryKind::File { size: 1, mtime: Mtime::default(), executable: true };
    receive(
        &sink,
        &[
            (file("t/f", "x"), "x"),
            (entry("t/program", program), "x"),
            (file("t/empty", ""), ""),
            (file("old", "x"), "x"),
        ],
    );
    assert_eq!(ordinary("t/f"), ordinary("plain"));
    assert_eq!(ordinary("t/empty"), ordinary("plain"));
    assert_eq!(ordinary("t/program"), ordinary("dir"));
    assert_eq!(ordinary("t"), ordinary("dir"));
    assert_eq!(ordinary("old"), ordinary("plain"), "a replaced file's setuid bit does not live on");
}

#[test]
fn many_files_in_many_folders_arrive_and_folders_made_earlier_get_their_times() {
    let root = tempfile::tempdir().unwrap();
    let sink = sink(root.path(), OnConflict::Refuse);
    let paths = (0..300).map(|it| format!("t/{:02}/{it}", it % 30)).collect::<Vec<_>>();
    let items = paths.iter().map(|path| (file(path, path), path.as_str())).collect::<Vec<_>>();
    assert!(receive(&sink, &items).iter().all(|it| it.outcome == KEPT));
    assert!(paths.iter().all(|path| read(root.path().join(path)) == *path));
    let folders = (0..30).map(|it| (folder(&format!("t/{it:02}"), 50 + it), "")).collect::<Vec<_>>();
    receive(&sink, &folders);
    let time = |it: i64| root.path().join(format!("t/{it:02}")).metadata().unwrap().mtime();
    assert!((0..30).all(|it| time(it) == 50 + it));
}

#[test]
fn chunks_may_come_in_any_order_and_in_parts() {
    let root = tempfile::tempdir().unwrap();
    let sink = sink(root.path(), OnConflict::Refuse);
    let content: Vec<u8> = (0..2 * CHUNK_BYTES + 5).map(|it| (it / 3) as u8).collect();
    for (index, chunk) in content.chunks(CHUNK_BYTES as usize).enumerate().rev() {
        let parts = chunk.chunks(100_000).map(Bytes::copy_from_slice).collect::<Vec<_>>();
        assert_eq!(sink.write_chunk(4, index as u32, &parts), Ok(hash(chunk)));
    }
    let kind = EntryKind::File { size: content.len() as u64, mtime: Mtime::default(), executable: false };
    let commit = Commit { entry: 4, item: entry("big", kind), digest: DIGEST };
    assert_eq!(sink.commit(&[commit]).unwrap()[0].outcome, KEPT);
    assert!(fs::read(root.path().join("big")).unwrap() == content);
}

#[test]
fn a_staged_file_of_another_size_never_gets_its_name() {
    let root = tempfile::tempdir().unwrap();
    let sink = sink(root.path(), OnConflict::Overwrite);
    sink.write_chunk(0, 0, &[Bytes::from_static(b"too long")]).unwrap();
    let commit = Commit { entry: 0, item: file("a", "short"), digest: DIGEST };
    assert!(matches!(sink.commit(&[commit]), Err(DiskFault::Damaged { .. })));
    let never_written = Commit { entry: 1, item: file("b", "short"), digest: DIGEST };
    assert!(sink.commit(&[never_written]).is_err());
    assert_eq!(names(root.path()), [sink.stage().unwrap().file_name().unwrap().to_str().unwrap()]);
}

#[test]
fn checkpoints_journal_long_files_that_are_still_under_way() {
    let root = tempfile::tempdir().unwrap();
    let sink = sink(root.path(), OnConflict::Refuse);
    let long = |path: &str| {
        let size = 2 * u64::from(CHUNK_BYTES);
        entry(path, EntryKind::File { size, mtime: Mtime::default(), executable: false })
    };
    let mut entries: Vec<_> = (0..20).map(|number| long(&format!("t/{number}"))).collect();
    entries[3] = file("t/short", "two");
    sink.plan(0, &entries).unwrap();
    let write = |entry| WrittenChunk {
        entry,
        index: 0,
        hash: sink.write_chunk(entry, 0, &[Bytes::from_static(b"two")]).unwrap(),
    };
    let chunks: Vec<_> = (0..20).map(write).collect();
    receive(&sink, &[]);
    let short = Commit { entry: 3, item: entries[3].clone(), digest: DIGEST };
    assert_eq!(sink.commit(&[short]).unwrap()[0].outcome, KEPT);
    sink.discard(5);
    sink.checkpoint(&chunks[..9]).unwrap();
    sink.checkpoint(&chunks[9..]).unwrap();
    let stage = sink.stage().unwrap();
    let journaled = journal::load(&stage).unwrap();
    let journaled: Vec<_> = journaled.map(|it| it.file.path.as_str()[2..].to_owned()).collect();
    let expected = (0..20).filter(|it| ![3, 5].contains(it)).map(|it| it.to_string());
    assert_eq!(journaled, expected.collect::<Vec<_>>());
    assert!(!stage.join("data/5").exists() && stage.join("data/6").exists());
    sink.finish().unwrap();
    assert_eq!(names(root.path()), ["t"]);
}

#[test]
fn writing_and_committing_may_go_on_at_once() {
    let root = tempfile::tempdir().unwrap();
    let sink = sink(root.path(), OnConflict::Refuse);
    let written = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for entry in 0..500 {
                sink.write_chunk(entry, 0, &[Bytes::from_static(b"x")]).unwrap();
                let item = file(&format!("t/{entry}"), "x");
                written.lock().unwrap().push(Commit { entry, item, digest: DIGEST });
            }
        });
        let mut committed = 0;
        while committed < 500 {
            let batch = std::mem::take(&mut *written.lock().unwrap());
            committed += sink.commit(&batch).unwrap().len();
            std::thread::yield_now();
        }
    });
    assert_eq!(names(&root.path().join("t")).len(), 500);
}

#[test]
fn a_receive_folder_that_is_a_file_is_said_so() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("file");
    fs::write(&path, "").unwrap();
    let opened = |path: &Path| Sink::open(path, [0; 8], SinkOptions::default()).map(drop);
    assert_eq!(opened(&path), Err(DiskFault::NotAFolder { path: path.clone() }));
    assert_eq!(opened(&path.join("below")), Err(DiskFault::NotAFolder { path: path.join("below") }));
}
