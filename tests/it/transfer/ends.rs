//! Whatever ends a transfer: both sides say why, in their exit codes too, and nothing unfinished is left.

use std::fs::File;

use p2pcp::error::ExitCode;
use rustix::process::Signal;

use crate::support::{Running, Work, assert_same};

/// A transfer that would take minutes, with bytes on their way.
fn under_way() -> (Work, Running, Running) {
    let work = Work::new();
    work.tree("from").file("note", "finished");
    File::create(work.path("from/zeros")).unwrap().set_len(8 << 30).unwrap();
    let mut sender = work.send(&["from"]);
    let receiver = work.recv(&sender.code()).spawn();
    work.stage_appears();
    (work, sender, receiver)
}

fn nothing_unfinished(work: &Work) {
    assert!(!work.path("to/from/zeros").exists());
    work.assert_no_stage("to");
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
    receiver
        .end()
        .fails(ExitCode::Lost, "the other side stopped: it was interrupted")
        .says("hint: ask for a new code, and receive with `--skip` to get only the rest\n");
    nothing_unfinished(&work);
}

#[test]
fn control_c_at_the_receiver_is_told_to_the_sender() {
    let (work, sender, receiver) = under_way();
    receiver.signal(Signal::INT);
    receiver.end().fails(ExitCode::Interrupted, "interrupted");
    sender
        .end()
        .fails(ExitCode::Lost, "the other side stopped: it was interrupted")
        .says("hint: send again for a new code; the receiver's `--skip` gets only the rest\n");
    nothing_unfinished(&work);
}

#[test]
fn termination_of_either_side_is_told_to_the_other() {
    let (work, sender, receiver) = under_way();
    receiver.signal(Signal::TERM);
    let end = receiver.end();
    assert_eq!(end.number(), Some(ExitCode::Terminated.number().into()), "{}", end.stderr);
    sender.end().fails(ExitCode::Lost, "the other side stopped: it was interrupted");
    nothing_unfinished(&work);

    let (work, sender, receiver) = under_way();
    sender.signal(Signal::TERM);
    let end = sender.end();
    assert_eq!(end.number(), Some(ExitCode::Terminated.number().into()), "{}", end.stderr);
    receiver.end().fails(ExitCode::Lost, "the other side stopped: it was interrupted");
    nothing_unfinished(&work);
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
    nothing_unfinished(&other);
    stopped_receiver.signal(Signal::CONT);
    stopped_sender.signal(Signal::CONT);
    stopped_receiver.end().exits(ExitCode::Lost);
    stopped_sender.end().exits(ExitCode::Lost);
    nothing_unfinished(&one);
}

#[test]
fn what_was_finished_before_the_end_is_kept_and_skipped_next_time() {
    let (work, sender, receiver) = under_way();
    receiver.signal(Signal::INT);
    receiver.end().exits(ExitCode::Interrupted);
    sender.end().exits(ExitCode::Lost);
    File::options().write(true).open(work.path("from/zeros")).unwrap().set_len(10).unwrap();
    let (sender, receiver) = work.transfer(&["from"], &["--skip"]);
    receiver.exits(ExitCode::Done);
    sender.exits(ExitCode::Done);
    for name in ["note", "zeros"] {
        assert_same(&work.path("from").join(name), &work.path("to/from").join(name));
    }
}

/// Both transfers wait at the same time, as a link that says nothing takes half a minute to die.
#[test]
fn a_side_that_is_killed_is_lost_to_the_other() {
    let (one, sender_killed, bereft_receiver) = under_way();
    let (other, bereft_sender, receiver_killed) = under_way();
    sender_killed.signal(Signal::KILL);
    receiver_killed.signal(Signal::KILL);
    sender_killed.end().was_killed();
    receiver_killed.end().was_killed();
    bereft_receiver.end().fails(ExitCode::Lost, "the connection to the other side was lost");
    nothing_unfinished(&one);
    bereft_sender.end().fails(ExitCode::Lost, "the connection to the other side was lost");
    assert!(!other.path("to/from/zeros").exists());
}
