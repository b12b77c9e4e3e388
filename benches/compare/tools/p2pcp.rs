//! p2pcp itself, of any build.

use std::path::Path;
use std::time::Instant;

use crate::compare::lab::{Host, Lab};
use crate::compare::process::Side;
use crate::compare::transfer::{Job, Other, Pair};

/// Starts both sides. On loopback they meet with nothing configured; in a lab at a server on the sender's host, which
/// is where `send` would run one by itself.
pub fn start(lab: &Lab, loopback: bool, program: &Path, job: &Job) -> Result<Pair, String> {
    let mut meet = vec!["--loopback".to_owned()];
    let mut helper = None;
    if !loopback {
        let (address, port) = (lab.address(Host::Sender), lab.port().to_string());
        let mut server = lab.command(Host::Sender, program);
        server.args(["signal", "--listen", address, "--port", &port]);
        helper = Some(Side::start_until(&mut server, "listening on ")?.0);
        meet = ["--server", &format!("ws://{address}:{port}"), "--stun", "none"].map(str::to_owned).to_vec();
    }
    let mut send = lab.command(Host::Sender, program);
    let (send, code) = Side::start_until(send.arg("send").args(&meet).arg(&job.source), "code: ")?;
    let begun = Instant::now();
    let mut recv = lab.command(Host::Receiver, program);
    recv.arg("recv").args(&meet).args(["--yes", "--output"]).arg(job.target.join("")).arg(code);
    let recv = Side::start(&mut recv)?;
    Ok(Pair { send, recv, helper, begun, last: Host::Receiver, other: Other::Ends, preallocates: false })
}
