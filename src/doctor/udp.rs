//! What UDP can do here: STUN servers are asked from one socket, and what a NAT lets in is tried (RFC 5780 §4).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;

use crate::doctor::asking::{Answerer, Question, ask, ask_and_listen};
use crate::doctor::observed::{Answer, Binding, Family, Filtering, Packet};
use crate::doctor::stun::{self, Said};

/// How long STUN servers may take.
const BINDING: Duration = Duration::from_millis(1_500);

/// How long what follows from their answers may take. Whoever answered once answers again as quickly.
const FOLLOWING: Duration = Duration::from_millis(800);

/// How long to wait for an answer, and then for one from a port that was not asked: that one is lost, or kept out.
const ELSEWHERE: Duration = Duration::from_millis(1_000);

/// Sizes of IP packets that are tried, in bytes: what IPv6 promises (RFC 8200 §5), tunnels, PPPoE (RFC 2516 §7), Ethernet.
const PACKETS: [u16; 8] = [1_280, 1_340, 1_400, 1_420, 1_440, 1_472, 1_492, 1_500];

/// Bytes of headers before a UDP payload: IPv4 (20) or IPv6 (40), and UDP (8).
const HEADERS_V4: u16 = 28;
const HEADERS_V6: u16 = 48;

/// An address family of the internet protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

impl Version {
    fn any(self) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Self::V6 => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    /// An address far away (TEST-NET-3, and one that 2000::/3 will never give to anybody): only the route to it is looked at.
    fn far(self) -> SocketAddr {
        match self {
            Self::V4 => (Ipv4Addr::new(203, 0, 113, 1), 9).into(),
            Self::V6 => (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9).into(),
        }
    }

    fn has(self, address: SocketAddr) -> bool {
        address.is_ipv4() == (self == Self::V4)
    }
}

/// Looks at one family. `servers` are STUN servers, our own first. Takes 2.3 s at most.
pub(super) async fn look(version: Version, servers: &[SocketAddr]) -> (Family, Packet) {
    let local = route(version, version.far()).await;
    let servers: Vec<SocketAddr> = servers.iter().copied().filter(|it| version.has(*it)).collect();
    let Ok(socket) = UdpSocket::bind((version.any(), 0)).await else {
        let bindings = servers.iter().map(|it| Binding { server: *it, answer: None }).collect();
        return (Family { local, bindings, ..Family::default() }, Packet::default());
    };
    let following = async {
        let bindings = bindings(version, &socket, &servers).await;
        let Some((server, answer)) = bindings.iter().find_map(|it| Some((it.server, it.answer?))) else {
            return (bindings, None, Packet::default());
        };
        let (hairpin, packet) = tokio::join!(hairpin(version, &socket, answer), packets(version, server));
        (bindings, hairpin, packet)
    };
    let ((bindings, hairpin, packet), filtering) = tokio::join!(following, filtering(version, &servers));
    (Family { local, bindings, filtering, hairpin }, packet)
}

/// The address that packets to `to` leave with. A datagram socket that is connected sends nothing.
async fn route(version: Version, to: SocketAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind((version.any(), 0)).await.ok()?;
    socket.connect(to).await.ok()?;
    socket.local_addr().ok().map(|it| it.ip()).filter(|it| !it.is_unspecified())
}

async fn bindings(version: Version, socket: &UdpSocket, servers: &[SocketAddr]) -> Vec<Binding> {
    let port = socket.local_addr().map_or(0, |it| it.port());
    let questions: Vec<Question> = servers.iter().map(|it| Question::new(*it, stun::binding())).collect();
    let answers = ask(socket, &questions, BINDING).await;
    let mut bindings = Vec::new();
    for (server, heard) in servers.iter().zip(answers) {
        let local = route(version, *server).await;
        let answer = match (heard.map(|it| (it.said, it.after)), local) {
            (Some((Said::Bound { mapped, .. }, after)), Some(local)) => {
                Some(Answer { mapped, local: SocketAddr::new(local, port), after })
            }
            _ => None,
        };
        bindings.push(Binding { server: *server, answer });
    }
    bindings
}

/// Asks the first server that has another port to answer from there, from a socket that never sent anything to that port.
async fn filtering(version: Version, servers: &[SocketAddr]) -> Filtering {
    let Some(first) = servers.first() else { return Filtering::NotChecked };
    let Ok(socket) = UdpSocket::bind((version.any(), 0)).await else { return Filtering::NotChecked };
    // A server that cannot do it does not say that it has another port (RFC 5780 §7.4).
    let heard = ask(&socket, &[Question::new(*first, stun::binding())], ELSEWHERE).await;
    let able =
        matches!(heard.first(), Some(Some(heard)) if matches!(heard.said, Said::Bound { other: true, .. }));
    if !able {
        return Filtering::NotChecked;
    }
    let question =
        Question { to: *first, request: stun::binding_from_elsewhere(), from: Answerer::AnotherPort };
    match ask(&socket, &[question], ELSEWHERE).await.first() {
        Some(Some(_)) => Filtering::OtherPortsToo,
        Some(None) | None => Filtering::OnlyWhoWasAsked,
    }
}

/// Sends to our own address as the world sees it. Without a NAT there is nothing to find out, and a server that lies must
/// not have us talk to everybody.
async fn hairpin(version: Version, listening: &UdpSocket, answer: Answer) -> Option<bool> {
    let ip = answer.mapped.ip().to_canonical();
    let broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    if answer.mapped == answer.local || ip.is_multicast() || ip.is_unspecified() || broadcast {
        return None;
    }
    let asking = UdpSocket::bind((version.any(), 0)).await.ok()?;
    let question = Question { to: answer.mapped, request: stun::binding(), from: Answerer::Anybody };
    let heard = ask_and_listen(&asking, listening, &[question], FOLLOWING).await;
    Some(heard.iter().any(Option::is_some))
}

/// Sends packets of several sizes that may not be cut up, and sees which are answered. The answers are small: this is what
/// the way there carries, and mostly the way back too.
async fn packets(version: Version, server: SocketAddr) -> Packet {
    let Ok(socket) = UdpSocket::bind((version.any(), 0)).await else { return Packet::default() };
    if keep_whole(version, &socket).is_err() {
        return Packet::default();
    }
    let headers = if version == Version::V4 { HEADERS_V4 } else { HEADERS_V6 };
    let question = |size: u16| Question::new(server, stun::binding_of(usize::from(size - headers)));
    let questions: Vec<Question> = PACKETS.into_iter().map(question).collect();
    let heard = ask(&socket, &questions, FOLLOWING).await;
    let answered = PACKETS.into_iter().zip(&heard).filter(|it| it.1.is_some()).map(|it| it.0);
    Packet { tried: PACKETS.to_vec(), largest: answered.max() }
}

/// Sets "don't fragment", and has the kernel forget what it believes of the path, which is what is to be found out.
#[cfg(target_os = "linux")]
fn keep_whole(version: Version, socket: &UdpSocket) -> io::Result<()> {
    use rustix::net::sockopt;
    match version {
        Version::V4 => sockopt::set_ip_mtu_discover(socket, sockopt::Ipv4PathMtuDiscovery::PROBE)?,
        Version::V6 => sockopt::set_ipv6_mtu_discover(socket, sockopt::Ipv6PathMtuDiscovery::PROBE)?,
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn keep_whole(_: Version, _: &UdpSocket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use rtc::stun::attributes::{ATTR_CHANGE_REQUEST, ATTR_OTHER_ADDRESS, ATTR_XORMAPPED_ADDRESS, AttrType};
    use rtc::stun::message::{CLASS_SUCCESS_RESPONSE, METHOD_BINDING, Message, MessageType};
    use tokio::net::UdpSocket;

    use crate::doctor::nat::{Mapping, mapping};
    use crate::doctor::observed::Filtering;
    use crate::doctor::stun::tests::answer;
    use crate::doctor::udp::{Version, look};

    /// What is between us and the stub.
    #[derive(Clone, Copy, PartialEq)]
    enum Nat {
        None,
        Symmetric,
    }

    /// A STUN server with two ports on loopback, and a NAT that it makes up.
    async fn stub(first: UdpSocket, second: UdpSocket, nat: Nat, able: bool) {
        let mut packet = [0; 2_048];
        let mut other = [0; 2_048];
        loop {
            let (on_second, length, from) = tokio::select! {
                received = first.recv_from(&mut packet) => { let (n, it) = received.unwrap(); (false, n, it) }
                received = second.recv_from(&mut other) => { let (n, it) = received.unwrap(); (true, n, it) }
            };
            let request = if on_second { &other[..length] } else { &packet[..length] };
            let mut asked = Message::new();
            asked.unmarshal_binary(request).unwrap();
            let mut mapped = from;
            if nat == Nat::Symmetric {
                mapped.set_port(if on_second { 40_002 } else { 40_001 });
            }
            let more: &[(AttrType, &[u8])] = &[(ATTR_OTHER_ADDRESS, &[0, 1, 1, 1, 127, 0, 0, 1])];
            let kind = MessageType::new(METHOD_BINDING, CLASS_SUCCESS_RESPONSE);
            let mapped = Some((ATTR_XORMAPPED_ADDRESS, mapped));
            let said = answer(request, kind, mapped, if able { more } else { &[] });
            let by_other = asked.contains(ATTR_CHANGE_REQUEST);
            let speaker = if on_second ^ by_other { &second } else { &first };
            speaker.send_to(&said, from).await.unwrap();
        }
    }

    async fn looked(nat: Nat, able: bool) -> (super::Family, super::Packet, [SocketAddr; 2]) {
        let bind = || UdpSocket::bind("127.0.0.1:0");
        let (first, second) = (bind().await.unwrap(), bind().await.unwrap());
        let servers = [first.local_addr().unwrap(), second.local_addr().unwrap()];
        tokio::select! {
            (family, packet) = look(Version::V4, &servers) => (family, packet, servers),
            () = stub(first, second, nat, able) => unreachable!("it serves for ever"),
        }
    }

    #[tokio::test]
    async fn without_a_nat_the_addresses_are_ours() {
        let (family, packet, servers) = looked(Nat::None, true).await;
        assert_eq!(mapping(&family), Mapping::Untranslated);
        assert_eq!(family.bindings.iter().map(|it| it.server).collect::<Vec<_>>(), servers);
        assert_eq!(family.filtering, Filtering::OtherPortsToo);
        assert_eq!(family.hairpin, None);
        if cfg!(target_os = "linux") {
            assert_eq!(packet.largest, Some(1_500));
        }
    }

    #[tokio::test]
    async fn two_ports_of_one_server_show_a_symmetric_nat() {
        let (family, ..) = looked(Nat::Symmetric, false).await;
        assert_eq!(mapping(&family), Mapping::Symmetric);
        assert_eq!(family.filtering, Filtering::NotChecked);
        assert_eq!(family.hairpin, Some(false));
    }

    #[tokio::test]
    async fn nobody_to_ask_is_nothing_known() {
        let v6: SocketAddr = "[2001:db8::1]:8091".parse().unwrap();
        let (family, packet) = look(Version::V4, &[v6]).await;
        assert_eq!(mapping(&family), Mapping::NotChecked);
        assert_eq!(packet.largest, None);
    }
}
