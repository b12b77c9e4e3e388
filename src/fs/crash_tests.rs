//! Power loss at every step: what a crash may leave on the disk, and what the next run makes of it.
//!
//! A transfer runs through the real [`Sink`](crate::fs::Sink) on a [`disk`] in memory that knows what is
//! durable (the model is described there). At every call the disk is cut off in every way that is legal,
//! or in a sample of them ([`fates`]), and of each disk that is left must be true ([`verdict`]):
//!
//! - under a final name is nothing, what was there before, or the whole file;
//! - all whose commit returned is there, whole, with its time and permissions;
//! - the next run completes, finds every chunk whose checkpoint returned, and what it keeps is durable.
//!
//! The same with each call failing with each error number, after which the program ends and runs again,
//! and with runs that are cut off twice.
//!
//! `cargo test --lib fs::crash_tests -- --nocapture` prints how many disks were looked at. With
//! `P2PCP_CRASH_EFFORT=20` in the environment it looks at about that many times more: the long run.

mod content;
mod disk;
mod fates;
mod handle;
mod image;
mod model_tests;
mod transfer;
mod verdict;

use std::collections::HashSet;
use std::time::Instant;

use rustix::io::Errno;

use crate::fs::crash_tests::disk::{Disk, Fault, Moment};
use crate::fs::crash_tests::fates::{Random, crashes};
use crate::fs::crash_tests::image::Image;
use crate::fs::crash_tests::transfer::{Item, Transfer};
use crate::fs::crash_tests::verdict::{judge, judge_folder_times, recover, stages};
use crate::fs::{DiskFault, OnConflict, os};
use crate::wire::CHUNK_BYTES;
use crate::wire::peer::EntryKind;

const CHUNK: usize = CHUNK_BYTES as usize;

/// How many crashes are tried at each step, about, where there are more: as many as the test says, times
/// this.
fn effort() -> usize {
    std::env::var("P2PCP_CRASH_EFFORT").ok().and_then(|it| it.parse().ok()).unwrap_or(1)
}

/// What a scenario came to.
#[derive(Debug, Default)]
struct Count {
    steps: usize,
    states: usize,
    distinct: usize,
    /// Disks on which the next run left a stage that it could not use.
    littered: usize,
    chunks_here: usize,
    chunks_written: usize,
}

/// Runs a transfer, crashes it everywhere in about `most` ways a step, and judges what is left; every
/// `again`-th disk is run on, crashed everywhere and judged once more.
fn crash_everywhere(name: &str, transfer: &Transfer, most: usize, again: Option<usize>) -> Count {
    let began = Instant::now();
    let count = explore(transfer, most * effort(), again).unwrap_or_else(|why| panic!("{name}: {why}"));
    eprintln!("{name}: {count:?} in {:?}", began.elapsed());
    count
}

fn explore(transfer: &Transfer, most: usize, again: Option<usize>) -> Result<Count, String> {
    let mut count = Count::default();
    let disk = Disk::new(transfer.start());
    transfer.run(&disk, 1).unwrap();
    Exploration { transfer, most, again, depth: 1 }.explore(&disk, &mut count)?;
    Ok(count)
}

/// How the moments of a run are looked at.
#[derive(Debug, Clone, Copy)]
struct Exploration<'a> {
    transfer: &'a Transfer,
    most: usize,
    again: Option<usize>,
    /// The number of the run.
    depth: u8,
}

impl Exploration<'_> {
    fn explore(self, disk: &Disk, count: &mut Count) -> Result<(), String> {
        let (mut random, mut seen) = (Random(0), HashSet::new());
        for (step, moment) in disk.moments().iter().enumerate() {
            count.steps += 1;
            for image in crashes(moment, self.most, &mut random) {
                count.states += 1;
                if !seen.insert((image.fingerprint(), moment.promises.len())) {
                    continue;
                }
                count.distinct += 1;
                let next = self.look(moment, &image, count).map_err(|why| {
                    let pending = &moment.pending;
                    format!("step {step}: {why}\nleft:\n{image:?}pending: {pending:#?}")
                })?;
                if self.again.is_some_and(|again| seen.len().is_multiple_of(again)) {
                    let deeper = Self { most: 6, again: None, depth: self.depth + 1, ..self };
                    deeper.explore(&next, count)?;
                }
            }
        }
        Ok(())
    }

    /// Judges a disk, and the run that goes on from there.
    fn look(self, moment: &Moment, image: &Image, count: &mut Count) -> Result<Disk, String> {
        judge(self.transfer, image, &moment.promises)?;
        if self.depth == 1 {
            judge_folder_times(self.transfer, image, &moment.promises)?;
        }
        let next = Disk::after(image.clone(), moment.promises.clone());
        let report = recover(self.transfer, &next, self.depth + 1, &moment.promises)?;
        count.chunks_here += report.here.len();
        count.chunks_written += report.written;
        count.littered += usize::from(stages(&next.live()) > 0);
        Ok(next)
    }
}

/// Lets each call in turn fail with `errno` (and all later ones, if `lasting`), ends the program, and runs it
/// again on the same system, where what was not synced is still to be seen.
fn fail_everywhere(name: &str, transfer: &Transfer, errno: Errno, lasting: bool) {
    let began = Instant::now();
    let clean = Disk::new(transfer.start());
    transfer.run(&clean, 1).unwrap();
    let (mut random, mut failed) = (Random(errno.raw_os_error() as u64), 0);
    for at in 0..clean.calls() {
        let disk = Disk::new(transfer.start());
        disk.fail(Fault { at, errno, lasting });
        let ended = transfer.run(&disk, 1);
        if !disk.has_failed() {
            continue;
        }
        failed += 1;
        let fail = |why: String| -> ! { panic!("{name}, {errno:?} at call {at} ({ended:?}): {why}") };
        match &ended {
            Err(fault) if is_named_right(fault, errno) => (),
            Ok(report) if report.outcomes.len() == transfer.items.len() => (),
            Err(_) | Ok(_) => fail("not what the system said".to_owned()),
        }
        let moment = disk.moments().pop().unwrap();
        for image in crashes(&moment, 6, &mut random).into_iter().chain([disk.live()]) {
            judge(transfer, &image, &moment.promises).unwrap_or_else(|why| fail(why));
        }
        disk.heal();
        recover(transfer, &disk, 2, &moment.promises).unwrap_or_else(|why| fail(why));
    }
    eprintln!("{name}: {failed} calls failed with {} in {:?}", errno.raw_os_error(), began.elapsed());
}

fn is_named_right(fault: &DiskFault, errno: Errno) -> bool {
    match fault {
        DiskFault::Full { .. } => errno == Errno::NOSPC,
        DiskFault::Quota { .. } => errno == Errno::DQUOT,
        DiskFault::Denied { .. } => errno == Errno::ACCESS,
        DiskFault::ReadOnly { .. } => errno == Errno::ROFS,
        DiskFault::Failed { code, .. } => *code == errno.raw_os_error(),
        _ => false,
    }
}

/// A file of some chunks, the last of them short.
fn long_file() -> Transfer {
    Transfer::new(vec![Item::file("long", 2 * CHUNK + 5000, 1)])
}

/// Files, folders and a link, few at a time.
fn small_tree() -> Transfer {
    let items = vec![
        Item::file("t/a", 9000, 1),
        Item::file("t/sub/b", 5000, 2),
        Item::file("t/sub/empty", 0, 3),
        Item::folder("t/sub"),
        Item::folder("t"),
        Item::link("t/link", "sub/b"),
    ];
    Transfer { batch: 2, ..Transfer::new(items) }
}

/// More files and folders in a batch than are synced one by one.
fn many_files() -> Transfer {
    let file = |number: usize| Item::file(&format!("t/{number}/f"), 30 + number, number as u64);
    Transfer { batch: 10, ..Transfer::new((0..10).map(file).collect()) }
}

/// More long files under way than are synced one by one.
fn many_long_files() -> Transfer {
    let file = |number: usize| Item::file(&format!("{number}"), CHUNK + 10 + number, number as u64);
    Transfer { batch: 9, checkpoint: 9, ..Transfer::new((0..9).map(file).collect()) }
}

/// Names that are taken by files, and are to be replaced.
fn replacing() -> Transfer {
    let items = vec![Item::file("a", 9000, 1), Item::file("t/b", 5000, 2)];
    let before = vec![Item::file("a", 7000, 3), Item::file("t/b", 5000, 4), Item::file("t/mine", 100, 5)];
    Transfer { before, on_conflict: OnConflict::Overwrite, ..Transfer::new(items) }
}

/// Two long files that are under way together with a short one.
fn mixed() -> Transfer {
    let items = vec![
        Item::file("t/long", CHUNK + 9000, 1),
        Item::file("t/short", 100, 2),
        Item::file("t/longer", CHUNK + 10_000, 3),
        Item::folder("t"),
    ];
    Transfer { batch: 4, checkpoint: 2, ..Transfer::new(items) }
}

#[test]
fn a_crash_leaves_a_long_file_to_be_resumed() {
    let transfer = long_file();
    let count = crash_everywhere("long file", &transfer, 16, Some(100));
    assert!(count.chunks_here > 0);
}

#[test]
fn a_crash_leaves_a_small_tree_whole_or_absent() {
    let transfer = small_tree();
    crash_everywhere("small tree", &transfer, 200, Some(400));
}

#[test]
fn a_crash_leaves_many_files_whole_or_absent() {
    let transfer = many_files();
    crash_everywhere("many files", &transfer, 40, Some(1000));
}

#[test]
fn a_crash_leaves_the_old_file_or_the_new_one() {
    let transfer = replacing();
    crash_everywhere("replacing", &transfer, 200, Some(200));
}

#[test]
fn a_crash_leaves_files_whole_where_names_are_given_by_hard_links() {
    let transfer = Transfer { links_only: true, ..small_tree() };
    crash_everywhere("hard links", &transfer, 120, Some(400));
}

#[test]
fn a_crash_leaves_what_was_there_under_a_taken_name() {
    let transfer = Transfer { on_conflict: OnConflict::Refuse, ..replacing() };
    crash_everywhere("taken names", &transfer, 40, None);
}

#[test]
fn a_crash_leaves_several_long_files_to_be_resumed() {
    let transfer = mixed();
    crash_everywhere("mixed", &transfer, 16, None);
}

#[test]
fn a_crash_leaves_many_long_files_to_be_resumed() {
    let transfer = many_long_files();
    crash_everywhere("many long files", &transfer, 1, None);
}

#[test]
fn any_failure_of_the_disk_is_named_and_the_next_run_completes() {
    for (name, transfer) in
        [("small tree", small_tree()), ("many files", many_files()), ("replacing", replacing())]
    {
        for errno in [Errno::NOSPC, Errno::DQUOT, Errno::IO, Errno::ROFS, Errno::ACCESS] {
            fail_everywhere(name, &transfer, errno, false);
        }
        fail_everywhere(name, &transfer, Errno::NOSPC, true);
    }
    fail_everywhere("long file", &long_file(), Errno::NOSPC, true);
    fail_everywhere("long file", &long_file(), Errno::IO, false);
}

/// A process that is killed leaves all that it did to be seen by the next one, and nothing of it durable.
#[test]
fn what_a_killed_run_left_unsynced_is_synced_by_the_next() {
    for (name, transfer) in [("small tree", small_tree()), ("many files", many_files()), ("mixed", mixed())] {
        fail_everywhere(name, &transfer, Errno::IO, true);
    }
}

/// The harness bites: each kind of sync that the code does is needed, and leaving it out is found.
#[test]
fn each_kind_of_sync_is_needed() {
    let kinds = [
        ("fdatasync of a staged file", long_file()),
        ("fsync of data", long_file()),
        ("fdatasync of a journal", long_file()),
        ("fsync of a stage", long_file()),
        ("fsync of the receive folder", long_file()),
        ("fsync of a staged file", small_tree()),
        ("fsync of a folder", small_tree()),
        ("syncfs", many_files()),
        ("syncfs", many_long_files()),
    ];
    for (kind, transfer) in kinds {
        let missing = Transfer { missing: Some(kind), ..transfer };
        let found = explore(&missing, 16, None).expect_err(kind);
        eprintln!("{kind}: {}", found.lines().next().unwrap());
    }
}

/// The bytes are compared, but whoever copied them there did not sync them.
#[test]
fn a_file_that_is_kept_in_its_place_is_synced_there() {
    let item = Item::file("a", 9000, 1);
    let EntryKind::File { mtime, .. } = item.entry.kind else { panic!("a file") };
    let kept = |missing| {
        let transfer = Transfer { missing, ..Transfer::new(vec![item.clone()]) };
        let disk = Disk::new(transfer.start());
        let file = disk.root().create_file("a").unwrap();
        file.write_at(&item.bytes, 0).unwrap();
        os::set_mtime(&file, mtime).unwrap();
        let report = recover(&transfer, &disk, 1, &[])?;
        assert_eq!((report.here.len(), report.written), (1, 0));
        Ok::<_, String>(())
    };
    assert_eq!(kept(None), Ok(()));
    for missing in ["fsync of a named file", "fsync of the receive folder"] {
        assert!(kept(Some(missing)).is_err(), "{missing}");
    }
}
