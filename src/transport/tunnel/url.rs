//! Which TURN URLs (RFC 7065) ask for a stream.

use std::fmt;

use crate::transport::grounds::StreamRelay;
use crate::transport::tunnel::Host;

/// Ports when none is said (RFC 8656 §5).
const PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;

/// A TURN server that is reached over TCP, with TLS or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamTurn {
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) tls: bool,
}

impl StreamTurn {
    /// `turn:host[:port]?transport=tcp` or `turns:host[:port][?transport=tcp]`; `None` for all else.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once(':')?;
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let tls = match (scheme.to_ascii_lowercase().as_str(), query) {
            ("turn", "transport=tcp") => false,
            ("turns", "transport=tcp" | "") => true,
            _ => return None,
        };
        let end_of_host = match authority.strip_prefix('[') {
            Some(_) => authority.find(']')? + 1,
            None => authority.find(':').unwrap_or(authority.len()),
        };
        let (host, port) = authority.split_at_checked(end_of_host)?;
        let port = match port.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|it| it.is_ascii_digit()) => digits.parse().ok()?,
            None if port.is_empty() => {
                if tls {
                    TLS_PORT
                } else {
                    PORT
                }
            }
            _ => return None,
        };
        Some(Self { host: Host::parse(host)?, port, tls }).filter(|it| it.port != 0)
    }
}

impl StreamTurn {
    /// Whether this is that server.
    pub(super) fn is(&self, relay: &StreamRelay) -> bool {
        (self.port, self.tls) == (relay.port, relay.tls)
            && Some(&self.host) == Host::parse(&relay.host).as_ref()
    }
}

impl fmt::Display for StreamTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "turns" } else { "turn" };
        write!(f, "{scheme}:{}:{}?transport=tcp", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::StreamTurn;

    #[test]
    fn urls_that_ask_for_a_stream_are_told_from_all_others() {
        for (url, shown) in [
            ("turn:example.org?transport=tcp", "turn:example.org:3478?transport=tcp"),
            ("turns:example.org", "turns:example.org:5349?transport=tcp"),
            ("TURNS:192.0.2.1:443?transport=tcp", "turns:192.0.2.1:443?transport=tcp"),
            ("turn:[2001:db8::1]:80?transport=tcp", "turn:[2001:db8::1]:80?transport=tcp"),
        ] {
            let turn = StreamTurn::parse(url).unwrap_or_else(|| panic!("{url}"));
            assert_eq!(turn.to_string(), shown);
        }
        for url in [
            "turn:example.org",
            "turn:example.org?transport=udp",
            "turns:example.org?transport=udp",
            "stun:example.org",
            "turn:?transport=tcp",
            "turn:a b?transport=tcp",
            "turn:a:0?transport=tcp",
            "turn:a:+1?transport=tcp",
            "turn:a:99999?transport=tcp",
            "turn:[::1?transport=tcp",
            "turn:[::1]x?transport=tcp",
            "turn",
            "",
        ] {
            assert_eq!(StreamTurn::parse(url), None, "{url}");
        }
    }
}
