//! A receive folder that cannot take what comes.

use std::path::Path;

use p2pcp::error::ExitCode;

use crate::support::{Start, Work, skip, snapshot, superuser};

/// Receives where `--output` says, as somebody whom permissions bind.
fn bound_recv(work: &Work, code: &str, folder: &str) -> Start {
    let start = work.p2pcp(&["recv", "--loopback", "--yes", "--output", folder, code]);
    if superuser() { start.by_nobody() } else { start }
}

#[test]
fn a_receive_folder_that_is_a_file_is_refused() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    work.tree("").file("to", "mine");
    let before = snapshot(&work.path(""));
    for folder in ["to", "to/below"] {
        let mut sender = work.send(&["from"]);
        let receiver = work.p2pcp(&["recv", "--loopback", "--yes", "--output", folder, &sender.code()]).run();
        receiver
            .fails(ExitCode::Disk, &format!("`{folder}` is not a folder"))
            .says("hint: choose another folder with `--output`\n");
        sender.end().fails(ExitCode::Failed, "the other side stopped: it may not write there");
    }
    assert_eq!(snapshot(&work.path("")), before);
}

#[test]
fn a_receive_folder_that_may_not_be_written_is_refused() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    work.tree("").mode("", 0o755);
    work.tree("to").mode("", 0o555);
    for folder in ["to", "to/below"] {
        let mut sender = work.send(&["from"]);
        let Ok(receiver) = bound_recv(&work, &sender.code(), folder).try_spawn() else {
            return skip("a_receive_folder_that_may_not_be_written", "the binary cannot be run as `nobody`");
        };
        let end = receiver.end().exits(ExitCode::Disk).says("error: no permission to write `to");
        end.says("hint: choose another folder with `--output`\n");
        sender.end().fails(ExitCode::Failed, "the other side stopped: it may not write there");
    }
    assert_eq!(snapshot(&work.path("to")).len(), 1);
}

/// A receiver whose folder `to` is a file system of 1 MiB, in a mount namespace of its own.
///
/// What is left in the folder is listed after it on stdout, for the mount goes away with the namespace.
fn cramped_recv(work: &Work, code: &str) -> Option<Start> {
    let unshare = ["/usr/bin/unshare", "/bin/unshare"].into_iter().find(|it| Path::new(it).exists())?;
    let start = || Start::new(unshare, &work.path("")).variable("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let mount = "mount -t tmpfs -o size=1m none to";
    let namespace = ["--user", "--map-root-user", "--mount", "sh", "-c"];
    let possible = start().arguments(&namespace).arguments(&[mount]).run();
    if possible.number() != Some(0) {
        return None;
    }
    let p2pcp = env!("CARGO_BIN_EXE_p2pcp");
    let script = format!(
        "{mount} && {{ '{p2pcp}' recv --loopback --yes -o to {code}; ended=$?; find to; exit $ended; }}"
    );
    Some(start().arguments(&namespace).arguments(&[&script]))
}

#[test]
fn a_full_disk_is_said_on_both_sides_and_nothing_unfinished_is_left() {
    let work = Work::new();
    work.tree("from").file("a", "fits").file("b", vec![7; 3 << 20]);
    work.tree("to");
    let mut sender = work.send(&["from"]);
    let Some(receiver) = cramped_recv(&work, &sender.code()) else {
        return skip("a_full_disk_is_said_on_both_sides", "no file system can be mounted here");
    };
    let receiver = receiver.run();
    assert_eq!(receiver.number(), Some(ExitCode::Disk.number().into()), "{}", receiver.stderr);
    let left = receiver.stdout.clone();
    receiver
        .says("error: no space left for `to/")
        .says("hint: make room, ask for a new code, and receive with `--skip` to get only the rest\n");
    sender.end().fails(ExitCode::Failed, "the other side stopped: its disk is full");
    for name in left.lines() {
        assert!(["to", "to/from", "to/from/a"].contains(&name), "{name} was left behind");
    }
}
