//! A transfer that was killed half way, again and again the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use p2pcp::error::ExitCode;
use rustix::process::Signal;

use crate::support::remains::Remains;
use crate::support::rng::Rng;
use crate::support::{End, Work, assert_same, snapshot, stage_in, staged, until};

/// One chunk.
pub const MEBIBYTE: u64 = 1 << 20;

/// Bytes of the file that is under way.
pub const SIZE: u64 = 24 * MEBIBYTE;

/// Bytes of the file that had its name already.
pub const FINISHED: &[u8] = b"finished before";

/// A receive folder `left` in which `from/a` is finished and `from/big` is staged in part.
pub struct Interrupted {
    pub work: Work,
    /// Whole chunks of `from/big` in the stage.
    pub held: u64,
}

impl Interrupted {
    /// Sends until some chunks are staged and journaled, and kills both sides.
    pub fn new(seed: u64) -> Self {
        let work = Work::in_memory(1 << 30);
        work.tree("from").file("a", FINISHED).file("big", Rng::new(seed).bytes(SIZE as usize));
        work.tree("outside").file("precious", vec![7; 3 << 20]).folder("data").pipe("pipe");
        let mut sender = work.send_slowly(4, &["from"]);
        let receiver = work.recv(&sender.code()).spawn();
        let look = || Remains::look(&work.path("from"), &work.path("to"));
        work.stage_holds(6 * MEBIBYTE);
        // Nothing comes any more, and after a while the receiver makes durable what it has.
        sender.signal(Signal::STOP);
        until("a journaled chunk", || (look().journaled_bytes >= 4 * MEBIBYTE).then_some(()));
        receiver.signal(Signal::KILL);
        sender.signal(Signal::KILL);
        receiver.end().was_killed();
        sender.end().was_killed();
        let remains = look();
        remains.assert_honest("after the kill");
        let held = staged(&work.path("to")).unwrap() / MEBIBYTE;
        assert!(held < SIZE / MEBIBYTE, "it was over before it was killed");
        fs::rename(work.path("to"), work.path("left")).unwrap();
        Self { work, held }
    }

    /// Puts what is left into the receive folder anew, and returns the stage in it.
    pub fn restore(&self) -> PathBuf {
        let to = self.work.path("to");
        if to.exists() {
            fs::remove_dir_all(&to).unwrap();
        }
        let copied = Command::new("cp").arg("-a").arg(self.work.path("left")).arg(&to).status();
        assert!(copied.unwrap().success());
        stage_in(&to).unwrap()
    }

    /// Sends again, and asserts that all is there in the end. Returns what the receiver said.
    pub fn resume(&self, options: &[&str]) -> End {
        let outside = snapshot(&self.work.path("outside"));
        let mut sender = self.work.send(&["from"]);
        let receiver = self.work.recv(&sender.code()).arguments(&["--verbose"]).arguments(options).run();
        let receiver = receiver.exits(ExitCode::Done);
        sender.end().exits(ExitCode::Done);
        for name in ["a", "big"] {
            assert_same(&self.work.path("from").join(name), &self.work.path("to/from").join(name));
        }
        assert_eq!(snapshot(&self.work.path("outside")), outside, "something outside was touched");
        receiver
    }
}

/// The staged file of `from/big` in a stage: the largest one.
pub fn staged_file(stage: &Path) -> PathBuf {
    let staged = fs::read_dir(stage.join("data")).unwrap().map(|it| it.unwrap().path());
    staged.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}
