//! `--output` of a name: one file is received under it, as `cp` would, and everything else goes into a folder.

use std::fs;

use p2pcp::error::ExitCode;
use rustix::process::Signal;

use crate::support::{End, Work, assert_same};

/// Sends and receives with this `--output`.
fn transfer(work: &Work, paths: &[&str], output: &str, options: &[&str]) -> (End, End) {
    let mut sender = work.send(paths);
    let receiver = work.p2pcp(&["recv", "--loopback", "--yes", "--verbose", "-o", output, &sender.code()]);
    let receiver = receiver.arguments(options).run();
    (sender.end(), receiver)
}

fn one_file() -> Work {
    let work = Work::new();
    work.tree("").file("a.txt", "theirs");
    work
}

fn content(work: &Work, name: &str) -> String {
    fs::read_to_string(work.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn one_file_is_received_under_the_name_that_is_given() {
    let work = one_file();
    for (output, shown, there) in [
        ("notes.txt", "to be kept as notes.txt\n", "notes.txt"),
        ("new/deep/notes.txt", "to be kept as new/deep/notes.txt\n", "new/deep/notes.txt"),
        ("folder/", "to go into folder/\n", "folder/a.txt"),
        ("new", "to go into new\n", "new/a.txt"),
    ] {
        let (sender, receiver) = transfer(&work, &["a.txt"], output, &[]);
        receiver.exits(ExitCode::Done).says(shown).says("received 1 file: 6 B");
        sender.exits(ExitCode::Done);
        assert_eq!(content(&work, there), "theirs", "{output}");
        assert_eq!(
            fs::metadata(work.path(there)).unwrap().modified().unwrap(),
            fs::metadata(work.path("a.txt")).unwrap().modified().unwrap()
        );
    }
    work.assert_no_stage(".");
    assert!(!work.path("notes.txt").is_dir());
}

#[test]
fn a_stream_gets_the_name_too() {
    let work = Work::new();
    let mut sender = work.p2pcp(&["send", "--loopback", "-"]).typing().spawn();
    let code = sender.code();
    let receiver = work.p2pcp(&["recv", "--loopback", "--yes", "-o", "said", &code]).spawn();
    sender.type_in("hello");
    sender.line("the other side accepted");
    sender.close_stdin();
    receiver.end().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done);
    assert_eq!(content(&work, "said"), "hello");
}

#[test]
fn several_entries_go_into_a_folder_of_that_name() {
    let work = one_file();
    work.tree("from").file("b", "b");
    for paths in [&["from"][..], &["from", "a.txt"]] {
        let (sender, receiver) = transfer(&work, paths, "to", &[]);
        receiver.exits(ExitCode::Done).says("to go into to\n");
        sender.exits(ExitCode::Done);
        assert_same(&work.path("from"), &work.path("to/from"));
    }
}

#[test]
fn a_name_that_is_taken_is_settled_as_any_other() {
    for (options, code, named, beside) in [
        (&[][..], ExitCode::Refused, "mine", None),
        (&["--skip"], ExitCode::Done, "mine", None),
        (&["--overwrite"], ExitCode::Done, "theirs", None),
        (&["--rename"], ExitCode::Done, "mine", Some("theirs")),
    ] {
        let work = one_file();
        work.tree("").file("notes.txt", "mine");
        let (sender, receiver) = transfer(&work, &["a.txt"], "notes.txt", options);
        let receiver = receiver.exits(code);
        sender.exits(code);
        assert_eq!(content(&work, "notes.txt"), named, "{options:?}");
        assert_eq!(fs::read_to_string(work.path("notes (1).txt")).ok().as_deref(), beside, "{options:?}");
        match (code, beside) {
            (ExitCode::Refused, _) => {
                drop(receiver.says("1 name is taken here: notes.txt\n").says("notes.txt: not replaced"))
            }
            (_, Some(_)) => drop(receiver.says("received as `notes (1).txt`")),
            (_, None) => (),
        }
    }
}

#[test]
fn what_is_wanted_is_asked_by_the_senders_name() {
    let work = one_file();
    let (sender, receiver) = transfer(&work, &["a.txt"], "notes.md", &["--only", "*.txt"]);
    receiver.exits(ExitCode::Done);
    sender.exits(ExitCode::Done);
    assert_eq!(content(&work, "notes.md"), "theirs");
    let (_, receiver) = transfer(&work, &["a.txt"], "other.txt", &["--only", "other*"]);
    receiver.exits(ExitCode::Done).says("1 item left out");
    assert!(!work.path("other.txt").exists());
}

#[test]
fn an_interrupted_file_goes_on_under_its_name() {
    let work = Work::in_memory(1 << 30);
    work.tree("").file("big", vec![7; 300 << 20]);
    let mut sender = work.send_slowly(64, &["big"]);
    let receiver = work.p2pcp(&["recv", "--loopback", "--yes", "-o", "to/kept", &sender.code()]).spawn();
    work.stage_holds(130 << 20);
    receiver.signal(Signal::INT);
    receiver.end().exits(ExitCode::Interrupted).says("p2pcp recv --loopback --yes -o to/kept CODE");
    sender.end();
    assert!(!work.path("to/kept").exists());
    let (sender, receiver) = transfer(&work, &["big"], "to/kept", &[]);
    let (_, spared) = receiver.exits(ExitCode::Done).bytes();
    assert!(spared >= 64 << 20, "{spared} bytes");
    sender.exits(ExitCode::Done);
    assert_eq!(fs::read(work.path("to/kept")).unwrap(), vec![7; 300 << 20]);
    work.assert_no_stage("to");
}

#[test]
fn a_name_that_no_received_file_can_have_is_refused_at_once() {
    let work = Work::new();
    let end = work.p2pcp(&["recv", "--loopback", "-o", "to/.p2pcp-x", "417-aloe-tuba"]).run();
    end.fails(ExitCode::Usage, "--output: no file can be received as `to/.p2pcp-x`: it starts with `.p2pcp-`, which is kept for unfinished transfers");
}
