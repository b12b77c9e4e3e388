//! Claims about stages that are not as p2pcp leaves them, and about telling of stages and removing them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::fs::journal::{JournaledFile, Record, append_record};
use crate::fs::resume_tests::{CHUNK, content, entry, here, interrupted, open, plan, resumed, write};
use crate::fs::sink_tests::names;
use crate::fs::{DiskFault, LeftoverState, Plan, Unusable, bytes_here, free_bytes, leftovers};
use crate::wire::path::RelPath;
use crate::wire::peer::Mtime;

type Tampering<'a> = &'a dyn Fn(&Path);

/// A stage with two chunks of `a`.
fn staged() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let stage = interrupted(root.path(), 1, &entry("a", &content(1), 1), &content(1), 2);
    (root, stage)
}

/// Moves a part of a stage to `moved` beside the stage, and makes something in its place.
fn replace_by(path: &Path, make: impl Fn(&Path)) {
    let stage = path.ancestors().find(|it| it.to_str().unwrap().ends_with("0101")).unwrap();
    fs::rename(path, stage.with_file_name("moved")).unwrap();
    make(path);
}

/// Whatever is done to a stage, the transfer completes, and nothing else is touched.
#[test]
fn a_tampered_stage_is_not_gone_on_with() {
    let fifo = |path: &Path| mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let tampering: [(&str, Tampering); 12] = [
        ("data/0 is a link", &|it| replace_by(&it.join("data/0"), |at| symlink("../../moved", at).unwrap())),
        ("data/0 is a folder", &|it| replace_by(&it.join("data/0"), |at| fs::create_dir(at).unwrap())),
        ("data/0 is a pipe", &|it| replace_by(&it.join("data/0"), fifo)),
        ("data/0 has two names", &|it| fs::hard_link(it.join("data/0"), it.join("../other")).unwrap()),
        ("data/0 is gone", &|it| fs::remove_file(it.join("data/0")).unwrap()),
        ("data is a link", &|it| replace_by(&it.join("data"), |at| symlink("../moved", at).unwrap())),
        ("data is a file", &|it| replace_by(&it.join("data"), |at| fs::write(at, "").unwrap())),
        ("the journal is a link", &|it| {
            replace_by(&it.join("journal"), |at| symlink("../moved", at).unwrap())
        }),
        ("the journal is a folder", &|it| replace_by(&it.join("journal"), |at| fs::create_dir(at).unwrap())),
        ("the journal is a pipe", &|it| replace_by(&it.join("journal"), fifo)),
        ("others may write", &|it| fs::set_permissions(it, fs::Permissions::from_mode(0o777)).unwrap()),
        ("it is a link", &|it| {
            fs::rename(it, it.with_file_name("moved")).unwrap();
            symlink("moved", it).unwrap();
        }),
    ];
    for (what, tamper) in tampering {
        let (root, stage) = staged();
        tamper(&stage);
        let before = fs::read(root.path().join("moved")).ok();
        let (plan, fetched) = resumed(root.path(), &entry("a", &content(1), 1), &content(1));
        assert_eq!((plan, fetched.len()), (Plan::All, 4), "{what}");
        assert!(fs::read(root.path().join("moved")).ok() == before, "{what}");
    }
}

/// Root may go where others can write, as in `/tmp`.
#[test]
fn a_stage_of_another_user_is_not_gone_on_with() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED, only root can give files away: a_stage_of_another_user_is_not_gone_on_with");
        return;
    }
    for part in ["", "data"] {
        let (root, stage) = staged();
        chown(stage.join(part), Some(12_345), None).unwrap();
        assert_eq!(leftovers(root.path()).unwrap()[0].state, LeftoverState::Unusable(Unusable::NotYours));
        let (plan, _) = resumed(root.path(), &entry("a", &content(1), 1), &content(1));
        assert_eq!(plan, Plan::All);
        chown(root.path(), Some(12_345), None).unwrap();
        assert_eq!(
            leftovers(root.path()).unwrap()[0].state,
            LeftoverState::Resumable,
            "its owner may do all"
        );
    }
}

/// 100,000 files of one path, and numbers that no file has.
#[test]
fn a_journal_that_claims_much_is_read_and_not_believed() {
    let (root, stage) = staged();
    let mut journal = fs::read(stage.join("journal")).unwrap();
    for id in (1..100_000).chain([u32::MAX]) {
        let path = RelPath::parse("a").unwrap();
        let mtime = Mtime::new(1, 7).unwrap();
        append_record(&mut journal, &Record::File(JournaledFile { id, path, size: u64::MAX, mtime }));
    }
    fs::write(stage.join("journal"), journal).unwrap();
    let (plan, _) = resumed(root.path(), &entry("a", &content(1), 1), &content(1));
    assert_eq!(plan, here(2));
}

/// A sparse file of 8 TiB for an entry of 4 chunks, and for one that claims to be as long.
#[test]
fn a_huge_staged_file_is_cut_to_its_entry() {
    let (root, stage) = staged();
    fs::File::options().write(true).open(stage.join("data/0")).unwrap().set_len(8 << 40).unwrap();
    let (plan, fetched) = resumed(root.path(), &entry("a", &content(1), 1), &content(1));
    assert_eq!((plan, fetched), (here(4), vec![2, 3]));
}

#[test]
fn a_resumed_file_gets_the_ordinary_permissions() {
    let (root, stage) = staged();
    fs::set_permissions(stage.join("data/0"), fs::Permissions::from_mode(0o6777)).unwrap();
    fs::set_permissions(stage.join("data"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(root.path().join("plain"), "").unwrap();
    resumed(root.path(), &entry("a", &content(1), 1), &content(1));
    let mode = |name: &str| fs::metadata(root.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("a"), mode("plain"));
}

#[test]
fn leftovers_are_told_with_size_and_state() {
    let (root, stage) = staged();
    let state = || leftovers(root.path()).unwrap().into_iter().map(|it| it.state).collect::<Vec<_>>();
    let told = leftovers(root.path()).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].path, told[0].bytes, told[0].files), (&stage, 2 * CHUNK as u64, 1));
    assert!(told[0].modified.unwrap().seconds() > 1_000_000_000);
    assert_eq!(told[0].state, LeftoverState::Resumable);
    let living = open(root.path(), 2);
    assert_eq!(plan(&living, &entry("a", &content(1), 1)), here(2));
    assert_eq!(state(), [LeftoverState::InUse]);
    assert_eq!(told[0].remove(), Ok(false));
    drop(living);
    fs::rename(stage.join("journal"), stage.join("data/journal")).unwrap();
    assert_eq!(state(), [LeftoverState::Unusable(Unusable::NoJournal)]);
    fs::write(stage.join("journal"), "?").unwrap();
    assert_eq!(state(), [LeftoverState::Unusable(Unusable::Damaged)]);
    let mut old = Vec::new();
    append_record(&mut old, &Record::Header { format: 1 });
    fs::write(stage.join("journal"), old).unwrap();
    assert_eq!(state(), [LeftoverState::Unusable(Unusable::OtherVersion)]);
    resumed(root.path(), &entry("a", &content(1), 1), &content(1));
    assert_eq!(state().len(), 1, "what cannot be used is never silently deleted");
    assert_eq!(told[0].remove(), Ok(true));
    assert_eq!(names(root.path()), ["a"]);
    assert_eq!(leftovers(&root.path().join("nowhere")).unwrap(), []);
}

#[test]
fn only_what_looks_like_a_stage_is_removed() {
    let added: [(&str, Tampering); 4] = [
        ("a file", &|it| fs::write(it.join("precious"), "mine").unwrap()),
        ("a folder of files", &|it| fs::create_dir(it.join("data/precious")).unwrap()),
        ("a linked data folder", &|it| {
            fs::rename(it.join("data"), it.join("../precious")).unwrap();
            symlink("../precious", it.join("data")).unwrap();
        }),
        ("a linked journal", &|it| {
            fs::rename(it.join("journal"), it.join("../precious")).unwrap();
            symlink("../precious", it.join("journal")).unwrap();
        }),
    ];
    for (what, add) in added {
        let (root, stage) = staged();
        add(&stage);
        let told = leftovers(root.path()).unwrap().remove(0);
        assert_eq!(told.remove(), Err(DiskFault::Damaged { path: stage.clone() }), "{what}");
        assert!(stage.join("data/0").exists(), "nothing of it is removed: {what}");
    }
    let (root, _) = staged();
    let mut elsewhere = leftovers(root.path()).unwrap().remove(0);
    elsewhere.path = root.path().to_owned();
    assert!(elsewhere.remove().is_err());
}

/// Killed while it received small files only: nothing in it is worth going on with.
#[test]
fn a_stage_of_small_files_is_told_as_empty_and_goes_with_the_next_session() {
    let root = tempfile::tempdir().unwrap();
    let stage = interrupted(root.path(), 1, &entry("small", b"small", 1), b"small", 1);
    assert_eq!(leftovers(root.path()).unwrap()[0].state, LeftoverState::Unusable(Unusable::Empty));
    let living = open(root.path(), 3);
    plan(&living, &entry("other", b"small", 1));
    write(&living, 0, 0, b"small");
    resumed(root.path(), &entry("small", b"small", 1), b"small");
    assert!(!stage.exists());
    assert_eq!(names(root.path()), [".p2pcp-0303030303030303", "small"], "one in use stays");
}

#[test]
fn space_is_counted_before_anything_is_made() {
    let (root, _) = staged();
    assert!(free_bytes(&root.path().join("not/yet/there")).unwrap() > 0);
    assert!(!root.path().join("not").exists());
    fs::create_dir_all(root.path().join("t/u")).unwrap();
    fs::write(root.path().join("t/u/x"), "12345").unwrap();
    fs::write(root.path().join("y"), "123").unwrap();
    fs::write(root.path().join("other"), "1234567").unwrap();
    symlink("/", root.path().join("t/l")).unwrap();
    let names: Vec<_> = ["t", "y", "nothing"].map(|name| RelPath::parse(name).unwrap()).into();
    assert_eq!(bytes_here(root.path(), &names), 2 * CHUNK as u64 + 8);
    assert_eq!(bytes_here(&root.path().join("nowhere"), &names), 0);
}

/// A run that was cut off before its first byte leaves nothing that anybody could miss.
#[test]
fn a_hollow_stage_goes_with_the_next_transfer_and_one_with_a_byte_stays() {
    for (file, text, stays) in [("journal", "torn", false), ("data/probe", "", false), ("data/7", "x", true)]
    {
        let root = tempfile::tempdir().unwrap();
        let stage = root.path().join(".p2pcp-0202020202020202");
        fs::create_dir_all(stage.join("data")).unwrap();
        fs::write(stage.join(file), text).unwrap();
        resumed(root.path(), &entry("a", &content(1), 1), &content(1));
        assert_eq!(stage.exists(), stays, "{file}");
    }
}

/// Chunks that a torn journal does not name any more may be somebody's hours: only a person removes them.
#[test]
fn bytes_that_the_journal_lost_are_told_of_and_kept() {
    let (root, stage) = staged();
    let journal = fs::read(stage.join("journal")).unwrap();
    // The header takes 18 bytes; the record of the file behind it is torn.
    fs::write(stage.join("journal"), &journal[..32]).unwrap();
    let told = || leftovers(root.path()).unwrap()[0].state;
    assert_eq!(told(), LeftoverState::Unusable(Unusable::Damaged));
    resumed(root.path(), &entry("b", &content(2), 2), &content(2));
    assert_eq!(told(), LeftoverState::Unusable(Unusable::Damaged), "it was removed");
}
