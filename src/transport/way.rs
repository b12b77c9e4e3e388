//! How two peers reach each other and, where it is not direct, why: read from the candidates that both told.
//!
//! For people only: nothing is decided by it. Pure.

use std::net::{IpAddr, SocketAddr};

use crate::transport::candidates::Kind;
use crate::transport::grounds::{Policy, Reach};
use crate::wire::address::is_private;

/// Most candidates of our own that are remembered.
const MAX_OWN: usize = 64;

/// The kind of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Inside one machine.
    ThisMachine,
    /// Between private addresses, or on one link.
    Lan,
    /// Over IPv6 from one network to another.
    Ipv6,
    /// Over IPv4 between public addresses.
    Open,
    /// One side is behind a NAT, or both are behind the same one.
    OneNat,
    /// Each side is behind a NAT of its own.
    BothNats,
    /// Through a relay.
    Relayed {
        /// Its name or address.
        by: String,
        /// Why it had to be.
        because: Because,
    },
    /// It is not known.
    Unknown,
}

/// Why a path goes through a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// This side wants it so.
    RelayOnlyHere,
    /// The other side told nothing but relays.
    RelayOnlyThere,
    /// No STUN server and no relay answered this side over UDP.
    UdpBlockedHere,
    /// The other side has no address from a STUN server.
    UdpBlockedThere,
    /// Both NATs have another port for each destination (RFC 4787 §4.1).
    SymmetricBoth,
    /// The NAT of this side has.
    SymmetricHere,
    /// The NAT of the other side has.
    SymmetricThere,
    /// None of these.
    NoDirectPath,
}

/// One of our own candidates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) kind: Kind,
    pub(super) address: SocketAddr,
    /// The socket that it belongs to, or how it is reached.
    pub(super) base: Option<SocketAddr>,
}

/// What both sides told of themselves.
#[derive(Debug, Default)]
pub(super) struct Seen {
    own: Vec<Own>,
    theirs: Vec<(Kind, SocketAddr)>,
}

/// The addresses in use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    pub(super) local: (Kind, SocketAddr),
    /// Where the local socket is.
    pub(super) base: IpAddr,
    pub(super) remote: (Kind, SocketAddr),
}

/// What the lane was made of, as far as it explains a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances<'a> {
    pub(super) reach: Reach,
    pub(super) policy: Policy,
    /// STUN servers were asked.
    pub(super) asked: bool,
    pub(super) relay_names: &'a [(IpAddr, String)],
}

impl Seen {
    pub(super) fn own(&mut self, own: Own) {
        if self.own.len() < MAX_OWN && !self.own.contains(&own) {
            self.own.push(own);
        }
    }

    /// A candidate of the peer's; their number is bounded by whoever screens them.
    pub(super) fn theirs(&mut self, kind: Kind, address: SocketAddr) {
        self.theirs.push((kind, address));
    }

    /// How the peer is reached over this pair.
    pub(super) fn way(&self, pair: Pair, around: Circumstances<'_>) -> Way {
        let relay = [pair.local, pair.remote].into_iter().find(|(kind, _)| *kind == Kind::Relay);
        match relay {
            Some((_, address)) => {
                let name = around.relay_names.iter().find(|(ip, _)| *ip == address.ip());
                let by = name.map_or_else(|| address.ip().to_string(), |(_, name)| name.clone());
                Way::Relayed { by, because: self.because(around) }
            }
            None if around.reach == Reach::SameHost => Way::ThisMachine,
            None => self.direct(pair),
        }
    }

    fn direct(&self, pair: Pair) -> Way {
        let (kind, address) = pair.remote;
        let ip = address.ip().to_canonical();
        let own_hosts = || self.own.iter().filter(|it| it.kind == Kind::Host).map(|it| it.address.ip());
        if ip.is_loopback() || own_hosts().any(|own| own == ip) {
            return Way::ThisMachine;
        }
        if is_private(ip) {
            return Way::Lan;
        }
        if let IpAddr::V6(v6) = ip {
            // Hosts of one link have the same 64 bits in front (RFC 4291 §2.5.4).
            let prefix = |it: [u16; 8]| [it[0], it[1], it[2], it[3]];
            let beside = own_hosts()
                .any(|own| matches!(own, IpAddr::V6(own) if prefix(own.segments()) == prefix(v6.segments())));
            return if beside { Way::Lan } else { Way::Ipv6 };
        }
        let told_as_host = self.theirs.iter().any(|(kind, it)| *kind == Kind::Host && it.ip() == ip);
        let theirs = kind != Kind::Host && !told_as_host;
        let outside = self.own.iter().filter(|it| it.kind == Kind::ServerReflexive);
        let shared = outside.map(|it| it.address.ip()).any(|own| own == ip);
        match (is_private(pair.base), theirs) {
            (true, true) if shared => Way::OneNat,
            (true, true) => Way::BothNats,
            (true, false) | (false, true) => Way::OneNat,
            (false, false) => Way::Open,
        }
    }

    fn because(&self, around: Circumstances<'_>) -> Because {
        let told_relays_only = !self.theirs.is_empty() && self.theirs.iter().all(|it| it.0 == Kind::Relay);
        let told = |kind| self.theirs.iter().any(|it| it.0 == kind);
        let public_host = |(kind, it): &(Kind, SocketAddr)| *kind == Kind::Host && !is_private(it.ip());
        // A relay may have been spoken to over a stream.
        let answered = |it: &Own| it.kind == Kind::ServerReflexive;
        if around.policy == Policy::RelayOnly {
            Because::RelayOnlyHere
        } else if told_relays_only {
            Because::RelayOnlyThere
        } else if around.asked && !self.own.iter().any(answered) {
            Because::UdpBlockedHere
        } else if !self.theirs.is_empty()
            && !told(Kind::ServerReflexive)
            && !self.theirs.iter().any(public_host)
        {
            Because::UdpBlockedThere
        } else {
            match (self.own_is_symmetric(), self.theirs_is_symmetric()) {
                (true, true) => Because::SymmetricBoth,
                (true, false) => Because::SymmetricHere,
                (false, true) => Because::SymmetricThere,
                (false, false) => Because::NoDirectPath,
            }
        }
    }

    /// Whether two servers saw one socket of ours at different ports.
    fn own_is_symmetric(&self) -> bool {
        let outside: Vec<_> = self.own.iter().filter(|it| it.kind == Kind::ServerReflexive).collect();
        outside.iter().any(|a| {
            outside
                .iter()
                .any(|b| a.base.is_some() && a.base == b.base && is_another_port(a.address, b.address))
        })
    }

    /// The same of theirs. They do not tell which address belongs to which socket, but a NAT that keeps its
    /// ports has no more of them than there are sockets.
    fn theirs_is_symmetric(&self) -> bool {
        let of = |kind| self.theirs.iter().filter(move |it| it.0 == kind && it.1.is_ipv4()).map(|it| it.1);
        let sockets = of(Kind::Host).count().max(1);
        of(Kind::ServerReflexive)
            .any(|one| 1 + of(Kind::ServerReflexive).filter(|it| is_another_port(*it, one)).count() > sockets)
    }
}

fn is_another_port(one: SocketAddr, other: SocketAddr) -> bool {
    one.ip() == other.ip() && one.port() != other.port()
}

#[cfg(test)]
mod tests;
