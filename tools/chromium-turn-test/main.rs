//! A stock WebRTC client through our relay: two connections of headless Chromium that may use relays only, with the
//! credentials of a room's two seats, over loopback.
//!
//! `tools/chromium-turn-test.sh [PROGRAM]`. Both ends over UDP, both over TCP, and one over each.

#[path = "../chromium-test/browser.rs"]
mod browser;
mod page;
mod room;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::browser::{Browser, find_chromium};
use crate::page::{Page, Report};
use crate::room::Room;

/// What goes each way, in MiB.
const MEBIBYTES: u32 = 8;

/// Over what each end reaches the relay.
const PROTOCOLS: [[&str; 2]; 3] = [["udp", "udp"], ["tcp", "tcp"], ["udp", "tcp"]];

/// Longest wait for the browser to start and to be done.
const PATIENCE: Duration = Duration::from_secs(120);

/// `p2pcp signal` on a free port of loopback; dropping it ends it.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(program: &Path) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.args(["signal", "--listen", "127.0.0.1", "--port", "0"]).current_dir(std::env::temp_dir());
        command.env_remove("SIGNALING_SERVER_ADDR").env_remove("SIGNALING_SERVER_PORT");
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| format!("{}: {error}", program.display()))?;
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let listening = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let rest = line.strip_prefix("listening on ")?;
            Some(rest.split(';').next()?.to_owned())
        });
        // A server whose words nobody reads would wait for that.
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| eprintln!("  server: {line}"))
        });
        let mut server = Self { child, address: String::new() };
        server.address = listening.ok_or("the server does not listen")?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(chromium) = find_chromium() else {
        println!(
            "SKIPPED: there is no chromium here (Debian: apt-get install --no-install-recommends chromium)"
        );
        return ExitCode::SUCCESS;
    };
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release/p2pcp");
    let program = std::env::args_os().nth(1).map_or(built, PathBuf::from);
    match run(&chromium, &program).await {
        Ok(report) => {
            report.lines.iter().for_each(|line| println!("{line}"));
            match report.error {
                None => ExitCode::SUCCESS,
                Some(error) => failed(&error),
            }
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &str) -> ExitCode {
    eprintln!("failed: {error}");
    ExitCode::FAILURE
}

async fn run(chromium: &Path, program: &Path) -> Result<Report, String> {
    let server = Server::start(program)?;
    let mut rooms = Vec::new();
    let mut jobs = Vec::new();
    for protocols in PROTOCOLS {
        // A room for each: a room may have so many allocations and no more.
        let room = Room::open(&server.address).await?;
        let ice = [0, 1].map(|seat| only(&room.ice[seat], protocols[seat]));
        if let Some(missing) = ice.iter().position(Vec::is_empty) {
            return Err(format!(
                "the server offers no TURN over {}: {}",
                protocols[missing], room.ice[missing]
            ));
        }
        jobs.push(json!({ "protocols": protocols, "ice": ice, "mebibytes": MEBIBYTES }));
        rooms.push(room);
    }
    let mut page = Page::serve(Value::Array(jobs)).await.map_err(|error| error.to_string())?;
    let _browser =
        Browser::start(chromium, &format!("http://{}/", page.address)).map_err(|error| error.to_string())?;
    tokio::select! {
        report = page.reports.recv() => report.ok_or_else(|| "the page said nothing".to_owned()),
        () = tokio::time::sleep(PATIENCE) => Err(format!("nothing was heard for {PATIENCE:?}")),
    }
}

/// The servers of an `ice` list with their TURN addresses over one transport, and `_` filled in.
fn only(ice: &Value, protocol: &str) -> Vec<Value> {
    let wanted = format!("?transport={protocol}");
    let mut servers = Vec::new();
    for server in ice.as_array().into_iter().flatten() {
        let urls = server["urls"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let turn = urls.filter(|it| it.starts_with("turn:") && it.ends_with(&wanted));
        let urls: Vec<_> = turn.map(|it| it.replacen("turn:_:", "turn:127.0.0.1:", 1)).collect();
        if !urls.is_empty() {
            let (username, credential) = (&server["username"], &server["credential"]);
            servers.push(json!({ "urls": urls, "username": username, "credential": credential }));
        }
    }
    servers
}
