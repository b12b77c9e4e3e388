//! Chromium without a window, in a folder of its own that goes when it ends.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A running browser; dropping it ends it.
pub struct Browser {
    child: Child,
    _profile: TempDir,
}

/// Chromium under one of its names, in the folders of `PATH`.
pub fn find_chromium() -> Option<PathBuf> {
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let candidates = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    candidates.into_iter().find(|path| path.is_file())
}

impl Browser {
    pub fn start(chromium: &Path, page: &str) -> io::Result<Self> {
        let profile = tempfile::Builder::new().prefix("p2pcp-chromium-").tempdir()?;
        let child = Command::new(chromium)
            .arg("--headless=new")
            // Containers have no user namespaces to make a sandbox of; the page is our own.
            .args(["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            // Nothing but the page: no updates, no telemetry, no network beyond this host.
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
            // Addresses instead of names that only multicast could resolve, and loopback among them.
            .args(["--disable-features=WebRtcHideLocalIpsWithMdns", "--allow-loopback-in-peer-connection"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(page)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child, _profile: profile })
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
