//! Keys that are pressed while a transfer runs, and what becomes of the terminal.

use p2pcp::error::ExitCode;
use rustix::process::Signal;

use crate::support::terminal::Terminal;
use crate::support::{Work, assert_same, until};
use crate::terminal::p2pcp;

const HINT: &str = "p pause, + - limit";
const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";

/// Both at terminals, in the middle of a transfer that takes some seconds more.
fn both(work: &Work) -> (Terminal, Terminal) {
    work.tree("from").file("a", vec![7; 4_000_000]);
    let sender = p2pcp(work, "send --loopback --limit 500K from");
    let line = format!("recv --loopback --yes --output to {}", sender.line("code: "));
    let receiver = p2pcp(work, &line);
    for side in [&sender, &receiver] {
        side.shows(HINT);
        until("keys", || (!side.is_as_before()).then_some(()));
    }
    (sender, receiver)
}

/// Without a limit it is done at once.
fn both_end(work: &Work, mut sender: Terminal, receiver: Terminal) {
    sender.type_in("0");
    sender.ends(ExitCode::Done, "sent 1 file");
    receiver.ends(ExitCode::Done, "received 1 file");
    assert_same(&work.path("from"), &work.path("to/from"));
}

#[test]
fn p_pauses_and_goes_on_on_either_side() {
    let work = Work::new();
    let (mut sender, mut receiver) = both(&work);
    receiver.type_in("p");
    receiver.shows("p go on");
    sender.shows("paused by the other side");
    sender.type_in("p");
    receiver.shows("paused by both sides");
    receiver.type_in("p");
    receiver.shows("paused by the other side");
    sender.shows("p go on");
    sender.hides("paused by");
    sender.type_in("p");
    for side in [&sender, &receiver] {
        side.hides("paused");
    }
    both_end(&work, sender, receiver);
}

fn both_show(one: &Terminal, another: &Terminal, text: &str) {
    for side in [one, another] {
        side.shows(text);
    }
}

#[test]
fn plus_minus_and_zero_change_the_limit_that_both_sides_show() {
    let work = Work::new();
    let (mut sender, mut receiver) = both(&work);
    both_show(&sender, &receiver, "limit 488.3 KiB/s");
    receiver.type_in("-");
    both_show(&sender, &receiver, "limit 390.6 KiB/s");
    receiver.type_in("0");
    both_show(&sender, &receiver, "limit 488.3 KiB/s");
    sender.type_in("+");
    both_show(&sender, &receiver, "limit 615.2 KiB/s");
    both_end(&work, sender, receiver);
}

#[test]
fn the_terminal_is_put_back_however_it_ends() {
    for (signal, code) in [(None, ExitCode::Interrupted), (Some(Signal::TERM), ExitCode::Terminated)] {
        let work = Work::new();
        let (mut sender, receiver) = both(&work);
        match signal {
            None => sender.type_in(CTRL_C),
            Some(signal) => sender.signal(signal),
        }
        sender.ends(code, "error: ");
        drop(receiver);
    }
}

/// While it is stopped the terminal is the shell's; afterwards keys work as before.
#[test]
fn ctrl_z_gives_the_terminal_back_until_it_goes_on() {
    let work = Work::new();
    let (mut sender, receiver) = both(&work);
    sender.type_in(CTRL_Z);
    until("the shell's modes", || sender.is_as_before().then_some(()));
    sender.signal(Signal::CONT);
    until("keys", || (!sender.is_as_before()).then_some(()));
    sender.type_in("p");
    receiver.shows("paused by the other side");
    sender.type_in("p");
    receiver.hides("paused");
    both_end(&work, sender, receiver);
}

/// As with `p2pcp send from &`: it goes on, and leaves the terminal alone.
#[test]
fn in_the_background_it_neither_reads_nor_changes_the_terminal() {
    let work = Work::new();
    work.tree("from").file("a", [7; 300_000]);
    let line = format!("set -m; '{}' send --loopback --limit 500K from & wait", env!("CARGO_BIN_EXE_p2pcp"));
    let sender = Terminal::start("/bin/sh", &["-c", &line], &work.path(""));
    let receiver = work.recv(&sender.line("code: ")).spawn();
    sender.shows("% ");
    assert!(sender.is_as_before());
    receiver.end().exits(ExitCode::Done);
    sender.ends(ExitCode::Done, "sent 1 file");
}

/// What is typed is what is sent, and no key.
#[test]
fn keys_are_not_read_where_stdin_is_sent() {
    let work = Work::new();
    let mut sender = p2pcp(&work, "send --loopback -");
    let receiver = work.recv(&sender.line("code: ")).spawn();
    sender.shows("the other side accepted");
    sender.type_in("p + -\r");
    sender.type_in("\x04");
    receiver.end().exits(ExitCode::Done);
    let sender = sender.ends(ExitCode::Done, "sent 1 file");
    assert!(!sender.screen().contains(HINT));
    assert_eq!(std::fs::read_to_string(work.path("to/stdin")).unwrap(), "p + -\n");
}

/// A window that is made narrow: nothing wraps, the job comes first, and in the widest again all is there.
#[test]
fn the_live_lines_follow_the_width_of_the_terminal() {
    let work = Work::new();
    let (mut sender, receiver) = both(&work);
    for columns in [40, 10, 100] {
        sender.resize(columns);
        sender.wait(&format!("{columns} columns"), |screen| {
            let job: Vec<_> = screen.lines().filter(|line| line.contains('%')).collect();
            let [job] = job[..] else { return None };
            let wide = job.contains('━') || job.contains('─');
            let fits = if columns == 10 { !job.contains("MiB") } else { job.contains("of 3.8 MiB") };
            (fits && wide == (columns == 100)).then_some(())
        });
    }
    both_end(&work, sender, receiver);
}
