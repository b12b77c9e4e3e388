//! The rendezvous: introduces two peers to each other and learns as little as it can.
//!
//! One port speaks WebSocket at [`SOCKET_PATH`](crate::wire::signaling::SOCKET_PATH), answers `GET /healthz`, and
//! relays by TURN over TCP, each with TLS where there is a certificate, or without. Invariants:
//! - The server imports [`crate::wire`] alone: it has no name for a secret.
//! - What it relays is never looked into and never logged; log lines carry neither nameplates nor
//!   addresses.
//! - Every task belongs to [`run`] and has ended when [`run`] returns. Every queue is bounded and every
//!   wait has a deadline.

pub mod limits;
pub mod relay;
pub mod reunions;
pub mod rooms;
pub mod tls;

mod accept;
mod desk;
mod http;
mod socket;
mod talk;

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{self, MissedTickBehavior};

use crate::server::desk::Desk;
use crate::server::limits::LimitPolicy;
use crate::server::relay::{Relay, RelayConfig};
use crate::server::rooms::RoomPolicy;
use crate::server::tls::Tls;
use crate::wire::PathKind;
use crate::wire::signaling::{IceServer, Nameplate, Token};

/// How a server behaves; the defaults suit one that strangers can reach.
#[derive(Clone, Default)]
pub struct Config {
    /// STUN and TURN servers that both peers are told of, beside this one.
    pub ice_servers: Vec<IceServer>,
    /// How this server itself does STUN and TURN, if it does.
    pub relay: Option<RelayConfig>,
    /// With what it speaks TLS too, on the same port.
    pub tls: Option<Tls>,
    /// What rooms may cost.
    pub rooms: RoomPolicy,
    /// What a source may ask for.
    pub limits: LimitPolicy,
    /// How long things may take.
    pub timing: Timing,
    /// Proxies whose `X-Forwarded-For` is believed. None by default: anybody can write that header.
    pub trusted_proxies: Vec<IpAddr>,
    /// Where the server counts; keep a clone to read it.
    pub counts: Arc<Counts>,
    /// Whose reunions are admitted; with `None` anybody's.
    pub session: Option<OnlySession>,
}

/// The one session that may meet again here. Until it is [named](Self::name) there is none.
#[derive(Clone, Default)]
pub struct OnlySession(Arc<OnceLock<Token>>);

impl OnlySession {
    /// From now on whoever knows this token is let in. The first one counts.
    pub fn name(&self, token: Token) {
        self.0.set(token).ok();
    }

    /// Says by its time nothing of a token that is another.
    fn admits(&self, token: Token) -> bool {
        self.0.get().is_some_and(|ours| bool::from(ours.0.ct_eq(&token.0)))
    }
}

impl Config {
    /// A server for one room with this number: the rendezvous inside `send`.
    ///
    /// It lives on the sender's own machine, so it also refuses browsers (requests with an `Origin`):
    /// a page that somebody happens to visit must not reach in and burn a code.
    ///
    /// Whoever met here may lose the link and meet again here, from anywhere and also after the code is used
    /// up: the owner of the session says its token, and nobody else's takes up a place.
    pub fn for_one_room(nameplate: Nameplate, session: OnlySession) -> Self {
        let rooms = RoomPolicy { rooms: 2, reunions: 1, nameplate: Some(nameplate), ..RoomPolicy::default() };
        // One receiver has few addresses; a neighbour needs as many of its own to keep it out.
        let limits = LimitPolicy { connections_in_all: 128, connections: 8, ..LimitPolicy::default() };
        Self { rooms, limits, session: Some(session), ..Self::default() }
    }
}

/// Deadlines of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// From the TCP connection to the HTTP request, and again from the upgrade to `create`, `join`
    /// or `meet`.
    pub handshake: Duration,
    /// Between two pings to a client.
    pub ping: Duration,
    /// A client that sent nothing for so long, not even a pong, is gone.
    pub idle: Duration,
    /// A client that does not take a message within this time is gone.
    pub write: Duration,
    /// For saying goodbye.
    pub closing: Duration,
    /// Between two looks at the rooms' deadlines.
    pub sweep: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            ping: Duration::from_secs(20),
            idle: Duration::from_secs(60),
            write: Duration::from_secs(10),
            closing: Duration::from_secs(2),
            sweep: Duration::from_secs(1),
        }
    }
}

/// What a server has seen since it started. Numbers only: none can be traced to a room.
#[derive(Debug, Default)]
pub struct Counts {
    /// Rooms created.
    pub created: AtomicU64,
    /// Rooms joined.
    pub joined: AtomicU64,
    /// Joins that met no room.
    pub missed: AtomicU64,
    /// Peers that came to meet again, in vain or not.
    pub meets: AtomicU64,
    /// Pairs that met again.
    pub met: AtomicU64,
    /// Connections closed with a numbered code other than `Stopping`.
    pub refused: AtomicU64,
    /// Rooms and reunions whose peers found a direct path.
    pub direct: AtomicU64,
    /// Rooms and reunions whose peers needed a relay.
    pub relayed: AtomicU64,
    /// Rooms and reunions whose peers found no path.
    pub failed: AtomicU64,
}

impl Counts {
    /// The counter of this outcome.
    pub fn outcome(&self, path: PathKind) -> &AtomicU64 {
        match path {
            PathKind::Direct => &self.direct,
            PathKind::Relayed => &self.relayed,
            PathKind::Failed => &self.failed,
        }
    }

    fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The listener is not one.
    #[error("the listening socket does not work")]
    Listener(#[source] io::Error),
}

/// Serves until `shutdown` completes; then every client is told and every task has ended.
///
/// Failing to accept (too many open files, say) slows the server down and never ends it.
/// Not cancel safe: when this future is dropped, clients are cut off without a word.
///
/// # Errors
/// When the listener is unusable from the start.
pub async fn run(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServerError> {
    let address = listener.local_addr().map_err(ServerError::Listener)?;
    let (stop, stopping) = watch::channel(false);
    let farewell = config.timing.closing.saturating_mul(2);
    let mut sweep = time::interval(config.timing.sweep.max(Duration::from_millis(1)));
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let relay = config.relay.clone().and_then(|it| Relay::open(it, address, Instant::now()));
    let mut relaying = JoinSet::new();
    if let Some(relay) = &relay {
        relaying.spawn(Arc::clone(relay).serve());
    }
    let desk = Arc::new(Desk::new(config, relay));
    let mut connections = JoinSet::new();
    let mut patience = Patience::default();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = patience.accept(&listener) => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(accept::serve(stream, peer, Arc::clone(&desk), stopping.clone()));
                }
                Err(error) => log::warn!("could not accept a connection: {error}"),
            },
            Some(ended) = connections.join_next() => note(ended),
            _ = sweep.tick() => desk.sweep(Instant::now()),
        }
    }
    drop(listener);
    stop.send_replace(true);
    let drain = async {
        while let Some(ended) = connections.join_next().await {
            note(ended);
        }
    };
    if time::timeout(farewell, drain).await.is_err() {
        log::debug!("some clients did not take their leave in time");
    }
    connections.shutdown().await;
    relaying.shutdown().await;
    Ok(())
}

/// Completes when the server stops. Cancel safe.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that `run` itself was dropped: that is a stop too.
    let _ = stopping.wait_for(|stop| *stop).await;
}

fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        log::error!("a connection's task panicked; the server goes on");
    }
}

/// Waits longer and longer between failing accepts.
#[derive(Default)]
struct Patience {
    wait: Duration,
    until: Option<time::Instant>,
}

impl Patience {
    const SHORTEST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(1);

    /// Cancel safe: a wait that has begun goes on in the next call.
    async fn accept(
        &mut self,
        listener: &TcpListener,
    ) -> io::Result<(tokio::net::TcpStream, std::net::SocketAddr)> {
        if let Some(until) = self.until {
            time::sleep_until(until).await;
        }
        let accepted = listener.accept().await;
        match &accepted {
            Ok(_) => *self = Self::default(),
            // The client hung up while it was in the queue: nothing is wrong here.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => {
                self.wait = (self.wait * 2).clamp(Self::SHORTEST, Self::LONGEST);
                self.until = Some(time::Instant::now() + self.wait);
            }
        }
        accepted
    }
}

#[cfg(test)]
mod tests;
