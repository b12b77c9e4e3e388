//! `p2pcp signal`: the rendezvous that anyone can host.

mod certificate;

use std::net::SocketAddr;

use crate::error::{Error, Finish};
use crate::interrupt::Interrupts;
use crate::server::relay::RelayConfig;
use crate::server::relay::policy::RelayPolicy;
use crate::server::{self, Config};
use crate::signal::certificate::Certificate;
pub use crate::signal::certificate::TlsFiles;
use crate::ui::Reporter;

/// Where to listen.
#[derive(Debug, Clone)]
pub struct Options {
    /// Host name or address.
    pub host: String,
    /// Port; 0 takes a free one.
    pub port: u16,
    /// STUN and TURN, or neither.
    pub relay: Option<RelayOptions>,
    /// With what it speaks TLS too.
    pub tls: Option<TlsFiles>,
}

/// How peers are helped that have no path of their own.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// Second port for UDP; the one after the first unless said.
    pub second_port: Option<u16>,
    /// Host that peers are told; the one by which they came unless said.
    pub public_host: Option<String>,
    /// Most bytes of one room.
    pub bytes: u64,
    /// Most bytes a second of one room.
    pub rate: Option<u64>,
}

impl RelayOptions {
    fn config(self, tls: bool) -> RelayConfig {
        let policy = RelayPolicy { room_bytes: self.bytes, room_rate: self.rate, ..RelayPolicy::default() };
        let (second_port, public_host) = (self.second_port, self.public_host);
        RelayConfig { policy, second_port, public_host, tls }
    }
}

/// Runs the command until a signal comes. `listening` hears the address.
///
/// # Errors
/// [`Error`].
pub async fn run(
    options: Options,
    reporter: &Reporter,
    listening: impl FnOnce(SocketAddr),
) -> Result<Finish, Error> {
    let mut stop = Interrupts::listen();
    let certificate = options.tls.clone().map(Certificate::read).transpose()?;
    let address = (options.host.as_str(), options.port);
    let listener = tokio::net::TcpListener::bind(address).await;
    let listener = listener.map_err(|error| Error::listen(&options, error))?;
    let address = listener.local_addr().map_err(|error| Error::listen(&options, error))?;
    reporter.note(&format!("listening on {address}; stop with Ctrl-C"));
    listening(address);
    let stopped = async move {
        stop.wait().await;
    };
    let tls = certificate.as_ref().map(|it| it.tls.clone());
    let relay = options.relay.map(|it| it.config(tls.is_some()));
    let config = Config { relay, tls, ..Config::default() };
    let follow = async {
        match certificate {
            Some(certificate) => certificate.follow().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        served = server::run(listener, config, stopped) => served?,
        () = follow => {}
    }
    Ok(Finish::Done)
}
