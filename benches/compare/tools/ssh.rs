//! scp and rsync over a private sshd, with keys of its own, in the work folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::compare::lab::{Host, Lab};
use crate::compare::process::Side;
use crate::compare::transfer::{Job, Other, Pair};

/// Where sshd drops privileges to; it will not start as root without it.
const EMPTY_FOLDER: &str = "/run/sshd";

/// Starts `scp`, with this cipher or the one that both sides like best.
pub fn scp(lab: &Lab, cipher: Option<&str>, job: &Job) -> Result<Pair, String> {
    push(lab, job, |config| {
        let mut scp = lab.command(Host::Sender, "scp");
        scp.arg("-F").arg(config).args(["-q", "-r"]);
        if let Some(cipher) = cipher {
            scp.args(["-c", cipher]);
        }
        scp
    })
}

/// Starts `rsync -a` over ssh.
pub fn rsync(lab: &Lab, job: &Job) -> Result<Pair, String> {
    push(lab, job, |config| {
        let mut rsync = lab.command(Host::Sender, "rsync");
        rsync.arg("-a").arg("-e").arg(format!("ssh -F {}", config.display()));
        rsync
    })
}

fn push(lab: &Lab, job: &Job, client: impl FnOnce(&Path) -> Command) -> Result<Pair, String> {
    lab.tcp_is("cubic")?;
    let port = lab.port();
    let (server_config, client_config) = configure(lab, &job.work, port)?;
    if is_root() {
        fs::create_dir_all(EMPTY_FOLDER).map_err(|error| format!("{EMPTY_FOLDER}: {error}"))?;
    }
    let mut server = lab.command(Host::Receiver, server_program());
    // -e: to stderr, where the line is that says it listens.
    server.arg("-De").arg("-f").arg(server_config);
    let (recv, _) = Side::start_until(&mut server, "Server listening on")?;
    fs::create_dir_all(&job.target).map_err(|error| error.to_string())?;
    let mut client = client(&client_config);
    client.arg(&job.source).arg(format!("bench:{}", job.target.display()));
    let begun = Instant::now();
    let send = Side::start(&mut client)?.with_family();
    let recv = recv.with_family();
    Ok(Pair {
        send,
        recv,
        helper: None,
        begun,
        last: Host::Sender,
        other: Other::Serves,
        preallocates: false,
    })
}

/// Writes keys and both configurations; where they are.
fn configure(lab: &Lab, work: &Path, port: u16) -> Result<(PathBuf, PathBuf), String> {
    let (host_key, user_key) = (work.join("ssh_host_key"), work.join("ssh_user_key"));
    for key in [&host_key, &user_key] {
        if !key.exists() {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(key).stdin(Stdio::null());
            let status = keygen.status().map_err(|error| format!("ssh-keygen: {error}"))?;
            status.success().then_some(()).ok_or("ssh-keygen failed")?;
        }
    }
    let (host_key, user_key, address) = (host_key.display(), user_key.display(), lab.address(Host::Receiver));
    let server = format!(
        "Port {port}\nListenAddress {address}\nHostKey {host_key}\nAuthorizedKeysFile {user_key}.pub\n\
         PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
    );
    let client = format!(
        "Host bench\nHostName {address}\nPort {port}\nIdentityFile {user_key}\nIdentitiesOnly yes\nIdentityAgent none\n\
         BatchMode yes\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nGlobalKnownHostsFile /dev/null\n\
         LogLevel ERROR\n"
    );
    let (server_config, client_config) = (work.join("sshd_config"), work.join("ssh_config"));
    fs::write(&server_config, server).map_err(|error| error.to_string())?;
    fs::write(&client_config, client).map_err(|error| error.to_string())?;
    Ok((server_config, client_config))
}

/// sshd starts itself again for each connection and wants to be called by its full path. It is rarely in the `PATH`
/// of who is not root.
pub fn server_program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.map(|it| it.join("sshd")).find(|it| it.is_file()).unwrap_or_else(|| PathBuf::from("sshd"))
}

fn is_root() -> bool {
    crate::compare::lab::possible().is_ok()
}
