//! croc through a relay of its own on the sender's host: nobody else's is asked.

use std::time::Instant;

use crate::compare::lab::{Host, Lab};
use crate::compare::process::Side;
use crate::compare::transfer::{Job, Other, Pair};

/// A code as croc makes them; what is said to whom in a lab is no secret.
const CODE: &str = "1234-bench-bench-bench";

/// Ports of the relay: one to meet at, and as many for data as croc uses by itself.
const RELAY_PORTS: usize = 5;

pub fn start(lab: &Lab, job: &Job) -> Result<Pair, String> {
    lab.tcp_is("cubic")?;
    let ports = [(); RELAY_PORTS].map(|()| lab.port());
    let relay_address = format!("{}:{}", lab.address(Host::Sender), ports[0]);
    let croc = |host| {
        let mut croc = lab.command(host, "croc");
        // Settings and what it remembers go to the work folder; the code in the environment, where croc wants it.
        croc.env("HOME", &job.work).env("CROC_CONFIG_DIR", &job.work).env("CROC_SECRET", CODE);
        croc
    };
    let mut relay = croc(Host::Sender);
    let all = ports.map(|it| it.to_string()).join(",");
    let relay = Side::start(relay.args(["relay", "--host", lab.address(Host::Sender), "--ports", &all]))?;
    relay.listens(ports[0])?;
    let mut send = croc(Host::Sender);
    send.args(["--yes", "--ignore-stdin", "--no-compress", "--relay", &relay_address, "send", "--no-local"])
        .arg(&job.source);
    let (send, _) = Side::start_until(&mut send, "On the other computer")?;
    std::fs::create_dir_all(&job.target).map_err(|error| error.to_string())?;
    let begun = Instant::now();
    let mut recv = croc(Host::Receiver);
    recv.args(["--yes", "--overwrite", "--no-compress", "--relay", &relay_address, "--out"]).arg(&job.target);
    let recv = Side::start(&mut recv)?;
    Ok(Pair {
        send,
        recv,
        helper: Some(relay),
        begun,
        last: Host::Receiver,
        other: Other::Ends,
        preallocates: true,
    })
}
