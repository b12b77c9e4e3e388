//! Standard input and standard output: what is in a pipe comes out of a pipe, whole or not as if it were.

use std::path::Path;

use p2pcp::error::ExitCode;
use rustix::process::Signal;

use crate::support::{Running, Start, Work, assert_same, program, skip, until};

/// A line of the shell in which `p2pcp` is the one under test.
fn shell(work: &Work, line: &str) -> Start {
    let program = Path::new(env!("CARGO_BIN_EXE_p2pcp")).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", program.display());
    work.shell(line).variable("PATH", &path)
}

/// Something piped into a sender, and the code that it shows.
fn piped(work: &Work, line: &str) -> (Running, String) {
    let mut sender = shell(work, line).spawn();
    let code = sender.code();
    (sender, code)
}

#[test]
fn tar_goes_through_a_pipe_at_either_end() {
    let work = Work::new();
    work.tree("from").file("a", "a").file("deep/b", vec![7; 3 << 20]).folder("empty");
    let (sender, code) = piped(&work, "tar --format=posix -c from | p2pcp send --loopback -");
    let line = format!("mkdir to && p2pcp recv --loopback --yes -o - {code} | tar x -C to");
    shell(&work, &line).run().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done).says("sending stdin (a stream)");
    assert_same(&work.path("from"), &work.path("to/from"));
}

#[test]
fn a_stream_beside_a_folder_becomes_a_file_of_its_name() {
    let work = Work::new();
    work.tree("from").file("a", "a");
    let (sender, code) = piped(&work, "printf hello | p2pcp send --loopback --name greeting from -");
    work.recv(&code).run().exits(ExitCode::Done).says("received 2 files, 1 folder");
    sender.end().exits(ExitCode::Done);
    assert_eq!(std::fs::read(work.path("to/greeting")).unwrap(), b"hello");
    assert_same(&work.path("from"), &work.path("to/from"));
    work.assert_no_stage("to");
}

#[test]
fn a_name_that_is_taken_is_not_overwritten_by_a_stream() {
    let work = Work::new();
    work.tree("to").file("stdin", "mine");
    let (sender, code) = piped(&work, "printf hello | p2pcp send --loopback");
    work.recv(&code).run().exits(ExitCode::Refused);
    sender.end().exits(ExitCode::Refused);
    assert_eq!(std::fs::read(work.path("to/stdin")).unwrap(), b"mine");
}

/// Many times what may be under way.
#[test]
fn two_hundred_megabytes_go_through_without_staying_in_memory() {
    const PEAK_KIB: u64 = 100_000;
    let Some(time) = program("time") else { return skip("two_hundred_megabytes", "there is no `time`") };
    let work = Work::new();
    let measured = |side: &str| format!("{time} -o {side} -f %M p2pcp");
    let (p2pcp_send, p2pcp_recv) = (measured("sent"), measured("received"));
    let line = format!("head -c 200000000 /dev/zero | {p2pcp_send} send --loopback -");
    let (sender, code) = piped(&work, &line);
    let count = "head -c 200000000 | cmp -n 200000000 - /dev/zero";
    shell(&work, &format!("{p2pcp_recv} recv --loopback --yes -o - {code} | {count}"))
        .run()
        .exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done).says("sent 1 file: 190.7 MiB");
    for side in ["sent", "received"] {
        let peak: u64 = std::fs::read_to_string(work.path(side)).unwrap().trim().parse().unwrap();
        assert!(peak < PEAK_KIB, "{side} with {peak} KiB");
    }
}

#[test]
fn a_reader_that_leaves_ends_both_sides_with_a_sentence() {
    let work = Work::new();
    let (sender, code) = piped(&work, "yes | p2pcp send --loopback -");
    let line = format!("p2pcp recv --loopback --yes -o - {code} | head -c 10 > ten");
    let closed = "whatever read its output stopped reading";
    shell(&work, &line).run().says("error: whatever read the output stopped reading");
    let sender = sender.end();
    sender.fails_at_will(ExitCode::Failed, &format!("the other side stopped: {closed}"));
    assert_eq!(std::fs::read(work.path("ten")).unwrap(), b"y\ny\ny\ny\ny\n");
}

#[test]
fn more_than_one_file_has_no_place_on_a_pipe() {
    let work = Work::new();
    work.tree("from").file("a", "a");
    let mut sender = work.send(&["from"]);
    let code = sender.code();
    let sentence = "only one file or stream can be written to a pipe; this is more";
    let receiver = work.p2pcp(&["recv", "--loopback", "--yes", "-o", "-", &code]).run();
    receiver.fails(ExitCode::Usage, sentence);
    sender.end().exits(ExitCode::Declined);
}

#[test]
fn nothing_is_sent_of_nothing() {
    let work = Work::new();
    work.p2pcp(&["send", "--loopback"]).run().exits(ExitCode::Usage).says("pipe something into it");
    for name in ["a/b", "..", ""] {
        work.p2pcp(&["send", "--loopback", "-", "--name", name]).run().exits(ExitCode::Usage);
    }
}

/// A stream whose sender dies is not shorter: it is not there.
#[test]
fn a_sender_that_is_killed_leaves_no_short_file() {
    let work = Work::new();
    let (sender, code) = piped(&work, "yes | exec p2pcp send --loopback -");
    let receiver = work.recv(&code).arguments(&["--reconnect", "0"]).spawn();
    work.stage_holds(4 << 20);
    drop(sender);
    let receiver = receiver.end().exits(ExitCode::Lost);
    receiver.says("a stream cannot be gone on with: it has to be sent again from its beginning");
    assert!(!work.path("to/stdin").exists());
}

/// Reading a folder fails, whatever it is the stdin of.
#[test]
fn an_input_that_cannot_be_read_is_refused() {
    let work = Work::new();
    let sender = shell(&work, "p2pcp send --loopback - < .").run();
    sender.exits(ExitCode::Failed).says("devices, pipes and sockets cannot be sent");
}

/// The thread that waits for it does not keep the process.
#[test]
fn an_interrupt_does_not_wait_for_an_idle_pipe() {
    let work = Work::new();
    let mut sender = work.p2pcp(&["send", "--loopback", "-"]).typing().spawn();
    let code = sender.code();
    let receiver = work.recv(&code).spawn();
    sender.line("the other side accepted");
    sender.signal(Signal::INT);
    until("the end of the sender", || sender.has_ended().then_some(()));
    receiver.end().exits(ExitCode::Lost);
}
