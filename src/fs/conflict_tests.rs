//! Claims about [`Sink`]: what it never does to what is there, and where it never goes.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use bytes::Bytes;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::fs::OnConflict;
use crate::fs::sink_tests::{KEPT, file, folder, link, names, read, receive, receive_one, sink};
use crate::wire::peer::Outcome;

const ALL: [OnConflict; 5] =
    [OnConflict::Refuse, OnConflict::Overwrite, OnConflict::Update, OnConflict::Rename, OnConflict::Skip];

#[test]
fn nothing_that_is_there_is_replaced_unless_asked() {
    for on_conflict in ALL {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::write(at("elsewhere"), "old").unwrap();
        fs::write(at("file"), "old").unwrap();
        fs::create_dir(at("folder")).unwrap();
        fs::create_dir(at("full")).unwrap();
        fs::write(at("full/x"), "old").unwrap();
        symlink("elsewhere", at("link")).unwrap();
        symlink("nowhere", at("dangling")).unwrap();
        mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let sink = sink(root.path(), on_conflict);
        let replaceable = ["file", "link", "dangling", "fifo"];
        for name in ["file", "folder", "full", "link", "dangling", "fifo"] {
            let kept = receive_one(&sink, file(name, "new"), "new");
            let expected = match on_conflict {
                // What is here is newer than what comes.
                OnConflict::Skip | OnConflict::Update => Outcome::Skipped,
                OnConflict::Rename => KEPT,
                OnConflict::Overwrite if replaceable.contains(&name) => KEPT,
                OnConflict::Overwrite | OnConflict::Refuse => Outcome::Exists,
            };
            assert_eq!(kept.outcome, expected, "{name} under {on_conflict:?}");
            if on_conflict == OnConflict::Rename {
                let other = format!("{name} (1)");
                assert_eq!(kept.renamed.unwrap().as_str(), other);
                assert_eq!(read(at(&other)), "new");
            }
        }
        assert_eq!((read(at("elsewhere")), read(at("full/x"))), ("old".into(), "old".into()));
        if on_conflict == OnConflict::Overwrite {
            for name in replaceable {
                assert!(at(name).symlink_metadata().unwrap().is_file());
                assert_eq!(read(at(name)), "new");
            }
        } else {
            assert_eq!(read(at("file")), "old");
            assert!(at("fifo").symlink_metadata().unwrap().mode() & 0o170_000 == 0o010_000);
            assert_eq!(fs::read_link(at("link")).unwrap(), Path::new("elsewhere"));
            assert_eq!(fs::read_link(at("dangling")).unwrap(), Path::new("nowhere"));
        }
        assert!(at("folder").is_dir());
        sink.finish().unwrap();
    }
}

#[test]
fn links_and_folders_never_replace() {
    for on_conflict in ALL {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "old").unwrap();
        fs::create_dir(root.path().join("t")).unwrap();
        fs::write(root.path().join("t/l"), "old").unwrap();
        let sink = sink(root.path(), on_conflict);
        assert_eq!(receive_one(&sink, folder("file", 1), "").outcome, Outcome::Exists);
        let expected = match on_conflict {
            OnConflict::Refuse | OnConflict::Overwrite => Outcome::Exists,
            OnConflict::Rename => KEPT,
            OnConflict::Skip | OnConflict::Update => Outcome::Skipped,
        };
        assert_eq!(receive_one(&sink, link("t/l", "x"), "").outcome, expected);
        assert_eq!(
            (read(root.path().join("file")), read(root.path().join("t/l"))),
            ("old".into(), "old".into())
        );
        assert_eq!(root.path().join("t/l (1)").is_symlink(), on_conflict == OnConflict::Rename);
        assert_eq!(sink.stage(), None, "neither needs a stage");
    }
}

#[test]
fn nothing_is_written_through_a_link() {
    for on_conflict in ALL {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("f"), "old").unwrap();
        symlink(outside.path(), root.path().join("t")).unwrap();
        fs::write(root.path().join("plain"), "old").unwrap();
        let sink = sink(root.path(), on_conflict);
        for path in ["t/f", "t/new", "t/sub/new", "plain/new"] {
            assert_eq!(receive_one(&sink, file(path, "new"), "new").outcome, Outcome::Exists, "{path}");
        }
        assert_eq!(receive_one(&sink, folder("t/made", 1), "").outcome, Outcome::Exists);
        assert_eq!(receive_one(&sink, folder("t", 1), "").outcome, Outcome::Exists);
        assert_eq!(receive_one(&sink, link("t/l", "f"), "").outcome, Outcome::Exists);
        assert_eq!(names(outside.path()), ["f"]);
        assert_eq!(read(outside.path().join("f")), "old");
    }
}

#[test]
fn a_received_link_is_no_way_for_later_entries() {
    let root = tempfile::tempdir().unwrap();
    let sink = sink(root.path(), OnConflict::Overwrite);
    let items = [
        (folder("t/real", 1), ""),
        (link("t/l", "real"), ""),
        (file("t/l/f", "new"), "new"),
        (file("t/real/g", "new"), "new"),
    ];
    let outcomes = receive(&sink, &items).into_iter().map(|it| it.outcome).collect::<Vec<_>>();
    assert_eq!(outcomes, [KEPT, KEPT, Outcome::Exists, KEPT]);
    assert_eq!(names(&root.path().join("t/real")), ["g"]);
}

#[test]
fn the_receive_folder_is_held_though_its_path_becomes_a_link() {
    let root = tempfile::tempdir().unwrap();
    let (inside, moved, trap) = (root.path().join("in"), root.path().join("moved"), root.path().join("trap"));
    fs::create_dir(&trap).unwrap();
    let sink = sink(&inside, OnConflict::Overwrite);
    fs::rename(&inside, &moved).unwrap();
    symlink(&trap, &inside).unwrap();
    assert_eq!(receive_one(&sink, file("t/f", "new"), "new").outcome, KEPT);
    assert_eq!(read(moved.join("t/f")), "new");
    assert!(names(&trap).is_empty());
}

#[test]
fn renaming_takes_the_next_free_number_and_never_a_taken_one() {
    let root = tempfile::tempdir().unwrap();
    let long = "ü".repeat(127);
    for name in ["a.txt", "a (1).txt", "a (3).txt", &long] {
        fs::write(root.path().join(name), "old").unwrap();
    }
    let sink = sink(root.path(), OnConflict::Rename);
    for expected in ["a (2).txt", "a (4).txt"] {
        let kept = receive_one(&sink, file("a.txt", "new"), "new");
        assert_eq!(kept.renamed.unwrap().as_str(), expected);
        assert_eq!(read(root.path().join(expected)), "new");
    }
    let kept = receive_one(&sink, file(&long, "new"), "new").renamed.unwrap();
    assert_eq!(read(root.path().join(kept.as_str())), "new");
    assert_eq!(
        (read(root.path().join("a (1).txt")), read(root.path().join(long))),
        ("old".into(), "old".into())
    );
}

#[test]
fn two_entries_of_one_name_do_not_replace_each_other() {
    let root = tempfile::tempdir().unwrap();
    let sink = sink(root.path(), OnConflict::Refuse);
    let outcomes = receive(&sink, &[(file("a", "one"), "one"), (file("a", "two"), "two")]);
    assert_eq!((outcomes[0].outcome, outcomes[1].outcome), (KEPT, Outcome::Exists));
    assert_eq!(read(root.path().join("a")), "one");
    let stage = sink.stage().unwrap();
    assert!(names(&stage.join("data")).is_empty(), "what is refused does not stay staged");
}

#[test]
fn a_stage_that_is_there_already_is_not_taken_over() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join(".p2pcp-abababababababab")).unwrap();
    let sink = sink(root.path(), OnConflict::Refuse);
    assert!(sink.write_chunk(0, 0, &[Bytes::from_static(b"x")]).is_err());
    assert!(names(&root.path().join(".p2pcp-abababababababab")).is_empty());
}
