//! The questions: consent, the code, the words of `--verify`.

use p2pcp::error::ExitCode;

use crate::support::terminal::Terminal;
use crate::support::{Running, Work, assert_same};
use crate::terminal::p2pcp;

const CONSENT: &str = "receive this? [y/N]";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

/// A sender, and a receiver at its terminal who is asked.
fn asked(work: &Work) -> (Running, Terminal) {
    work.tree("from").file("a", "1");
    let mut sender = work.send(&["from"]);
    let receiver = p2pcp(work, &format!("recv --loopback --output to {}", sender.code()));
    receiver.shows(CONSENT);
    (sender, receiver)
}

#[test]
fn yes_receives() {
    for answer in ["y\r", "Yes\r"] {
        let work = Work::new();
        let (sender, mut receiver) = asked(&work);
        receiver.type_in(answer);
        receiver.ends(ExitCode::Done, "received 1 file");
        sender.end().exits(ExitCode::Done);
        assert_same(&work.path("from"), &work.path("to/from"));
    }
}

#[test]
fn whatever_is_not_yes_declines() {
    for answer in ["n\r", "\r", "yep\r", CTRL_D] {
        let work = Work::new();
        let (sender, mut receiver) = asked(&work);
        receiver.type_in(answer);
        receiver.ends(ExitCode::Declined, "error: ");
        sender.end().fails_at_will(ExitCode::Declined, "the other side declined");
        assert!(!work.path("to").exists());
    }
}

#[test]
fn ctrl_c_at_the_question_interrupts() {
    let work = Work::new();
    let (sender, mut receiver) = asked(&work);
    receiver.type_in(CTRL_C);
    receiver.ends(ExitCode::Interrupted, "error: ");
    assert_ne!(sender.end().number(), Some(0));
    assert!(!work.path("to").exists());
}

/// What was typed before the question stood there was meant for something else.
#[test]
fn what_was_typed_ahead_is_no_answer() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let mut receiver = p2pcp(&work, "recv --loopback --output to");
    receiver.shows("code: ");
    let mut sender = work.send(&["from"]);
    receiver.type_in(&format!("{}\ry\r", sender.code()));
    receiver.shows(CONSENT);
    receiver.type_in("n\r");
    receiver.ends(ExitCode::Declined, CONSENT);
    sender.end();
}

#[test]
fn a_code_is_asked_for() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let mut sender = work.send(&["from"]);
    let mut receiver = p2pcp(&work, "recv --loopback --yes --output to");
    receiver.shows("code: ");
    receiver.type_in(&format!("{}\r", sender.code()));
    receiver.ends(ExitCode::Done, "received 1 file");
    sender.end().exits(ExitCode::Done);
}

#[test]
fn no_code_is_no_transfer() {
    for (typed, code) in [("\r", ExitCode::Usage), (CTRL_D, ExitCode::Usage), (CTRL_C, ExitCode::Interrupted)]
    {
        let work = Work::new();
        let mut receiver = p2pcp(&work, "recv --loopback --output to");
        receiver.shows("code: ");
        receiver.type_in(typed);
        receiver.ends(code, "code: ");
    }
}

#[test]
fn words_are_compared_at_both_terminals() {
    for (answer, code, text) in
        [("y\r", ExitCode::Done, "sent 1 file"), ("n\r", ExitCode::Declined, "error: ")]
    {
        let work = Work::new();
        work.tree("from").file("a", "1");
        let mut sender = p2pcp(&work, "send --loopback --verify from");
        let code_shown = sender.line("code: ");
        let mut receiver = p2pcp(&work, &format!("recv --loopback --yes --output to {code_shown}"));
        for side in [&mut sender, &mut receiver] {
            side.shows("do both sides show ");
            side.shows("[y/N]");
        }
        assert_eq!(sender.line("words to compare: "), receiver.line("words to compare: "));
        receiver.type_in("y\r");
        sender.type_in(answer);
        sender.ends(code, text);
        receiver.ends(code, "do both sides show ");
        assert_eq!(work.path("to").exists(), code == ExitCode::Done);
    }
}
