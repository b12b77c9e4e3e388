//! A process that says lines, and when it said them.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::lab::run;

/// A running process; dropping it ends it.
pub struct Process {
    child: Child,
    status: Option<ExitStatus>,
    lines: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Process {
    /// Starts it and listens to both of its streams.
    pub fn start(command: &mut Command) -> Result<Self, String> {
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| format!("{command:?}: {error}"))?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            child.stderr.take().map(|it| Box::new(it) as Box<dyn Read + Send>),
            child.stdout.take().map(|it| Box::new(it) as Box<dyn Read + Send>),
        ];
        for stream in streams.into_iter().flatten() {
            let lines = Arc::clone(&lines);
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if let Ok(mut lines) = lines.lock() {
                        lines.push((Instant::now(), line));
                    }
                }
            });
        }
        Ok(Self { child, status: None, lines })
    }

    /// What follows `prefix` in the first line that begins so, and when it was said.
    pub fn said(&self, prefix: &str) -> Option<(Instant, String)> {
        let lines = self.lines.lock().ok()?;
        let found = lines.iter().find_map(|(at, it)| Some((*at, it.strip_prefix(prefix)?)));
        found.map(|(at, rest)| (at, rest.trim().to_owned()))
    }

    /// Everything that was said and begins so.
    pub fn all_said(&self, prefix: &str) -> Vec<String> {
        let lines = self.lines.lock().map(|it| it.clone()).unwrap_or_default();
        lines.iter().filter(|(_, it)| it.starts_with(prefix)).map(|(_, it)| it.clone()).collect()
    }

    /// Waits for a line that begins so; what follows there.
    pub fn wait_for(&mut self, prefix: &str, within: Duration) -> Result<String, String> {
        let begun = Instant::now();
        loop {
            let over = self.over().is_some() || begun.elapsed() > within;
            if let Some((_, rest)) = self.said(prefix) {
                return Ok(rest);
            }
            if over {
                return Err(format!("it did not say `{prefix}`, but: {}", self.words()));
            }
            pause();
        }
    }

    /// How it ended, if it has.
    pub fn over(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// Asks it to end, as a person with Ctrl-C would not, and waits for that.
    pub fn terminate(&mut self, within: Duration) -> Result<(), String> {
        let begun = Instant::now();
        run(Command::new("kill").args(["-TERM", &self.child.id().to_string()]))?;
        while self.over().is_none() {
            if begun.elapsed() > within {
                return Err("it does not end when asked to".to_owned());
            }
            pause();
        }
        Ok(())
    }

    /// All that it said that is not progress, in one line.
    pub fn words(&self) -> String {
        let lines = self.lines.lock().map(|it| it.clone()).unwrap_or_default();
        let told = lines.iter().map(|(_, it)| it.trim()).filter(|it| !it.is_empty());
        let told: Vec<_> = told.filter(|it| !it.starts_with(|first: char| first.is_ascii_digit())).collect();
        told.join(" | ")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.over().is_none() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

/// Waits for a moment.
#[expect(clippy::disallowed_methods, reason = "the one way to look at another process now and then")]
pub fn pause() {
    std::thread::sleep(Duration::from_millis(2));
}
