//! Disks that fill up, refuse, or are slow: exit code 6 with the cause, the stage kept, and the same
//! command goes on once the cause is gone.

use std::fs;

use p2pcp::error::ExitCode;

use crate::reliability::interrupted::MEBIBYTE;
use crate::support::mount::Mounted;
use crate::support::remains::Remains;
use crate::support::rng::Rng;
use crate::support::{Start, Work, assert_same, assert_same_files, program, skip, superuser};

/// Bytes of the file that is sent.
const SIZE: u64 = 24 * MEBIBYTE;

fn planted() -> Work {
    planted_with(SIZE)
}

fn planted_with(bytes: u64) -> Work {
    let work = Work::in_memory(1 << 30);
    work.tree("from").file("a", "fits").file("big", Rng::new(21).bytes(bytes as usize));
    work
}

/// A small disk, or a loud skip.
fn mounted(work: &Work, test: &str, options: &str) -> Option<Mounted> {
    let mounted = Mounted::new(work, options);
    if mounted.is_none() {
        skip(test, &format!("no file system can be mounted here with {options}"));
    }
    mounted
}

/// Copies what was received out of the namespace, and compares.
fn assert_received(work: &Work, disk: &mut Mounted) {
    assert!(disk.run("cp -a to/from received"));
    assert_same_files(&work.path("from"), &work.path("received"));
    let stages: Vec<_> = disk.listed(work).into_iter().filter(|it| it.contains(".p2pcp-")).collect();
    assert!(stages.is_empty(), "left behind: {stages:?}");
}

#[test]
fn a_disk_that_fills_up_keeps_what_came_and_goes_on_when_there_is_room() {
    let work = planted();
    let Some(mut disk) = mounted(&work, "a_disk_that_fills_up", "size=12m") else { return };
    let mut sender = work.send(&["from"]);
    let full = disk.recv(&work, &sender.code(), "--force");
    let full = full.ended(ExitCode::Disk, &["error: no space left for `to/", "hint: make room, "]);
    assert!(full.stderr.contains("to go on from here: p2pcp recv "), "{}", full.stderr);
    let sender = sender.end().fails(ExitCode::Failed, "the other side stopped: its disk is full");
    drop(sender);
    let listed = disk.listed(&work);
    assert!(listed.iter().any(|it| it.contains("/.p2pcp-") && it.contains("/data/")), "{listed:?}");
    assert!(!listed.contains(&"to/from/big".to_owned()));

    // The whole does not fit what is free now, but what is missing of it does.
    assert!(disk.run("mount -o remount,size=28m to"));
    let mut sender = work.send(&["from"]);
    let received = disk.recv(&work, &sender.code(), "");
    let received = received.ended(ExitCode::Done, &["resuming: "]);
    sender.end().exits(ExitCode::Done);
    // 12 MiB were free, of which a few pages went to folders and the journal.
    assert!(received.came() <= SIZE - 11 * MEBIBYTE, "{}", received.stderr);
    assert_received(&work, &mut disk);
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_touched() {
    let work = planted();
    let Some(mut disk) = mounted(&work, "what_does_not_fit_is_refused", "size=12m") else { return };
    let mut sender = work.send(&["from"]);
    let refused = disk.recv(&work, &sender.code(), "");
    let sentence = format!(
        "error: there is not enough room in `to`: {} bytes are needed, {} are free\n",
        SIZE + 4,
        12 * MEBIBYTE
    );
    refused.ended(ExitCode::Disk, &[&sentence, "--force"]);
    sender.end().fails(ExitCode::Failed, "the other side stopped: its disk is full");
    assert_eq!(disk.listed(&work), ["to"]);
}

#[test]
fn a_disk_that_may_not_be_written_any_more_goes_on_when_it_may() {
    let work = planted();
    let Some(mut disk) = mounted(&work, "a_read_only_disk", "size=12m") else { return };
    let mut sender = work.send(&["from"]);
    disk.recv(&work, &sender.code(), "--force").ended(ExitCode::Disk, &[]);
    sender.end().exits(ExitCode::Failed);
    assert!(disk.run("mount -o remount,ro,size=64m to"));
    let before = disk.listed(&work);
    let mut sender = work.send(&["from"]);
    disk.recv(&work, &sender.code(), "").ended(ExitCode::Disk, &["is on a read-only file system"]);
    sender.end().fails(ExitCode::Failed, "the other side stopped: its disk is read-only");
    assert_eq!(disk.listed(&work), before);
    assert!(disk.run("mount -o remount,rw to"));
    let mut sender = work.send(&["from"]);
    let received = disk.recv(&work, &sender.code(), "").ended(ExitCode::Done, &[]);
    sender.end().exits(ExitCode::Done);
    assert!(received.came() <= SIZE - 11 * MEBIBYTE, "{}", received.stderr);
    assert_received(&work, &mut disk);
}

#[test]
fn a_quota_that_is_used_up_is_said() {
    let work = planted();
    work.tree("").mode("", 0o755);
    // Who may do everything has no quota, so somebody else receives.
    let options = "size=64m,mode=777,usrquota,usrquota_block_hardlimit=12m";
    let Some(mut disk) = mounted(&work, "a_quota_that_is_used_up", options) else { return };
    if !superuser() || program("setpriv").is_none() {
        return skip("a_quota_that_is_used_up", "nobody else can be made to receive");
    }
    let mut sender = work.send(&["from"]);
    let (p2pcp, code) = (env!("CARGO_BIN_EXE_p2pcp"), sender.code());
    let user = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    disk.run(&format!("{user} '{p2pcp}' recv --loopback --yes -o to {code} 2> heard; test $? = 6"));
    let heard = fs::read_to_string(work.path("heard")).unwrap();
    assert!(heard.contains("error: the disk quota is used up"), "{heard}");
    sender.end().exits(ExitCode::Failed);
}

/// A receiver some of whose system calls fail or are slow; `None` where that cannot be arranged.
fn disturbed(work: &Work, code: &str, fault: &str) -> Option<Start> {
    let strace = program("strace")?;
    let (call, _) = fault.split_once(':').unwrap();
    let (trace, inject) = (format!("trace={call}"), format!("inject={fault}"));
    let options = ["-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    let start = |program: &[&str]| Start::new(&strace, &work.path("")).arguments(&options).arguments(program);
    let possible = start(&["/bin/true"]).run();
    if possible.number() != Some(0) {
        return None;
    }
    let p2pcp = env!("CARGO_BIN_EXE_p2pcp");
    Some(start(&[p2pcp, "recv", "--loopback", "--yes", "--verbose", "--output", "to", code]))
}

/// Every kind of call that writes fails some time, in every way, and for good.
#[test]
fn a_call_that_fails_ends_with_its_cause_and_the_next_run_goes_on() {
    let cases = [
        ("pwrite64:error=ENOSPC:when=40+", "no space left for `to", "its disk is full", 2 * MEBIBYTE),
        ("pwrite64:error=EDQUOT:when=40+", "the disk quota is used up", "its disk is full", 2 * MEBIBYTE),
        (
            "pwrite64:error=EROFS:when=40+",
            "is on a read-only file system",
            "its disk is read-only",
            2 * MEBIBYTE,
        ),
        ("pwrite64:error=EIO:when=40+", "Input/output error", "its disk failed", 2 * MEBIBYTE),
        ("fsync:error=EIO:when=1+", "Input/output error", "its disk failed", 0),
        ("fsync:error=ENOSPC:when=1+", "no space left for `to", "its disk is full", 0),
        ("renameat2:error=EDQUOT:when=2+", "the disk quota is used up", "its disk is full", 2 * MEBIBYTE),
        (
            "renameat2:error=EACCES:when=2+",
            "no permission to write `to",
            "it may not write there",
            2 * MEBIBYTE,
        ),
        ("mkdirat:error=ENOSPC:when=1+", "no space left for `to", "its disk is full", 0),
        ("mkdirat:error=ENOSPC:when=3+", "no space left for `to", "its disk is full", 0),
    ];
    let size = 10 * MEBIBYTE;
    for (fault, sentence, told, least) in cases {
        let work = planted_with(size);
        let mut sender = work.send(&["from"]);
        let Some(receiver) = disturbed(&work, &sender.code(), fault) else {
            return skip("a_call_that_fails", "there is no `strace` that may trace");
        };
        let end = receiver.run();
        assert_eq!(end.number(), Some(ExitCode::Disk.number().into()), "{fault}: {}", end.stderr);
        let end = end.says("error: ").says(sentence).says("hint: ");
        sender.end().fails(ExitCode::Failed, &format!("the other side stopped: {told}"));
        let remains = Remains::look(&work.path("from"), &work.path("to"));
        remains.assert_honest(fault);
        let here = remains.staged_bytes + remains.finished_bytes;
        assert!(here >= least, "{fault}: {here} bytes are here\n{}", end.stderr);
        let (sender, receiver) = work.transfer(&["from"], &["--verbose"]);
        sender.exits(ExitCode::Done);
        let (came, _) = receiver.exits(ExitCode::Done).bytes();
        assert!(came <= size + 4 - here, "{fault}: {came} bytes came, {here} were here");
        assert_same(&work.path("from/big"), &work.path("to/from/big"));
    }
}

#[test]
fn a_slow_disk_only_slows() {
    let work = planted();
    let mut sender = work.send(&["from"]);
    let Some(receiver) = disturbed(&work, &sender.code(), "pwrite64:delay_enter=10000") else {
        return skip("a_slow_disk_only_slows", "there is no `strace` that may trace");
    };
    receiver.run().exits(ExitCode::Done).says_not("warning:");
    sender.end().exits(ExitCode::Done).says_not("warning:");
    assert_same(&work.path("from"), &work.path("to/from"));
}

/// A limit on the size of files is a limit of the disk as far as a receiver is concerned.
#[test]
fn a_limit_on_the_size_of_files_is_said() {
    let work = planted();
    let mut sender = work.send(&["from"]);
    let recv = format!("'{}' recv --loopback --yes -o to {}", env!("CARGO_BIN_EXE_p2pcp"), sender.code());
    // Blocks of 512 bytes, in every POSIX shell.
    let shell = Start::new("/bin/sh", &work.path("")).arguments(&["-c", &format!("ulimit -f 20000; {recv}")]);
    let end = shell.run();
    assert_eq!(end.number(), Some(ExitCode::Disk.number().into()), "{}", end.stderr);
    end.says("is larger than this file system allows").says("hint: ");
    sender.end().fails(ExitCode::Failed, "the other side stopped: its disk failed");
    let remains = Remains::look(&work.path("from"), &work.path("to"));
    remains.assert_honest("after the limit");
    assert!(remains.staged_bytes >= 9 * MEBIBYTE);
    work.transfer_all(&["from"]);
}

/// The permissions of the stage are taken away while bytes come in.
#[test]
fn a_stage_that_may_not_be_written_any_more_is_said_and_kept() {
    let test = "a_stage_that_may_not_be_written_any_more";
    let work = Work::in_memory(1 << 30);
    work.tree("from");
    fs::File::create(work.path("from/big")).unwrap().set_len(8 << 30).unwrap();
    work.tree("").mode("", 0o755);
    work.tree("to").mode("", 0o777);
    let mut sender = work.send(&["from"]);
    let start = work.recv(&sender.code());
    let Ok(receiver) = (if superuser() { start.by_nobody() } else { start }).try_spawn() else {
        return skip(test, "the binary cannot be run as `nobody`");
    };
    work.stage_holds(2 * MEBIBYTE);
    let data = crate::support::stage_in(&work.path("to")).unwrap().join("data");
    work.tree("").mode(&data, 0o000);
    receiver.end().exits(ExitCode::Disk).says("error: no permission to write `to/.p2pcp-").says("hint: ");
    sender.end().fails(ExitCode::Failed, "the other side stopped: it may not write there");
    work.tree("").mode(&data, 0o700);
    assert!(crate::support::staged(&work.path("to")) >= Some(2 * MEBIBYTE));
}
