//! Signals and closed streams at any moment: the exit code, the peer told at once, the terminal as it was,
//! and a next run that goes on.
//!
//! The long run: `P2PCP_SIGNALS=200 cargo test --release --test it reliability::signals -- --nocapture`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use p2pcp::error::ExitCode;
use rustix::process::Signal;

use crate::reliability::kill::{asked, pause, seed};
use crate::support::remains::Remains;
use crate::support::rng::Rng;
use crate::support::{Work, assert_same, assert_same_files, skip, stage_in};

const MEBIBYTE: u64 = 1 << 20;

/// The signals that ask to stop, with the exit codes that they lead to.
const SIGNALS: [(Signal, ExitCode); 3] = [
    (Signal::INT, ExitCode::Interrupted),
    (Signal::TERM, ExitCode::Terminated),
    (Signal::HUP, ExitCode::Terminated),
];

fn planted() -> Work {
    let work = Work::in_memory(1 << 30);
    let mut rng = Rng::new(41);
    let mut tree = work.tree("from").file("big", rng.bytes(40 << 20));
    for number in 0..300 {
        tree = tree.file(format!("small/{number}"), rng.bytes(2000));
    }
    work
}

/// Starting, waiting, connecting, sending, finishing: a signal may come at any of these.
#[test]
fn a_signal_at_any_moment_is_obeyed_told_and_survived() {
    let mut rng = Rng::new(seed());
    let work = planted();
    let begun = Instant::now();
    work.transfer_all(&["from"]);
    let whole = begun.elapsed();
    let mut told = 0;
    let mut stopped = 0;
    for round in 0..asked("P2PCP_SIGNALS").unwrap_or(6) {
        if rng.once_in(3) {
            std::fs::remove_dir_all(work.path("to")).ok();
        }
        let (signal, code) = SIGNALS[rng.below(3) as usize];
        let mut sender = work.p2pcp(&["send", "--loopback", "--reconnect", "1", "from"]).spawn();
        let receiver = work.recv(&sender.code()).arguments(&["--reconnect", "1"]).spawn();
        let at_receiver = rng.once_in(2);
        pause(rng.time(whole));
        let (mut victim, mut other) = if at_receiver { (receiver, sender) } else { (sender, receiver) };
        victim.signal_if_there(signal);
        let ended = Instant::now();
        let victim = victim.end();
        let after = ended.elapsed();
        // A sender whom nobody has reached yet waits for whoever else has the code.
        if at_receiver && other.lines("connected") == 0 {
            other.signal_if_there(Signal::TERM);
        }
        let other = other.end();
        // Before it listens for them a signal ends a process as it always does.
        let expected = [Some(0), Some(i32::from(code.number())), None];
        assert!(
            expected.contains(&victim.number()),
            "round {round}: {:?}\n{}",
            victim.number(),
            victim.stderr
        );
        assert!(after < Duration::from_secs(20), "it took {after:?} to stop");
        let other_code = other.number();
        assert!(
            matches!(other_code, Some(0 | 3 | 5 | 143)),
            "round {round}: {other_code:?}\n{}",
            other.stderr
        );
        stopped += u32::from(victim.number() != Some(0));
        let heard = other.stderr.contains("error: the other side stopped: it was interrupted\n");
        told += u32::from(heard);
        let both_connected = [&victim, &other].iter().all(|it| it.stderr.contains("connected: "));
        let obeyed = victim.number() == Some(code.number().into());
        assert!(
            heard || !obeyed || !both_connected,
            "round {round}: the other side was not told, after {after:?}: {}\n{}",
            victim.stderr,
            other.stderr
        );
        if victim.number() == Some(0) || other_code == Some(0) {
            assert_same_files(&work.path("from"), &work.path("to/from"));
        }
        Remains::look(&work.path("from"), &work.path("to")).assert_honest("after a signal");
    }
    let (sender, receiver) = work.transfer(&["from"], &[]);
    receiver.exits(ExitCode::Done);
    sender.exits(ExitCode::Done);
    assert_same_files(&work.path("from"), &work.path("to/from"));
    println!("{stopped} runs were stopped by a signal; in {told} of them the other side was told so");
}

/// A signal while the person is asked, on either side.
#[test]
fn a_signal_while_somebody_is_asked_ends_both_sides() {
    let test = "a_signal_while_somebody_is_asked";
    for (signal, code) in SIGNALS {
        let work = planted();
        let mut sender = work.send(&["from"]);
        let Some(receiver) = work.at_a_terminal(&format!("recv --loopback -o to {}", sender.code())) else {
            return skip(test, "there is no `script`");
        };
        receiver.shows("to go into to");
        sender.signal(signal);
        sender.end().exits(code).says("error: interrupted");
        let receiver = receiver.end();
        assert_eq!(receiver.number(), Some(ExitCode::Lost.number().into()), "{}", receiver.stdout);
        assert!(
            receiver.stdout.contains("the other side stopped: it was interrupted"),
            "{}",
            receiver.stdout
        );
        assert!(!work.path("to").exists(), "something was touched without consent");
    }
    let work = planted();
    let mut sender = work.send(&["from"]);
    let mut receiver = work.at_a_terminal(&format!("recv --loopback -o to {}", sender.code())).unwrap();
    receiver.shows("to go into to");
    receiver.type_in("\x03");
    let receiver = receiver.end();
    assert_eq!(receiver.number(), Some(ExitCode::Interrupted.number().into()), "{}", receiver.stdout);
    sender.end().fails(ExitCode::Lost, "the other side stopped: it was interrupted");
    assert!(!work.path("to").exists());
}

/// Control-C as it is typed, while the progress moves.
#[test]
fn a_terminal_is_left_as_it_was() {
    let work = Work::new();
    work.tree("from");
    File::create(work.path("from/zeros")).unwrap().set_len(8 << 30).unwrap();
    let mut sender = work.send(&["from"]);
    let command = format!("recv --loopback --yes -o to {}", sender.code());
    let Some(mut receiver) = work.at_a_terminal(&command) else {
        return skip("a_terminal_is_left_as_it_was", "there is no `script`");
    };
    work.stage_holds(8 * MEBIBYTE);
    receiver.type_in("\x03");
    let receiver = receiver.end();
    assert_eq!(receiver.number(), Some(ExitCode::Interrupted.number().into()), "{}", receiver.stdout);
    let last = |text: &str| receiver.stdout.rfind(text);
    assert!(last("\x1b[?25l") <= last("\x1b[?25h"), "the cursor stays hidden: {:?}", receiver.stdout);
    assert!(last("error: interrupted") > last("MiB/s"), "progress after the end: {:?}", receiver.stdout);
    sender.end().fails(ExitCode::Lost, "the other side stopped: it was interrupted");
    assert!(stage_in(&work.path("to")).is_some());
}

/// The window with the terminal in it is closed.
#[test]
fn a_terminal_that_goes_away_ends_the_transfer_which_can_go_on() {
    let work = Work::new();
    work.tree("from");
    File::create(work.path("from/zeros")).unwrap().set_len(8 << 30).unwrap();
    let mut sender = work.send(&["from"]);
    let command = format!("recv --loopback --yes -o to {}", sender.code());
    let Some(terminal) = work.at_a_terminal(&command) else {
        return skip("a_terminal_that_goes_away", "there is no `script`");
    };
    work.stage_holds(2 * MEBIBYTE);
    terminal.signal(Signal::KILL);
    sender.end().fails(ExitCode::Lost, "the other side stopped: it was interrupted");
    terminal.end().was_killed();
    let held = Remains::look(&work.path("from"), &work.path("to")).staged_bytes;
    let size = held + 2 * MEBIBYTE;
    File::options().write(true).open(work.path("from/zeros")).unwrap().set_len(size).unwrap();
    let (sender, receiver) = work.transfer(&["from"], &["--verbose"]);
    sender.exits(ExitCode::Done);
    assert_eq!(receiver.exits(ExitCode::Done).bytes(), (2 * MEBIBYTE, held));
}

/// Nobody reads what it says, from the start or after a while: it goes on all the same.
#[test]
fn a_closed_stderr_stops_nothing() {
    for after in [0, 4 * MEBIBYTE] {
        let work = planted();
        let start = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_p2pcp"));
            command.args(arguments).current_dir(work.path("")).env_clear();
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let mut sender = start(&["send", "--loopback", "from"]);
        let mut heard = BufReader::new(sender.stderr.take().unwrap());
        let code =
            heard.by_ref().lines().find_map(|it| it.unwrap().strip_prefix("code: ").map(str::to_owned));
        let mut receiver = start(&["recv", "--loopback", "--yes", "-o", "to", &code.unwrap()]);
        if after > 0 {
            work.stage_holds(after);
        }
        drop((heard, sender.stdout.take(), receiver.stderr.take(), receiver.stdout.take()));
        assert_eq!(receiver.wait().unwrap().code(), Some(0), "after {after}");
        assert_eq!(sender.wait().unwrap().code(), Some(0), "after {after}");
        assert_same(&work.path("from"), &work.path("to/from"));
    }
}

/// Streams that are not there at all, or that take nothing.
#[test]
fn streams_that_take_nothing_stop_nothing() {
    for streams in [">&- 2>&-", "> /dev/full 2> /dev/full", "<&- >&- 2>&-"] {
        let work = planted();
        let mut sender = work.send(&["from"]);
        let command = format!(
            "'{}' recv --loopback --yes -o to {} {streams}",
            env!("CARGO_BIN_EXE_p2pcp"),
            sender.code()
        );
        let shell = crate::support::Start::new("/bin/sh", &work.path("")).arguments(&["-c", &command]).run();
        assert_eq!(shell.number(), Some(0), "{streams}");
        sender.end().exits(ExitCode::Done);
        assert_same(&work.path("from"), &work.path("to/from"));
    }
}
