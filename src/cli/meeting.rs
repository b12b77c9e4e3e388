//! Where to meet: by the flags, the link that was pasted, the environment.

use crate::cli::arguments::MeetingArgs;
use crate::cli::environment::{Environment, Origin};
use crate::error::Error;
use crate::lan::Scope;
use crate::send::Meeting;
use crate::signaling::ServerUrl;
use crate::ui::Reporter;

/// `host:port`, `[v6]:port`, or a host alone.
pub(super) fn split_port(typed: &str) -> (String, Option<u16>) {
    let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_owned();
    match typed.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (bare(host), Some(port)),
            Err(_) => (typed.to_owned(), None),
        },
        _ => (bare(typed), None),
    }
}

/// Where to meet: flags first, then the server in a pasted link, then the environment.
pub(super) fn meeting(
    args: &MeetingArgs,
    linked: Option<&str>,
    environment: &Environment,
    reporter: &Reporter,
) -> Result<Meeting, Error> {
    if args.verify && !reporter.somebody_is_there() {
        return Err(Error::NobodyToVerify);
    }
    if args.loopback {
        return Ok(Meeting::Here(Scope::Loopback));
    }
    if args.local {
        return Ok(Meeting::Here(Scope::Lan));
    }
    if let Some(url) = args.server.as_deref().or(linked) {
        return Ok(Meeting::Server(url.parse()?));
    }
    match configured_server(environment, reporter)? {
        Some(server) => Ok(Meeting::Server(server)),
        None if args.relay_only => Err(Error::RelayNeedsServer),
        None => Ok(Meeting::Here(Scope::Lan)),
    }
}

/// The server of the environment or `.env`.
pub(super) fn configured_server(
    environment: &Environment,
    reporter: &Reporter,
) -> Result<Option<ServerUrl>, Error> {
    let Some((host, origin)) = environment.server_host() else { return Ok(None) };
    let bare_v6 = host.parse::<std::net::Ipv6Addr>().is_ok();
    let host = if bare_v6 { format!("[{host}]") } else { host };
    let typed = match environment.server_port() {
        Some(port) if split_port(&host).1.is_none() && !host.contains("://") => format!("{host}:{port}"),
        _ => host,
    };
    let url: ServerUrl = typed.parse()?;
    if origin == Origin::EnvFile {
        reporter.server_from_env_file(&url.to_string());
    }
    Ok(Some(url))
}
