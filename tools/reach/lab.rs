//! A laboratory of tools/netlab: hosts behind routers, which live as long as the [`Lab`].

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Hosts as tools/netlab names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// Behind the router `nata`, over the emulated link.
    A,
    /// Behind the router `natb`; in topology home behind `nata`, too.
    B,
    /// Where the server is.
    Public,
}

impl Host {
    fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::Public => "pub",
        }
    }
}

/// A lab that is up; dropping it takes it down, with whatever runs in it.
pub struct Lab {
    name: String,
}

impl Lab {
    /// Builds what `netlab.sh up` builds with these words.
    ///
    /// Namespaces are named after `NETLAB_NAME`, which tools/reach.sh sets to remove them whatever happens.
    pub fn up(words: &[String]) -> Result<Self, String> {
        let name = std::env::var("NETLAB_NAME").unwrap_or_else(|_| format!("r{}", std::process::id()));
        let lab = Self { name };
        lab.netlab(&[&["up".to_owned()], words].concat())?;
        Ok(lab)
    }

    /// The program on that host, with nothing in its environment but `PATH`.
    pub fn command(&self, host: Host, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(host.name())]).arg(program);
        command.env_clear().envs(std::env::var_os("PATH").map(|it| ("PATH", it)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// The program that is netlab itself.
    pub fn tool(&self) -> PathBuf {
        std::env::var_os("NETLAB_BIN").map_or_else(|| "/run/p2pcp-netlab/netlab".into(), PathBuf::from)
    }

    /// `netlab.sh` with these words.
    pub fn netlab(&self, words: &[String]) -> Result<String, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/netlab/netlab.sh");
        run(Command::new(script).env("NETLAB_NAME", &self.name).args(words))
    }

    fn namespace(&self, host: &str) -> String {
        format!("p2pcp-{}-{host}", self.name)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.netlab(&["down".to_owned(), "--kill".to_owned()]).ok();
    }
}

/// Runs something to its end; what it said on stdout, or on stderr when it failed.
pub fn run(command: &mut Command) -> Result<String, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
