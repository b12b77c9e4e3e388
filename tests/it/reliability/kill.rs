//! Processes that are killed at any instant, and a transfer that goes on with a new code.
//!
//! The long run: `P2PCP_KILLS=1000 cargo test --release --test it reliability::kill -- --nocapture`;
//! `P2PCP_SEED` chooses another sequence of faults.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use p2pcp::error::ExitCode;
use rustix::process::Signal;

use crate::support::remains::Remains;
use crate::support::rng::Rng;
use crate::support::{Running, Work, assert_same_files, stage_in};

/// Kills of one transfer before it is left alone to finish.
const MOST_KILLS_OF_ONE: u64 = 4;

/// Of the bytes that a journal names, how many must not travel again, in percent.
const LEAST_SPARED: u64 = 95;

/// A tree to send again and again.
#[derive(Debug, Clone, Copy)]
enum Kind {
    OneFile { mebibytes: usize },
    SmallFiles { count: usize },
    Mixed { large: usize, small: usize },
}

impl Kind {
    fn plant(self, work: &Work, rng: &mut Rng) {
        let mut tree = work.tree("from");
        match self {
            Self::OneFile { mebibytes } => tree = tree.file("big", rng.bytes(mebibytes << 20)),
            Self::SmallFiles { count } => {
                for number in 0..count {
                    let name = format!("{:03}/{number:05}", number / 200);
                    let length = rng.below(3000) as usize;
                    tree = tree.file(name, rng.bytes(length));
                }
            }
            Self::Mixed { large, small } => {
                for number in 0..large {
                    let length = rng.below(48 << 20) as usize + 1;
                    tree = tree.file(format!("large/{number}"), rng.bytes(length));
                }
                for number in 0..small {
                    let length = if rng.once_in(10) { 0 } else { rng.below(200_000) as usize };
                    tree = tree.file(format!("a/b/{number}"), rng.bytes(length));
                }
                tree = tree.link("a/link", "b/0").folder("a/empty").mode("a/b/1", 0o755);
                tree = tree.file("a/exactly", rng.bytes(2 << 20)).file("zz", rng.bytes((1 << 20) + 1));
            }
        }
        // A time with every digit, as most file systems have.
        let _ = tree.aged("", 1_700_000_000, 123_456_789);
    }
}

/// What the faults did, and what was found.
#[derive(Debug, Default)]
struct Tally {
    kills: u64,
    of_receiver: u64,
    of_sender: u64,
    of_both: u64,
    with_stage: u64,
    transfers: u64,
    resumes: u64,
    wrong: usize,
    stray: usize,
    forgotten: u64,
    journaled: u64,
    resent: u64,
    here: u64,
    resent_of_here: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, of_receiver, of_sender, of_both, with_stage, transfers, resumes, .. } = self;
        let Self { wrong, stray, forgotten, journaled, resent, here, resent_of_here, .. } = self;
        writeln!(
            f,
            "{kills} kills ({of_receiver} receiver, {of_sender} sender, {of_both} both; {with_stage} left a stage)"
        )?;
        writeln!(f, "{transfers} transfers ended with exit code 0 and all bytes, {resumes} of them resumed")?;
        writeln!(
            f,
            "{wrong} wrong files, {stray} stray names, {forgotten} journaled bytes lost by a later kill"
        )?;
        writeln!(f, "{journaled} bytes journaled at the last kill, {resent} of them sent again")?;
        write!(f, "{here} bytes in files and stages at the last kill, {resent_of_here} of them sent again")
    }
}

/// One transfer that is killed until it is let finish.
struct Transfer<'a> {
    work: &'a Work,
    total: u64,
    /// How long it takes when nobody interferes.
    whole: Duration,
    /// The same from the moment at which the two sides are connected.
    connected: Duration,
}

impl Transfer<'_> {
    fn start(&self) -> (Running, Running) {
        let mut sender = self.work.p2pcp(&["send", "--loopback", "--reconnect", "1", "from"]).spawn();
        let code = sender.code();
        let receiver = self.work.recv(&code).arguments(&["--verbose", "--reconnect", "1"]).spawn();
        (sender, receiver)
    }

    fn look(&self) -> Remains {
        Remains::look(&self.work.path("from"), &self.work.path("to"))
    }

    /// Lets it run for a while and kills; returns what is left, or nothing if it was over before.
    fn kill(&self, rng: &mut Rng, tally: &mut Tally) -> Option<Remains> {
        let (mut sender, mut receiver) = self.start();
        // Connecting takes a good part of a short run, and little is at stake in it.
        match rng.once_in(4) {
            true => pause(rng.time(self.whole)),
            false => {
                receiver.line("connected");
                pause(rng.time(self.connected));
            }
        }
        let victim = rng.below(3);
        if sender.has_ended() && receiver.has_ended() {
            sender.end().exits(ExitCode::Done);
            receiver.end().exits(ExitCode::Done);
            return None;
        }
        match victim {
            0 => sender.signal_if_there(Signal::KILL),
            1 => receiver.signal_if_there(Signal::KILL),
            _ => {
                sender.signal_if_there(Signal::KILL);
                pause(rng.time(Duration::from_millis(5)));
                receiver.signal_if_there(Signal::KILL);
            }
        }
        tally.kills += 1;
        *[&mut tally.of_sender, &mut tally.of_receiver, &mut tally.of_both][victim as usize] += 1;
        // Whoever survives looks for the other in vain, or is stopped, or killed a little later.
        if rng.once_in(3) {
            pause(rng.time(Duration::from_millis(300)));
            sender.signal_if_there(Signal::KILL);
            receiver.signal_if_there(Signal::KILL);
        } else if !rng.once_in(10) {
            sender.signal_if_there(Signal::INT);
            receiver.signal_if_there(Signal::INT);
        } else if sender.lines("connected") == 0 {
            // Whom nobody has reached waits for whoever else has the code.
            sender.signal_if_there(Signal::INT);
        }
        let (sender, receiver) = (sender.end(), receiver.end());
        let remains = self.look();
        tally.with_stage += u64::from(!remains.stages.is_empty());
        tally.wrong += remains.wrong.len();
        tally.stray += remains.stray.len();
        remains.assert_honest("after a kill");
        for (end, expected) in [(&sender, "sender"), (&receiver, "receiver")] {
            let code = end.number();
            assert!(
                matches!(code, None | Some(0 | 3 | 5 | 130)),
                "{expected} ended with {code:?}:\n{}",
                end.stderr
            );
        }
        if sender.number() == Some(0) || receiver.number() == Some(0) {
            assert_same_files(&self.work.path("from"), &self.work.path("to/from"));
        }
        Some(remains)
    }

    /// Lets it finish, and sees what travelled again of what was there.
    fn finish(&mut self, before: &Remains, tally: &mut Tally) {
        let begun = Instant::now();
        let (sender, receiver) = self.start();
        receiver.line("connected");
        let connected = Instant::now();
        let receiver = receiver.end().exits(ExitCode::Done).says_not("warning:");
        sender.end().exits(ExitCode::Done).says_not("warning:");
        if self.whole.is_zero() {
            (self.whole, self.connected) = (begun.elapsed(), connected.elapsed());
        }
        let (came, here) = receiver.bytes();
        assert_eq!(came + here, self.total, "{}", receiver.stderr);
        let resent = |known: u64| known.min((came + known).saturating_sub(self.total));
        let journaled = before.journaled_bytes + before.finished_bytes;
        let held = before.staged_bytes.max(before.journaled_bytes) + before.finished_bytes;
        tally.transfers += 1;
        tally.resumes += u64::from(here > 0);
        tally.journaled += before.journaled_bytes;
        tally.resent += resent(journaled);
        tally.here += held;
        tally.resent_of_here += resent(held);
        let spared = |known: u64| (known - resent(known)) * 100 >= known * LEAST_SPARED;
        assert!(
            spared(journaled),
            "{} of {journaled} journaled bytes again:\n{}",
            resent(journaled),
            receiver.stderr
        );
        assert!(spared(held), "{} of {held} bytes again:\n{}", resent(held), receiver.stderr);
        assert_same_files(&self.work.path("from"), &self.work.path("to/from"));
        assert_eq!(stage_in(&self.work.path("to")), None);
        self.look().assert_honest("at the end");
    }
}

/// The fault itself: nothing is waited for.
pub fn pause(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|it| !it.is_zero()) {
        std::thread::park_timeout(left);
    }
}

fn bytes_below(path: &Path) -> u64 {
    let facts = std::fs::symlink_metadata(path).unwrap();
    match facts.is_dir() {
        true => std::fs::read_dir(path).unwrap().map(|it| bytes_below(&it.unwrap().path())).sum(),
        false => {
            if facts.is_file() {
                facts.len()
            } else {
                0
            }
        }
    }
}

/// Sends a tree of this kind over and over until so many kills are done.
fn check(kind: Kind, kills: u64, seed: u64) {
    let mut rng = Rng::new(seed);
    let work = Work::in_memory(2 << 30);
    kind.plant(&work, &mut rng);
    let total = bytes_below(&work.path("from"));
    let mut transfer = Transfer { work: &work, total, whole: Duration::ZERO, connected: Duration::ZERO };
    let mut tally = Tally::default();
    transfer.finish(&Remains::default(), &mut tally);
    let mut left = kills;
    while left > 0 {
        std::fs::remove_dir_all(work.path("to")).unwrap();
        let mut before = Remains::default();
        for number in 0..(1 + rng.below(MOST_KILLS_OF_ONE)).min(left) {
            let Some(remains) = transfer.kill(&mut rng, &mut tally) else {
                if number == 0 {
                    // The machine is less busy than it was: instants would come too late again.
                    std::fs::remove_dir_all(work.path("to")).unwrap();
                    transfer.whole = Duration::ZERO;
                }
                break;
            };
            left -= 1;
            // What was durable stays so, or has its name by now.
            let kept = |(path, index): &&(String, u32)| {
                remains.journaled.contains(&(path.clone(), *index))
                    || remains.finished.contains(Path::new(path))
            };
            let forgotten = before.journaled.iter().filter(|it| !kept(it)).count() as u64;
            tally.forgotten += forgotten << 20;
            assert_eq!(forgotten, 0, "a later kill made chunks forgotten");
            before = remains;
        }
        transfer.finish(&before, &mut tally);
    }
    println!("{kind:?}, undisturbed in {:?}, seed {seed}:\n{tally}", transfer.whole);
    assert!(tally.kills >= kills);
}

/// How many kills the person asked for.
pub fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|it| it.parse().unwrap())
}

/// Which sequence of faults.
pub fn seed() -> u64 {
    asked("P2PCP_SEED").unwrap_or(3)
}

#[test]
fn one_large_file_survives_kills() {
    match asked("P2PCP_KILLS") {
        Some(kills) => check(Kind::OneFile { mebibytes: 300 }, kills / 2, seed()),
        None => check(Kind::OneFile { mebibytes: 40 }, 3, seed()),
    }
}

#[test]
fn many_small_files_survive_kills() {
    match asked("P2PCP_KILLS") {
        Some(kills) => check(Kind::SmallFiles { count: 20_000 }, kills / 4, seed()),
        None => check(Kind::SmallFiles { count: 2000 }, 3, seed()),
    }
}

#[test]
fn a_mixed_tree_survives_kills() {
    match asked("P2PCP_KILLS") {
        Some(kills) => check(Kind::Mixed { large: 6, small: 600 }, kills - kills / 2 - kills / 4, seed()),
        None => check(Kind::Mixed { large: 1, small: 300 }, 3, seed()),
    }
}
