//! Codes that the sender chose, how long they can be used, and how they are shown.

use p2pcp::error::ExitCode;

use crate::support::process::Running;
use crate::support::{Work, assert_same, skip};

const WARNING: &str =
    "warning: a code that is used twice or easily guessed protects less than a random one\n";

/// A work folder with something to send, and a server.
fn scene() -> (Work, Running, String) {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let server = work.p2pcp(&["signal", "--listen", "127.0.0.1", "--port", "0"]).spawn();
    let url = format!("127.0.0.1:{}", server.port());
    (work, server, url)
}

fn send(work: &Work, url: &str, options: &[&str]) -> Running {
    work.p2pcp(&["send", "from", "--stun", "none", "--server", url]).arguments(options).spawn()
}

fn recv(work: &Work, url: &str, code: &str) -> Running {
    work.p2pcp(&["recv", "--yes", "-o", "to", "--stun", "none", "--server", url, code]).spawn()
}

#[test]
fn a_code_of_ones_own_works_once() {
    let (work, _server, url) = scene();
    let mut sender = send(&work, &url, &["--code", "417 magnet opera"]);
    assert_eq!(sender.code(), "417-magnet-opera");
    send(&work, &url, &["--code", "417-opera-magnet"])
        .end()
        .fails(ExitCode::Code, "this code cannot be had")
        .says("  cause: the number of this code is in use here, or was until lately; choose another\n")
        .says("hint: choose another number, or leave `--code` out\n");
    recv(&work, &url, "417-magnet-opera").end().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done).says(WARNING);
    assert_same(&work.path("from"), &work.path("to/from"));
    send(&work, &url, &["--code", "417-magnet-opera"]).end().fails(ExitCode::Code, "this code cannot be had");
}

#[test]
fn after_a_wrong_guess_at_a_code_of_ones_own_comes_a_random_one() {
    let (work, _server, url) = scene();
    let mut sender = send(&work, &url, &["--code", "417-magnet-opera-abacus"]);
    assert_eq!(sender.code(), "417-magnet-opera-abacus");
    recv(&work, &url, "417-abbey-aboard-absorb").end().fails(ExitCode::Code, "the code did not match");
    let second = sender.code();
    assert!(second != "417-magnet-opera-abacus" && second.split('-').count() == 4, "{second}");
    recv(&work, &url, &second).end().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done);
}

#[test]
fn without_a_server_the_number_is_a_port_that_one_sender_has() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let mut first = work.send(&["from"]);
    let (number, _) =
        first.code().split_once('-').map(|(number, rest)| (number.to_owned(), rest.len())).unwrap();
    let code = format!("{number}-magnet-opera");
    work.p2pcp(&["send", "--loopback", "--code", &code, "from"])
        .run()
        .fails(ExitCode::Code, "this code cannot be had")
        .says(&format!("  cause: number {number} is in use on this machine or network\n"));
    work.p2pcp(&["send", "--loopback", "--code", "4170-magnet-opera", "from"])
        .run()
        .fails(ExitCode::Code, "this code cannot be had")
        .says("hint: without a server a number has three digits");
}

#[test]
fn what_cannot_be_a_code_is_refused_before_anything_is_opened() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let refused = |code: &str| work.p2pcp(&["send", "--loopback", "from", "--code", code]).run();
    refused("417-magnet")
        .fails(ExitCode::Usage, "that cannot be a code")
        .says("it has 1 of the 2 to 8 words");
    refused("417-magnet-xyzzyx").fails(ExitCode::Usage, "that cannot be a code");
    refused("magnet-opera")
        .fails(ExitCode::Usage, "that cannot be a code")
        .says("hint: a code is a number of");
    let both = work.p2pcp(&["send", "--code", "417-magnet-opera", "--words", "3", "from"]).run();
    assert_eq!(both.number(), Some(2), "{}", both.stderr);
    assert!(both.stderr.contains("cannot be used with"), "{}", both.stderr);
}

#[test]
fn words_that_anybody_would_try_are_warned_of() {
    let (work, _server, url) = scene();
    let mut sender = send(&work, &url, &["--code", "417-opera-opera"]);
    assert_eq!(sender.code(), "417-opera-opera");
    sender.signal(rustix::process::Signal::INT);
    sender.end().says("warning: these words are among the first that somebody would try");
}

#[test]
fn a_code_that_nobody_uses_in_time_expires() {
    let (work, _server, url) = scene();
    let mut sender = send(&work, &url, &["--ttl", "1s"]);
    let code = sender.code();
    sender
        .end()
        .fails(ExitCode::Code, "the code has expired: nobody used it within 1 s")
        .says("hint: run the same command again, with a longer `--ttl` if that was too short\n");
    recv(&work, &url, &code).end().exits(ExitCode::Code);
    work.p2pcp(&["send", "--loopback", "--ttl", "1", "from"])
        .run()
        .fails(ExitCode::Code, "the code has expired: nobody used it within 1 s");
}

#[test]
fn a_server_that_forgets_codes_earlier_is_told_of() {
    let (work, _server, url) = scene();
    let mut sender = send(&work, &url, &["--ttl", "2h"]);
    recv(&work, &url, &sender.code()).end().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done).says("the server keeps a code for 60 min only\n");
    let mut sender = work.p2pcp(&["send", "--loopback", "--ttl", "2h", "from"]).spawn();
    work.p2pcp(&["recv", "--loopback", "-yo", "there", &sender.code()]).run().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done).says_not("the server keeps");
}

#[test]
fn where_there_is_no_terminal_a_sentence_takes_the_place_of_pictures() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let mut sender = work.p2pcp(&["send", "--loopback", "--qr", "--copy", "from"]).spawn();
    work.recv(&sender.code()).run().exits(ExitCode::Done);
    let sender = sender.end().exits(ExitCode::Done);
    let sender = sender.says("warning: no QR code: that needs a terminal that shows UTF-8\n");
    let sender = sender.says("warning: not on the clipboard: that needs a terminal or a desktop\n");
    assert!(!sender.stderr.contains('\x1b'), "{}", sender.stderr);
}

#[test]
fn at_a_terminal_the_line_is_drawn_and_copied() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let Some(sender) = work.at_a_wide_terminal("send --loopback --qr --copy from") else {
        return skip("at_a_terminal_the_line_is_drawn_and_copied", "there is no `script`");
    };
    sender.shows("on the clipboard");
    let shown = sender.stdout();
    let line = shown.lines().find_map(|it| it.trim_end().strip_prefix("on the other side, type: ")).unwrap();
    let copied = data_encoding::BASE64.encode(line.as_bytes());
    assert!(shown.contains(&format!("\x1b]52;c;{copied}\x07")), "{shown:?}");
    let drawn =
        shown.lines().filter(|it| it.trim_end().starts_with("████") && it.trim_end().ends_with("████"));
    assert!(drawn.count() > 12, "{shown}");
    let code = line.rsplit(' ').next().unwrap().to_owned();
    work.recv(&code).run().exits(ExitCode::Done);
}
