//! Wants and acknowledgements beyond what was offered and sent.

use p2pcp::session::Violation;
use p2pcp::wire::peer::{Outcome, Want};

use crate::hostile_receiver::check_violations;

#[test]
fn a_receiver_cannot_ask_beyond_the_offer() {
    check_violations(&[
        ("before it accepted", |it| it.want(0, &[Want::All]), Violation::OutOfTurn("wants")),
        (
            "one too many",
            |it| {
                it.accept();
                it.want(0, &[Want::All; 6]);
            },
            Violation::UnknownEntry(5),
        ),
        (
            "one that was not announced",
            |it| {
                it.begin();
                it.want(5, &[Want::All]);
            },
            Violation::UnknownEntry(5),
        ),
        (
            "out of order",
            |it| {
                it.accept();
                it.want(1, &[Want::All]);
            },
            Violation::Numbering { expected: 0, got: 1 },
        ),
        (
            "again",
            |it| {
                it.begin();
                it.want(0, &[Want::All]);
            },
            Violation::Numbering { expected: 5, got: 0 },
        ),
        (
            "what it has settled",
            |it| {
                it.accept();
                it.settled(0, Outcome::Exists);
                it.want(0, &[Want::All]);
            },
            Violation::FalseClaim(0),
        ),
        (
            "nothing, and has not settled it",
            |it| {
                it.accept();
                it.want(0, &[Want::Nothing]);
            },
            Violation::FalseClaim(0),
        ),
    ]);
}

#[test]
fn a_receiver_cannot_acknowledge_what_was_not_sent() {
    const TOO_MUCH: Violation = Violation::TooMuch("acknowledged bytes");
    check_violations(&[
        ("before it accepted", |it| it.ack(1, 1), Violation::OutOfTurn("ack")),
        (
            "before anything was sent",
            |it| {
                it.accept();
                it.ack(1, 0);
            },
            TOO_MUCH,
        ),
        (
            "one byte more",
            |it| {
                it.begin();
                it.ack(it.bulk_bytes + 1, 0);
            },
            TOO_MUCH,
        ),
        (
            "more written than received",
            |it| {
                it.begin();
                it.ack(5, 6);
            },
            TOO_MUCH,
        ),
        (
            "all there is",
            |it| {
                it.begin();
                it.ack(u64::MAX, u64::MAX);
            },
            TOO_MUCH,
        ),
        (
            "nothing new",
            |it| {
                it.begin();
                it.ack(9, 5);
                it.ack(9, 5);
            },
            TOO_MUCH,
        ),
        (
            "received backwards",
            |it| {
                it.begin();
                it.ack(9, 5);
                it.ack(8, 6);
            },
            TOO_MUCH,
        ),
        (
            "written backwards",
            |it| {
                it.begin();
                it.ack(9, 5);
                it.ack(10, 4);
            },
            TOO_MUCH,
        ),
    ]);
}
