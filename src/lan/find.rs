//! Looks for a nameplate: first on this machine, then on the local network (RFC 6762, RFC 6763).

use std::collections::{HashSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use mdns_sd::{Receiver, ResolvedService, ScopedIp, ServiceEvent};

use crate::lan::multicast::Multicast;
use crate::lan::{Scope, port};
use crate::wire::signaling::Nameplate;

/// Addresses that one search yields at most: what a hostile network can make a receiver dial.
pub const MAX_FOUND: usize = 32;

/// Begins to look for a nameplate. A nameplate of more than three digits is nowhere on this network.
pub fn find(nameplate: Nameplate, scope: Scope) -> Finder {
    let Some(port) = port(nameplate) else {
        return Finder { nameplate, port: 0, search: None, ready: VecDeque::new(), seen: HashSet::new() };
    };
    let search = match scope {
        Scope::Loopback => None,
        Scope::Lan => Search::start()
            .inspect_err(|error| log::debug!("the local network cannot be searched: {error}"))
            .ok(),
    };
    let mut finder = Finder { nameplate, port, search, ready: VecDeque::new(), seen: HashSet::new() };
    finder.found(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    if scope == Scope::Lan {
        // `Scope::Loopback` listens on IPv4 only; whoever holds the other is somebody else.
        finder.found(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    }
    finder
}

/// A search that goes on until it is dropped.
pub struct Finder {
    nameplate: Nameplate,
    port: u16,
    search: Option<Search>,
    ready: VecDeque<SocketAddr>,
    seen: HashSet<SocketAddr>,
}

impl Finder {
    /// The next place where the nameplate's rendezvous may be; each is yielded once.
    ///
    /// The loopback addresses come at once. After them this waits for the network, for as long as
    /// the caller cares to; `None` means that nothing more can come.
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<SocketAddr> {
        loop {
            if let Some(address) = self.ready.pop_front() {
                return Some(address);
            }
            if self.seen.len() >= MAX_FOUND {
                return None;
            }
            let event = self.search.as_ref()?.events.recv_async().await.ok()?;
            if let ServiceEvent::ServiceResolved(service) = event {
                self.resolved(&service);
            }
        }
    }

    fn resolved(&mut self, service: &ResolvedService) {
        let announced = service.get_property_val_str("n").and_then(|number| number.parse().ok());
        // The port follows from the nameplate: an announcement of another is somebody who wants us
        // to knock at a third party's door.
        if announced.and_then(Nameplate::new) != Some(self.nameplate) || service.get_port() != self.port {
            return;
        }
        let mut addresses: Vec<SocketAddr> =
            service.get_addresses().iter().filter_map(|address| socket_address(address, self.port)).collect();
        addresses.sort_by_key(|address| (rank(address), *address));
        for address in addresses {
            self.found(address);
        }
    }

    fn found(&mut self, address: SocketAddr) {
        if self.seen.len() < MAX_FOUND && self.seen.insert(address) {
            self.ready.push_back(address);
        }
    }
}

/// The thread that browses, and what it finds.
pub(super) struct Search {
    _multicast: Multicast,
    pub(super) events: Receiver<ServiceEvent>,
}

impl Search {
    pub(super) fn start() -> Result<Self, mdns_sd::Error> {
        let multicast = Multicast::start()?;
        let events = multicast.browse()?;
        Ok(Self { _multicast: multicast, events })
    }
}

/// Where an announced address can be dialled, if it is one that somebody else on this network may
/// have. A link-local address needs the interface that it was heard on (RFC 4007 §11).
fn socket_address(address: &ScopedIp, port: u16) -> Option<SocketAddr> {
    let plausible = |ip: IpAddr| !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast();
    let ip = address.to_ip_addr();
    match (address, ip) {
        (ScopedIp::V6(scoped), IpAddr::V6(v6)) if v6.is_unicast_link_local() => {
            Some(SocketAddrV6::new(v6, port, 0, scoped.scope_id().index).into())
        }
        _ => plausible(ip).then_some(SocketAddr::new(ip, port)),
    }
}

/// What is most likely to work comes first.
fn rank(address: &SocketAddr) -> u8 {
    match address {
        SocketAddr::V4(v4) if !v4.ip().is_link_local() => 0,
        SocketAddr::V6(v6) if !v6.ip().is_unicast_link_local() => 1,
        SocketAddr::V4(_) => 2,
        SocketAddr::V6(_) => 3,
    }
}

#[cfg(test)]
mod tests {
    use mdns_sd::{ResolvedService, ServiceInfo};

    use crate::lan::{Finder, MAX_FOUND, SERVICE, Scope, find};
    use crate::wire::signaling::Nameplate;

    fn announced(number: &str, port: u16, addresses: &[String]) -> ResolvedService {
        let properties = [("n", number), ("v", "1")];
        ServiceInfo::new(SERVICE, "x", "x.local.", addresses, port, &properties[..])
            .unwrap()
            .as_resolved_service()
    }

    /// What comes after the loopback address, as text.
    fn yielded(finder: &Finder) -> Vec<String> {
        finder.ready.iter().skip(1).map(ToString::to_string).collect()
    }

    fn finder() -> Finder {
        find(Nameplate::new(417).unwrap(), Scope::Loopback)
    }

    #[test]
    fn each_address_is_yielded_once_and_the_likeliest_first() {
        let addresses = ["fe80::1", "2001:db8::1", "192.0.2.1", "127.0.0.1", "224.0.0.1"].map(String::from);
        let mut finder = finder();
        for _ in 0..2 {
            finder.resolved(&announced("417", 21_417, &addresses));
        }
        assert_eq!(yielded(&finder), ["192.0.2.1:21417", "[2001:db8::1]:21417", "[fe80::1]:21417"]);
    }

    #[test]
    fn announcements_of_others_are_not_followed() {
        let addresses = ["192.0.2.1".to_owned()];
        let mut finder = finder();
        for (number, port) in [("418", 21_417), ("417", 22), ("", 21_417), ("words", 21_417)] {
            finder.resolved(&announced(number, port, &addresses));
        }
        assert!(yielded(&finder).is_empty());
    }

    #[test]
    fn a_hostile_network_yields_a_bounded_number_of_addresses() {
        let addresses: Vec<String> = (0..200).map(|host| format!("192.0.2.{host}")).collect();
        let mut finder = finder();
        finder.resolved(&announced("417", 21_417, &addresses));
        assert_eq!(finder.ready.len(), MAX_FOUND);
    }
}
