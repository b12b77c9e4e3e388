//! What end-to-end tests are made of: a folder of one's own, processes in it, and trees to compare.
//!
//! Nothing here leaves the loopback interface: every process starts with an empty environment in a
//! temporary folder, and the commands that transfer get `--loopback` or a server on 127.0.0.1.

pub mod mount;
pub mod net;
pub mod process;
pub mod remains;
pub mod rng;
pub mod schema;
pub mod terminal;
pub mod tree;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use p2pcp::error::ExitCode;
use tempfile::TempDir;

pub use crate::support::process::{End, Running, Start};
pub use crate::support::tree::{Tree, assert_same, assert_same_files, snapshot};

/// Longest wait for anything; only a failing test waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A temporary folder in which commands run; what is sent is in `from`, what comes goes to `to`.
pub struct Work {
    folder: TempDir,
}

impl Work {
    /// An empty one.
    pub fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("p2pcp-it-").tempdir().unwrap() }
    }

    /// One whose files are in memory, where there is room for so many bytes: for tests that write much.
    pub fn in_memory(bytes: u64) -> Self {
        let memory = Path::new("/dev/shm");
        let free = rustix::fs::statvfs(memory).map_or(0, |it| it.f_bavail.saturating_mul(it.f_frsize));
        match tempfile::Builder::new().prefix("p2pcp-it-").tempdir_in(memory) {
            Ok(folder) if free > bytes => Self { folder },
            Ok(_) | Err(_) => Self::new(),
        }
    }

    /// The path of something in it.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A tree to plant at `name`.
    pub fn tree(&self, name: &str) -> Tree {
        Tree::new(self.path(name))
    }

    /// p2pcp with these arguments, run in this folder.
    pub fn p2pcp(&self, arguments: &[&str]) -> Start {
        Start::new(env!("CARGO_BIN_EXE_p2pcp"), self.folder.path()).arguments(arguments)
    }

    /// A line of the shell, run in this folder.
    pub fn shell(&self, line: &str) -> Start {
        Start::new("/bin/sh", self.folder.path()).arguments(&["-c", line])
    }

    /// p2pcp with these arguments in a terminal of its own, which shows on the stdout of `script` (util-linux);
    /// `None` where there is no `script`.
    pub fn at_a_terminal(&self, arguments: &str) -> Option<Running> {
        self.at_a_terminal_after("", arguments)
    }

    /// The same, in a terminal of 100 columns and a locale of UTF-8.
    pub fn at_a_wide_terminal(&self, arguments: &str) -> Option<Running> {
        self.at_a_terminal_after("stty cols 100 rows 50; LC_ALL=C.UTF-8 ", arguments)
    }

    fn at_a_terminal_after(&self, first: &str, arguments: &str) -> Option<Running> {
        let script = ["/usr/bin/script", "/bin/script"].into_iter().find(|it| Path::new(it).exists())?;
        let command = format!("{first} exec '{}' {arguments}", env!("CARGO_BIN_EXE_p2pcp"));
        let start = Start::new(script, self.folder.path()).arguments(&["-qec", &command, "/dev/null"]);
        let start = start.variable("TERM", "xterm").variable("SHELL", "/bin/sh").variable("NO_COLOR", "1");
        Some(start.typing().spawn())
    }

    /// A sender on this machine that shows its code.
    pub fn send(&self, paths: &[&str]) -> Running {
        self.p2pcp(&["send", "--loopback"]).arguments(paths).spawn()
    }

    /// The same at so many MiB/s, for a fault that must come before the end however late this process sees
    /// that bytes are there.
    pub fn send_slowly(&self, mebibytes: u64, paths: &[&str]) -> Running {
        let limit = format!("--limit={}", mebibytes << 20);
        self.p2pcp(&["send", "--loopback", &limit]).arguments(paths).spawn()
    }

    /// A receiver on this machine that accepts everything and puts it into `to`.
    pub fn recv(&self, code: &str) -> Start {
        self.p2pcp(&["recv", "--loopback", "--yes", "--output", "to/", code])
    }

    /// Sends `paths` and receives them into `to`; both ends are as they may be. Cleanliness is checked.
    pub fn transfer(&self, paths: &[&str], options: &[&str]) -> (End, End) {
        let mut sender = self.send(paths);
        let code = sender.code();
        let receiver = self.recv(&code).arguments(options).run();
        let sender = sender.end();
        let (_, secret) = code.split_once('-').unwrap();
        assert!(!receiver.stderr.contains(secret), "the receiver told the code: {}", receiver.stderr);
        self.assert_no_stage("to");
        (sender, receiver)
    }

    /// Sends `paths` and receives them into `to`; both must succeed without a warning.
    pub fn transfer_all(&self, paths: &[&str]) {
        let (sender, receiver) = self.transfer(paths, &[]);
        receiver.exits(ExitCode::Done).says_not("warning:");
        sender.exits(ExitCode::Done).says_not("warning:");
    }

    /// Waits until the receive folder's stage holds so many bytes of one file.
    pub fn stage_holds(&self, bytes: u64) {
        until("bytes in a stage", || (staged(&self.path("to"))? >= bytes).then_some(()));
    }

    /// Asserts that the receive folder holds nothing unfinished.
    pub fn assert_no_stage(&self, name: &str) {
        let stage = stage_in(&self.path(name));
        assert_eq!(stage, None, "a stage was left behind");
    }
}

/// The stage in a receive folder, if there is one.
pub fn stage_in(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_stage = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(".p2pcp-");
    entries.map(|entry| entry.path()).find(is_stage)
}

/// Bytes of the largest staged file in a receive folder.
pub fn staged(folder: &Path) -> Option<u64> {
    let staged = std::fs::read_dir(stage_in(folder)?.join("data")).ok()?.flatten();
    staged.filter_map(|entry| entry.metadata().ok()).map(|facts| facts.len()).max()
}

/// Looks again and again until `look` finds something.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Whether the tests run as the superuser, whom no permission stops.
pub fn superuser() -> bool {
    rustix::process::geteuid().is_root()
}

/// Where a program of this system is.
pub fn program(name: &str) -> Option<String> {
    let places = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(|folder| format!("{folder}/{name}"));
    places.into_iter().find(|path| Path::new(path).exists())
}

/// Says on the test's stderr that it could not do its work here.
pub fn skip(test: &str, why: &str) {
    eprintln!("SKIPPED {test}: {why}");
}
