//! What is left out is not sent, what is listed is, and a huge tree flows before it is counted.

use std::fs;

use p2pcp::error::ExitCode;

use crate::support::{Work, assert_same, snapshot, until};

/// Files in and around a repository.
fn plant(work: &Work) {
    work.tree("from")
        .file(".gitignore", "*.log\n/target/\n")
        .file("main.rs", "fn main() {}")
        .file("old/notes.txt", "old")
        .file("big.bin", vec![7; 2_000])
        .file("noise.log", "noise")
        .file("target/debug/out", "made")
        .folder("empty");
}

#[test]
fn what_is_left_out_does_not_arrive_and_is_no_failure() {
    let work = Work::new();
    plant(&work);
    let options = ["--exclude", "old", "--exclude", "*.tmp", "--gitignore", "--max-size", "1K", "from"];
    let (sender, receiver) = work.transfer(&options, &[]);
    sender
        .exits(ExitCode::Done)
        .says("from/big.bin: it is larger than --max-size\n")
        .says("sent 2 files, 2 folders");
    receiver.exits(ExitCode::Done).says("received 2 files, 2 folders").says_not("warning:");
    let arrived = snapshot(&work.path("to/from"));
    let names: Vec<_> = arrived.keys().filter_map(|it| it.to_str()).collect();
    assert_eq!(names, ["", ".gitignore", "empty", "main.rs"]);
}

#[test]
fn what_links_lead_to_arrives_under_their_names() {
    let work = Work::new();
    work.tree("from").file("a", "1").link("b", "a").link("out", "../elsewhere").link("up", ".");
    work.tree("elsewhere").file("deep/c", "3");
    let (sender, receiver) = work.transfer(&["--follow-symlinks", "from"], &[]);
    sender
        .exits(ExitCode::Failed)
        .says("from/up: it is a link that leads back to where it lies\n")
        .says("1 item not sent");
    receiver.exits(ExitCode::Failed);
    assert_same(&work.path("from/a"), &work.path("to/from/b"));
    assert_same(&work.path("elsewhere/deep"), &work.path("to/from/out/deep"));
    assert!(fs::symlink_metadata(work.path("to/from/b")).unwrap().is_file());
}

/// Links that each lead to the next folder twice make of 60 folders a tree that nobody ever walks to its end.
#[test]
fn a_tree_without_end_flows_at_once() {
    let work = Work::new();
    for level in 0..60 {
        let next = format!("../../levels/{}", level + 1);
        work.tree(&format!("levels/{level}")).file("0", level.to_string()).link("1", &next).link("2", &next);
    }
    work.tree("levels/60");
    work.tree("from").link("all", "../levels/0");
    let mut sender = work.send(&["--follow-symlinks", "from"]);
    assert!(sender.line("sending from/ (").starts_with("at least "));
    let _receiver = work.recv(&sender.code()).spawn();
    until("the first file", || work.path("to/from/all/0").exists().then_some(()));
    assert!(!sender.has_ended());
}

/// On stdout, so that a program can read it; without a code and a network.
#[test]
fn a_dry_run_lists_what_would_be_sent() {
    let work = Work::new();
    plant(&work);
    work.tree("from").link("link", "main.rs").file("esc\u{1b}[31m", "");
    let end =
        work.p2pcp(&["send", "--dry-run", "--gitignore", "--max-size=1K", "--exclude=.git*", "from"]).run();
    assert_eq!(end.number(), Some(0), "{}", end.stderr);
    assert_eq!(
        end.stdout,
        "-\tfrom/empty/\n-\tfrom/link -> main.rs\n12\tfrom/main.rs\n3\tfrom/old/notes.txt\n-\tfrom/old/\n-\tfrom/\n"
    );
    assert!(end.stderr.ends_with("would send from/ (2 files, 3 folders, 1 link, 15 B)\n"), "{}", end.stderr);
    let end = end.says("from/big.bin: it is larger than --max-size").says_not("code:");
    assert!(
        end.stderr.contains("its name cannot be sent") && !end.stderr.contains('\u{1b}'),
        "{}",
        end.stderr
    );
}

#[test]
fn a_dry_run_whose_reader_leaves_is_no_failure() {
    let work = Work::new();
    let mut tree = work.tree("from");
    for number in 0..5_000 {
        tree = tree.file(format!("{number}-{}", "x".repeat(100)), "");
    }
    let line = format!("'{}' send --dry-run from | head -1", env!("CARGO_BIN_EXE_p2pcp"));
    let end = work.shell(&line).run();
    assert_eq!((end.number(), end.stdout.lines().count()), (Some(0), 1), "{}", end.stderr);
    assert_eq!(end.stderr, "");
}

#[test]
fn selections_that_mean_nothing_are_refused() {
    let work = Work::new();
    work.tree("from").file("a.o", "1");
    let refused = |arguments: &[&str], said: &str| {
        let end = work.p2pcp(&["send", "--loopback"]).arguments(arguments).run();
        assert_eq!(end.number(), Some(2), "{}", end.stderr);
        end.says(said);
    };
    refused(&["--exclude", "[a", "from"], "invalid value '[a' for '--exclude <GLOB>'");
    refused(&["--exclude", "", "from"], "there is nothing in it that could match");
    refused(&["--max-size", "much", "from"], "a number above 0");
    work.p2pcp(&["send", "--loopback", "--exclude", "*.o", "from/a.o"])
        .run()
        .fails(ExitCode::Failed, "there is nothing to send: all that was named is excluded or too large");
}
