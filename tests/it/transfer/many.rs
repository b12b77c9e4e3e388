//! One sender and several receivers: at once with `--to`, one after the other with `--keep`.

use std::fs;

use p2pcp::error::ExitCode;
use rustix::process::Signal;

use crate::support::rng::Rng;
use crate::support::{Running, Start, Work, assert_same, until};
use crate::transfer::codes::wrong;
use crate::transfer::servers::rendezvous;

/// What is read at once by all, and can be kept.
const BYTES: usize = 12 << 20;

fn sender(work: &Work, options: &[&str]) -> Running {
    work.p2pcp(&["send", "--loopback"]).arguments(options).arguments(&["from"]).spawn()
}

/// The code of one of several receivers, and those of it that came after.
fn codes(sender: &Running, receiver: usize, count: usize) -> Vec<String> {
    let start = format!("receiver {receiver}: on the other side, type: p2pcp recv --loopback ");
    until("a code", || {
        let codes = sender.all_lines(&start);
        (codes.len() >= count).then_some(codes)
    })
}

fn code(sender: &Running, receiver: usize) -> String {
    codes(sender, receiver, 1).remove(0)
}

fn recv(work: &Work, to: usize, code: &str) -> Start {
    work.p2pcp(&["recv", "--loopback", "--yes", "--output", &format!("to{to}"), code])
}

#[test]
fn three_at_once_get_everything_from_one_read() {
    let work = Work::new();
    work.tree("from").file("large", Rng::new(3).bytes(BYTES)).file("a/small", "small");
    let sender = sender(&work, &["--to", "4"]);
    let receivers: Vec<_> =
        (1..=3).map(|number| recv(&work, number, &code(&sender, number)).spawn()).collect();
    for (number, receiver) in (1..).zip(receivers) {
        receiver.end().exits(ExitCode::Done);
        assert_same(&work.path("from"), &work.path(format!("to{number}/from")));
        sender.line(&format!("receiver {number}: sent 2 files"));
    }
    if let Some(read) = sender.bytes_read() {
        assert!(read < 2 * BYTES as u64, "{read} bytes were read for three receivers of {BYTES}");
    }
    // The fourth never comes.
    sender.signal(Signal::INT);
    let end = sender.end().says("3 of 4 received everything; 1 interrupted\n");
    assert_eq!(end.number(), Some(130), "{}", end.stderr);
}

#[test]
fn who_declines_does_not_end_it_for_others() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let sender = sender(&work, &["--to", "3"]);
    let codes = [1, 2, 3].map(|number| code(&sender, number));
    recv(&work, 1, &codes[0]).run().exits(ExitCode::Done);
    work.p2pcp(&["recv", "--loopback", "--output", "to2", &codes[1]]).run().exits(ExitCode::Declined);
    recv(&work, 3, &codes[2]).run().exits(ExitCode::Done);
    let end = sender
        .end()
        .says("waiting for 3 receivers…\n")
        .says("receiver 1: sent 1 file")
        .says("receiver 2: error: the other side stopped: ")
        .says("receiver 2: hint: ")
        .says("\n2 of 3 received everything; 1 declined\n");
    assert_eq!(end.number(), Some(ExitCode::Declined.number().into()), "{}", end.stderr);
    assert_eq!(end.stderr.matches("sending from/").count(), 1, "{}", end.stderr);
    for place in ["to1", "to3"] {
        assert_same(&work.path("from"), &work.path(place).join("from"));
    }
    assert!(!work.path("to2").exists());
}

#[test]
fn a_wrong_guess_burns_the_code_of_one_receiver() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let sender = sender(&work, &["--to", "2"]);
    let (first, second) = (code(&sender, 1), code(&sender, 2));
    recv(&work, 1, &wrong(&first)).run().fails(ExitCode::Code, "the code did not match");
    let fresh = codes(&sender, 1, 2).remove(1);
    assert_ne!(first, fresh);
    recv(&work, 2, &second).run().exits(ExitCode::Done);
    recv(&work, 1, &fresh).run().exits(ExitCode::Done);
    assert_eq!(codes(&sender, 2, 1), [second]);
    sender
        .end()
        .exits(ExitCode::Done)
        .says("receiver 1: warning: someone tried a wrong code; that code is burnt, here is a new one\n")
        .says("2 of 2 received everything\n");
}

#[test]
fn one_after_the_other_is_served_until_interrupted() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let mut sender = sender(&work, &["--keep"]);
    let first = sender.code();
    recv(&work, 1, &first).run().exits(ExitCode::Done);
    let second = sender.code();
    work.p2pcp(&["recv", "--loopback", "--output", "to2", &second]).run().exits(ExitCode::Declined);
    let third = sender.code();
    recv(&work, 3, &third).run().exits(ExitCode::Done);
    let fourth = sender.code();
    assert!(first != second && second != third && third != fourth);
    sender.signal(Signal::INT);
    let end = sender.end().says("2 of 3 received everything; 1 declined\n").says_not("interrupted");
    assert_eq!(end.number(), Some(0), "{}", end.stderr);
    for place in ["to1", "to3"] {
        assert_same(&work.path("from"), &work.path(place).join("from"));
    }
}

#[test]
fn several_receivers_meet_their_sender_on_a_server() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let (_server, address) = rendezvous(&work);
    let at = ["--server", &address, "--stun", "none"];
    let sender = work.p2pcp(&["send", "--to", "2", "from"]).arguments(&at).spawn();
    for receiver in [2, 1] {
        let start =
            format!("receiver {receiver}: on the other side, type: p2pcp recv --server ws://{address} ");
        let (code, to) = (sender.line(&start), format!("to{receiver}"));
        work.p2pcp(&["recv", "--yes", "-o", &to, &code]).arguments(&at).run().exits(ExitCode::Done);
        assert_same(&work.path("from"), &work.path(to).join("from"));
    }
    sender.end().exits(ExitCode::Done).says("2 of 2 received everything\n");
}

/// A server that stops is started again; who keeps sending waits for it.
#[test]
fn a_server_that_is_gone_is_tried_again() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let (server, address) = rendezvous(&work);
    let at = ["--server", &address, "--stun", "none"];
    let mut sender = work.p2pcp(&["send", "--keep", "from"]).arguments(&at).spawn();
    let code = sender.code();
    work.p2pcp(&["recv", "--yes", "-o", "to1", &code]).arguments(&at).run().exits(ExitCode::Done);
    sender.code();
    server.signal(Signal::INT);
    server.end().exits(ExitCode::Done);
    sender.line("warning: the server stopped, and the code is gone with it; trying again every 10 s");
    sender.signal(Signal::INT);
    let end = sender.end().says("1 of 1 received everything\n");
    assert_eq!(end.number(), Some(0), "{}", end.stderr);
}

#[test]
fn who_interrupts_it_before_anybody_came_is_told_so() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let mut sender = sender(&work, &["--keep"]);
    sender.code();
    sender.signal(Signal::INT);
    let end = sender.end().says("error: interrupted\n").says_not("received everything");
    assert_eq!(end.number(), Some(130), "{}", end.stderr);
}

/// What is gone cannot be sent to the next one; a code that nobody uses in time is another matter.
#[test]
fn it_goes_on_after_an_unused_code_and_ends_with_what_is_sent() {
    let work = Work::new();
    fs::write(work.path("a.txt"), "abc").unwrap();
    let mut sender = work.p2pcp(&["send", "--loopback", "--keep", "--ttl", "30m", "a.txt"]).spawn();
    recv(&work, 1, &sender.code()).run().exits(ExitCode::Done);
    let second = sender.code();
    fs::remove_file(work.path("a.txt")).unwrap();
    let end = recv(&work, 2, &second).run();
    assert_eq!(end.number(), Some(ExitCode::Integrity.number().into()), "{}", end.stderr);
    let end = sender.end().says("\nerror: `a.txt` does not exist\n");
    let end = end.says("1 of 2 received everything; 1 received a part\n");
    assert_eq!(end.number(), Some(ExitCode::Failed.number().into()), "{}", end.stderr);

    fs::write(work.path("b.txt"), "abc").unwrap();
    let mut sender = work.p2pcp(&["send", "--loopback", "--keep", "--ttl", "1s", "b.txt"]).spawn();
    assert_ne!(sender.code(), sender.code());
    sender.line("that code has expired, here is a new one");
}

#[test]
fn a_stream_has_one_receiver() {
    let work = Work::new();
    for option in [&["--to", "2"][..], &["--keep"]] {
        let end = work.p2pcp(&["send", "--loopback", "-"]).arguments(option).run();
        end.fails(ExitCode::Usage, "standard input can be read only once, and so be sent to one receiver");
    }
}

#[test]
fn receivers_are_2_to_32_and_have_no_code_of_ones_own() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let senseless: [&[&str]; 6] = [
        &["--to", "1"],
        &["--to", "33"],
        &["--to", "2", "--keep"],
        &["--to", "2", "--code", "417-magnet-opera"],
        &["--keep", "--code", "417-magnet-opera"],
        &["--to", "2", "--qr"],
    ];
    for options in senseless {
        let end = sender(&work, options).end();
        assert_eq!(end.number(), Some(2), "{options:?}: {}", end.stderr);
    }
}
