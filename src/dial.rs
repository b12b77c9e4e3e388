//! From a host and a port to a stream of bytes: resolve, connect, a proxy in between, TLS.
//!
//! Signaling and the tunnels of the transport both go through here, so that a machine that reaches one of them reaches
//! the other. Invariants:
//! - Nothing here has a deadline of its own, and everything is cancel safe: callers know how long they have.
//! - What a proxy says is data of a stranger: bounded, parsed, and never shown but for its status number.
//! - The password of a proxy is in no `Debug`, no error and no log line.

mod connect;
mod error;
mod host;
mod proxy;
mod tls;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

pub use crate::dial::error::{DialError, ProxyFault};
pub use crate::dial::host::Host;
pub use crate::dial::proxy::{Proxies, ProxyUrlError};
pub use crate::dial::tls::Roots;

/// A stream to a host, whatever lies in between.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Any [`Stream`].
pub type BoxStream = Box<dyn Stream>;

/// How this machine reaches servers. Cheap to clone.
#[derive(Clone, Default)]
pub struct Dialer {
    proxies: Arc<Proxies>,
    roots: Roots,
}

impl Dialer {
    /// Goes through `proxies` where they apply, and believes in `roots`.
    pub fn new(proxies: Proxies, roots: Roots) -> Self {
        Self { proxies: Arc::new(proxies), roots }
    }

    /// Opens a stream to `host`, with TLS if `tls`.
    ///
    /// Has no deadline; cancel safe.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn dial(&self, host: &Host, port: u16, tls: bool) -> Result<BoxStream, DialError> {
        let stream = match self.proxies.between(host, port) {
            Some(proxy) => proxy.reach(host, port, &self.roots).await?,
            None => Box::new(connect::to(host, port).await?),
        };
        self.secured(stream, host, tls).await
    }

    /// The same with a host that a stranger named: its addresses were looked up and judged before, and no other one is
    /// connected to from here. Asked once more, a name may have another answer. Which address a name has for a proxy is
    /// the proxy's business.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn dial_judged(
        &self,
        host: &Host,
        port: u16,
        tls: bool,
        addresses: &[SocketAddr],
    ) -> Result<BoxStream, DialError> {
        let stream = match self.proxies.between(host, port) {
            Some(proxy) => proxy.reach(host, port, &self.roots).await?,
            None => Box::new(connect::to_one_of(addresses.iter().copied().collect()).await?),
        };
        self.secured(stream, host, tls).await
    }

    async fn secured(&self, stream: BoxStream, host: &Host, tls: bool) -> Result<BoxStream, DialError> {
        match tls {
            true => tls::wrap(stream, host, &self.roots).await,
            false => Ok(stream),
        }
    }

    /// The proxy that is between here and `host`, without its password, if one is.
    pub fn proxy_to(&self, host: &Host, port: u16) -> Option<String> {
        self.proxies.between(host, port).map(|proxy| proxy.to_string())
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").field("proxies", &self.proxies).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
