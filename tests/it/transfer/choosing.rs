//! The receiver's choices: what it wants, what it has already, and how it keeps what comes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use p2pcp::error::ExitCode;

use crate::support::{Work, assert_same, snapshot};

fn plant(work: &Work) {
    work.tree("from")
        .file("a.jpg", "picture")
        .file("notes.txt", "words")
        .file("best/b.jpg", "another")
        .file("best/deep/c.txt", "deep")
        .file("raw/d.raw", vec![7; 100_000])
        .folder("empty")
        .link("link", "a.jpg")
        .aged("best", 1_000_000_000, 0);
}

fn arrived(work: &Work) -> Vec<String> {
    snapshot(&work.path("to/from")).keys().map(|it| it.to_str().unwrap().to_owned()).collect()
}

#[test]
fn only_what_is_asked_for_comes_and_the_sender_is_told() {
    let work = Work::new();
    plant(&work);
    let (sender, receiver) =
        work.transfer(&["--verbose", "from"], &["--verbose", "--only", "*.jpg", "--only", "best/deep"]);
    assert_eq!(arrived(&work), ["", "a.jpg", "best", "best/b.jpg", "best/deep", "best/deep/c.txt"]);
    assert_same(&work.path("from/best"), &work.path("to/from/best"));
    let sender = sender.exits(ExitCode::Done).says("5 items not wanted by the other side\n");
    let receiver =
        receiver.exits(ExitCode::Done).says("5 items left out: not asked for").says_not("warning:");
    let (over, _) = receiver.bytes();
    assert_eq!(over, "pictureanotherdeep".len() as u64);
    let mut sender = sender.says_not("warning:");
    for name in ["notes.txt", "raw/d.raw", "raw", "empty", "link"] {
        sender = sender.says(&format!("from/{name}: not wanted\n"));
    }
    receiver.says("from/notes.txt: not wanted\n");
}

#[test]
fn what_matches_nothing_leaves_the_folder_alone() {
    let work = Work::new();
    plant(&work);
    let (sender, receiver) = work.transfer(&["from"], &["--only", "*.mp3"]);
    sender.exits(ExitCode::Done).says("11 items not wanted");
    receiver.exits(ExitCode::Done).says("received no files");
    assert!(!work.path("to/from").exists());
}

#[test]
fn update_takes_what_is_newer_and_is_content() {
    let work = Work::new();
    work.tree("from").file("older", "theirs").file("newer", "theirs").aged("older", 1_000_000_000, 0);
    work.tree("to/from").file("older", "mine").file("newer", "mine").aged("newer", 1_000_000_000, 0);
    let (sender, receiver) = work.transfer(&["from"], &["--update"]);
    assert_eq!(fs::read(work.path("to/from/older")).unwrap(), b"mine");
    assert_same(&work.path("from/newer"), &work.path("to/from/newer"));
    sender.exits(ExitCode::Done).says("1 item skipped: something with the same name is there");
    receiver.exits(ExitCode::Done).says("from/older: skipped");
}

#[test]
fn files_with_other_times_are_the_same_when_their_bytes_are() {
    let work = Work::new();
    work.tree("from").file("a", vec![7; 3_000_000]).aged("a", 1_000_000_000, 0);
    work.tree("to/from").file("a", vec![7; 3_000_000]);
    let (sender, receiver) = work.transfer(&["from"], &["--checksum", "--verbose"]);
    assert_eq!(receiver.exits(ExitCode::Done).bytes(), (0, 3_000_000));
    sender.exits(ExitCode::Done).says("were there already");
}

/// The one place where something on disk is trusted, because the person asked for it.
#[test]
fn quick_believes_sizes_and_times_and_nothing_else_does() {
    for (options, expected) in [(&["--quick"][..], ExitCode::Done), (&[], ExitCode::Refused)] {
        let work = Work::new();
        work.tree("from").file("a", "same").file("b", "new!").aged("a", 1_000_000_000, 5);
        work.tree("to/from").file("a", "lies").aged("a", 1_000_000_000, 5);
        let (sender, receiver) = work.transfer(&["from"], options);
        sender.exits(expected);
        receiver.exits(expected);
        assert_eq!(fs::read(work.path("to/from/a")).unwrap(), b"lies");
        assert_same(&work.path("from/b"), &work.path("to/from/b"));
    }
}

#[test]
fn times_and_modes_are_the_receivers_when_asked_and_a_second_run_finds_all_of_it() {
    let work = Work::new();
    work.tree("from").file("a", "1").file("run", "2").mode("run", 0o755).aged("a", 1_000_000_000, 0);
    let options = ["--no-mtime", "--mode", "600"];
    let (sender, receiver) = work.transfer(&["from"], &options);
    receiver.exits(ExitCode::Done);
    sender.exits(ExitCode::Done);
    for name in ["to/from/a", "to/from/run"] {
        assert_eq!(fs::metadata(work.path(name)).unwrap().permissions().mode() & 0o7777, 0o600);
    }
    assert_ne!(
        fs::metadata(work.path("to/from/a")).unwrap().modified().unwrap(),
        fs::metadata(work.path("from/a")).unwrap().modified().unwrap()
    );
    let (sender, receiver) = work.transfer(&["from"], &["--no-mtime", "--mode", "600", "--verbose"]);
    assert_eq!(receiver.exits(ExitCode::Done).bytes(), (0, 2));
    sender.exits(ExitCode::Done);
}

#[test]
fn choices_that_cannot_be_are_refused() {
    let work = Work::new();
    for arguments in [
        &["--mode", "4755"][..],
        &["--mode", "9"],
        &["--only", "[a"],
        &["--quick", "--checksum"],
        &["--update", "--skip"],
    ] {
        let end = work.p2pcp(&["recv", "--loopback", "111-abacus-abbey"]).arguments(arguments).run();
        assert_eq!(end.number(), Some(2), "{arguments:?}: {}", end.stderr);
    }
}
