//! `recv --wait`: the receiver comes first.

use std::time::Duration;

use p2pcp::connect::beckon::beckon;
use p2pcp::crypto::Role;
use p2pcp::error::ExitCode;
use p2pcp::signaling::Signaling;
use p2pcp::wire::signaling::Nameplate;

use crate::support::{Running, Start, Work, assert_same};

fn work() -> Work {
    let work = Work::new();
    work.tree("from").file("a", "1");
    work
}

fn rendezvous(work: &Work) -> (Running, String) {
    let server = work.p2pcp(&["signal", "--listen", "127.0.0.1", "--port", "0"]).spawn();
    let url = format!("127.0.0.1:{}", server.port());
    (server, url)
}

fn waiting(work: &Work, code: &str, options: &[&str]) -> Start {
    let start = work.p2pcp(&["recv", "--yes", "-o", "to", "--wait", "10m", code]);
    start.arguments(options)
}

/// A number that no sender on this machine has, as one had it a moment ago.
fn free_number(work: &Work) -> String {
    let mut sender = work.send(&["from"]);
    let code = sender.code();
    code.split_once('-').unwrap().0.to_owned()
}

#[test]
fn a_receiver_waits_on_this_machine_for_its_sender() {
    let work = work();
    let code = format!("{}-magnet-opera", free_number(&work));
    let receiver = waiting(&work, &code, &["--loopback"]).spawn();
    receiver.line("waiting for the other side");
    let sender = work.p2pcp(&["send", "--loopback", "--code", &code, "from"]).spawn();
    receiver.end().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done);
    assert_same(&work.path("from"), &work.path("to/from"));
}

#[test]
fn a_receiver_waits_on_a_server_for_its_sender() {
    let work = work();
    let (_server, url) = rendezvous(&work);
    let server = ["--stun", "none", "--server", &url];
    let receiver = waiting(&work, "417-magnet-opera", &server).spawn();
    receiver.line("waiting for the other side");
    let sender = work.p2pcp(&["send", "from", "--code", "417-magnet-opera"]).arguments(&server).spawn();
    receiver.end().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done);
    assert_same(&work.path("from"), &work.path("to/from"));
}

/// Who waits makes no guess: a wrong code burns the sender's as ever, and only when that is there.
#[test]
fn a_wrong_code_that_waited_is_one_guess() {
    let work = work();
    let (_server, url) = rendezvous(&work);
    let server = ["--stun", "none", "--server", &url];
    let receiver = waiting(&work, "417-abbey-abacus", &server).spawn();
    receiver.line("waiting for the other side");
    let mut sender = work.p2pcp(&["send", "from", "--code", "417-magnet-opera"]).arguments(&server).spawn();
    receiver.end().fails(ExitCode::Code, "the code did not match");
    assert_eq!(sender.code(), "417-magnet-opera");
    let next = sender.code();
    assert_ne!(next, "417-magnet-opera");
    work.p2pcp(&["recv", "--yes", "-o", "to", &next]).arguments(&server).run().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done);
}

#[test]
fn a_server_that_is_yet_to_come_is_waited_for_too() {
    let work = work();
    let (server, url) = rendezvous(&work);
    let port = url.rsplit_once(':').unwrap().1.to_owned();
    drop(server);
    let at = ["--stun", "none", "--server", &url];
    let receiver = waiting(&work, "417-magnet-opera", &at).spawn();
    receiver.line("waiting for the other side");
    let server = work.p2pcp(&["signal", "--listen", "127.0.0.1", "--port", &port]).spawn();
    server.port();
    let sender = work.p2pcp(&["send", "from", "--code", "417-magnet-opera"]).arguments(&at).spawn();
    receiver.end().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done);
}

#[test]
fn whoever_waits_in_vain_hears_what_they_would_have_heard_at_once() {
    let work = work();
    let (_server, url) = rendezvous(&work);
    let code = format!("{}-magnet-opera", free_number(&work));
    let start =
        |options: &[&str]| work.p2pcp(&["recv", "--yes", "--wait", "1s", &code]).arguments(options).run();
    start(&["--loopback"])
        .fails(ExitCode::Code, "no sender with this code was found")
        .says("waiting for the other side");
    start(&["--stun", "none", "--server", &url]).fails(ExitCode::Code, "the code is not known");
    let end = work.p2pcp(&["recv", "--yes", "--wait", "25h", &code]).run();
    assert_eq!(end.number(), Some(2));
}

#[test]
fn programs_hear_that_it_waits() {
    let work = work();
    let code = format!("{}-magnet-opera", free_number(&work));
    let end = work.p2pcp(&["recv", "--yes", "--json", "--loopback", "--wait", "1s", &code]).run();
    let kinds: Vec<_> =
        end.stdout.lines().map(|it| crate::json_events::checked(it)["event"].clone()).collect();
    assert_eq!(kinds, ["searching", "waiting", "failed"]);
}

/// A stranger who knows the number beckons, and there is nobody: the wait goes on.
#[test]
fn a_stranger_who_beckons_does_not_end_the_wait() {
    let work = work();
    let (_server, url) = rendezvous(&work);
    let server = ["--stun", "none", "--server", &url];
    let receiver = waiting(&work, "417-magnet-opera", &server).spawn();
    receiver.line("waiting for the other side");
    let stranger = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for _ in 0..3 {
        stranger.block_on(async {
            let (url, within) = (url.parse().unwrap(), Duration::from_secs(60));
            let signaling = Signaling::connect(&url, within).await.unwrap();
            beckon(signaling, Nameplate::new(417).unwrap(), Role::Sender).await.unwrap();
        });
    }
    let sender = work.p2pcp(&["send", "from", "--code", "417-magnet-opera"]).arguments(&server).spawn();
    receiver.end().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done);
    assert_same(&work.path("from"), &work.path("to/from"));
}
