//! The four requests of TURN (RFC 8656 §7 to §12), of clients that have proved who they are.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rtc_stun::attributes::{
    ATTR_CHANNEL_NUMBER, ATTR_EVEN_PORT, ATTR_LIFETIME, ATTR_REQUESTED_ADDRESS_FAMILY,
    ATTR_REQUESTED_TRANSPORT, ATTR_RESERVATION_TOKEN, ATTR_XOR_PEER_ADDRESS, ATTR_XOR_RELAYED_ADDRESS,
    ATTR_XORMAPPED_ADDRESS,
};

use crate::server::relay::message::{Reply, Request, unmasked};
use crate::server::relay::stranger::Pass;
use crate::server::relay::table::{Allocation, Answer, Channel, Client, Peer, Table, until};

/// An allocation's life when nothing is asked for (RFC 8656 §3.2), and the longest that is given at once (§7.2).
const LIFETIME: Duration = Duration::from_secs(600);
const LONGEST_LIFETIME: Duration = Duration::from_secs(3600);

/// An allocation really lives so much longer than is said: a client that comes a moment late is heard.
const GRACE: Duration = Duration::from_secs(60);

/// RFC 8656 §9 and §12.
const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);

/// RFC 8656 §12: 0x4000 to 0x4FFF.
const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x4fff;

/// UDP's number in IP, the one transport that can be asked for (RFC 8656 §18.8).
const UDP: u8 = 17;

impl Table {
    /// RFC 8656 §7.2.
    pub(super) fn allocate(&mut self, now: Instant, from: Client, request: &Request, pass: Pass) -> Answer {
        if let Some(port) = self.clients.get(&from).copied() {
            match self.allocations.get(&port) {
                Some(it) if now < it.expires && it.transaction == request.transaction() => {
                    return Ok(Self::allocated(now, request, it));
                }
                Some(it) if now < it.expires => return Err(request.error(437)),
                _ => self.remove(port),
            }
        }
        let known = [
            ATTR_REQUESTED_TRANSPORT,
            ATTR_LIFETIME,
            ATTR_EVEN_PORT,
            ATTR_RESERVATION_TOKEN,
            ATTR_REQUESTED_ADDRESS_FAMILY,
        ];
        Self::understand(request, &known)?;
        let [even, reserved, family] =
            [ATTR_EVEN_PORT, ATTR_RESERVATION_TOKEN, ATTR_REQUESTED_ADDRESS_FAMILY]
                .map(|kind| request.attribute(kind));
        match request.attribute(ATTR_REQUESTED_TRANSPORT) {
            Some([UDP, _, _, _]) => {}
            Some([_, _, _, _]) => return Err(request.error(442)),
            Some(_) | None => return Err(request.error(400)),
        }
        if reserved.is_some() && (even.is_some() || family.is_some()) {
            return Err(request.error(400));
        }
        // A port here is a key: there are no pairs of them for RTP to want, and none is set aside.
        if reserved.is_some() || even.is_some() {
            return Err(request.error(508));
        }
        let asked = lifetime(request)?.unwrap_or(LIFETIME).clamp(LIFETIME, LONGEST_LIFETIME);
        let address = self.address_for(from, family).ok_or_else(|| request.error(440))?;
        let port = self.take_port(now, from, &pass).map_err(|code| request.error(code))?;
        self.learn_address(from.local.ip());
        let expires = until(now, asked + GRACE, now + self.policy.longest);
        let allocation = Allocation {
            client: from,
            relayed: SocketAddr::new(address, port),
            room: pass.room,
            username: pass.username,
            transaction: request.transaction(),
            begun: now,
            expires,
            peers: Vec::new(),
        };
        let reply = Self::allocated(now, request, &allocation);
        self.clients.insert(from, port);
        self.allocations.insert(port, allocation);
        Ok(reply)
    }

    fn allocated(now: Instant, request: &Request, allocation: &Allocation) -> Reply {
        let reply = request.success().with_address(ATTR_XOR_RELAYED_ADDRESS, allocation.relayed);
        let reply = reply.with(ATTR_LIFETIME, &said_lifetime(now, allocation));
        reply.with_address(ATTR_XORMAPPED_ADDRESS, allocation.client.peer)
    }

    /// The address that an allocation is told: the one by which the client came, or one by which others can. Who does not
    /// say which family gets IPv4 (RFC 8656 §7.2), so that a client with IPv6 only has a peer with IPv4 only.
    fn address_for(&self, from: Client, family: Option<&[u8]>) -> Option<IpAddr> {
        let own = from.local.ip();
        let wants_v4 = match family {
            None | Some([1, _, _, _]) => true,
            Some([2, _, _, _]) => false,
            Some(_) => return None,
        };
        let others = self.addresses.iter().filter(|it| it.is_loopback() == own.is_loopback());
        let fits = std::iter::once(&own).chain(others).find(|it| it.is_ipv4() == wants_v4).copied();
        fits.or(family.is_none().then_some(own))
    }

    /// RFC 8656 §8.2.
    pub(super) fn refresh(&mut self, now: Instant, from: Client, request: &Request, pass: &Pass) -> Answer {
        let longest = self.policy.longest;
        let (port, allocation) = self.allocation_of(now, from, request, pass)?;
        Self::understand(request, &[ATTR_LIFETIME, ATTR_REQUESTED_ADDRESS_FAMILY])?;
        let family: u8 = if allocation.relayed.is_ipv4() { 1 } else { 2 };
        if request.attribute(ATTR_REQUESTED_ADDRESS_FAMILY).is_some_and(|it| it.first() != Some(&family)) {
            return Err(request.error(443));
        }
        let asked = lifetime(request)?;
        if asked == Some(Duration::ZERO) {
            self.remove(port);
            return Ok(request.success().with(ATTR_LIFETIME, &[0; 4]));
        }
        let asked = asked.unwrap_or(LIFETIME).clamp(LIFETIME, LONGEST_LIFETIME);
        allocation.expires = until(now, asked + GRACE, allocation.begun + longest);
        Ok(request.success().with(ATTR_LIFETIME, &said_lifetime(now, allocation)))
    }

    /// RFC 8656 §10.2.
    pub(super) fn permit(&mut self, now: Instant, from: Client, request: &Request, pass: &Pass) -> Answer {
        let (port, _) = self.allocation_of(now, from, request, pass)?;
        Self::understand(request, &[ATTR_XOR_PEER_ADDRESS])?;
        let mut peers = Vec::new();
        for value in request.attributes(ATTR_XOR_PEER_ADDRESS) {
            let address = unmasked(value, &request.transaction()).ok_or_else(|| request.error(400))?;
            if !self.may_reach(now, port, address) {
                return Err(request.error(403));
            }
            peers.push(address);
        }
        if peers.is_empty() {
            return Err(request.error(400));
        }
        let (_, allocation) = self.allocation_of(now, from, request, pass)?;
        for address in peers {
            allocation.peer(now, address).permitted = now + PERMISSION_LIFETIME;
        }
        Ok(request.success())
    }

    /// RFC 8656 §12.2.
    pub(super) fn bind_channel(
        &mut self,
        now: Instant,
        from: Client,
        request: &Request,
        pass: &Pass,
    ) -> Answer {
        let (port, _) = self.allocation_of(now, from, request, pass)?;
        Self::understand(request, &[ATTR_CHANNEL_NUMBER, ATTR_XOR_PEER_ADDRESS])?;
        let malformed = || request.error(400);
        let number = match request.attribute(ATTR_CHANNEL_NUMBER) {
            Some([high, low, _, _]) => u16::from_be_bytes([*high, *low]),
            _ => return Err(malformed()),
        };
        let address = request.attribute(ATTR_XOR_PEER_ADDRESS);
        let address = address.and_then(|it| unmasked(it, &request.transaction())).ok_or_else(malformed)?;
        if !CHANNELS.contains(&number) {
            return Err(malformed());
        }
        if !self.may_reach(now, port, address) {
            return Err(request.error(403));
        }
        let (_, allocation) = self.allocation_of(now, from, request, pass)?;
        let other = |it: &Peer| match it.channel(now) {
            Some(bound) => (bound == number) != (it.port == address.port()),
            None => false,
        };
        if allocation.peers.iter().any(other) {
            return Err(malformed());
        }
        let peer = allocation.peer(now, address);
        peer.permitted = now + PERMISSION_LIFETIME;
        peer.channel = Some(Channel { number, until: now + CHANNEL_LIFETIME });
        Ok(request.success())
    }

    /// Whether the client of the allocation `from` may speak of `address`: the key of another allocation of its room, at
    /// an address by which clients come here. All the world else is forbidden.
    pub(super) fn may_reach(&self, now: Instant, from: u16, address: SocketAddr) -> bool {
        let room = self.allocations.get(&from).map(|it| it.room);
        let target = self.allocations.get(&address.port()).filter(|it| now < it.expires);
        address.port() != from
            && target.is_some_and(|target| {
                let ours = target.relayed.ip() == address.ip() || self.addresses.contains(&address.ip());
                Some(target.room) == room && ours
            })
    }
}

impl Allocation {
    /// What it thinks of a peer that it may reach.
    fn peer(&mut self, now: Instant, address: SocketAddr) -> &mut Peer {
        let at = self.peers.iter().position(|it| it.port == address.port());
        let at = at.unwrap_or_else(|| {
            self.peers.push(Peer { port: address.port(), address, permitted: now, channel: None });
            self.peers.len() - 1
        });
        let peer = &mut self.peers[at];
        peer.address = address;
        peer
    }
}

/// What a request asks for.
fn lifetime(request: &Request) -> Result<Option<Duration>, Reply> {
    let value = request.attribute(ATTR_LIFETIME).map(<[u8; 4]>::try_from).transpose();
    let value = value.map_err(|_| request.error(400))?;
    Ok(value.map(|it| Duration::from_secs(u32::from_be_bytes(it).into())))
}

/// What an allocation has left, less the grace.
fn said_lifetime(now: Instant, allocation: &Allocation) -> [u8; 4] {
    let left = allocation.expires.saturating_duration_since(now).saturating_sub(GRACE);
    u32::try_from(left.as_secs()).unwrap_or(u32::MAX).to_be_bytes()
}
