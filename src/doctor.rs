//! `p2pcp doctor`: what works from here, and what to change.
//!
//! ```text
//! visit ─► places ─► udp, turn ─┐
//! multicast, machine ───────────┴► Observed ─► judge ─► Report ─► ui
//!     probes: sockets and clocks     facts      pure     lines or JSON
//! ```
//!
//! Invariants: every probe has a deadline, and all of them together [`LONGEST`]; what servers say is bounded, and sends no packet of
//! ours to where a stranger must not; nothing is left behind: rooms and relayed addresses are given back. What observations
//! mean is decided in `judge` and `nat`, which touch nothing.

mod asking;
pub mod judge;
mod machine;
mod multicast;
pub mod nat;
pub mod observed;
mod places;
mod stun;
mod turn;
mod udp;
mod visit;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time;

use crate::dial::{BoxStream, Dialer, Host};
use crate::doctor::judge::judge;
use crate::doctor::observed::{Multicast, Observed, Place as Side, Relay, Signaling};
use crate::doctor::places::Place;
use crate::doctor::stun::Login;
use crate::doctor::turn::Wire;
use crate::doctor::visit::{Visited, visit};
use crate::error::{Error, ExitCode, Finish};
use crate::interrupt::Interrupts;
use crate::signaling::ServerUrl;
use crate::ui::Reporter;
use crate::wire::ice::{IceKind, IceUrl, TurnServer};

/// Longest that a check-up takes: 2.2 s for the server, 0.4 s for the names that it offers, 2.3 s for what is behind them.
pub const LONGEST: Duration = Duration::from_secs(5);

/// How long a relay may take altogether.
const RELAY: Duration = Duration::from_millis(2_300);

/// How long the names of STUN servers that were typed may take to become addresses; meanwhile the server is visited.
const TYPED_NAMES: Duration = Duration::from_millis(1_800);

/// The same for those that the server offers, which is mostly its own name, known by then.
const OFFERED_NAMES: Duration = Duration::from_millis(400);

/// What to check, and how to tell.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server to meet on, if one is configured.
    pub server: Option<ServerUrl>,
    /// Further STUN servers, as typed.
    pub stun: Vec<String>,
    /// TURN servers of the person's own.
    pub turn: Vec<TurnServer>,
    /// How servers are reached.
    pub dialer: Dialer,
    /// Whether something may be sent to local networks.
    pub multicast: bool,
    /// How to tell what was found.
    pub document: Document,
}

/// How a report is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// Lines for a person, on stderr.
    Lines,
    /// One JSON document on stdout.
    Json,
}

/// Runs the command. [`Finish::Done`] when transfers over the internet will work.
///
/// # Errors
/// [`Error::Interrupted`], and [`Error::Document`] when the document cannot be written.
pub async fn run(options: Options, reporter: &Reporter) -> Result<Finish, Error> {
    let mut interrupts = Interrupts::listen();
    if options.document == Document::Lines {
        reporter.note("looking around; this takes five seconds at most…");
    }
    let observed = tokio::select! {
        observed = observe(&options) => observed,
        interrupt = interrupts.wait() => return Err(Error::Interrupted { interrupt, again: None }),
    };
    let report = judge(&observed, options.server.as_ref().map(ToString::to_string));
    match options.document {
        Document::Lines => reporter.doctor(&report),
        Document::Json => reporter.doctor_json(&report).map_err(Error::Document)?,
    }
    Ok(if report.ok { Finish::Done } else { Finish::Partly(ExitCode::Failed) })
}

/// Looks at everything, at most [`LONGEST`].
pub async fn observe(options: &Options) -> Observed {
    let machine = machine::look(random);
    let typed = Place::typed(&options.stun, &options.turn);
    let (multicast, visited, others) = tokio::join!(
        local_networks(options),
        first_words(options),
        places::stun_addresses(&typed, TYPED_NAMES)
    );
    let host = options.server.as_ref().map_or(String::new(), ServerUrl::host_name);
    let here = matches!(&visited.signaling, Signaling::Works(visit) if visit.place == Side::Here);
    let offered = Place::offered(&visited.ice, &host, here);
    let mut servers = places::stun_addresses(&offered, OFFERED_NAMES).await;
    let others: Vec<SocketAddr> = others.into_iter().filter(|it| !servers.contains(it)).collect();
    servers.extend(others);
    let relays: Vec<&Place> = typed.iter().chain(&offered).collect();
    let ((v4, packet_v4), (v6, packet_v6), relay_udp, relay_tcp, relay_tls) = tokio::join!(
        udp::look(udp::Version::V4, &servers),
        udp::look(udp::Version::V6, &servers),
        relay(&relays, IceKind::TurnUdp, &options.dialer),
        relay(&relays, IceKind::TurnTcp, &options.dialer),
        relay(&relays, IceKind::TurnTls, &options.dialer),
    );
    Observed {
        signaling: visited.signaling,
        packet: if packet_v4.largest.is_some() { packet_v4 } else { packet_v6 },
        v4,
        v6,
        relay_udp,
        relay_tcp,
        relay_tls,
        multicast,
        rendezvous: machine.rendezvous,
        open_files: machine.open_files,
        udp_buffer: machine.udp_buffer,
    }
}

async fn local_networks(options: &Options) -> Multicast {
    match options.multicast {
        true => multicast::look(random_tag()).await,
        false => Multicast::default(),
    }
}

async fn first_words(options: &Options) -> Visited {
    match &options.server {
        Some(server) => visit(server, &options.dialer, [nonce(), nonce()]).await,
        None => Visited { signaling: Signaling::NotConfigured, ice: Vec::new() },
    }
}

/// Tries the relays of a kind, one after the other, until one answers.
async fn relay(places: &[&Place], kind: IceKind, dialer: &Dialer) -> Relay {
    let mut seen = Relay::NotOffered;
    let deadline = time::Instant::now() + RELAY;
    for place in places.iter().filter(|it| it.url.kind == kind) {
        let Some(login) = &place.login else { continue };
        let visited = match kind {
            IceKind::Stun => continue,
            IceKind::TurnUdp => time::timeout_at(deadline, over_udp(place, login)).await,
            IceKind::TurnTcp | IceKind::TurnTls => {
                time::timeout_at(deadline, over_stream(place, login, dialer)).await
            }
        };
        seen = visited.unwrap_or(Relay::NoAnswer);
        if matches!(seen, Relay::Works { .. }) {
            break;
        }
    }
    seen
}

async fn over_udp(place: &Place, login: &Login) -> Relay {
    let mut seen = Relay::Unreachable;
    for address in place.addresses(OFFERED_NAMES).await {
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let Ok(socket) = UdpSocket::bind(any).await else { continue };
        seen = turn::visit(Wire::<BoxStream>::Udp(socket, address), login).await;
        if !matches!(seen, Relay::NoAnswer) {
            break;
        }
    }
    seen
}

/// Over TCP or TLS, through a proxy where one applies, which then does the looking up.
async fn over_stream(place: &Place, login: &Login, dialer: &Dialer) -> Relay {
    let IceUrl { kind, host, port } = &place.url;
    let Some(host) = Host::parse(host) else { return Relay::Unreachable };
    let by_name = dialer.proxy_to(&host, *port).is_some() && place.url.address().is_none();
    let addresses = if by_name { Vec::new() } else { place.addresses(OFFERED_NAMES).await };
    if addresses.is_empty() && !by_name {
        return Relay::Unreachable;
    }
    match dialer.dial_judged(&host, *port, *kind == IceKind::TurnTls, &addresses).await {
        Ok(stream) => turn::visit(Wire::Stream(stream), login).await,
        Err(_) => Relay::Unreachable,
    }
}

fn random() -> u64 {
    getrandom::u64().unwrap_or_default()
}

fn random_tag() -> u32 {
    getrandom::u32().unwrap_or_default()
}

/// A nonce for a room in which nothing secret is said.
fn nonce() -> [u8; 16] {
    let [high, low] = [random(), random()].map(u64::to_be_bytes);
    let mut nonce = [0; 16];
    nonce.iter_mut().zip(high.into_iter().chain(low)).for_each(|(to, from)| *to = from);
    nonce
}
