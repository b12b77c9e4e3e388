//! TURN over TCP and TLS, also through a proxy, for a library that speaks TURN over UDP only.
//!
//! ```text
//!  webrtc's TURN client            TunnelSocket              Pipe            a task
//!  datagram to 240.0.0.1:3478 ──► is it made up? ── yes ──► outbox ──► framed (RFC 8656 §3.3) ──► TCP, TLS, proxy
//!  datagram from 240.0.0.1:3478 ◄── as if received ◄────── inbox ◄── taken apart ◄──────────────┘
//!                                  no: the UDP socket
//! ```
//!
//! Each such server gets an address that we make up, and ICE is told of a TURN server over UDP there. What the library
//! sends to it is diverted before it comes to a socket, so the address is never on a wire. A tunnel that cannot be opened
//! costs nothing: its TURN client is told that sending fails, and gives up.
//!
//! Invariants: both queues are bounded in bytes. What the server sends is a stranger's: what is not TURN ends the tunnel.

mod carry;
mod framing;
mod pipe;
mod socket;
#[cfg(test)]
mod tests;
mod url;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::dial::{DialError, Dialer, Host};
use crate::transport::grounds::StreamRelay;
use crate::transport::tunnel::pipe::Pipe;
pub(super) use crate::transport::tunnel::socket::TunnelSocket;
use crate::transport::tunnel::url::StreamTurn;
use crate::wire::signaling::IceServer;

/// Most tunnels of one lane; a server over TCP and over TLS, and a few of one's own.
const MOST: usize = 8;

/// The port of every made-up address; any would do but 5353, which the library takes for mDNS.
const PORT: u16 = 3478;

/// The tunnels of one lane. Dropping it ends them, within [`carry::LINGER`].
#[derive(Debug, Default)]
pub(super) struct Tunnels {
    all: Vec<Arc<Pipe>>,
}

impl Tunnels {
    /// Starts a tunnel for each server in `servers` that is reached over TCP or TLS, and returns the list that ICE
    /// is to have: a made-up address in its place. Of `judged` servers no other addresses than theirs are dialled.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub(super) fn dig(
        servers: &[IceServer],
        judged: &[StreamRelay],
        dialer: &Dialer,
    ) -> (Self, Vec<IceServer>) {
        let mut tunnels = Self::default();
        let mut known: Vec<StreamTurn> = Vec::new();
        let servers = servers.iter().map(|server| {
            let urls = server.urls.iter().filter_map(|url| match StreamTurn::parse(url) {
                None => Some(url.clone()),
                Some(turn) if known.contains(&turn) || known.len() == MOST => None,
                Some(turn) => {
                    known.push(turn.clone());
                    let dialer = dialer.clone();
                    let addresses = judged.iter().find(|it| turn.is(it)).map(|it| it.addresses.clone());
                    let url = tunnels.add(turn.to_string(), async move {
                        let StreamTurn { host, port, tls } = &turn;
                        match addresses {
                            Some(addresses) => dialer.dial_judged(host, *port, *tls, &addresses).await,
                            None => dialer.dial(host, *port, *tls).await,
                        }
                    });
                    Some(url)
                }
            });
            let urls = urls.collect();
            IceServer { urls, username: server.username.clone(), credential: server.credential.clone() }
        });
        let servers = servers.collect();
        (tunnels, servers)
    }

    /// One more, through what `opening` gives; returns the URL for ICE.
    fn add(
        &mut self,
        server: String,
        opening: impl Future<Output = Result<crate::dial::BoxStream, DialError>> + Send + 'static,
    ) -> String {
        let pipe = Arc::new(Pipe::default());
        let number = self.all.len();
        // It ends by itself, soon after the pipe's other end is dropped with this.
        tokio::spawn(carry::run(server, Arc::clone(&pipe), opening));
        self.all.push(pipe);
        format!("turn:{}?transport=udp", address_v4(number))
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn to(&self, address: SocketAddr) -> Option<&Pipe> {
        self.all.get(number(address)?).map(|it| &**it)
    }
}

impl Drop for Tunnels {
    fn drop(&mut self) {
        self.all.iter().for_each(|it| it.end());
    }
}

/// 240.0.0.0/4 is nobody's (RFC 1112 §4), so that no real server is hidden.
fn address_v4(number: usize) -> SocketAddr {
    let last = u8::try_from(number + 1).unwrap_or(u8::MAX);
    (Ipv4Addr::new(240, 0, 0, last), PORT).into()
}

/// 100::/64 leads nowhere (RFC 6666).
fn address_v6(number: usize) -> SocketAddr {
    let last = u16::try_from(number + 1).unwrap_or(u16::MAX);
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, last), PORT).into()
}

fn number(address: SocketAddr) -> Option<usize> {
    (0..MOST).find(|number| [address_v4(*number), address_v6(*number)].contains(&address))
}

/// Both made-up addresses of a tunnel, given the one of them: a machine may have sockets of one family only.
pub(super) fn both_addresses(address: SocketAddr) -> Vec<SocketAddr> {
    number(address).map_or_else(|| vec![address], |number| vec![address_v4(number), address_v6(number)])
}
