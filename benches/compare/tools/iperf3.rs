//! iperf3: what TCP alone gets out of a path, with no file, no hash and no cipher.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::compare::lab::{Host, Lab};
use crate::compare::process::{PATIENCE, Side};
use crate::compare::transfer::{Job, Run};

/// One TCP connection at work.
pub struct Stream {
    server: Side,
    client: Side,
    report: PathBuf,
    limit: Duration,
}

/// Starts a connection that sends for so long.
pub fn start(lab: &Lab, congestion_control: &str, job: &Job, window: Duration) -> Result<Stream, String> {
    lab.tcp_is(congestion_control)?;
    let (address, port) = (lab.address(Host::Receiver), lab.port().to_string());
    let mut server = lab.command(Host::Receiver, "iperf3");
    server.args(["--server", "--one-off", "--forceflush", "--bind", address, "--port", &port]);
    let (server, _) = Side::start_until(&mut server, "Server listening on")?;
    let report = job.work.join("iperf3.json");
    let mut client = lab.command(Host::Sender, "iperf3");
    client.args(["--client", address, "--port", &port, "--json", "--congestion", congestion_control]);
    client.args(["--time", &window.as_secs().to_string()]);
    client.stdout(fs::File::create(&report).map_err(|error| error.to_string())?);
    // Its first and last words travel over the same lossy path.
    let limit = window + PATIENCE * 2;
    Ok(Stream { server, client: Side::start(&mut client)?, report, limit })
}

impl Stream {
    /// Waits for its end and reads its report.
    pub fn ends(mut self) -> Result<Run, String> {
        let ended = self.client_ends();
        let said = fs::read_to_string(&self.report).unwrap_or_default();
        let report: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
        if let Some(error) = report["error"].as_str() {
            return Err(error.to_owned());
        }
        ended?;
        let end = &report["end"];
        Ok(Run {
            seconds: end["sum_received"]["seconds"].as_f64().ok_or("no duration in the report")?,
            bytes: end["sum_received"]["bytes"].as_u64().ok_or("no bytes in the report")?,
            whole: true,
            usage: [self.client.usage(), self.server.usage()],
            retransmits: end["sum_sent"]["retransmits"].as_u64(),
            ..Run::default()
        })
    }

    fn client_ends(&mut self) -> Result<(), String> {
        let begun = std::time::Instant::now();
        while begun.elapsed() < self.limit {
            self.server.look();
            if self.client.look() {
                // The server of one connection ends after it.
                self.server.ends_well(PATIENCE).ok();
                return self.client.ends_well(PATIENCE);
            }
            crate::support::pause();
        }
        self.client.stop();
        Err("iperf3 does not end".to_owned())
    }
}
