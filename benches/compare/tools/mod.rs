//! What is compared with what.

mod croc;
pub mod iperf3;
pub mod p2pcp;
mod ssh;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::compare::case::{Case, Kind, Path};
use crate::compare::lab::Lab;
use crate::compare::process::{Side, Usage};
use crate::compare::transfer::{Job, Run};

/// One way to bring bytes from one host to another.
#[derive(Clone)]
pub enum Tool {
    /// This build of ours.
    P2pcp {
        name: String,
        program: PathBuf,
    },
    /// TCP with this congestion control.
    Iperf3(&'static str),
    /// With this cipher.
    Scp(Option<&'static str>),
    Rsync,
    Croc,
    /// `cp -r`, which no network tool can beat.
    Copy,
}

/// What `--also` may name, in the order of the table.
pub const OTHERS: [(&str, &[Tool]); 5] = [
    ("iperf3", &[Tool::Iperf3("cubic"), Tool::Iperf3("bbr")]),
    ("scp", &[Tool::Scp(None), Tool::Scp(Some("aes128-gcm@openssh.com"))]),
    ("rsync", &[Tool::Rsync]),
    ("croc", &[Tool::Croc]),
    ("cp", &[Tool::Copy]),
];

impl Tool {
    pub fn name(&self) -> String {
        match self {
            Tool::P2pcp { name, .. } => name.clone(),
            Tool::Iperf3(congestion_control) => format!("iperf3 {congestion_control}"),
            Tool::Scp(None) => "scp".to_owned(),
            Tool::Scp(Some(cipher)) => format!("scp {}", cipher.trim_end_matches("@openssh.com")),
            Tool::Rsync => "rsync (ssh)".to_owned(),
            Tool::Croc => "croc".to_owned(),
            Tool::Copy => "cp -r".to_owned(),
        }
    }

    /// Why it cannot be used here.
    pub fn missing(&self) -> Option<String> {
        let needs: &[&str] = match self {
            Tool::P2pcp { program, .. } => {
                return (!program.is_file()).then(|| format!("{} is not there", program.display()));
            }
            Tool::Iperf3(_) => &["iperf3"],
            Tool::Scp(_) => &["scp", "ssh", "ssh-keygen"],
            Tool::Rsync => &["rsync", "ssh", "ssh-keygen"],
            Tool::Croc => &["croc"],
            Tool::Copy => &["cp"],
        };
        if let Some(program) = needs.iter().find(|it| !installed(it)) {
            return Some(format!("{program} is not installed"));
        }
        match self {
            Tool::Scp(_) | Tool::Rsync if !ssh::server_program().is_file() => {
                Some("sshd is not installed".to_owned())
            }
            Tool::Iperf3(name) if !congestion_controls().split_whitespace().any(|it| it == *name) => Some(
                format!("the kernel offers TCP {} (try `modprobe tcp_{name}`)", congestion_controls().trim()),
            ),
            _ => None,
        }
    }

    /// Whether there is a point in running it for a case.
    pub fn fits(&self, case: &Case) -> bool {
        let small = case.load.files > 1;
        match (&case.kind, self) {
            (_, Tool::P2pcp { .. }) => true,
            // What shares the line is chosen by the case.
            (Kind::Shared(_), _) => false,
            (Kind::Pinged, tool) => matches!(tool, Tool::Iperf3(_) | Tool::Scp(None)),
            // A rate wants bytes.
            (_, Tool::Iperf3(_)) => !small && case.load.bytes > 1 << 20,
            (_, Tool::Rsync) => small || case.load.bytes == 1,
            (_, Tool::Copy) => matches!(case.path, Path::Loopback),
            (_, Tool::Scp(cipher)) => cipher.is_none() || !small && case.load.bytes > 1,
            (_, Tool::Croc) => true,
        }
    }

    /// Carries the load once. `at_first_byte` is called when something is at the other end.
    pub fn carry(
        &self,
        lab: &Lab,
        case: &Case,
        job: &Job,
        at_first_byte: impl FnOnce(),
    ) -> Result<Run, String> {
        fs::remove_dir_all(&job.target).ok();
        let loopback = matches!(case.path, Path::Loopback);
        let pair = match self {
            Tool::Iperf3(congestion_control) => {
                let stream = iperf3::start(lab, congestion_control, job, job.window)?;
                at_first_byte();
                return stream.ends();
            }
            Tool::Copy => return copy(job),
            Tool::P2pcp { program, .. } => p2pcp::start(lab, loopback, program, job)?,
            Tool::Scp(cipher) => ssh::scp(lab, *cipher, job)?,
            Tool::Rsync => ssh::rsync(lab, job)?,
            Tool::Croc => croc::start(lab, job)?,
        };
        pair.follow(job, at_first_byte)
    }
}

fn copy(job: &Job) -> Result<Run, String> {
    let begun = Instant::now();
    let mut cp = Side::start(Command::new("cp").arg("-r").arg(&job.source).arg(&job.target))?;
    cp.ends_well(job.limit)?;
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Run {
        seconds,
        bytes: job.total_bytes,
        whole: true,
        usage: [cp.usage(), Usage::default()],
        ..Run::default()
    })
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|it| it.join(program).is_file())
}

/// What the kernel has for TCP; what it does not tell is tried.
fn congestion_controls() -> String {
    fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control")
        .unwrap_or_else(|_| "cubic bbr".to_owned())
}

/// What a program says of its version, for the head of a report.
pub fn version(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).stdin(Stdio::null()).output().ok()?;
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Some(String::from_utf8_lossy(&said).lines().next()?.trim().to_owned())
}
