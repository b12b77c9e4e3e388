//! Claims about [`Source`] and files that change under it: whatever is done, and whenever, is seen.

use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::fs::{Selection, Source};
use crate::wire::CHUNK_BYTES;
use crate::wire::peer::SourceFault;

const CHUNK: usize = CHUNK_BYTES as usize;

type Change = fn(&Path);

/// An announced file `t/f` of 3 chunks.
fn announced() -> (tempfile::TempDir, PathBuf, Source) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("t/f");
    fs::create_dir(root.path().join("t")).unwrap();
    fs::write(&path, vec![1; 2 * CHUNK + 1]).unwrap();
    let mut source = Source::open(&[root.path().join("t")], Selection::default()).unwrap();
    source.next_batch(9);
    (root, path, source)
}

fn file(path: &Path) -> fs::File {
    fs::File::options().write(true).open(path).unwrap()
}

fn append(path: &Path) {
    file(path).write_all_at(b"more", 2 * CHUNK as u64 + 1).unwrap();
}

fn shorten(path: &Path) {
    file(path).set_len(2 * CHUNK as u64 - 7).unwrap();
}

/// Size and time of the bytes are as before.
fn edit_unseen(path: &Path) {
    wait_for_a_later_time(path);
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    file(path).write_all_at(b"x", 3).unwrap();
    file(path).set_modified(modified).unwrap();
    assert_eq!(fs::metadata(path).unwrap().modified().unwrap(), modified);
}

/// The clock of a file system has ticks of some milliseconds; two changes in one of them are one.
fn wait_for_a_later_time(path: &Path) {
    use std::os::unix::fs::MetadataExt;
    let time = |it: fs::Metadata| (it.ctime(), it.ctime_nsec());
    let other = path.with_file_name("other");
    while time(fs::metadata(path).unwrap()) >= {
        fs::write(&other, "").unwrap();
        time(fs::metadata(&other).unwrap())
    } {}
    fs::remove_file(other).unwrap();
}

fn replace(path: &Path) {
    let other = path.with_file_name("other");
    fs::copy(path, &other).unwrap();
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    file(&other).set_modified(modified).unwrap();
    fs::rename(other, path).unwrap();
}

fn delete(path: &Path) {
    fs::remove_file(path).unwrap();
}

#[test]
fn a_file_that_nobody_touches_is_read_in_any_order_and_again() {
    let (_root, _, mut source) = announced();
    for index in [0, 1, 2, 2, 0, 1, 1, 2, 0] {
        assert!(source.read_chunk(0, index).is_ok(), "chunk {index}");
    }
}

#[test]
fn each_change_is_seen_at_the_next_chunk() {
    let changes: [(&str, Change, SourceFault); 5] = [
        ("append", append, SourceFault::Changed),
        ("shorten", shorten, SourceFault::Changed),
        ("edit with the time put back", edit_unseen, SourceFault::Changed),
        ("replace", replace, SourceFault::Changed),
        ("delete", delete, SourceFault::Gone),
    ];
    for (what, change, fault) in changes {
        // Before anything is read, between two chunks, before the last; and after the last, when some are
        // asked for again.
        for (read, next) in [(0, 0), (1, 1), (2, 2), (3, 0), (3, 1), (3, 2)] {
            let (_root, path, mut source) = announced();
            for index in 0..read {
                source.read_chunk(0, index).unwrap();
            }
            change(&path);
            let seen = source.read_chunk(0, next).map(drop).unwrap_err();
            assert_eq!(seen, fault, "{what} after {read} chunks, then chunk {next}");
        }
    }
}

/// Does `change` to the announced file `t/f`, then reads it.
fn read_after(change: impl FnOnce(&Path)) -> Result<(), SourceFault> {
    let (_root, path, mut source) = announced();
    change(&path);
    source.read_chunk(0, 0).map(drop)
}

#[test]
fn what_stands_in_a_files_place_is_not_read() {
    let link = |path: &Path| {
        fs::rename(path, path.with_file_name("moved")).unwrap();
        symlink("moved", path).unwrap();
    };
    assert_eq!(read_after(link), Err(SourceFault::Changed));
    // A pipe that nobody writes to would block whoever opens it in the ordinary way.
    let fifo = |path: &Path| {
        fs::remove_file(path).unwrap();
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    };
    assert_eq!(read_after(fifo), Err(SourceFault::Changed));
    let folder_link = |path: &Path| {
        let folder = path.parent().unwrap();
        fs::rename(folder, folder.with_file_name("u")).unwrap();
        symlink("/", folder).unwrap();
    };
    assert_eq!(read_after(folder_link), Err(SourceFault::Gone));
}
