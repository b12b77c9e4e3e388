//! One transfer between two processes, followed from its start to its end or to its time limit.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::compare::lab::Host;
use crate::compare::process::{PATIENCE, Side, Usage};
use crate::support::pause;

/// What is to be carried where.
pub struct Job {
    pub source: PathBuf,
    pub target: PathBuf,
    /// For what a tool needs beside: keys, reports.
    pub work: PathBuf,
    pub total_bytes: u64,
    /// A transfer that takes longer is stopped, and what it reached until then is told.
    pub limit: Duration,
    /// How long is measured what has no end of its own: TCP alone, a point of a curve.
    pub window: Duration,
}

/// Two sides at work.
pub struct Pair {
    pub send: Side,
    pub recv: Side,
    /// Whoever else it takes, and whose use is not counted: a server, a relay.
    pub helper: Option<Side>,
    /// When the person who waits pressed enter.
    pub begun: Instant,
    /// Whose end is the end for that person.
    pub last: Host,
    /// How the other side ends.
    pub other: Other,
    /// Whether files have their full length before their bytes are there.
    pub preallocates: bool,
}

/// How the side that is not waited for ends.
#[derive(Clone, Copy, PartialEq)]
pub enum Other {
    /// By itself, soon after.
    Ends,
    /// Not at all: it is a server, and what it started ends.
    Serves,
}

/// What one run was.
#[derive(Default)]
pub struct Run {
    pub seconds: f64,
    pub bytes: u64,
    /// From the start until the receiver had something on its disk.
    pub first_byte_seconds: Option<f64>,
    /// Not stopped by the limit.
    pub whole: bool,
    /// The sender's and the receiver's.
    pub usage: [Usage; 2],
    /// Round trips of the pings meanwhile, in milliseconds.
    pub round_trips_ms: Vec<f64>,
    /// What shared the line, and its bytes a second.
    pub beside: Option<(String, f64)>,
    /// Segments that TCP sent again, where it says so.
    pub retransmits: Option<u64>,
    /// Packets that the emulator dropped for want of speed: then the path was worse than its name.
    pub shortfall: u64,
}

impl Pair {
    /// Follows it. `at_first_byte` is called once, when something is there.
    pub fn follow(mut self, job: &Job, at_first_byte: impl FnOnce()) -> Result<Run, String> {
        let mut run = Run::default();
        let mut at_first_byte = Some(at_first_byte);
        while !self.look() {
            let elapsed = self.begun.elapsed();
            if at_first_byte.is_some() && self.arrived(job) > 0 {
                run.first_byte_seconds = Some(elapsed.as_secs_f64());
                at_first_byte.take().into_iter().for_each(|call| call());
            }
            if elapsed > job.limit {
                run.seconds = elapsed.as_secs_f64();
                run.bytes = self.arrived(job);
                run.usage = self.stop();
                return Ok(run);
            }
            pause();
        }
        run.seconds = self.begun.elapsed().as_secs_f64();
        let (last, other) = match self.last {
            Host::Sender => (&mut self.send, &mut self.recv),
            Host::Receiver => (&mut self.recv, &mut self.send),
        };
        last.ends_well(PATIENCE)?;
        match self.other {
            Other::Ends => other.ends_well(PATIENCE)?,
            Other::Serves => other.settles(),
        }
        run.bytes = self.arrived(job);
        if run.bytes != job.total_bytes {
            return Err(format!("{} of {} bytes are there", run.bytes, job.total_bytes));
        }
        run.whole = true;
        run.usage = self.stop();
        Ok(run)
    }

    /// Waits until something is there.
    pub fn first_byte(&mut self, job: &Job) -> Result<(), String> {
        while self.arrived(job) == 0 {
            if self.look() || self.begun.elapsed() > job.limit {
                return Err(format!("no byte came: {}; {}", self.send.last_words(), self.recv.last_words()));
            }
            pause();
        }
        Ok(())
    }

    /// Bytes on the receiver's disk, named or not yet.
    pub fn arrived(&self, job: &Job) -> u64 {
        bytes_in(&job.target, self.preallocates)
    }

    /// Looks at both; whether the person who waits has what they waited for, or it failed.
    pub fn look(&mut self) -> bool {
        let (send, recv) = (self.send.look(), self.recv.look());
        match self.last {
            Host::Sender => send || recv,
            // A sender that failed has nobody to wait for.
            Host::Receiver => recv || send && self.send.failed(),
        }
    }

    /// Ends what still runs; what both sides used.
    pub fn stop(&mut self) -> [Usage; 2] {
        for side in [Some(&mut self.send), Some(&mut self.recv), self.helper.as_mut()].into_iter().flatten() {
            side.stop();
        }
        [self.send.usage(), self.recv.usage()]
    }
}

/// Bytes of the files in a folder and below, journals aside.
fn bytes_in(folder: &Path, allocated_only: bool) -> u64 {
    let mut sum = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            sum += bytes_in(&entry.path(), allocated_only);
        } else if !entry.file_name().to_string_lossy().starts_with("journal") {
            sum += if allocated_only { allocated(&metadata).min(metadata.len()) } else { metadata.len() };
        }
    }
    sum
}

#[cfg(unix)]
fn allocated(metadata: &fs::Metadata) -> u64 {
    // st_blocks counts units of 512 bytes whatever the file system's block is (stat(2)).
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}
