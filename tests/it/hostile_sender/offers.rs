//! What a person agreed to is all that comes: false offers, and entries that were not offered.

use p2pcp::fs::OnConflict;
use p2pcp::session::{Failure, Violation};
use p2pcp::wire::path::RelPath;
use p2pcp::wire::peer::{AbortReason, Offer, OfferItem, Outcome, PeerMessage, Totals};

use crate::hostile_sender::raw::{Raw, file_with, folder, link};
use crate::hostile_sender::scene::{Heard, Scene};

fn offer(names: &[&str], more: u32, totals: Totals) -> Offer {
    let name = |name: &&str| RelPath::parse(name).expect("a legal name");
    let item = |it: &&str| OfferItem { name: name(it), folder: false, size: 1 };
    Offer { items: names.iter().map(item).collect(), more, totals }
}

fn one_file() -> Totals {
    Totals { files: 1, bytes: 1, complete: true, ..Totals::default() }
}

/// Makes the offer, which the person accepts, and then sends the batch in perfect manners.
async fn send(offer: Offer, batch: &[Raw]) -> (Result<(), Failure>, Heard, Vec<String>) {
    let scene = Scene::new();
    let before = scene.snapshot();
    let played = scene
        .play(OnConflict::Overwrite, async |hostile| {
            let mut heard = Heard::default();
            hostile.say(&PeerMessage::Offer(offer)).await;
            hostile.listen(&mut heard, |it| matches!(it, PeerMessage::Accept { .. })).await;
            hostile.batch(&mut heard, 0, batch).await;
            hostile.finish(heard, batch.len() as u32).await
        })
        .await;
    let added = scene.added_since(&before, "an offer").into_keys();
    let added = added.map(|it| it.to_str().expect("text was sent").to_owned()).collect();
    (played.result.map(drop), played.heard, added)
}

#[tokio::test]
async fn what_was_offered_comes() {
    let (result, heard, added) = send(offer(&["a"], 0, one_file()), &[file_with("a", "x")]).await;
    assert_eq!((result, added), (Ok(()), vec!["a".to_owned()]));
    assert!(matches!(heard.outcomes[&0], Outcome::Kept { .. }));
}

/// Somebody who accepts a picture must not find a shell's start-up file, by whatever way it comes.
#[tokio::test]
async fn a_name_that_was_not_offered_ends_the_session() {
    for second in [
        file_with(".bashrc", "x"),
        file_with(".config/autostart/x", "x"),
        file_with("b", ""),
        file_with("A", "x"),
        file_with("aa", "x"),
        file_with("photos/new", "x"),
        folder("b"),
        link("b/l", "x"),
    ] {
        let (result, heard, added) =
            send(offer(&["a"], 0, Totals::default()), &[file_with("a", "x"), second.clone()]).await;
        assert_eq!(result, Err(Violation::BeyondOffer(1).into()), "{second:?}");
        assert_eq!(heard.abort, Some(AbortReason::Protocol), "{second:?}");
        assert_eq!(added, Vec::<String>::new(), "{second:?}");
    }
}

/// Final totals may be exceeded by what a living tree grows, not by a thousand files, or
/// as many folders on the way to a few, or a terabyte.
#[tokio::test]
async fn final_totals_are_final() {
    let thousand: Vec<_> = (0..1000).map(|it| file_with(format!("a/{it}"), "")).collect();
    let (result, _, added) = send(offer(&["a"], 0, one_file()), &thousand).await;
    assert!(matches!(result, Err(Failure::Violation(Violation::BeyondOffer(1..1000)))), "{result:?}");
    assert_eq!(added, Vec::<String>::new());
    let deep: Vec<_> = (0..9).map(|it| file_with(format!("a/{it}{}", "/x".repeat(100)), "")).collect();
    let (result, _, added) = send(offer(&["a"], 0, one_file()), &deep).await;
    assert!(matches!(result, Err(Failure::Violation(Violation::BeyondOffer(1..9)))), "{result:?}");
    assert_eq!(added, Vec::<String>::new());
    let huge = file_with("a", &"x".repeat(80 << 20));
    let (result, _, added) = send(offer(&["a"], 0, one_file()), &[huge]).await;
    assert_eq!(result, Err(Violation::BeyondOffer(0).into()));
    assert_eq!(added, Vec::<String>::new());
}

#[tokio::test]
async fn an_offer_that_no_honest_sender_makes_is_not_shown() {
    let overflowing = Totals { files: u64::MAX, folders: 1, ..one_file() };
    for impossible in [
        offer(&["a"; 13], 0, one_file()),
        offer(&["a"; 500], 0, one_file()),
        offer(&["a"], 1, one_file()),
        offer(&["a/b"], 0, one_file()),
        offer(&["a", "photos/old.jpg"], 0, one_file()),
        offer(&["a"], 0, overflowing),
        offer(&[], u32::MAX, Totals { links: 2, folders: u64::MAX - 1, ..one_file() }),
    ] {
        let (result, _, added) = send(impossible.clone(), &[file_with("a", "x")]).await;
        assert_eq!(result, Err(Violation::ImpossibleOffer.into()), "{impossible:?}");
        assert_eq!(added, Vec::<String>::new());
    }
}
