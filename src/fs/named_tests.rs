//! Claims about [`Sink`]: what an interrupted session finished already is compared, and kept only if it is the same.

use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;

use crate::fs::resume_tests::{complete, content, entry, interrupted, open, open_with, plan, resumed, write};
use crate::fs::sink_tests::{DIGEST, KEPT, file, link, names};
use crate::fs::{Commit, Committed, DiskFault, OnConflict, Otherwise, Plan, Sink};
use crate::wire::peer::{Entry, Outcome};

type Change = fn(&Path);

const ALL: [OnConflict; 5] =
    [OnConflict::Refuse, OnConflict::Overwrite, OnConflict::Update, OnConflict::Rename, OnConflict::Skip];

/// A receive folder with the finished file `t/a`.
fn finished(bytes: &[u8]) -> (tempfile::TempDir, Entry) {
    let root = tempfile::tempdir().unwrap();
    let item = entry("t/a", bytes, 1);
    resumed(root.path(), &item, bytes);
    (root, item)
}

fn commit(sink: &Sink, item: &Entry) -> Committed {
    sink.commit(&[Commit { entry: 0, item: item.clone(), digest: DIGEST }]).unwrap().remove(0)
}

#[test]
fn a_file_of_the_same_size_and_time_is_compared_and_kept() {
    for (on_conflict, otherwise) in [
        (OnConflict::Refuse, Otherwise::Settle(Outcome::Exists)),
        (OnConflict::Overwrite, Otherwise::Restart),
        (OnConflict::Rename, Otherwise::Restart),
    ] {
        let bytes = content(1);
        let (root, item) = finished(&bytes);
        let sink = open_with(root.path(), 2, on_conflict);
        let planned = plan(&sink, &item);
        assert_eq!(planned, Plan::Here { chunks: 4, otherwise });
        assert!(complete(&sink, &item, &bytes, planned).is_empty());
        assert_eq!(sink.stage(), None, "nothing is written");
        assert_eq!(names(&root.path().join("t")), ["a"]);
    }
}

#[test]
fn a_file_with_other_bytes_is_replaced_or_renamed_as_asked_and_else_stays() {
    for on_conflict in [OnConflict::Overwrite, OnConflict::Rename] {
        let (root, item) = finished(&content(1));
        let sink = open_with(root.path(), 2, on_conflict);
        let planned = plan(&sink, &item);
        assert_eq!(complete(&sink, &item, &content(2), planned), [0, 1, 2, 3]);
        let path = if on_conflict == OnConflict::Rename { "t/a (1)" } else { "t/a" };
        assert!(fs::read(root.path().join(path)).unwrap() == content(2));
        assert_eq!(
            fs::read(root.path().join("t/a")).unwrap() == content(1),
            on_conflict == OnConflict::Rename
        );
    }
}

#[test]
fn a_file_under_its_final_name_is_never_written_to() {
    let (root, item) = finished(&content(1));
    let sink = open_with(root.path(), 2, OnConflict::Overwrite);
    plan(&sink, &item);
    let part = [bytes::Bytes::from_static(b"x")];
    assert!(matches!(sink.write_chunk(0, 0, &part), Err(DiskFault::Damaged { .. })));
    assert!(fs::read(root.path().join("t/a")).unwrap() == content(1));
}

#[test]
fn another_size_or_time_or_skipping_needs_no_comparing() {
    let (root, item) = finished(&content(1));
    for (other, newer) in [(entry("t/a", &content(1), 2), true), (entry("t/a", &content(1)[1..], 1), false)] {
        for on_conflict in ALL {
            let expected = match on_conflict {
                OnConflict::Refuse => Plan::Settled(Outcome::Exists),
                OnConflict::Update if newer => Plan::All,
                OnConflict::Skip | OnConflict::Update => Plan::Settled(Outcome::Skipped),
                OnConflict::Overwrite | OnConflict::Rename => Plan::All,
            };
            assert_eq!(plan(&open_with(root.path(), 2, on_conflict), &other), expected);
        }
    }
    let skipping = open_with(root.path(), 2, OnConflict::Skip);
    assert_eq!(plan(&skipping, &item), Plan::Settled(Outcome::Skipped));
}

#[test]
fn short_and_empty_files_are_met_again_like_long_ones() {
    let root = tempfile::tempdir().unwrap();
    for bytes in [&b"short"[..], b""] {
        let item = entry("a", bytes, 1);
        resumed(root.path(), &item, bytes);
        let sink = open(root.path(), 2);
        assert_eq!(complete(&sink, &item, bytes, plan(&sink, &item)), [0_usize; 0]);
        assert_eq!(sink.stage(), None);
        fs::remove_file(root.path().join("a")).unwrap();
    }
}

#[test]
fn a_file_that_changes_after_it_was_compared_is_not_kept() {
    let changes: [(&str, Change); 4] = [
        ("written to", |it| {
            let file = fs::File::options().write(true).open(it).unwrap();
            file.write_all_at(b"x", 3).unwrap();
        }),
        ("replaced", |it| {
            let other = it.with_file_name("other");
            fs::copy(it, &other).unwrap();
            let modified = fs::metadata(it).unwrap().modified().unwrap();
            fs::File::options().write(true).open(&other).unwrap().set_modified(modified).unwrap();
            fs::rename(other, it).unwrap();
        }),
        ("deleted", |it| fs::remove_file(it).unwrap()),
        ("moved with its folder", |it| {
            let folder = it.parent().unwrap();
            fs::rename(folder, folder.with_file_name("u")).unwrap();
            symlink("u", folder).unwrap();
        }),
    ];
    for (what, change) in changes {
        for on_conflict in [OnConflict::Refuse, OnConflict::Overwrite, OnConflict::Rename] {
            let (root, item) = finished(&content(1));
            let sink = open_with(root.path(), 2, on_conflict);
            plan(&sink, &item);
            assert!(sink.check_chunk(0, 3).unwrap().is_some());
            change(&root.path().join("t/a"));
            assert_eq!(sink.check_chunk(0, 3).unwrap(), None, "{what}");
            let committed = commit(&sink, &item);
            assert_eq!((committed.outcome, committed.renamed), (Outcome::Exists, None), "{what}");
        }
    }
}

#[test]
fn a_link_with_the_same_target_is_kept_and_any_other_is_in_the_way() {
    for on_conflict in ALL {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("t")).unwrap();
        symlink("x", root.path().join("t/l")).unwrap();
        let sink = open_with(root.path(), 2, on_conflict);
        let skip = on_conflict == OnConflict::Skip;
        let (same, other) = (link("t/l", "x"), link("t/l", "y"));
        assert_eq!(plan(&sink, &same), if skip { Plan::Settled(Outcome::Skipped) } else { Plan::All });
        let committed = commit(&sink, &same);
        assert_eq!(committed.outcome, if skip { Outcome::Skipped } else { KEPT });
        assert_eq!((committed.renamed, names(&root.path().join("t")).len()), (None, 1));
        let expected = match on_conflict {
            OnConflict::Skip | OnConflict::Update => Plan::Settled(Outcome::Skipped),
            OnConflict::Rename => Plan::All,
            OnConflict::Refuse | OnConflict::Overwrite => Plan::Settled(Outcome::Exists),
        };
        assert_eq!(plan(&sink, &other), expected);
    }
}

#[test]
fn a_file_under_its_name_comes_before_a_staged_one() {
    let root = tempfile::tempdir().unwrap();
    let (bytes, item) = (content(1), entry("a", &content(1), 1));
    interrupted(root.path(), 1, &item, &bytes, 2);
    fs::write(root.path().join("b"), &bytes).unwrap();
    assert_eq!(plan(&open(root.path(), 2), &file("b", "other")), Plan::Settled(Outcome::Exists));
    resumed(root.path(), &item, &bytes);
    interrupted(root.path(), 1, &entry("c", &bytes, 1), &bytes, 2);
    let refused = Otherwise::Settle(Outcome::Exists);
    assert_eq!(plan(&open(root.path(), 3), &item), Plan::Here { chunks: 4, otherwise: refused });
}

/// A crash between the two steps of naming by hard links leaves both names: the staged one is not to be
/// written to.
#[test]
fn a_staged_file_with_a_second_name_is_not_gone_on_with() {
    let root = tempfile::tempdir().unwrap();
    let (bytes, item) = (content(1), entry("a", &content(1), 1));
    let stage = interrupted(root.path(), 1, &item, &bytes, 4);
    fs::hard_link(stage.join("data/0"), root.path().join("a")).unwrap();
    let sink = open_with(root.path(), 2, OnConflict::Overwrite);
    let newer = entry("a", &content(2), 9);
    assert_eq!(plan(&sink, &newer), Plan::All);
    write(&sink, 0, 0, &content(2));
    assert!(fs::read(root.path().join("a")).unwrap() == bytes);
}
