//! Names alone: each is sent as a file, and what may not travel also as folder, link and offered name.

use std::path::Path;

use p2pcp::fs::OnConflict;
use p2pcp::session::{Failure, Violation};
use p2pcp::wire::peer::{AbortReason, Outcome, PeerError};

use crate::hostile_sender::lists::{LEGAL, long_and_legal, refused};
use crate::hostile_sender::raw::{self, Raw, file, folder, link};
use crate::hostile_sender::scene::{Heard, Scene};

/// Fewest names that the lists below must hold.
const AT_LEAST: usize = 200;

#[test]
fn there_are_enough_different_names() {
    let mut names = refused();
    names.extend(LEGAL.iter().map(|it| it.as_bytes().to_vec()));
    names.sort();
    let all = names.len();
    names.dedup();
    assert!(names.len() >= AT_LEAST && names.len() + 40 >= all, "{} of {all}", names.len());
}

/// A name that is none does not decode, in whatever place it stands, and nothing is touched: not even
/// the time of the receive folder.
#[tokio::test]
async fn what_is_no_name_ends_the_session_before_the_disk_is_touched() {
    let scene = Scene::new();
    let absolute = scene.path().join("outside/canary.txt").into_os_string().into_encoded_bytes();
    let time = || scene.receive().symlink_metadata().unwrap().modified().unwrap();
    let (before, time_before) = (scene.snapshot(), time());
    for name in refused().into_iter().chain([absolute]) {
        let as_entry = |it: Raw| (true, raw::entries(0, &[it]));
        for (consented, frame) in [
            as_entry(file(name.clone())),
            as_entry(folder(name.clone())),
            as_entry(link(name.clone(), "x")),
            (false, raw::offer(&name)),
        ] {
            let case = format!("{:?}", String::from_utf8_lossy(&name[..name.len().min(80)]));
            let played = scene
                .play(OnConflict::Overwrite, async |hostile| {
                    let mut heard = Heard::default();
                    if consented {
                        hostile.begin(&mut heard).await;
                    }
                    hostile.raw(&frame).await;
                    hostile.listen(&mut heard, |_| false).await;
                    heard
                })
                .await;
            let malformed = Violation::Control(PeerError::Malformed);
            assert_eq!(played.result, Err(Failure::Violation(malformed)), "{case}");
            let told = Heard { abort: Some(AbortReason::Protocol), ..Heard::default() };
            assert_eq!(played.heard, told, "{case}");
        }
    }
    assert_eq!(time(), time_before);
    assert!(scene.added_since(&before, "all of them").is_empty());
}

/// 4 KiB is long for a name; 64 KiB is long for a frame, and is not even looked at.
#[tokio::test]
async fn a_name_longer_than_a_frame_is_not_decoded() {
    let scene = Scene::new();
    let before = scene.snapshot();
    for length in [1 << 16, 1 << 20, 16 << 20] {
        let frame = raw::entries(0, &[file("x".repeat(length))]);
        let played = scene.play(OnConflict::Refuse, async |hostile| hostile.raw(&frame).await).await;
        let too_long = Violation::Control(PeerError::TooLong(frame.len()));
        assert_eq!(played.result, Err(Failure::Violation(too_long)));
    }
    assert!(scene.added_since(&before, "long names").is_empty());
}

#[tokio::test]
async fn odd_names_are_made_inside_and_nowhere_else() {
    let names: Vec<String> = LEGAL.iter().map(|&it| it.to_owned()).chain(long_and_legal()).collect();
    let scene = Scene::new();
    let before = scene.snapshot();
    let sent: Vec<Raw> = names.iter().map(|it| file(it.as_str())).collect();
    let played = scene.play(OnConflict::Refuse, async |it| it.transfer(&[&sent]).await).await;
    assert!(played.result.is_ok_and(|it| it.files == names.len() as u64));
    for (name, outcome) in names.iter().zip(played.heard.outcomes.values()) {
        assert!(matches!(outcome, Outcome::Kept { .. }), "{name:?}: {outcome:?}");
    }
    let mut added = scene.added_since(&before, "odd names");
    for (name, sent) in names.iter().zip(&sent) {
        let made = added.remove(Path::new(name)).map(|it| it.content);
        assert_eq!(made.as_deref(), Some(sent.content()), "{name:?}");
        let astray = Path::new(name).symlink_metadata();
        assert!(astray.is_err(), "{name:?} was made in the working directory too");
    }
    let on_the_way = |path: &Path| names.iter().any(|it| Path::new(it).starts_with(path));
    assert!(added.keys().all(|it| on_the_way(it)), "{:?}", added.keys());
}
