//! Data channels with a real browser: headless Chromium on one end, the stack below p2pcp on the other, over loopback.
//!
//! `tools/chromium-test.sh [MIB]`. Both make the offer once and open the channels once; messages of all lengths are echoed on
//! an ordered and an unordered channel, one channel is closed by each side, and `MIB` MiB (64) go each way, every byte checked.

mod browser;
mod peer;
mod server;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::browser::{Browser, find_chromium};
use crate::peer::Peer;
use crate::server::{Offerer, Report, Server};

/// What goes each way if nothing is said, in MiB.
const USUAL_MEBIBYTES: u64 = 64;

/// Longest wait for the browser to start and for all the small messages.
const PATIENCE: Duration = Duration::from_secs(60);

/// Slowest volume that is waited for, in MiB per second.
const SLOWEST: u64 = 2;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mebibytes = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(USUAL_MEBIBYTES);
    let Some(chromium) = find_chromium() else {
        println!(
            "skipped: there is no chromium here (Debian: apt-get install --no-install-recommends chromium)"
        );
        return ExitCode::SUCCESS;
    };
    for offerer in [Offerer::Browser, Offerer::Peer] {
        println!("the offer and the channels are made by the {}", offerer.name());
        match run(&chromium, offerer, mebibytes).await {
            Ok(report) => report.lines.iter().for_each(|line| println!("  {line}")),
            Err(reason) => {
                eprintln!("failed: {reason}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// One browser, one connection.
async fn run(chromium: &std::path::Path, offerer: Offerer, mebibytes: u64) -> Result<Report, String> {
    let peer = Arc::new(Peer::new(offerer).await?);
    let mut server = Server::start(Arc::clone(&peer)).await.map_err(|error| error.to_string())?;
    let page = format!("http://{}/?offerer={}&mib={mebibytes}", server.address, offerer.name());
    let browser = Browser::start(chromium, &page).map_err(|error| error.to_string())?;
    let patience = PATIENCE + Duration::from_secs(2 * mebibytes / SLOWEST);
    let report = tokio::select! {
        report = server.reports.recv() => report.ok_or("the page said nothing".to_owned()),
        () = tokio::time::sleep(patience) => Err(format!("nothing was heard for {patience:?}")),
        reason = peer.failed() => Err(reason),
    };
    drop(browser);
    peer.close().await;
    match report? {
        Report { error: Some(error), lines } => Err(format!("{error}, after: {lines:?}")),
        report => Ok(report),
    }
}
