//! Binding requests (RFC 8489): under which address a client is seen, and, as far as a server with one address can say
//! it, how its NAT behaves (RFC 5780).

use std::net::SocketAddr;

use rtc_stun::attributes::{
    ATTR_CHANGE_REQUEST, ATTR_MESSAGE_INTEGRITY, ATTR_OTHER_ADDRESS, ATTR_RESPONSE_ORIGIN, ATTR_USERNAME,
    ATTR_XORMAPPED_ADDRESS,
};

use crate::server::relay::message::{Reply, Request};
use crate::server::relay::stranger::fits;
use crate::server::relay::table::{Client, Table};

/// Bits of CHANGE-REQUEST (RFC 5780 §7.2).
const CHANGE_ADDRESS: u32 = 0x04;
const CHANGE_PORT: u32 = 0x02;

impl Table {
    /// The answer to a Binding request, and whom it goes to from where.
    pub(super) fn bind(&self, from: Client, request: &Request) -> (Reply, Client) {
        // PADDING and RESPONSE-PORT are not understood on purpose: they make answers long, and send them elsewhere.
        let known = [ATTR_CHANGE_REQUEST, ATTR_USERNAME, ATTR_MESSAGE_INTEGRITY];
        let unknown = request.unknown(&known);
        if !unknown.is_empty() {
            return (request.error_unknown(&unknown), from);
        }
        let other = self.other(from);
        let change = match request.attribute(ATTR_CHANGE_REQUEST).map(<[u8; 4]>::try_from) {
            None => 0,
            Some(Ok(bits)) => u32::from_be_bytes(bits),
            Some(Err(_)) => return (request.error(400), from),
        };
        let to = match (change & (CHANGE_ADDRESS | CHANGE_PORT), other) {
            (0, _) => from,
            (CHANGE_PORT, Some(other)) => Client { local: other, ..from },
            // §6.1: what cannot be changed is not understood.
            _ => return (request.error_unknown(&[ATTR_CHANGE_REQUEST]), from),
        };
        let mut reply = request.success().with_address(ATTR_XORMAPPED_ADDRESS, from.peer);
        // Both only where they are not too much: a client that wants them for sure pads its request.
        for (kind, address) in [(ATTR_OTHER_ADDRESS, other), (ATTR_RESPONSE_ORIGIN, other.map(|_| to.local))]
        {
            let Some(address) = address else { continue };
            let length = if address.is_ipv4() { 12 } else { 24 };
            if fits(from, request, reply.len() + length) {
                reply = reply.with_clear_address(kind, address);
            }
        }
        (reply, to)
    }

    /// The same address of ours with the other port.
    fn other(&self, from: Client) -> Option<SocketAddr> {
        let (first, second) = self.ports.filter(|_| from.stream.is_none())?;
        let port = if from.local.port() == first { second } else { first };
        Some(SocketAddr::new(from.local.ip(), port))
    }
}
