//! Claims about the model itself: what a crash may and may not leave.

use std::collections::BTreeSet;

use crate::fs::crash_tests::disk::Disk;
use crate::fs::crash_tests::fates::{Random, crashes};
use crate::fs::crash_tests::image::{Body, Image};
use crate::fs::os::{self, Kind, Placing};
use crate::wire::peer::Mtime;

/// What a crash now can leave, told by `tell`.
fn left(disk: &Disk, tell: impl Fn(&Image) -> String) -> BTreeSet<String> {
    let moment = disk.moments().pop().unwrap();
    let seeds = 0..20;
    seeds.flat_map(|seed| crashes(&moment, 64, &mut Random(seed))).map(|image| tell(&image)).collect()
}

fn bytes_at(image: &Image, path: &str) -> String {
    let Some(inode) = image.find(path) else { return "none".to_owned() };
    match &image.node(inode).body {
        Body::File(content) => {
            let mut bytes = vec![0; content.size as usize];
            content.read(&mut bytes, 0);
            String::from_utf8_lossy(&bytes).into_owned()
        }
        Body::Folder(names) => names.keys().map(String::as_str).collect::<Vec<_>>().join(" "),
        Body::Link(target) => target.clone(),
    }
}

fn set(expected: &[&str]) -> BTreeSet<String> {
    expected.iter().map(|&it| it.to_owned()).collect()
}

#[test]
fn only_bytes_and_name_together_survive_when_both_are_synced() {
    let disk = Disk::new(Image::new());
    let root = disk.root();
    let file = root.create_file("f").unwrap();
    file.write_at(b"ab", 0).unwrap();
    let all = left(&disk, |it| bytes_at(it, "f"));
    assert!(all.is_superset(&set(&["none", "", "\0\0", "ab"])), "{all:?}");
    file.sync_data().unwrap();
    assert_eq!(left(&disk, |it| bytes_at(it, "f")), set(&["none", "ab"]));
    os::sync(&root).unwrap();
    assert_eq!(left(&disk, |it| bytes_at(it, "f")), set(&["ab"]));
    file.write_at(b"X", 1).unwrap();
    assert_eq!(left(&disk, |it| bytes_at(it, "f")), set(&["ab", "aX"]));
    os::sync_file_system(&root).unwrap();
    assert_eq!(left(&disk, |it| bytes_at(it, "f")), set(&["aX"]));
}

#[test]
fn a_rename_is_whole_in_one_folder_and_anything_between_two() {
    let disk = Disk::new(Image::new());
    let root = disk.root();
    root.create_file("a").unwrap();
    root.make_folder("sub", 0o777).unwrap();
    os::sync(&root).unwrap();
    root.move_new("a", &root, "b", Placing::Rename).unwrap();
    assert_eq!(
        left(&disk, |it| bytes_at(it, "sub/..").replace("none", &names(it))),
        set(&["a sub", "b sub"])
    );
    os::sync(&root).unwrap();
    root.move_over("b", &root.open_folder("sub").unwrap(), "c").unwrap();
    let there = |image: &Image| format!("{} + {}", names(image), bytes_at(image, "sub"));
    assert_eq!(left(&disk, there), set(&["b sub + ", "b sub + c", "sub + ", "sub + c"]));
    os::sync(&root.open_folder("sub").unwrap()).unwrap();
    assert_eq!(left(&disk, there), set(&["b sub + c", "sub + c"]));
}

fn names(image: &Image) -> String {
    image.names(0).keys().map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[test]
fn fdatasync_keeps_no_times_and_fsync_of_a_folder_not_what_is_in_its_files() {
    let disk = Disk::new(Image::new());
    let root = disk.root();
    let file = root.create_file("f").unwrap();
    os::sync(&root).unwrap();
    file.write_at(&[b'x'; 3], 0).unwrap();
    os::set_mtime(&file, Mtime::new(7, 0).unwrap()).unwrap();
    os::sync(&root).unwrap();
    assert!(left(&disk, |it| bytes_at(it, "f")).contains(""));
    file.sync_data().unwrap();
    assert_eq!(left(&disk, |it| bytes_at(it, "f")), set(&["xxx"]));
    let mtime = |it: &Image| it.node(it.find("f").unwrap()).mtime.seconds().to_string();
    assert_eq!(left(&disk, mtime), set(&["0", "7"]));
}

#[test]
fn long_writes_are_torn_between_pages() {
    let disk = Disk::new(Image::new());
    let file = disk.root().create_file("f").unwrap();
    file.truncate(3 * 4096).unwrap();
    os::sync_file_system(&disk.root()).unwrap();
    file.write_at(&[b'x'; 3 * 4096], 0).unwrap();
    let moment = disk.moments().pop().unwrap();
    let page = |image: &Image, at: u64| {
        let Body::File(content) = &image.node(image.find("f").unwrap()).body else { panic!() };
        let mut byte = [0];
        content.read(&mut byte, at * 4096 + 4095);
        byte[0] == b'x'
    };
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        seen.extend(crashes(&moment, 8, &mut Random(seed)).iter().map(|it| [0, 1, 2].map(|at| page(it, at))));
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
}

#[test]
fn files_read_as_they_were_written_in_any_order() {
    let mut random = Random(5);
    for _ in 0..200 {
        let disk = Disk::new(Image::new());
        let file = disk.root().create_file("f").unwrap();
        let mut expected: Vec<u8> = Vec::new();
        for _ in 0..20 {
            let (at, length) = (random.next() as usize % 60, random.next() as usize % 40);
            if random.next().is_multiple_of(4) {
                expected.resize(length, 0);
                file.truncate(length as u64).unwrap();
                continue;
            }
            let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
            file.write_at(&bytes, at as u64).unwrap();
            if !bytes.is_empty() {
                expected.resize(expected.len().max(at + length), 0);
                expected[at..at + length].copy_from_slice(&bytes);
            }
            let mut read = [0; 120];
            let from = random.next() as usize % 50;
            let count = file.read_at(&mut read, from as u64).unwrap();
            assert_eq!(&read[..count], expected.get(from..).unwrap_or_default());
        }
        let image = disk.live();
        let Body::File(content) = &image.node(image.find("f").unwrap()).body else { panic!() };
        assert!(content.is(&expected));
        expected.push(0);
        assert!(!content.is(&expected));
    }
}

#[test]
fn names_are_refused_as_by_a_system() {
    let disk = Disk::new(Image::new());
    let root = disk.root();
    root.make_folder("d", 0o777).unwrap();
    root.create_file("f").unwrap();
    root.make_link("f", "l").unwrap();
    let kind = |done: os::Result<()>| done.unwrap_err().kind;
    for placing in [Placing::Rename, Placing::Link] {
        for taken in ["d", "l"] {
            assert_eq!(kind(root.move_new("f", &root, taken, placing)), Kind::Exists);
        }
    }
    assert_eq!(kind(root.move_over("f", &root, "d")), Kind::IsFolder);
    assert_eq!(kind(root.open_folder("l").map(drop)), Kind::NotAFolder);
    assert_eq!(kind(root.open_file("l").map(drop)), Kind::NotAFolder);
    assert_eq!(kind(root.create_file("d").map(drop)), Kind::IsFolder);
    assert_eq!(kind(root.remove_folder("f")), Kind::NotAFolder);
    assert_eq!(kind(root.open_file("x").map(drop)), Kind::Missing);
    assert_eq!(root.read_link("l").unwrap(), "f");
    assert_eq!(root.probe_placing(), Ok(Placing::Rename));
    disk.state().links_only = true;
    assert_eq!(root.probe_placing(), Ok(Placing::Link));
    assert_eq!(root.names().unwrap().count(), 3);
}
