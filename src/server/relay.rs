//! STUN and TURN for the peers of this server's rooms, and for nobody else.
//!
//! A closed relay: what it carries goes from one allocation to another of the same room, in memory. No socket is ever
//! bound to a relayed address, so there is nothing outside that it could be used to reach.
//!
//! ```text
//!  udp     two ports: datagrams in, datagrams out ----+
//!  stream  TURN over TCP or TLS: frames in, out ------+-> table: one packet in, at most one out
//!  desk    asks for credentials when two have met ----+      credentials, message, quota: what it is made of
//! ```
//!
//! Invariants: the lock is never held across an await; queues are bounded, and what does not fit is dropped, as on any
//! path of datagrams.

pub mod policy;
pub mod table;

mod binding;
mod credentials;
mod data;
mod message;
mod outgoing;
mod quota;
mod requests;
mod stranger;
mod stream;
mod udp;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::task::JoinSet;

use crate::server::relay::outgoing::Outboxes;
use crate::server::relay::policy::RelayPolicy;
use crate::server::relay::table::Table;
use crate::server::relay::udp::Socket;
use crate::wire::signaling::IceServer;

pub(super) use crate::server::relay::stream::serve_stream;

/// What stands in a URL for the host by which a client reached this server: the server cannot know its names.
const THIS_HOST: &str = "_";

/// How a server relays.
#[derive(Debug, Clone, Default)]
pub struct RelayConfig {
    /// What it gives.
    pub policy: RelayPolicy,
    /// The second port for UDP, by which clients see what their NAT does; the one after the first when `None`.
    pub second_port: Option<u16>,
    /// The host that clients are told; when `None`, the one by which they came.
    pub public_host: Option<String>,
    /// Whether the listener speaks TLS, so that clients are told of `turns:`.
    pub tls: bool,
}

/// The relay of a running server.
pub(super) struct Relay {
    table: Mutex<Table>,
    sockets: Vec<Socket>,
    outboxes: Outboxes,
    stun: Vec<String>,
    turn: Vec<String>,
}

impl Relay {
    /// A relay beside a listener at `address`. A port for UDP that is taken is gone without.
    ///
    /// `None` without randomness.
    pub(super) fn open(config: RelayConfig, address: SocketAddr, now: Instant) -> Option<Arc<Self>> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).ok()?;
        let second = config.second_port.or(address.port().checked_add(1));
        let ports = [Some(address.port()), second.filter(|it| *it != address.port())];
        let sockets: Vec<Socket> =
            ports.into_iter().flatten().filter_map(|port| open(address, port)).collect();
        let bound: Vec<u16> = sockets.iter().map(|it| it.local().port()).collect();
        let host = config.public_host.as_deref().unwrap_or(THIS_HOST);
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let stun = bound.iter().map(|port| format!("stun:{host}:{port}")).collect();
        let port = address.port();
        let over = |scheme: &str, transport| format!("{scheme}:{host}:{port}?transport={transport}");
        let by_udp = bound.contains(&port).then(|| over("turn", "udp"));
        let by_tls = config.tls.then(|| over("turns", "tcp"));
        let turn = by_udp.into_iter().chain([over("turn", "tcp")]).chain(by_tls).collect();
        let pair = match bound[..] {
            [first, second] => Some((first, second)),
            _ => None,
        };
        let reserved = [&bound[..], &[port]].concat();
        let mut table = Table::new(config.policy, secret, now, pair, reserved);
        addresses_of(address.ip()).into_iter().for_each(|it| table.learn_address(it));
        let table = Mutex::new(table);
        Some(Arc::new(Self { table, sockets, outboxes: Outboxes::default(), stun, turn }))
    }

    /// What a peer may use before it has met another.
    pub(super) fn servers(&self) -> Vec<IceServer> {
        let stun = IceServer { urls: self.stun.clone(), username: None, credential: None };
        Some(stun).filter(|it| !it.urls.is_empty()).into_iter().collect()
    }

    /// What two peers that met may use, each with credentials of its own; `None` without randomness.
    pub(super) fn servers_for_two(&self, now: Instant) -> Option<[Vec<IceServer>; 2]> {
        let room = getrandom::u64().ok()?;
        let minted = self.table().mint(now, room);
        Some(minted.map(|it| {
            let (username, credential) = (Some(it.username), Some(it.password));
            let turn = IceServer { urls: self.turn.clone(), username, credential };
            self.servers().into_iter().chain([turn]).collect()
        }))
    }

    /// Ends what is over.
    pub(super) fn sweep(&self, now: Instant) {
        self.table().sweep(now);
    }

    /// Serves what comes by UDP, for ever.
    pub(super) async fn serve(self: Arc<Self>) {
        let mut ports = JoinSet::new();
        for index in 0..self.sockets.len() {
            ports.spawn(udp::serve(Arc::clone(&self), index));
        }
        while ports.join_next().await.is_some() {}
        std::future::pending().await
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // A panic under the lock cannot leave it half changed in a way that matters: what one table names and another
        // does not have is looked up and not found.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The addresses by which others come to a listener.
fn addresses_of(listener: IpAddr) -> Vec<IpAddr> {
    if !listener.is_unspecified() {
        return vec![listener.to_canonical()];
    }
    let all = if_addrs::get_if_addrs().unwrap_or_default().into_iter();
    all.filter(|it| !it.is_loopback() && !it.is_link_local()).map(|it| it.ip()).collect()
}

fn open(address: SocketAddr, port: u16) -> Option<Socket> {
    let opened = Socket::bind(SocketAddr::new(address.ip(), port));
    opened.inspect_err(|error| log::warn!("no STUN and TURN at UDP port {port}: {error}")).ok()
}

#[cfg(test)]
mod tests;
