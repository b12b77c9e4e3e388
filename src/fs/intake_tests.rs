//! Claims about [`SinkOptions`]: what is wanted, what is taken for the same, and how what comes is kept.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::fs::sink_tests::{KEPT, entry, file, folder, link, names, read, receive, receive_one};
use crate::fs::{Alike, Glob, Globs, OnConflict, Otherwise, Plan, Sink, SinkOptions, Times};
use crate::wire::peer::{Entry, EntryKind, Mtime, Outcome};

fn open(root: &Path, options: SinkOptions) -> Sink {
    Sink::open(root, [0xab; 8], options).unwrap()
}

fn only(globs: &[&str]) -> SinkOptions {
    let globs: Vec<Glob> = globs.iter().map(|it| it.parse().unwrap()).collect();
    SinkOptions { only: Globs::new(&globs).unwrap(), ..SinkOptions::default() }
}

fn plan(sink: &Sink, item: &Entry) -> Plan {
    sink.plan(0, std::slice::from_ref(item)).unwrap()[0]
}

/// Gives a file here the time of `seconds` and a half after that of the files that come.
fn set_time(path: &Path, seconds: i64, nanoseconds: u32) {
    let time = SystemTime::UNIX_EPOCH + Duration::new((1_000_000_000 + seconds) as u64, nanoseconds);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn what_is_not_wanted_leaves_no_trace() {
    let root = tempfile::tempdir().unwrap();
    let sink = open(root.path(), only(&["*.jpg", "best/"]));
    for (item, wanted) in [
        (file("t/a.jpg", "a"), true),
        (file("t/notes", "n"), false),
        (file("t/best/deep/x", "x"), true),
        (link("t/l", "notes"), false),
        (link("t/best/l", "x"), true),
    ] {
        let expected = if wanted { Plan::All } else { Plan::Settled(Outcome::Unwanted) };
        assert_eq!(plan(&sink, &item), expected, "{}", item.path);
    }
    assert_eq!(names(root.path()), [""; 0]);
}

/// Their own entries come after what they hold, and tell nothing but their times.
#[test]
fn folders_are_made_for_what_is_wanted_in_them() {
    let root = tempfile::tempdir().unwrap();
    let sink = open(root.path(), only(&["*.jpg", "best/"]));
    fs::create_dir_all(root.path().join("u/mine")).unwrap();
    let items = [
        (file("t/a.jpg", "a"), "a"),
        (folder("t/empty", 5), ""),
        (folder("t/best", 7), ""),
        (folder("t", 9), ""),
    ];
    let outcomes: Vec<_> = receive(&sink, &items).into_iter().map(|it| it.outcome).collect();
    assert_eq!(outcomes, [KEPT, Outcome::Unwanted, KEPT, KEPT]);
    assert_eq!(names(&root.path().join("t")), ["a.jpg", "best"]);
    assert_eq!(fs::metadata(root.path().join("t")).unwrap().mtime(), 9);
    assert_eq!(receive(&sink, &[(folder("u", 9), "")])[0].outcome, Outcome::Unwanted);
    assert_ne!(fs::metadata(root.path().join("u")).unwrap().mtime(), 9, "what was there keeps its time");
}

#[test]
fn update_replaces_older_files_and_nothing_else() {
    for (seconds, nanoseconds, replaced) in
        [(-1, 0, true), (0, 100_000_000, true), (0, 0, false), (0, 200_000_000, false), (1, 0, false)]
    {
        let root = tempfile::tempdir().unwrap();
        let here = root.path().join("a");
        fs::write(&here, "old!").unwrap();
        set_time(&here, seconds, nanoseconds);
        let sink =
            open(root.path(), SinkOptions { on_conflict: OnConflict::Update, ..SinkOptions::default() });
        let outcome = receive_one(&sink, file("a", "new"), "new").outcome;
        assert_eq!(outcome, if replaced { KEPT } else { Outcome::Skipped }, "{seconds} {nanoseconds}");
        assert_eq!(read(&here), if replaced { "new" } else { "old!" });
        assert_eq!(receive_one(&sink, file("b", "new"), "new").outcome, KEPT);
    }
}

/// Between the plan and the commit minutes may pass.
#[test]
fn update_looks_again_before_it_replaces() {
    let root = tempfile::tempdir().unwrap();
    let here = root.path().join("a");
    fs::write(&here, "old!").unwrap();
    set_time(&here, -1, 0);
    let sink = open(root.path(), SinkOptions { on_conflict: OnConflict::Update, ..SinkOptions::default() });
    assert_eq!(plan(&sink, &file("a", "new")), Plan::All);
    fs::write(&here, "mine").unwrap();
    assert_eq!(receive(&sink, &[(file("a", "new"), "new")])[0].outcome, Outcome::Skipped);
    assert_eq!(read(&here), "mine");
}

#[test]
fn which_files_are_compared_is_the_persons_choice() {
    let root = tempfile::tempdir().unwrap();
    let here = root.path().join("a");
    fs::write(&here, "same").unwrap();
    let refused = Outcome::Exists;
    let compared = Plan::Here { chunks: 1, otherwise: Otherwise::Settle(refused) };
    for (nanoseconds, alike, expected) in [
        (123_456_789, Alike::SizeAndTime, compared),
        (5, Alike::SizeAndTime, Plan::Settled(refused)),
        (123_456_789, Alike::Size, compared),
        (5, Alike::Size, compared),
        (123_456_789, Alike::Unread, Plan::Settled(Outcome::Unwanted)),
        (5, Alike::Unread, Plan::Settled(refused)),
    ] {
        set_time(&here, 0, nanoseconds);
        let sink = open(root.path(), SinkOptions { alike, ..SinkOptions::default() });
        assert_eq!(plan(&sink, &file("a", "same")), expected, "{alike:?} {nanoseconds}");
        assert_eq!(plan(&sink, &file("a", "other")), Plan::Settled(refused), "another size");
    }
}

#[test]
fn times_stay_those_of_the_arrival_when_asked() {
    let root = tempfile::tempdir().unwrap();
    let sink = open(root.path(), SinkOptions { times: Times::Arrival, ..SinkOptions::default() });
    assert_eq!(receive(&sink, &[(file("t/a", "a"), "a"), (folder("t", 5), "")])[1].outcome, KEPT);
    for name in ["t/a", "t"] {
        let seconds = fs::metadata(root.path().join(name)).unwrap().mtime();
        assert!(seconds > 1_100_000_000, "{name}: {seconds}");
    }
}

#[test]
fn a_mode_is_that_of_every_file_and_never_more_than_permissions() {
    let root = tempfile::tempdir().unwrap();
    let sink = open(root.path(), SinkOptions { mode: Some(0o4640), ..SinkOptions::default() });
    let kind = EntryKind::File { size: 1, mtime: Mtime::default(), executable: true };
    receive(&sink, &[(file("t/a", "a"), "a"), (entry("t/run", kind), "r")]);
    for name in ["t/a", "t/run"] {
        let mode = fs::metadata(root.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o640, "{name}");
    }
    assert_ne!(fs::metadata(root.path().join("t")).unwrap().permissions().mode() & 0o100, 0);
}
