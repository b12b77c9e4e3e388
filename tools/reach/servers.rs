//! The servers that transfers meet at: `p2pcp signal` behind its doors, and coturn.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::lab::{Host, Lab, run};
use crate::process::{Process, pause};
use crate::transfer::Given;

/// How long coturn may take to listen.
const WITHIN: Duration = Duration::from_secs(15);

/// The public host's name where a lab gives it one.
pub const NAME: &str = "pub.netlab";

/// What listens on the public host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Port 8091, as it is when nothing else is said.
    Plain,
    /// Port 443 with TLS: the only way in for who is let out to nowhere else.
    Tls,
}

impl Door {
    /// What `p2pcp signal` is given to listen on that address.
    pub fn listen(self, address: &str, work: &Path) -> Given {
        let bracketed = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        match self {
            Self::Plain => Given::default().words(&format!("--listen {bracketed}:8091")),
            Self::Tls => Given::default().words(&format!(
                "--listen {bracketed}:443 --tls-cert {} --tls-key {}",
                work.join("cert.pem").display(),
                work.join("key.pem").display()
            )),
        }
    }

    /// What `send` and `recv` are given to meet there; no STUN servers but those that the server itself offers.
    pub fn meet(self, host: &str, work: &Path) -> Given {
        let given = match self {
            Self::Plain => Given::default().words(&format!("--server ws://{host}:8091")),
            Self::Tls => Given::default()
                .words(&format!("--server wss://{host}:443 --tls-ca {}", work.join("ca.pem").display())),
        };
        given.environment("STUN_SERVERS", "")
    }
}

/// Makes an authority and a certificate of it for the public host's addresses and name, in `work`.
pub fn certify(work: &Path) -> Result<(), String> {
    let openssl =
        |words: &str| run(Command::new("openssl").current_dir(work).args(words.split_whitespace())).map(drop);
    let names =
        format!("basicConstraints=CA:FALSE\nsubjectAltName=DNS:{NAME},IP:198.18.0.10,IP:2001:db8::10\n");
    fs::write(work.join("names"), names).map_err(|error| error.to_string())?;
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=netlab -days 30"))?;
    openssl(&format!("req {key} -keyout key.pem -out request -subj /CN={NAME}"))?;
    openssl(
        "x509 -req -in request -CA ca.pem -CAkey ca.key -set_serial 2 -days 30 -extfile names -out cert.pem",
    )
}

/// Whether coturn is installed.
pub fn has_coturn() -> bool {
    run(Command::new("turnserver").arg("--version")).is_ok()
}

/// coturn on the public host, port 3478, over UDP and TCP, for the user `me` with the password `secret`.
pub fn coturn(lab: &Lab, work: &Path) -> Result<Process, String> {
    let mut command = lab.command(Host::Public, "turnserver");
    command.args(["-n", "--listening-ip=198.18.0.10", "--relay-ip=198.18.0.10", "--listening-port=3478"]);
    command.args([
        "--lt-cred-mech",
        "--user=me:secret",
        "--realm=netlab",
        "--no-tls",
        "--no-dtls",
        "--no-cli",
    ]);
    command.args(["--log-file=stdout", "--simple-log"]);
    command.arg(format!("--pidfile={}", work.join("coturn.pid").display()));
    command.arg(format!("--userdb={}", work.join("coturn.db").display()));
    let mut server = Process::start(command.current_dir(work))?;
    // Its lines begin with a time, so the kernel is asked.
    let begun = Instant::now();
    while begun.elapsed() < WITHIN {
        let listening = run(lab.command(Host::Public, "ss").args(["-Hlun", "sport = :3478"]))?;
        if !listening.is_empty() {
            return Ok(server);
        }
        if server.over().is_some() {
            break;
        }
        pause();
    }
    Err(format!("coturn does not listen: {}", server.words()))
}
