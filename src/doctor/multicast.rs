//! Whether a multicast packet leaves this machine's networks and is heard on them (RFC 6762): what meeting without a server
//! needs.
//!
//! The packet asks for the address of a name that nobody has, drawn for this question: it says nothing about this machine, and
//! nobody answers it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time;

use crate::doctor::observed::{Hearing, Multicast};

/// Port and groups of multicast DNS (RFC 6762 §3).
const PORT: u16 = 5353;
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

/// How long our own packet may take to come back.
const PATIENCE: Duration = Duration::from_millis(600);

/// Networks that are tried.
const MOST_NETWORKS: usize = 32;

/// A network that this machine is attached to.
enum Network {
    V4(Ipv4Addr),
    V6(u32),
}

/// Asks on all networks; `tag` is random.
pub(super) async fn look(tag: u32) -> Multicast {
    let query = query(tag);
    let (v4, v6): (Vec<Network>, Vec<Network>) =
        networks().into_iter().partition(|it| matches!(it, Network::V4(_)));
    let (v4, v6) = tokio::join!(hear(&v4, &query), hear(&v6, &query));
    Multicast { v4, v6 }
}

fn networks() -> Vec<Network> {
    let mut networks = Vec::new();
    for interface in if_addrs::get_if_addrs().unwrap_or_default() {
        match (interface.addr.ip(), interface.index) {
            (address, _) if address.is_loopback() => (),
            (std::net::IpAddr::V4(v4), _) => networks.push(Network::V4(v4)),
            (std::net::IpAddr::V6(v6), Some(index)) if v6.is_unicast_link_local() => {
                networks.push(Network::V6(index));
            }
            (std::net::IpAddr::V6(_), _) => (),
        }
    }
    networks.truncate(MOST_NETWORKS);
    networks
}

/// The question for the address of `p2pcp-doctor-<tag>.local` (RFC 1035 §4.1).
fn query(tag: u32) -> Vec<u8> {
    let mut query = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in [format!("p2pcp-doctor-{tag:08x}").as_bytes(), b"local"] {
        query.push(u8::try_from(label.len()).unwrap_or(0));
        query.extend_from_slice(label);
    }
    // The root, type A, class IN.
    query.extend_from_slice(&[0, 0, 1, 0, 1]);
    query
}

async fn hear(networks: &[Network], query: &[u8]) -> Hearing {
    let Ok(socket) = said(networks, query).and_then(UdpSocket::from_std) else {
        return Hearing::NotPossible;
    };
    let listening = async {
        let mut packet = [0; 512];
        loop {
            match socket.recv_from(&mut packet).await {
                Ok((length, _)) if packet.get(..length) == Some(query) => return Hearing::Heard,
                Ok(_) => (),
                Err(_) => return Hearing::Silent,
            }
        }
    };
    time::timeout(PATIENCE, listening).await.unwrap_or(Hearing::Silent)
}

/// A socket in the group on all networks, over which the query went out on at least one.
fn said(networks: &[Network], query: &[u8]) -> io::Result<std::net::UdpSocket> {
    let v6 = networks.iter().any(|it| matches!(it, Network::V6(_)));
    let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    // The machine's own responder, and others of p2pcp, have the port too.
    socket.set_reuse_address(true)?;
    let (bound, group): (SocketAddr, SocketAddr) = match v6 {
        true => ((Ipv6Addr::UNSPECIFIED, PORT).into(), (GROUP_V6, PORT).into()),
        false => ((Ipv4Addr::UNSPECIFIED, PORT).into(), (GROUP_V4, PORT).into()),
    };
    if v6 {
        socket.set_only_v6(true)?;
    }
    socket.bind(&SockAddr::from(bound))?;
    socket.set_nonblocking(true)?;
    let mut said = Err(io::ErrorKind::NetworkUnreachable.into());
    for network in networks {
        let sent = join(&socket, network).and_then(|()| socket.send_to(query, &SockAddr::from(group)));
        if said.is_err() {
            said = sent;
        }
    }
    said.map(|_| socket.into())
}

/// Joins the group on a network, and has the next packet go out there and come back here.
fn join(socket: &Socket, network: &Network) -> io::Result<()> {
    match network {
        Network::V4(address) => {
            // Two addresses of one network: the second joins what the first has joined already.
            socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Address(*address)).ok();
            socket.set_multicast_if_v4(address)?;
            socket.set_multicast_loop_v4(true)
        }
        Network::V6(index) => {
            socket.join_multicast_v6(&GROUP_V6, *index).ok();
            socket.set_multicast_if_v6(*index)?;
            socket.set_multicast_loop_v6(true)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::doctor::multicast::{hear, query};
    use crate::doctor::observed::Hearing;

    #[test]
    fn the_query_is_a_question_for_an_address() {
        let query = query(0x00ab_cdef);
        assert_eq!(&query[..12], [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(&query[12..], b"\x15p2pcp-doctor-00abcdef\x05local\x00\x00\x01\x00\x01");
    }

    #[tokio::test]
    async fn without_a_network_nothing_can_be_heard() {
        assert_eq!(hear(&[], &query(1)).await, Hearing::NotPossible);
    }
}
