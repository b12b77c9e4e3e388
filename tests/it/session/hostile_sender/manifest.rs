//! Offers and manifests that cannot be.

use p2pcp::session::Violation;
use p2pcp::wire::path::RelPath;
use p2pcp::wire::peer::{Entry, Offer, PeerMessage, Totals};
use p2pcp::wire::{
    MANY_OUTSTANDING_ENTRIES, MAX_ENTRY_BYTES, MAX_OUTSTANDING_ENTRIES, MAX_OUTSTANDING_MANIFEST,
};

use crate::session::hostile_sender::{Victim, check_violations, file, folder, link, offer, offer_of};

/// Entries in frames of 12, until the receiver has enough.
fn flood(victim: &mut Victim, entry: impl Fn(u32) -> Entry) -> u32 {
    let mut first = 0;
    while victim.result.is_none() && first < 20_000 {
        let entries: Vec<_> = (first..first + 12).map(&entry).collect();
        victim.announce(first, &entries);
        first += 12;
    }
    first
}

#[test]
fn a_manifest_that_cannot_be_is_refused() {
    const IMPOSSIBLE: fn(u32) -> Violation = Violation::ImpossibleEntry;
    check_violations(&[
        ("entries before the offer", |it| it.announce(0, &[]), Violation::OutOfTurn("entries")),
        (
            "an offer after the offer",
            |it| {
                it.hear(&offer());
                it.hear(&offer());
            },
            Violation::OutOfTurn("offer"),
        ),
        (
            "an offer after consent",
            |it| {
                it.begin(&[]);
                it.hear(&offer());
            },
            Violation::OutOfTurn("offer"),
        ),
        (
            "too many names in an offer",
            |it| it.hear(&offer_of(&["a"; Offer::MAX_ITEMS + 1], Totals::default())),
            Violation::ImpossibleOffer,
        ),
        (
            "a name in an offer that is none of the top",
            |it| it.hear(&offer_of(&["a/b"], Totals::default())),
            Violation::ImpossibleOffer,
        ),
        (
            "totals past any number",
            |it| it.hear(&offer_of(&["a"], Totals { files: u64::MAX, links: 1, ..Totals::default() })),
            Violation::ImpossibleOffer,
        ),
        (
            "a gap",
            |it| {
                it.begin(&[file("a", 1)]);
                it.announce(2, &[file("b", 1)]);
            },
            Violation::Numbering { expected: 1, got: 2 },
        ),
        (
            "the same again",
            |it| {
                it.begin(&[file("a", 1)]);
                it.announce(0, &[file("a", 1)]);
            },
            Violation::Numbering { expected: 1, got: 0 },
        ),
        ("a file after a link", |it| it.begin(&[link("d/l", "x"), file("d/x", 1)]), IMPOSSIBLE(1)),
        ("a folder after a link", |it| it.begin(&[link("d/l", "x"), folder("d")]), IMPOSSIBLE(1)),
        (
            "a file after a link, later",
            |it| {
                it.idle = true;
                it.begin(&[link("d/l", "x")]);
                it.announce(1, &[file("d/x", 1)]);
            },
            IMPOSSIBLE(1),
        ),
        ("a link at the top", |it| it.begin(&[link("l", "x")]), IMPOSSIBLE(0)),
        ("a link that leaves its folder", |it| it.begin(&[link("d/l", "..")]), IMPOSSIBLE(0)),
        ("a link that leaves it deeper", |it| it.begin(&[link("d/s/l", "../../x")]), IMPOSSIBLE(0)),
        (
            "a file past any file system",
            |it| it.begin(&[file("a", 1), file("b", MAX_ENTRY_BYTES + 1)]),
            IMPOSSIBLE(1),
        ),
        (
            "an end with too few",
            |it| {
                it.begin(&[file("a", 1)]);
                it.hear(&PeerMessage::End { entries: 0, skipped: 0 });
            },
            Violation::Numbering { expected: 1, got: 0 },
        ),
        (
            "an end with too many",
            |it| {
                it.begin(&[file("a", 1)]);
                it.hear(&PeerMessage::End { entries: 2, skipped: 0 });
            },
            Violation::Numbering { expected: 1, got: 2 },
        ),
        (
            "entries after the end",
            |it| {
                it.begin(&[file("a", 1)]);
                it.hear(&PeerMessage::End { entries: 1, skipped: 0 });
                it.announce(1, &[file("b", 1)]);
            },
            Violation::OutOfTurn("entries"),
        ),
        (
            "a second end",
            |it| {
                it.begin(&[file("a", 1)]);
                it.hear(&PeerMessage::End { entries: 1, skipped: 0 });
                it.hear(&PeerMessage::End { entries: 1, skipped: 0 });
            },
            Violation::OutOfTurn("end"),
        ),
    ]);
}

/// Who accepted `cat.jpg` gets nothing else.
#[test]
fn what_was_not_offered_does_not_come() {
    const FINAL: Totals = Totals { files: 2, folders: 0, links: 0, bytes: 10, complete: true };
    fn accept(victim: &mut Victim, totals: Totals) {
        victim.idle = true;
        victim.hear(&offer_of(&["cat.jpg", "d"], totals));
        victim.yes();
    }
    check_violations(&[
        (
            "another name",
            |it| {
                accept(it, FINAL);
                it.announce(0, &[file("cat.jpg", 5), file(".profile", 5)]);
            },
            Violation::BeyondOffer(1),
        ),
        (
            "another name before consent",
            |it| {
                it.hear(&offer_of(&["cat.jpg"], FINAL));
                it.announce(0, &[folder("cat")]);
            },
            Violation::BeyondOffer(0),
        ),
        (
            "another folder",
            |it| {
                accept(it, Totals::default());
                it.announce(0, &[file("d/x", 5), file("d2/x", 5)]);
            },
            Violation::BeyondOffer(1),
        ),
        (
            "far more bytes",
            |it| {
                accept(it, FINAL);
                it.announce(0, &[file("d/x", 10), file("d/y", 1 << 40)]);
            },
            Violation::BeyondOffer(1),
        ),
        (
            "far more entries",
            |it| {
                accept(it, FINAL);
                let files: Vec<_> = (0..500).map(|nth| file(&format!("d/{nth}"), 0)).collect();
                it.announce(0, &files);
            },
            Violation::BeyondOffer(102),
        ),
    ]);
}

#[test]
fn a_manifest_cannot_grow_without_end() {
    for (consent, many) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut victim = Victim::new();
        victim.receiver = victim.receiver.with_many_entries(many);
        let most = if many { MANY_OUTSTANDING_ENTRIES } else { MAX_OUTSTANDING_ENTRIES };
        victim.hear(&offer());
        if consent {
            victim.yes();
        }
        let announced = flood(&mut victim, |it| file(&it.to_string(), 1));
        let violation = Violation::TooMuch("outstanding entries");
        assert_eq!(victim.result, Some(Err(violation.into())));
        assert!(announced <= (most + 12) as u32 && announced >= most as u32, "{announced} of {most}");
    }
}

/// The longest name that there is.
fn longest(number: u32) -> Entry {
    let folders = format!("{}/", "x".repeat(255)).repeat(15);
    let path = RelPath::parse(&format!("{folders}{number:0255}")).expect("a legal path");
    Entry { path, ..file("a", 1) }
}

/// The number of the entries is allowed, the bytes of their names are not.
#[test]
fn a_manifest_cannot_grow_by_its_names() {
    let mut victim = Victim::new();
    victim.hear(&offer());
    let announced = flood(&mut victim, longest);
    let violation = Violation::TooMuch("bytes of outstanding entries");
    assert_eq!(victim.result, Some(Err(violation.into())));
    assert!(announced <= (MAX_OUTSTANDING_MANIFEST / 4095) as u32 + 12);
}

/// What is settled is held no more, and makes room.
#[test]
fn a_manifest_of_any_length_passes_bit_by_bit() {
    let mut victim = Victim::new();
    victim.full = true;
    victim.begin(&[]);
    assert_eq!(flood(&mut victim, longest), 20_004);
    assert_eq!(victim.result, None);
}
