//! URLs of STUN and TURN servers (RFC 7064, RFC 7065), parsed.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::wire::signaling::IceServer;

/// Longest host name (RFC 1035 §2.3.4), and so the longest that is read.
const MAX_HOST_BYTES: usize = 253;

/// Longest user name of a TURN server in bytes (RFC 8489 §14.3), and longest password that is read.
const MAX_CREDENTIAL_BYTES: usize = 508;

/// What stands for "the host by which you reached this server" in what a signaling server offers.
pub const SAME_HOST: &str = "_";

/// What a server does, and how it is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IceKind {
    /// Tells a client its address, over UDP.
    Stun,
    /// Relays, spoken to over UDP.
    TurnUdp,
    /// Relays, spoken to over TCP.
    TurnTcp,
    /// Relays, spoken to over TLS.
    TurnTls,
}

impl IceKind {
    /// Whether it relays.
    pub fn relays(self) -> bool {
        self != Self::Stun
    }

    /// The port when none is said (RFC 7064 §3.2, RFC 7065 §3.2).
    fn default_port(self) -> u16 {
        match self {
            Self::Stun | Self::TurnUdp | Self::TurnTcp => 3478,
            Self::TurnTls => 5349,
        }
    }
}

/// Where a STUN or TURN server is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IceUrl {
    /// What it does.
    pub kind: IceKind,
    /// A name or an address, without brackets; [`SAME_HOST`] as it is.
    pub host: String,
    /// Its port, never 0.
    pub port: u16,
}

/// Why a text is no URL of a STUN or TURN server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IceUrlError {
    /// Neither `stun:` nor `turn:` nor `turns:`.
    #[error("a server begins with `stun:`, `turn:` or `turns:`")]
    Scheme,
    /// There is no host in it, or none that can be one.
    #[error("a server needs a host name or an address")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("a port is a number from 1 to 65535")]
    Port,
    /// Something behind `?` that is not `transport=udp` or `transport=tcp`, or does not fit the scheme.
    #[error("behind `?` there may be `transport=udp` or `transport=tcp` only, and TLS needs the latter")]
    Transport,
    /// No user or no password, or one that is too long or not UTF-8.
    #[error("a TURN server is written `turn:USER:PASSWORD@HOST:PORT`")]
    Credentials,
}

impl IceUrl {
    /// A STUN server as people write it: `host`, `host:port`, or either behind `stun:`.
    ///
    /// # Errors
    /// [`IceUrlError`].
    pub fn stun(text: &str) -> Result<Self, IceUrlError> {
        Self::with_kind(IceKind::Stun, text.strip_prefix("stun:").unwrap_or(text))
    }

    fn with_kind(kind: IceKind, authority: &str) -> Result<Self, IceUrlError> {
        // Without brackets, several colons can only be an address without a port.
        let (host, port) = match (authority.parse::<Ipv6Addr>().is_ok(), authority.strip_prefix('[')) {
            (true, _) => (authority, ""),
            (false, Some(bracketed)) => {
                let (host, port) = bracketed.split_once(']').ok_or(IceUrlError::Host)?;
                host.parse::<Ipv6Addr>().map_err(|_| IceUrlError::Host)?;
                (host, port)
            }
            (false, None) => {
                let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
                if !is_name(host) {
                    return Err(IceUrlError::Host);
                }
                (host, port)
            }
        };
        let port = match port {
            "" => Ok(kind.default_port()),
            port => port.strip_prefix(':').and_then(parse_port).ok_or(IceUrlError::Port),
        };
        Ok(Self { kind, host: host.to_owned(), port: port? })
    }

    /// The address, if the host is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl FromStr for IceUrl {
    type Err = IceUrlError;

    fn from_str(text: &str) -> Result<Self, IceUrlError> {
        let (scheme, rest) = text.trim().split_once(':').ok_or(IceUrlError::Scheme)?;
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let kind = match (scheme, query) {
            ("stun", "" | "transport=udp") => IceKind::Stun,
            ("turn", "" | "transport=udp") => IceKind::TurnUdp,
            ("turn", "transport=tcp") => IceKind::TurnTcp,
            ("turns", "" | "transport=tcp") => IceKind::TurnTls,
            ("stun" | "turn" | "turns", _) => return Err(IceUrlError::Transport),
            _ => return Err(IceUrlError::Scheme),
        };
        Self::with_kind(kind, authority)
    }
}

impl fmt::Display for IceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, query) = match self.kind {
            IceKind::Stun => ("stun", ""),
            IceKind::TurnUdp => ("turn", "?transport=udp"),
            IceKind::TurnTcp => ("turn", "?transport=tcp"),
            IceKind::TurnTls => ("turns", "?transport=tcp"),
        };
        match self.host.contains(':') {
            true => write!(f, "{scheme}:[{}]:{}{query}", self.host, self.port),
            false => write!(f, "{scheme}:{}:{}{query}", self.host, self.port),
        }
    }
}

fn parse_port(text: &str) -> Option<u16> {
    // `parse` would take a sign.
    let digits = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

fn is_name(host: &str) -> bool {
    let legal = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-' | b'_');
    !host.is_empty() && host.len() <= MAX_HOST_BYTES && host.bytes().all(legal)
}

/// A TURN server of the user's own: `turn:USER:PASSWORD@HOST:PORT?transport=udp|tcp`, or `turns:`.
///
/// In user and password `%` and two hex digits stand for a byte; `:`, `@`, `,`, `?` and `%` have to be written so.
#[derive(Clone, PartialEq, Eq)]
pub struct TurnServer {
    /// Where it is.
    pub url: IceUrl,
    /// Who we are there.
    pub username: String,
    /// How that is proven.
    pub password: String,
}

impl FromStr for TurnServer {
    type Err = IceUrlError;

    fn from_str(text: &str) -> Result<Self, IceUrlError> {
        let (scheme, rest) = text.trim().split_once(':').ok_or(IceUrlError::Scheme)?;
        if !matches!(scheme, "turn" | "turns") {
            return Err(IceUrlError::Scheme);
        }
        let (user, server) = rest.rsplit_once('@').ok_or(IceUrlError::Credentials)?;
        let (username, password) = user.split_once(':').ok_or(IceUrlError::Credentials)?;
        let url: IceUrl = format!("{scheme}:{server}").parse()?;
        Ok(Self { url, username: credential(username)?, password: credential(password)? })
    }
}

impl TurnServer {
    /// As a signaling server would offer it.
    pub fn offer(&self) -> IceServer {
        IceServer {
            urls: vec![self.url.to_string()],
            username: Some(self.username.clone()),
            credential: Some(self.password.clone()),
        }
    }
}

impl fmt::Debug for TurnServer {
    /// Without the password, so that it is in no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TurnServer({})", self.url)
    }
}

impl fmt::Debug for IceServer {
    /// Without user name and credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer").field("urls", &self.urls).finish_non_exhaustive()
    }
}

fn credential(text: &str) -> Result<String, IceUrlError> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| IceUrlError::Credentials)?;
    match decoded.is_empty() || decoded.len() > MAX_CREDENTIAL_BYTES || decoded.contains('\0') {
        true => Err(IceUrlError::Credentials),
        false => Ok(decoded.into_owned()),
    }
}

#[cfg(test)]
mod tests;
