//! What a file system holds arrives as it was.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use p2pcp::error::ExitCode;

use crate::support::{Work, assert_same, snapshot};

/// Bytes in which no two chunks, and no two blocks, are alike.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(&mut next).take(length.div_ceil(8)).flatten().collect();
    bytes.truncate(length);
    bytes
}

#[test]
fn one_file_arrives_and_both_sides_say_what_happened() {
    let work = Work::new();
    work.tree("from").file("a.txt", "hello");
    let mut sender = work.send(&["from/a.txt"]);
    let code = sender.code();
    let receiver = work.recv(&code).run();
    receiver
        .exits(ExitCode::Done)
        .says("the other side offers 1 file, 5 B\n  a.txt  5 B\nto go into to/\n")
        .says("connected: direct on this machine\n")
        .says("received 1 file: 5 B in ");
    sender
        .end()
        .exits(ExitCode::Done)
        .says("sending a.txt (5 B)\n")
        .says(&format!("p2pcp recv --loopback {code}\n"))
        .says("connected: direct on this machine\n")
        .says("the other side accepted\n")
        .says("sent 1 file: 5 B in ");
    assert_same(&work.path("from/a.txt"), &work.path("to/a.txt"));
}

#[test]
fn quiet_says_the_bare_code_and_nothing_else() {
    let work = Work::new();
    work.tree("from").file("a.txt", "hello");
    let sender = work.p2pcp(&["send", "--loopback", "--quiet", "from/a.txt"]).spawn();
    let code = sender.line("");
    work.recv(&code).arguments(&["--quiet"]).run().exits(ExitCode::Done).said_nothing();
    let said = sender.end().exits(ExitCode::Done).stderr;
    assert_eq!(said, format!("{code}\n"));
}

#[test]
fn several_paths_arrive_side_by_side() {
    let work = Work::new();
    work.tree("one").file("a", "1").file("sub/b", "2");
    work.tree("two").file("c", "3");
    work.tree("three/deep").file("d", "4");
    work.transfer_all(&["one", "two/c", "./three/deep/"]);
    assert_same(&work.path("one"), &work.path("to/one"));
    assert_same(&work.path("two/c"), &work.path("to/c"));
    assert_same(&work.path("three/deep"), &work.path("to/deep"));
    assert_eq!(fs::read_dir(work.path("to")).unwrap().count(), 3);
}

#[test]
fn the_trees_of_this_repository_arrive() {
    let work = Work::new();
    let trees = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/trees");
    work.transfer_all(&[trees.to_str().unwrap()]);
    assert_same(&trees, &work.path("to/trees"));
}

#[test]
fn empty_files_and_folders_arrive() {
    let work = Work::new();
    work.tree("from").file("empty", "").folder("nothing").folder("in/nothing").file("in/empty", "");
    work.tree("alone");
    work.tree("").file("bare", "");
    work.transfer_all(&["from", "alone", "bare"]);
    for name in ["from", "alone", "bare"] {
        assert_same(&work.path(name), &work.path("to").join(name));
    }
}

#[test]
fn a_hundred_levels_arrive() {
    let work = Work::new();
    let deep: String = (0..100).map(|level| format!("level {level}/")).collect();
    let half: String = (0..50).map(|level| format!("level {level}/")).collect();
    work.tree("from").file(format!("{deep}bottom"), "low").file(format!("{half}zenith"), "mid");
    work.transfer_all(&["from"]);
    assert_same(&work.path("from"), &work.path("to/from"));
}

/// The end of a file falls before, on and after the ends of blocks and chunks.
#[test]
fn sizes_around_chunk_ends_arrive() {
    let work = Work::new();
    let mut tree = work.tree("from");
    for size in [1, 65_535, 65_536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2 << 20, (5 << 20) + 1] {
        tree = tree.file(format!("{size}"), noise(size));
    }
    drop(tree);
    work.transfer_all(&["from"]);
    assert_same(&work.path("from"), &work.path("to/from"));
}

#[test]
fn two_thousand_small_files_arrive() {
    let work = Work::new();
    let mut tree = work.tree("from");
    for number in 0..2000 {
        tree = tree.file(format!("{}/{number}", number % 40), format!("contents of {number}"));
    }
    drop(tree);
    let (sender, receiver) = work.transfer(&["from"], &[]);
    receiver.exits(ExitCode::Done).says("received 2,000 files, 41 folders: ");
    sender.exits(ExitCode::Done).says("sent 2,000 files, 41 folders: ");
    assert_same(&work.path("from"), &work.path("to/from"));
}

#[test]
fn a_sparse_file_has_the_same_contents() {
    let work = Work::new();
    work.tree("from");
    let mut file = File::create(work.path("from/sparse")).unwrap();
    for (at, bytes) in [(0, "start"), (6_000_000, "middle")] {
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(bytes.as_bytes()).unwrap();
    }
    file.set_len(12_000_000).unwrap();
    drop(file);
    work.transfer_all(&["from/sparse"]);
    assert_same(&work.path("from/sparse"), &work.path("to/sparse"));
}

/// Times before 1970 and after 2038 among them. Folders keep theirs although things are made in them.
#[test]
fn times_are_kept() {
    let work = Work::new();
    work.tree("from")
        .file("old", "1")
        .aged("old", -86_400, 5)
        .file("new", "2")
        .aged("new", 4_102_444_800, 999_999_999)
        .file("folder/inside", "3")
        .aged("folder/inside", 1, 0)
        .link("folder/link", "inside")
        .aged("folder", 1_000_000_000, 123_456_789)
        .folder("empty")
        .aged("empty", 1_000_000_001, 0)
        .aged("", 1_000_000_002, 1);
    work.transfer_all(&["from"]);
    assert_same(&work.path("from"), &work.path("to/from"));
}

#[test]
fn the_executable_bit_is_kept_and_no_other_privilege() {
    let work = Work::new();
    let modes = [("run", 0o755), ("owner", 0o700), ("plain", 0o644), ("setuid", 0o6755), ("open", 0o666)];
    let mut tree = work.tree("from").folder("sticky").mode("sticky", 0o3777);
    for (name, mode) in modes {
        tree = tree.file(name, name).mode(name, mode);
    }
    drop(tree);
    work.transfer_all(&["from"]);
    assert_same(&work.path("from"), &work.path("to/from"));
    for name in ["run", "owner", "plain", "setuid", "open", "sticky"] {
        let mode = fs::metadata(work.path("to/from").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7000, 0, "{name} arrived with mode {mode:o}");
    }
}

#[test]
fn relative_links_are_made_again() {
    let work = Work::new();
    work.tree("from")
        .file("z/target", "here")
        .link("a-link-that-sorts-first", "z/target")
        .link("to-a-folder", "z")
        .link("z/up", "../z/target")
        .link("z/circle", "circle")
        .link("nowhere", "does/not/exist")
        .link("here", ".");
    work.transfer_all(&["from"]);
    assert_same(&work.path("from"), &work.path("to/from"));
    assert_eq!(fs::read(work.path("to/from/a-link-that-sorts-first")).unwrap(), b"here");
}

/// A path that somebody names is followed, as `cp` and `scp` do; links below it are not.
#[test]
fn a_link_that_is_named_is_followed() {
    let work = Work::new();
    work.tree("from").file("real", "bytes").link("named", "real");
    work.transfer_all(&["from/named"]);
    let arrived = snapshot(&work.path("to/named"));
    assert_eq!(arrived, snapshot(&work.path("from/real")));
}

/// What changes under way is not kept: here it shrinks while it is being sent.
#[test]
fn a_file_that_changes_while_it_is_sent_is_not_kept() {
    let work = Work::new();
    work.tree("from").file("note", "kept");
    let huge = File::create(work.path("from/huge")).unwrap();
    huge.set_len(8 << 30).unwrap();
    let mut sender = work.send(&["from"]);
    let receiver = work.recv(&sender.code()).spawn();
    work.stage_holds(1);
    huge.set_len(1).unwrap();
    let changed = "from/huge: not sent, it changed while being sent";
    receiver.end().exits(ExitCode::Integrity).says(changed);
    sender.end().exits(ExitCode::Integrity).says(changed);
    assert!(!work.path("to/from/huge").exists());
    assert_same(&work.path("from/note"), &work.path("to/from/note"));
    work.assert_no_stage("to");
}
