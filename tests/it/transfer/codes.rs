//! One guess per code, a new code after a wrong one, and a helping hand for slips.

use p2pcp::code::Code;
use p2pcp::error::ExitCode;

use crate::support::{Work, assert_same};

/// The same nameplate with other words.
pub(super) fn wrong(code: &str) -> String {
    let (nameplate, secret) = code.split_once('-').unwrap();
    let mut others = ["abacus", "abbey", "aboard", "absorb"].iter().filter(|word| !secret.contains(*word));
    format!("{nameplate}-{}-{}", others.next().unwrap(), others.next().unwrap())
}

/// The code with one letter too many in its last word.
fn slip(code: &str) -> String {
    format!("{code}q")
}

#[test]
fn a_wrong_code_burns_and_the_next_one_works() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let mut sender = work.send(&["from"]);
    let first = sender.code();
    work.recv(&wrong(&first))
        .run()
        .fails(ExitCode::Code, "the code did not match")
        .says("hint: ask the sender for a new code; each works once\n");
    assert!(!work.path("to").exists());

    let second = sender.code();
    assert_ne!(first, second);
    work.recv(&second).run().exits(ExitCode::Done);
    sender
        .end()
        .exits(ExitCode::Done)
        .says("warning: someone tried a wrong code; that code is burnt, here is a new one\n");
    assert_same(&work.path("from"), &work.path("to/from"));
}

#[test]
fn after_three_burnt_codes_the_sender_gives_up() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let mut sender = work.send(&["from"]);
    for _ in 0..3 {
        work.recv(&wrong(&sender.code())).run().fails(ExitCode::Code, "the code did not match");
    }
    sender
        .end()
        .fails(ExitCode::Code, "3 codes were used up without a transfer")
        .says("here is a new one (the last one)\n")
        .says("hint: somebody may be guessing");
}

#[test]
fn a_slip_is_mended_and_said() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let mut sender = work.send(&["from"]);
    let code = sender.code();
    let last = code.rsplit('-').next().unwrap().to_owned();
    work.recv(&slip(&code)).run().exits(ExitCode::Done).says(&format!("took `{last}q` for `{last}`\n"));
    sender.end().exits(ExitCode::Done).says_not("warning:");
}

#[test]
fn a_code_may_be_typed_in_many_ways() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let ways: [fn(&str) -> String; 4] = [
        |code| code.replace('-', " "),
        |code| code.replace('-', ".").to_uppercase(),
        |code| format!("p2pcp:{code}"),
        |code| format!("  p2pcp recv {code}\n"),
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let mut sender = work.send(&["from"]);
        let typed = way(&sender.code());
        let folder = format!("to{number}");
        work.p2pcp(&["recv", "--loopback", "--yes", "-o", &folder, &typed]).run().exits(ExitCode::Done);
        sender.end().exits(ExitCode::Done);
    }
    let mut sender = work.send(&["from"]);
    let code = sender.code();
    let parts: Vec<&str> = code.split('-').collect();
    work.p2pcp(&["recv", "--loopback", "-yo", "parts"]).arguments(&parts).run().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done);
}

#[test]
fn what_is_no_code_is_said_before_anybody_is_asked() {
    let work = Work::new();
    for (typed, cause, hint) in [
        ("foo", "it does not begin with a number of three to nine digits", "a code looks like 417-aloe-tuba"),
        ("417", "it has 0 of the 2 to 8 words of a code", "a code looks like 417-aloe-tuba"),
        ("417-aloe", "it has 1 of the 2 to 8 words of a code", "a code looks like 417-aloe-tuba"),
        ("417-aloe-qqqqq", "`qqqqq` is not a word of a code", ""),
        ("../../etc/passwd", "it does not begin with a number of three to nine digits", "a code looks like"),
    ] {
        let end = work.recv(typed).run().fails(ExitCode::Code, "that is not a code");
        end.says(&format!("  cause: {cause}\n")).says(&format!("hint: {hint}"));
    }
    assert!(!work.path("to").exists());
}

#[test]
fn a_code_that_nobody_has_is_not_found() {
    let work = Work::new();
    // Four digits are no nameplate of a local network: no sender of another test can have it.
    work.recv("1234-aloe-tuba").run().fails(ExitCode::Code, "no sender with this code was found");
}

#[test]
fn without_a_code_and_a_terminal_there_is_nothing_to_do() {
    let work = Work::new();
    work.p2pcp(&["recv", "--loopback"]).run().fails(ExitCode::Usage, "no code was given");
}

/// The words stay on the screen of the one who made them, however much is said elsewhere.
#[test]
fn the_words_of_a_code_are_told_to_nobody() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let server = work.p2pcp(&["signal", "--listen", "127.0.0.1", "--port", "0", "-v"]).spawn();
    let url = format!("127.0.0.1:{}", server.port());
    let meet = ["--server", &url, "--stun", "none", "-v"];
    let mut sender = work.p2pcp(&["send", "--words", "8", "from"]).arguments(&meet).spawn();
    let code = sender.code();
    let wrong = wrong(&code);
    let tried = work.p2pcp(&["recv", "--yes", &wrong]).arguments(&meet).run();
    let second = sender.code();
    let received = work.p2pcp(&["recv", "--yes", "-o", "to", &second]).arguments(&meet).run();
    server.signal(rustix::process::Signal::INT);
    let served = server.end();
    let tried = tried.fails(ExitCode::Code, "the code did not match");
    let received = received.exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done);
    for typed in [&code, &second, &wrong] {
        let code = Code::parse(typed).unwrap().code;
        for output in [&tried.stderr, &received.stderr, &served.stderr, &served.stdout] {
            let told: Vec<&str> = output.split(|c: char| !c.is_ascii_alphabetic()).collect();
            // Some words of the list are ordinary ones, such as `direct`; two of eight are no accident.
            let words = code.secret().split('-');
            let leaked: Vec<&str> = words.filter(|word| told.contains(word)).collect();
            assert!(leaked.len() < 2, "{leaked:?} in:\n{output}");
        }
    }
}
