//! What the lanes of a link start from: how far they look, over which interfaces, by which servers.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::dial::Dialer;
use crate::transport::interfaces;
use crate::transport::link_local::LinkLocals;
use crate::wire::signaling::IceServer;

/// Where a lane may look for paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Both peers run on this very host: loopback only, with large packets.
    SameHost,
    /// Every interface, and whatever STUN and TURN servers tell.
    Everywhere,
}

/// Which paths are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// The best there is.
    #[default]
    Any,
    /// Through a relay: the peer learns no address of this machine.
    RelayOnly,
    /// From address to address: no byte goes through a relay.
    DirectOnly,
}

/// A TURN server that is reached over a stream.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamRelay {
    /// Its name, for TLS and for a proxy that resolves it.
    pub host: String,
    /// Where it is; empty when only a proxy can tell.
    pub addresses: Vec<SocketAddr>,
    /// Its port.
    pub port: u16,
    /// Whether TLS protects the way there.
    pub tls: bool,
    /// User name and password.
    pub credentials: (String, String),
}

impl StreamRelay {
    fn as_server(&self) -> IceServer {
        let scheme = if self.tls { "turns" } else { "turn" };
        let host = match self.host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => self.host.clone(),
        };
        let (username, credential) = self.credentials.clone();
        let urls = vec![format!("{scheme}:{host}:{}?transport=tcp", self.port)];
        IceServer { urls, username: Some(username), credential: Some(credential) }
    }
}

impl std::fmt::Debug for StreamRelay {
    /// Without credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StreamRelay({}:{}, tls: {})", self.host, self.port, self.tls)
    }
}

/// What every lane of a link starts from.
#[derive(Debug, Clone)]
pub struct Grounds {
    /// How far it looks.
    pub reach: Reach,
    /// Which paths it takes.
    pub policy: Policy,
    /// STUN servers, and TURN servers that are spoken to over UDP; addresses, not names.
    pub ice_servers: Vec<IceServer>,
    /// TURN servers that are spoken to over TCP or TLS.
    pub stream_relays: Vec<StreamRelay>,
    /// Names of the relays' addresses, for people.
    pub relay_names: Vec<(IpAddr, String)>,
    /// The only interfaces, by name, that sockets are opened on; none means any.
    pub interfaces: Vec<String>,
    /// How servers over streams are reached.
    pub dialer: Dialer,
}

impl Grounds {
    /// Of such a reach, by these servers.
    pub fn new(reach: Reach, ice_servers: Vec<IceServer>) -> Self {
        Self {
            reach,
            policy: Policy::Any,
            ice_servers,
            stream_relays: Vec::new(),
            relay_names: Vec::new(),
            interfaces: Vec::new(),
            dialer: Dialer::default(),
        }
    }

    /// All servers, those over streams too.
    pub(super) fn servers(&self) -> Vec<IceServer> {
        let streams = self.stream_relays.iter().map(StreamRelay::as_server);
        self.ice_servers.iter().cloned().chain(streams).collect()
    }

    /// Whether there is any relay among its servers.
    pub fn has_relay(&self) -> bool {
        let turn = |it: &IceServer| it.urls.iter().any(|url| url.starts_with("turn"));
        !self.stream_relays.is_empty() || self.ice_servers.iter().any(turn)
    }

    /// The same for a lane that is to be direct.
    pub(super) fn without_relays(&self) -> Self {
        let mut grounds = self.clone();
        grounds.policy = Policy::DirectOnly;
        grounds.stream_relays.clear();
        grounds.ice_servers.retain(|it| it.urls.iter().all(|url| url.starts_with("stun")));
        grounds
    }

    /// What its sockets are bound to, port 0; link-local IPv6 addresses are behind their stand-ins.
    pub(super) fn bind_addresses(&self, link_locals: &LinkLocals) -> io::Result<Vec<SocketAddr>> {
        // Without servers the peer is on this network, or nowhere.
        let is_lan = self.ice_servers.is_empty() && self.stream_relays.is_empty();
        let bound = interfaces::to_bind(self.reach, &self.interfaces, is_lan, link_locals);
        match bound.is_empty() {
            true => Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "no address on that interface")),
            false => Ok(bound),
        }
    }
}

/// The names of this machine's interfaces that have an address, loopback aside, in order.
pub fn interface_names() -> Vec<String> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    let mut names: Vec<_> = all.into_iter().filter(|it| !it.is_loopback()).map(|it| it.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> IceServer {
        IceServer { urls: vec![url.to_owned()], username: None, credential: None }
    }

    #[test]
    fn a_lane_that_is_to_be_direct_knows_no_relay() {
        let servers = vec![server("stun:192.0.2.1:3478"), server("turn:192.0.2.1:3478?transport=udp")];
        let grounds = Grounds::new(Reach::Everywhere, servers);
        assert!(grounds.has_relay());
        let direct = grounds.without_relays();
        assert!(!direct.has_relay() && direct.policy == Policy::DirectOnly);
        assert_eq!(direct.ice_servers, [server("stun:192.0.2.1:3478")]);
    }

    #[test]
    fn sockets_are_only_on_the_interfaces_that_were_named() {
        let mut grounds = Grounds::new(Reach::Everywhere, Vec::new());
        let loopback = if_addrs::get_if_addrs().unwrap().into_iter().find(|it| it.is_loopback()).unwrap();
        grounds.interfaces = vec![loopback.name];
        let bound = grounds.bind_addresses(&LinkLocals::default()).unwrap();
        assert!(!bound.is_empty() && bound.iter().all(|it| it.ip().is_loopback()), "{bound:?}");
        grounds.interfaces = vec!["none-like-this".to_owned()];
        assert!(grounds.bind_addresses(&LinkLocals::default()).is_err());
    }
}
