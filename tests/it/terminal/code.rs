//! The question for a code: completion, and an end in the middle of it.

use p2pcp::error::ExitCode;
use rustix::process::Signal;

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
