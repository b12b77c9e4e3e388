//! `p2pcp signal`: the rendezvous that anyone can host.

use std::net::SocketAddr;

use crate::error::{Error, Finish};
use crate::interrupt::Interrupts;
use crate::server;
use crate::ui::Reporter;

/// Where to listen.
#[derive(Debug, Clone)]
pub struct Options {
    /// Host name or address.
    pub host: String,
    /// Port; 0 takes a free one.
    pub port: u16,
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
    let address = (options.host.as_str(), options.port);
    let listener = tokio::net::TcpListener::bind(address).await;
    let listener = listener.map_err(|error| Error::listen(&options, error))?;
    let address = listener.local_addr().map_err(|error| Error::listen(&options, error))?;
    reporter.note(&format!("listening on {address}; stop with Ctrl-C"));
    listening(address);
    let stopped = async move {
        stop.wait().await;
    };
    server::run(listener, server::Config::default(), stopped).await?;
    Ok(Finish::Done)
}
