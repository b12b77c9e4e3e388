//! What cannot be sent is named, the rest arrives, and the exit code says that not all of it did.

use std::fs;
use std::os::unix::net::UnixListener;

use p2pcp::error::ExitCode;

use crate::support::{End, Running, Work, assert_same, skip, superuser};

/// Asserts that `good` alone arrived, and that the sender named each of `passed_over`.
fn only_good_arrives(work: &Work, passed_over: &[&str]) {
    let (sender, receiver) = work.transfer(&["from"], &[]);
    judge(work, sender, receiver, passed_over);
}

fn judge(work: &Work, sender: End, receiver: End, passed_over: &[&str]) {
    let mut sender = sender.exits(ExitCode::Failed).says("sent 1 file, ");
    for line in passed_over {
        sender = sender.says(&format!("warning: skipped from/{line}\n"));
    }
    let number = match passed_over.len() {
        1 => "1 item not sent".to_owned(),
        more => format!("{more} items not sent"),
    };
    sender.says(&number);
    receiver.exits(ExitCode::Failed).says(&number);
    assert_same(&work.path("from/good"), &work.path("to/from/good"));
    let arrived: Vec<_> =
        fs::read_dir(work.path("to/from")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(arrived, ["good"]);
}

#[test]
fn links_that_lead_elsewhere_are_passed_over() {
    let work = Work::new();
    work.tree("from")
        .file("good", "kept")
        .link("absolute", "/etc/hostname")
        .link("absolute-inside", work.path("from/good"))
        .link("parent", "../secret")
        .link("out-and-in", "../from/good")
        .link("through", "good/../../secret");
    work.tree("").file("secret", "not sent");
    only_good_arrives(
        &work,
        &[
            "absolute: it is a link that cannot be sent: it is absolute",
            "absolute-inside: it is a link that cannot be sent: it is absolute",
            "parent: it is a link that cannot be sent: it points outside the folder that is sent",
            "out-and-in: it is a link that cannot be sent: it points outside the folder that is sent",
            "through: it is a link that cannot be sent: it points outside the folder that is sent",
        ],
    );
}

#[test]
fn pipes_and_sockets_are_passed_over() {
    let work = Work::new();
    work.tree("from").file("good", "kept").pipe("pipe");
    let _listening = UnixListener::bind(work.path("from/socket")).unwrap();
    only_good_arrives(&work, &["pipe: it is a named pipe", "socket: it is a socket"]);
}

#[test]
fn devices_are_passed_over() {
    let work = Work::new();
    match work.tree("from").file("good", "kept").device("device") {
        Ok(_) => only_good_arrives(&work, &["device: it is a device"]),
        Err(error) => skip("devices_are_passed_over", &format!("no device can be made here: {error}")),
    }
}

/// A pipe that is named itself must not be opened: that would wait for its other end for ever.
#[test]
fn a_pipe_that_is_named_is_refused() {
    let work = Work::new();
    work.tree("").pipe("pipe");
    work.p2pcp(&["send", "--loopback", "pipe"])
        .run()
        .fails(ExitCode::Failed, "`pipe` is neither a file nor a folder");
}

/// A sender that permissions bind.
fn bound_sender(work: &Work, paths: &[&str]) -> Option<Running> {
    let start = work.p2pcp(&["send", "--loopback"]).arguments(paths);
    if !superuser() {
        return Some(start.spawn());
    }
    // The folder of a test is its owner's alone.
    work.tree("").mode("", 0o755);
    start.by_nobody().try_spawn().ok()
}

#[test]
fn what_may_not_be_read_is_passed_over() {
    let work = Work::new();
    work.tree("from")
        .file("good", "kept")
        .file("locked", "left out")
        .mode("locked", 0)
        .file("shut/inside", "left out")
        .mode("shut", 0);
    let Some(mut sender) = bound_sender(&work, &["from"]) else {
        return skip("what_may_not_be_read_is_passed_over", "the binary cannot be run as `nobody`");
    };
    let receiver = work.recv(&sender.code()).run();
    let sender = sender.end().says("warning: skipped from/shut: no permission to read it\n");
    work.tree("from").mode("shut", 0o755);
    for end in [sender, receiver] {
        end.exits(ExitCode::Failed).says("from/locked").says("warning: ");
    }
    assert_same(&work.path("from/good"), &work.path("to/from/good"));
}
