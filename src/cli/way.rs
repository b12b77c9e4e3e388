//! How servers are reached: proxies and certificates, of flags and environment.

use std::path::{Path, PathBuf};

use crate::cli::arguments::WayArgs;
use crate::cli::environment::Environment;
use crate::dial::{Dialer, Proxies, Roots};
use crate::error::Error;
use crate::fs;
use crate::signal::TlsFiles;

/// The way to servers. A rendezvous on the local network needs none.
pub(super) fn dialer(args: &WayArgs, environment: &Environment) -> Result<Dialer, Error> {
    let proxies = match (&args.proxy, environment.proxy()) {
        (Some(url), _) => Proxies::always(url)?,
        // What cannot be used was warned of when the environment was read.
        (None, Some(url)) => Proxies::for_far(url, environment.no_proxy()).unwrap_or_default(),
        (None, None) => Proxies::default(),
    };
    let file = args.tls_ca.clone().or_else(|| environment.tls_ca().map(Into::into));
    let roots = match file.filter(|it| !it.as_os_str().is_empty()) {
        Some(file) => roots(&file)?,
        None => Roots::default(),
    };
    Ok(Dialer::new(proxies, roots))
}

/// The certificate and the key of a server: of the flags, else of the environment.
pub(super) fn tls_files(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    environment: &Environment,
) -> Result<Option<TlsFiles>, Error> {
    let [of_environment, key_of_environment] = environment.tls_files().map(|it| it.map(PathBuf::from));
    match (certificate.or(of_environment), key.or(key_of_environment)) {
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
