//! Nothing is ever overwritten unless asked; what was in the way decides no more than its own name.

use std::fs;

use p2pcp::error::ExitCode;

use crate::support::{End, Work, assert_same, snapshot};

/// A sender's folder of files, and a receive folder in which something has each name but `new`.
fn crowded() -> Work {
    let work = Work::new();
    work.tree("from")
        .file("file", "theirs")
        .file("folder", "theirs")
        .file("link", "theirs")
        .file("dangling", "theirs")
        .file("pipe", "theirs")
        .file("new", "theirs");
    work.tree("").file("outside", "mine");
    work.tree("to/from")
        .file("file", "mine")
        .file("folder/inside", "mine")
        .link("link", "../../outside")
        .link("dangling", "nothing")
        .pipe("pipe")
        .file("unrelated", "mine")
        .aged("folder", 1_000_000_000, 0);
    work
}

/// Names in the receive folder that hold what the sender sent.
fn theirs(work: &Work) -> Vec<String> {
    let entries = fs::read_dir(work.path("to/from")).unwrap().map(Result::unwrap);
    let regular = entries.filter(|entry| entry.file_type().unwrap().is_file());
    let theirs = regular.filter(|entry| fs::read(entry.path()).unwrap() == b"theirs");
    let mut names: Vec<String> = theirs.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Receives into the crowd; all that was there before must still be there, but for `replaced`.
fn receive(work: &Work, options: &[&str], replaced: &[&str]) -> (End, End) {
    let before = snapshot(&work.path("to"));
    let ends = work.transfer(&["from"], options);
    let after = snapshot(&work.path("to"));
    for (path, node) in before {
        // Folders in which something appeared have another time.
        let changes = path.ends_with("from") || path.as_os_str().is_empty();
        if !changes && !replaced.iter().any(|name| path.ends_with(name)) {
            assert_eq!(after.get(&path), Some(&node), "{}", path.display());
        }
    }
    assert_eq!(fs::read(work.path("outside")).unwrap(), b"mine", "it was written through a link");
    ends
}

#[test]
fn without_an_option_names_that_are_taken_are_refused_and_the_rest_arrives() {
    let work = crowded();
    let (sender, receiver) = receive(&work, &[], &[]);
    assert_eq!(theirs(&work), ["new"]);
    for end in [sender, receiver] {
        let mut end = end.exits(ExitCode::Refused).says("warning: 5 items not replaced");
        for name in ["file", "folder", "link", "dangling", "pipe"] {
            end = end.says(&format!("from/{name}: not replaced, something with this name is there\n"));
        }
        end.says_not("from/new").says("1 file, ");
    }
}

#[test]
fn overwrite_replaces_all_but_folders() {
    let work = crowded();
    let (sender, receiver) = receive(&work, &["--overwrite"], &["file", "link", "dangling", "pipe"]);
    assert_eq!(theirs(&work), ["dangling", "file", "link", "new", "pipe"]);
    for end in [sender, receiver] {
        end.exits(ExitCode::Refused).says("from/folder: not replaced").says("warning: 1 item not replaced");
    }
}

#[test]
fn rename_keeps_both() {
    let work = crowded();
    let (sender, receiver) = receive(&work, &["--rename"], &[]);
    assert_eq!(theirs(&work), ["dangling (1)", "file (1)", "folder (1)", "link (1)", "new", "pipe (1)"]);
    receiver
        .exits(ExitCode::Done)
        .says("`from/file` was there already; received as `from/file (1)`\n")
        .says_not("warning:");
    sender.exits(ExitCode::Done);
}

#[test]
fn skip_leaves_what_is_there_and_is_content() {
    let work = crowded();
    let (sender, receiver) = receive(&work, &["--skip"], &[]);
    assert_eq!(theirs(&work), ["new"]);
    sender.exits(ExitCode::Done).says("5 items skipped: something with the same name is there");
    receiver.exits(ExitCode::Done).says("5 items skipped: something with the same name is there");
}

/// A folder merges into a folder; where a file or a link has its name, all that it holds stays away.
#[test]
fn nothing_goes_through_what_stands_in_the_way_of_a_folder() {
    for option in [&[][..], &["--overwrite"], &["--skip"]] {
        let work = Work::new();
        work.tree("from").file("file/a", "theirs").file("link/b", "theirs").file("merged/c", "theirs");
        work.tree("elsewhere").file("b", "mine");
        work.tree("to/from")
            .file("file", "mine")
            .link("link", "../../elsewhere")
            .file("merged/d", "mine")
            .aged("merged", 1_000_000_000, 0);
        let (sender, receiver) = work.transfer(&["from"], option);
        receiver.exits(ExitCode::Refused);
        sender.exits(ExitCode::Refused);
        assert_eq!(fs::read(work.path("to/from/file")).unwrap(), b"mine");
        assert_eq!(fs::read_link(work.path("to/from/link")).unwrap().to_str(), Some("../../elsewhere"));
        assert_eq!(fs::read(work.path("elsewhere/b")).unwrap(), b"mine");
        assert_eq!(fs::read_dir(work.path("elsewhere")).unwrap().count(), 1);
        assert_same(&work.path("from/merged/c"), &work.path("to/from/merged/c"));
        assert_eq!(fs::read(work.path("to/from/merged/d")).unwrap(), b"mine");
    }
}

/// What an interrupted run finished is like what a run before finished: it is compared, and that is all.
#[test]
fn the_same_transfer_again_changes_nothing() {
    let work = Work::new();
    work.tree("from").file("a", "1").file("sub/b", "2").link("c", "a").folder("empty");
    work.transfer_all(&["from"]);
    let before = snapshot(&work.path("to"));
    let (sender, receiver) = work.transfer(&["from"], &[]);
    receiver.exits(ExitCode::Done).says(", 2 B were here already");
    sender.exits(ExitCode::Done).says(", 2 B were there already");
    assert_eq!(snapshot(&work.path("to")), before);
    let (sender, receiver) = work.transfer(&["from"], &["--skip"]);
    receiver.exits(ExitCode::Done);
    sender.exits(ExitCode::Done);
    assert_eq!(snapshot(&work.path("to")), before);
}

#[test]
fn one_answer_to_conflicts_is_enough() {
    let work = Work::new();
    let end = work.recv("417-aloe-tuba").arguments(&["--overwrite", "--skip"]).run();
    assert_eq!(end.number(), Some(ExitCode::Usage.number().into()), "{}", end.stderr);
}
