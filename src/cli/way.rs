//! How the other side and servers are reached: paths, proxies and certificates, of flags and settings.

use std::path::{Path, PathBuf};

use crate::cli::DEFAULT_STUN_SERVERS;
use crate::cli::arguments::{MeetingArgs, WayArgs};
use crate::cli::environment::Environment;
use crate::connect::{Policy, interface_names};
use crate::dial::{Dialer, Proxies, Roots};
use crate::error::Error;
use crate::fs;
use crate::send::{Meeting, Routes};
use crate::signal::TlsFiles;
use crate::wire::ice::TurnServer;

/// Which paths to look for, and by which servers.
pub(super) fn routes(
    args: &MeetingArgs,
    meeting: &Meeting,
    environment: &Environment,
) -> Result<Routes, Error> {
    let stun = stun(args.stun.as_deref());
    let turn = turn(environment)?;
    let known = if args.interface.is_empty() { Vec::new() } else { interface_names() };
    if let Some(name) = args.interface.iter().find(|it| !known.contains(it)) {
        return Err(Error::NoInterface { name: name.clone(), known });
    }
    let policy = match (args.relay_only, args.direct_only) {
        (true, _) => Policy::RelayOnly,
        (_, true) => Policy::DirectOnly,
        _ => Policy::Any,
    };
    let dialer = match meeting {
        Meeting::Server(_) => dialer(&args.way, environment)?,
        Meeting::Here(_) => Dialer::default(),
    };
    Ok(Routes { policy, stun, turn, interfaces: args.interface.clone(), dialer })
}

/// STUN servers to ask.
pub(super) fn stun(list: Option<&str>) -> Vec<String> {
    listed(list.unwrap_or(DEFAULT_STUN_SERVERS)).map(str::to_owned).collect()
}

/// TURN servers of the user's own.
pub(super) fn turn(environment: &Environment) -> Result<Vec<TurnServer>, Error> {
    let servers = listed(environment.turn_servers().unwrap_or_default()).map(str::parse);
    servers.collect::<Result<_, _>>().map_err(Error::TurnServers)
}

/// The parts of a list with commas; `none` stands for an empty one.
fn listed(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|it| !it.is_empty() && *it != "none")
}

/// The way to servers. A rendezvous on the local network needs none.
pub(super) fn dialer(args: &WayArgs, environment: &Environment) -> Result<Dialer, Error> {
    let proxies = match (&args.proxy, environment.proxy()) {
        (Some(url), _) => Proxies::always(url)?,
        // What cannot be used was warned of when the environment was read.
        (None, Some(url)) => Proxies::for_far(url, environment.no_proxy()).unwrap_or_default(),
        (None, None) => Proxies::default(),
    };
    let roots = match &args.tls_ca {
        Some(file) => roots(file)?,
        None => Roots::default(),
    };
    Ok(Dialer::new(proxies, roots))
}

/// The certificate and the key of a server.
pub(super) fn tls_files(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<TlsFiles>, Error> {
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (Some(_), None) | (None, Some(_)) => Err(Error::HalfTls),
    }
}

fn roots(file: &Path) -> Result<Roots, Error> {
    let pem = fs::read_settings(file).map_err(|error| Error::tls_file(file, error))?;
    Roots::with(&pem).ok_or_else(|| {
        Error::tls_file(file, std::io::Error::other("there is no certificate in it that can be used"))
    })
}
