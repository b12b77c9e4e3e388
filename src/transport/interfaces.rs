//! Which of this machine's addresses a lane's sockets are bound to, the likeliest first.
//!
//! The library would take every address of every interface but the link-local ones. That is too few where two
//! machines share nothing but a cable, and too many on one with twenty interfaces: each of its addresses is
//! checked against each of the peer's, twenty times a second.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};

use crate::transport::link_local::LinkLocals;
use crate::transport::peer::Reach;

/// Most addresses that are not link-local. A laptop has four or five: IPv4 and up to three of IPv6 where it is
/// attached, and a VPN.
const MAX_ROUTED: usize = 12;

/// Most link-local addresses: they reach one network each.
const MAX_LINK_LOCAL: usize = 4;

/// Most addresses of one family on one interface. IPv6 has a stable, a temporary and perhaps a local one (RFC 8981 §3.1).
const MAX_OF_FAMILY: usize = 3;

/// Where the kernel is asked what address it would use to go anywhere: documentation addresses (RFC 5737 §3, RFC 3849 §2),
/// which it sends to wherever the default route goes. Asking sends nothing.
const ANYWHERE: [&str; 2] = ["192.0.2.1:9", "[2001:db8::1]:9"];

/// Beginnings of the names of interfaces that lead to containers and virtual machines inside this one: `docker0`,
/// `br-0123abcd` and `virbr0`, for instance. Peers there exist, but are the exception.
const INSIDE: [&str; 13] = [
    "br-", "cali", "cni", "docker", "flannel", "kube", "lxc", "lxdbr", "podman", "vboxnet", "veth", "virbr",
    "vmnet",
];

/// When an address that reaches one network only is used although its interface has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LinkLocal {
    /// The peer was found on the local network, and may have nothing else.
    Always,
    /// Never: the peer is likely elsewhere, and in IPv6 such an address may tell it the network card's number (RFC 7721 §4.3.1).
    WhereNothingElse,
}

/// An address of an interface that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    ip: IpAddr,
    interface: String,
    /// Its number, which a link-local IPv6 address is useless without (RFC 4007 §6).
    index: u32,
}

/// What the library is to bind for a lane; link-local IPv6 addresses are behind their stand-ins.
///
/// `only` names interfaces, none stands for all. `is_lan` says that the peer is on this network, or nowhere.
pub(super) fn to_bind(
    reach: Reach,
    only: &[String],
    is_lan: bool,
    link_locals: &LinkLocals,
) -> Vec<SocketAddr> {
    if reach == Reach::SameHost {
        return vec![(Ipv4Addr::LOCALHOST, 0).into()];
    }
    let wanted = if is_lan { LinkLocal::Always } else { LinkLocal::WhereNothingElse };
    let bound = addresses(only, wanted).into_iter().filter_map(|address| match address {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => link_locals.bind(v6).ok(),
        other => Some(other),
    });
    let mut bound: Vec<_> = bound.collect();
    if bound.is_empty() && only.is_empty() {
        // No network now; the library wants a socket all the same.
        bound.push((Ipv4Addr::UNSPECIFIED, 0).into());
    }
    bound
}

/// Addresses to bind to, port 0 each. A link-local IPv6 address has its scope. None when the system does not tell.
fn addresses(only: &[String], link_local: LinkLocal) -> Vec<SocketAddr> {
    let interfaces = if_addrs::get_if_addrs()
        .inspect_err(|error| log::debug!("the interfaces are not known: {error}"))
        .unwrap_or_default();
    let named = |it: &if_addrs::Interface| match only {
        [] => !it.is_loopback(),
        _ => only.contains(&it.name),
    };
    let wanted = |it: &if_addrs::Interface| it.is_oper_up() && named(it);
    let up = interfaces.into_iter().filter(wanted).map(|it| Held {
        ip: it.ip(),
        index: it.index.unwrap_or(0),
        interface: it.name,
    });
    choose(up.collect(), &ANYWHERE.map(towards), link_local)
}

/// The address that the kernel would use to reach this one.
fn towards(target: &str) -> Option<IpAddr> {
    let target: SocketAddr = target.parse().ok()?;
    let any: IpAddr =
        if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(target).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn choose(held: Vec<Held>, default: &[Option<IpAddr>], link_local: LinkLocal) -> Vec<SocketAddr> {
    let usable = |ip: IpAddr| !ip.is_unspecified() && !ip.is_multicast();
    let (near, far): (Vec<_>, Vec<_>) =
        held.into_iter().filter(|it| usable(it.ip)).partition(|it| is_link_local(it.ip));
    let is_default = |it: &Held| default.contains(&Some(it.ip));
    let attached: Vec<&str> =
        far.iter().filter(|it| is_default(it)).map(|it| it.interface.as_str()).collect();
    let rank = |it: &Held| match (is_default(it), is_inside(&it.interface)) {
        (true, _) => 0,
        (false, _) if attached.contains(&it.interface.as_str()) => 1,
        (false, false) => 2,
        (false, true) => 3,
    };
    let mut near: Vec<_> = near
        .into_iter()
        .filter(|it| !is_inside(&it.interface))
        .filter_map(|it| {
            let alone = !far.iter().any(|other| other.interface == it.interface);
            (alone || link_local == LinkLocal::Always).then(|| (if alone { 0 } else { 1 + rank(&it) }, it))
        })
        .collect();
    let mut ranked: Vec<_> = far.iter().map(|it| (rank(it), it.clone())).collect();
    // Stable: what the system lists first stays first.
    ranked.sort_by_key(|(rank, _)| *rank);
    near.sort_by_key(|(rank, _)| *rank);
    few_of_each(ranked).take(MAX_ROUTED).chain(few_of_each(near).take(MAX_LINK_LOCAL)).collect()
}

/// Each address once, and [`MAX_OF_FAMILY`] of a family and interface.
fn few_of_each(ranked: Vec<(u8, Held)>) -> impl Iterator<Item = SocketAddr> {
    let mut taken: Vec<(SocketAddr, String)> = Vec::new();
    ranked.into_iter().filter_map(move |(_, it)| {
        let address = match it.ip {
            IpAddr::V6(v6) if v6.is_unicast_link_local() => SocketAddrV6::new(v6, 0, 0, it.index).into(),
            ip => SocketAddr::new(ip, 0),
        };
        let alike = taken
            .iter()
            .filter(|(other, name)| *name == it.interface && other.is_ipv4() == address.is_ipv4());
        if alike.count() >= MAX_OF_FAMILY || taken.iter().any(|(other, _)| *other == address) {
            return None;
        }
        taken.push((address, it.interface));
        Some(address)
    })
}

/// Whether an address reaches one network only (RFC 3927 §2.1, RFC 4291 §2.5.6).
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn is_inside(interface: &str) -> bool {
    INSIDE.iter().any(|it| interface.starts_with(it))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use super::{Held, LinkLocal, MAX_LINK_LOCAL, MAX_ROUTED, addresses, choose};

    /// `interface address` each; the number of an interface is the last digit of its name.
    fn held(list: &[&str]) -> Vec<Held> {
        let parse = |it: &&str| {
            let (interface, ip) = it.split_once(' ').unwrap();
            let index = interface.chars().next_back().and_then(|it| it.to_digit(10)).unwrap_or(0);
            Held { ip: ip.parse().unwrap(), interface: interface.to_owned(), index }
        };
        list.iter().map(parse).collect()
    }

    fn chosen(list: &[&str], default: &str, link_local: LinkLocal) -> Vec<String> {
        let default: Option<IpAddr> = default.parse().ok();
        let text = |it: SocketAddr| it.to_string().replace(":0", "").replace(['[', ']'], "");
        choose(held(list), &[default, None], link_local).into_iter().map(text).collect()
    }

    #[test]
    fn the_address_of_the_default_route_is_the_first_and_containers_are_last() {
        let list = ["docker0 172.17.0.1", "tun1 10.8.0.2", "eth2 192.168.1.5", "eth2 2001:db8::5"];
        let expect = ["192.168.1.5", "2001:db8::5", "10.8.0.2", "172.17.0.1"];
        assert_eq!(chosen(&list, "192.168.1.5", LinkLocal::Always), expect);
    }

    #[test]
    fn a_cable_with_nothing_but_link_local_addresses_is_used() {
        let list = ["eth2 fe80::5", "eth3 169.254.7.7", "eth3 fe80::6"];
        for link_local in [LinkLocal::Always, LinkLocal::WhereNothingElse] {
            assert_eq!(chosen(&list, "", link_local), ["fe80::5%2", "169.254.7.7", "fe80::6%3"]);
        }
    }

    #[test]
    fn link_local_addresses_beside_others_are_for_the_local_network_only() {
        let list = ["eth2 192.168.1.5", "eth2 fe80::5", "eth3 fe80::6"];
        let everywhere = chosen(&list, "192.168.1.5", LinkLocal::WhereNothingElse);
        assert_eq!(everywhere, ["192.168.1.5", "fe80::6%3"]);
        let here = chosen(&list, "192.168.1.5", LinkLocal::Always);
        assert_eq!(here, ["192.168.1.5", "fe80::6%3", "fe80::5%2"]);
    }

    #[test]
    fn of_twenty_interfaces_the_right_ones_are_kept() {
        let mut list: Vec<String> = (0..20).map(|n| format!("br-{n} 172.20.{n}.1")).collect();
        list.extend((0..20).map(|n| format!("br-{n} fe80::{n}")));
        list.extend((0..20).map(|n| format!("dummy{n} 10.1.{n}.1")));
        list.extend((0..20).map(|n| format!("dummy{n} fe80::1:{n}")));
        list.extend(["eth9 192.168.1.5", "eth9 fe80::9"].map(String::from));
        let list: Vec<&str> = list.iter().map(String::as_str).collect();
        let all = chosen(&list, "192.168.1.5", LinkLocal::Always);
        assert_eq!(all.len(), MAX_ROUTED + MAX_LINK_LOCAL);
        assert_eq!((all[0].as_str(), all[MAX_ROUTED].as_str()), ("192.168.1.5", "fe80::9%9"));
        assert!(!all.iter().any(|it| it.starts_with("172.20.")), "{all:?}");
    }

    #[test]
    fn one_interface_with_many_addresses_leaves_room_for_others() {
        let mut list: Vec<String> = (0..40).map(|n| format!("eth2 10.0.0.{n}")).collect();
        list.push("eth3 10.1.0.1".to_owned());
        list.push("eth4 10.1.0.1".to_owned());
        let list: Vec<&str> = list.iter().map(String::as_str).collect();
        assert_eq!(chosen(&list, "", LinkLocal::Always), ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.1.0.1"]);
    }

    #[test]
    fn no_address_of_this_machine_is_useless_to_others() {
        for address in addresses(&[], LinkLocal::Always) {
            assert!(!address.ip().is_loopback() && !address.ip().is_unspecified() && address.port() == 0);
        }
        assert!(addresses(&["none-like-this".to_owned()], LinkLocal::Always).is_empty());
    }
}
