//! False words about what became of entries, and about the end.

use bytes::Bytes;
use p2pcp::session::{Failure, Input, Violation};
use p2pcp::wire::block::BlockError;
use p2pcp::wire::peer::{
    AbortReason, Offer, Outcome, PeerError, PeerMessage, Proof, Settled, SourceFault, Totals,
};
use p2pcp::wire::{Channel, MAX_CONTROL_FRAME};

use crate::hostile_receiver::{Victim, check, check_violations, mac};
use crate::session::disks::frame;

const KEPT: Outcome = Outcome::Kept { digest: [0; 32] };

#[test]
fn a_receiver_cannot_settle_what_is_not_so() {
    check_violations(&[
        ("before it accepted", |it| it.settled(0, Outcome::Exists), Violation::OutOfTurn("settled")),
        (
            "an unknown entry",
            |it| {
                it.begin();
                it.settled(5, Outcome::Exists);
            },
            Violation::UnknownEntry(5),
        ),
        (
            "twice",
            |it| {
                it.begin();
                it.settle(&[0, 0]);
            },
            Violation::UnknownEntry(0),
        ),
        (
            "kept without having asked",
            |it| {
                it.accept();
                it.settle(&[0]);
            },
            Violation::FalseClaim(0),
        ),
        (
            "a folder kept without having asked",
            |it| {
                it.accept();
                it.settle(&[4]);
            },
            Violation::FalseClaim(4),
        ),
        (
            "kept before the proof",
            |it| {
                it.idle = true;
                it.begin();
                it.settle(&[0]);
            },
            Violation::FalseClaim(0),
        ),
        (
            "kept with a wrong digest",
            |it| {
                it.begin();
                it.settled(0, Outcome::Kept { digest: [1; 32] });
            },
            Violation::FalseClaim(0),
        ),
        (
            "an empty file kept with no digest",
            |it| {
                it.begin();
                it.settled(1, KEPT);
            },
            Violation::FalseClaim(1),
        ),
        (
            "a folder kept with a digest",
            |it| {
                it.begin();
                it.settled(4, Outcome::Kept { digest: [1; 32] });
            },
            Violation::FalseClaim(4),
        ),
        (
            "kept what failed",
            |it| {
                it.begin();
                it.settled(2, KEPT);
            },
            Violation::FalseClaim(2),
        ),
        (
            "taken what failed",
            |it| {
                it.begin();
                it.settled(2, Outcome::Exists);
            },
            Violation::FalseClaim(2),
        ),
        (
            "failed what did not",
            |it| {
                it.begin();
                it.settled(0, Outcome::SourceFailed(SourceFault::Gone));
            },
            Violation::FalseClaim(0),
        ),
        (
            "failed in another way",
            |it| {
                it.begin();
                it.settled(2, Outcome::SourceFailed(SourceFault::Changed));
            },
            Violation::FalseClaim(2),
        ),
        (
            "taken while it is being read",
            |it| {
                it.idle = true;
                it.begin();
                it.settled(3, Outcome::Exists);
            },
            Violation::FalseClaim(3),
        ),
        (
            "more when all is settled",
            |it| {
                it.begin();
                it.settle(&[0, 1, 2, 3, 4]);
                it.settle(&[0]);
            },
            Violation::OutOfTurn("settled"),
        ),
    ]);
}

/// Settles all and gives the last word over something else.
fn complete_over(victim: &mut Victim<'_>, change: fn(&mut Vec<Settled>)) {
    victim.begin();
    let mut settled = victim.settle(&[0, 1, 2, 3, 4]);
    change(&mut settled);
    victim.hear(&PeerMessage::Complete { mac: mac(&settled) });
}

#[test]
fn a_receiver_cannot_complete_falsely() {
    const EARLY: Violation = Violation::OutOfTurn("complete");
    check_violations(&[
        ("before it accepted", |it| it.hear(&PeerMessage::Complete { mac: mac(&[]) }), EARLY),
        (
            "at once",
            |it| {
                it.accept();
                it.hear(&PeerMessage::Complete { mac: mac(&[]) });
            },
            EARLY,
        ),
        (
            "with one entry missing",
            |it| {
                it.begin();
                let settled = it.settle(&[0, 1, 2, 3]);
                it.hear(&PeerMessage::Complete { mac: mac(&settled) });
            },
            EARLY,
        ),
        ("over less", |it| complete_over(it, |it| it.truncate(4)), Violation::FalseCompletion),
        ("over another order", |it| complete_over(it, |it| it.swap(0, 1)), Violation::FalseCompletion),
        (
            "over another outcome",
            |it| complete_over(it, |it| it[2].outcome = KEPT),
            Violation::FalseCompletion,
        ),
        (
            "with no key",
            |it| {
                it.begin();
                it.settle(&[0, 1, 2, 3, 4]);
                it.hear(&PeerMessage::Complete { mac: [0; 32] });
            },
            Violation::FalseCompletion,
        ),
    ]);
}

#[test]
fn what_is_no_message_of_a_receiver_ends_it() {
    let totals = Totals::default();
    let offer = Offer { items: Vec::new(), more: 0, totals };
    for message in [
        PeerMessage::Bind { mac: [0; 32] },
        PeerMessage::Offer(offer),
        PeerMessage::Totals(totals),
        PeerMessage::Entries { first: 0, entries: Vec::new() },
        PeerMessage::Proofs(vec![Proof::Entry { entry: 0, digest: [0; 32] }]),
        PeerMessage::End { entries: 5, skipped: 0 },
        PeerMessage::Farewell,
        PeerMessage::Accept { window: 1 },
    ] {
        let tree = crate::hostile_receiver::tree();
        let mut victim = Victim::new(&tree);
        victim.begin();
        victim.hear(&message);
        let violation = Violation::OutOfTurn(message.name());
        assert_eq!(victim.result, Some(Err(violation.into())), "{message:?}");
        assert_eq!(victim.said.last(), Some(&PeerMessage::Abort(AbortReason::Protocol)));
    }
}

#[test]
fn what_is_no_message_at_all_ends_it() {
    const LONG: usize = MAX_CONTROL_FRAME + 1;
    const MALFORMED: Violation = Violation::Control(PeerError::Malformed);
    let control =
        |it: &mut Victim<'_>, frame: &[u8]| it.give(Input::Frame(Channel::Control, frame.to_vec().into()));
    assert_ne!(MALFORMED, Violation::Block(BlockError::Range));
    for (frame, violation) in [
        (&[][..], MALFORMED),
        (&[0xff; 4], MALFORMED),
        (b"GET / HTTP/1.1\r\n\r\n", MALFORMED),
        (&[6, 0, 0, 0, 1, 0, 0, 0, 0], MALFORMED),
        (&[0; LONG], Violation::Control(PeerError::TooLong(LONG))),
    ] {
        let tree = crate::hostile_receiver::tree();
        let mut victim = Victim::new(&tree);
        control(&mut victim, frame);
        assert_eq!(victim.result, Some(Err(violation.into())));
        assert_eq!(victim.said.last(), Some(&PeerMessage::Abort(AbortReason::Protocol)));
    }
    check_violations(&[
        (
            "bytes for the sender",
            |it| it.give(Input::Frame(Channel::Bulk, frame(0, 0, b"hello").freeze())),
            Violation::OutOfTurn("bulk"),
        ),
        (
            "no bytes for the sender",
            |it| it.give(Input::Frame(Channel::Bulk, Bytes::new())),
            Violation::OutOfTurn("bulk"),
        ),
    ]);
}

#[test]
fn a_receiver_that_stops_is_heard_and_not_answered() {
    let declined = Failure::Peer(AbortReason::Declined);
    check("at the offer", |it| it.hear(&PeerMessage::Abort(AbortReason::Declined)), &declined, None);
    let full = Failure::Peer(AbortReason::DiskFull);
    check(
        "later",
        |it| {
            it.begin();
            it.hear(&PeerMessage::Abort(AbortReason::DiskFull));
        },
        &full,
        None,
    );
    check("without a word", |it| it.give(Input::LinkLost), &Failure::LinkLost, None);
    let own = Failure::Own(AbortReason::Interrupted);
    let told = Some(AbortReason::Interrupted);
    check("here", |it| it.give(Input::Cancel(AbortReason::Interrupted)), &own, told);
}
