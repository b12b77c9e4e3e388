//! What goes on beside a transfer: pings that measure the queue, and somebody else on the same line.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::compare::lab::{Host, Lab};
use crate::compare::process::Side;
use crate::compare::tools::{Tool, iperf3, p2pcp};
use crate::compare::transfer::{Job, Pair, Run};
use crate::support::pause;

/// Seconds between two pings: often enough to see a queue of tens of milliseconds, too few bytes to matter.
const PING_EVERY: &str = "0.05";

/// Pings from the sender's host to the receiver's, through the queue that the transfer fills.
pub struct Pings {
    ping: Side,
    report: PathBuf,
}

impl Pings {
    pub fn start(lab: &Lab, job: &Job) -> Result<Pings, String> {
        let report = job.work.join("ping.txt");
        let mut ping = lab.command(Host::Sender, "ping");
        ping.args(["-n", "-i", PING_EVERY, lab.address(Host::Receiver)]);
        ping.stdout(fs::File::create(&report).map_err(|error| error.to_string())?);
        Ok(Pings { ping: Side::start(&mut ping)?, report })
    }

    /// Ends them; the round trips in milliseconds.
    pub fn end(mut self) -> Vec<f64> {
        self.ping.stop();
        let said = fs::read_to_string(&self.report).unwrap_or_default();
        let times =
            said.lines().filter_map(|it| it.split_once("time=")?.1.split_whitespace().next()?.parse().ok());
        times.collect()
    }
}

/// Who shares the line with a transfer of ours.
#[derive(Clone, Copy)]
pub enum Other {
    Tcp(&'static str),
    Ourselves,
}

impl Other {
    pub fn name(self, tool: &Tool) -> String {
        match self {
            Other::Tcp(congestion_control) => format!("TCP {congestion_control}"),
            Other::Ourselves => tool.name(),
        }
    }
}

/// One transfer beside another one for so long, counted from when both have sent something.
pub fn share(lab: &Lab, tool: &Tool, other: Other, job: &Job, window: Duration) -> Result<Run, String> {
    let Tool::P2pcp { program, .. } = tool else { return Err("only p2pcp is measured so".to_owned()) };
    fs::remove_dir_all(&job.target).ok();
    let mut ours = p2pcp::start(lab, false, program, job)?;
    ours.first_byte(job)?;
    let beside_job = beside(job);
    fs::remove_dir_all(&beside_job.target).ok();
    let (mut run, theirs) = match other {
        Other::Tcp(congestion_control) => {
            let stream = iperf3::start(lab, congestion_control, &beside_job, window)?;
            let counted = count(&mut ours, job, window, || ());
            let stream = stream.ends()?;
            (counted, stream.bytes as f64 / stream.seconds)
        }
        Other::Ourselves => {
            let mut second = p2pcp::start(lab, false, program, &beside_job)?;
            second.first_byte(&beside_job)?;
            let before = second.arrived(&beside_job);
            let counted = count(&mut ours, job, window, || {
                second.look();
            });
            let theirs = (second.arrived(&beside_job) - before) as f64 / counted.seconds;
            second.stop();
            (counted, theirs)
        }
    };
    run.usage = ours.stop();
    run.beside = Some((other.name(tool), theirs));
    fs::remove_dir_all(&beside_job.target).ok();
    Ok(run)
}

/// The same job with another target.
fn beside(job: &Job) -> Job {
    Job {
        source: job.source.clone(),
        target: job.target.with_extension("beside"),
        work: job.work.clone(),
        ..*job
    }
}

/// Counts what arrives within a time.
pub fn count(pair: &mut Pair, job: &Job, window: Duration, mut meanwhile: impl FnMut()) -> Run {
    let (begun, before) = (Instant::now(), pair.arrived(job));
    while begun.elapsed() < window && !pair.look() {
        meanwhile();
        pause();
    }
    let bytes = pair.arrived(job) - before;
    Run { seconds: begun.elapsed().as_secs_f64(), bytes, ..Run::default() }
}
