//! Names that the receive folder has already, or that the sender itself uses twice.

use std::path::PathBuf;

use p2pcp::fs::OnConflict::{self, Overwrite, Refuse, Rename, Skip};
use p2pcp::wire::peer::Outcome;

use crate::hostile_sender::raw::{Raw, RawKind, file, file_with, folder, link};
use crate::hostile_sender::scene::{Fact, Heard, Scene};

/// What becomes of an entry, as far as these cases tell outcomes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    Kept,
    Exists,
    Skipped,
}
use Ends::{Exists, Kept, Skipped};

impl From<Outcome> for Ends {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Kept { .. } => Kept,
            Outcome::Exists => Exists,
            Outcome::Skipped => Skipped,
            Outcome::Refused | Outcome::SourceFailed(_) | Outcome::Unwanted => {
                panic!("{outcome:?} in a scene that can hold it")
            }
        }
    }
}

pub fn ends(heard: &Heard) -> Vec<Ends> {
    heard.outcomes.values().map(|&it| it.into()).collect()
}

/// Sends one batch and says what each entry came to and what is new; all else is as it was.
async fn send(on_conflict: OnConflict, batch: &[Raw]) -> (Vec<Ends>, Vec<(PathBuf, Fact)>) {
    send_into(&Scene::new(), on_conflict, batch).await
}

async fn send_into(
    scene: &Scene,
    on_conflict: OnConflict,
    batch: &[Raw],
) -> (Vec<Ends>, Vec<(PathBuf, Fact)>) {
    let case = format!("{on_conflict:?} {batch:?}");
    let before = scene.snapshot();
    let played = scene.play(on_conflict, async |it| it.transfer(&[batch]).await).await;
    assert!(played.result.is_ok(), "{case}: {:?}", played.result);
    assert!(played.heard.complete, "{case}");
    assert_eq!(played.heard.outcomes.len(), batch.len(), "{case}: each is settled");
    (ends(&played.heard), scene.added_since(&before, &case).into_iter().collect())
}

/// What the person has stays, whatever would come in its place; and a link or a file on the way is the
/// end of the way.
#[tokio::test]
async fn what_is_there_stays_and_no_link_is_a_way() {
    let scene = Scene::new();
    for name in [
        "mine.txt",
        "photos",
        "photos/old.jpg",
        "photos/up",
        "out",
        "file-link",
        "dangling",
        "absolute",
        "pipe",
    ] {
        for entry in [file(name), link(name, "x"), link(name, "old.jpg")] {
            let at_top = !name.contains('/');
            if at_top && matches!(entry.kind, RawKind::Link(_)) {
                continue; // A link at the top is refused as such: see `links`.
            }
            for (on_conflict, expected) in [(Refuse, Exists), (Skip, Skipped)] {
                let (ends, added) = send_into(&scene, on_conflict, std::slice::from_ref(&entry)).await;
                assert_eq!((ends.as_slice(), added.as_slice()), (&[expected][..], &[][..]), "{entry:?}");
            }
        }
    }
    for name in
        ["mine.txt", "photos/old.jpg", "photos/up", "out", "file-link", "dangling", "absolute", "pipe"]
    {
        let below = |rest: &str| format!("{name}/{rest}");
        for entry in [
            folder(name),
            file(below("x")),
            file(below("canary.txt")),
            file(below("secret.txt")),
            file(below("a/b/c")),
            folder(below("new")),
            link(below("l"), "x"),
        ] {
            for on_conflict in [Refuse, Skip, Overwrite, Rename] {
                let (ends, added) = send_into(&scene, on_conflict, std::slice::from_ref(&entry)).await;
                assert_eq!(ends, [Exists], "{on_conflict:?} {entry:?}");
                assert_eq!(added, [], "{on_conflict:?} {entry:?}");
            }
        }
    }
}

/// A person who allowed overwriting gave away names in the receive folder, not what links point at.
#[tokio::test]
async fn overwriting_replaces_the_link_and_never_its_target() {
    for name in ["out", "file-link", "dangling", "absolute", "pipe", "photos/up", "mine.txt"] {
        let scene = Scene::new();
        let mut before = scene.snapshot();
        let sent = file(name);
        let batch = std::slice::from_ref(&sent);
        let played = scene.play(Overwrite, async |it| it.transfer(&[batch]).await).await;
        assert_eq!(ends(&played.heard), [Kept], "{name}");
        before.remove(&PathBuf::from("home/receive").join(name));
        let added = scene.added_since(&before, name);
        assert_eq!(added.keys().collect::<Vec<_>>(), [&PathBuf::from(name)]);
        assert_eq!(added[&PathBuf::from(name)].content, sent.content());
    }
    let (ends, added) = send(Overwrite, &[file("photos")]).await;
    assert_eq!((ends, added), (vec![Exists], vec![]), "a folder is never replaced");
}

#[tokio::test]
async fn renaming_makes_a_name_beside_the_taken_one() {
    for (name, made) in [
        ("mine.txt", "mine (1).txt"),
        ("photos", "photos (1)"),
        ("out", "out (1)"),
        ("pipe", "pipe (1)"),
        ("dangling", "dangling (1)"),
        ("photos/up", "photos/up (1)"),
    ] {
        let (ends, added) = send(Rename, &[file(name)]).await;
        assert_eq!(ends, [Kept]);
        assert_eq!(added.iter().map(|it| &it.0).collect::<Vec<_>>(), [&PathBuf::from(made)]);
    }
}

/// The first that is whole has the name; whatever comes later finds it taken.
#[tokio::test]
async fn one_name_is_given_once() {
    let kept_first = [Kept, Exists].as_slice();
    for (first, second, expected, content) in [
        (file_with("a", "1"), file_with("a", "2"), kept_first, "1"),
        (file_with("a", "1"), folder("a"), kept_first, "1"),
        (file_with("a", "1"), file_with("a/b", "2"), kept_first, "1"),
        (file_with("a", "1"), folder("a/b"), kept_first, "1"),
        (file_with("a", ""), file_with("a/b/c", "2"), kept_first, ""),
        (folder("a"), file_with("a", "2"), kept_first, ""),
        (file_with("a/b", "1"), file_with("a", "2"), kept_first, ""),
        (file_with("a/b/c", "1"), file_with("a/b", "2"), kept_first, ""),
        (folder("a"), folder("a"), &[Kept, Kept], ""),
    ] {
        for apart in [false, true] {
            let case = format!("{first:?} then {second:?}, apart: {apart}");
            let scene = Scene::new();
            let before = scene.snapshot();
            let both = [first.clone(), second.clone()];
            let (one, two) = both.split_at(1);
            let together: &[&[Raw]] = if apart { &[one, two] } else { &[&both] };
            let played = scene.play(Refuse, async |it| it.transfer(together).await).await;
            assert!(played.result.is_ok(), "{case}: {:?}", played.result);
            assert_eq!(ends(&played.heard), expected, "{case}");
            let added = scene.added_since(&before, &case);
            assert_eq!(added[&PathBuf::from("a")].content, content.as_bytes(), "{case}");
        }
    }
}

/// The look before the bytes is a courtesy; what counts is the moment at which the name is given.
#[tokio::test]
async fn what_appears_between_plan_and_commit_stays() {
    for on_conflict in [Refuse, Skip] {
        let scene = Scene::new();
        let sent = file("late");
        let played = scene
            .play(on_conflict, async |hostile| {
                let mut heard = Heard::default();
                hostile.begin(&mut heard).await;
                hostile.announce(&mut heard, 0, std::slice::from_ref(&sent)).await;
                std::fs::write(scene.receive().join("late"), "the person's own").unwrap();
                hostile.bytes(0, sent.content()).await;
                hostile.finish(heard, 1).await
            })
            .await;
        let expected = if on_conflict == Skip { Skipped } else { Exists };
        assert_eq!(ends(&played.heard), [expected]);
        assert_eq!(std::fs::read(scene.receive().join("late")).unwrap(), b"the person's own");
    }
}

/// Names that are one on some file systems and two on others: each content is there once, whole, or its
/// entry is said to have met something.
#[tokio::test]
async fn names_that_differ_in_case_or_composition_never_mix() {
    for [one, two] in [
        ["readme", "README"],
        ["Straße", "STRASSE"],
        ["\u{e9}", "e\u{301}"],
        ["\u{212b}", "\u{c5}"],
        ["ﬁ", "fi"],
        ["I", "ı"],
        ["a", "a\u{200b}"],
        ["a", "a "],
        ["a", "a."],
        ["dir/x", "DIR/x"],
        ["Mine.txt", "MINE.TXT"],
        [".P2PCP-0123456789abcdef", ".P2pcp-0123456789abcdef"],
    ] {
        let (ends, added) = send(Refuse, &[file_with(one, "one"), file_with(two, "two")]).await;
        let contents: Vec<_> =
            added.iter().map(|it| it.1.content.as_slice()).filter(|it| !it.is_empty()).collect();
        let kept = ends.iter().filter(|it| **it == Kept).count();
        assert_eq!(contents.len(), kept, "{one:?} {two:?}: {ends:?}");
        let whole = contents.iter().all(|it| [b"one", b"two"].contains(&(*it).try_into().unwrap()));
        assert!(whole && kept >= usize::from(one != "Mine.txt"), "{one:?} {two:?}: {contents:?}");
    }
}
