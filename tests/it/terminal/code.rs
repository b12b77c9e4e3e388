//! The question for a code: completion, and an end in the middle of it.

use p2pcp::error::ExitCode;
use rustix::process::Signal;

use crate::support::terminal::Terminal;
use crate::support::{Running, Work};
use crate::terminal::p2pcp;

fn sender(work: &Work) -> (Running, String) {
    work.tree("from").file("a", "1");
    let mut sender = work.send(&["from"]);
    let code = sender.code();
    (sender, code)
}

#[test]
fn three_letters_and_a_tab_make_a_word() {
    let work = Work::new();
    let (sender, code) = sender(&work);
    let [number, first, second] = code.split('-').collect::<Vec<_>>()[..] else { panic!("{code}") };
    let mut receiver = p2pcp(&work, "recv --loopback --yes --output to");
    receiver.shows("code: ");
    receiver.type_in(&format!("{number} {}\t", &first[..3]));
    receiver.shows(&format!("code: {number} {first}-"));
    receiver.type_in(&format!("{}\t\r", &second[..3]));
    let receiver = receiver.ends(ExitCode::Done, "received 1 file");
    assert!(
        receiver.screen().contains(&format!("code: {number} {first}-{second}\n")),
        "{}",
        receiver.screen()
    );
    sender.end().exits(ExitCode::Done);
}

#[test]
fn two_tabs_list_the_words_that_begin_so() {
    let work = Work::new();
    let mut receiver = p2pcp(&work, "recv --loopback --yes --output to");
    receiver.shows("code: ");
    receiver.type_in("417-tu\t\t");
    receiver.shows("tuba-");
    receiver.type_in("\x15\r");
    receiver.ends(ExitCode::Usage, "error: no code was given");
}

/// Waits until the question stands there for the `nth` time.
fn asks(receiver: &Terminal, nth: usize) {
    let asked = |screen: &str| screen.lines().filter(|line| line.starts_with("code: ")).count() == nth;
    receiver.wait(&format!("question {nth}"), |screen| asked(screen).then_some(()));
}

#[test]
fn what_is_no_code_is_told_and_asked_about_again() {
    let work = Work::new();
    let (sender, code) = sender(&work);
    let mut receiver = p2pcp(&work, "recv --loopback --yes --output to");
    let slips = [
        ("417", "it has 0 of the 2 to"),
        ("aloe-tuba", "it does not begin with a number"),
        ("417-aloe-xyzzy", "`xyzzy` is not a word of a code"),
    ];
    for (nth, (slip, told)) in (1..).zip(slips) {
        asks(&receiver, nth);
        receiver.type_in(&format!("{slip}\r"));
        receiver.shows(&format!("warning: that is no code: {told}"));
    }
    asks(&receiver, slips.len() + 1);
    receiver.type_in(&format!("{code}\r"));
    receiver.ends(ExitCode::Done, "received 1 file");
    sender.end().exits(ExitCode::Done);
}

#[test]
fn whoever_types_no_code_again_and_again_is_asked_no_more() {
    let work = Work::new();
    let mut receiver = p2pcp(&work, "recv --loopback --yes --output to");
    for nth in 1..=5 {
        asks(&receiver, nth);
        receiver.type_in("417\r");
    }
    receiver.ends(ExitCode::Code, "error: that is not a code");
}

/// The line can be edited, and what a slip changed is mended as ever.
#[test]
fn a_line_is_edited_before_it_counts() {
    let work = Work::new();
    let (sender, code) = sender(&work);
    let mut receiver = p2pcp(&work, "recv --loopback --yes --output to");
    receiver.shows("code: ");
    receiver.type_in(&format!("x{code}\x01\x1b[3~\r"));
    receiver.ends(ExitCode::Done, "received 1 file");
    sender.end().exits(ExitCode::Done);
}

/// A line editor changes how the terminal works; whoever ends the process gets it back.
#[test]
fn a_signal_in_the_middle_of_a_code_leaves_a_usable_terminal() {
    let work = Work::new();
    let mut receiver = p2pcp(&work, "recv --loopback --yes --output to");
    receiver.shows("code: ");
    receiver.type_in("417-al");
    receiver.shows("417-al");
    receiver.signal(Signal::TERM);
    receiver.ends(ExitCode::Terminated, "error: interrupted");
}

#[test]
fn a_plain_terminal_asks_without_an_editor() {
    let work = Work::new();
    let (sender, code) = sender(&work);
    let mut receiver = p2pcp(&work, "recv --plain --loopback --yes --output to");
    receiver.shows("code: ");
    assert!(receiver.is_as_before());
    receiver.type_in(&format!("{code}\r"));
    receiver.ends(ExitCode::Done, "received 1 file");
    sender.end().exits(ExitCode::Done);
}
