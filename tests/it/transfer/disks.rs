//! A receive folder that cannot take what comes.

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
