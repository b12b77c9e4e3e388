//! One port for everything: what a connection begins with tells what it is.
//!
//! ```text
//!  first byte   0x00, 0x01  TURN over TCP: a STUN request (RFC 8489 §5)
//!               0x16        TLS, where the server has a certificate; what is inside is looked at again
//!               any other   HTTP: the WebSocket, the health check
//! ```
//!
//! Invariants: a connection is counted before anything of it is read, unless it comes from a trusted proxy; what it is,
//! TLS included, is known within the handshake deadline or it is dropped.

mod first;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time;

use crate::server::accept::first::First;
use crate::server::desk::Desk;
use crate::server::{http, relay, stopped};

/// What TURN over TCP begins with. HTTP begins with a letter.
const TURN: std::ops::RangeInclusive<u8> = 0..=1;

/// What TLS begins with: the type of handshake records (RFC 8446 §5.1).
const TLS: u8 = 0x16;

/// A stream, whatever is below it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What a connection turned out to be.
enum Arrival {
    Turn(Box<dyn Stream>),
    Http(Box<dyn Stream>),
}

/// Serves one connection to its end.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    desk: Arc<Desk>,
    mut stopping: watch::Receiver<bool>,
) {
    let address = peer.ip().to_canonical();
    let proxied = desk.config.trusted_proxies.iter().any(|proxy| proxy.to_canonical() == address);
    // A proxy's connections are counted against its clients, as soon as their request says who they are.
    let ticket = if proxied { None } else { desk.admit(Instant::now(), address) };
    if !proxied && ticket.is_none() {
        return;
    }
    // Small messages that somebody waits for; TURN's are written in large pieces anyway.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Ok(local) = stream.local_addr() else { return };
    let arrival = tokio::select! {
        arrival = time::timeout(desk.config.timing.handshake, arrive(stream, &desk)) => arrival,
        () = stopped(&mut stopping) => return,
    };
    match arrival {
        Ok(Some(Arrival::Http(stream))) => http::serve(stream, address, ticket, desk, stopping).await,
        Ok(Some(Arrival::Turn(stream))) => {
            // TURN does not say whom a proxy stands for.
            let ticket = ticket.or_else(|| desk.admit(Instant::now(), address));
            if let (Some(relay), Some(ticket)) = (&desk.relay, &ticket)
                && ticket.refusal.is_none()
            {
                tokio::select! {
                    () = relay::serve_stream(Arc::clone(relay), stream, peer, local) => {}
                    () = stopped(&mut stopping) => {}
                }
            }
        }
        Ok(None) | Err(_) => {}
    }
}

/// Looks at the first byte, and at the first inside of TLS. `None` when it ends before that, or when TLS fails.
async fn arrive(stream: TcpStream, desk: &Desk) -> Option<Arrival> {
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 0 {
        return None;
    }
    match (first, &desk.config.tls) {
        ([TLS], Some(tls)) => {
            let stream = tls.acceptor().accept(stream).await.ok()?;
            let (first, stream) = First::read(stream).await.ok()?;
            Some(sort(first, Box::new(stream), desk))
        }
        ([first], _) => Some(sort(first, Box::new(stream), desk)),
    }
}

fn sort(first: u8, stream: Box<dyn Stream>, desk: &Desk) -> Arrival {
    match TURN.contains(&first) && desk.relay.is_some() {
        true => Arrival::Turn(stream),
        // What is nothing at all gets HTTP's answer.
        false => Arrival::Http(stream),
    }
}
