//! `send --text`: what somebody writes is read on the other side, and kept nowhere unless that side says where.

use std::fs;

use p2pcp::error::ExitCode;

use crate::support::{Running, Work, skip};

const TEXT: &str = "the password is\n\thunter2";

fn sender(work: &Work, text: &str) -> (Running, String) {
    let mut sender = work.p2pcp(&["send", "--loopback", "--text", text]).spawn();
    let code = sender.code();
    (sender, code)
}

fn files(work: &Work) -> Vec<String> {
    let entries = fs::read_dir(work.path(".")).unwrap();
    entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_text_comes_out_of_stdout_as_it_is_and_is_not_kept() {
    let work = Work::new();
    for text in [TEXT, "x", "ends with a line\n", "\u{1b}[31mraw\u{202e}", &"é".repeat(32 * 1024)] {
        let (sender, code) = sender(&work, text);
        let receiver = work.p2pcp(&["recv", "--loopback", "--yes", &code]).run();
        assert_eq!(receiver.number(), Some(0), "{}", receiver.stderr);
        assert_eq!(receiver.stdout, text);
        let characters = text.chars().count();
        let characters = if characters == 32 * 1024 { "32,768".to_owned() } else { characters.to_string() };
        let plural = if characters == "1" { "" } else { "s" };
        let said = format!(
            "the other side offers a text of {characters} character{plural}\nto go to standard output\n"
        );
        let receiver = receiver.says(&said).says_not("file").says_not("%");
        receiver.says(&format!("received a text of {characters} character{plural}\n"));
        sender.end().exits(ExitCode::Done).says(&format!("sent a text of {characters} character{plural}\n"));
    }
    assert!(files(&work).is_empty(), "{:?}", files(&work));
}

#[test]
fn a_text_is_kept_where_the_receiver_says() {
    let work = Work::new();
    let (sender_, code) = sender(&work, TEXT);
    let receiver = work.p2pcp(&["recv", "--loopback", "--yes", "-o", "note.txt", &code]).run();
    receiver.exits(ExitCode::Done).says("to be kept as note.txt\n");
    sender_.end().exits(ExitCode::Done);
    assert_eq!(fs::read_to_string(work.path("note.txt")).unwrap(), TEXT);
    let modified = fs::metadata(work.path("note.txt")).unwrap().modified().unwrap();
    assert!(modified.elapsed().unwrap_or_default() < crate::support::PATIENCE, "it has no time of its own");
    let (sender, code) = sender(&work, TEXT);
    let receiver = work.p2pcp(&["recv", "--loopback", "--yes", "-o", "-", &code]).run();
    assert_eq!((receiver.number(), receiver.stdout.as_str()), (Some(0), TEXT), "{}", receiver.stderr);
    sender.end().exits(ExitCode::Done);
    assert_eq!(files(&work), ["note.txt"]);
}

#[test]
fn a_text_can_come_from_a_pipe() {
    let work = Work::new();
    let mut sender = work.p2pcp(&["send", "--loopback", "--text", "-"]).typing().spawn();
    sender.type_in(TEXT);
    sender.close_stdin();
    let receiver = work.p2pcp(&["recv", "--loopback", "--yes", &sender.code()]).run();
    assert_eq!((receiver.number(), receiver.stdout.as_str()), (Some(0), TEXT), "{}", receiver.stderr);
    sender.end().exits(ExitCode::Done);
}

#[test]
fn a_terminal_shows_a_text_after_a_yes_and_nothing_that_changes_it() {
    let work = Work::new();
    let (sender, code) = sender(&work, "one\n\ttwo\u{1b}[2J\u{202e}");
    let Some(mut receiver) = work.at_a_terminal(&format!("recv --loopback {code}")) else {
        return skip("a_terminal_shows_a_text", "there is no `script`");
    };
    receiver.shows("to be shown here, and not kept");
    receiver.shows("[y/N] ");
    assert!(!receiver.stdout().contains("two"));
    receiver.type_in("y\n");
    let end = receiver.end();
    assert_eq!(end.number(), Some(0), "{}", end.stdout);
    assert!(end.stdout.contains("one\r\n\ttwo\\u{1b}[2J\\u{202e}\r\n"), "{:?}", end.stdout);
    sender.end().exits(ExitCode::Done);
    assert!(files(&work).is_empty(), "{:?}", files(&work));
}

#[test]
fn without_a_yes_a_text_is_not_shown() {
    let work = Work::new();
    let (sender, code) = sender(&work, TEXT);
    let receiver = work.p2pcp(&["recv", "--loopback", &code]).run();
    receiver.exits(ExitCode::Declined).says_not("hunter2");
    sender.end().exits(ExitCode::Declined);
}

#[test]
fn programs_get_the_text_as_an_event() {
    let work = Work::new();
    let (sender, code) = sender(&work, TEXT);
    let receiver = work.p2pcp(&["recv", "--loopback", "--json", "--yes", &code]).run();
    assert_eq!(receiver.number(), Some(0), "{}", receiver.stdout);
    let events: Vec<_> = receiver.stdout.lines().map(crate::json_events::checked).collect();
    let of = |kind: &str| events.iter().find(|it| it["event"] == kind).unwrap_or_else(|| panic!("no {kind}"));
    assert_eq!(of("text")["text"], TEXT);
    assert_eq!(
        (&of("offered")["items"][0]["kind"], &of("offered")["items"][0]["characters"]),
        (&"text".into(), &24.into())
    );
    sender.end().exits(ExitCode::Done);
}

#[test]
fn what_is_no_text_is_not_begun() {
    let work = Work::new();
    work.tree("").file("a", "a").file("bytes", b"\xff\xfe");
    let long = "x".repeat(64 * 1024 + 1);
    for (text, sentence) in
        [("", "--text: there is no text"), (&long, "--text: a text has at most 65536 bytes")]
    {
        work.p2pcp(&["send", "--loopback", "--text", text]).run().fails(ExitCode::Usage, sentence);
    }
    let bytes =
        work.shell(&format!("'{}' send --loopback --text - < bytes", env!("CARGO_BIN_EXE_p2pcp"))).run();
    bytes.fails(ExitCode::Usage, "--text: that is not a text in UTF-8");
    for arguments in
        [&["a", "--text", "b"][..], &["--text", "b", "--name", "c"], &["--text", "b", "--dry-run"]]
    {
        assert_eq!(work.p2pcp(&["send", "--loopback"]).arguments(arguments).run().number(), Some(2));
    }
}
