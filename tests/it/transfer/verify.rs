//! `--verify`: three words on both sides, compared before anything is offered.

use p2pcp::error::ExitCode;

use crate::support::process::Running;
use crate::support::{Work, assert_same, skip};

const QUESTION: &str = "do both sides show ";

/// A sender at a terminal, and its code; `None` where there is no `script`.
fn sender(work: &Work, options: &str) -> Option<(Running, String)> {
    work.tree("from").file("a", "1");
    let sender = work.at_a_wide_terminal(&format!("send --loopback {options} from"))?;
    sender.shows("waiting for the other side");
    let code = word(&sender, "code: ");
    Some((sender, code))
}

/// The rest of the first line at this terminal that begins with `start`.
fn word(at: &Running, start: &str) -> String {
    let shown = at.stdout();
    let found = shown.lines().find_map(|line| line.trim().strip_prefix(start));
    found.unwrap_or_else(|| panic!("no `{start}` in {shown}")).to_owned()
}

fn ends(running: Running, code: ExitCode, text: &str) {
    let end = running.end();
    assert_eq!(end.number(), Some(code.number().into()), "{}", end.stdout);
    assert!(end.stdout.contains(text), "no `{text}` in {}", end.stdout);
}

/// Only one side asks for it; both are asked, and both say these.
fn compare(test: &str, options: [&str; 2], [here, there]: [&str; 2]) -> Option<(Work, Running, Running)> {
    let work = Work::new();
    let Some((mut sender, code)) = sender(&work, options[0]) else {
        skip(test, "there is no `script`");
        return None;
    };
    let line = format!("recv --loopback --yes -o to {} {code}", options[1]);
    let mut receiver = work.at_a_wide_terminal(&line)?;
    for side in [&sender, &receiver] {
        side.shows(QUESTION);
    }
    let words = word(&sender, "words to compare: ");
    assert_eq!(words.split(' ').count(), 3, "{words}");
    assert_eq!(words, word(&receiver, "words to compare: "));
    assert!(!work.path("to").exists());
    sender.type_in(here);
    receiver.type_in(there);
    Some((work, sender, receiver))
}

#[test]
fn two_times_yes_transfers_whoever_asked_for_it() {
    for options in [["--verify", ""], ["", "--verify"], ["--verify", "--verify"]] {
        let test = "two_times_yes_transfers_whoever_asked_for_it";
        let Some((work, sender, receiver)) = compare(test, options, ["y\n", "y\n"]) else { return };
        ends(receiver, ExitCode::Done, "received");
        ends(sender, ExitCode::Done, "sent");
        assert_same(&work.path("from"), &work.path("to/from"));
    }
}

#[test]
fn a_no_ends_both_before_anything_is_offered() {
    let test = "a_no_ends_both_before_anything_is_offered";
    let Some((work, sender, receiver)) = compare(test, ["--verify", ""], ["", "n\n"]) else { return };
    ends(receiver, ExitCode::Declined, "error: not begun: the words are not the same on both sides");
    ends(sender, ExitCode::Declined, "error: the other side says that the words are not the same");
    assert!(!work.path("to").exists());
}

#[test]
fn where_nobody_can_compare_nothing_is_received() {
    let work = Work::new();
    let Some((sender, code)) = sender(&work, "--verify") else {
        return skip("where_nobody_can_compare_nothing_is_received", "there is no `script`");
    };
    work.recv(&code)
        .run()
        .fails(ExitCode::Declined, "the other side wants words compared, and nobody is here to do it")
        .says("hint: run it in a terminal\n")
        .says_not("the other side offers");
    ends(sender, ExitCode::Declined, "error: nobody is on the other side to compare the words");
    assert!(!work.path("to").exists());
}

#[test]
fn without_a_terminal_it_fails_before_anything_else() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let sentence = "`--verify` needs a terminal: nobody is there to compare words";
    work.p2pcp(&["send", "--loopback", "--verify", "from"])
        .run()
        .fails(ExitCode::Usage, sentence)
        .says_not("code: ");
    work.recv("417-aloe-tuba").arguments(&["--verify"]).run().fails(ExitCode::Usage, sentence);
}
