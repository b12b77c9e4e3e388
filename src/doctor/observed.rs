//! What the probes saw: facts without an opinion. `nat` and `judge` say what they mean.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// All that was seen.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// The signaling server.
    pub signaling: Signaling,
    /// UDP over IPv4.
    pub v4: Family,
    /// UDP over IPv6.
    pub v6: Family,
    /// The server's relay, asked over UDP.
    pub relay_udp: Relay,
    /// The server's relay, asked over TCP.
    pub relay_tcp: Relay,
    /// The server's relay, asked over TLS.
    pub relay_tls: Relay,
    /// What a path carries in one packet.
    pub packet: Packet,
    /// Multicast on the local network.
    pub multicast: Multicast,
    /// Whether a rendezvous can be opened on this machine.
    pub rendezvous: bool,
    /// How many files this process may have open; `None` where that is not known.
    pub open_files: Option<u64>,
    /// Bytes of receive buffer that a UDP socket was granted; `None` where that is not known.
    pub udp_buffer: Option<usize>,
}

/// What became of a visit to the signaling server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Signaling {
    /// No server is configured.
    #[default]
    NotConfigured,
    /// It could not be used.
    Failed {
        /// What went wrong, in words of `error`.
        sentence: String,
        /// What to do about it, in the same words.
        hint: Option<String>,
    },
    /// A room was opened there and joined.
    Works(Visit),
}

/// A room that was opened with itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// From a name to an open WebSocket.
    pub connected: Duration,
    /// From there to a room.
    pub room: Duration,
    /// Whether TLS protects the way there.
    pub tls: bool,
    /// The proxy on the way, without its credentials.
    pub proxy: Option<String>,
    /// Where the server is.
    pub place: Place,
    /// Seconds that the server's clock is ahead of ours, if it told its time.
    pub ahead: Option<i64>,
}

/// Where a server is, seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    Here,
    /// In a network that the internet has no way into (RFC 1918, RFC 4193, RFC 6598, link-local).
    Private,
    /// Anywhere else.
    Public,
}

/// What was seen of one address family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Family {
    /// The address that packets to the internet would have, before any NAT.
    pub local: Option<IpAddr>,
    /// What STUN servers said, all asked from one socket.
    pub bindings: Vec<Binding>,
    /// Who may answer, behind what is on the way.
    pub filtering: Filtering,
    /// Whether a packet to our own public address came back; `None` when that was not tried.
    pub hairpin: Option<bool>,
}

impl Family {
    /// The quickest answer of a STUN server.
    pub fn quickest(&self) -> Option<Answer> {
        self.bindings.iter().filter_map(|it| it.answer).min_by_key(|it| it.after)
    }
}

/// A STUN server that was asked, and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// Which.
    pub server: SocketAddr,
    /// What it said, in time.
    pub answer: Option<Answer>,
}

/// What a STUN server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The address that our packet came from.
    pub mapped: SocketAddr,
    /// The address that it left from.
    pub local: SocketAddr,
    /// How long it took.
    pub after: Duration,
}

/// Who may answer (RFC 4787 §5), as far as two ports of one address tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Filtering {
    /// No server offered to answer from another port.
    #[default]
    NotChecked,
    /// An answer from a port that had not been sent to came through.
    OtherPortsToo,
    /// It did not: only who was sent to may answer.
    OnlyWhoWasAsked,
}

/// What became of a request for a relayed address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Relay {
    /// The server offers none over this transport.
    #[default]
    NotOffered,
    /// Nothing came back in time.
    NoAnswer,
    /// It could not be reached, or not with its certificate.
    Unreachable,
    /// It refused, with this STUN error code.
    Refused(u16),
    /// What it said makes no sense.
    Nonsense,
    /// It gave a relayed address, which was given back.
    Works {
        /// From the first packet to that address.
        after: Duration,
    },
}

/// Packets of several sizes that may not be cut up on the way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packet {
    /// IP packets that were sent, in bytes; nothing when that cannot be done here.
    pub tried: Vec<u16>,
    /// The largest that was answered.
    pub largest: Option<u16>,
}

/// What became of a question to everybody on the local network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Multicast {
    /// Over IPv4.
    pub v4: Hearing,
    /// Over IPv6.
    pub v6: Hearing,
}

/// Whether a multicast packet of our own was heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Hearing {
    /// There is no network, or no socket to be had.
    #[default]
    NotPossible,
    /// It was sent and did not come back.
    Silent,
    /// It came back.
    Heard,
}
