//! What can go wrong between a client and its server.

use std::io;
use std::time::Duration;

use crate::dial::ProxyFault;
use crate::wire::signaling::CloseCode;

/// Why there is no signaling, or none any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignalingClientError {
    /// The server's name has no address.
    #[error("the server's name could not be resolved")]
    Unresolved(#[source] io::Error),
    /// No connection to any of its addresses; the last reason.
    #[error("the server could not be reached")]
    Unreachable(#[source] io::Error),
    /// No connection, or no answer, in time.
    #[error("the server did not answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// Its TLS certificate is not valid for it.
    #[error("the server's certificate is not trusted")]
    Untrusted(#[source] io::Error),
    /// The proxy `.0` on the way there is in the way.
    #[error("the proxy `{0}` did not connect us")]
    Proxy(String, #[source] ProxyFault),
    /// Somebody answers there, but not a p2pcp server.
    #[error("what answers there is not a p2pcp server{}", status_suffix(*.status))]
    NotP2pcp {
        /// The HTTP status of the refused upgrade; without one it did not speak HTTP, or not TLS.
        status: Option<u16>,
    },
    /// The server closed the connection and said why.
    #[error("{}", .0.sentence())]
    Closed(CloseCode),
    /// The connection is gone and nobody said why.
    #[error("the connection to the server was lost")]
    Lost,
    /// The server said something that does not fit the protocol.
    #[error("the server broke the protocol")]
    Malformed,
    /// A message over [`MAX_SIGNALING_FRAME`](crate::wire::MAX_SIGNALING_FRAME) bytes, from us or from the server.
    #[error("a message is too long for the server")]
    TooLong,
}

fn status_suffix(status: Option<u16>) -> String {
    status.map(|status| format!(" (HTTP status {status})")).unwrap_or_default()
}
