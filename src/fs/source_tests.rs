//! Claims about [`Source`] over real trees: names, order, skips, and files that change under it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use crate::fs::hash::hash;
use crate::fs::{Selection, SkipReason, Source, SourceError};
use crate::wire::CHUNK_BYTES;
use crate::wire::block::{self, PAYLOAD_BYTES};
use crate::wire::path::NameError;
use crate::wire::peer::{Entry, EntryKind, SourceFault};

const CHUNK: usize = CHUNK_BYTES as usize;

fn tree(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

fn open(paths: &[&Path]) -> Result<Source, SourceError> {
    Source::open(&paths.iter().map(PathBuf::from).collect::<Vec<_>>(), Selection::default())
}

/// The whole manifest, in batches of `size`, and what was skipped: path below `root` and reason.
fn manifest(source: &mut Source, size: usize, root: &Path) -> (Vec<Entry>, Vec<(PathBuf, SkipReason)>) {
    let (mut entries, mut skipped) = (Vec::new(), Vec::new());
    loop {
        let batch = source.next_batch(size);
        assert_eq!(batch.first as usize, entries.len());
        assert!(batch.entries.len() + batch.skipped.len() <= size);
        entries.extend(batch.entries);
        skipped
            .extend(batch.skipped.into_iter().map(|it| (it.path.strip_prefix(root).unwrap().into(), it.why)));
        if batch.done {
            return (entries, skipped);
        }
    }
}

fn names(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|it| it.path.as_str()).collect()
}

/// Root may read everything, so what is denied can only be tested as somebody else.
fn runs_as_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if root {
        eprintln!("SKIPPED as root, whom nothing is denied: {test}");
    }
    root
}

#[test]
fn folders_follow_their_contents_and_links_come_last() {
    let root = tree(&[("t/b/2", b""), ("t/b/1", b""), ("t/c", b""), ("t/a", b"x")]);
    symlink("b/1", root.path().join("t/aa")).unwrap();
    fs::create_dir(root.path().join("t/empty")).unwrap();
    for size in [1, 2, 3, 100] {
        let mut source = open(&[&root.path().join("t")]).unwrap();
        let (entries, skipped) = manifest(&mut source, size, root.path());
        assert_eq!(names(&entries), ["t/a", "t/b/1", "t/b/2", "t/b", "t/c", "t/empty", "t", "t/aa"]);
        assert_eq!(skipped, []);
    }
}

/// Deeper than the handles that a walk keeps, and with folders left to visit on the way back.
#[test]
fn deep_trees_are_walked_with_few_handles() {
    let root = tempfile::tempdir().unwrap();
    let mut path = root.path().join("t");
    for _ in 0..200 {
        fs::create_dir_all(path.join("z")).unwrap();
        fs::write(path.join("zz"), "x").unwrap();
        path.push("d");
    }
    let mut source = open(&[&root.path().join("t")]).unwrap();
    let (entries, skipped) = manifest(&mut source, 64, root.path());
    assert_eq!((entries.len(), skipped.len()), (600, 0));
    let all = names(&entries);
    for (at, entry) in
        entries.iter().enumerate().filter(|(_, it)| matches!(it.kind, EntryKind::Folder { .. }))
    {
        let inside = format!("{}/", entry.path);
        assert!(all[at..].iter().all(|later| !later.starts_with(&inside)));
    }
    let last_file = all.iter().position(|it| it.ends_with("zz")).unwrap() as u32;
    assert_eq!(source.read_chunk(last_file, 0).unwrap().hash, hash(b"x"));
}

#[test]
fn what_cannot_travel_is_skipped_with_its_reason() {
    let root = tree(&[("t/ok", b""), ("t/.p2pcp-0123456789abcdef/data/0", b""), ("t/.p2pcp-notes", b"")]);
    let at = |name: &str| root.path().join("t").join(name);
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    let device = mknodat(CWD, at("null"), FileType::CharacterDevice, Mode::RUSR, makedev(1, 3));
    fs::write(root.path().join("t").join(OsStr::from_bytes(b"\xff")), "").unwrap();
    fs::write(at("two\nlines"), "").unwrap();
    fs::create_dir(at("esc\x1b")).unwrap();
    fs::write(at("esc\x1b/inside"), "").unwrap();
    for (name, target) in [
        ("absolute", "/etc/passwd"),
        ("out", "../other"),
        ("up", "ok/../.."),
        ("in", "./ok"),
        ("gone", "nothing"),
    ] {
        symlink(target, at(name)).unwrap();
    }
    let mut source = open(&[&root.path().join("t")]).unwrap();
    let (entries, skipped) = manifest(&mut source, 7, root.path());
    assert_eq!(names(&entries), ["t/.p2pcp-notes", "t/ok", "t", "t/gone", "t/in"]);
    let why = |name: &[u8]| {
        let path = Path::new("t").join(OsStr::from_bytes(name));
        skipped.iter().filter(|(it, _)| *it == path).map(|(_, why)| *why).collect::<Vec<_>>()
    };
    assert_eq!(why(b"fifo"), [SkipReason::Fifo]);
    assert_eq!(why(b"socket"), [SkipReason::Socket]);
    match device {
        Ok(()) => assert_eq!(why(b"null"), [SkipReason::Device]),
        Err(error) => eprintln!("SKIPPED the device, which this user may not make: {error}"),
    }
    assert_eq!(why(b"\xff"), [SkipReason::Name(NameError::NotUtf8)]);
    assert_eq!(why(b"two\nlines"), [SkipReason::Name(NameError::Control)]);
    assert_eq!(why(b"esc\x1b"), [SkipReason::Name(NameError::Control)]);
    assert_eq!(why(b".p2pcp-0123456789abcdef"), [SkipReason::Stage]);
    assert_eq!(why(b"absolute"), [SkipReason::Link(NameError::Absolute)]);
    assert_eq!(why(b"out"), [SkipReason::Link(NameError::Outside)]);
    assert_eq!(why(b"up"), [SkipReason::Link(NameError::Outside)]);
    assert_eq!(skipped.len(), 9 + usize::from(device.is_ok()));
}

#[test]
fn a_survey_counts_what_will_be_sent() {
    let root = tree(&[("t/a", b"123"), ("t/b/c", b"45"), ("u", b"6")]);
    symlink("a", root.path().join("t/in")).unwrap();
    symlink("/", root.path().join("t/out")).unwrap();
    let source = open(&[&root.path().join("t"), &root.path().join("u")]).unwrap();
    let mut survey = source.survey();
    assert!(!survey.step(2).complete);
    let totals = survey.step(1000);
    assert_eq!((totals.files, totals.folders, totals.links, totals.bytes), (3, 2, 1, 6));
    assert!(totals.complete && survey.step(1) == totals);
    let (items, more) = source.offer_items();
    let items = items.iter().map(|it| (it.name.as_str(), it.folder, it.size)).collect::<Vec<_>>();
    assert_eq!((items, more), (vec![("t", true, 0), ("u", false, 1)], 0));
}

#[test]
fn top_level_names_are_those_of_the_real_things() {
    let root = tree(&[("real/sub/x", b"")]);
    symlink("real", root.path().join("link")).unwrap();
    let top = |path: &str| open(&[&root.path().join(path)]).unwrap().offer_items().0[0].name.to_string();
    assert_eq!(top("real/sub/.."), "real");
    assert_eq!(top("real/sub/."), "sub");
    assert_eq!(top("real/"), "real");
    assert_eq!(top("link"), "link");
    let (entries, _) = manifest(&mut open(&[&root.path().join("link")]).unwrap(), 9, root.path());
    assert_eq!(names(&entries), ["link/sub/x", "link/sub", "link"]);
    let here = std::env::current_dir().unwrap();
    assert_eq!(
        open(&[Path::new(".")]).unwrap().offer_items().0[0].name.as_str(),
        here.file_name().unwrap().to_str().unwrap()
    );
    assert_eq!(open(&[Path::new("/")]).unwrap_err(), SourceError::Nameless { path: "/".into() });
}

#[test]
fn paths_that_cannot_be_sent_are_named() {
    let root = tree(&[("a/x", b""), ("b/x", b""), (".p2pcp-x", b"")]);
    let at = |name: &str| root.path().join(name);
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    assert_eq!(open(&[]).unwrap_err(), SourceError::Nothing);
    assert_eq!(open(&[&at("a"), &at("nope")]).unwrap_err(), SourceError::Missing { path: at("nope") });
    assert_eq!(open(&[&at("fifo")]).unwrap_err(), SourceError::NotSendable { path: at("fifo") });
    let bad = SourceError::BadName { path: at(".p2pcp-x"), why: NameError::Reserved };
    assert_eq!(open(&[&at(".p2pcp-x")]).unwrap_err(), bad);
    let twice = open(&[&at("a/x"), &at("b/x")]).unwrap_err();
    assert!(matches!(twice, SourceError::SameName { first, .. } if first == at("a/x")));
}

#[test]
fn chunks_become_block_frames_and_their_hash() {
    let content: Vec<u8> = (0..CHUNK + 200_000).map(|it| (it / 7) as u8).collect();
    let root = tree(&[("big", &content)]);
    let mut source = open(&[&root.path().join("big")]).unwrap();
    source.next_batch(1);
    for (index, expected) in content.chunks(CHUNK).enumerate() {
        let chunk = source.read_chunk(0, index as u32).unwrap();
        assert_eq!(chunk.hash, hash(expected));
        let mut offset = index * CHUNK;
        for frame in chunk.frames {
            let (header, payload) = block::parse(frame.freeze()).unwrap();
            assert_eq!((header.entry, header.offset), (0, offset as u64));
            assert_eq!(payload, content[offset..offset + payload.len()]);
            assert!(payload.len() <= PAYLOAD_BYTES);
            offset += payload.len();
        }
        assert_eq!(offset, index * CHUNK + expected.len());
    }
    assert_eq!(source.read_chunk(0, 2).unwrap_err(), SourceFault::Io);
    assert_eq!(source.read_chunk(1, 0).unwrap_err(), SourceFault::Io);
    source.forget(0);
    assert_eq!((source.path_of(0), source.read_chunk(0, 0).unwrap_err()), (None, SourceFault::Io));
}

#[test]
fn a_sparse_file_reads_as_zeros_around_its_bytes() {
    let root = tempfile::tempdir().unwrap();
    let file = fs::File::create(root.path().join("sparse")).unwrap();
    file.set_len(1 << 40).unwrap();
    file.write_all_at(b"end", (1 << 40) - 3).unwrap();
    let mut source = open(&[&root.path().join("sparse")]).unwrap();
    source.next_batch(1);
    assert_eq!(source.read_chunk(0, 5).unwrap().hash, hash(&vec![0; CHUNK]));
    let last = source.read_chunk(0, (1 << 20) - 1).unwrap();
    assert!(last.frames.last().unwrap().ends_with(b"\0end"));
}

#[test]
fn an_empty_file_is_checked_like_any_other() {
    let root = tree(&[("t/a", b""), ("t/b", b"")]);
    let mut source = open(&[&root.path().join("t")]).unwrap();
    source.next_batch(9);
    fs::write(root.path().join("t/b"), "no longer empty").unwrap();
    assert_eq!(source.check(0), Ok(()));
    assert_eq!(source.check(1), Err(SourceFault::Changed));
    assert_eq!(source.check(2), Err(SourceFault::Io), "a folder has no bytes");
}

#[test]
fn what_may_not_be_read_is_denied_by_name() {
    if runs_as_root("what_may_not_be_read_is_denied_by_name") {
        return;
    }
    let root = tree(&[("t/closed/x", b""), ("t/secret", b"x")]);
    let forbid = |name: &str, mode| {
        fs::set_permissions(root.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    forbid("t/closed", 0);
    forbid("t/secret", 0);
    let mut source = open(&[&root.path().join("t")]).unwrap();
    let (entries, skipped) = manifest(&mut source, 9, root.path());
    forbid("t/closed", 0o700);
    assert_eq!(names(&entries), ["t/secret", "t"]);
    assert_eq!(skipped, [("t/closed".into(), SkipReason::Denied)]);
    assert_eq!(source.read_chunk(0, 0).unwrap_err(), SourceFault::Denied);
}

#[test]
fn batches_end_before_a_control_frame_is_full() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("t");
    fs::create_dir(&folder).unwrap();
    for number in 0..600 {
        fs::write(folder.join(format!("{number:0>250}")), "").unwrap();
    }
    let mut source = open(&[&folder]).unwrap();
    let mut batches = 0;
    loop {
        let batch = source.next_batch(usize::MAX);
        let message = crate::wire::peer::PeerMessage::Entries { first: batch.first, entries: batch.entries };
        crate::wire::peer::encode(&message);
        batches += 1;
        if batch.done {
            break;
        }
    }
    assert!(batches > 2);
}

/// Names that tell nothing, as hashes are: what lies together is alike.
#[test]
fn a_file_is_of_the_kind_of_its_extension_or_of_its_folder() {
    let root = tree(&[("t/a/1", b"x"), ("t/a.b/2", b"x"), ("t/c.txt", b"x")]);
    let mut source = open(&[&root.path().join("t")]).unwrap();
    let (entries, _) = manifest(&mut source, 9, root.path());
    let mut kinds: Vec<_> = (0..entries.len() as u32)
        .filter_map(|it| Some((entries[it as usize].path.as_str(), source.kind_of(it)?)))
        .collect();
    kinds.retain(|(path, _)| ["t/a/1", "t/a.b/2", "t/c.txt"].contains(path));
    kinds.sort_unstable();
    assert_eq!(kinds, [("t/a.b/2", "t/a.b"), ("t/a/1", "t/a"), ("t/c.txt", "txt")]);
}
