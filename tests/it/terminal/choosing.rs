//! Choosing from an offer at the question.

use p2pcp::error::ExitCode;

use crate::support::terminal::Terminal;
use crate::support::{Running, Work};
use crate::terminal::p2pcp;

/// A sender of several files, and a receiver at its terminal who is asked.
fn asked(work: &Work, options: &str) -> (Running, Terminal) {
    work.tree("from").file("a.txt", "1").file("b/c.txt", "22").file("b/d.jpg", "333").folder("empty");
    let mut sender = work.send(&["from"]);
    let receiver = p2pcp(work, &format!("recv --loopback --output to{options} {}", sender.code()));
    (sender, receiver)
}

fn there(work: &Work, name: &str) -> bool {
    work.path("to/from").join(name).exists()
}

#[test]
fn numbers_choose_entries_and_folders() {
    let work = Work::new();
    let (sender, mut receiver) = asked(&work, "");
    receiver.shows("receive this? [y/N, c to choose]");
    receiver.type_in("c\r");
    receiver.shows("1  from/  3 files, 6 B");
    receiver.shows("3  from/b/  2 files, 5 B");
    receiver.shows("4  from/b/c.txt  2 B");
    receiver.shows("which? (like 1 3-5, or globs)");
    receiver.type_in("9\r");
    receiver.shows("warning: the numbers are 1 to 6");
    receiver.type_in("2 4\r");
    receiver.shows("chosen: 2 files, 3 B");
    receiver.shows("receive these? [y/N, c to choose]");
    assert!(!work.path("to").exists());
    receiver.type_in("y\r");
    receiver.ends(ExitCode::Done, "received 2 files");
    sender.end().exits(ExitCode::Done).says("not wanted by the other side");
    assert!(there(&work, "a.txt") && there(&work, "b/c.txt"));
    assert!(!there(&work, "b/d.jpg") && !there(&work, "empty"));
    work.assert_no_stage("to");
}

#[test]
fn a_choice_can_be_made_anew_or_taken_back() {
    let work = Work::new();
    let (sender, mut receiver) = asked(&work, "");
    receiver.shows("[y/N, c to choose]");
    receiver.type_in("c\r");
    receiver.shows("which?");
    receiver.type_in("a.txt\r");
    receiver.shows("chosen: 1 file, 1 B");
    receiver.type_in("c\r");
    receiver.shows("which? (like 1 3-5, or globs) a.txt");
    receiver.wait("the list again", |screen| (screen.matches("which?").count() == 2).then_some(()));
    receiver.type_in("*.jpg\r");
    receiver.shows("chosen: 1 file, 3 B");
    receiver.type_in("y\r");
    receiver.ends(ExitCode::Done, "received 1 file");
    sender.end().exits(ExitCode::Done);
    assert!(there(&work, "b/d.jpg") && !there(&work, "a.txt"));
}

#[test]
fn nothing_chosen_asks_again_about_everything() {
    let work = Work::new();
    let (sender, mut receiver) = asked(&work, "");
    receiver.shows("[y/N, c to choose]");
    receiver.type_in("c\r");
    receiver.shows("which?");
    receiver.type_in("\r");
    receiver
        .wait("the question again", |screen| (screen.matches("receive this?").count() == 2).then_some(()));
    receiver.type_in("y\r");
    receiver.ends(ExitCode::Done, "received 3 files");
    sender.end().exits(ExitCode::Done);
    assert!(there(&work, "empty"));
}

/// Whoever said before what they want has chosen.
#[test]
fn with_only_there_is_nothing_to_choose() {
    let work = Work::new();
    let (sender, mut receiver) = asked(&work, " --only *.jpg");
    receiver.shows("receive this? [y/N] ");
    receiver.type_in("c\r");
    receiver.ends(ExitCode::Declined, "error: ");
    sender.end().exits(ExitCode::Declined);
}

/// What does not fit as a whole may be chosen from, and a yes to all of it is none.
#[test]
fn what_does_not_fit_can_be_chosen_from() {
    let work = Work::new();
    work.tree("from").file("small", "abc");
    let huge = std::fs::File::create(work.path("from/huge")).and_then(|it| it.set_len(8 << 40));
    if huge.is_err() {
        return crate::support::skip(
            "what_does_not_fit_can_be_chosen_from",
            "files here cannot have holes of 8 TiB",
        );
    }
    let mut sender = work.send(&["from"]);
    let mut receiver = p2pcp(&work, &format!("recv --loopback --output to {}", sender.code()));
    receiver.shows("it does not fit: 8.0 TiB are needed");
    receiver.shows("[y/N, c to choose]");
    receiver.type_in("y\r");
    receiver.shows("warning: it does not fit; `c` chooses less of it");
    receiver.type_in("c\r");
    receiver.shows("which?");
    receiver.type_in("small\r");
    receiver.shows("chosen: 1 file, 3 B");
    receiver.type_in("y\r");
    receiver.ends(ExitCode::Done, "received 1 file");
    sender.end().exits(ExitCode::Done);
    assert!(there(&work, "small") && !there(&work, "huge"));
}
