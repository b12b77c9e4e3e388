//! Links that break while both sides live: the transfer goes on with the same code.
//!
//! These take as long as a link takes to be declared lost, so most run only with `P2PCP_SLOW=1`.

use std::fs::File;
use std::time::Duration;

use p2pcp::error::ExitCode;
use rustix::process::Signal;

use crate::reliability::interrupted::MEBIBYTE;
use crate::support::rng::Rng;
use crate::support::{Running, Work, assert_same, skip, staged, until};

/// Bytes of the file that is sent: too many to be under way all at once.
const SIZE: u64 = 48 * MEBIBYTE;

/// Bytes that are staged when the fault comes.
const BEFORE: u64 = 4 * MEBIBYTE;

fn planted() -> Work {
    let work = Work::in_memory(1 << 30);
    work.tree("from").file("big", Rng::new(11).bytes(SIZE as usize));
    work
}

/// The same with a file of which nothing comes to an end.
fn endless() -> Work {
    let work = Work::in_memory(8 << 30);
    work.tree("from");
    File::create(work.path("from/big")).unwrap().set_len(8 << 30).unwrap();
    work
}

/// Starts both sides with `options` and waits until bytes are staged.
fn under_way(work: &Work, options: &[&str]) -> (Running, Running) {
    let mut sender = work.p2pcp(&["send", "--limit", "8M", "from"]).arguments(options).spawn();
    let code = sender.code();
    let receiver = work.p2pcp(&["recv", "--yes", "--verbose", "-o", "to", &code]).arguments(options).spawn();
    work.stage_holds(BEFORE);
    (sender, receiver)
}

/// Asserts that both sides went on, without a new code and without sending anything twice.
fn went_on(work: &Work, sender: Running, receiver: Running) {
    let receiver = receiver.end().exits(ExitCode::Done);
    let receiver = receiver.says("warning: connection lost: ").says("connected again: direct");
    let sender = sender.end().exits(ExitCode::Done);
    let sender = sender.says("warning: connection lost: ").says("connected again: direct");
    assert_eq!(receiver.bytes(), (SIZE, 0));
    assert_eq!(sender.stderr.matches("code: ").count(), 1, "{}", sender.stderr);
    assert_same(&work.path("from"), &work.path("to/from"));
    work.assert_no_stage("to");
}

fn slow(test: &str) -> bool {
    let wanted = std::env::var_os("P2PCP_SLOW").is_some();
    if !wanted {
        skip(test, "it takes long; set P2PCP_SLOW=1");
    }
    wanted
}

#[test]
fn a_sleeping_receiver_goes_on_when_it_wakes() {
    let work = planted();
    let (sender, receiver) = under_way(&work, &["--loopback"]);
    receiver.signal(Signal::STOP);
    sender.line("warning: connection lost: ");
    receiver.signal(Signal::CONT);
    went_on(&work, sender, receiver);
}

#[test]
fn a_sleeping_sender_goes_on_when_it_wakes() {
    if !slow("a_sleeping_sender_goes_on_when_it_wakes") {
        return;
    }
    let work = planted();
    let (sender, receiver) = under_way(&work, &["--loopback"]);
    sender.signal(Signal::STOP);
    receiver.line("warning: connection lost: ");
    sender.signal(Signal::CONT);
    went_on(&work, sender, receiver);
}

/// Two sleeps in one transfer, of one side and of the other.
#[test]
fn several_losses_are_survived() {
    if !slow("several_losses_are_survived") {
        return;
    }
    let work = planted();
    let (sender, receiver) = under_way(&work, &["--loopback"]);
    receiver.signal(Signal::STOP);
    sender.line("warning: connection lost: ");
    receiver.signal(Signal::CONT);
    receiver.line("connected again: ");
    sender.signal(Signal::STOP);
    let whole = until("the next loss, or the end", || {
        let lost = receiver.lines("warning: connection lost: ") > 1;
        (lost || staged(&work.path("to")).is_none()).then_some(!lost)
    });
    assert!(!whole, "it was over before the second loss");
    sender.signal(Signal::CONT);
    went_on(&work, sender, receiver);
}

#[test]
fn a_server_that_is_restarted_meanwhile_brings_them_together_again() {
    if !slow("a_server_that_is_restarted_meanwhile") {
        return;
    }
    let work = planted();
    let server = work.p2pcp(&["signal", "--port", "0"]).spawn();
    let port = server.port().to_string();
    let url = format!("ws://127.0.0.1:{port}");
    let (sender, receiver) = under_way(&work, &["--server", &url, "--stun", "none"]);
    receiver.signal(Signal::STOP);
    server.signal(Signal::KILL);
    server.end().was_killed();
    sender.line("warning: connection lost: ");
    sender.line("not connected yet: ");
    let _server = work.p2pcp(&["signal", "--port", &port]).spawn();
    receiver.signal(Signal::CONT);
    went_on(&work, sender, receiver);
}

#[test]
fn without_the_other_side_the_wait_ends_with_the_line_to_go_on() {
    let (one, other) = (endless(), endless());
    let options = ["--loopback", "--reconnect", "2"];
    let (sender_killed, receiver) = under_way(&one, &options);
    let (sender, receiver_killed) = under_way(&other, &options);
    sender_killed.signal(Signal::KILL);
    receiver_killed.signal(Signal::KILL);
    let lost = "the connection to the other side was lost";
    let receiver = receiver.end().fails(ExitCode::Lost, lost);
    let sender = sender.end().fails(ExitCode::Lost, lost);
    let again = "p2pcp recv --yes --verbose -o to --loopback --reconnect 2 CODE";
    drop(
        receiver
            .says("hint: ask for a new code; nothing that arrived is lost; to go on from here: ")
            .says(again),
    );
    let again = "hint: nothing that arrived is lost; to go on from here: p2pcp send --limit 8M from --loopback --reconnect 2\n";
    drop(sender.says(again));
}

/// Nobody waits for a peer that is gone once the person has had enough, whether the loss is known or not.
#[test]
fn control_c_ends_the_wait_for_a_lost_peer() {
    for known in [false, true] {
        let work = endless();
        let (sender, receiver) = under_way(&work, &["--loopback"]);
        sender.signal(Signal::KILL);
        if known {
            if !slow("control_c_ends_the_wait_for_a_peer_known_to_be_lost") {
                return;
            }
            receiver.line("warning: connection lost: ");
        }
        let begun = std::time::Instant::now();
        receiver.signal(Signal::INT);
        receiver.end().fails(ExitCode::Interrupted, "interrupted").says("to go on from here: ");
        println!("known {known}: ended in {:?}", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}
