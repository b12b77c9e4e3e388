//! One file from one host to another, by real processes, and what came of it.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::lab::{Host, Lab};
use crate::process::{Process, pause};

/// Longest wait for a server to listen and for a sender to show its code.
const START_WITHIN: Duration = Duration::from_secs(15);

/// A run that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(40);

/// What a program is given on one side.
#[derive(Debug, Clone, Default)]
pub struct Given {
    pub words: Vec<String>,
    pub environment: Vec<(String, String)>,
}

impl Given {
    pub fn words(mut self, words: &str) -> Self {
        self.words.extend(words.split_whitespace().map(str::to_owned));
        self
    }

    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn to(&self, mut command: Command) -> Command {
        command.args(&self.words).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// The program under test and where files are.
pub struct Bench {
    pub program: PathBuf,
    /// A folder of our own; the certificates are in it.
    pub work: PathBuf,
    pub bytes: usize,
}

/// Who does what where.
#[derive(Debug, Clone)]
pub struct Plan {
    pub sender: (Host, Given),
    pub receiver: (Host, Given),
}

/// Whether a path is direct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Direct,
    Relayed,
}

/// What a transfer that went through was.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub kind: Kind,
    /// What `recv` said of the path.
    pub path: String,
    /// What it said of it later, if anything.
    pub later: Vec<String>,
    /// From `recv` typed to the path found.
    pub connected: Duration,
    /// From `recv` typed to bytes of the file on the receiver's disk.
    pub first_byte: Duration,
    /// From `recv` typed to its success.
    pub done: Duration,
}

impl Bench {
    /// Starts `p2pcp signal` with these words, and waits until it listens.
    pub fn serve(&self, lab: &Lab, given: &Given) -> Result<Process, String> {
        let mut command = lab.command(Host::Public, &self.program);
        command.arg("signal").current_dir(self.folder("empty")?);
        let mut server = Process::start(&mut given.to(command))?;
        server.wait_for("listening", START_WITHIN).map_err(|error| format!("the server: {error}"))?;
        Ok(server)
    }

    /// Sends a file that does not compress and follows it to its end.
    pub fn transfer(&self, lab: &Lab, plan: &Plan) -> Result<Outcome, String> {
        self.transfer_while(lab, plan, || Ok(()))
    }

    /// The same; `at_connection` is called once, when a path was found.
    pub fn transfer_while(
        &self,
        lab: &Lab,
        plan: &Plan,
        at_connection: impl FnOnce() -> Result<(), String>,
    ) -> Result<Outcome, String> {
        let mut at_connection = Some(at_connection);
        let (source, target) = (self.work.join("source.bin"), self.folder("target")?);
        fs::remove_dir_all(&target).ok();
        let target = self.folder("target")?;
        let bytes = noise(self.bytes);
        fs::write(&source, &bytes).map_err(|error| error.to_string())?;

        let mut command = lab.command(plan.sender.0, &self.program);
        command.arg("send").current_dir(self.folder("empty")?);
        let mut command = plan.sender.1.to(command);
        let mut send = Process::start(command.arg(&source))?;
        let code = send.wait_for("code:", START_WITHIN).map_err(|error| format!("send: {error}"))?;

        let mut command = lab.command(plan.receiver.0, &self.program);
        command.args(["recv", "--yes", "-o"]).arg(&target).current_dir(self.folder("empty")?);
        let mut command = plan.receiver.1.to(command);
        let begun = Instant::now();
        let mut recv = Process::start(command.arg(&code))?;
        let mut first_byte = None;
        let status = loop {
            let status = recv.over();
            if first_byte.is_none() && bytes_in(&target) > 0 {
                first_byte = Some(begun.elapsed());
            }
            if recv.said("connected:").is_some()
                && let Some(call) = at_connection.take()
            {
                call()?;
            }
            if let Some(status) = status {
                break status;
            }
            if begun.elapsed() > LIMIT {
                return Err(format!(
                    "not over after {LIMIT:?}; recv: {}; send: {}",
                    recv.words(),
                    send.words()
                ));
            }
            pause();
        };
        let done = begun.elapsed();
        if !status.success() {
            return Err(format!("recv: {status}: {}; send: {}", recv.words(), send.words()));
        }
        while send.over().is_none() && begun.elapsed() < LIMIT {
            pause();
        }
        if !send.over().is_some_and(|it| it.success()) {
            return Err(format!("send did not end well: {}", send.words()));
        }
        if fs::read(target.join("source.bin")).map_err(|error| error.to_string())? != bytes {
            return Err("other bytes than were sent".to_owned());
        }
        let (at, path) =
            recv.said("connected:").ok_or_else(|| format!("no word of the path: {}", recv.words()))?;
        let kind = Kind::of(&path).ok_or_else(|| format!("what is a path like `{path}`?"))?;
        // Whose address it is shows nothing here.
        let path = match path.rsplit_once(", ") {
            Some((words, address)) if address.parse::<IpAddr>().is_ok() => words.to_owned(),
            _ => path,
        };
        Ok(Outcome {
            kind,
            path,
            later: [recv.all_said("now connected:"), send.all_said("now connected:")].concat(),
            connected: at - begun,
            first_byte: first_byte.unwrap_or(done),
            done,
        })
    }

    /// A folder below ours, made when it is missing.
    pub fn folder(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.work.join(name);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(folder)
    }
}

impl Kind {
    /// The kind of a path in `recv`'s words: `direct over LAN`, `relayed by HOST because …`.
    fn of(path: &str) -> Option<Self> {
        match path.split([' ', ',']).next()? {
            "direct" => Some(Self::Direct),
            "relayed" => Some(Self::Relayed),
            _ => None,
        }
    }
}

/// Bytes of the files in a folder and below, journals aside.
fn bytes_in(folder: &Path) -> u64 {
    let mut sum = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            sum += bytes_in(&entry.path());
        } else if !entry.file_name().to_string_lossy().starts_with("journal") {
            sum += metadata.len();
        }
    }
    sum
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn a_path_is_known_by_its_first_word() {
        let kinds = ["direct, 192.168.1.7", "direct through both NATs", "relayed by pub because", "else"];
        assert_eq!(kinds.map(Kind::of), [Some(Kind::Direct), Some(Kind::Direct), Some(Kind::Relayed), None]);
    }
}
