//! One side of a transfer: a process, what it said, and what it used up.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::pause;

/// How long anything may take that needs no network to speak of: to start, to show a code, to end when it is done.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// The unit of times in `/proc/PID/stat`: `USER_HZ`, which is 100 on every Linux of today (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// Between two looks for processes that a process started, which reads all of `/proc`.
const FAMILY_EVERY: Duration = Duration::from_millis(50);

/// What a side used up in all. Nothing is known where there is no `/proc`.
#[derive(Clone, Copy, Default)]
pub struct Usage {
    /// Seconds, in user and system mode, of it and of what it started and waited for.
    pub cpu_seconds: Option<f64>,
    /// Largest resident set; of several processes the sum of each one's largest.
    pub peak_bytes: Option<u64>,
}

pub struct Side {
    child: Child,
    /// When those whom it started were last looked at, where they do a part of the work.
    family: Option<Instant>,
    /// What those used who run still; of who has ended, its parent tells.
    family_cpu_seconds: f64,
    peaks: HashMap<u32, u64>,
    cpu_seconds: Option<f64>,
    status: Option<ExitStatus>,
    said: Arc<Mutex<String>>,
}

impl Side {
    /// Starts it. What it says on stderr is read; its last line explains a failure.
    pub fn start(command: &mut Command) -> Result<Side, String> {
        Ok(Side::listened(command, None)?.0)
    }

    /// Starts it and waits for the line that begins like this, on stderr or stdout; what follows there is returned.
    pub fn start_until(command: &mut Command, prefix: &'static str) -> Result<(Side, String), String> {
        let (side, lines) = Side::listened(command, Some(prefix))?;
        match lines.recv_timeout(PATIENCE) {
            Ok(rest) => Ok((side, rest)),
            Err(_) => Err(format!("nothing like `{prefix}` was said, but: {}", side.last_words())),
        }
    }

    fn listened(
        command: &mut Command,
        prefix: Option<&'static str>,
    ) -> Result<(Side, mpsc::Receiver<String>), String> {
        command.stderr(Stdio::piped());
        if prefix.is_some() {
            command.stdout(Stdio::piped());
        }
        let mut child = command.spawn().map_err(|error| format!("{:?}: {error}", command.get_program()))?;
        let said = Arc::new(Mutex::new(String::new()));
        let (sender, lines) = mpsc::channel();
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            child.stderr.take().map(|it| Box::new(it) as Box<dyn Read + Send>),
            child.stdout.take().map(|it| Box::new(it) as Box<dyn Read + Send>),
        ];
        for stream in streams.into_iter().flatten() {
            let (said, sender) = (Arc::clone(&said), sender.clone());
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if let Some(rest) = prefix.and_then(|it| line.strip_prefix(it)) {
                        sender.send(rest.trim().to_owned()).ok();
                    }
                    if !line.trim().is_empty()
                        && let Ok(mut said) = said.lock()
                    {
                        *said = line;
                    }
                }
            });
        }
        let side = Side {
            child,
            family: None,
            family_cpu_seconds: 0.0,
            peaks: HashMap::new(),
            cpu_seconds: None,
            status: None,
            said,
        };
        Ok((side, lines))
    }

    /// Counts what it starts, too.
    pub fn with_family(mut self) -> Side {
        self.family = Some(Instant::now());
        self
    }

    /// Looks at it; whether it is over.
    pub fn look(&mut self) -> bool {
        if self.status.is_some() {
            return true;
        }
        let id = self.child.id();
        let stat = Stat::of(id);
        if let Some(stat) = &stat {
            self.peek(id);
            if self.family.is_some_and(|it| it.elapsed() >= FAMILY_EVERY) {
                self.look_at_family();
            }
            // Who has ended has waited for its own, and what they used is in what it used.
            let family = if stat.over { 0.0 } else { self.family_cpu_seconds };
            self.cpu_seconds = Some(stat.cpu_seconds + family);
        }
        // Who has ended is waited for only after its times were read, for then they are gone.
        if stat.is_none_or(|it| it.over) {
            self.status = self.child.try_wait().expect("our own child");
        }
        self.status.is_some()
    }

    fn look_at_family(&mut self) {
        self.family = Some(Instant::now());
        self.family_cpu_seconds = 0.0;
        for id in descendants(self.child.id()) {
            self.peek(id);
            self.family_cpu_seconds += Stat::of(id).map_or(0.0, |it| it.cpu_seconds);
        }
    }

    fn peek(&mut self, id: u32) {
        if let Some(bytes) = peak_bytes(id) {
            let peak = self.peaks.entry(id).or_default();
            *peak = bytes.max(*peak);
        }
    }

    /// Waits for its end; whether that came in time and it says that all is well.
    pub fn ends_well(&mut self, within: Duration) -> Result<(), String> {
        let begun = Instant::now();
        while !self.look() {
            if begun.elapsed() > within {
                return Err(format!("it does not end: {}", self.last_words()));
            }
            pause();
        }
        match self.status {
            Some(status) if status.success() => Ok(()),
            status => {
                Err(format!("{}: {}", status.map_or("?".to_owned(), |it| it.to_string()), self.last_words()))
            }
        }
    }

    /// Whether it has ended and says that something went wrong.
    pub fn failed(&self) -> bool {
        self.status.is_some_and(|it| !it.success())
    }

    /// Waits until somebody listens on a TCP port where it runs, for those who do not say when they do.
    pub fn listens(&self, port: u16) -> Result<(), String> {
        let begun = Instant::now();
        // Local address and state, where 0A is listening, in the kernel's own table of that network (proc(5)).
        let listening = |line: &str| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields.next().is_some_and(|it| it.ends_with(&format!(":{port:04X}")));
            local && fields.nth(1) == Some("0A")
        };
        while begun.elapsed() < PATIENCE {
            let tables =
                ["tcp", "tcp6"].map(|it| fs::read_to_string(format!("/proc/{}/net/{it}", self.child.id())));
            if tables.iter().flatten().any(|it| it.lines().any(listening)) {
                return Ok(());
            }
            pause();
        }
        Err(format!("nobody listens on port {port}: {}", self.last_words()))
    }

    /// Waits until what it started is gone, so that its times are in its parent's.
    pub fn settles(&mut self) {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && !descendants(self.child.id()).is_empty() {
            pause();
        }
        self.look_at_family();
        self.look();
    }

    /// Ends it, whatever it does.
    pub fn stop(&mut self) {
        self.look();
        if self.status.is_none() {
            self.child.kill().ok();
            self.status = self.child.wait().ok();
        }
    }

    pub fn usage(&self) -> Usage {
        let known = !self.peaks.is_empty();
        Usage { cpu_seconds: self.cpu_seconds, peak_bytes: known.then(|| self.peaks.values().sum()) }
    }

    pub fn last_words(&self) -> String {
        self.said.lock().map(|it| it.trim().to_owned()).unwrap_or_default()
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What `/proc/PID/stat` says (proc(5)).
struct Stat {
    parent: u32,
    over: bool,
    cpu_seconds: f64,
}

impl Stat {
    fn of(id: u32) -> Option<Stat> {
        let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name of the program is in parentheses and may hold any of them.
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<_> = fields.split_whitespace().collect();
        let ticks = fields.get(11..15)?.iter().map(|it| it.parse::<f64>().unwrap_or(0.0)).sum::<f64>();
        Some(Stat {
            parent: fields.get(1)?.parse().ok()?,
            over: matches!(*fields.first()?, "Z" | "X"),
            cpu_seconds: ticks / TICKS_PER_SECOND,
        })
    }
}

/// The most memory that a process has used, while it runs.
fn peak_bytes(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Who descends from a process and runs.
fn descendants(of: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|it| it.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<_> = ids.filter_map(|id| Some((id, Stat::of(id)?.parent))).collect();
    let mut family = vec![of];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(parents.iter().filter(|it| it.1 == parent).map(|it| it.0));
        next += 1;
    }
    family.split_off(1)
}
