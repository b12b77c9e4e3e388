//! The allocations: who relays under which number, and to whom. One packet in, at most one packet out.
//!
//! A relayed transport address is an address of the server with a port that is a key of this table, and nothing else: no
//! socket is bound to it. What one client sends to such an address is given to the client of that allocation, and
//! there is no other place that it could go.
//!
//! Pure: the time and the secret are arguments, and there is no socket in sight. Invariants:
//! - A packet leaves towards the client that just asked something, or towards another client of the same room that
//!   has said that it will hear the first. There is no third kind.
//! - Who has proved nothing gets answers only, at most half as many bytes again as it sent (counted with the headers of IP and
//!   UDP), and so many a minute for each source.
//! - Memory is bounded by [`RelayPolicy`].

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rtc_stun::attributes::{ATTR_MESSAGE_INTEGRITY, ATTR_NONCE, ATTR_REALM, ATTR_USERNAME, AttrType};
use rtc_stun::message::{
    METHOD_ALLOCATE, METHOD_BINDING, METHOD_CHANNEL_BIND, METHOD_CREATE_PERMISSION, METHOD_REFRESH,
};

use crate::server::limits::Source;
use crate::server::relay::credentials::{Credentials, Minted};
use crate::server::relay::message::{Reply, Request, Transaction};
use crate::server::relay::policy::RelayPolicy;
use crate::server::relay::quota::{Accounts, Replies};
use crate::server::relay::stranger::Pass;

/// Numbers of relayed addresses: the dynamic ports (RFC 8656 §7.2).
pub(super) const FIRST_PORT: u16 = 49152;

/// Most addresses of the server that are remembered. A machine has few; a routed prefix has any number.
const MOST_ADDRESSES: usize = 64;

/// The 5-tuple of RFC 8656 §3.2: the table's name for a client, and where its packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Client {
    /// Its address.
    pub peer: SocketAddr,
    /// The address of ours that it speaks to.
    pub local: SocketAddr,
    /// Over which connection it comes; `None` for UDP.
    pub stream: Option<u64>,
}

/// The table.
pub struct Table {
    pub(super) policy: RelayPolicy,
    pub(super) credentials: Credentials,
    pub(super) allocations: HashMap<u16, Allocation>,
    pub(super) clients: HashMap<Client, u16>,
    pub(super) accounts: Accounts,
    sources: HashMap<Source, usize>,
    pub(super) replies: Replies,
    /// Addresses by which clients with credentials came.
    pub(super) addresses: Vec<IpAddr>,
    /// The two ports of ours for UDP, if there are two.
    pub(super) ports: Option<(u16, u16)>,
    /// Ports that stand for something else.
    reserved: Vec<u16>,
    pub(super) drawn: u64,
}

/// A relayed address and what came of it.
pub(super) struct Allocation {
    pub(super) client: Client,
    pub(super) relayed: SocketAddr,
    pub(super) room: u64,
    pub(super) username: String,
    /// Of the request that began it.
    pub(super) transaction: Transaction,
    pub(super) begun: Instant,
    pub(super) expires: Instant,
    /// Those whom the client wants to hear: others of its room, so fewer than the room may have.
    pub(super) peers: Vec<Peer>,
}

/// What an allocation thinks of another.
pub(super) struct Peer {
    /// The other's key.
    pub(super) port: u16,
    /// What this client calls it.
    pub(super) address: SocketAddr,
    pub(super) permitted: Instant,
    pub(super) channel: Option<Channel>,
}

/// A short name for a peer (RFC 8656 §12).
#[derive(Clone, Copy)]
pub(super) struct Channel {
    pub(super) number: u16,
    pub(super) until: Instant,
}

impl Peer {
    /// Whether the client wants to hear it. A channel is taken for a permission, too: `rtc-turn` 0.21 renews the
    /// permissions of all peers in one request, which one peer that is gone makes fail for all.
    pub(super) fn is_permitted(&self, now: Instant) -> bool {
        now < self.permitted || self.channel(now).is_some()
    }

    /// The channel, if it is bound.
    pub(super) fn channel(&self, now: Instant) -> Option<u16> {
        self.channel.filter(|it| now < it.until).map(|it| it.number)
    }
}

/// An answer, or the number of an error.
pub(super) type Answer = Result<Reply, Reply>;

impl Table {
    /// An empty table, with 32 random bytes. `ports` are the ones at which UDP comes in, `reserved` those that must not
    /// name an allocation.
    pub fn new(
        policy: RelayPolicy,
        secret: [u8; 32],
        now: Instant,
        ports: Option<(u16, u16)>,
        reserved: Vec<u16>,
    ) -> Self {
        Self {
            policy,
            credentials: Credentials::new(secret, now),
            allocations: HashMap::new(),
            clients: HashMap::new(),
            accounts: Accounts::default(),
            sources: HashMap::new(),
            replies: Replies::default(),
            addresses: Vec::new(),
            ports,
            reserved,
            drawn: 0,
        }
    }

    /// Credentials for the two seats of a room that nobody else has.
    pub(super) fn mint(&self, now: Instant, room: u64) -> [Minted; 2] {
        [0, 1].map(|seat| self.credentials.mint(now, self.policy.credential, room, seat))
    }

    /// Takes one packet: a STUN message, or ChannelData. Appends what is to be sent because of it to `out`, and returns to
    /// whom; otherwise leaves `out` as it is.
    pub fn handle(&mut self, now: Instant, from: Client, packet: &[u8], out: &mut Vec<u8>) -> Option<Client> {
        match packet {
            // RFC 8656 §12.4: the first bits of a channel's number; RFC 8489 §5: of a message.
            [0x40..=0x4f, ..] => self.take_channel_data(now, from, packet, out),
            [0x00, 0x16, ..] => self.take_indication(now, from, packet, out),
            [0x00..=0x3f, ..] => self.take_request(now, from, packet, out),
            _ => None,
        }
    }

    /// Whether this client has an allocation.
    pub fn has(&self, now: Instant, client: &Client) -> bool {
        self.clients
            .get(client)
            .and_then(|port| self.allocations.get(port))
            .is_some_and(|it| now < it.expires)
    }

    /// Ends what a client has whose connection ended (RFC 8656 §3.1).
    pub fn leave(&mut self, client: &Client) {
        if let Some(port) = self.clients.get(client).copied() {
            self.remove(port);
        }
    }

    /// Forgets what is over.
    pub fn sweep(&mut self, now: Instant) {
        let late = self.allocations.iter().filter(|(_, it)| it.expires <= now).map(|(port, _)| *port);
        for port in late.collect::<Vec<_>>() {
            self.remove(port);
        }
        self.accounts.sweep(now);
    }

    fn take_request(
        &mut self,
        now: Instant,
        from: Client,
        packet: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Client> {
        let mut request = Request::parse(packet)?;
        let method = request.method();
        if method == METHOD_BINDING {
            let (reply, to) = self.bind(from, &request);
            return self.answer_stranger(now, from, &request, reply, out).then_some(to);
        }
        if ![METHOD_ALLOCATE, METHOD_REFRESH, METHOD_CREATE_PERMISSION, METHOD_CHANNEL_BIND].contains(&method)
        {
            return None;
        }
        let (pass, key) = match self.authenticate(now, from, &mut request) {
            Ok(proved) => proved,
            Err(refusal) => return self.answer_stranger(now, from, &request, refusal, out).then_some(from),
        };
        let answer = match method {
            METHOD_ALLOCATE => self.allocate(now, from, &request, pass),
            METHOD_REFRESH => self.refresh(now, from, &request, &pass),
            METHOD_CREATE_PERMISSION => self.permit(now, from, &request, &pass),
            _ => self.bind_channel(now, from, &request, &pass),
        };
        let (Ok(reply) | Err(reply)) = answer;
        out.extend_from_slice(&reply.finish(Some(&key))?);
        Some(from)
    }

    /// An error unless all that must be understood is.
    pub(super) fn understand(request: &Request, known: &[AttrType]) -> Result<(), Reply> {
        let always = [ATTR_USERNAME, ATTR_REALM, ATTR_NONCE, ATTR_MESSAGE_INTEGRITY];
        let unknown = request.unknown(&[&always, known].concat());
        if unknown.is_empty() { Ok(()) } else { Err(request.error_unknown(&unknown)) }
    }

    /// The allocation that a request is about.
    ///
    /// # Errors
    /// 437 when there is none, 441 when it is another's.
    pub(super) fn allocation_of(
        &mut self,
        now: Instant,
        from: Client,
        request: &Request,
        pass: &Pass,
    ) -> Result<(u16, &mut Allocation), Reply> {
        let port = self.clients.get(&from).copied().unwrap_or(0);
        match self.allocations.get_mut(&port).filter(|it| now < it.expires) {
            None => Err(request.error(437)),
            Some(allocation) if allocation.username != pass.username => Err(request.error(441)),
            Some(allocation) => Ok((port, allocation)),
        }
    }

    /// Takes a number for an allocation of this client, and all that counts against it.
    ///
    /// # Errors
    /// 486 past a quota, 508 without a free number.
    pub(super) fn take_port(&mut self, now: Instant, from: Client, pass: &Pass) -> Result<u16, u16> {
        /// With an eighth of the numbers taken, as many failures in a row do not happen.
        const DRAWS: u32 = 64;
        let source = Source::from(from.peer.ip());
        let held = self.sources.get(&source).copied().unwrap_or(0);
        let factor = if source == Source::Loopback { self.policy.loopback_factor as usize } else { 1 };
        if self.allocations.len() >= self.policy.allocations
            || held >= self.policy.allocations_per_source.saturating_mul(factor)
        {
            return Err(486);
        }
        let free = (0..DRAWS).find_map(|_| {
            self.drawn = self.drawn.wrapping_add(1);
            let [.., high, low] = self.credentials.number(self.drawn).to_be_bytes();
            let port = FIRST_PORT | u16::from_be_bytes([high, low]);
            (!self.allocations.contains_key(&port) && !self.reserved.contains(&port)).then_some(port)
        });
        let port = free.ok_or(508u16)?;
        if !self.accounts.begin(now, pass.room, pass.until, &self.policy) {
            return Err(486);
        }
        *self.sources.entry(source).or_insert(0) += 1;
        Ok(port)
    }

    /// Ends an allocation, and what others think of it.
    pub(super) fn remove(&mut self, port: u16) {
        let Some(gone) = self.allocations.remove(&port) else { return };
        self.clients.remove(&gone.client);
        self.accounts.end(gone.room);
        let source = Source::from(gone.client.peer.ip());
        if let Some(held) = self.sources.get_mut(&source) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.sources.remove(&source);
            }
        }
        // Whoever thinks of it is somebody of whom it can think: a short list, but for one that it never heard of.
        for other in self.allocations.values_mut().filter(|it| it.room == gone.room) {
            other.peers.retain(|it| it.port != port);
        }
    }

    /// Notes an address of the server.
    pub(super) fn learn_address(&mut self, address: IpAddr) {
        if self.addresses.len() < MOST_ADDRESSES && !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
    }

    /// Rows of every table, for tests of their bounds: allocations, clients, accounts, sources, strangers.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> [usize; 5] {
        let (accounts, strangers) = (self.accounts.len(), self.replies.len());
        [self.allocations.len(), self.clients.len(), accounts, self.sources.len(), strangers]
    }
}

/// `now` and so much later, but not past `end`.
pub(super) fn until(now: Instant, lifetime: Duration, end: Instant) -> Instant {
    (now + lifetime).min(end)
}
