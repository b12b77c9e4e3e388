//! Whatever ends a transfer: both sides say why, in their exit codes too, and a new code goes on with it.

use std::fs::File;

use p2pcp::error::ExitCode;
use rustix::process::Signal;

use crate::support::remains::Remains;
use crate::support::{Running, Work, assert_same, stage_in};

const MEBIBYTE: u64 = 1 << 20;

/// A transfer that would take minutes, with bytes on their way. Who loses the other does not look for long.
fn under_way() -> (Work, Running, Running) {
    let work = Work::new();
    work.tree("from").file("note", "finished");
    File::create(work.path("from/zeros")).unwrap().set_len(8 << 30).unwrap();
    let mut sender = work.p2pcp(&["send", "--loopback", "--reconnect", "1", "from"]).spawn();
    let receiver = work.recv(&sender.code()).arguments(&["--reconnect", "1"]).spawn();
    work.stage_holds(2 * MEBIBYTE);
    (work, sender, receiver)
}

/// Nothing unfinished has its name; what is there need not be sent again.
fn goes_on(work: &Work) {
    let remains = Remains::look(&work.path("from"), &work.path("to"));
    remains.assert_honest("after the end");
    assert!(!work.path("to/from/zeros").exists());
    assert!(remains.staged_bytes >= 2 * MEBIBYTE);
    // There is no time to send gigabytes.
    let size = remains.staged_bytes + 3 * MEBIBYTE;
    File::options().write(true).open(work.path("from/zeros")).unwrap().set_len(size).unwrap();
    let (sender, receiver) = work.transfer(&["from"], &["--verbose"]);
    sender.exits(ExitCode::Done);
    let (came, _) = receiver.exits(ExitCode::Done).says("resuming: ").bytes();
    let note = if remains.finished.is_empty() { 8 } else { 0 };
    assert_eq!(came, 3 * MEBIBYTE + note, "what was there was sent again");
    for name in ["note", "zeros"] {
        assert_same(&work.path("from").join(name), &work.path("to/from").join(name));
    }
}

#[test]
fn a_signal_while_waiting_ends_a_sender() {
    for (signal, code) in [
        (Signal::INT, ExitCode::Interrupted),
        (Signal::TERM, ExitCode::Terminated),
        (Signal::HUP, ExitCode::Terminated),
    ] {
        let work = Work::new();
        work.tree("from").file("a", "1");
        let mut sender = work.send(&["from"]);
        sender.code();
        sender.signal(signal);
        let end = sender.end();
        assert_eq!(end.number(), Some(code.number().into()), "{}", end.stderr);
        assert!(end.stdout.is_empty());
    }
}

#[test]
fn control_c_at_the_sender_is_told_to_the_receiver() {
    let (work, sender, receiver) = under_way();
    sender.signal(Signal::INT);
    sender.end().fails(ExitCode::Interrupted, "interrupted");
    receiver.end().fails(ExitCode::Lost, "the other side stopped: it was interrupted").says(
        "hint: ask for a new code; nothing that arrived is lost; to go on from here: p2pcp recv --loopback ",
    );
    goes_on(&work);
}

#[test]
fn control_c_at_the_receiver_is_told_to_the_sender() {
    let (work, sender, receiver) = under_way();
    receiver.signal(Signal::INT);
    receiver.end().fails(ExitCode::Interrupted, "interrupted");
    sender
        .end()
        .fails(ExitCode::Lost, "the other side stopped: it was interrupted")
        .says("hint: nothing that arrived is lost; to go on from here: p2pcp send --loopback ");
    goes_on(&work);
}

#[test]
fn termination_of_either_side_is_told_to_the_other() {
    let (work, sender, receiver) = under_way();
    receiver.signal(Signal::TERM);
    let end = receiver.end();
    assert_eq!(end.number(), Some(ExitCode::Terminated.number().into()), "{}", end.stderr);
    sender.end().fails(ExitCode::Lost, "the other side stopped: it was interrupted");
    goes_on(&work);

    let (work, sender, receiver) = under_way();
    sender.signal(Signal::TERM);
    let end = sender.end();
    assert_eq!(end.number(), Some(ExitCode::Terminated.number().into()), "{}", end.stderr);
    receiver.end().fails(ExitCode::Lost, "the other side stopped: it was interrupted");
    goes_on(&work);
}

/// A stopped process neither answers nor lets go of the connection; nobody waits for it for long.
#[test]
fn control_c_ends_a_side_whose_peer_does_not_answer() {
    let (one, sender, stopped_receiver) = under_way();
    let (other, stopped_sender, receiver) = under_way();
    stopped_receiver.signal(Signal::STOP);
    stopped_sender.signal(Signal::STOP);
    sender.signal(Signal::INT);
    receiver.signal(Signal::INT);
    sender.end().fails(ExitCode::Interrupted, "interrupted");
    receiver.end().fails(ExitCode::Interrupted, "interrupted");
    goes_on(&other);
    stopped_receiver.signal(Signal::CONT);
    stopped_sender.signal(Signal::CONT);
    stopped_receiver.end().exits(ExitCode::Lost);
    stopped_sender.end().exits(ExitCode::Lost);
    goes_on(&one);
}

/// Both transfers wait at the same time, as a link that says nothing takes a while to be lost.
#[test]
fn a_side_that_is_killed_is_lost_to_the_other() {
    let (one, sender_killed, bereft_receiver) = under_way();
    let (other, bereft_sender, receiver_killed) = under_way();
    sender_killed.signal(Signal::KILL);
    receiver_killed.signal(Signal::KILL);
    sender_killed.end().was_killed();
    receiver_killed.end().was_killed();
    bereft_receiver.end().fails(ExitCode::Lost, "the connection to the other side was lost");
    bereft_sender.end().fails(ExitCode::Lost, "the connection to the other side was lost");
    goes_on(&one);
    goes_on(&other);
}

/// The next run makes of it what it wants: what was left is found by name, and skipped like anything else.
#[test]
fn what_was_finished_before_the_end_is_kept_and_skipped_next_time() {
    let (work, sender, receiver) = under_way();
    receiver.signal(Signal::INT);
    receiver.end().exits(ExitCode::Interrupted);
    sender.end().exits(ExitCode::Lost);
    std::fs::remove_file(work.path("from/zeros")).unwrap();
    let mut sender = work.send(&["from"]);
    let receiver = work.recv(&sender.code()).arguments(&["--skip"]).run();
    receiver.exits(ExitCode::Done).says("p2pcp clean to");
    sender.end().exits(ExitCode::Done);
    assert_same(&work.path("from/note"), &work.path("to/from/note"));
    assert!(stage_in(&work.path("to")).is_some(), "what nobody asked for any more was removed");
}
