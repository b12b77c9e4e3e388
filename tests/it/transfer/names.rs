//! Names that are legal on disk arrive as they are; those that cannot travel are named and left out.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use p2pcp::error::ExitCode;

use crate::support::{Work, assert_same, snapshot};

#[test]
fn names_arrive_as_they_are() {
    let work = Work::new();
    let mut tree = work.tree("from");
    for name in [
        " ",
        " space before and after ",
        "two  spaces",
        ".hidden",
        "...",
        "..dots",
        "-rf",
        "--yes",
        "~",
        "$HOME",
        "*?",
        "a\\b",
        "C:",
        "con",
        "quote'\"",
        "`id`",
        "percent%20",
        "#",
        "Grüße",
        "日本語.txt",
        "emoji 👩‍💻",
        "composed \u{e9}",
        "composed e\u{301}",
        "עברית",
    ] {
        tree = tree.file(format!("files/{name}"), name).file(format!("folders/{name}/{name}"), name);
    }
    for longest in ["n".repeat(255), "文".repeat(85)] {
        tree = tree.file(format!("{longest}/{longest}"), &longest);
    }
    drop(tree);
    work.transfer_all(&["from"]);
    assert_same(&work.path("from"), &work.path("to/from"));
}

/// The names that the shell would take for options or patterns are paths like others.
#[test]
fn paths_with_odd_names_can_be_named_on_the_command_line() {
    let work = Work::new();
    work.tree("").file("--yes", "1").file(".hidden", "2").file("with space", "3");
    work.transfer_all(&[".hidden", "with space", "--", "--yes"]);
    for name in ["--yes", ".hidden", "with space"] {
        assert_same(&work.path(name), &work.path("to").join(name));
    }
}

/// What a name could do to a terminal is shown, not done.
#[test]
fn names_that_cannot_travel_are_named_and_the_rest_arrives() {
    let work = Work::new();
    work.tree("from")
        .file("good", "kept")
        .file(OsStr::from_bytes(b"not \xff UTF-8"), "left out")
        .file("bell\u{7}", "left out")
        .file("line\nbreak", "left out")
        .file("reversed \u{202e}gpj.exe", "left out")
        .file("\u{1b}[31mred/inside", "left out");
    let (sender, receiver) = work.transfer(&["from"], &[]);
    sender
        .exits(ExitCode::Failed)
        .says("warning: skipped from/not \u{fffd} UTF-8: its name cannot be sent: it is not valid UTF-8\n")
        .says("warning: skipped from/bell\\u{7}: its name cannot be sent: it has a control or text-direction")
        .says("warning: skipped from/line\\nbreak: ")
        .says("warning: skipped from/reversed \\u{202e}gpj.exe: ")
        .says("warning: skipped from/\\u{1b}[31mred: ")
        .says("warning: 5 items not sent")
        .says_not("\u{1b}")
        .says_not("\u{7}")
        .says_not("\u{202e}");
    receiver.exits(ExitCode::Failed).says("warning: 5 items not sent");
    assert_eq!(fs::read_dir(work.path("to/from")).unwrap().count(), 1);
    assert_same(&work.path("from/good"), &work.path("to/from/good"));
}

/// The stage of an unfinished transfer is no loss; a name that only begins like one is not sent at the top.
#[test]
fn stages_of_other_transfers_are_not_sent() {
    let work = Work::new();
    work.tree("from").file("good", "kept").file(".p2pcp-0123456789abcdef/data/0", "unfinished");
    work.transfer(&["from"], &[]).0.exits(ExitCode::Done);
    assert_eq!(fs::read_dir(work.path("to/from")).unwrap().count(), 1);

    work.tree("").file(".p2pcp-notes", "mine");
    work.p2pcp(&["send", "--loopback", ".p2pcp-notes"])
        .run()
        .fails(ExitCode::Failed, "`.p2pcp-notes` cannot be sent under its name: it starts with `.p2pcp-`, which is kept for unfinished transfers");
}

#[test]
fn two_paths_of_one_name_are_not_sent() {
    let work = Work::new();
    work.tree("").file("one/same", "1").file("two/same", "2");
    work.p2pcp(&["send", "--loopback", "one/same", "two/same"])
        .run()
        .fails(ExitCode::Failed, "`one/same` and `two/same` would both be sent as `same`")
        .says_not("code: ");
}

#[test]
fn a_path_that_does_not_exist_is_named_before_any_code_is_shown() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let before = snapshot(&work.path(""));
    work.p2pcp(&["send", "--loopback", "from", "nowhere"])
        .run()
        .fails(ExitCode::Failed, "`nowhere` does not exist")
        .says_not("code: ");
    assert_eq!(snapshot(&work.path("")), before);
}

#[test]
fn the_root_of_the_file_system_has_no_name() {
    let work = Work::new();
    work.p2pcp(&["send", "--loopback", "/"])
        .run()
        .fails(ExitCode::Failed, "`/` has no name to send it under");
}

#[test]
fn the_folder_that_one_stands_in_is_sent_under_its_name() {
    let work = Work::new();
    work.tree("from/inner").file("a", "1");
    let mut sender = work.p2pcp(&["send", "--loopback", "."]).inside("from/inner").spawn();
    work.recv(&sender.code()).run().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done);
    assert_same(&work.path("from/inner"), &work.path("to/inner"));
}
