//! Symbolic links from the sender: where they may point, and that nothing is ever written through one.

use std::path::{Path, PathBuf};

use p2pcp::fs::OnConflict::{self, Overwrite, Refuse, Rename, Skip};
use p2pcp::session::{Failure, Violation};
use p2pcp::wire::peer::PeerError;

use crate::hostile_sender::raw::{Raw, file, folder, link};
use crate::hostile_sender::scene::{Heard, Scene};
use crate::hostile_sender::taken::Ends::{self, Exists, Kept};
use crate::hostile_sender::taken::ends;

const ALL: [OnConflict; 4] = [Refuse, Overwrite, Rename, Skip];

/// Sends the batches; the session must end in this violation, and nothing be new.
async fn check_violation(scene: &Scene, batches: &[&[Raw]], expected: Violation) {
    for on_conflict in ALL {
        check_violation_by(scene, on_conflict, batches, &expected, &[]).await;
    }
}

/// As above, but entries before the fault may have been made: `allowed`.
async fn check_violation_by(
    scene: &Scene,
    on_conflict: OnConflict,
    batches: &[&[Raw]],
    expected: &Violation,
    allowed: &[&str],
) {
    let case = format!("{on_conflict:?} {batches:?}");
    let before = scene.snapshot();
    let played = scene.play(on_conflict, async |it| it.transfer(batches).await).await;
    assert_eq!(played.result, Err(Failure::Violation(expected.clone())), "{case}");
    for path in scene.added_since(&before, &case).keys() {
        assert!(allowed.iter().any(|it| Path::new(it) == path), "{case}: made {}", path.display());
    }
}

/// A target that is absolute, climbs behind a name, or is no name does not decode.
#[tokio::test]
async fn a_target_that_could_lead_anywhere_does_not_decode() {
    let scene = Scene::new();
    for target in [
        "",
        "/",
        "/etc",
        "/etc/passwd",
        "//x",
        "//server/share",
        "s/..",
        "s/../..",
        "s/../../..",
        "a/b/../../..",
        "./s/..",
        "../s/..",
        "s/../t",
        "s//t",
        "//",
        "s//",
        "a\0b",
        "\0",
        "a\nb",
        "\x1b[2J",
        "\u{202e}x",
        "\u{2028}",
        "s/\u{9b}2J",
    ] {
        let malformed = Violation::Control(PeerError::Malformed);
        check_violation(&scene, &[&[link("t/s/l", target)]], malformed).await;
    }
    let long = [vec![b'x'; 256], b"x/".repeat(2048), b"../".repeat(2000), vec![0xff, b'x'], vec![0xc0, 0xaf]];
    for target in long {
        let malformed = Violation::Control(PeerError::Malformed);
        check_violation(&scene, &[&[link("t/s/l", target)]], malformed).await;
    }
}

/// One that climbs past the top folder of its own entry is refused, and so is any link at the top.
#[tokio::test]
async fn a_link_that_leaves_its_top_folder_is_impossible() {
    let scene = Scene::new();
    for (name, target) in [
        ("l", "x"),
        ("l", "mine.txt"),
        ("l", "."),
        ("l", ".."),
        ("l", "../.ssh"),
        ("l", "./x"),
        ("t/l", ".."),
        ("t/l", "../"),
        ("t/l", "../u"),
        ("t/l", "../mine.txt"),
        ("t/l", "../../.ssh"),
        ("t/l", "./.."),
        ("t/l", "../."),
        ("t/l", "././../x"),
        ("t/s/l", "../.."),
        ("t/s/l", "../../x"),
        ("t/s/l", "./.././../x"),
        ("t/s/u/l", "../../.."),
        ("t/s/u/l", "../../../../../../etc"),
        ("photos/l", "../.."),
        ("out/l", "../secret.txt"),
        ("out/a/b/l", "../../../secret.txt"),
    ] {
        check_violation(&scene, &[&[link(name, target)]], Violation::ImpossibleEntry(0)).await;
    }
}

/// Links come last, so there is nothing yet to write through when files are announced.
#[tokio::test]
async fn nothing_but_links_may_follow_a_link() {
    for through in [file("t/l/x"), folder("t/l"), folder("t/l/x"), file("t/l"), file("u"), folder("u")] {
        let (start, l) = (file("t/s/x"), link("t/l", "s"));
        let made = &["t", "t/s", "t/s/x", "t/l"];
        for batches in [
            &[&[start.clone(), l.clone(), through.clone()][..]][..],
            &[&[start.clone(), l.clone()], std::slice::from_ref(&through)],
            &[std::slice::from_ref(&start), std::slice::from_ref(&l), std::slice::from_ref(&through)],
        ] {
            for on_conflict in ALL {
                let impossible = Violation::ImpossibleEntry(2);
                check_violation_by(&Scene::new(), on_conflict, batches, &impossible, made).await;
            }
        }
    }
}

async fn check_outcomes(batches: &[&[Raw]], expected: &[Ends], made: &[&str]) {
    for on_conflict in ALL {
        let case = format!("{on_conflict:?} {batches:?}");
        let scene = Scene::new();
        let before = scene.snapshot();
        let played = scene.play(on_conflict, async |it| it.transfer(batches).await).await;
        assert!(played.result.is_ok(), "{case}: {:?}", played.result);
        assert_eq!(ends(&played.heard), expected, "{case}");
        let added = scene.added_since(&before, &case);
        let made: Vec<PathBuf> = made.iter().map(PathBuf::from).collect();
        assert_eq!(added.into_keys().collect::<Vec<_>>(), made, "{case}");
    }
}

/// A link below a link of this very transfer, or below one that the person has, is not made.
#[tokio::test]
async fn a_link_is_no_way_to_another_link() {
    let f = file("t/s/f");
    let (dot, sub) = (link("t/dot", "."), link("t/sub", "s"));
    let through = |path: &str| link(path, "f");
    let made = &["t", "t/dot", "t/s", "t/s/f", "t/sub"];
    let all =
        [f.clone(), dot.clone(), sub.clone(), through("t/dot/l"), through("t/sub/l"), through("t/sub/a/l")];
    let expected = [Kept, Kept, Kept, Exists, Exists, Exists];
    check_outcomes(&[&all], &expected, made).await;
    let (first, second) = all.split_at(3);
    check_outcomes(&[first, second], &expected, made).await;
    check_outcomes(&[&[through("out/l"), through("photos/up/l"), through("dangling/l")]], &[Exists; 3], &[])
        .await;
}

/// A link's folders are made for it, but not in place of what is no folder.
#[tokio::test]
async fn links_that_stay_inside_are_made_as_they_are() {
    let all = [
        file("t/f"),
        link("t/plain", "f"),
        link("t/nowhere", "not-there"),
        link("t/self", "self"),
        link("t/new/up", "../f"),
        link("t/new/dot", "./../f"),
        link("t/new/folder", "../"),
        link("t/odd", "C:\\x"),
        link("photos/through", "up/secret.txt"),
    ];
    let made = [
        "photos/through",
        "t",
        "t/f",
        "t/new",
        "t/new/dot",
        "t/new/folder",
        "t/new/up",
        "t/nowhere",
        "t/odd",
        "t/plain",
        "t/self",
    ];
    check_outcomes(&[&all], &[Kept; 9], &made).await;
}

/// The way is looked at again for each entry: a folder that a link took the place of meanwhile is none.
#[tokio::test]
async fn a_folder_that_becomes_a_link_between_plan_and_commit_is_no_way() {
    let scene = Scene::new();
    let before = scene.snapshot();
    let inside = scene.receive().join("t");
    let (first, second) = (file("t/x"), file("t/y"));
    let played = scene
        .play(Refuse, async |hostile| {
            let mut heard = Heard::default();
            hostile.begin(&mut heard).await;
            hostile.batch(&mut heard, 0, std::slice::from_ref(&first)).await;
            hostile.settled(&mut heard, 0).await;
            hostile.announce(&mut heard, 1, std::slice::from_ref(&second)).await;
            std::fs::rename(&inside, scene.receive().join("moved")).unwrap();
            std::os::unix::fs::symlink("../../outside", &inside).unwrap();
            hostile.bytes(1, second.content()).await;
            hostile.finish(heard, 2).await
        })
        .await;
    assert_eq!(ends(&played.heard), [Kept, Exists]);
    let added: Vec<_> = scene.added_since(&before, "swapped").into_keys().collect();
    assert_eq!(added, ["moved", "moved/x", "t"].map(PathBuf::from));
}
