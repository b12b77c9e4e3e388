//! Where two sides run: on this machine, or in two network namespaces that live as long as their [`Lab`].

use std::cell::Cell;
use std::fs;
use std::net::TcpListener;
use std::path::{Path as FilePath, PathBuf};
use std::process::{Command, Stdio};

use crate::compare::case::{Path, Wan};

/// The first port inside a namespace of ours: nobody else is there.
const FIRST_PORT: u16 = 8091;

/// Addresses as tools/netlab gives them to `a` and `b`.
const ADDRESSES: [&str; 2] = ["10.77.0.1", "10.77.0.2"];

#[derive(Clone, Copy)]
pub enum Host {
    Sender,
    Receiver,
}

pub struct Lab {
    path: Path,
    script: PathBuf,
    name: String,
    next_port: Cell<u16>,
}

impl Lab {
    /// Builds the path; the seed decides which packets are lost. Namespaces are named after `NETLAB_NAME`, which tools/network-bench.sh sets to remove them
    /// whatever happens.
    pub fn build(path: Path, seed: u32) -> Result<Lab, String> {
        let name = std::env::var("NETLAB_NAME").unwrap_or_else(|_| format!("b{}", std::process::id()));
        let script = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("tools/netlab/netlab.sh");
        let lab = Lab { path, script, name, next_port: Cell::new(FIRST_PORT) };
        match &lab.path {
            Path::Loopback => {}
            Path::Cable => lab.cable()?,
            Path::Wan(wan) => {
                lab.netlab(&["up", "wan", "--seed", &seed.to_string()], &link_options(wan))?;
                lab.tcp_is("cubic")?;
            }
        }
        Ok(lab)
    }

    /// This program on that host.
    pub fn command(&self, host: Host, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = match self.path {
            Path::Loopback => Command::new(program),
            Path::Cable | Path::Wan(_) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", &self.namespace(host)]).arg(program);
                command
            }
        };
        command
            .env_remove("SIGNALING_SERVER_ADDR")
            .env_remove("SIGNALING_SERVER_PORT")
            .env_remove("STUN_SERVERS");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    pub fn address(&self, host: Host) -> &'static str {
        match self.path {
            Path::Loopback => "127.0.0.1",
            Path::Cable | Path::Wan(_) => ADDRESSES[host as usize],
        }
    }

    /// A TCP port that nobody listens on.
    pub fn port(&self) -> u16 {
        match self.path {
            Path::Loopback => TcpListener::bind(("127.0.0.1", 0))
                .and_then(|it| it.local_addr())
                .map_or(FIRST_PORT, |it| it.port()),
            Path::Cable | Path::Wan(_) => self.next_port.replace(self.next_port.get() + 1),
        }
    }

    /// Which congestion control TCP between the hosts uses from now on. It goes through the route: the kernel lets a
    /// namespace's own setting be only what the machine allows to everybody.
    pub fn tcp_is(&self, congestion_control: &str) -> Result<(), String> {
        if matches!(self.path, Path::Loopback) {
            return Ok(());
        }
        for (host, peer) in [(Host::Sender, Host::Receiver), (Host::Receiver, Host::Sender)] {
            let to = format!("{}/32", self.address(peer));
            ip(&[
                "-n",
                &self.namespace(host),
                "route",
                "replace",
                &to,
                "dev",
                "wan0",
                "congctl",
                congestion_control,
            ])?;
        }
        Ok(())
    }

    /// What the emulator could not carry for want of speed or memory, in packets: then the link was not what was
    /// asked for. Zero without an emulator.
    pub fn shortfall(&self) -> u64 {
        if !matches!(self.path, Path::Wan(_)) {
            return 0;
        }
        let said = self.netlab(&["stats"], &[]).unwrap_or_default();
        let counters: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
        let of = |direction: &str, name: &str| counters[direction][name].as_u64().unwrap_or(0);
        ["a2b", "b2a"]
            .iter()
            .map(|it| of(it, "kernel_drops") + of(it, "overflow_drops") + of(it, "write_fails"))
            .sum()
    }

    fn namespace(&self, host: Host) -> String {
        format!("p2pcp-{}-{}", self.name, ["a", "b"][host as usize])
    }

    fn cable(&self) -> Result<(), String> {
        let hosts = [Host::Sender, Host::Receiver].map(|it| self.namespace(it));
        for host in &hosts {
            ip(&["netns", "add", host])?;
            ip(&["-n", host, "link", "set", "lo", "up"])?;
        }
        let [a, b] = &hosts;
        ip(&[
            "-n", a, "link", "add", "wan0", "mtu", "1500", "type", "veth", "peer", "name", "wan0", "netns", b,
        ])?;
        for (host, address) in hosts.iter().zip(ADDRESSES) {
            ip(&["-n", host, "addr", "add", &format!("{address}/30"), "dev", "wan0"])?;
            ip(&["-n", host, "link", "set", "wan0", "up"])?;
        }
        self.tcp_is("cubic")
    }

    fn netlab(&self, words: &[&str], options: &[String]) -> Result<String, String> {
        run(Command::new(&self.script).env("NETLAB_NAME", &self.name).args(words).args(options))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !matches!(self.path, Path::Loopback) {
            self.netlab(&["down", "--kill"], &[]).ok();
        }
    }
}

/// Whether labs can be built here, or why not.
pub fn possible() -> Result<(), String> {
    if fs::metadata("/proc/self/ns/net").is_err() {
        return Err("network namespaces are a thing of Linux".to_owned());
    }
    if !fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .any(|it| it.starts_with("Uid:\t0\t"))
    {
        return Err("labs of network namespaces need root: sudo tools/network-bench.sh".to_owned());
    }
    Ok(())
}

fn link_options(wan: &Wan) -> Vec<String> {
    // The emulator's delay is one way.
    let delay = wan.rtt_ms / 2.0;
    [
        ("--delay", delay.to_string()),
        ("--rate", wan.rate_mbit.to_string()),
        ("--loss", wan.loss_percent.to_string()),
        ("--queue", wan.queue().to_string()),
    ]
    .into_iter()
    .flat_map(|(name, value)| [name.to_owned(), value])
    .collect()
}

fn ip(words: &[&str]) -> Result<(), String> {
    run(Command::new("ip").args(words)).map(drop)
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
