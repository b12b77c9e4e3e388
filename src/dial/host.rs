//! Whom to dial: a name or an address.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddrV6};

/// Longest name in the DNS (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;

/// A name or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// To be resolved; lower case.
    Name(String),
    /// An address, and the interface that a link-local IPv6 address belongs to (or 0).
    Address(IpAddr, u32),
}

impl Host {
    /// Parses a name (RFC 1123 §2.1, with the underscores that people use at home), an address, or an IPv6 address in
    /// brackets, with the number of its interface after a `%` where it is link-local.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(bracketed) = text.strip_prefix('[') {
            let address: SocketAddrV6 = format!("[{}:0", bracketed).parse().ok()?;
            return Some(Self::Address((*address.ip()).into(), address.scope_id()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::Address(address, 0));
        }
        let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let fits = (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(good);
        fits.then(|| Self::Name(text.to_ascii_lowercase()))
    }

    /// Whether it is on this machine or on a private network: where no proxy helps, and where one that is far away
    /// would dial into a network of its own. Names count by what their endings promise (RFC 6761 §6.3, RFC 6762 §3).
    pub(super) fn is_near(&self) -> bool {
        match self {
            Self::Name(name) => {
                let name = name.trim_end_matches('.');
                name == "localhost" || name.ends_with(".localhost") || name.ends_with(".local")
            }
            Self::Address(address, _) => match address.to_canonical() {
                IpAddr::V4(v4) => {
                    v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified()
                }
                IpAddr::V6(v6) => v6.is_loopback() || is_unique_local(v6) || is_link_local(v6),
            },
        }
    }
}

/// fc00::/7 (RFC 4193 §3.1).
fn is_unique_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xfe00 == 0xfc00
}

/// fe80::/10 (RFC 4291 §2.5.6).
fn is_link_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}

impl fmt::Display for Host {
    /// As it stands in a URL without a zone, which names an interface of this machine and is nobody else's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address), _) => address.fmt(f),
            Self::Address(IpAddr::V6(address), _) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Host;

    #[test]
    fn hosts_on_this_machine_or_network_are_near() {
        for near in [
            "localhost",
            "a.localhost",
            "nas.local",
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.9",
            "172.31.0.1",
            "169.254.1.1",
            "[::1]",
            "[fe80::1%2]",
            "fd00::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(Host::parse(near).unwrap().is_near(), "{near}");
        }
        for far in ["example.org", "local", "mylocalhost", "192.0.2.1", "172.32.0.1", "2001:db8::1"] {
            assert!(!Host::parse(far).unwrap().is_near(), "{far}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", "a b", "a/b", "[::1", "[192.0.2.1]", "a\r\nb", "hö.st", &"a".repeat(254)] {
            assert_eq!(Host::parse(text), None, "{text:?}");
        }
    }
}
