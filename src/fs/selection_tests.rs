//! Claims about [`Selection`] over real trees: what is left out, what links lead to, and that every walk ends.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::fs::hash::hash;
use crate::fs::{Glob, Globs, Ignores, Links, Listed, Selection, SkipReason, Source, SourceError};
use crate::wire::peer::{EntryKind, SourceFault};

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

fn excluding(globs: &[&str]) -> Selection {
    let globs: Vec<Glob> = globs.iter().map(|it| it.parse().unwrap()).collect();
    Selection { exclude: Globs::new(&globs).unwrap(), ..Selection::default() }
}

fn as_git() -> Selection {
    Selection { ignores: Ignores::Git, ..Selection::default() }
}

fn following() -> Selection {
    Selection { links: Links::Follow, ..Selection::default() }
}

/// Names in the manifest, and what was skipped: the survey must count and list the same.
fn sent(paths: &[&Path], selection: &Selection) -> (Vec<String>, Vec<(String, SkipReason)>) {
    let paths: Vec<_> = paths.iter().map(|it| it.to_path_buf()).collect();
    let mut source = Source::open(&paths, selection.clone()).unwrap();
    let mut survey = source.survey();
    let (mut listed, mut totals) = (Vec::new(), survey.step(0));
    while !totals.complete {
        totals = survey.list(1, |it| {
            if let Listed::Entry(entry) = it {
                listed.push(entry.path.to_string());
            }
        });
    }
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let (mut names, mut skipped, mut files) = (Vec::new(), Vec::new(), 0);
    loop {
        let batch = source.next_batch(3);
        files += batch.entries.iter().filter(|it| it.kind.is_file()).count();
        names.extend(batch.entries.into_iter().map(|it| it.path.to_string()));
        skipped.extend(batch.skipped.into_iter().map(|it| (name(&it.path), it.why)));
        if batch.done {
            break;
        }
    }
    assert_eq!(files as u64, totals.files);
    listed.sort();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(sorted, listed, "a survey finds what is sent");
    (names, skipped)
}

fn names(root: &Path, selection: &Selection) -> Vec<String> {
    let (names, skipped) = sent(&[&root.join("t")], selection);
    assert_eq!(skipped, []);
    names
}

#[test]
fn what_is_excluded_is_not_even_entered() {
    let root =
        tree(&[("t/a.o", ""), ("t/a.c", ""), ("t/target/x/y", ""), ("t/sub/b.o", ""), ("t/keep/target", "")]);
    symlink("a.c", root.path().join("t/link.o")).unwrap();
    let found = names(root.path(), &excluding(&["*.o", "target/"]));
    assert_eq!(found, ["t/a.c", "t/keep/target", "t/keep", "t/sub", "t"]);
    assert_eq!(
        names(root.path(), &excluding(&["/t/sub", "/t/keep", "t/target/**", "[!t]*"])),
        ["t/target", "t"]
    );
}

#[test]
fn a_named_path_can_be_excluded_but_not_all() {
    let root = tree(&[("a.o", ""), ("b.c", "")]);
    let [object, source] = ["a.o", "b.c"].map(|it| root.path().join(it));
    assert_eq!(sent(&[&object, &source], &excluding(&["*.o"])).0, ["b.c"]);
    let none = Source::open(&[object], excluding(&["*.o"])).map(drop);
    assert_eq!(none, Err(SourceError::AllExcluded));
}

#[test]
fn large_files_are_passed_over_by_name() {
    let root = tree(&[("t/small", "12"), ("t/just", "123"), ("t/large", "1234"), ("alone", "1234")]);
    let selection = Selection { max_size: Some(3), ..Selection::default() };
    let at = |name: &str| root.path().join(name);
    let (names, skipped) = sent(&[&at("t"), &at("alone")], &selection);
    assert_eq!(names, ["t/just", "t/small", "t"]);
    assert_eq!(skipped, [("large".into(), SkipReason::Large), ("alone".into(), SkipReason::Large)]);
    assert!(!SkipReason::Large.is_loss());
    let source = Source::open(&[at("t"), at("alone")], selection.clone()).unwrap();
    assert_eq!(source.offer_items().0.len(), 1, "what is not sent is not offered");
    assert_eq!(Source::open(&[at("alone")], selection).map(drop), Err(SourceError::AllExcluded));
}

#[test]
fn gitignore_files_govern_what_is_below_them() {
    let root = tree(&[
        ("t/.gitignore", "\u{feff}# made\n*.o\n/build/\n!keep.o\nsecret\\ \n[\n"),
        ("t/a.o", ""),
        ("t/keep.o", ""),
        ("t/build/x", ""),
        ("t/secret ", ""),
        ("t/sub/.gitignore", "*.c\n!*.o\n/only-here\n"),
        ("t/sub/a.o", ""),
        ("t/sub/a.c", ""),
        ("t/sub/build/x", ""),
        ("t/sub/only-here", ""),
        ("t/sub/deep/only-here", ""),
    ]);
    assert_eq!(names(root.path(), &Selection::default()).len(), 16);
    assert_eq!(
        names(root.path(), &as_git()),
        [
            "t/.gitignore",
            "t/keep.o",
            "t/sub/.gitignore",
            "t/sub/a.o",
            "t/sub/build/x",
            "t/sub/build",
            "t/sub/deep/only-here",
            "t/sub/deep",
            "t/sub",
            "t",
        ]
    );
}

#[test]
fn rules_above_a_named_path_hold_up_to_the_top_of_its_repository() {
    let root = tree(&[
        (".gitignore", "a\n"),
        ("repo/.git/HEAD", ""),
        ("repo/.gitignore", "*.o\n/src/made/\n!a\n"),
        ("repo/src/.gitignore", "!keep.o\n"),
        ("repo/src/t/a", ""),
        ("repo/src/t/b.o", ""),
        ("repo/src/t/keep.o", ""),
        ("repo/src/made/x", ""),
        ("repo/src/t/inner/.git/HEAD", ""),
        ("repo/src/t/inner/b.o", ""),
        ("loose/t/a", ""),
    ]);
    let at = |name: &str| root.path().join(name);
    let expected = ["t/a", "t/inner/.git/HEAD", "t/inner/.git", "t/inner/b.o", "t/inner", "t/keep.o", "t"];
    assert_eq!(sent(&[&at("repo/src/t")], &as_git()).0, expected);
    assert_eq!(sent(&[&at("repo/src/made")], &as_git()).0, ["made/x", "made"], "what is named is sent");
    assert_eq!(
        sent(&[&at("loose/t")], &as_git()).0,
        ["t/a", "t"],
        "outside of a repository nothing above is asked"
    );
}

#[test]
fn rules_that_cannot_be_read_end_what_they_govern() {
    let root = tree(&[("t/a", ""), ("t/sub/x", "")]);
    fs::write(root.path().join("t/sub/.gitignore"), "#".repeat(300_000)).unwrap();
    let (names, skipped) = sent(&[&root.path().join("t")], &as_git());
    assert_eq!((names, skipped), (vec!["t/a".into(), "t".into()], vec![("sub".into(), SkipReason::Rules)]));
    assert!(SkipReason::Rules.is_loss());
    fs::create_dir(root.path().join(".git")).unwrap();
    fs::write(root.path().join(".gitignore"), "#".repeat(300_000)).unwrap();
    let opened = Source::open(&[root.path().join("t")], as_git()).map(drop);
    assert!(matches!(opened, Err(SourceError::Rules { .. })));
}

#[test]
fn followed_links_are_what_they_lead_to() {
    let root = tree(&[("t/sub/a", "aa"), ("elsewhere/b", "bb"), ("elsewhere/deep/c", "cc"), ("file", "ff")]);
    let link = |target: &str, name: &str| symlink(target, root.path().join(name)).unwrap();
    link("../elsewhere", "t/folder");
    link("../file", "t/one");
    link("one", "t/two");
    link("nothing", "t/gone");
    link("loop", "t/loop");
    link("/dev/null", "t/null");
    let mut source = Source::open(&[root.path().join("t")], following()).unwrap();
    let batch = source.next_batch(100);
    let found: Vec<_> = batch.entries.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(
        found,
        [
            "t/folder/b",
            "t/folder/deep/c",
            "t/folder/deep",
            "t/folder",
            "t/one",
            "t/sub/a",
            "t/sub",
            "t/two",
            "t"
        ]
    );
    assert!(!batch.entries.iter().any(|it| matches!(it.kind, EntryKind::Link { .. })));
    let skipped: Vec<_> = batch.skipped.iter().map(|it| it.why).collect();
    assert_eq!(skipped, [SkipReason::Dangling, SkipReason::Dangling, SkipReason::Device]);
    for (entry, content) in [(0, "bb"), (1, "cc"), (4, "ff"), (5, "aa"), (7, "ff")] {
        assert_eq!(source.read_chunk(entry, 0).unwrap().hash, hash(content.as_bytes()), "entry {entry}");
    }
}

#[test]
fn a_followed_link_that_leads_elsewhere_meanwhile_is_a_change() {
    let root = tree(&[("t/x", ""), ("secret", "no"), ("file", "ff")]);
    symlink("../file", root.path().join("t/one")).unwrap();
    let mut source = Source::open(&[root.path().join("t")], following()).unwrap();
    assert_eq!(source.next_batch(100).entries[0].path.as_str(), "t/one");
    fs::remove_file(root.path().join("t/one")).unwrap();
    symlink("../secret", root.path().join("t/one")).unwrap();
    assert_eq!(source.read_chunk(0, 0).map(drop), Err(SourceFault::Changed));
}

/// Links up, to oneself and around, also deeper than the handles that a walk keeps.
#[test]
fn links_in_circles_end() {
    let root = tree(&[("t/a/x", ""), ("t/b/y", "")]);
    let link = |target: &str, name: &str| symlink(target, root.path().join(name)).unwrap();
    link(".", "t/self");
    link("..", "t/a/up");
    link("../b", "t/a/b");
    link("../a", "t/b/a");
    let (names, skipped) = sent(&[&root.path().join("t")], &following());
    assert_eq!(names, ["t/a/b/y", "t/a/b", "t/a/x", "t/a", "t/b/a/x", "t/b/a", "t/b/y", "t/b", "t"]);
    assert_eq!(skipped.len(), 5);
    assert!(skipped.iter().all(|(_, why)| *why == SkipReason::Cycle));
    let mut deep = root.path().join("t/c");
    fs::create_dir(root.path().join("far")).unwrap();
    fs::write(root.path().join("far/z"), "z").unwrap();
    for _ in 0..100 {
        fs::create_dir_all(&deep).unwrap();
        symlink(root.path().join("far"), deep.join("zz")).unwrap();
        deep.push("d");
    }
    let (names, _) = sent(&[&root.path().join("t")], &following());
    assert_eq!(names.iter().filter(|it| it.ends_with("/zz/z")).count(), 100);
}
