//! Stages that were damaged between two runs: the result is right, and only what was damaged travels again.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;

use p2pcp::error::ExitCode;
use rustix::process::Signal;

use crate::reliability::interrupted::{FINISHED, Interrupted, MEBIBYTE, SIZE, staged_file};
use crate::support::{skip, stage_in, staged, superuser};

/// Changes the bytes at `offset` of a file.
fn change(path: &Path, offset: u64, length: usize, with: impl Fn(u8) -> u8) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset).unwrap();
    bytes.iter_mut().for_each(|it| *it = with(*it));
    file.write_all_at(&bytes, offset).unwrap();
}

fn set_length(path: &Path, length: u64) {
    File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

fn remove(path: &Path) {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
}

/// What is done to a stage, or to a file in it.
type Deed = fn(&Path);

/// What is done to a stage: a name, the deed, and how many of the chunks that it held are worth nothing then.
type Damage = (&'static str, Deed, fn(u64) -> u64);

#[test]
fn damaged_chunks_are_sent_again_and_no_others() {
    let interrupted = Interrupted::new(1);
    let cases: &[Damage] = &[
        ("nothing", |_| (), |_| 0),
        ("one bit flipped", |stage| change(&staged_file(stage), 2 * MEBIBYTE + 77, 1, |it| it ^ 4), |_| 1),
        (
            "first, third and last chunk flipped",
            |stage| {
                let file = staged_file(stage);
                let last = length(&file) / MEBIBYTE - 1;
                [0, 2, last].iter().for_each(|chunk| change(&file, chunk * MEBIBYTE, 1, |it| !it));
            },
            |_| 3,
        ),
        ("zeroed across two chunks", |stage| change(&staged_file(stage), MEBIBYTE - 9, 18, |_| 0), |_| 2),
        (
            "two chunks swapped",
            |stage| {
                let file = File::options().read(true).write(true).open(staged_file(stage)).unwrap();
                let mut chunks = [vec![0; MEBIBYTE as usize], vec![0; MEBIBYTE as usize]];
                file.read_exact_at(&mut chunks[0], MEBIBYTE).unwrap();
                file.read_exact_at(&mut chunks[1], 3 * MEBIBYTE).unwrap();
                file.write_all_at(&chunks[1], MEBIBYTE).unwrap();
                file.write_all_at(&chunks[0], 3 * MEBIBYTE).unwrap();
            },
            |_| 2,
        ),
        ("truncated", |stage| set_length(&staged_file(stage), 3 * MEBIBYTE + 5), |held| held - 3),
        ("emptied", |stage| set_length(&staged_file(stage), 0), |held| held),
        ("extended to its full length", |stage| set_length(&staged_file(stage), SIZE), |_| 0),
        (
            "extended past its full length",
            |stage| set_length(&staged_file(stage), SIZE + 5 * MEBIBYTE),
            |_| 0,
        ),
        ("removed", |stage| remove(&staged_file(stage)), |held| held),
        (
            "the journal's tail flipped",
            |stage| {
                let journal = stage.join("journal");
                change(&journal, length(&journal) - 3, 1, |it| it ^ 1);
            },
            |_| 0,
        ),
        (
            "the journal's last record torn",
            |stage| {
                let journal = stage.join("journal");
                set_length(&journal, length(&journal) - 5);
            },
            |_| 0,
        ),
        (
            "the journal extended",
            |stage| {
                let journal = stage.join("journal");
                set_length(&journal, length(&journal) + 4096);
            },
            |_| 0,
        ),
    ];
    for (name, damage, lost) in cases {
        damage(&interrupted.restore());
        let end = interrupted.resume(&[]);
        let (came, here) = end.bytes();
        let expected = SIZE - (interrupted.held - lost(interrupted.held)) * MEBIBYTE;
        assert_eq!(came, expected, "{name}: {}", end.stderr);
        assert_eq!(came + here, SIZE + FINISHED.len() as u64, "{name}");
        assert_eq!(stage_in(&interrupted.work.path("to")), None, "{name}: a stage was left behind");
    }
}

/// Also where its first block does not come again.
#[test]
fn the_file_that_is_gone_on_with_is_named_meanwhile() {
    let interrupted = Interrupted::new(11);
    interrupted.restore();
    let mut sender = interrupted.work.send(&["from"]);
    let end = interrupted.work.recv(&sender.code()).arguments(&["--json"]).run();
    sender.end().exits(ExitCode::Done);
    assert!(end.stdout.contains(r#""current":"from/big""#), "{}", end.stdout);
}

#[test]
fn what_took_the_place_of_a_staged_file_is_not_touched() {
    let interrupted = Interrupted::new(2);
    let cases: &[(&str, Deed)] = &[
        ("a folder", |file| fs::create_dir(file).unwrap()),
        ("a link to a file", |file| symlink("../../../outside/precious", file).unwrap()),
        ("a link to a folder", |file| symlink("../../../outside", file).unwrap()),
        ("a link to nowhere", |file| symlink("../../../outside/new", file).unwrap()),
        ("another name of a file", |file| {
            let precious = file.ancestors().nth(4).unwrap().join("outside/precious");
            fs::hard_link(precious, file).unwrap();
        }),
        ("a pipe", |file| {
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, file, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        }),
    ];
    for (name, replace) in cases {
        let file = staged_file(&interrupted.restore());
        remove(&file);
        replace(&file);
        let (came, _) = interrupted.resume(&[]).bytes();
        assert_eq!(came, SIZE, "{name}");
    }
}

#[test]
fn a_stage_that_cannot_be_used_is_explained_and_kept() {
    let interrupted = Interrupted::new(3);
    let cases: &[(&str, Deed, &str)] = &[
        ("flipped header", |stage| change(&stage.join("journal"), 5, 1, |it| !it), "its journal is damaged"),
        ("empty journal", |stage| set_length(&stage.join("journal"), 0), "its journal is damaged"),
        ("no journal", |stage| remove(&stage.join("journal")), "it has no journal"),
        (
            "zeroed journal",
            |stage| {
                let journal = stage.join("journal");
                change(&journal, 0, length(&journal) as usize, |_| 0);
            },
            "its journal is damaged",
        ),
        (
            "folder for a journal",
            |stage| {
                remove(&stage.join("journal"));
                fs::create_dir(stage.join("journal")).unwrap();
            },
            "its journal is damaged",
        ),
        (
            "link for a journal",
            |stage| {
                let journal = stage.join("journal");
                fs::rename(&journal, stage.join("../../outside/journal")).unwrap();
                symlink("../../outside/journal", journal).unwrap();
            },
            "its journal is damaged",
        ),
        (
            "pipe for a journal",
            |stage| {
                remove(&stage.join("journal"));
                let mode = rustix::fs::Mode::from_raw_mode(0o600);
                let (at, kind) = (rustix::fs::CWD, rustix::fs::FileType::Fifo);
                rustix::fs::mknodat(at, stage.join("journal"), kind, mode, 0).unwrap();
            },
            "its journal is damaged",
        ),
        (
            "link for the data",
            |stage| {
                remove(&stage.join("data"));
                symlink("../../outside", stage.join("data")).unwrap();
            },
            "it is not as p2pcp makes it",
        ),
        ("no data", |stage| remove(&stage.join("data")), "it is not as p2pcp makes it"),
        (
            "a file",
            |stage| {
                remove(stage);
                fs::write(stage, "mine").unwrap();
            },
            "it is not as p2pcp makes it",
        ),
        (
            "a link",
            |stage| {
                remove(stage);
                symlink("../outside", stage).unwrap();
            },
            "it is not as p2pcp makes it",
        ),
        (
            "open to others",
            |stage| {
                fs::set_permissions(stage, Permissions::from_mode(0o777)).unwrap();
            },
            "other users may change it",
        ),
    ];
    for (name, damage, reason) in cases {
        let stage = interrupted.restore();
        damage(&stage);
        let end = interrupted.resume(&[]);
        assert_eq!(end.bytes().0, SIZE, "{name}");
        let shown = stage.file_name().unwrap().to_string_lossy();
        let told = end.stderr.lines().any(|it| it.contains(&*shown) && it.contains(reason));
        assert!(told, "{name}: `{reason}` was not told of {shown}:\n{}", end.stderr);
        assert!(end.stderr.contains("p2pcp clean to"), "{name}: {}", end.stderr);
        // Without its data there is nothing in it that anybody could miss.
        assert_eq!(stage.symlink_metadata().is_ok(), *name != "no data", "{name}: kept or not");
        fs::remove_file(interrupted.work.path("outside/journal")).ok();
    }
}

#[test]
fn a_stage_of_another_user_is_explained_and_kept() {
    if !superuser() {
        return skip(
            "a_stage_of_another_user_is_explained_and_kept",
            "only the superuser can give a stage away",
        );
    }
    let interrupted = Interrupted::new(4);
    let stage = interrupted.restore();
    std::os::unix::fs::chown(&stage, Some(65_534), None).unwrap();
    let end = interrupted.resume(&[]).says("it belongs to another user");
    assert_eq!(end.bytes().0, SIZE);
    assert!(stage.exists());
}

/// The journal says that the bytes of one file are those of another: all of them are compared and sent.
#[test]
fn a_journal_of_another_file_does_no_harm() {
    let (ours, other) = (Interrupted::new(5), Interrupted::new(6));
    let (stage, others) = (ours.restore(), other.restore());
    fs::rename(staged_file(&others), staged_file(&stage)).unwrap_or_else(|_| {
        // Not on one file system.
        fs::copy(staged_file(&others), staged_file(&stage)).unwrap();
    });
    assert_eq!(ours.resume(&[]).bytes().0, SIZE);
    assert_eq!(stage_in(&ours.work.path("to")), None);
}

#[test]
fn fresh_starts_over_and_keeps_what_was_there() {
    let interrupted = Interrupted::new(7);
    let stage = interrupted.restore();
    let end = interrupted.resume(&["--fresh"]);
    assert_eq!(end.bytes(), (SIZE, FINISHED.len() as u64));
    assert!(stage.join("journal").exists());
    fs::remove_dir_all(interrupted.work.path("to/from")).unwrap();
    let end = interrupted.resume(&[]).says("resuming: ").says(" already here");
    assert_eq!(end.bytes().1, interrupted.held * MEBIBYTE);
    assert!(!stage.exists());
}

#[test]
fn clean_lists_what_was_left_and_removes_it_only_when_told() {
    let interrupted = Interrupted::new(8);
    let stage = interrupted.restore();
    let name = stage.file_name().unwrap().to_string_lossy().into_owned();
    let listed = interrupted.work.p2pcp(&["clean", "to"]).run();
    let listed = listed.says(&format!("{name}: ")).says("1 file, ").says(" MiB").says(" old; ");
    listed.says("receiving the same files here goes on with it").says("nothing was removed");
    assert!(stage.exists());
    let removed = interrupted.work.p2pcp(&["clean", "to", "--yes"]).run();
    removed.says(&format!("removed to/{name}\n"));
    assert!(!stage.exists() && interrupted.work.path("to/from/a").exists());
    interrupted.work.p2pcp(&["clean", "to", "--yes"]).run().says("there is nothing to remove");
}

/// What a living process uses is neither removed nor gone on with by another.
#[test]
fn a_stage_in_use_is_left_alone() {
    let interrupted = Interrupted::new(9);
    let work = &interrupted.work;
    interrupted.restore();
    File::options().write(true).open(work.path("from/big")).unwrap().set_len(8 << 30).unwrap();
    let mut sender = work.send(&["from"]);
    let user = work.recv(&sender.code()).spawn();
    user.line("resuming: ");
    // What it has staged by then is more than the other run left.
    work.stage_holds(interrupted.held * MEBIBYTE + MEBIBYTE);
    let cleaned = work.p2pcp(&["clean", "to", "--yes"]).run();
    cleaned.says("a p2pcp that is running uses it").says("there is nothing to remove");
    let mut second = work.send(&["from/a"]);
    let other = work.p2pcp(&["recv", "--loopback", "--yes", "-o", "to", &second.code()]).run();
    other.exits(ExitCode::Done);
    second.end().exits(ExitCode::Done);
    assert!(stage_in(&work.path("to")).is_some());
    user.signal(Signal::INT);
    user.end().exits(ExitCode::Interrupted);
    sender.end().exits(ExitCode::Lost);
    let held = staged(&work.path("to")).unwrap() / MEBIBYTE * MEBIBYTE;
    File::options().write(true).open(work.path("from/big")).unwrap().set_len(held + 5).unwrap();
    assert_eq!(interrupted.resume(&[]).bytes().0, 5);
}
