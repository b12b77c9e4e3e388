//! Sources that change while they are sent, and between two runs: told by name with exit code 7, while
//! the others arrive; what has its name is one version of the file, never a mixture.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use p2pcp::error::ExitCode;
use rustix::process::Signal;

use crate::reliability::interrupted::{Interrupted, MEBIBYTE, SIZE};
use crate::support::remains::Remains;
use crate::support::rng::Rng;
use crate::support::{Work, assert_same, until};

/// Bytes of the file that changes: more than are under way while the receiver sleeps.
const LARGE: u64 = 40 * MEBIBYTE;

/// What is done to a file.
type Deed = fn(&Path);

/// Writes into a file and puts its time back.
fn edit_in_place(path: &Path, offset: u64) {
    let file = File::options().write(true).open(path).unwrap();
    let before = file.metadata().unwrap().modified().unwrap();
    file.write_all_at(b"edited", offset).unwrap();
    file.set_modified(before).unwrap();
}

fn append(path: &Path, bytes: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(&vec![9; bytes as usize], file.metadata().unwrap().len()).unwrap();
}

fn truncate(path: &Path, to: u64) {
    File::options().write(true).open(path).unwrap().set_len(to).unwrap();
}

fn replace(path: &Path) {
    let new = path.with_extension("new");
    fs::write(&new, Rng::new(99).bytes(LARGE as usize)).unwrap();
    let time = fs::metadata(path).unwrap().modified().unwrap();
    File::options().write(true).open(&new).unwrap().set_modified(time).unwrap();
    fs::rename(new, path).unwrap();
}

/// The middle of the file is reached, and the receiver sleeps: the end was not read yet, and cannot be.
#[test]
fn a_file_that_changes_while_it_is_sent_fails_by_name_and_the_others_arrive() {
    let changes: &[(&str, Deed)] = &[
        ("appended to", |path| append(path, 5)),
        ("truncated", |path| truncate(path, LARGE / 2)),
        ("emptied", |path| truncate(path, 0)),
        ("edited where it was read already, its time put back", |path| edit_in_place(path, 5)),
        ("edited at its end, its time put back", |path| edit_in_place(path, LARGE - 50)),
        ("replaced by another of the same size and time", replace),
        ("deleted", |path| fs::remove_file(path).unwrap()),
    ];
    for (name, change) in changes {
        let work = Work::in_memory(2 << 30);
        work.tree("from")
            .file("a", "before")
            .file("m", Rng::new(31).bytes(LARGE as usize))
            .file("z", "after");
        let changing = work.path("from/m");
        let mut sender = work.send_slowly(10, &["from"]);
        let receiver = work.recv(&sender.code()).spawn();
        work.stage_holds(2 * MEBIBYTE);
        receiver.signal(Signal::STOP);
        assert!(!work.path("to/from/m").exists(), "{name}: it was over before it changed");
        change(&changing);
        receiver.signal(Signal::CONT);
        let told = "from/m: not sent, it changed while being sent";
        let gone = "from/m: not sent, ";
        let told = if *name == "deleted" { gone } else { told };
        let receiver = receiver.end().exits(ExitCode::Integrity).says(told);
        sender.end().exits(ExitCode::Integrity).says(told);
        assert!(!work.path("to/from/m").exists(), "{name}: {}", receiver.stderr);
        for other in ["a", "z"] {
            assert_same(&work.path("from").join(other), &work.path("to/from").join(other));
        }
        work.assert_no_stage("to");
    }
}

/// Whatever became of the source since the run that was interrupted: the result is what it is now.
#[test]
fn a_source_that_changed_between_two_runs_arrives_as_it_is_now() {
    let changes: &[(&str, Deed)] = &[
        ("edited in three chunks, its time put back", |path| {
            [5, 2 * MEBIBYTE + 1, SIZE - 9].iter().for_each(|offset| edit_in_place(path, *offset));
        }),
        ("appended to", |path| append(path, MEBIBYTE + 3)),
        ("appended to where a chunk ends", |path| append(path, 1)),
        ("truncated to more than is staged", |path| truncate(path, SIZE - 5)),
        ("truncated to less than is staged", |path| truncate(path, 2 * MEBIBYTE + 7)),
        ("truncated to less than a chunk", |path| truncate(path, 7)),
        ("emptied", |path| truncate(path, 0)),
        ("another file of the same size and time", |path| {
            let time = fs::metadata(path).unwrap().modified().unwrap();
            fs::write(path, Rng::new(77).bytes(SIZE as usize)).unwrap();
            File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
        }),
        ("renamed", |path| fs::rename(path, path.with_file_name("other")).unwrap()),
    ];
    let interrupted = Interrupted::new(32);
    let work = &interrupted.work;
    fs::rename(work.path("from"), work.path("pristine")).unwrap();
    for (name, change) in changes {
        interrupted.restore();
        fs::remove_dir_all(work.path("from")).ok();
        copy(&work.path("pristine"), &work.path("from"));
        change(&work.path("from/big"));
        let remains = Remains::look(&work.path("from"), &work.path("to"));
        assert_eq!(remains.finished.len(), 1);
        let mut sender = work.send(&["from"]);
        let receiver = work.recv(&sender.code()).arguments(&["--verbose"]).run().exits(ExitCode::Done);
        sender.end().exits(ExitCode::Done);
        let present: Vec<_> =
            fs::read_dir(work.path("from")).unwrap().map(|it| it.unwrap().file_name()).collect();
        for file in present {
            assert_same(&work.path("from").join(&file), &work.path("to/from").join(&file));
        }
        let came = receiver.bytes().0;
        let held = interrupted.held * MEBIBYTE;
        match *name {
            "edited in three chunks, its time put back" => {
                assert_eq!(came, SIZE - held + 2 * MEBIBYTE, "{name}")
            }
            "appended to" => assert_eq!(came, SIZE + MEBIBYTE + 3 - held, "{name}"),
            "truncated to more than is staged" => assert_eq!(came, SIZE - 5 - held, "{name}"),
            // What is longer than the file is another file's progress, for all that anybody knows.
            "truncated to less than is staged" => assert_eq!(came, 2 * MEBIBYTE + 7, "{name}"),
            "renamed" => assert_eq!(came, SIZE - held, "{name}"),
            _ => (),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}

/// A file that is replaced again and again while it is sent again and again: each result is one version.
#[test]
fn a_file_that_is_replaced_all_the_time_is_never_a_mixture() {
    let work = Work::in_memory(1 << 30);
    work.tree("from").file("f", vec![0; 8 << 20]);
    for round in 0..3 {
        let mut sender = work.send(&["from"]);
        let receiver = work.recv(&sender.code()).arguments(&["--overwrite"]).spawn();
        let mut version = 0;
        let mut writing = || {
            version += 1;
            fs::write(work.path("next"), vec![version; 8 << 20]).unwrap();
            fs::rename(work.path("next"), work.path("from/f")).unwrap();
        };
        receiver.line("connected");
        until("the end of the receiver", || {
            writing();
            (receiver.lines("received ") + receiver.lines("error: ") > 0).then_some(())
        });
        let (receiver, sender) = (receiver.end(), sender.end());
        assert_eq!(receiver.number(), sender.number(), "round {round}: {}", receiver.stderr);
        if let Ok(bytes) = fs::read(work.path("to/from/f")) {
            assert_eq!(bytes.len(), 8 << 20);
            assert!(bytes.iter().all(|it| *it == bytes[0]), "a mixture of versions");
        }
    }
}
