//! ICE candidates as text (RFC 8839 §5.1): which of the peer's are looked at, and what is told of ours.
//!
//! A candidate is an order to send packets somewhere, from a stranger until the lane is bound. So few are taken,
//! each address once, and none at which no other machine can be; and what goes on to ICE is written
//! anew from what was understood. Of ours no more is told than the address itself.

use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use webrtc::peer_connection::{RTCIceCandidate, RTCIceCandidateInit, RTCIceCandidateType};

use crate::transport::grounds::{Grounds, Policy, Reach};
use crate::wire::address::{is_of_one_machine, unwrapped};

/// Addresses of a peer that ICE checks; more than any honest machine has.
pub(super) const MAX_REMOTE: usize = 32;

/// Texts from a peer that are read at all.
const MAX_READ: usize = 256;

/// Longest text that is read, in bytes. A candidate with all it may have is a tenth of it.
const MAX_TEXT_BYTES: usize = 2048;

/// Longest foundation (RFC 8839 §5.1).
const MAX_FOUNDATION: usize = 32;

/// What stands in place of the address that a candidate was derived from. It is nobody's business, and browsers
/// write the same (RFC 8828 §5, draft-ietf-mmusic-mdns-ice-candidates §3.3).
const NO_BASE: (&str, u16) = ("0.0.0.0", 9);

/// Where an address was learnt (RFC 8445 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// On an interface.
    Host,
    /// From a STUN server: outside of a NAT.
    ServerReflexive,
    /// From a check that came from it.
    PeerReflexive,
    /// On a relay.
    Relay,
}

impl Kind {
    pub(super) fn of(kind: RTCIceCandidateType) -> Option<Self> {
        match kind {
            RTCIceCandidateType::Host => Some(Self::Host),
            RTCIceCandidateType::Srflx => Some(Self::ServerReflexive),
            RTCIceCandidateType::Prflx => Some(Self::PeerReflexive),
            RTCIceCandidateType::Relay => Some(Self::Relay),
            _ => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "host" => Some(Self::Host),
            "srflx" => Some(Self::ServerReflexive),
            "prflx" => Some(Self::PeerReflexive),
            "relay" => Some(Self::Relay),
            _ => None,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relay => "relay",
        }
    }
}

/// A candidate over UDP, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) kind: Kind,
    pub(super) address: SocketAddr,
    foundation: String,
    priority: u32,
}

impl Candidate {
    fn parse(line: &str) -> Option<Self> {
        let line = line.strip_prefix("candidate:").unwrap_or(line);
        let mut words = line.split_ascii_whitespace();
        let foundation = words.next()?;
        let legal = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/');
        if foundation.len() > MAX_FOUNDATION || !foundation.bytes().all(legal) {
            return None;
        }
        let (component, transport) = (words.next()?, words.next()?);
        let priority = words.next()?.parse().ok()?;
        let (ip, port) = (words.next()?.parse::<IpAddr>().ok()?, words.next()?.parse().ok()?);
        let (typ, kind) = (words.next()?, Kind::parse(words.next()?)?);
        if component != "1" || !transport.eq_ignore_ascii_case("udp") || typ != "typ" || port == 0 {
            return None;
        }
        // A mapped address is one of IPv4; sockets of IPv6 must not be asked to reach it.
        let ip = ip.to_canonical();
        Some(Self { kind, address: (ip, port).into(), foundation: foundation.to_owned(), priority })
    }

    /// One of ours; `None` for what nobody can dial.
    pub(super) fn ours(candidate: &RTCIceCandidate) -> Option<Self> {
        let ip: IpAddr = candidate.address.parse().ok()?;
        let kind = Kind::of(candidate.typ)?;
        if ip.is_unspecified() || candidate.port == 0 {
            return None; // A wildcard socket without an interface behind it.
        }
        let address = (ip, candidate.port).into();
        Some(Self { kind, address, foundation: candidate.foundation.clone(), priority: candidate.priority })
    }

    /// As the library takes it, and as it is told to the peer.
    pub(super) fn init(&self) -> RTCIceCandidateInit {
        RTCIceCandidateInit {
            candidate: self.to_string(),
            // The one section's index is enough.
            sdp_mid: None,
            sdp_mline_index: Some(0),
            username_fragment: None,
            url: None,
        }
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, address, foundation, priority } = self;
        let (ip, port, kind) = (address.ip(), address.port(), kind.text());
        write!(f, "candidate:{foundation} 1 udp {priority} {ip} {port} typ {kind}")?;
        match self.kind {
            Kind::Host => Ok(()),
            Kind::ServerReflexive | Kind::PeerReflexive | Kind::Relay => {
                write!(f, " raddr {} rport {}", NO_BASE.0, NO_BASE.1)
            }
        }
    }
}

/// What may be told of ours: with [`Policy::RelayOnly`] only what a relay gave us.
pub(super) fn may_be_told(candidate: &Candidate, policy: Policy) -> bool {
    match policy {
        Policy::RelayOnly => candidate.kind == Kind::Relay,
        Policy::DirectOnly => candidate.kind != Kind::Relay,
        Policy::Any => true,
    }
}

/// What a peer told of itself, and what of it is to be checked.
#[derive(Debug)]
pub(super) struct Screen {
    reach: Reach,
    policy: Policy,
    /// Where our own relays are, wherever that is.
    relays: Vec<IpAddr>,
    read: usize,
    passed: HashSet<SocketAddr>,
}

impl Screen {
    pub(super) fn new(reach: Reach, policy: Policy) -> Self {
        Self { reach, policy, relays: Vec::new(), read: 0, passed: HashSet::new() }
    }

    /// For a lane of these grounds.
    pub(super) fn of(grounds: &Grounds) -> Self {
        let relays = grounds.relay_names.iter().map(|(ip, _)| *ip).collect();
        Self { relays, ..Self::new(grounds.reach, grounds.policy) }
    }

    /// A candidate of the peer's, as the JSON of an `RTCIceCandidateInit`, if it is to be checked. One that is not is passed over,
    /// as RFC 8838 §8 asks.
    pub(super) fn take(&mut self, text: &str) -> Option<Candidate> {
        self.read += 1;
        if self.read > MAX_READ || text.len() > MAX_TEXT_BYTES {
            return None;
        }
        let init: RTCIceCandidateInit = serde_json::from_str(text).ok()?;
        let candidate = Candidate::parse(&init.candidate)?;
        if !self.may_be_checked(&candidate) || self.passed.len() >= MAX_REMOTE {
            return None;
        }
        self.passed.insert(candidate.address).then_some(candidate)
    }

    fn may_be_checked(&self, candidate: &Candidate) -> bool {
        let ip = candidate.address.ip();
        let kind = match self.policy {
            Policy::DirectOnly => candidate.kind != Kind::Relay,
            Policy::Any | Policy::RelayOnly => true,
        };
        // Where a relay of ours is on this machine, so are what it gives to others.
        let ours = candidate.kind == Kind::Relay && self.relays.contains(&ip);
        kind && (ours || may_be_sent_to(self.reach, ip))
    }
}

/// Whether a lane of such reach may ever send to an address that a peer told.
pub(super) fn may_be_sent_to(reach: Reach, ip: IpAddr) -> bool {
    match reach {
        Reach::SameHost => unwrapped(ip).is_loopback(),
        Reach::Everywhere => is_of_one_machine(ip),
    }
}

#[cfg(test)]
mod tests;
