//! Where a signaling server is, as people write it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::dial::Host;
use crate::wire::signaling::{DEFAULT_PORT, SOCKET_PATH};

/// The address of a signaling server: a host, a port, and whether TLS protects the way there.
///
/// Written as `host`, `host:port`, or a URL with `ws`, `wss`, `http` or `https` in front; IPv6
/// addresses stand in brackets where a port may follow. Without a scheme the connection is plain and
/// the port [`DEFAULT_PORT`]; a scheme brings its own (80 or 443, RFC 6455 §3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerUrl {
    tls: bool,
    host: Host,
    port: u16,
}

/// Why a text names no server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServerUrlError {
    /// There is no host in it.
    #[error("a server needs a host name or an address")]
    NoHost,
    /// The host has characters that no name has.
    #[error("a host name has letters, digits, dots and hyphens")]
    BadHost,
    /// The port is not a number from 1 to 65535.
    #[error("a port is a number from 1 to 65535")]
    BadPort,
    /// The scheme is none of ours.
    #[error("a server's URL begins with ws, wss, http or https")]
    BadScheme,
    /// There is more than a host and a port.
    #[error("a server's URL has no path, user or query")]
    Excess,
}

impl ServerUrl {
    /// Whether TLS protects the way there.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Whether the server is on this machine.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
            Host::Address(address, _) => address.to_canonical().is_loopback(),
        }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The host as text, without brackets and zone: a name or an address.
    pub fn host_name(&self) -> String {
        match &self.host {
            Host::Name(name) => name.clone(),
            Host::Address(address, _) => address.to_string(),
        }
    }

    /// The WebSocket's URL, for the request line and the `Host` header. A zone names an interface of
    /// this machine and is nobody else's business, so it stays out.
    pub(crate) fn socket_url(&self) -> String {
        let scheme = if self.tls { "wss" } else { "ws" };
        let port = self.port;
        format!("{scheme}://{}:{port}{SOCKET_PATH}", self.host)
    }
}

impl From<SocketAddr> for ServerUrl {
    /// A plain connection to this address.
    fn from(address: SocketAddr) -> Self {
        let zone = match address {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(v6) => v6.scope_id(),
        };
        Self { tls: false, host: Host::Address(address.ip(), zone), port: address.port() }
    }
}

impl FromStr for ServerUrl {
    type Err = ServerUrlError;

    fn from_str(text: &str) -> Result<Self, ServerUrlError> {
        let (tls, scheme_port, rest) = match text.trim().split_once("://") {
            None => (false, DEFAULT_PORT, text.trim()),
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "ws" | "http" => (false, 80, rest),
                "wss" | "https" => (true, 443, rest),
                _ => return Err(ServerUrlError::BadScheme),
            },
        };
        let authority = match rest.split_once('/') {
            None => rest,
            Some((authority, path)) if path.is_empty() || path == SOCKET_PATH.trim_start_matches('/') => {
                authority
            }
            Some(_) => return Err(ServerUrlError::Excess),
        };
        if authority.contains(['?', '#', '@']) {
            return Err(ServerUrlError::Excess);
        }
        // Without brackets, several colons can only be an address without a port.
        if let Ok(address) = authority.parse::<IpAddr>() {
            return Ok(Self { tls, host: Host::Address(address, 0), port: scheme_port });
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']').ok_or(ServerUrlError::BadHost)?,
            None => {
                authority.split_at_checked(authority.find(':').unwrap_or(authority.len())).unwrap_or_default()
            }
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => parse_port(digits)?,
            None if port.is_empty() => scheme_port,
            None => return Err(ServerUrlError::BadHost),
        };
        let host = match authority.starts_with('[') {
            true => Host::parse(&format!("[{host}]")).ok_or(ServerUrlError::BadHost)?,
            false => parse_name(host)?,
        };
        Ok(Self { tls, host, port })
    }
}

fn parse_port(digits: &str) -> Result<u16, ServerUrlError> {
    let port = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    port.filter(|port| *port != 0).ok_or(ServerUrlError::BadPort)
}

fn parse_name(name: &str) -> Result<Host, ServerUrlError> {
    match name.is_empty() {
        true => Err(ServerUrlError::NoHost),
        false => Host::parse(name).ok_or(ServerUrlError::BadHost),
    }
}

impl fmt::Display for ServerUrl {
    /// A text that parses back to the same server; the port is left out where the scheme implies it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, implied) = if self.tls { ("wss", 443) } else { ("ws", 80) };
        write!(f, "{scheme}://")?;
        match &self.host {
            Host::Name(name) => f.write_str(name)?,
            Host::Address(IpAddr::V4(address), _) => address.fmt(f)?,
            Host::Address(IpAddr::V6(address), 0) => write!(f, "[{address}]")?,
            Host::Address(IpAddr::V6(address), zone) => write!(f, "[{address}%{zone}]")?,
        }
        if self.port != implied { write!(f, ":{}", self.port) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use crate::signaling::{ServerUrl, ServerUrlError};

    #[test]
    fn servers_are_understood_as_people_write_them() {
        for (text, shown, socket_url) in [
            ("example.org", "ws://example.org:8091", "ws://example.org:8091/ws"),
            ("Example.org:9000", "ws://example.org:9000", "ws://example.org:9000/ws"),
            ("ws://host:80", "ws://host", "ws://host:80/ws"),
            ("ws://host", "ws://host", "ws://host:80/ws"),
            ("wss://host", "wss://host", "wss://host:443/ws"),
            ("https://host/", "wss://host", "wss://host:443/ws"),
            ("HTTP://host:8091/ws", "ws://host:8091", "ws://host:8091/ws"),
            (" my_box.local ", "ws://my_box.local:8091", "ws://my_box.local:8091/ws"),
            ("192.0.2.1", "ws://192.0.2.1:8091", "ws://192.0.2.1:8091/ws"),
            ("192.0.2.1:1", "ws://192.0.2.1:1", "ws://192.0.2.1:1/ws"),
            ("2001:db8::1", "ws://[2001:db8::1]:8091", "ws://[2001:db8::1]:8091/ws"),
            ("[2001:db8::1]", "ws://[2001:db8::1]:8091", "ws://[2001:db8::1]:8091/ws"),
            ("wss://[2001:db8::1]:8443", "wss://[2001:db8::1]:8443", "wss://[2001:db8::1]:8443/ws"),
            ("ws://[fe80::1%3]:21417", "ws://[fe80::1%3]:21417", "ws://[fe80::1]:21417/ws"),
        ] {
            let url: ServerUrl = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(url.to_string(), shown);
            assert_eq!(url.socket_url(), socket_url);
            assert_eq!(shown.parse(), Ok(url), "it parses back");
        }
    }

    #[test]
    fn what_is_no_server_is_refused_with_a_reason() {
        for (text, error) in [
            ("", ServerUrlError::NoHost),
            ("ws://", ServerUrlError::NoHost),
            (":8091", ServerUrlError::NoHost),
            ("ftp://host", ServerUrlError::BadScheme),
            ("host:0", ServerUrlError::BadPort),
            ("host:", ServerUrlError::BadPort),
            ("host:+80", ServerUrlError::BadPort),
            ("host:65536", ServerUrlError::BadPort),
            ("host:80:80", ServerUrlError::BadPort),
            ("ho st", ServerUrlError::BadHost),
            ("hö.st", ServerUrlError::BadHost),
            ("[::1", ServerUrlError::BadHost),
            ("[::1]x", ServerUrlError::BadHost),
            ("[192.0.2.1]", ServerUrlError::BadHost),
            ("host\r\nx", ServerUrlError::BadHost),
            ("https://host/path", ServerUrlError::Excess),
            ("https://user@host", ServerUrlError::Excess),
            ("https://host?x", ServerUrlError::Excess),
            ("https://host/#417-aloe-tuba", ServerUrlError::Excess),
        ] {
            assert_eq!(text.parse::<ServerUrl>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn an_address_keeps_its_zone() {
        let address: SocketAddr = "[fe80::1%7]:21417".parse().unwrap();
        assert_eq!(ServerUrl::from(address).to_string(), "ws://[fe80::1%7]:21417");
    }
}
