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
//! with runs that are cut off twice, and with a source that has changed meanwhile.
//!
//! `cargo test --lib fs::crash_tests -- --nocapture` prints how many disks were looked at. With
//! `P2PCP_CRASH_EFFORT=20` in the environment it looks at about that many times more: the long run.

mod content;
mod disk;
mod explore;
mod fates;
mod handle;
mod image;
mod model_tests;
mod transfer;
mod verdict;

use rustix::io::Errno;

use crate::fs::crash_tests::disk::Disk;
use crate::fs::crash_tests::explore::{change_everywhere, crash_everywhere, explore, fail_everywhere};
use crate::fs::crash_tests::transfer::{Item, Transfer};
use crate::fs::crash_tests::verdict::recover;
use crate::fs::{OnConflict, os};
use crate::wire::CHUNK_BYTES;
use crate::wire::peer::EntryKind;

const CHUNK: usize = CHUNK_BYTES as usize;

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
        Item::folder("t/none"),
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
    Transfer { batch: 9, checkpoint: 18, ..Transfer::new((0..9).map(file).collect()) }
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
    crash_everywhere("many files", &transfer, 24, Some(1000));
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

/// A staged file may be the named one too, after a crash between its names: it is not written on.
#[test]
fn a_crash_leaves_nothing_that_a_changed_source_could_spoil() {
    let first = Transfer::new(vec![Item::file("long", CHUNK + 5000, 1), Item::file("t/b", 5000, 2)]);
    let items = vec![Item::file("long", CHUNK + 5000, 3), Item::file("t/b", 6000, 4)];
    let changed = Transfer { on_conflict: OnConflict::Overwrite, ..Transfer::new(items) };
    for links_only in [false, true] {
        let first = Transfer { links_only, ..first.clone() };
        let changed = Transfer { links_only, ..changed.clone() };
        change_everywhere("changed source", &first, &changed, 16, 30);
    }
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
