//! Nothing is received without a yes.

use p2pcp::error::ExitCode;

use crate::support::{Work, assert_same, skip, snapshot};

#[test]
fn without_a_terminal_and_without_yes_it_declines() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let mut sender = work.send(&["from"]);
    let receiver = work.p2pcp(&["recv", "--loopback", "--output", "to/deep", &sender.code()]).run();
    receiver
        .fails(ExitCode::Declined, "not accepted: nobody was asked")
        .says("the other side offers 1 file, 1 folder, 1 B\n  from/\n    a  1 B\nto go into to/deep\n")
        .says("hint: give `--yes` to accept without being asked\n");
    sender
        .end()
        .fails(ExitCode::Declined, "the other side stopped: nobody was there to accept the offer")
        .says("hint: on the other side, run it in a terminal or give `--yes`\n");
    assert!(!work.path("to").exists());
}

/// What is in the way, here already or easily overlooked is known before the answer, and nothing is touched.
#[test]
fn an_offer_is_shown_as_a_tree_with_what_it_meets() {
    let work = Work::new();
    work.tree("from")
        .file("a.jpg", "theirs")
        .file("deep/er/b", "same")
        .file(".hidden", "inside is no matter")
        .aged("deep/er/b", 1_000_000_000, 0);
    work.tree("").file(".profile", "theirs");
    work.tree("to/from").file("a.jpg", "mine").file("deep/er/b", "same").aged("deep/er/b", 1_000_000_000, 0);
    let before = snapshot(&work.path("to"));
    let mut sender = work.send(&["from", ".profile"]);
    work.p2pcp(&["recv", "--loopback", "--output", "to", &sender.code()])
        .run()
        .fails(ExitCode::Declined, "not accepted: nobody was asked")
        .says("  from/\n    .hidden  19 B\n    a.jpg  6 B\n    deep/\n      er/\n        b  4 B\n  .profile  6 B\n")
        .says("1 name is taken here: from/a.jpg\n")
        .says("1 hidden name: .profile\n")
        .says("1 file of this size and time here already, to be compared\nto go into to\n");
    sender.end();
    assert_eq!(snapshot(&work.path("to")), before);
}

/// A yes that comes through a pipe is nobody's.
#[test]
fn an_answer_from_a_pipe_does_not_count() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let mut sender = work.send(&["from"]);
    let mut receiver = work.p2pcp(&["recv", "--loopback", &sender.code()]).typing().spawn();
    receiver.type_in("y\n");
    receiver.end().fails(ExitCode::Declined, "not accepted: nobody was asked");
    sender.end().exits(ExitCode::Declined);
    assert!(!work.path("a").exists());
}

/// Receives at a terminal, types `typed` when asked, and asserts how both sides end.
fn answer(test: &str, typed: &str, code: ExitCode) -> Option<(Work, String)> {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let mut sender = work.send(&["from"]);
    let arguments = format!("recv --loopback --output to {}", sender.code());
    let Some(mut receiver) = work.at_a_terminal(&arguments) else {
        skip(test, "there is no `script`");
        return None;
    };
    receiver.shows("[y/N] ");
    receiver.type_in(typed);
    let end = receiver.end();
    assert_eq!(end.number(), Some(code.number().into()), "{}", end.stdout);
    let sender = sender.end();
    match code {
        ExitCode::Done => drop(sender.exits(ExitCode::Done)),
        ExitCode::Declined => drop(sender.fails_at_will(ExitCode::Declined, "the other side declined")),
        _ => drop(sender.fails(ExitCode::Lost, "the other side stopped: it was interrupted")),
    }
    Some((work, end.stdout))
}

#[test]
fn yes_at_a_terminal_receives() {
    if let Some((work, shown)) = answer("yes_at_a_terminal_receives", "y\n", ExitCode::Done) {
        assert_same(&work.path("from"), &work.path("to/from"));
        assert!(shown.contains("received") && shown.contains("1 file, 1 folder: 1 B in"), "{shown}");
        assert!(!shown.contains("\u{1b}[?25l"), "the cursor was hidden");
    }
}

#[test]
fn anything_else_at_a_terminal_declines() {
    for typed in ["\n", "n\n", "no\n", "yeah\n", "\u{4}"] {
        if let Some((work, _)) = answer("anything_else_at_a_terminal_declines", typed, ExitCode::Declined) {
            assert!(!work.path("to").exists());
        }
    }
}

#[test]
fn control_c_at_the_question_interrupts() {
    let test = "control_c_at_the_question_interrupts";
    if let Some((work, shown)) = answer(test, "\u{3}", ExitCode::Interrupted) {
        assert!(!work.path("to").exists());
        assert!(shown.contains("interrupted"), "{shown}");
    }
}

#[test]
fn a_code_can_be_typed_at_a_terminal() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let mut sender = work.send(&["from"]);
    let code = sender.code();
    let Some(mut receiver) = work.at_a_terminal("recv --loopback --yes --output to") else {
        return skip("a_code_can_be_typed_at_a_terminal", "there is no `script`");
    };
    receiver.shows("code:");
    receiver.type_in(&format!("{code}\n"));
    let end = receiver.end();
    assert_eq!(end.number(), Some(0), "{}", end.stdout);
    sender.end().exits(ExitCode::Done);
    assert_same(&work.path("from"), &work.path("to/from"));
}
