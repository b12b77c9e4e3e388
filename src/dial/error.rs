//! What can go wrong on the way to a server.

use std::io;

/// Why there is no stream to a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The server's name has no address.
    #[error("the server's name could not be resolved")]
    Unresolved(#[source] io::Error),
    /// No connection to any of its addresses; the last reason.
    #[error("the server could not be reached")]
    Unreachable(#[source] io::Error),
    /// Its TLS certificate is not valid for it.
    #[error("the server's certificate is not trusted")]
    Untrusted(#[source] io::Error),
    /// What answers does not speak TLS, or none that we do.
    #[error("what answers there does not speak TLS")]
    NotTls,
    /// It hung up.
    #[error("the connection to the server was lost")]
    Lost,
    /// The proxy `.0` is in the way.
    #[error("the proxy `{0}` did not connect us")]
    Proxy(String, #[source] ProxyFault),
}

/// What is wrong with a proxy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyFault {
    /// No connection to it, or none any more.
    #[error("it could not be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It wants a user name and a password, or others.
    #[error("it does not take our user name and password")]
    Credentials,
    /// It does not want to connect us to this server; the HTTP status, if there is one.
    #[error("it refused{}", .0.map(|it| format!(" (HTTP status {it})")).unwrap_or_default())]
    Refused(Option<u16>),
    /// It could not reach the server.
    #[error("it could not reach the server")]
    NoWay,
    /// It says things that no proxy says.
    #[error("what answers there is not such a proxy")]
    NotAProxy,
}
